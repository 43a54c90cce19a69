/* Unit tests of the chain: which segment follows which. */
#include "written_journal.h"

/* Segments 1 to 3, each full but the last, and 4 made ahead. */
static void write_three(struct written *written)
{
    written_begin(written);
    while (written->writer.current.number < 3) {
        if (!written->writer.has_next) {
            written_make_next(written);
        }
        written_set(written, 0, WRITTEN_VALUE_MAX, STORE_NO_DEADLINE);
        written_commit(written);
        written_sync(written);
        if (written->writer.has_previous) {
            written_seal(written);
        }
    }
    written_make_next(written);
}

static void load(struct written *written, struct chain *chain)
{
    ck_assert_int_eq(chain_load(chain, written->directory, &written->reader, &written->error),
                     SESS_OK);
}

START_TEST(an_empty_directory_has_none)
{
    struct written written;
    struct chain chain;

    written_prepare(&written);
    load(&written, &chain);
    ck_assert_uint_eq(chain.n_items, 0);
    ck_assert_uint_eq(chain.bytes, 0);
    chain_fini(&chain);
    written_end(&written);
}
END_TEST

START_TEST(each_has_its_successor)
{
    struct written written;
    struct chain chain;

    write_three(&written);
    load(&written, &chain);
    ck_assert_uint_eq(chain.n_items, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(chain.items[i].number, i + 1);
        ck_assert(chain.items[i].has_link == (i < 3));
        ck_assert_uint_eq(chain.items[i].link.segment, i < 3 ? i : 0);
        ck_assert_ptr_eq(chain_successor(&chain, &chain.items[i]),
                         i < 2 ? &chain.items[i + 1] : NULL);
    }
    chain_fini(&chain);
    written_end(&written);
}
END_TEST

/* A start that was interrupted has made 5 behind 2 as well: it has what counts. */
START_TEST(of_two_successors_the_later_one_counts)
{
    struct written written;
    struct segment segment;
    struct chain chain;
    struct record link = {.type = RECORD_LINK, .segment = 2, .sequence = 3, .offset = 5000};
    struct frame frame = {.sequence = 1000};
    uint64_t end;

    write_three(&written);
    ck_assert_int_eq(begin_segment(written.directory, 5, WRITTEN_SEGMENT, FIXTURE_NOW_S, &segment,
                                   &written.error),
                     SESS_OK);
    ck_assert_int_eq(
        writer_put_record(&segment, SEGMENT_HEADER_SIZE, &frame, &link, &end, &written.error),
        SESS_OK);
    ck_assert_int_eq(segment_finish(&segment, &written.error), SESS_OK);
    file_close(&segment.file);
    load(&written, &chain);
    ck_assert_uint_eq(chain.n_items, 5);
    ck_assert_ptr_eq(chain_successor(&chain, &chain.items[1]), &chain.items[4]);
    ck_assert_uint_eq(chain.items[4].first_sequence, 1000);
    ck_assert_uint_eq(chain.items[4].link.offset, 5000);
    chain_fini(&chain);
    written_end(&written);
}
END_TEST

START_TEST(a_listing_that_fails_is_no_empty_directory)
{
    struct written written;
    struct chain chain;

    write_three(&written);
    memory_directory_fail(written.memory, MEMORY_LIST, 1, SESS_IO);
    ck_assert_int_eq(chain_load(&chain, written.directory, &written.reader, &written.error),
                     SESS_IO);
    memory_directory_fail(written.memory, MEMORY_READ, 3, SESS_IO);
    ck_assert_int_eq(chain_load(&chain, written.directory, &written.reader, &written.error),
                     SESS_IO);
    ck_assert_ptr_null(chain.items);
    written_end(&written);
}
END_TEST

SUITE_MAIN("journal/chain", an_empty_directory_has_none, each_has_its_successor,
           of_two_successors_the_later_one_counts, a_listing_that_fails_is_no_empty_directory)
