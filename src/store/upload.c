/* Values that arrive in pieces, straight into their place. Not the wire (net), not the write itself
 * (change.c). Threads: one for each upload. Memory: the value's block, charged as bytes arrive: what
 * is only announced takes no memory.
 *
 * When the budget is used up by values of which each has only begun, they would wait for each other
 * for ever. So one upload at a time may go over the budget, by at most one value: it ends, and gives
 * back what it held. */
#include "sessiond/store/store.h"

#include "change.h"

#include <stdlib.h>

enum { CHARGE_STEP = 65536 }; /* bytes given out at once */

struct store_upload {
    struct store *store;
    struct value_block *block;
    size_t received;  /* bytes of the block's */
    size_t given;     /* bytes of them that may be filled */
    size_t charged;   /* to the budget: those, and what the block takes beside them */
    bool is_favoured; /* the one that may go over the budget */
};

enum sess_status store_upload_begin(struct store *store, size_t size, size_t tail,
                                    struct store_upload **out)
{
    struct store_upload *upload;

    if (size > store->config.max_value_bytes) {
        return SESS_TOO_LARGE;
    }
    upload = calloc(1, sizeof *upload);
    if (upload == NULL) {
        return SESS_NO_MEMORY;
    }
    upload->block = block_create(store->arena, size, size + tail);
    if (upload->block == NULL) {
        free(upload);
        return SESS_NO_MEMORY;
    }
    upload->store = store;
    *out = upload;
    return SESS_OK;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool become_favoured(struct store_upload *upload)
{
    bool nobody = false;

    upload->is_favoured =
        upload->is_favoured ||
        atomic_compare_exchange_strong(&upload->store->has_favoured_upload, &nobody, true);
    return upload->is_favoured;
}

/* Let `size` further bytes be filled. */
static bool give_room(struct store_upload *upload, size_t size)
{
    struct budget *in_flight = upload->store->config.in_flight;
    size_t beside = upload->given == 0 ? arena_page_size(upload->store->arena) : 0;

    if (!budget_charge(in_flight, size + beside)) {
        if (!become_favoured(upload)) {
            return false;
        }
        budget_charge_always(in_flight, size + beside);
    }
    upload->given += size;
    upload->charged += size + beside;
    return true;
}

enum sess_status store_upload_place(struct store_upload *upload, size_t most, uint8_t **place,
                                    size_t *size)
{
    size_t missing = upload->block->allocated - upload->received;

    if (missing > 0 && upload->given == upload->received &&
        !give_room(upload, smaller(missing, CHARGE_STEP))) {
        return SESS_AGAIN;
    }
    *place = upload->block->bytes + upload->received;
    *size = smaller(upload->given - upload->received, most);
    return SESS_OK;
}

void store_upload_received(struct store_upload *upload, size_t size)
{
    upload->received += size;
}

struct slice store_upload_tail(const struct store_upload *upload)
{
    const struct value_block *block = upload->block;

    return slice_of(block->bytes + block->size, block->allocated - block->size);
}

static void end_upload(struct store_upload **upload)
{
    budget_release((*upload)->store->config.in_flight, (*upload)->charged);
    if ((*upload)->is_favoured) {
        atomic_store(&(*upload)->store->has_favoured_upload, false);
    }
    value_block_release((*upload)->block);
    free(*upload);
    *upload = NULL;
}

void store_upload_abort(struct store_upload **upload)
{
    if (*upload != NULL) {
        end_upload(upload);
    }
}

enum sess_status store_upload_commit(struct store *store, struct store_upload **upload,
                                     const struct store_write *write, int64_t now_s,
                                     struct store_outcome *outcome)
{
    enum sess_status status = SESS_INVALID;

    *outcome = (struct store_outcome){0};
    if ((*upload)->received == (*upload)->block->allocated) {
        status = change_write(store, write, (*upload)->block, now_s, outcome);
    }
    if (status != SESS_BUSY) {
        end_upload(upload);
    }
    return status;
}
