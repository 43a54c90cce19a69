/* Unit tests of uploads: pieces, what they are charged, and that a commit obeys a write's rules. */
#include "sessiond/store/store.h"

#include "faults.h"
#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"

enum { TAIL = 2, STEP = 65536, SIZE = 200000, ALL = SIZE + TAIL };

static uint8_t bytes[1 << 20];

static void fill_bytes(void)
{
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 17 % 253);
    }
}

/* Receive until all is there, at most `most` bytes a time; the tail is CR LF. */
static void receive_all(struct store_upload *upload, size_t size, size_t most)
{
    size_t received = 0;

    for (;;) {
        uint8_t *place;
        size_t room;

        ck_assert_int_eq(store_upload_place(upload, most, &place, &room), SESS_OK);
        if (room == 0) {
            break;
        }
        ck_assert_uint_le(room, most);
        for (size_t i = 0; i < room; i++) {
            size_t at = received + i;

            place[i] = at < size ? bytes[at] : (uint8_t) "\r\n"[at - size];
        }
        store_upload_received(upload, room);
        received += room;
    }
    ck_assert_uint_eq(received, size + TAIL);
    ck_assert(slice_equal(store_upload_tail(upload), SLICE_LITERAL("\r\n")));
}

static struct store_upload *begin(struct store_fixture *fixture, size_t size)
{
    struct store_upload *upload = NULL;

    fill_bytes();
    ck_assert_int_eq(store_upload_begin(fixture->store, size, TAIL, &upload), SESS_OK);
    return upload;
}

static struct store_upload *received(struct store_fixture *fixture, size_t size)
{
    struct store_upload *upload = begin(fixture, size);

    receive_all(upload, size, sizeof bytes);
    return upload;
}

static enum sess_status commit(struct store_fixture *fixture, struct store_upload **upload,
                               enum store_mode mode, int64_t deadline_s)
{
    struct store_write write = {.mode = mode,
                                .key = SLICE_LITERAL("key"),
                                .flags = 6,
                                .expiry = store_expiry_at(deadline_s)};

    return store_upload_commit(fixture->store, upload, &write, fixture->now_s, &fixture->outcome);
}

static void assert_stored(struct store_fixture *fixture, size_t size)
{
    struct store_reading reading;

    ck_assert_int_eq(
        store_read_begin(fixture->store, SLICE_LITERAL("key"), 0, fixture->now_s, &reading),
        SESS_OK);
    ck_assert(slice_equal(reading.value, slice_of(bytes, size)));
    ck_assert_uint_eq(reading.flags, 6);
    ck_assert_uint_eq(reading.cas, fixture->outcome.cas);
    store_read_end(&reading);
}

/* Values of many sizes arrive in pieces of many sizes. */
START_TEST(test_pieces)
{
    static const size_t sizes[] = {STORE_COPY_MAX + 1, STEP - TAIL, STEP - 1, STEP, 1 << 20};
    static const size_t pieces[] = {1000, STEP - 1, STEP, 1 << 20};

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
            struct store_fixture fixture;
            struct store_upload *upload;

            fixture_open(&fixture);
            upload = begin(&fixture, sizes[s]);
            receive_all(upload, sizes[s], pieces[p]);
            ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
            ck_assert_int_eq(commit(&fixture, &upload, STORE_SET, STORE_NO_DEADLINE), SESS_OK);
            ck_assert_ptr_null(upload);
            assert_stored(&fixture, sizes[s]);
            ck_assert_uint_eq(budget_used(&fixture.in_flight), 0);
            inside_check_budget(&fixture);
            ck_assert_uint_ge(fixture_figure(&fixture, "bytes"), sizes[s] + TAIL);
            fixture_close(&fixture);
        }
    }
}
END_TEST

/* Bytes that an upload is charged for beside what may be filled: what its block takes more. */
static size_t beside(const struct store_fixture *fixture)
{
    return arena_page_size(fixture->store->arena);
}

/* What was only announced is not charged: room comes in steps, as bytes arrive. */
START_TEST(test_charged_in_steps)
{
    struct store_fixture fixture;
    struct store_upload *upload;
    uint8_t *place;
    size_t size;

    fixture_open(&fixture);
    upload = begin(&fixture, SIZE);
    ck_assert_uint_eq(budget_used(&fixture.in_flight), 0);
    ck_assert_int_eq(store_upload_place(upload, SIZE, &place, &size), SESS_OK);
    ck_assert_uint_eq(size, STEP);
    ck_assert_uint_eq(budget_used(&fixture.in_flight), STEP + beside(&fixture));
    /* Asked again, and after a part of it, nothing more is charged. */
    ck_assert_int_eq(store_upload_place(upload, 10, &place, &size), SESS_OK);
    ck_assert_uint_eq(size, 10);
    memset(place, 'x', 10);
    store_upload_received(upload, 10);
    ck_assert_int_eq(store_upload_place(upload, SIZE, &place, &size), SESS_OK);
    ck_assert_uint_eq(size, STEP - 10);
    ck_assert_uint_eq(budget_used(&fixture.in_flight), STEP + beside(&fixture));
    memset(place, 'x', size);
    store_upload_received(upload, size);
    ck_assert_int_eq(store_upload_place(upload, SIZE, &place, &size), SESS_OK);
    ck_assert_uint_eq(budget_used(&fixture.in_flight), 2 * STEP + beside(&fixture));
    store_upload_abort(&upload);
    ck_assert_ptr_null(upload);
    fixture_close(&fixture);
}
END_TEST

/* The last step is as small as what is missing. */
START_TEST(test_charged_no_more_than_its_size)
{
    struct store_fixture fixture;
    struct store_upload *upload;

    fixture_open(&fixture);
    upload = received(&fixture, SIZE);
    ck_assert_uint_eq(budget_used(&fixture.in_flight), ALL + beside(&fixture));
    store_upload_abort(&upload);
    fixture_close(&fixture);
}
END_TEST

static void assert_waits(struct store_upload *upload)
{
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *place;
        size_t size;

        ck_assert_int_eq(store_upload_place(upload, SIZE, &place, &size), SESS_AGAIN);
    }
}

/* Values in flight are at their cap: one upload alone may go over it, so that they do not wait for
 * each other for ever. The next one waits, and goes on when the favoured one is stored. */
START_TEST(test_waits_at_the_cap)
{
    struct store_fixture fixture;
    struct store_upload *uploads[3];

    fixture_prepare(&fixture);
    fixture_start(&fixture);
    fixture.in_flight.limit = ALL + beside(&fixture) + 100;
    for (size_t i = 0; i < 3; i++) {
        uploads[i] = begin(&fixture, SIZE);
    }
    receive_all(uploads[0], SIZE, SIZE);
    receive_all(uploads[1], SIZE, SIZE);
    ck_assert_uint_eq(budget_used(&fixture.in_flight), 2 * (ALL + beside(&fixture)));
    assert_waits(uploads[2]);
    ck_assert_uint_eq(budget_used(&fixture.in_flight), 2 * (ALL + beside(&fixture)));
    ck_assert_int_eq(commit(&fixture, &uploads[1], STORE_SET, STORE_NO_DEADLINE), SESS_OK);
    /* Now it is this one's turn to go over the cap. */
    receive_all(uploads[2], SIZE, SIZE);
    ck_assert_int_eq(commit(&fixture, &uploads[2], STORE_REPLACE, STORE_NO_DEADLINE), SESS_OK);
    assert_stored(&fixture, SIZE);
    store_upload_abort(&uploads[0]);
    fixture_close(&fixture);
}
END_TEST

/* The cap is reached, and then a value within it ends: another one fits again, while the favoured one
 * is still on its way. */
START_TEST(test_goes_on_when_there_is_room)
{
    struct store_fixture fixture;
    struct store_upload *uploads[3];
    uint8_t *place;
    size_t size;

    fixture_prepare(&fixture);
    fixture_start(&fixture);
    fixture.in_flight.limit = ALL + beside(&fixture);
    for (size_t i = 0; i < 3; i++) {
        uploads[i] = begin(&fixture, SIZE);
    }
    receive_all(uploads[0], SIZE, SIZE);
    ck_assert_int_eq(store_upload_place(uploads[1], SIZE, &place, &size), SESS_OK);
    assert_waits(uploads[2]);
    store_upload_abort(&uploads[0]);
    ck_assert_int_eq(store_upload_place(uploads[2], SIZE, &place, &size), SESS_OK);
    ck_assert_uint_eq(size, STEP);
    store_upload_abort(&uploads[1]);
    store_upload_abort(&uploads[2]);
    fixture_close(&fixture);
}
END_TEST

/* The client goes away before the first byte, in the middle, and with all of it there. */
START_TEST(test_abort_gives_all_back)
{
    static const size_t arrived[] = {0, 1, STEP, STEP + 1};
    struct store_fixture fixture;
    struct store_upload *upload;
    size_t used;

    fixture_open(&fixture);
    used = budget_used(&fixture.data);
    for (size_t i = 0; i < sizeof arrived / sizeof arrived[0]; i++) {
        upload = begin(&fixture, SIZE);
        for (size_t got = 0; got < arrived[i];) {
            uint8_t *place;
            size_t size;

            ck_assert_int_eq(store_upload_place(upload, arrived[i] - got, &place, &size), SESS_OK);
            memset(place, 'x', size);
            store_upload_received(upload, size);
            got += size;
        }
        store_upload_abort(&upload);
        ck_assert_ptr_null(upload);
        ck_assert_uint_eq(budget_used(&fixture.in_flight), 0);
        ck_assert_uint_eq(budget_used(&fixture.data), used);
    }
    upload = received(&fixture, SIZE);
    store_upload_abort(&upload);
    store_upload_abort(&upload);
    fixture_close(&fixture);
}
END_TEST

/* A value over the largest size is refused when it is announced. */
START_TEST(test_too_large)
{
    struct store_fixture fixture;
    struct store_upload *upload = NULL;

    fixture_open(&fixture);
    ck_assert_int_eq(store_upload_begin(fixture.store, (1 << 20) + 1, TAIL, &upload),
                     SESS_TOO_LARGE);
    ck_assert_ptr_null(upload);
    fixture_close(&fixture);
}
END_TEST

/* Each call of an upload's begin that takes memory, or addresses, fails in turn. */
START_TEST(test_begin_without_memory)
{
    struct store_fixture fixture;
    struct store_upload *upload = NULL;

    fixture_open(&fixture);
    faults_fail_allocation(1);
    ck_assert_int_eq(store_upload_begin(fixture.store, SIZE, TAIL, &upload), SESS_NO_MEMORY);
    ck_assert_ptr_null(upload);
    for (unsigned nth = 1; nth <= 2; nth++) {
        faults_fail_mprotect(nth);
        ck_assert_int_eq(store_upload_begin(fixture.store, SIZE, TAIL, &upload), SESS_NO_MEMORY);
        ck_assert_ptr_null(upload);
    }
    ck_assert_int_eq(store_upload_begin(fixture.store, SIZE, TAIL, &upload), SESS_OK);
    store_upload_abort(&upload);
    fixture_close(&fixture);
}
END_TEST

/* add of a live key, replace of none: refused at the end, the old value stays, all is given back. */
START_TEST(test_commit_checks_conditions)
{
    struct store_fixture fixture;
    struct store_upload *upload;

    fixture_open(&fixture);
    upload = received(&fixture, SIZE);
    ck_assert_int_eq(commit(&fixture, &upload, STORE_REPLACE, STORE_NO_DEADLINE), SESS_NOT_STORED);
    ck_assert_ptr_null(upload);
    ck_assert_uint_eq(fixture.recorder.n_calls, 0);
    (void)fixture_write(&fixture, STORE_SET, "key", "old", STORE_NO_DEADLINE);
    upload = received(&fixture, SIZE);
    ck_assert_int_eq(commit(&fixture, &upload, STORE_ADD, STORE_NO_DEADLINE), SESS_NOT_STORED);
    ck_assert_ptr_null(upload);
    ck_assert_str_eq(fixture_look(&fixture, "key").value, "old");
    ck_assert_uint_eq(budget_used(&fixture.in_flight), 0);
    fixture_close(&fixture);
}
END_TEST

/* The hook is told the whole value and not the line end behind it. */
START_TEST(test_hook_is_told_the_value)
{
    struct store_fixture fixture;
    struct store_upload *upload;
    const struct mutation *told = &fixture.recorder.last.mutation;

    fixture_open(&fixture);
    upload = received(&fixture, SIZE);
    ck_assert_int_eq(commit(&fixture, &upload, STORE_ADD, FIXTURE_NOW_S + 50), SESS_OK);
    ck_assert_int_eq(told->kind, MUTATION_SET);
    ck_assert_uint_eq(told->value.size, SIZE);
    ck_assert_mem_eq(told->value.data, bytes, FIXTURE_TEXT_MAX);
    ck_assert_uint_eq(told->flags, 6);
    ck_assert_int_eq(told->deadline_s, FIXTURE_NOW_S + 50);
    ck_assert_int_eq(told->old_deadline_s, 0);
    ck_assert_uint_eq(told->cas, fixture.outcome.cas);
    fixture_close(&fixture);
}
END_TEST

/* The deadline has passed when the value is complete: a live key goes, nothing is kept. */
START_TEST(test_commit_dead_on_arrival)
{
    struct store_fixture fixture;
    struct store_upload *upload;

    fixture_open(&fixture);
    (void)fixture_write(&fixture, STORE_SET, "key", "old", STORE_NO_DEADLINE);
    upload = received(&fixture, SIZE);
    ck_assert_int_eq(commit(&fixture, &upload, STORE_SET, FIXTURE_NOW_S), SESS_OK);
    ck_assert_ptr_null(upload);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture_figure(&fixture, "bytes"), 0);
    fixture_close(&fixture);
}
END_TEST

/* The data budget is full, or there is no memory: the old value stays, the upload has ended. */
START_TEST(test_commit_without_memory)
{
    struct store_fixture fixture;
    struct store_upload *upload;

    fixture_open(&fixture);
    upload = received(&fixture, SIZE);
    faults_fail_allocation(1); /* of the first page of the key's shard */
    ck_assert_int_eq(commit(&fixture, &upload, STORE_SET, STORE_NO_DEADLINE), SESS_NO_MEMORY);
    ck_assert_ptr_null(upload);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    inside_check_budget(&fixture);
    (void)fixture_write(&fixture, STORE_SET, "key", "old", STORE_NO_DEADLINE);
    fixture.data.limit = budget_used(&fixture.data) + SIZE / 2;
    upload = received(&fixture, SIZE);
    ck_assert_int_eq(commit(&fixture, &upload, STORE_SET, STORE_NO_DEADLINE), SESS_NO_MEMORY);
    ck_assert_ptr_null(upload);
    ck_assert_str_eq(fixture_look(&fixture, "key").value, "old");
    ck_assert_uint_eq(budget_used(&fixture.in_flight), 0);
    fixture_close(&fixture);
}
END_TEST

/* The journal refuses: the upload has ended. The journal is full for now: the upload stays, is still
 * charged, and can be committed later or aborted. */
START_TEST(test_commit_busy_keeps_the_upload)
{
    struct store_fixture fixture;
    struct store_upload *upload;

    fixture_open(&fixture);
    (void)fixture_write(&fixture, STORE_SET, "key", "old", STORE_NO_DEADLINE);
    fixture.recorder.answer = MUTATION_REFUSED;
    upload = received(&fixture, SIZE);
    ck_assert_int_eq(commit(&fixture, &upload, STORE_SET, STORE_NO_DEADLINE), SESS_REFUSED);
    ck_assert_ptr_null(upload);
    fixture.recorder.answer = MUTATION_BUSY;
    upload = received(&fixture, SIZE);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(commit(&fixture, &upload, STORE_SET, STORE_NO_DEADLINE), SESS_BUSY);
        ck_assert_ptr_nonnull(upload);
        ck_assert_uint_eq(budget_used(&fixture.in_flight), ALL + beside(&fixture));
        ck_assert_str_eq(fixture_look(&fixture, "key").value, "old");
    }
    fixture.recorder.answer = MUTATION_ACCEPTED;
    ck_assert_int_eq(commit(&fixture, &upload, STORE_SET, STORE_NO_DEADLINE), SESS_OK);
    assert_stored(&fixture, SIZE);
    fixture.recorder.answer = MUTATION_BUSY;
    upload = received(&fixture, SIZE);
    ck_assert_int_eq(commit(&fixture, &upload, STORE_SET, STORE_NO_DEADLINE), SESS_BUSY);
    store_upload_abort(&upload);
    ck_assert_uint_eq(fixture_look(&fixture, "key").size, SIZE);
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/upload", test_pieces, test_charged_in_steps, test_charged_no_more_than_its_size,
           test_waits_at_the_cap, test_goes_on_when_there_is_room, test_abort_gives_all_back,
           test_too_large, test_begin_without_memory, test_commit_checks_conditions,
           test_hook_is_told_the_value, test_commit_dead_on_arrival, test_commit_without_memory,
           test_commit_busy_keeps_the_upload)
