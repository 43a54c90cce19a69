/* Unit tests of dumps of a store in use: whole, bounded in each piece, and never holding up anybody. */
#include "sessiond/journal/dump_stream.h"

#include "sessiond/journal/dump.h"

#include "faults.h"
#include "store_fixture.h"
#include "suite_main.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LARGE = 200000,
    KEYS_MAX = 20000,
    PIECES_MAX = 100000,
};

static struct store_fixture fixture;
static struct budget replies;
static uint8_t large_value[LARGE];

/* What came of a dump. */
struct tape {
    struct buffer bytes;
    size_t position;
};

static enum sess_status tape_read(void *context, void *to, size_t size, size_t *got,
                                  struct sess_error *error)
{
    struct tape *tape = context;
    struct slice rest = slice_from(buffer_slice(&tape->bytes), tape->position);

    (void)error;
    *got = rest.size < size ? rest.size : size;
    memcpy(to, rest.data, *got);
    tape->position += *got;
    return SESS_OK;
}

static void open_store(size_t replies_limit)
{
    fixture_open(&fixture);
    budget_init(&replies, replies_limit);
    memset(large_value, 'v', sizeof large_value);
}

static struct stream *begin(void)
{
    struct stream *stream = NULL;

    ck_assert_int_eq(dump_stream_begin(fixture.store, &replies, 77, &stream), SESS_OK);
    return stream;
}

/* One more piece onto the tape; it is no larger than it may be. */
static enum sess_status more(struct stream *stream, struct tape *tape)
{
    size_t before = tape->bytes.size;
    enum sess_status status = stream_next(stream, &tape->bytes);

    HOT_ASSERT(tape->bytes.size - before <= STREAM_PIECE_MAX);
    return status;
}

static void finish(struct stream **stream, struct tape *tape)
{
    enum sess_status status = SESS_OK;

    for (unsigned i = 0; status == SESS_OK; i++) {
        HOT_ASSERT(i < PIECES_MAX);
        status = more(*stream, tape);
    }
    ck_assert_int_eq(status, SESS_NOT_FOUND);
    stream_end(stream);
    ck_assert_uint_eq(budget_used(&replies), 0);
}

/* Called for each session of a tape, which must be whole. */
typedef void (*entry_fn)(const struct dump_entry *entry);

static size_t read_all(struct tape *tape, entry_fn visit)
{
    struct dump_reader reader;
    struct dump_entry entry;
    struct sess_error error;
    size_t n = 0;
    enum sess_status status = dump_reader_begin(&reader, tape_read, tape, &error);

    ck_assert_int_eq(status, SESS_OK);
    ck_assert_int_eq(reader.created_s, 77);
    while ((status = dump_reader_next(&reader, &entry, &error)) == SESS_OK) {
        visit(&entry);
        n++;
    }
    ck_assert_int_eq(status, SESS_NOT_FOUND);
    dump_reader_fini(&reader);
    buffer_release(&tape->bytes);
    return n;
}

static void any(const struct dump_entry *entry)
{
    (void)entry;
}

static unsigned times[KEYS_MAX];

/* Of keys key-N. */
static void count_number(const struct dump_entry *entry)
{
    unsigned number = 0;

    for (size_t i = 4; i < entry->key.size; i++) {
        number = number * 10 + (unsigned)(entry->key.data[i] - '0');
    }
    HOT_ASSERT(number < KEYS_MAX && entry->flags == number);
    times[number]++;
}

static void store_numbers(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        HOT_ASSERT(fixture_write_slice(&fixture, STORE_SET, fixture_numbered(i),
                                       slice_from_text("a value"), i,
                                       STORE_NO_DEADLINE) == SESS_OK);
    }
}

START_TEST(nothing_makes_a_whole_dump)
{
    struct tape tape = {.position = 0};
    struct stream *stream;

    open_store(1 << 20);
    stream = begin();
    finish(&stream, &tape);
    ck_assert_uint_eq(read_all(&tape, any), 0);
    fixture_close(&fixture);
}
END_TEST

static void store_each_kind(void)
{
    struct store_removal removal = {.key = slice_from_text("stale"), .invalidates = true};
    struct store_write own = {.key = slice_from_text("own"),
                              .value = slice_from_text("id"),
                              .expiry = store_expiry_at(STORE_NO_DEADLINE),
                              .new_cas = UINT64_MAX - 1};

    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "plain", slice_from_text("\r\nEND\0"),
                                         7, FIXTURE_NOW_S + 5),
                     SESS_OK);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "stale", "before", STORE_NO_DEADLINE),
                     SESS_OK);
    ck_assert_int_eq(store_remove(fixture.store, &removal, FIXTURE_NOW_S, &fixture.outcome),
                     SESS_OK);
    ck_assert_int_eq(store_write(fixture.store, &own, FIXTURE_NOW_S, &fixture.outcome), SESS_OK);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "large",
                                         slice_of(large_value, sizeof large_value), 9,
                                         FIXTURE_NOW_S + 9),
                     SESS_OK);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "gone", "x", STORE_NO_DEADLINE), SESS_OK);
    ck_assert_int_eq(fixture_delete(&fixture, "gone"), SESS_OK);
}

static void judge_kind(const struct dump_entry *entry)
{
    bool is_stale = slice_is(entry->key, "stale");
    bool is_own = slice_is(entry->key, "own");

    ck_assert(!slice_is(entry->key, "gone"));
    ck_assert_int_eq(entry->marks.is_stale, is_stale);
    ck_assert_int_eq(entry->marks.has_winner, false);
    ck_assert_int_eq(entry->marks.is_clients_cas, is_own);
    if (slice_is(entry->key, "plain")) {
        ck_assert(slice_is(entry->value, "\r\nEND\0"));
        ck_assert_uint_eq(entry->flags, 7);
        ck_assert_int_eq(entry->deadline_s, FIXTURE_NOW_S + 5);
        ck_assert_uint_eq(entry->cas, fixture_look(&fixture, "plain").cas);
    } else if (is_own) {
        ck_assert_uint_eq(entry->cas, UINT64_MAX - 1);
        ck_assert_int_eq(entry->deadline_s, STORE_NO_DEADLINE);
    } else if (!is_stale) {
        ck_assert(slice_equal(entry->value, slice_of(large_value, sizeof large_value)));
        ck_assert_uint_eq(entry->flags, 9);
        ck_assert_int_eq(entry->deadline_s, FIXTURE_NOW_S + 9);
    }
}

/* Values, flags, deadlines, ids and marks; large values in chunks. */
START_TEST(all_that_a_session_has_is_told)
{
    struct tape tape = {.position = 0};
    struct stream *stream;

    open_store(1 << 20);
    store_each_kind();
    stream = begin();
    finish(&stream, &tape);
    ck_assert_uint_eq(read_all(&tape, judge_kind), 4);
    fixture_close(&fixture);
}
END_TEST

/* What was there and stays is told, while the index grows and others come and go. */
START_TEST(what_stays_is_told_while_others_change)
{
    enum { STAY = 4000, MORE = 100 };
    struct tape tape = {.position = 0};
    struct stream *stream;
    unsigned number = STAY;

    open_store(1 << 20);
    memset(times, 0, sizeof times);
    store_numbers(0, STAY);
    stream = begin();
    while (more(stream, &tape) == SESS_OK) {
        if (number + MORE < KEYS_MAX) {
            store_numbers(number, number + MORE);
            (void)!fixture_delete(&fixture, fixture_numbered(number));
            number += MORE;
        }
    }
    stream_end(&stream);
    ck_assert_uint_gt(number, STAY + MORE);
    ck_assert_uint_ge(read_all(&tape, count_number), STAY);
    for (unsigned i = 0; i < STAY; i++) {
        HOT_ASSERT(times[i] >= 1);
    }
    fixture_close(&fixture);
}
END_TEST

/* Small values up to the largest of them: what does not fit a piece any more comes with a later one. */
START_TEST(what_does_not_fit_a_piece_comes_later)
{
    enum { N = 3000 };
    struct tape tape = {.position = 0};
    struct stream *stream;

    open_store(1 << 20);
    memset(times, 0, sizeof times);
    for (unsigned i = 0; i < N; i++) {
        HOT_ASSERT(fixture_write_slice(&fixture, STORE_SET, fixture_numbered(i),
                                       slice_of(large_value, i % 2 == 0 ? 16000 : 17000), i,
                                       STORE_NO_DEADLINE) == SESS_OK);
    }
    stream = begin();
    finish(&stream, &tape);
    ck_assert_uint_eq(read_all(&tape, count_number), N);
    for (unsigned i = 0; i < N; i++) {
        HOT_ASSERT(times[i] == 1);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_was_flushed_is_not_told)
{
    struct tape tape = {.position = 0};
    struct stream *stream;

    open_store(1 << 20);
    store_numbers(0, 100);
    ck_assert_int_eq(fixture_flush(&fixture, FIXTURE_NOW_S), SESS_OK);
    store_numbers(100, 110);
    memset(times, 0, sizeof times);
    stream = begin();
    finish(&stream, &tape);
    ck_assert_uint_eq(read_all(&tape, count_number), 10);
    ck_assert_uint_eq(times[0], 0);
    fixture_close(&fixture);
}
END_TEST

/* A dump of each kind, up to its large value: for that the replies have no room. */
static struct stream *begin_stalled(struct tape *tape)
{
    struct stream *stream;
    enum sess_status status = SESS_OK;

    open_store(LARGE + 1000);
    store_each_kind();
    ck_assert(budget_charge(&replies, 2000));
    stream = begin();
    for (unsigned i = 0; status == SESS_OK && i < PIECES_MAX; i++) {
        status = more(stream, tape);
    }
    ck_assert_int_eq(status, SESS_BUSY);
    return stream;
}

/* A large value waits until replies have room for it, and says nothing meanwhile. */
START_TEST(a_large_value_waits_for_room)
{
    struct tape tape = {.position = 0};
    struct stream *stream = begin_stalled(&tape);
    size_t size = tape.bytes.size;

    ck_assert_int_eq(more(stream, &tape), SESS_BUSY);
    ck_assert_uint_eq(tape.bytes.size, size);
    budget_release(&replies, 2000);
    finish(&stream, &tape);
    ck_assert_uint_eq(read_all(&tape, judge_kind), 4);
    fixture_close(&fixture);
}
END_TEST

/* It ends before its large value comes: it is not told. */
START_TEST(what_ends_meanwhile_is_left_out)
{
    struct tape tape = {.position = 0};
    struct stream *stream = begin_stalled(&tape);

    ck_assert_int_eq(fixture_delete(&fixture, "large"), SESS_OK);
    budget_release(&replies, 2000);
    finish(&stream, &tape);
    ck_assert_uint_eq(read_all(&tape, judge_kind), 3);
    fixture_close(&fixture);
}
END_TEST

/* One larger than all replies may be together is told all the same. What is under way when the dump is given up is
 * given back: fixture_close looks. */
START_TEST(what_is_lent_is_given_back)
{
    struct tape tape = {.position = 0};
    struct stream *stream;

    open_store(1000);
    store_each_kind();
    stream = begin();
    for (unsigned i = 0; budget_used(&replies) == 0; i++) {
        HOT_ASSERT(i < PIECES_MAX);
        ck_assert_int_eq(more(stream, &tape), SESS_OK);
    }
    ck_assert_uint_eq(budget_used(&replies), LARGE);
    ck_assert_int_eq(more(stream, &tape), SESS_OK);
    stream_end(&stream);
    ck_assert_ptr_null(stream);
    ck_assert_uint_eq(budget_used(&replies), 0);
    buffer_release(&tape.bytes);
    fixture_close(&fixture);
}
END_TEST

/* Each allocation fails once: the dump is not begun, or ends, or is whole; never is it cut and looks whole. */
START_TEST(no_memory_is_no_dump)
{
    open_store(1 << 20);
    store_each_kind();
    for (unsigned n = 1;; n++) {
        struct tape tape = {.position = 0};
        struct stream *stream = NULL;
        enum sess_status status;
        unsigned n_failed;

        faults_fail_allocation(n);
        status = dump_stream_begin(fixture.store, &replies, 77, &stream);
        while (status == SESS_OK) {
            status = more(stream, &tape);
        }
        n_failed = faults_failed_allocations();
        faults_fail_allocation(0);
        stream_end(&stream);
        ck_assert_uint_eq(budget_used(&replies), 0);
        if (n_failed == 0) {
            ck_assert_int_eq(status, SESS_NOT_FOUND);
            ck_assert_uint_eq(read_all(&tape, judge_kind), 4);
            ck_assert_uint_gt(n, 3);
            break;
        }
        ck_assert_int_eq(status, SESS_NO_MEMORY);
        buffer_release(&tape.bytes);
    }
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("journal/dump_stream", nothing_makes_a_whole_dump, all_that_a_session_has_is_told,
           what_stays_is_told_while_others_change, what_does_not_fit_a_piece_comes_later,
           what_was_flushed_is_not_told, a_large_value_waits_for_room,
           what_ends_meanwhile_is_left_out, what_is_lent_is_given_back, no_memory_is_no_dump)
