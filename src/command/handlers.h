/* The handlers of the command table, one for each family.
 *
 * Private to the room. Each appends its reply to `out`, in which command_run has made room for the
 * fixed lines; OK, or BUSY with nothing changed or appended. A row that names a handler which is not
 * here does not compile. */
#ifndef SESSIOND_SRC_COMMAND_HANDLERS_H
#define SESSIOND_SRC_COMMAND_HANDLERS_H

#include "sessiond/command/context.h"
#include "sessiond/protocol/request.h"

typedef enum sess_status (*command_fn)(struct command_context *context,
                                       const struct request *request, struct buffer *out);

enum sess_status command_get(struct command_context *context, const struct request *request,
                             struct buffer *out);
enum sess_status command_store(struct command_context *context, const struct request *request,
                               struct buffer *out);
enum sess_status command_count(struct command_context *context, const struct request *request,
                               struct buffer *out);
enum sess_status command_delete(struct command_context *context, const struct request *request,
                                struct buffer *out);
enum sess_status command_touch(struct command_context *context, const struct request *request,
                               struct buffer *out);
enum sess_status command_flush_all(struct command_context *context, const struct request *request,
                                   struct buffer *out);
enum sess_status command_verbosity(struct command_context *context, const struct request *request,
                                   struct buffer *out);
enum sess_status command_stats(struct command_context *context, const struct request *request,
                               struct buffer *out);
enum sess_status command_version(struct command_context *context, const struct request *request,
                                 struct buffer *out);
enum sess_status command_help(struct command_context *context, const struct request *request,
                              struct buffer *out);
enum sess_status command_quit(struct command_context *context, const struct request *request,
                              struct buffer *out);
enum sess_status command_ping(struct command_context *context, const struct request *request,
                              struct buffer *out);
enum sess_status command_reload(struct command_context *context, const struct request *request,
                                struct buffer *out);
enum sess_status command_dump(struct command_context *context, const struct request *request,
                              struct buffer *out);
enum sess_status command_restore(struct command_context *context, const struct request *request,
                                 struct buffer *out);
enum sess_status command_flush(struct command_context *context, const struct request *request,
                               struct buffer *out);
enum sess_status command_meta_get(struct command_context *context, const struct request *request,
                                  struct buffer *out);
enum sess_status command_meta_set(struct command_context *context, const struct request *request,
                                  struct buffer *out);
enum sess_status command_meta_delete(struct command_context *context, const struct request *request,
                                     struct buffer *out);
enum sess_status command_meta_count(struct command_context *context, const struct request *request,
                                    struct buffer *out);
enum sess_status command_meta_debug(struct command_context *context, const struct request *request,
                                    struct buffer *out);
enum sess_status command_meta_noop(struct command_context *context, const struct request *request,
                                   struct buffer *out);

/** A value and its end: a small one is copied under the shard's lock, so its room has been made before; a large
 *  one, which was lent, is attached. */
void put_value(struct command_context *context, const struct store_reading *reading,
               struct buffer *out);

/** The reply line, unless the client asked for none. */
void answer(const struct request *request, struct buffer *out, enum reply reply);

/** A report as lines STAT, with room for a fixed line behind them. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status append_report(const struct report *report, struct buffer *out);

/** What the reply to a command that only reads must wait for. */
void note_read(struct command_context *context, const struct store_outcome *outcome);

/** The same for a command that changes, or would have, whatever came of it and whether it is answered
 *  or not. It waits for the shard's last revocation, too: a logout is tried again when its reply does
 *  not come, and the second finds nothing to do, but must not be answered before the first is safe. */
void note_change(struct command_context *context, const struct store_outcome *outcome);

/** Log that a session was refused, and with which reply. The key is told as `#` and 8 hex digits: the same for the
 *  same key as long as this process runs, and of no use to whoever reads the log. */
void tell_refused(const struct command_context *context, const struct request *request,
                  enum reply reply);

/** The store command's fixed part, from a request. */
struct store_write store_write_of(const struct request *request);

/** Count the end of a store command; `is_cas`: one with a CAS id to compare. */
void count_store(struct command_metrics *metrics, bool is_cas, enum sess_status status);

/** Count the end of incr, decr or ma, but for BUSY. */
void count_count(struct command_metrics *metrics, bool is_decrement, enum sess_status status);

/** Count and answer the end of a store command, but for BUSY. */
void answer_store(struct command_context *context, const struct request *request,
                  enum sess_status status, struct buffer *out);

#endif
