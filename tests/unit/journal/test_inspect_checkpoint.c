/* Unit tests of the inspection of directories with checkpoints: whole, damaged, and ahead of the journal.
 *
 * The image is that of a later frame than the journal is read from, as one that was taken in use. */
#include "inspected_journal.h"

enum { FLUSH_BEHIND_S = 50, CAS_JUMP = 1 << 30 };

/* A checkpoint: the frames, by index, that it says the journal is to be read from, and has to reach. */
struct image_at {
    uint64_t number;
    size_t from;
    uint64_t from_sequence; /* 0: that of the frame */
    size_t last;
};

static void put_entry(struct written *written, struct placement *placement, unsigned number,
                      const struct written_key *key)
{
    uint8_t value[WRITTEN_VALUE_MAX];
    char name[8];
    struct record record = {.type = RECORD_SET,
                            .key = slice_of(name, 5),
                            .value = slice_of(value, key->size),
                            .flags = key->flags,
                            .cas = key->cas,
                            .deadline_s = key->deadline_s};
    uint64_t size;

    written_name_key(number, name);
    memset(value, key->fill, sizeof value);
    batch_add(&written->batch, &record, NULL);
    size = frame_size(written->batch.facts.total);
    ck_assert_int_eq(writer_write(placement, &written->batch, 0, FIXTURE_NOW_S, &written->error),
                     SESS_OK);
    batch_clear(&written->batch);
    placement->at += size;
    placement->sequence++;
}

/* A frame for each entry, and the END. */
static void put_image(struct written *written, const struct image_at *image)
{
    const struct written_state *state = &written->frames[image->last].after;
    const struct written_frame *from = &written->frames[image->from];
    struct segment segment = {.kind = SEGMENT_CHECKPOINT, .number = image->number};
    struct placement placement;
    struct frame frame = {.time_s = FIXTURE_NOW_S};
    struct record end = {.type = RECORD_END,
                         .segment = from->segment,
                         .sequence =
                             image->from_sequence == 0 ? from->sequence : image->from_sequence,
                         .last = written->frames[image->last].sequence,
                         .cas = written->cas + CAS_JUMP,
                         .deadline_s = FIXTURE_NOW_S + FLUSH_BEHIND_S};
    uint64_t at;

    ck_assert_int_eq(segment_begin(written->directory, FIXTURE_NOW_S, &segment, &written->error),
                     SESS_OK);
    placement = (struct placement){
        .file = segment.file, .salt = segment.salt, .at = SEGMENT_HEADER_SIZE, .sequence = 1};
    for (unsigned i = 0; i < WRITTEN_KEYS; i++) {
        if (state->keys[i].is_there) {
            put_entry(written, &placement, i, &state->keys[i]);
            end.offset++;
        }
    }
    frame.sequence = placement.sequence;
    ck_assert_int_eq(writer_put_record(&segment, placement.at, &frame, &end, &at, &written->error),
                     SESS_OK);
    ck_assert_int_eq(segment_finish(&segment, &written->error), SESS_OK);
    file_close(&segment.file);
}

static uint8_t *image_bytes(struct written *written, uint64_t number, size_t *size)
{
    char name[FILE_NAME_SIZE];

    segment_name(SEGMENT_CHECKPOINT, number, name);
    return (uint8_t *)(uintptr_t)memory_directory_bytes(written->memory, name, size);
}

static void remove_segment(struct written *written, uint64_t number)
{
    char name[FILE_NAME_SIZE];

    segment_name(SEGMENT_JOURNAL, number, name);
    ck_assert_int_eq(directory_remove(written->directory, name, &written->error), SESS_OK);
}

/* The index of a segment's first frame. */
static size_t first_of(const struct written *written, uint64_t segment)
{
    size_t i = 0;

    while (written->frames[i].segment != segment) {
        i++;
    }
    return i;
}

/* Frames from an index on, without seals. */
static size_t count_from(const struct written *written, size_t from)
{
    size_t n = 0;

    for (size_t i = from; i < written->n_frames; i++) {
        n += !written->frames[i].is_seal;
    }
    return n;
}

/* What must be told when journal frame `lost` is not whole. */
struct expected {
    struct written_state state;
    bool is_certain[WRITTEN_KEYS];
    bool is_damaged;
    bool has_gap;
};

static void apply_frame(struct written *written, size_t number, bool is_certain,
                        struct expected *expected)
{
    const struct written_frame *frame = &written->frames[number];
    struct slice rest =
        slice_of(inspected_bytes(written, frame->segment) + frame->at + FRAME_HEAD_SIZE,
                 frame->size - FRAME_HEAD_SIZE);

    while (rest.size > 0) {
        struct record record;
        size_t used;

        ck_assert_int_eq(record_decode(rest, &record, &used), SESS_OK);
        written_apply(&expected->state, &record);
        if (record.type == RECORD_SET) {
            expected->is_certain[record.key.data[4] - '0'] = is_certain;
        }
        rest = slice_from(rest, used);
    }
}

static bool is_acknowledged(const struct written *written, const struct image_at *image,
                            size_t lost)
{
    const struct written_frame *frames = written->frames;
    bool is_told = lost <= image->last;

    for (size_t i = lost + 1; i < written->n_frames; i++) {
        is_told = is_told || frames[i].durable >= frames[lost].sequence;
    }
    /* Of a seal the link behind it tells all. */
    return is_told && !frames[lost].is_seal;
}

static void expect(struct written *written, const struct image_at *image, size_t lost,
                   struct expected *expected)
{
    bool is_seal = written->frames[lost].is_seal;

    *expected = (struct expected){.state = written->frames[image->last].after,
                                  .is_damaged = is_acknowledged(written, image, lost)};
    expected->has_gap = expected->is_damaged && lost >= image->from;
    for (size_t i = 0; i < WRITTEN_KEYS; i++) {
        expected->is_certain[i] = !expected->has_gap;
    }
    for (size_t i = image->from; i < written->n_frames; i++) {
        if (expected->is_damaged || is_seal ? i != lost : i < lost) {
            apply_frame(written, i, !expected->has_gap || i > lost, expected);
        }
    }
}

static void compare(const struct expected *expected, const struct inspection *found,
                    const struct inspected_told *told)
{
    HOT_ASSERT(found->is_damaged == expected->is_damaged);
    HOT_ASSERT(found->n_gaps == expected->has_gap);
    for (size_t i = 0; i < WRITTEN_KEYS; i++) {
        const struct written_key *wanted = &expected->state.keys[i];
        const struct written_key *key = &told->state.keys[i];

        HOT_ASSERT(key->is_there == wanted->is_there);
        if (wanted->is_there) {
            HOT_ASSERT(key->size == wanted->size && key->fill == wanted->fill);
            HOT_ASSERT(key->flags == wanted->flags && key->cas == wanted->cas);
            HOT_ASSERT(key->deadline_s == wanted->deadline_s);
            HOT_ASSERT(told->is_certain[i] == expected->is_certain[i]);
        }
    }
}

/* Each frame of what is there of the journal, damaged in turn. */
static void lose_each(struct written *written, const struct image_at *image, size_t *n_gaps)
{
    for (size_t lost = first_of(written, written->frames[image->from].segment);
         lost < written->n_frames; lost++) {
        const struct written_frame *frame = &written->frames[lost];
        uint8_t *byte = inspected_bytes(written, frame->segment) + frame->at + frame->size - 1;
        struct expected expected;
        struct inspection found;
        struct inspected_told told;

        expect(written, image, lost, &expected);
        *byte ^= 1;
        inspected_look(written, &found, &told);
        ck_assert_int_eq(inspect_verdict(written->directory, &written->error),
                         expected.is_damaged ? SESS_DAMAGED : SESS_OK);
        *byte ^= 1;
        compare(&expected, &found, &told);
        ck_assert(found.checkpoint.is_whole);
        *n_gaps += found.n_gaps;
        if (expected.has_gap) {
            ck_assert_uint_eq(found.gaps[0].first_missing, frame->sequence);
        }
    }
}

/* A journal whose first file has gone, and a checkpoint from `skipped` frames behind the next one's begin. */
static void begin(struct written *written, struct image_at *image, size_t skipped)
{
    inspected_write(written);
    *image = (struct image_at){
        .number = 1, .from = first_of(written, 2) + skipped, .last = first_of(written, 3) + 1};
    put_image(written, image);
    remove_segment(written, 1);
}

/* As a start does, which applies no more than is whole. */
static void expect_state(struct written *written, const struct image_at *image,
                         const struct inspection *found, const struct inspected_told *told)
{
    struct expected expected;

    expect(written, image, written->n_frames, &expected);
    compare(&expected, found, told);
}

START_TEST(each_frame_that_is_lost_behind_a_checkpoint)
{
    struct written written;
    struct image_at image;

    bool has_more;
    size_t n_gaps = 0;
    size_t from = 0;

    do {
        inspected_write(&written);
        from = from == 0 ? first_of(&written, 2) : from + 1;
        from += written.frames[from].is_seal;
        image = (struct image_at){.number = 1, .from = from, .last = from + 1};
        image.last += written.frames[image.last].is_seal;
        put_image(&written, &image);
        for (uint64_t i = 1; i < written.frames[from].segment; i++) {
            remove_segment(&written, i);
        }
        lose_each(&written, &image, &n_gaps);
        has_more = from + 2 < written.n_frames;
        written_end(&written);
    } while (has_more);
    ck_assert_uint_gt(n_gaps, 30);
}
END_TEST

START_TEST(a_whole_one_is_read_in_front_of_the_journal)
{
    struct written written;
    struct inspection found;
    struct inspected_told told;
    struct image_at image;
    size_t size;

    begin(&written, &image, 1);
    inspected_look(&written, &found, &told);
    expect_state(&written, &image, &found, &told);
    (void)image_bytes(&written, 1, &size);
    ck_assert_uint_eq(found.checkpoint.number, 1);
    ck_assert_uint_eq(found.checkpoint.size, size);
    ck_assert_uint_gt(found.checkpoint.n_entries, 1);
    ck_assert_uint_eq(found.checkpoint.n_entries, found.checkpoint.n_told);
    ck_assert_uint_eq(found.checkpoint.n_newer, 0);
    ck_assert_uint_eq(found.highest_cas, written.cas + CAS_JUMP);
    ck_assert_uint_eq(found.n_uncertain, 0);
    written_end(&written);
}
END_TEST

/* Nothing but a mark behind it: what the END says of the flush holds. */
START_TEST(its_flush_is_still_to_come)
{
    struct written written;
    struct inspection found;
    struct inspected_told told;
    struct image_at image = {.number = 1};

    written_begin(&written);
    written_set(&written, 0, 5, STORE_NO_DEADLINE);
    written_commit(&written);
    written_mark(&written);
    written_survey(&written);
    written_stop(&written);
    image.last = image.from = written.n_frames - 1;
    put_image(&written, &image);
    inspected_at(&written, FIXTURE_NOW_S + FLUSH_BEHIND_S - 1, &found, &told);
    ck_assert_int_eq(found.flush_at_s, FIXTURE_NOW_S + FLUSH_BEHIND_S);
    ck_assert(!found.is_flush_due);
    ck_assert(told.is_certain[0]);
    inspected_at(&written, FIXTURE_NOW_S + FLUSH_BEHIND_S, &found, &told);
    ck_assert(found.is_flush_due);
    ck_assert_uint_eq(found.n_sessions, 0);
    written_end(&written);
}
END_TEST

/* The last value stands in the checkpoint, and its frame is damaged: the one before it does not come back. */
START_TEST(what_is_in_front_of_it_changes_nothing)
{
    struct written written;
    struct inspection found;
    struct inspected_told told;
    struct image_at image = {.number = 1};
    const struct written_frame *lost;

    written_begin(&written);
    for (size_t size = 5; size < 8; size++) {
        written_set(&written, 0, size, STORE_NO_DEADLINE);
        written_commit(&written);
    }
    written_mark(&written);
    written_survey(&written);
    written_stop(&written);
    image.last = image.from = written.n_frames - 1;
    put_image(&written, &image);
    lost = &written.frames[image.from - 1];
    inspected_bytes(&written, 1)[lost->at + FRAME_HEAD_SIZE] ^= 1;
    inspected_look(&written, &found, &told);
    ck_assert(found.is_damaged);
    ck_assert_uint_eq(found.n_gaps, 0);
    ck_assert_uint_eq(told.state.keys[0].size, 7);
    ck_assert(told.is_certain[0]);
    written_end(&written);
}
END_TEST

START_TEST(an_older_one_is_read_when_the_newest_is_damaged)
{
    struct written written;
    struct inspection found;
    struct inspected_told told;
    struct image_at image;
    struct image_at newer = {.number = 2};
    size_t size;

    begin(&written, &image, 1);
    newer.from = first_of(&written, 3);
    newer.last = newer.from + 3;
    put_image(&written, &newer);
    inspected_look(&written, &found, &told);
    ck_assert_uint_eq(found.checkpoint.number, 2);
    ck_assert_uint_eq(found.n_frames, count_from(&written, newer.from));
    expect_state(&written, &newer, &found, &told);
    image_bytes(&written, 2, &size)[SEGMENT_HEADER_SIZE + FRAME_HEAD_SIZE + 8] ^= 1;
    inspected_look(&written, &found, &told);
    ck_assert_uint_eq(found.checkpoint.number, 1);
    ck_assert_uint_eq(found.checkpoint.n_newer, 1);
    ck_assert(found.checkpoint.is_whole);
    expect_state(&written, &image, &found, &told);
    /* What lies between the two is gone. */
    remove_segment(&written, 2);
    inspected_look(&written, &found, &told);
    ck_assert(found.is_damaged);
    ck_assert_uint_eq(found.n_gaps, 1);
    ck_assert_uint_eq(found.gaps[0].first_missing, written.frames[image.from].sequence);
    ck_assert_uint_eq(found.gaps[0].next_segment, 3);
    /* Of two that are damaged the newest says most. */
    image_bytes(&written, 1, &size)[size - 1] ^= 1;
    inspected_look(&written, &found, &told);
    ck_assert_uint_eq(found.checkpoint.number, 2);
    ck_assert_uint_eq(found.checkpoint.n_newer, 0);
    ck_assert(!found.checkpoint.is_whole);
    written_end(&written);
}
END_TEST

/* A start has skipped the sequences of a torn tail, and the checkpoint goes on from where they would have been. */
START_TEST(one_that_goes_on_with_a_start)
{
    struct written written;
    struct inspection found;
    struct inspected_told told;
    struct image_at image = {.number = 1};

    written_begin(&written);
    written_set(&written, 0, 5, STORE_NO_DEADLINE);
    written_commit(&written);
    written_sync(&written);
    for (unsigned i = 1; i < 4; i++) {
        written_set(&written, i, 5, STORE_NO_DEADLINE);
        written_commit(&written);
    }
    written_stop(&written);
    written_survey(&written);
    inspected_bytes(&written, 1)[written.frames[written.n_frames - 2].at + FRAME_HEAD_SIZE] ^= 1;
    image.from_sequence = written.frames[written.n_frames - 2].sequence;
    written.state.keys[2] = written.state.keys[3] = (struct written_key){.is_there = false};
    ck_assert_int_eq(written_recover(&written, NULL), SESS_OK);
    written_set(&written, 4, 5, STORE_NO_DEADLINE);
    written_commit(&written);
    written_stop(&written);
    written_survey(&written);
    image.from = first_of(&written, 2);
    image.last = written.n_frames - 1;
    ck_assert_uint_lt(image.from_sequence, written.frames[image.from].sequence);
    put_image(&written, &image);
    remove_segment(&written, 1);
    inspected_look(&written, &found, &told);
    ck_assert(!found.is_damaged);
    ck_assert_uint_eq(found.n_gaps, 0);
    ck_assert_uint_eq(found.n_sessions, 3);
    ck_assert(told.state.keys[0].is_there && told.state.keys[1].is_there);
    written_end(&written);
}
END_TEST

/* The bytes of the frame that holds a key in a checkpoint; NULL: none. */
static uint8_t *find_entry(struct written *written, unsigned key)
{
    size_t size;
    uint8_t *bytes = image_bytes(written, 1, &size);
    char name[8];

    written_name_key(key, name);
    return memmem(bytes, size, name, 5);
}

/* One entry of a checkpoint damaged: the others are told, and only what the journal told later is certain. */
static void lose_entry(struct written *written, const struct image_at *image, unsigned key,
                       uint8_t *byte)
{
    struct expected without = {.is_damaged = true};
    struct inspection found;
    struct inspected_told told;
    size_t n_entries = 0;

    for (unsigned i = 0; i < WRITTEN_KEYS; i++) {
        without.state.keys[i] = written->frames[image->last].after.keys[i];
        n_entries += without.state.keys[i].is_there && i != key;
    }
    without.state.keys[key].is_there = false;
    for (size_t i = image->from; i < written->n_frames; i++) {
        apply_frame(written, i, true, &without);
    }
    *byte ^= 1;
    inspected_look(written, &found, &told);
    *byte ^= 1;
    compare(&without, &found, &told);
    ck_assert(!found.checkpoint.is_whole);
    ck_assert_uint_eq(found.checkpoint.n_entries, n_entries);
}

/* Up to where the sessions have their last values in the checkpoint. */
static void begin_late(struct written *written, struct image_at *image)
{
    inspected_write(written);
    *image = (struct image_at){
        .number = 1, .from = written->n_frames - 6, .last = written->n_frames - 5};
    put_image(written, image);
    for (uint64_t i = 1; i < written->frames[image->from].segment; i++) {
        remove_segment(written, i);
    }
}

START_TEST(what_a_damaged_one_holds_is_uncertain)
{
    struct written written;
    struct image_at image;
    size_t n_lost = 0;

    begin_late(&written, &image);
    for (unsigned key = 0; key < WRITTEN_KEYS; key++) {
        uint8_t *byte = find_entry(&written, key);

        if (byte != NULL) {
            lose_entry(&written, &image, key, byte);
            n_lost++;
        }
    }
    ck_assert_uint_gt(n_lost, 1);
    written_end(&written);
}
END_TEST

/* Nobody can say then where the journal is to be read from: all of it is. */
START_TEST(one_whose_end_is_damaged)
{
    struct written written;
    struct image_at image;
    struct expected expected;
    struct inspection found;
    struct inspected_told told;
    size_t size;
    uint8_t *bytes;

    begin_late(&written, &image);
    expect(&written, &image, written.n_frames, &expected);
    bytes = image_bytes(&written, 1, &size);
    bytes[size - 1] ^= 1;
    inspected_look(&written, &found, &told);
    ck_assert(found.is_damaged);
    ck_assert_uint_eq(found.checkpoint.n_told, 0);
    ck_assert_uint_eq(found.n_gaps, 0);
    ck_assert_uint_gt(found.n_uncertain, 0);
    for (size_t i = 0; i < WRITTEN_KEYS; i++) {
        ck_assert(told.state.keys[i].is_there == expected.state.keys[i].is_there);
        ck_assert(told.state.keys[i].cas == expected.state.keys[i].cas ||
                  !told.state.keys[i].is_there);
    }
    written_end(&written);
}
END_TEST

/* The very last frame is no tail when the checkpoint tells of it; without any of the journal all is missing. */
START_TEST(a_journal_that_ends_before_its_checkpoint)
{
    struct written written;
    struct image_at image = {.number = 1};
    struct inspection found;
    struct inspected_told told;
    const struct written_frame *last;

    inspected_write(&written);
    last = &written.frames[written.n_frames - 1];
    image.from = first_of(&written, INSPECTED_LAST);
    image.last = written.n_frames - 1;
    inspected_bytes(&written, last->segment)[last->at] ^= 1;
    inspected_look(&written, &found, &told);
    ck_assert(!found.is_damaged);
    put_image(&written, &image);
    inspected_look(&written, &found, &told);
    ck_assert(found.is_damaged);
    ck_assert_ptr_nonnull(strstr(found.damage, "the journal ends before its checkpoint does"));
    ck_assert_uint_eq(found.n_gaps, 1);
    ck_assert_uint_eq(found.gaps[0].first_missing, last->sequence);
    ck_assert_uint_eq(found.gaps[0].next_segment, 0);
    ck_assert_uint_eq(found.n_uncertain, found.n_sessions);
    for (uint64_t i = 1; i <= INSPECTED_LAST; i++) {
        remove_segment(&written, i);
    }
    inspected_look(&written, &found, &told);
    ck_assert(found.is_damaged);
    ck_assert_uint_eq(found.n_gaps, 1);
    ck_assert_uint_gt(found.n_sessions, 0);
    ck_assert_uint_eq(found.n_uncertain, found.n_sessions);
    written_end(&written);
}
END_TEST

SUITE_MAIN("journal/inspect_checkpoint", each_frame_that_is_lost_behind_a_checkpoint,
           a_whole_one_is_read_in_front_of_the_journal, its_flush_is_still_to_come,
           what_is_in_front_of_it_changes_nothing, an_older_one_is_read_when_the_newest_is_damaged,
           what_a_damaged_one_holds_is_uncertain, one_that_goes_on_with_a_start,
           one_whose_end_is_damaged, a_journal_that_ends_before_its_checkpoint)
