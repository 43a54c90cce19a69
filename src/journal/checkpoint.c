/* Checkpoints as files. Threads, memory: see the header. */
#include "checkpoint.h"

#include "chain.h"
#include "loader.h"
#include "writer.h"

#include "sessiond/base/failpoint.h"
#include "sessiond/store/walk.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    SLICE_BYTES = 16 << 10, /* told under one lock, about */
    FRAME_BYTES =
        32 << 10,         /* gathered for one write: a worker may wait so long for the processor */
    SYNC_BYTES = 1 << 20, /* written before they are synced: the journal's syncs wait behind it */
};

/* Under a shard's lock. */
static void add_entry(void *context, const struct store_image *image, struct value_block *block)
{
    struct checkpoint *self = context;
    struct record record = {
        .type = record_type_of(image->marks),
        .marks = image->marks,
        .key = image->key,
        .value = image->value,
        .flags = image->flags,
        .cas = image->cas,
        .deadline_s = image->deadline_s,
    };

    if (!batch_grow(self->batch, &record, &block)) {
        self->is_out_of_memory = true;
        return;
    }
    batch_add(self->batch, &record, block);
    self->n_entries++;
}

static enum sess_status write_frame(struct checkpoint *self, struct sess_error *error)
{
    struct placement placement = {
        .file = self->segment.file,
        .salt = self->segment.salt,
        .at = self->at,
        .sequence = self->sequence,
    };
    enum sess_status status;

    if (self->batch->facts.n_records == 0) {
        return SESS_OK;
    }
    self->at += frame_size(self->batch->facts.total);
    self->sequence++;
    status = writer_write(&placement, self->batch, 0, self->now_s, error);
    batch_clear(self->batch);
    failpoint("checkpoint.frame");
    if (status == SESS_OK && self->at - self->synced_to >= SYNC_BYTES) {
        self->synced_to = self->at;
        status = file_sync(&self->segment.file, error);
    }
    return status;
}

static enum sess_status write_entries(struct checkpoint *self, struct sess_error *error)
{
    struct store_walk walk = {.shard = 0};
    enum sess_status status = SESS_OK;
    bool has_more = true;

    while (status == SESS_OK && has_more) {
        has_more = store_walk_step(self->store, &walk, SLICE_BYTES, add_entry, self);
        if (self->is_out_of_memory) {
            status = error_set(error, SESS_NO_MEMORY, "no memory for a checkpoint");
        } else if (self->batch->facts.total >= FRAME_BYTES || !has_more) {
            status = write_frame(self, error);
        }
        if (status == SESS_OK && !self->rest(self->context)) {
            status = error_set(error, SESS_CLOSED, "the checkpoint was given up");
        }
    }
    return status;
}

enum sess_status checkpoint_write(struct checkpoint *checkpoint, struct sess_error *error)
{
    enum sess_status status;

    checkpoint->segment =
        (struct segment){.kind = SEGMENT_CHECKPOINT, .number = checkpoint->number};
    status = segment_begin(checkpoint->directory, checkpoint->now_s, &checkpoint->segment, error);
    if (status != SESS_OK) {
        return status;
    }
    checkpoint->at = SEGMENT_HEADER_SIZE;
    checkpoint->synced_to = 0;
    checkpoint->sequence = 1;
    checkpoint->n_entries = 0;
    checkpoint->is_out_of_memory = false;
    failpoint("checkpoint.begun");
    status = write_entries(checkpoint, error);
    batch_clear(checkpoint->batch);
    if (status != SESS_OK) {
        checkpoint_drop(checkpoint);
    }
    return status;
}

enum sess_status checkpoint_end(struct checkpoint *checkpoint, const struct record *end,
                                struct sess_error *error)
{
    struct record record = *end;
    struct frame frame = {.sequence = checkpoint->sequence, .time_s = checkpoint->now_s};

    record.type = RECORD_END;
    record.offset = checkpoint->n_entries;
    return writer_put_record(&checkpoint->segment, checkpoint->at, &frame, &record, &checkpoint->at,
                             error);
}

void checkpoint_drop(struct checkpoint *checkpoint)
{
    struct sess_error ignored;

    file_close(&checkpoint->segment.file);
    (void)!directory_remove(checkpoint->directory, checkpoint->segment.file.name, &ignored);
}

/* ---- reading ---- */

/* What is read of one. */
struct loading {
    struct loader loader; /* its store may be NULL: only look */
    struct recovered *found;
    struct record end; /* its type is END when it was met */
    uint64_t n_entries;
};

static enum sess_status load_record(struct loading *loading, const struct record *record)
{
    if (record->type == RECORD_END) {
        loading->end = *record;
        return SESS_OK;
    }
    if (!record_is_state(record) || loading->end.type == RECORD_END) {
        return SESS_DAMAGED;
    }
    loading->n_entries++;
    return loader_add(&loading->loader, record);
}

static void note_frame(struct loading *loading, const struct frame *frame)
{
    struct recovered *found = loading->found;

    if (frame->time_s > found->time_s) {
        found->time_s = frame->time_s;
    }
    if (found->since_s == 0) {
        found->since_s = frame->time_s;
    }
    found->image_bytes += frame_size(frame->body_size);
}

static enum sess_status damaged(const struct reader *reader, struct sess_error *error)
{
    return error_set(error, SESS_DAMAGED, "%s, offset %" PRIu64 ": is damaged",
                     reader->segment->file.name, reader->at);
}

/* returns  OK | DAMAGED | REFUSED | NO_MEMORY */
static enum sess_status load_frame(struct loading *loading, const struct reader *reader,
                                   const struct frame_read *read, struct sess_error *error)
{
    struct slice rest = read->body;
    enum sess_status status = SESS_OK;

    note_frame(loading, &read->frame);
    for (uint32_t i = 0; status == SESS_OK && i < read->frame.n_records; i++) {
        struct record record;
        size_t used;

        status = record_decode(rest, &record, &used);
        if (status == SESS_REFUSED) {
            return reader_refuse(reader, read, rest, error);
        }
        if (status == SESS_OK) {
            status = load_record(loading, &record);
            rest = slice_from(rest, used);
        }
    }
    if (status == SESS_OK) {
        status = loader_apply(&loading->loader);
    }
    return status == SESS_DAMAGED ? damaged(reader, error) : status;
}

/* returns  OK | DAMAGED | REFUSED | NO_MEMORY | IO */
static enum sess_status load_frames(struct loading *loading, struct reader *reader,
                                    struct sess_error *error)
{
    struct frame_read read;
    uint64_t sequence = 1;
    enum sess_status status = SESS_OK;

    while (status == SESS_OK && loading->end.type != RECORD_END) {
        uint64_t at = reader->at;

        status = reader_next(reader, UINT64_MAX, &read, error);
        if (status == SESS_NOT_FOUND ||
            (status == SESS_OK && (read.frame.sequence != sequence++ || read.at != at))) {
            return damaged(reader, error);
        }
        if (status == SESS_OK) {
            status = load_frame(loading, reader, &read, error);
            reader_tell(reader, at, reader->at, reader->file_size);
            failpoint("recovery.image");
        }
    }
    if (status == SESS_OK && loading->end.offset != loading->n_entries) {
        return damaged(reader, error);
    }
    return status;
}

/* How many entries are to come: what is told at the end of the file, as far as it can be read. Whether it is true
 * is seen when all is read; more than the file has room for would only fill the memory. */
static enum sess_status expect_entries(struct loading *loading, struct reader *reader,
                                       struct sess_error *error)
{
    uint64_t size = frame_size(record_size(RECORD_END));
    uint64_t at = reader->file_size > size ? reader->file_size - size : 0;
    struct record end = {.offset = 0};
    struct frame_read read;
    enum sess_status status =
        loading->loader.store == NULL ? SESS_NOT_FOUND : reader_search(reader, &at, &read, error);

    if (status == SESS_OK && reader_lone(&read, RECORD_END, &end)) {
        uint64_t most = reader->file_size / (record_size(RECORD_SET) + 1);

        store_fill(loading->loader.store, end.offset < most ? end.offset : most);
    }
    return status == SESS_NOT_FOUND ? SESS_OK : status;
}

static enum sess_status load_one(struct directory *directory, uint64_t number,
                                 struct loading *loading, struct reader *reader,
                                 struct sess_error *error)
{
    struct segment segment;
    enum sess_status status = segment_open(directory, SEGMENT_CHECKPOINT, number, &segment, error);

    if (status != SESS_OK) {
        return status;
    }
    status = reader_begin(reader, &segment, error);
    if (status == SESS_OK) {
        status = expect_entries(loading, reader, error);
    }
    if (status == SESS_OK) {
        status = load_frames(loading, reader, error);
    }
    if (status == SESS_NO_MEMORY) {
        status = error_set(error, SESS_OUT_OF_RANGE,
                           "the sessions on disk do not fit memory: it was full after %" PRIu64
                           " of %" PRIu64 " MiB of %s; raise memory (nothing was changed)",
                           reader->at >> 20, reader->file_size >> 20, segment.file.name);
    }
    file_close(&segment.file);
    return status;
}

/* Of one that turned out to be damaged nothing stays. */
static enum sess_status forget(struct store *store)
{
    struct store_image flush = {.kind = IMAGE_FLUSH};

    return store == NULL ? SESS_OK : store_apply(store, &flush, 1);
}

enum sess_status checkpoint_load(struct directory *directory, struct store *store,
                                 struct reader *reader, struct record *end, struct recovered *found,
                                 struct sess_error *error)
{
    uint64_t *numbers = NULL;
    size_t n_left = 0;
    enum sess_status status = chain_list(directory, SEGMENT_CHECKPOINT, &numbers, &n_left, error);
    bool is_found = false;

    *end = (struct record){.deadline_s = STORE_NO_DEADLINE};
    found->checkpoint = 0;
    while (status == SESS_OK && !is_found && n_left > 0) {
        struct loading loading = {.loader.store = store, .found = found};

        found->checkpoint = numbers[--n_left];
        status = load_one(directory, found->checkpoint, &loading, reader, error);
        is_found = status == SESS_OK;
        if (is_found) {
            *end = loading.end;
        } else if (status == SESS_DAMAGED && n_left > 0) {
            found->image_bytes = 0;
            found->since_s = 0;
            status = forget(store);
        }
    }
    free(numbers);
    return status;
}

enum sess_status checkpoint_remove_others(struct directory *directory, uint64_t number,
                                          struct sess_error *error)
{
    uint64_t *numbers = NULL;
    size_t n_numbers = 0;
    enum sess_status status =
        chain_list(directory, SEGMENT_CHECKPOINT, &numbers, &n_numbers, error);

    for (size_t i = 0; status == SESS_OK && i < n_numbers; i++) {
        char name[FILE_NAME_SIZE];

        if (numbers[i] != number) {
            segment_name(SEGMENT_CHECKPOINT, numbers[i], name);
            status = directory_remove(directory, name, error);
        }
    }
    free(numbers);
    return status;
}
