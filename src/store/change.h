/* The write that a value in memory and an uploaded value share.
 *
 * Private to the store. */
#ifndef SESSIOND_SRC_STORE_CHANGE_H
#define SESSIOND_SRC_STORE_CHANGE_H

#include "shard.h"

/** store_write with the value in `block` (borrowed: the entry takes a reference of its own), or in
 *  write->value when block is NULL; the size is already checked. */
SESS_MUST_CHECK enum sess_status change_write(struct store *store, const struct store_write *write,
                                              struct value_block *block, int64_t now_s,
                                              struct store_outcome *outcome);

#endif
