/* What the handlers of the meta commands share.
 *
 * Private to the room. Threads: the context's owner. Memory: none. */
#ifndef SESSIOND_SRC_COMMAND_META_H
#define SESSIOND_SRC_COMMAND_META_H

#include "handlers.h"

/* A key's own bytes, which may be sent in base64. The owner zeroes it. */
struct meta_key {
    uint8_t place[REQUEST_KEY_MAX];
};

/** The key of a request; the slice points into the request or into *key. */
struct slice meta_key_of(const struct request *request, struct meta_key *key);

/** Answer a flag that gives back what was sent, k or O; no effect for another. */
void meta_put_echo(const struct request *request, char flag, struct buffer *out);

/** Answer `tN`, or `t-1` for STORE_NO_DEADLINE. */
void meta_put_ttl(struct buffer *out, int64_t ttl_s);

/** The write of an ms; its key is meta_key_of. */
struct store_write meta_write_of(const struct request *request, struct slice key);

/** The write of a restore; its key is meta_key_of. */
struct store_write restore_write_of(const struct request *request, struct slice key);

/** Log, once for a connection, that it restores. */
void tell_restore(struct command_context *context);

/** Count and answer the end of an ms, but for BUSY. */
void meta_answer_store(struct command_context *context, const struct request *request,
                       enum sess_status status, const struct store_outcome *outcome,
                       struct buffer *out);

#endif
