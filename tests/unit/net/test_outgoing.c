/* Unit tests of sending with a large value by reference, to a socket that takes as much as the test
 * says. */
#include "outgoing.h"

#include "sessiond/store/value.h"
#include "store_fixture.h"
#include "suite_main.h"

#include <stdlib.h>

enum { VALUE_SIZE = OUTGOING_SEND_MAX + 12345, BUDGET = 2 * VALUE_SIZE };

static struct store_fixture store;
static struct budget replies;
static struct command_shared shared;
static struct outgoing outgoing;
static uint8_t *value;

/* The peer: what it was sent, and how many bytes it takes at the next attempt. */
static struct buffer received;
static size_t takes;
static enum sess_status refuses_with;

static enum sess_status take_pieces(struct transport *transport, const struct slice *pieces,
                                    size_t n_pieces, size_t *sent)
{
    (void)transport;
    if (takes == 0) {
        return refuses_with;
    }
    *sent = 0;
    for (size_t i = 0; i < n_pieces && takes > 0; i++) {
        size_t size = pieces[i].size < takes ? pieces[i].size : takes;

        HOT_ASSERT(pieces[i].size > 0);
        HOT_ASSERT(buffer_append(&received, slice_first(pieces[i], size)) == SESS_OK);
        takes -= size;
        *sent += size;
    }
    return SESS_OK;
}

static const struct transport_calls calls = {.send = take_pieces};
static struct transport transport = {.calls = &calls, .fd = -1};

static void prepare(void)
{
    fixture_prepare(&store);
    store.config.max_value_bytes = VALUE_SIZE;
    budget_init(&store.data, (size_t)8 << 20);
    fixture_start(&store);
    budget_init(&replies, BUDGET);
    shared = (struct command_shared){.store = store.store, .replies = &replies};
    refuses_with = SESS_AGAIN;
    value = malloc(VALUE_SIZE);
    ck_assert_ptr_nonnull(value);
    for (size_t i = 0; i < VALUE_SIZE; i++) {
        value[i] = (uint8_t)(i * 31 >> 3);
    }
    ck_assert_int_eq(fixture_write_slice(&store, STORE_SET, "large", slice_of(value, VALUE_SIZE), 0,
                                         STORE_NO_DEADLINE),
                     SESS_OK);
}

static void clean_up(void)
{
    outgoing_release(&outgoing, &shared);
    ck_assert(outgoing_is_empty(&outgoing));
    ck_assert_uint_eq(budget_used(&replies), 0);
    free(value);
    buffer_release(&received);
    fixture_close(&store);
}

/* As the handler of get does. */
static void attach(size_t at)
{
    struct store_reading reading;

    HOT_ASSERT(store_read_begin(store.store, SLICE_LITERAL("large"), 0, store.now_s, &reading) ==
               SESS_OK);
    HOT_ASSERT(reading.block != NULL && value_block_lend(reading.block, &replies));
    outgoing_attach(&outgoing, reading.block, at);
    store_read_end(&reading);
}

static enum sess_status send_some(const char *fresh, size_t most)
{
    size_t sent = 99;
    size_t before = received.size;
    enum sess_status status;

    takes = most;
    status = outgoing_send(&outgoing, &shared, &transport, slice_from_text(fresh), &sent);
    HOT_ASSERT(sent == received.size - before);
    return status;
}

static void expect_received(const char *head, const char *tail)
{
    HOT_ASSERT(received.size == strlen(head) + VALUE_SIZE + strlen(tail));
    HOT_ASSERT(memcmp(received.data, head, strlen(head)) == 0);
    HOT_ASSERT(memcmp(received.data + strlen(head), value, VALUE_SIZE) == 0);
    HOT_ASSERT(memcmp(received.data + strlen(head) + VALUE_SIZE, tail, strlen(tail)) == 0);
    buffer_clear(&received, SIZE_MAX);
}

/* Only bytes: all taken at once; taken in pieces; nothing to send. */
START_TEST(test_bytes)
{
    prepare();
    ck_assert_int_eq(send_some("", 10), SESS_OK);
    ck_assert_int_eq(send_some("all of it;", SIZE_MAX), SESS_OK);
    ck_assert(outgoing_is_empty(&outgoing));
    ck_assert_int_eq(send_some(" some", 2), SESS_OK);
    ck_assert(!outgoing_is_empty(&outgoing));
    ck_assert_int_eq(send_some("", 0), SESS_OK);
    ck_assert_int_eq(send_some("", 2), SESS_OK);
    ck_assert(!outgoing_is_empty(&outgoing));
    ck_assert_int_eq(send_some("", 2), SESS_OK);
    ck_assert(outgoing_is_empty(&outgoing));
    ck_assert_uint_eq(outgoing.unsent.capacity, 0);
    ck_assert_uint_eq(received.size, strlen("all of it; some"));
    ck_assert_mem_eq(received.data, "all of it; some", received.size);
    clean_up();
}
END_TEST

/* The socket stops taking at any place: everything arrives once and in order, and the value is let
 * go when its last byte is sent, not before. */
START_TEST(test_value_in_two_parts)
{
    static const char head[] = "END\r\nVALUE large 0 n\r\n";
    static const char tail[] = "\r\nEND\r\n";
    const size_t value_end = strlen(head) + VALUE_SIZE;
    const size_t all = value_end + strlen(tail);
    const size_t cuts[] = {1,
                           strlen(head) - 1,
                           strlen(head),
                           strlen(head) + 1,
                           OUTGOING_SEND_MAX,
                           value_end - 1,
                           value_end,
                           value_end + 1,
                           all - 1,
                           all};
    char fresh[sizeof head + sizeof tail];

    prepare();
    (void)strcpy(fresh, head);
    (void)strcat(fresh, tail);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        const char *bytes = fresh;

        attach(strlen(head));
        while (received.size < cuts[i]) {
            ck_assert_int_eq(send_some(bytes, cuts[i] - received.size), SESS_OK);
            bytes = "";
        }
        ck_assert_uint_eq(received.size, cuts[i]);
        ck_assert_uint_eq(budget_used(&replies), cuts[i] < value_end ? VALUE_SIZE : 0);
        ck_assert(outgoing_is_empty(&outgoing) == (cuts[i] == all));
        ck_assert_uint_lt(outgoing.unsent.capacity, 1024);
        while (!outgoing_is_empty(&outgoing)) {
            ck_assert_int_eq(send_some("", SIZE_MAX), SESS_OK);
        }
        ck_assert_uint_eq(budget_used(&replies), 0);
        expect_received(head, tail);
    }
    clean_up();
}
END_TEST

/* However little the socket takes at a time; with nothing in front of the value, or nothing behind. */
START_TEST(test_value_in_many_parts)
{
    static const size_t steps[] = {4093, 65536, OUTGOING_SEND_MAX, SIZE_MAX};
    static const struct {
        const char *head;
        const char *tail;
    } rows[] = {{"head", "tail"}, {"", "tail"}, {"head", ""}};

    prepare();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] * (sizeof steps / sizeof steps[0]); i++) {
        const char *head = rows[i % 3].head;
        const char *tail = rows[i % 3].tail;
        size_t step = steps[i / 3];
        char fresh[16];

        (void)strcpy(fresh, head);
        (void)strcat(fresh, tail);
        attach(strlen(head));
        ck_assert_int_eq(send_some(fresh, step), SESS_OK);
        while (!outgoing_is_empty(&outgoing)) {
            size_t before = received.size;

            HOT_ASSERT(send_some("", step) == SESS_OK);
            HOT_ASSERT(received.size - before <= OUTGOING_SEND_MAX + strlen(fresh));
        }
        ck_assert_uint_eq(outgoing.unsent.capacity, 0);
        expect_received(head, tail);
    }
    clean_up();
}
END_TEST

/* Kept whole, because it may not leave yet, then sent like what the socket did not take. */
START_TEST(test_kept)
{
    static const size_t steps[] = {1000, SIZE_MAX};

    prepare();
    ck_assert_int_eq(outgoing_keep(&outgoing, SLICE_LITERAL("bytes")), SESS_OK);
    ck_assert(!outgoing_is_empty(&outgoing));
    ck_assert_int_eq(send_some("", 2), SESS_OK);
    ck_assert_int_eq(send_some("", 3), SESS_OK);
    ck_assert(outgoing_is_empty(&outgoing));
    ck_assert(slice_is(buffer_slice(&received), "bytes"));
    buffer_clear(&received, SIZE_MAX);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        attach(4);
        ck_assert_int_eq(outgoing_keep(&outgoing, SLICE_LITERAL("headtail")), SESS_OK);
        ck_assert_uint_eq(received.size, 0);
        while (!outgoing_is_empty(&outgoing)) {
            ck_assert_int_eq(send_some("", steps[i]), SESS_OK);
        }
        expect_received("head", "tail");
    }
    clean_up();
}
END_TEST

/* The value is overwritten and deleted while it is being sent: the old one arrives, whole. */
START_TEST(test_value_is_overwritten_meanwhile)
{
    prepare();
    attach(4);
    ck_assert_int_eq(send_some("headtail", 1000), SESS_OK);
    ck_assert_int_eq(fixture_write(&store, STORE_SET, "large", "small", STORE_NO_DEADLINE),
                     SESS_OK);
    ck_assert_int_eq(fixture_delete(&store, "large"), SESS_OK);
    while (!outgoing_is_empty(&outgoing)) {
        ck_assert_int_eq(send_some("", 100000), SESS_OK);
    }
    expect_received("head", "tail");
    clean_up();
}
END_TEST

/* The peer is gone, before or in the value: reference and charge go with the connection. */
START_TEST(test_peer_is_gone)
{
    static const size_t taken[] = {0, 3, 1000};

    prepare();
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        attach(4);
        ck_assert_int_eq(send_some("headtail", taken[i]), SESS_OK);
        refuses_with = SESS_IO;
        ck_assert_int_eq(send_some("", 0), SESS_IO);
        refuses_with = SESS_AGAIN;
        ck_assert_uint_eq(budget_used(&replies), VALUE_SIZE);
        outgoing_release(&outgoing, &shared);
        ck_assert_uint_eq(budget_used(&replies), 0);
    }
    clean_up();
}
END_TEST

SUITE_MAIN("net/outgoing", test_bytes, test_value_in_two_parts, test_value_in_many_parts, test_kept,
           test_value_is_overwritten_meanwhile, test_peer_is_gone)
