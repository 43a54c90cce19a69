/* A small journal, written in memory by the journal's own writer, and what must come out of each part of it.
 *
 * Not the threads (journal.c): the test says when a batch is written, synced, sealed. Failures of the
 * fixture itself end the test. */
#ifndef SESSIOND_TESTS_UNIT_JOURNAL_WRITTEN_JOURNAL_H
#define SESSIOND_TESTS_UNIT_JOURNAL_WRITTEN_JOURNAL_H

#include "chain.h"
#include "recovery.h"
#include "sessiond/store/image.h"
#include "writer.h"

#include "memory_directory.h"
#include "store_fixture.h"
#include "suite_main.h"
#include "test_random.h"

#include <stdlib.h>

enum {
    WRITTEN_KEYS = 6,
    WRITTEN_VALUE_MAX = 40,
    WRITTEN_FRAMES_MAX = 96,
    WRITTEN_SEGMENT = 4 * FRAME_BLOCK + SEGMENT_SEAL_ROOM, /* header, link, two blocks of frames */
    WRITTEN_BATCH = 1500,
    WRITTEN_LIFE_S = 10000, /* deadlines lie this far behind the fixture's time, and more */
};

struct written_key {
    bool is_there;
    size_t size; /* of its value, all bytes `fill` */
    uint8_t fill;
    uint32_t flags;
    uint64_t cas;
    int64_t deadline_s;
};

struct written_state {
    struct written_key keys[WRITTEN_KEYS];
    int64_t flush_at_s;
};

struct written_frame {
    uint64_t segment;
    uint64_t at;
    uint64_t size; /* bytes, without what fills it up to a multiple of 8 */
    uint64_t sequence;
    uint64_t durable;
    bool is_link;
    bool is_seal;
    struct written_state after;
};

struct written {
    struct memory_directory *memory;
    struct directory *directory;
    struct writer writer;
    bool has_writer;
    struct batch batch;
    uint64_t durable; /* the mark that frames carry */
    uint64_t cas;
    struct written_state state;
    struct reader reader;
    struct recovered found;
    struct written_frame
        frames[WRITTEN_FRAMES_MAX]; /* in order; a seal behind its segment's last */
    size_t n_frames;
    struct sess_error error;
};

static inline void written_name_key(unsigned key, char *out)
{
    memcpy(out, "key-?", 6);
    out[4] = (char)('0' + key);
}

/* Recover what the directory holds, with or without a store. */
static inline enum sess_status written_recover(struct written *written, struct store *store)
{
    struct recovery recovery = {
        .directory = written->directory,
        .store = store,
        .now_s = FIXTURE_NOW_S,
        .segment_size = 4 * FRAME_BLOCK,
    };
    enum sess_status status =
        recovery_run(&recovery, &written->writer, &written->found, &written->error);

    written->has_writer = status == SESS_OK;
    written->durable = written->has_writer ? written->writer.next_sequence - 1 : 0;
    return status;
}

static inline void written_stop(struct written *written)
{
    if (written->has_writer) {
        writer_fini(&written->writer);
        written->has_writer = false;
    }
}

static inline void written_prepare(struct written *written)
{
    *written = (struct written){.cas = 1, .state.flush_at_s = STORE_NO_DEADLINE};
    written->memory = memory_directory_create();
    ck_assert_ptr_nonnull(written->memory);
    written->directory = memory_directory_base(written->memory);
    ck_assert_int_eq(batch_init(&written->batch, WRITTEN_BATCH), SESS_OK);
}

/* An empty directory, and the first start in it. */
static inline void written_begin(struct written *written)
{
    written_prepare(written);
    ck_assert_int_eq(written_recover(written, NULL), SESS_OK);
}

static inline void written_end(struct written *written)
{
    written_stop(written);
    reader_fini(&written->reader);
    batch_fini(&written->batch);
    directory_destroy(&written->directory);
}

/* What a record does to a state. */
static inline void written_apply(struct written_state *state, const struct record *record)
{
    struct written_key *key =
        record->key.size == 0 ? NULL : &state->keys[record->key.data[4] - '0'];

    switch (record->type) {
    case RECORD_SET:
        *key = (struct written_key){.is_there = true,
                                    .size = record->value.size,
                                    .fill = record->value.size > 0 ? record->value.data[0] : 0,
                                    .flags = record->flags,
                                    .cas = record->cas,
                                    .deadline_s = record->deadline_s};
        break;
    case RECORD_TOUCH:
        key->deadline_s = record->deadline_s;
        break;
    case RECORD_DELETE:
        key->is_there = false;
        break;
    case RECORD_FLUSH:
        state->flush_at_s = record->is_scheduled ? record->deadline_s : STORE_NO_DEADLINE;
        for (size_t i = 0; !record->is_scheduled && i < WRITTEN_KEYS; i++) {
            state->keys[i].is_there = false;
        }
        break;
    default:
        break;
    }
}

static inline void written_add(struct written *written, const struct record *record)
{
    ck_assert_uint_gt(batch_size_with(&written->batch, record, NULL), 0);
    batch_add(&written->batch, record, NULL);
    written_apply(&written->state, record);
}

static inline void written_set(struct written *written, unsigned key, size_t size,
                               int64_t deadline_s)
{
    uint8_t value[WRITTEN_VALUE_MAX];
    char name[8];
    struct record record = {.type = RECORD_SET,
                            .key = slice_of(name, 5),
                            .value = slice_of(value, size),
                            .flags = (uint32_t)written->cas * 3,
                            .cas = written->cas++,
                            .deadline_s = deadline_s};

    written_name_key(key, name);
    memset(value, (int)('a' + written->cas % 26), sizeof value);
    written_add(written, &record);
}

/* A record without a value. */
static inline void written_change(struct written *written, enum record_type type, unsigned key,
                                  int64_t deadline_s)
{
    char name[8];
    struct record record = {.type = type, .key = slice_of(name, 5), .deadline_s = deadline_s};

    written_name_key(key, name);
    if (type == RECORD_FLUSH) {
        record.key = slice_of(NULL, 0);
        record.is_scheduled = deadline_s > FIXTURE_NOW_S;
    }
    written_add(written, &record);
}

/* Write the batch as a frame; one without records is a mark. */
static inline void written_commit(struct written *written)
{
    struct placement placement;

    ck_assert_int_ne(writer_room(&written->writer, written->batch.facts.total), ROOM_NOT_YET);
    writer_place(&written->writer, written->batch.facts.total, &placement);
    ck_assert_int_eq(
        writer_write(&placement, &written->batch, written->durable, FIXTURE_NOW_S, &written->error),
        SESS_OK);
    batch_clear(&written->batch);
}

/* What is written was synced. */
static inline void written_sync(struct written *written)
{
    written->durable = written->writer.next_sequence - 1;
    written->writer.must_align = true;
}

/* A sync, and the mark behind it, which was synced too. */
static inline void written_mark(struct written *written)
{
    written_sync(written);
    written_commit(written);
    written->writer.must_align = true;
}

static inline enum sess_status begin_segment(struct directory *directory, uint64_t number,
                                             uint64_t size, int64_t now_s, struct segment *out,
                                             struct sess_error *error)
{
    *out = (struct segment){.number = number, .size = size};
    return segment_begin(directory, now_s, out, error);
}

/* Make the next segment ahead. */
static inline void written_make_next(struct written *written)
{
    struct writer *writer = &written->writer;

    ck_assert_int_eq(begin_segment(written->directory, writer->next_number++, WRITTEN_SEGMENT,
                                   FIXTURE_NOW_S, &writer->next, &written->error),
                     SESS_OK);
    ck_assert_int_eq(segment_finish(&writer->next, &written->error), SESS_OK);
    writer->has_next = true;
}

/* Sync and seal the segment that was left. */
static inline void written_seal(struct written *written)
{
    struct writer *writer = &written->writer;

    ck_assert(writer->has_previous);
    written_sync(written);
    ck_assert_int_eq(writer_seal(&writer->previous, &writer->link, writer->current.number,
                                 FIXTURE_NOW_S, &written->error),
                     SESS_OK);
    file_close(&writer->previous.file);
    writer->has_previous = false;
}

/* Some records of all kinds. */
static inline void written_fill(struct written *written, struct test_random *random)
{
    size_t n = 1 + test_random_below(random, 3);

    for (size_t i = 0; i < n; i++) {
        unsigned key = (unsigned)test_random_below(random, WRITTEN_KEYS);
        int64_t deadline_s =
            FIXTURE_NOW_S + WRITTEN_LIFE_S + (int64_t)test_random_below(random, 1000) * 10;

        if (!written->state.keys[key].is_there || test_random_below(random, 2) == 0) {
            written_set(written, key, test_random_below(random, WRITTEN_VALUE_MAX + 1),
                        test_random_below(random, 4) == 0 ? STORE_NO_DEADLINE : deadline_s);
        } else if (test_random_below(random, 3) > 0) {
            written_change(written, RECORD_TOUCH, key, deadline_s);
        } else if (test_random_below(random, 8) > 0) {
            written_change(written, RECORD_DELETE, key, 0);
        } else {
            written_change(written, RECORD_FLUSH, 0, 0);
        }
    }
}

static inline void written_note(struct written *written, uint64_t segment,
                                const struct frame_read *read, struct written_state *state)
{
    struct written_frame *frame = &written->frames[written->n_frames++];
    struct slice rest = read->body;

    ck_assert_uint_le(written->n_frames, WRITTEN_FRAMES_MAX);
    *frame = (struct written_frame){.segment = segment,
                                    .at = read->at,
                                    .size = FRAME_HEAD_SIZE + read->frame.body_size,
                                    .sequence = read->frame.sequence,
                                    .durable = read->frame.durable};
    for (uint32_t i = 0; i < read->frame.n_records; i++) {
        struct record record;
        size_t used;

        ck_assert_int_eq(record_decode(rest, &record, &used), SESS_OK);
        written_apply(state, &record);
        frame->is_link = frame->is_link || record.type == RECORD_LINK;
        frame->is_seal = frame->is_seal || record.type == RECORD_SEAL;
        rest = slice_from(rest, used);
    }
    frame->after = *state;
}

/* The frames of one segment, with its seal if it has one. */
static inline void written_survey_segment(struct written *written, struct chain *chain,
                                          const struct chain_item *item,
                                          struct written_state *state)
{
    const struct chain_item *next = chain_successor(chain, item);
    uint64_t limit = next == NULL ? UINT64_MAX : next->link.offset;
    struct segment segment;
    struct frame_read read;

    ck_assert_int_eq(
        segment_open(written->directory, SEGMENT_JOURNAL, item->number, &segment, &written->error),
        SESS_OK);
    ck_assert_int_eq(reader_begin(&written->reader, &segment, &written->error), SESS_OK);
    while (written->reader.at < limit &&
           reader_next(&written->reader, limit, &read, &written->error) == SESS_OK) {
        written_note(written, item->number, &read, state);
    }
    if (next != NULL) {
        written->reader.sequence = 0;
        if (reader_next(&written->reader, UINT64_MAX, &read, &written->error) == SESS_OK) {
            written_note(written, item->number, &read, state);
            ck_assert(written->frames[written->n_frames - 1].is_seal);
        }
    }
    file_close(&segment.file);
}

/* List all frames that are in the files, and the states after each. */
static inline void written_survey(struct written *written)
{
    struct written_state state = {.flush_at_s = STORE_NO_DEADLINE};
    struct chain chain;

    written->n_frames = 0;
    ck_assert_int_eq(chain_load(&chain, written->directory, &written->reader, &written->error),
                     SESS_OK);
    for (struct chain_item *item = chain.items; item != NULL;
         item = chain_successor(&chain, item)) {
        written_survey_segment(written, &chain, item, &state);
    }
    chain_fini(&chain);
    ck_assert_mem_eq(&state, &written->state, sizeof state);
}

static inline int written_compare_times(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;

    return first < second ? -1 : first > second;
}

static inline struct seen written_look(struct store_fixture *fixture, unsigned key, int64_t now_s)
{
    char name[8];

    written_name_key(key, name);
    fixture->now_s = now_s;
    return fixture_look(fixture, name);
}

static inline void written_check_key(struct store_fixture *fixture, unsigned number,
                                     const struct written_key *key)
{
    struct seen seen = written_look(fixture, number, FIXTURE_NOW_S);
    char value[WRITTEN_VALUE_MAX];

    HOT_ASSERT((seen.status == SESS_OK) == key->is_there);
    if (key->is_there) {
        memset(value, key->fill, sizeof value);
        HOT_ASSERT(seen.size == key->size && memcmp(seen.value, value, key->size) == 0);
        HOT_ASSERT(seen.flags == key->flags && seen.cas == key->cas);
    }
}

/* Whether a store, into which something was recovered, holds exactly this. It is begun, and its time goes
 * on to the last deadline. */
static inline void written_check(struct store_fixture *fixture, const struct written_state *state)
{
    int64_t times[WRITTEN_KEYS];
    size_t n_times = 0;

    store_begin(fixture->store, FIXTURE_NOW_S, (uint64_t)1 << 40, STORE_NO_DEADLINE);
    for (unsigned i = 0; i < WRITTEN_KEYS; i++) {
        written_check_key(fixture, i, &state->keys[i]);
        if (state->keys[i].is_there && state->keys[i].deadline_s != STORE_NO_DEADLINE) {
            times[n_times++] = state->keys[i].deadline_s;
        }
    }
    qsort(times, n_times, sizeof *times, written_compare_times);
    for (size_t t = 0; t < 2 * n_times; t++) {
        int64_t now_s = times[t / 2] - (t % 2 == 0);

        /* The store's time does not go back. */
        if (t >= 2 && times[t / 2] == times[t / 2 - 1]) {
            continue;
        }
        for (unsigned i = 0; i < WRITTEN_KEYS; i++) {
            HOT_ASSERT((written_look(fixture, i, now_s).status == SESS_OK) ==
                       (state->keys[i].is_there && state->keys[i].deadline_s > now_s));
        }
    }
    fixture->now_s = FIXTURE_NOW_S;
}

#endif
