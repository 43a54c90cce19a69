/* Replaying a chain. Threads, memory: see the header. */
#include "replay.h"

#include "checkpoint.h"

#include "sessiond/base/failpoint.h"
#include "sessiond/store/image.h"
#include "sessiond/store/terms.h"

#include <inttypes.h>

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static enum sess_status damaged(uint64_t number, uint64_t offset, const char *what,
                                struct sess_error *error)
{
    char name[FILE_NAME_SIZE];

    segment_name(SEGMENT_JOURNAL, number, name);
    return error_set(error, SESS_DAMAGED, "%s, offset %" PRIu64 ": %s", name, offset, what);
}

enum sess_status replay_apply(struct replay *replay, const struct record *record)
{
    struct recovered *result = &replay->result;

    result->highest_cas = later(result->highest_cas, record_highest_cas(record));
    if (record->type == RECORD_LINK) {
        return SESS_OK;
    }
    result->n_records++;
    if (record->type == RECORD_CLOCK) {
        result->time_s = record->time_s;
    }
    if (record->type == RECORD_FLUSH) {
        result->flush_at_s = record->is_scheduled ? record->deadline_s : STORE_NO_DEADLINE;
        if (record->is_scheduled) {
            return SESS_OK;
        }
    }
    return loader_add(&replay->loader, record);
}

/* How much there is to store cannot be known before it is; what was read so far gives a measure. */
static enum sess_status tell_too_little(const struct replay *replay, struct sess_error *error)
{
    uint64_t share = replay->result.n_bytes * 100 / later(replay->chain->bytes, 1);

    return error_set(error, SESS_OUT_OF_RANGE,
                     "the sessions on disk do not fit memory: it was full after %" PRIu64
                     " %% of the journal; raise memory (nothing was changed)",
                     share);
}

static enum sess_status apply_frame(struct replay *replay, uint64_t number,
                                    const struct frame_read *read, struct sess_error *error)
{
    struct slice rest = read->body;

    if (read->frame.time_s > replay->result.time_s) {
        replay->result.time_s = read->frame.time_s;
    }
    for (uint32_t i = 0; i < read->frame.n_records; i++) {
        struct record record;
        size_t used;
        enum sess_status status = record_decode(rest, &record, &used);

        if (status == SESS_REFUSED) {
            return reader_refuse(replay->reader, read, rest, error);
        }
        if (status != SESS_OK || record.type == RECORD_SEAL || record.type == RECORD_END) {
            return damaged(number, read->at, "a record that has no place here", error);
        }
        if (replay_apply(replay, &record) != SESS_OK) {
            return tell_too_little(replay, error);
        }
        rest = slice_from(rest, used);
    }
    return loader_apply(&replay->loader) == SESS_OK ? SESS_OK : tell_too_little(replay, error);
}

static void count_frame(struct replay *replay, const struct frame_read *read)
{
    struct recovered *result = &replay->result;
    uint64_t before = result->n_bytes;

    result->n_frames++;
    result->n_bytes += frame_size(read->frame.body_size);
    result->highest_sequence = later(result->highest_sequence, read->frame.sequence);
    if (result->since_s == 0) {
        result->since_s = read->frame.time_s;
    }
    replay->durable = later(replay->durable, read->frame.durable);
    replay->next_sequence = read->frame.sequence + 1;
    reader_tell(replay->reader, before, result->n_bytes, replay->chain->bytes);
}

/* Its changes and its time are not wanted: they are in the checkpoint, or behind the end. */
static void note_frame(struct replay *replay, const struct frame_read *read)
{
    struct recovered *result = &replay->result;
    struct slice rest = read->body;

    result->highest_sequence = later(result->highest_sequence, read->frame.sequence);
    for (uint32_t i = 0; i < read->frame.n_records; i++) {
        struct record record;
        size_t used;

        if (record_decode(rest, &record, &used) != SESS_OK) {
            return;
        }
        result->highest_cas = later(result->highest_cas, record_highest_cas(&record));
        rest = slice_from(rest, used);
    }
}

/* Apply the reader's segment up to `limit`. *is_sealed tells how it ended. */
static enum sess_status replay_segment(struct replay *replay, uint64_t number, uint64_t limit,
                                       bool *is_sealed, struct sess_error *error)
{
    struct frame_read read;
    struct record seal;
    enum sess_status status = SESS_OK;

    *is_sealed = false;
    while (status == SESS_OK && replay->reader->at < limit) {
        status = reader_next(replay->reader, limit, &read, error);
        if (status == SESS_OK && reader_lone(&read, RECORD_SEAL, &seal)) {
            replay->reader->at = read.at;
            *is_sealed = true;
            return SESS_OK;
        }
        if (status == SESS_OK) {
            count_frame(replay, &read);
            if (read.frame.sequence < replay->image.sequence) {
                note_frame(replay, &read);
            } else {
                status = apply_frame(replay, number, &read, error);
            }
        }
        failpoint("recovery.frame");
    }
    return status == SESS_NOT_FOUND ? SESS_OK : status;
}

/* Look through what lies behind the end: a frame there with a mark beyond the end proves that what is
 * missing had been synced. */
static enum sess_status search_marks(struct replay *replay, uint64_t from, bool *is_damage,
                                     struct sess_error *error)
{
    struct frame_read read;
    uint64_t at = from;
    enum sess_status status;

    while ((status = reader_search(replay->reader, &at, &read, error)) == SESS_OK) {
        note_frame(replay, &read);
        *is_damage = *is_damage || read.frame.durable >= replay->next_sequence;
    }
    if (replay->reader->dirty_to > from) {
        replay->result.n_cut += replay->reader->dirty_to - from;
    }
    return status == SESS_NOT_FOUND ? SESS_OK : status;
}

static enum sess_status begin(struct replay *replay, uint64_t number, struct segment *segment,
                              struct sess_error *error)
{
    enum sess_status status =
        segment_open(replay->directory, SEGMENT_JOURNAL, number, segment, error);

    if (status == SESS_OK) {
        status = reader_begin(replay->reader, segment, error);
        if (status != SESS_OK) {
            file_close(&segment->file);
        }
    }
    return status;
}

static enum sess_status search_segment(struct replay *replay, uint64_t number, uint64_t from,
                                       bool *is_damage, struct sess_error *error)
{
    struct segment segment;
    enum sess_status status = begin(replay, number, &segment, error);

    if (status == SESS_OK) {
        status = search_marks(replay, from, is_damage, error);
        file_close(&segment.file);
    }
    return status;
}

/* The frames end at `offset` of this segment: is the rest a tail that nobody was promised? */
static enum sess_status judge_end(struct replay *replay, const struct chain_item *item,
                                  uint64_t offset, struct sess_error *error)
{
    bool is_damage = false;
    enum sess_status status = search_segment(replay, item->number, offset, &is_damage, error);

    for (size_t i = 0; status == SESS_OK && i < replay->chain->n_items; i++) {
        if (replay->chain->items[i].number > item->number) {
            status = search_segment(replay, replay->chain->items[i].number, SEGMENT_HEADER_SIZE,
                                    &is_damage, error);
        }
    }
    if (status == SESS_OK && is_damage) {
        status = damaged(item->number, offset,
                         "what is written here was acknowledged, and is damaged or missing", error);
    }
    replay->result.cut_segment = replay->result.n_cut > 0 ? item->number : 0;
    replay->result.cut_offset = offset;
    return status;
}

/* One segment. *next is NULL when the journal ends in it. */
static enum sess_status replay_item(struct replay *replay, struct chain_item *item,
                                    struct chain_item **next, struct sess_error *error)
{
    struct chain_item *successor = chain_successor(replay->chain, item);
    uint64_t limit = successor == NULL ? UINT64_MAX : successor->link.offset;
    struct segment segment;
    bool is_sealed;
    uint64_t end;
    enum sess_status status = begin(replay, item->number, &segment, error);

    if (status != SESS_OK) {
        return status;
    }
    replay->last = item;
    replay->result.n_segments++;
    status = replay_segment(replay, item->number, limit, &is_sealed, error);
    file_close(&segment.file);
    end = replay->reader->at;
    replay->end = end;
    *next = NULL;
    if (status != SESS_OK) {
        return status;
    }
    if (successor != NULL && end == limit && replay->next_sequence == successor->link.sequence &&
        successor->first_sequence >= replay->next_sequence) {
        *next = successor;
        return SESS_OK;
    }
    if (is_sealed) {
        return damaged(item->number, end, "the journal file that follows is missing or damaged",
                       error);
    }
    return judge_end(replay, item, end, error);
}

static enum sess_status missing(uint64_t number, struct sess_error *error)
{
    char name[FILE_NAME_SIZE];

    segment_name(SEGMENT_JOURNAL, number, name);
    return error_set(error, SESS_DAMAGED, "%s is missing", name);
}

/* Where the journal is read from: its begin, or where the checkpoint says. */
static enum sess_status find_first(struct replay *replay, struct sess_error *error)
{
    const struct chain *chain = replay->chain;
    struct chain_item *first = chain->items;

    if (replay->image.segment == 0) {
        if (chain->n_items > 0 && !first->has_link) {
            return damaged(first->number, SEGMENT_HEADER_SIZE, "its first frame is damaged", error);
        }
        if (chain->n_items > 0 && first->link.segment != 0) {
            return missing(first->link.segment, error);
        }
        replay->first = chain->n_items == 0 ? NULL : first;
        return SESS_OK;
    }
    for (size_t i = 0; i < chain->n_items; i++) {
        if (chain->items[i].number == replay->image.segment) {
            replay->first = &chain->items[i];
            return replay->first->has_link ? SESS_OK
                                           : damaged(replay->first->number, SEGMENT_HEADER_SIZE,
                                                     "its first frame is damaged", error);
        }
    }
    return missing(replay->image.segment, error);
}

/* The image may hold what the journal says up to there: a journal that ends before would leave out what ended
 * sessions. */
static enum sess_status check_reach(const struct replay *replay, struct sess_error *error)
{
    if (replay->next_sequence > replay->image.last) {
        return SESS_OK;
    }
    return damaged(replay->last->number, replay->end, "the journal ends before its checkpoint does",
                   error);
}

enum sess_status replay_run(struct replay *replay, struct sess_error *error)
{
    struct chain_item *item;
    enum sess_status status;

    replay->result = (struct recovered){.flush_at_s = STORE_NO_DEADLINE};
    replay->loader.store = replay->store;
    replay->loader.n_images = 0;
    if (replay->store != NULL) {
        store_fill(replay->store, 0);
    }
    replay->durable = 0;
    replay->next_sequence = 1;
    replay->first = NULL;
    replay->last = NULL;
    status = checkpoint_load(replay->directory, replay->store, replay->reader, &replay->image,
                             &replay->result, error);
    if (status == SESS_OK) {
        replay->result.n_images = replay->image.offset;
        replay->result.flush_at_s = replay->image.deadline_s;
        replay->result.highest_cas = replay->image.cas;
        replay->result.highest_sequence = replay->image.last;
        status = find_first(replay, error);
    }
    item = replay->first;
    while (status == SESS_OK && item != NULL) {
        status = replay_item(replay, item, &item, error);
    }
    return status == SESS_OK && replay->first != NULL ? check_reach(replay, error) : status;
}
