/* Large values on their way to a client: what comes attached to a reply (command/context.h).
 *
 * For the room that sends replies, which knows nothing of the store. Threads: any. */
#ifndef SESSIOND_COMMAND_ATTACHED_H
#define SESSIOND_COMMAND_ATTACHED_H

#include "sessiond/command/context.h"

/** The value's bytes: they hold, unchanged, until it is released. */
struct slice attached_bytes(const struct value_block *value);

/** Give reference and charge back; *value is NULL afterwards. No effect for NULL. */
void attached_release(const struct command_shared *shared, struct value_block **value);

#endif
