/* Records on their way to the disk. Threads, memory: see the header. */
#include "batch.h"

#include <stdlib.h>

_Static_assert((int)BATCH_PIECES_MAX + 1 <= 64, "a frame and its end are one write");

enum sess_status batch_init(struct batch *batch, size_t limit_bytes)
{
    *batch = (struct batch){
        .capacity = FRAME_HEAD_SIZE + limit_bytes + BATCH_RECORD_MAX,
        .limit = limit_bytes,
        .used = FRAME_HEAD_SIZE,
    };
    batch->bytes = malloc(batch->capacity);
    return batch->bytes == NULL ? SESS_NO_MEMORY : SESS_OK;
}

void batch_fini(struct batch *batch)
{
    if (batch->bytes != NULL) {
        batch_clear(batch);
        free(batch->bytes);
        batch->bytes = NULL;
    }
}

size_t batch_size_with(const struct batch *batch, const struct record *record,
                       const struct value_block *block)
{
    size_t size = RECORD_HEAD_MAX + record->value.size;

    if (batch->facts.total >= batch->limit ||
        (block != NULL && batch->n_values == BATCH_VALUES_MAX)) {
        return 0;
    }
    return batch->facts.total + size;
}

bool batch_grow(struct batch *batch, const struct record *record, struct value_block **block)
{
    size_t needed;
    uint8_t *grown;

    if (batch->n_values == BATCH_VALUES_MAX) {
        *block = NULL;
    }
    needed = batch->used + RECORD_HEAD_MAX + (*block == NULL ? record->value.size : 0);
    if (needed <= batch->capacity) {
        return true;
    }
    grown = malloc(2 * needed);
    if (grown == NULL) {
        return false;
    }
    memcpy(grown, batch->bytes, batch->used);
    explicit_bzero(batch->bytes, batch->used);
    free(batch->bytes);
    batch->bytes = grown;
    batch->capacity = 2 * needed;
    return true;
}

void batch_add(struct batch *batch, const struct record *record, struct value_block *block)
{
    size_t head = record_encode(record, batch->bytes + batch->used);

    batch->used += head;
    batch->facts.total += head + record->value.size;
    batch->facts.n_records++;
    if (record->value.size == 0) {
        return;
    }
    if (block == NULL) {
        memcpy(batch->bytes + batch->used, record->value.data, record->value.size);
        batch->used += record->value.size;
    } else {
        value_block_acquire(block);
        batch->values[batch->n_values++] = (struct batch_value){.block = block, .at = batch->used};
    }
}

size_t batch_pieces(const struct batch *batch, struct slice *pieces)
{
    size_t n_pieces = 0;
    size_t from = 0;

    for (size_t i = 0; i < batch->n_values; i++) {
        const struct batch_value *value = &batch->values[i];

        pieces[n_pieces++] = slice_of(batch->bytes + from, value->at - from);
        pieces[n_pieces++] = value_block_bytes(value->block);
        from = value->at;
    }
    if (batch->used > from) {
        pieces[n_pieces++] = slice_of(batch->bytes + from, batch->used - from);
    }
    return n_pieces;
}

void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->n_values; i++) {
        value_block_release(batch->values[i].block);
    }
    explicit_bzero(batch->bytes, batch->used);
    *batch = (struct batch){.bytes = batch->bytes,
                            .capacity = batch->capacity,
                            .limit = batch->limit,
                            .used = FRAME_HEAD_SIZE};
}
