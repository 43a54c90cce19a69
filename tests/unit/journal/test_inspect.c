/* Unit tests of the inspection: each frame of a small journal damaged in turn.
 *
 * The oracle applies all whole frames but those, and so knows every session that is intact. */
#include "inspected_journal.h"

#include "checksum.h"
#include "sessiond/base/bytes.h"

enum { BEHIND_S = 3 };

/* What must be told when frame `lost` is not whole. */
struct expected {
    struct written_state state;
    bool is_certain[WRITTEN_KEYS];
    bool is_damaged;
};

static void apply_frame(struct written *written, size_t number, bool is_behind,
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
            expected->is_certain[record.key.data[4] - '0'] = is_behind;
        }
        rest = slice_from(rest, used);
    }
}

static void expect(struct written *written, size_t lost, struct expected *expected)
{
    const struct written_frame *frames = written->frames;

    *expected = (struct expected){.state.flush_at_s = STORE_NO_DEADLINE};
    for (size_t i = lost + 1; !frames[lost].is_seal && i < written->n_frames; i++) {
        expected->is_damaged = expected->is_damaged || frames[i].durable >= frames[lost].sequence;
    }
    for (size_t i = 0; i < written->n_frames; i++) {
        bool is_told = frames[lost].is_seal || expected->is_damaged ? i != lost : i < lost;

        if (is_told) {
            apply_frame(written, i, !expected->is_damaged || i > lost, expected);
        }
    }
}

static void compare(const struct expected *expected, const struct inspection *found,
                    const struct inspected_told *told)
{
    HOT_ASSERT(found->is_damaged == expected->is_damaged);
    HOT_ASSERT(found->n_gaps == (expected->is_damaged ? 1 : 0));
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

START_TEST(each_frame_that_is_lost_costs_what_was_in_it)
{
    struct written written;
    size_t n_damaged = 0;
    size_t n_uncertain = 0;

    inspected_write(&written);
    for (size_t lost = 0; lost < written.n_frames; lost++) {
        const struct written_frame *frame = &written.frames[lost];
        uint8_t *byte = inspected_bytes(&written, frame->segment) + frame->at + frame->size - 1;
        struct expected expected;
        struct inspection found;
        struct inspected_told told;

        expect(&written, lost, &expected);
        *byte ^= 1;
        inspected_look(&written, &found, &told);
        ck_assert_int_eq(inspect_verdict(written.directory, &written.error),
                         expected.is_damaged ? SESS_DAMAGED : SESS_OK);
        *byte ^= 1;
        compare(&expected, &found, &told);
        n_damaged += found.is_damaged;
        n_uncertain += found.n_uncertain;
        if (found.is_damaged) {
            ck_assert_uint_eq(found.gaps[0].first_missing, frame->sequence);
            ck_assert_uint_eq(found.gaps[0].n_missing, 1);
        }
    }
    /* Otherwise the test would say little. */
    ck_assert_uint_gt(n_damaged, 10);
    ck_assert_uint_lt(n_damaged, written.n_frames - 2);
    ck_assert_uint_gt(n_uncertain, n_damaged);
    written_end(&written);
}
END_TEST

START_TEST(a_whole_one_is_told_as_it_is)
{
    struct written written;
    struct inspection found;
    struct inspected_told told;

    inspected_write(&written);
    inspected_look(&written, &found, &told);
    ck_assert(!found.is_damaged);
    ck_assert_uint_eq(found.n_gaps, 0);
    ck_assert_uint_eq(found.n_uncertain, 0);
    ck_assert_uint_eq(found.n_segments, INSPECTED_LAST);
    ck_assert_uint_eq(found.n_cut, 0);
    for (size_t i = 0; i < WRITTEN_KEYS; i++) {
        ck_assert(told.state.keys[i].is_there == written.state.keys[i].is_there);
    }
    written_end(&written);
}
END_TEST

/* A file more, and one less, of what was being made: nothing is removed. */
START_TEST(nothing_is_changed)
{
    struct written written;
    struct inspection found;
    struct inspected_told told;
    const enum memory_call changing[] = {MEMORY_CREATE,   MEMORY_WRITE,  MEMORY_ALLOCATE,
                                         MEMORY_TRUNCATE, MEMORY_RENAME, MEMORY_REMOVE};
    unsigned before[6];

    inspected_write(&written);
    ck_assert_uint_ne(
        memory_directory_add(written.memory, "journal-000000000009.new", SLICE_LITERAL("half")), 0);
    for (size_t i = 0; i < 6; i++) {
        before[i] = memory_directory_calls(written.memory, changing[i]);
    }
    inspected_look(&written, &found, &told);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_uint_eq(memory_directory_calls(written.memory, changing[i]), before[i]);
    }
    written_end(&written);
}
END_TEST

START_TEST(a_header_that_is_damaged_costs_nothing_where_the_salt_holds)
{
    struct written written;
    struct inspection found;
    struct inspected_told told;

    inspected_write(&written);
    inspected_bytes(&written, 2)[100] ^= 1;
    inspected_look(&written, &found, &told);
    ck_assert(found.is_damaged);
    ck_assert_uint_eq(found.n_gaps, 0);
    for (size_t i = 0; i < WRITTEN_KEYS; i++) {
        ck_assert(told.state.keys[i].is_there == written.state.keys[i].is_there);
    }
    /* The salt: all frames of the file are lost with it. */
    inspected_bytes(&written, 2)[40] ^= 1;
    inspected_look(&written, &found, &told);
    ck_assert(found.is_damaged);
    ck_assert_uint_eq(found.n_gaps, 1);
    ck_assert_uint_eq(found.gaps[0].segment, 1);
    ck_assert_uint_eq(found.gaps[0].next_segment, 3);
    written_end(&written);
}
END_TEST

START_TEST(a_file_of_another_format_is_left_alone)
{
    struct written written;
    struct inspect_config config = {.now_s = FIXTURE_NOW_S};
    struct inspector *inspector;
    struct slice checked;
    uint8_t *header;

    inspected_write(&written);
    config.directory = written.directory;
    header = inspected_bytes(&written, 2);
    header[8] ^= 2;
    checked = slice_of(header, SEGMENT_HEADER_SIZE - 8);
    bytes_put_u64(header + SEGMENT_HEADER_SIZE - 8, checksum_of(0, &checked, 1));
    ck_assert_int_eq(inspector_create(&config, &inspector, &written.error), SESS_REFUSED);
    ck_assert_ptr_nonnull(strstr(written.error.text, "has format 3"));
    written_end(&written);
}
END_TEST

START_TEST(time_and_a_flush_end_sessions)
{
    struct written written;
    struct inspection found;
    struct inspected_told told;

    written_begin(&written);
    written_set(&written, 0, 5, FIXTURE_NOW_S + 100);
    written_set(&written, 1, 5, STORE_NO_DEADLINE);
    written_set(&written, 2, 5, FIXTURE_NOW_S + 101);
    written_commit(&written);
    inspected_at(&written, FIXTURE_NOW_S + 100, &found, &told);
    ck_assert_uint_eq(found.n_sessions, 2);
    ck_assert_uint_eq(found.n_expired, 1);
    /* A clock that is behind the journal's does not bring anybody back. */
    inspected_at(&written, 1, &found, &told);
    ck_assert_uint_eq(found.n_sessions, 3);
    ck_assert_int_eq(found.time_s, FIXTURE_NOW_S);
    written_change(&written, RECORD_FLUSH, 0, FIXTURE_NOW_S + BEHIND_S);
    written_commit(&written);
    inspected_at(&written, FIXTURE_NOW_S + BEHIND_S - 1, &found, &told);
    ck_assert_int_eq(found.flush_at_s, FIXTURE_NOW_S + BEHIND_S);
    ck_assert_uint_eq(found.n_sessions, 3);
    ck_assert(!found.is_flush_due);
    inspected_at(&written, FIXTURE_NOW_S + BEHIND_S, &found, &told);
    ck_assert(found.is_flush_due);
    ck_assert_uint_eq(found.n_sessions, 0);
    written_end(&written);
}
END_TEST

/* What a start did not take over must not come back: two segments go on from the same one. */
START_TEST(what_a_later_start_left_out_is_left_out)
{
    struct written written;
    struct inspection found;
    struct inspected_told told;
    struct memory_file *files;
    size_t n_files;

    written_begin(&written);
    written_set(&written, 0, 5, STORE_NO_DEADLINE);
    written_commit(&written);
    written_mark(&written);
    written_set(&written, 1, 5, STORE_NO_DEADLINE);
    written_commit(&written);
    written_stop(&written);
    ck_assert(memory_directory_copy(written.memory, &files, &n_files));
    /* The tail is torn, and a start goes on without it. */
    written_survey(&written);
    inspected_bytes(&written, 1)[written.frames[written.n_frames - 1].at] ^= 1;
    ck_assert_int_eq(written_recover(&written, NULL), SESS_OK);
    written_set(&written, 2, 5, STORE_NO_DEADLINE);
    written_commit(&written);
    written_stop(&written);
    /* The old file, as if that start had been cut short before it changed it, with its tail whole. */
    ck_assert_int_eq(directory_remove(written.directory, files[0].name, &written.error), SESS_OK);
    ck_assert_uint_ne(memory_directory_add(written.memory, files[0].name,
                                           slice_of(files[0].bytes, files[0].size)),
                      0);
    memory_files_free(files, n_files);
    inspected_look(&written, &found, &told);
    ck_assert(!found.is_damaged);
    ck_assert(told.state.keys[0].is_there);
    ck_assert(!told.state.keys[1].is_there);
    ck_assert(told.state.keys[2].is_there);
    written_end(&written);
}
END_TEST

START_TEST(an_empty_directory_holds_nothing)
{
    struct written written;
    struct inspection found;
    struct inspected_told told;

    written_prepare(&written);
    inspected_look(&written, &found, &told);
    ck_assert(!found.is_damaged);
    ck_assert_uint_eq(found.n_segments, 0);
    ck_assert_uint_eq(found.n_sessions, 0);
    written_end(&written);
}
END_TEST

SUITE_MAIN("journal/inspect", each_frame_that_is_lost_costs_what_was_in_it,
           a_whole_one_is_told_as_it_is, nothing_is_changed,
           a_header_that_is_damaged_costs_nothing_where_the_salt_holds,
           a_file_of_another_format_is_left_alone, time_and_a_flush_end_sessions,
           what_a_later_start_left_out_is_left_out, an_empty_directory_holds_nothing)
