/* Unit tests of the writer's places: where frames go, when a segment is full, what links and seals say. */
#include "written_journal.h"

enum { BODY = 100 };

static struct placement place(struct written *written, uint64_t body_size)
{
    struct placement placement;

    writer_place(&written->writer, body_size, &placement);
    return placement;
}

START_TEST(frames_stand_behind_each_other_and_at_a_block_after_a_sync)
{
    struct written written;
    struct placement first;
    struct placement second;
    struct placement third;

    written_begin(&written);
    first = place(&written, BODY);
    ck_assert_uint_eq(first.at % FRAME_BLOCK, 0);
    ck_assert(!first.has_link);
    second = place(&written, BODY);
    ck_assert_uint_eq(second.at, first.at + frame_size(BODY));
    ck_assert_uint_eq(second.sequence, first.sequence + 1);
    written.writer.must_align = true;
    third = place(&written, BODY);
    ck_assert_uint_eq(third.at, frame_round(second.at + frame_size(BODY), FRAME_BLOCK));
    ck_assert_uint_eq(place(&written, 0).at, third.at + frame_size(BODY));
    written_end(&written);
}
END_TEST

START_TEST(room_is_what_is_left_from_the_next_block_on)
{
    struct written written;
    uint64_t left;
    uint64_t reserve;

    written_begin(&written);
    reserve = writer_reserve(written.writer.current.size);
    left = segment_end(written.writer.current.size) - frame_round(written.writer.at, FRAME_BLOCK) -
           FRAME_HEAD_SIZE;
    ck_assert_int_eq(writer_room(&written.writer, left - reserve), ROOM_HERE);
    ck_assert_int_eq(writer_room(&written.writer, left - reserve + 1), ROOM_RESERVE);
    ck_assert_int_eq(writer_room(&written.writer, left), ROOM_RESERVE);
    ck_assert_int_eq(writer_room(&written.writer, left + 1), ROOM_NOT_YET);
    written_make_next(&written);
    ck_assert_int_eq(writer_room(&written.writer, left - reserve + 1), ROOM_HERE);
    ck_assert_int_eq(writer_room(&written.writer, left), ROOM_HERE);
    written_end(&written);
}
END_TEST

START_TEST(the_reserve_is_a_share_of_a_segment)
{
    static const struct {
        uint64_t size;
        uint64_t reserve;
    } sizes[] = {
        {64 << 20, 4 << 20},   {2 << 20, 128 << 10},  {1 << 20, 64 << 10},
        {256 << 10, 64 << 10}, {128 << 10, 64 << 10}, {64 << 10, 32 << 10},
    };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ck_assert_uint_eq(writer_reserve(sizes[i].size), sizes[i].reserve);
    }
}
END_TEST

/* Frames until there is no room; returns where the last one ends. */
static uint64_t fill(struct written *written)
{
    struct placement last = {.at = 0};

    while (writer_room(&written->writer, BODY) == ROOM_HERE) {
        last = place(written, BODY);
    }
    return last.at + frame_size(BODY);
}

START_TEST(a_full_segment_is_gone_on_from_in_the_next)
{
    struct written written;
    struct placement placement;
    uint64_t end;

    written_begin(&written);
    written_make_next(&written);
    end = fill(&written);
    ck_assert_int_eq(writer_room(&written.writer, BODY), ROOM_NEXT);
    placement = place(&written, BODY);
    ck_assert(placement.has_link);
    ck_assert_uint_eq(placement.at, SEGMENT_HEADER_SIZE);
    ck_assert_uint_eq(placement.link.segment, 1);
    ck_assert_uint_eq(placement.link.offset, end);
    ck_assert_uint_eq(placement.link.sequence, placement.sequence);
    ck_assert_uint_eq(written.writer.next_sequence, placement.sequence + 2);
    ck_assert_uint_eq(written.writer.current.number, 2);
    ck_assert(written.writer.has_previous && !written.writer.has_next);
    placement = place(&written, BODY);
    ck_assert(!placement.has_link);
    ck_assert_uint_eq(placement.at, SEGMENT_HEADER_SIZE + FRAME_BLOCK + frame_size(BODY));
    written_end(&written);
}
END_TEST

/* Two that are not sealed would be one too many. */
START_TEST(the_one_after_next_waits_for_the_seal)
{
    struct written written;

    written_begin(&written);
    written_make_next(&written);
    (void)fill(&written);
    (void)place(&written, BODY);
    written_make_next(&written);
    (void)fill(&written);
    ck_assert_int_eq(writer_room(&written.writer, BODY), ROOM_NOT_YET);
    written_seal(&written);
    ck_assert_int_eq(writer_room(&written.writer, BODY), ROOM_NEXT);
    written_end(&written);
}
END_TEST

START_TEST(a_seal_fits_behind_whatever_was_written)
{
    struct written written;
    struct placement placement;
    struct record link;

    written_begin(&written);
    /* To the very end. */
    (void)place(&written, segment_end(written.writer.current.size) -
                              frame_round(written.writer.at, FRAME_BLOCK) - FRAME_HEAD_SIZE);
    written_make_next(&written);
    placement = place(&written, BODY);
    link = placement.link;
    ck_assert_uint_le(frame_round(link.offset, FRAME_BLOCK) + FRAME_BLOCK,
                      written.writer.previous.size);
    written_end(&written);
}
END_TEST

SUITE_MAIN("journal/writer", frames_stand_behind_each_other_and_at_a_block_after_a_sync,
           room_is_what_is_left_from_the_next_block_on, the_reserve_is_a_share_of_a_segment,
           a_full_segment_is_gone_on_from_in_the_next, the_one_after_next_waits_for_the_seal,
           a_seal_fits_behind_whatever_was_written)
