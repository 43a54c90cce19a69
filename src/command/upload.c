/* Store commands whose value arrives in pieces. The rest of them: session.c.
 *
 * Threads: the context's owner. Memory: the request's fixed part, the value in the store. */
#include "meta.h"
#include "sessiond/command/command.h"

#include <stdlib.h>

_Static_assert((int)REQUEST_KEY_MAX <= (int)STORE_KEY_MAX, "a request's key fits");

struct command_upload {
    struct store_upload *value;
    struct request
        request; /* its key and its opaque point into this struct; its other slices are empty */
    uint8_t key[STORE_KEY_MAX];
    uint8_t opaque[META_OPAQUE_MAX];
};

static bool is_meta(const struct request *request)
{
    return request->command->id == COMMAND_META_SET;
}

/* Keep what the request points to in the input. */
static void keep(struct command_upload *upload, const struct request *request)
{
    upload->request = *request;
    memcpy(upload->key, request->key.data, request->key.size);
    upload->request.key.data = upload->key;
    upload->request.value = slice_of(NULL, 0);
    if (is_meta(request) && request->meta.opaque.size > 0) {
        memcpy(upload->opaque, request->meta.opaque.data, request->meta.opaque.size);
        upload->request.meta.opaque.data = upload->opaque;
    }
}

enum sess_status command_upload_begin(struct command_context *context,
                                      const struct request *request, struct buffer *out,
                                      struct command_upload **upload)
{
    struct command_upload *begun = calloc(1, sizeof *begun);
    enum sess_status status = begun == NULL ? SESS_NO_MEMORY : SESS_OK;

    if (status == SESS_OK) {
        status = store_upload_begin(context->shared->store, request->value_size,
                                    REQUEST_LINE_END_SIZE, &begun->value);
    }
    if (status != SESS_OK) {
        free(begun);
        if (buffer_reserve(out, REPLY_LINE_MAX) == SESS_OK) {
            answer_store(context, request, SESS_NO_MEMORY, out);
        } else {
            context->must_close = true;
        }
        return SESS_NO_MEMORY;
    }
    keep(begun, request);
    *upload = begun;
    return SESS_OK;
}

enum sess_status command_upload_place(struct command_upload *upload, size_t most, uint8_t **place,
                                      size_t *size)
{
    return store_upload_place(upload->value, most, place, size);
}

void command_upload_received(struct command_upload *upload, size_t size)
{
    store_upload_received(upload->value, size);
}

size_t command_upload_size(const struct command_upload *upload)
{
    return upload->request.value_size;
}

void command_upload_abort(struct command_upload **upload)
{
    if (*upload == NULL) {
        return;
    }
    store_upload_abort(&(*upload)->value);
    explicit_bzero(*upload, sizeof **upload);
    free(*upload);
    *upload = NULL;
}

static enum sess_status refuse_block(struct command_context *context,
                                     struct command_upload **upload, struct buffer *out)
{
    metric_add(&context->metrics.protocol_errors, 1);
    reply_put(out, REPLY_BAD_DATA);
    context->must_close = true;
    command_upload_abort(upload);
    return SESS_INVALID;
}

static struct store_write write_of(const struct request *request, struct meta_key *key)
{
    switch (request->command->id) {
    case COMMAND_META_SET:
        return meta_write_of(request, meta_key_of(request, key));
    case COMMAND_RESTORE:
        return restore_write_of(request, meta_key_of(request, key));
    default:
        return store_write_of(request);
    }
}

static enum sess_status commit(struct command_context *context, struct command_upload *upload,
                               struct store_outcome *outcome)
{
    const struct request *request = &upload->request;
    struct meta_key key;
    struct store_write write = write_of(request, &key);
    enum sess_status status = store_upload_commit(context->shared->store, &upload->value, &write,
                                                  context->now.wall_s, outcome);

    explicit_bzero(&key, sizeof key);
    return status;
}

enum sess_status command_upload_finish(struct command_context *context,
                                       struct command_upload **upload, struct buffer *out)
{
    const struct request *request = &(*upload)->request;
    struct store_outcome outcome;
    enum sess_status status;

    if (buffer_reserve(out, REPLY_VALUE_MAX) != SESS_OK) {
        context->must_close = true;
        command_upload_abort(upload);
        return SESS_OK;
    }
    if (!slice_equal(store_upload_tail((*upload)->value), SLICE_LITERAL("\r\n"))) {
        return refuse_block(context, upload, out);
    }
    status = commit(context, *upload, &outcome);
    if (status == SESS_BUSY) {
        return status;
    }
    note_change(context, &outcome);
    if (request->command->id == COMMAND_RESTORE) {
        tell_restore(context);
    }
    if (is_meta(request)) {
        meta_answer_store(context, request, status, &outcome, out);
    } else {
        answer_store(context, request, status, out);
    }
    command_upload_abort(upload);
    return SESS_OK;
}
