/* The verbs of admin listeners, but for flush (flush.c). Source: docs/ADMIN-PROTOCOL.md.
 *
 * Threads: the context's owner. Memory: none. */
#include "handlers.h"

enum sess_status command_ping(struct command_context *context, const struct request *request,
                              struct buffer *out)
{
    (void)context;
    answer(request, out, REPLY_OK);
    return SESS_OK;
}
