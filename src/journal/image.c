/* Checkpoints under inspection. Threads, memory: see the header. */
#include "image.h"

#include "chain.h"
#include "checkpoint.h"

#include <stdlib.h>

static enum sess_status take_record(struct image *image, const struct record *record,
                                    const struct island_visitor *visitor,
                                    const struct island_place *place)
{
    if (record->type == RECORD_END) {
        image->end = *record;
        image->found.n_told = record->offset;
        return SESS_OK;
    }
    image->found.n_entries++;
    return visitor->record == NULL ? SESS_OK : visitor->record(visitor->context, record, place);
}

/* Records up to the first that is no part of a checkpoint: it is not whole then. */
static enum sess_status take_frame(struct image *image, const struct island_visitor *visitor,
                                   const struct frame_read *read)
{
    struct island_place place = {.kind = SEGMENT_CHECKPOINT,
                                 .segment = image->found.number,
                                 .offset = read->at + FRAME_HEAD_SIZE};
    struct slice rest = read->body;
    enum sess_status status = SESS_OK;

    image->time_s = read->frame.time_s > image->time_s ? read->frame.time_s : image->time_s;
    for (uint32_t i = 0; status == SESS_OK && i < read->frame.n_records; i++) {
        struct record record;
        size_t used;

        if (record_decode(rest, &record, &used) != SESS_OK ||
            (!record_is_state(&record) && record.type != RECORD_END)) {
            return SESS_OK;
        }
        status = take_record(image, &record, visitor, &place);
        rest = slice_from(rest, used);
        place.offset += used;
    }
    return status;
}

static enum sess_status visit_frames(struct image *image, const struct island_visitor *visitor,
                                     struct sess_error *error)
{
    struct frame_read read;
    enum sess_status status = SESS_OK;

    while (status == SESS_OK) {
        status = reader_next_intact(&image->reader, &read, error);
        if (status == SESS_NOT_FOUND) {
            return SESS_OK;
        }
        if (status == SESS_OK) {
            status = take_frame(image, visitor, &read);
        }
        if (image->progress != NULL) {
            image->progress(image->progress_context, image->reader.at, image->reader.file_size);
        }
    }
    return status;
}

enum sess_status image_visit(struct image *image, const struct island_visitor *visitor,
                             struct sess_error *error)
{
    struct segment segment;
    enum sess_status verdict;
    enum sess_status status;

    image->found.n_entries = 0;
    if (image->found.number == 0) {
        return SESS_OK;
    }
    status = segment_open_anyway(image->directory, SEGMENT_CHECKPOINT, image->found.number,
                                 &segment, &verdict, error);
    if (status != SESS_OK) {
        return status;
    }
    status = reader_begin(&image->reader, &segment, error);
    if (status == SESS_OK) {
        image->found.size = image->reader.file_size;
        status = visit_frames(image, visitor, error);
    }
    file_close(&segment.file);
    return status;
}

/* Which one to read. */
static enum sess_status choose(struct image *image, const uint64_t *numbers, size_t n_numbers,
                               struct sess_error *error)
{
    struct inspected_checkpoint *found = &image->found;
    struct recovered loaded = {.checkpoint = 0};
    struct record end;
    enum sess_status status =
        checkpoint_load(image->directory, NULL, &image->reader, &end, &loaded, error);

    found->number = loaded.checkpoint;
    found->is_whole = status == SESS_OK;
    if (status == SESS_DAMAGED) {
        found->number = numbers[n_numbers - 1];
        status = SESS_OK;
    }
    if (status == SESS_OK && found->number == 0) {
        return error_set(error, SESS_NOT_FOUND, "a checkpoint went while data-dir was looked at");
    }
    for (size_t i = 0; i < n_numbers; i++) {
        found->n_newer += numbers[i] > found->number;
    }
    return status;
}

enum sess_status image_find(struct image *image, struct sess_error *error)
{
    struct island_visitor visitor = {.record = NULL};
    uint64_t *numbers = NULL;
    size_t n_numbers = 0;
    enum sess_status status =
        chain_list(image->directory, SEGMENT_CHECKPOINT, &numbers, &n_numbers, error);

    image->found = (struct inspected_checkpoint){.number = 0};
    image->end = (struct record){.deadline_s = STORE_NO_DEADLINE};
    image->time_s = 0;
    if (status == SESS_OK && n_numbers > 0) {
        status = choose(image, numbers, n_numbers, error);
        if (status == SESS_OK) {
            status = image_visit(image, &visitor, error);
        }
    }
    free(numbers);
    if (status != SESS_OK) {
        image_fini(image);
    }
    return status;
}

void image_fini(struct image *image)
{
    reader_fini(&image->reader);
}
