/* The verb restore: a session of a dump, stored again. Large values arrive by upload.c.
 *
 * It is a write as any other: journaled, and answered when it is safe. Threads: the context's owner. Memory: none of
 * its own. */
#include "meta.h"

#include "sessiond/base/log.h"

struct store_write restore_write_of(const struct request *request, struct slice key)
{
    const struct meta_flags *marks = &request->meta;

    return (struct store_write){
        .mode = STORE_RESTORE,
        .key = key,
        .value = request->value,
        .flags = request->flags,
        .expiry = store_expiry_at(request->exptime == 0 ? STORE_NO_DEADLINE : request->exptime),
        .cas = request->cas,
        .marks = {.is_stale = meta_has(marks, 'X'),
                  .has_winner = meta_has(marks, 'W'),
                  .is_clients_cas = meta_has(marks, 'E'),
                  .is_held = meta_has(marks, 'H')},
    };
}

void tell_restore(struct command_context *context)
{
    if (!context->has_restored) {
        context->has_restored = true;
        log_write(LOG_LEVEL_WARNING, "restore from %s: sessions of a dump are stored again",
                  context->peer);
    }
}

enum sess_status command_restore(struct command_context *context, const struct request *request,
                                 struct buffer *out)
{
    struct meta_key key;
    struct store_write write = restore_write_of(request, meta_key_of(request, &key));
    struct store_outcome outcome;
    enum sess_status status =
        store_write(context->shared->store, &write, context->now.wall_s, &outcome);

    explicit_bzero(&key, sizeof key);
    if (status == SESS_BUSY) {
        return status;
    }
    tell_restore(context);
    note_change(context, &outcome);
    answer_store(context, request, status, out);
    return SESS_OK;
}
