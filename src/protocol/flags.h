/* The flags of a meta command.
 *
 * Private to the protocol: arguments.c finds them, this reads them. */
#ifndef SESSIOND_SRC_PROTOCOL_FLAGS_H
#define SESSIOND_SRC_PROTOCOL_FLAGS_H

#include "fault.h"
#include "sessiond/protocol/request.h"

/** Take all words off `rest` as flags, into request->meta. Of several faults the one
 *  counts that memcached tells: the first flag that is unknown or doubled, else the last token that is wrong. */
void flags_read(struct slice *rest, struct request *request, struct argument_fault *fault);

/** Whether the key is base64 of 1 to REQUEST_KEY_MAX bytes, and itself no longer. */
bool flags_key_is_base64(struct slice key);

#endif
