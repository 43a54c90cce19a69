/* Commands: a parsed request and the store make a reply.
 *
 * Knows no sockets and no journal. One small function for each family of commands; which variant is
 * asked for stands in the command's row. Threads: one context for each worker.
 * Source of the rules: memcached doc/protocol.txt. */
#ifndef SESSIOND_COMMAND_COMMAND_H
#define SESSIOND_COMMAND_COMMAND_H

#include "sessiond/command/context.h"
#include "sessiond/protocol/request.h"

/** Run a request and append its reply to `out`.
 *  returns  OK | BUSY (nothing was changed or appended: run the same request again later) */
SESS_MUST_CHECK enum sess_status command_run(struct command_context *context,
                                             const struct request *request, struct buffer *out);

/** The hash of a request's key, which it has: for the hints, and for the context when it is run. */
uint64_t command_hash(const struct command_context *context, const struct request *request);

/** Hints that a request whose key has this hash will be run soon: fetch where its key is looked up; a while later, the
 *  session that is found there; and its value. Nothing depends on them.
 *  returns  what the last one is to be told: nothing that may be looked at; or NULL, and there is nothing to fetch */
void command_foresee(const struct command_context *context, uint64_t hash);
const void *command_foresee_session(const struct command_context *context, uint64_t hash);
void command_foresee_value(const void *session);

/** Answer what the parser could not read (PARSE_ERROR). */
void command_reject(struct command_context *context, const struct request *request,
                    struct buffer *out);

/* A store command whose value is received straight into its place (PARSE_UPLOAD). */
struct command_upload;

/** Begin to receive. returns OK (finish or abort it) | NO_MEMORY (answered; drop the block) */
SESS_MUST_CHECK enum sess_status command_upload_begin(struct command_context *context,
                                                      const struct request *request,
                                                      struct buffer *out,
                                                      struct command_upload **upload);

/** Where the next bytes of block and line end belong, at most `most`; *size 0: all are there.
 *  returns  OK | AGAIN (too many values are in flight: try again later) */
SESS_MUST_CHECK enum sess_status command_upload_place(struct command_upload *upload, size_t most,
                                                      uint8_t **place, size_t *size);

/** Tell that `size` bytes were written to the place. */
void command_upload_received(struct command_upload *upload, size_t size);

/** Bytes of the block. */
size_t command_upload_size(const struct command_upload *upload);

/** All is there: store and answer; *upload is NULL afterwards, but for BUSY.
 *  returns  OK | BUSY (call again later) | INVALID (no line end behind the block: answered, close) */
SESS_MUST_CHECK enum sess_status command_upload_finish(struct command_context *context,
                                                       struct command_upload **upload,
                                                       struct buffer *out);

/** The client is gone: nothing is stored; *upload is NULL afterwards. */
void command_upload_abort(struct command_upload **upload);

/** Wired call, worker to store: see store_tick; `shared` is a struct command_shared. */
bool command_tick(void *shared, struct store_ticker *ticker, int64_t now_s, unsigned max_steps);

#endif
