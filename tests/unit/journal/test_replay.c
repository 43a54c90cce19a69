/* Unit tests of replay: what a mark proves. Cuts and flips by the thousand are test_damage.c. */
#include "written_journal.h"

#include <stdio.h>

enum { FRAMES = 3 };

static enum sess_status replay(struct written *written, struct replay *out)
{
    struct chain chain;

    ck_assert_int_eq(chain_load(&chain, written->directory, &written->reader, &written->error),
                     SESS_OK);
    *out = (struct replay){
        .directory = written->directory, .chain = &chain, .reader = &written->reader};
    {
        enum sess_status status = replay_run(out, &written->error);

        chain_fini(&chain);
        return status;
    }
}

/* Frames, the first one damaged; each but the first has the mark that is asked for. */
static enum sess_status try_mark(struct written *written, uint64_t back, struct replay *out)
{
    uint64_t at;
    size_t size;
    const uint8_t *bytes;

    written_begin(written);
    at = frame_round(written->writer.at, FRAME_BLOCK);
    for (unsigned i = 0; i < FRAMES; i++) {
        written_set(written, i, 10, STORE_NO_DEADLINE);
        written_commit(written);
        /* The first one's sequence, or fewer. */
        written->durable = i == 0 ? written->writer.next_sequence - 1 - back : written->durable;
    }
    bytes = memory_directory_bytes(written->memory, "journal-000000000001", &size);
    ((uint8_t *)(uintptr_t)bytes)[at + FRAME_HEAD_SIZE] ^= 1;
    return replay(written, out);
}

START_TEST(a_mark_that_covers_it_proves_damage)
{
    struct written written;
    struct replay out;
    char place[64];

    ck_assert_int_eq(try_mark(&written, 0, &out), SESS_DAMAGED);
    (void)snprintf(place, sizeof place, "journal-000000000001, offset %u",
                   2 * FRAME_BLOCK + FRAME_HEAD_SIZE);
    ck_assert_ptr_nonnull(strstr(written.error.text, place));
    written_end(&written);
}
END_TEST

START_TEST(without_one_it_is_a_torn_tail)
{
    struct written written;
    struct replay out;

    ck_assert_int_eq(try_mark(&written, 1, &out), SESS_OK);
    ck_assert_uint_eq(out.next_sequence, 3);
    ck_assert_uint_eq(out.end, 2 * FRAME_BLOCK + FRAME_HEAD_SIZE);
    ck_assert_uint_eq(out.result.highest_sequence, 5);
    ck_assert_uint_gt(out.result.n_cut, 0);
    written_end(&written);
}
END_TEST

START_TEST(a_failed_read_is_no_torn_tail)
{
    struct written written;
    struct replay out;
    enum sess_status status = SESS_IO;
    unsigned n = 0;

    written_begin(&written);
    written_set(&written, 0, 10, STORE_NO_DEADLINE);
    written_commit(&written);
    while (status != SESS_OK) {
        struct chain chain;

        ck_assert_uint_lt(++n, 50);
        ck_assert_int_eq(chain_load(&chain, written.directory, &written.reader, &written.error),
                         SESS_OK);
        memory_directory_fail(written.memory, MEMORY_READ, n, SESS_IO);
        out = (struct replay){
            .directory = written.directory, .chain = &chain, .reader = &written.reader};
        status = replay_run(&out, &written.error);
        ck_assert(status == SESS_OK || status == SESS_IO);
        memory_directory_restart(written.memory);
        chain_fini(&chain);
    }
    ck_assert_uint_gt(n, 2);
    ck_assert_uint_eq(out.result.n_frames, 3);
    written_end(&written);
}
END_TEST

SUITE_MAIN("journal/replay", a_mark_that_covers_it_proves_damage, without_one_it_is_a_torn_tail,
           a_failed_read_is_no_torn_tail)
