/* Unit tests of the share of a turn: one below each of its limits, at it and one above. A turn that ends
 * before all that has arrived is run counts as a yield. */
#include "park_fixture.h"

#include <stdio.h>

/* Bytes of a value that is copied into the replies, as larger ones are not in a store of this size, and
 * those around it. */
enum { PIECE = 1400, AROUND = sizeof "VALUE a 0 1400\r\n\r\nEND\r\n" - 1 };

static struct parking parking;

#define NET_METRIC(name) metric_read(&parking.worker->loop.metrics.name)

static void open(const char *output_limit)
{
    parking_prepare(&parking);
    parking.journal.durable = UINT64_MAX;
    parking_set(&parking, "output-limit", output_limit);
    parking_start(&parking);
}

static void store(int fd, char key, size_t size)
{
    static char request[2 * PIECE + 64];
    int used = snprintf(request, sizeof request, "set %c 0 0 %zu\r\n", key, size);

    ck_assert_int_gt(used, 0);
    memset(request + used, key, size);
    memcpy(request + used + size, "\r\n", 2);
    send_bytes(fd, request, (size_t)used + size + 2);
    expect_text(fd, "STORED\r\n");
}

static void expect_value(int fd, char key, size_t size)
{
    static char value[2 * PIECE];
    char head[32];

    (void)snprintf(head, sizeof head, "VALUE %c 0 %zu\r\n", key, size);
    expect_text(fd, head);
    memset(value, key, size);
    expect_bytes(fd, value, size);
    expect_text(fd, "\r\nEND\r\n");
}

/* Replies of as many bytes as a turn may make, and a request behind them. */
START_TEST(test_bytes)
{
    static const struct {
        const char *output_limit;
        size_t bytes;
    } rows[] = {
        {"64k", 65536}, {"100000", 100000}, {"128k", LOOP_OUTPUT_SHARE}, {"1m", LOOP_OUTPUT_SHARE}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] * 3; i++) {
        size_t bytes = rows[i / 3].bytes + i % 3 - 1;
        size_t n = bytes / (PIECE + AROUND) - 1;
        size_t last = bytes - n * (PIECE + AROUND) - AROUND; /* of four digits, too */
        char request[1024] = "";
        int fd;

        open(rows[i / 3].output_limit);
        fd = parking_connect(&parking);
        store(fd, 'a', PIECE);
        store(fd, 'l', last);
        for (size_t got = 0; got < n; got++) {
            strcat(request, "get a\r\n");
        }
        strcat(request, "get l\r\nversion\r\n");
        send_text(fd, request);
        for (size_t got = 0; got < n; got++) {
            expect_value(fd, 'a', PIECE);
        }
        expect_value(fd, 'l', last);
        expect_text(fd, "VERSION 1.6.18\r\n");
        ck_assert_msg(NET_METRIC(conn_yields) == (i % 3 > 0), "row %zu: %zu bytes", i, bytes);
        parking_close(&parking, WORKER_STOP);
        expect_end(fd);
    }
}
END_TEST

/* As many requests as a turn may run: nobody waits behind them unless there are more. */
START_TEST(test_requests)
{
    for (size_t n = NET_TURN_COMMANDS - 1; n <= NET_TURN_COMMANDS + 1; n++) {
        char request[(NET_TURN_COMMANDS + 1) * sizeof "mn\r\n"] = "";
        int fd;

        open("1m");
        fd = parking_connect(&parking);
        for (size_t i = 0; i < n; i++) {
            strcat(request, "mn\r\n");
        }
        send_text(fd, request);
        for (size_t i = 0; i < n; i++) {
            expect_text(fd, "MN\r\n");
        }
        ck_assert_uint_eq(NET_METRIC(conn_yields), n > NET_TURN_COMMANDS);
        parking_close(&parking, WORKER_STOP);
        expect_end(fd);
    }
}
END_TEST

/* A client that reads nothing makes the daemon hold back what one turn makes, and no more. */
START_TEST(test_nothing_is_made_for_who_does_not_read)
{
    enum { N_GETS = 1000 };
    char request[N_GETS * sizeof "get a\r\n"] = "";
    uint64_t n_made;
    int fd;

    open("64k");
    fd = parking_connect(&parking);
    store(fd, 'a', PIECE);
    for (size_t i = 0; i < N_GETS; i++) {
        strcat(request, "get a\r\n");
    }
    send_text(fd, request);
    WAIT_UNTIL(budget_used(&parking.connections) > 0);
    n_made = metric_read(&parking.worker->loop.context.metrics.cmd_get);
    ck_assert_uint_lt(n_made, N_GETS);
    /* Its unsent replies and its requests that wait, in buffers that double. */
    ck_assert_uint_le(budget_used(&parking.connections), (size_t)2 * 65536 + 1024);
    for (size_t i = 0; i < N_GETS; i++) {
        expect_value(fd, 'a', PIECE);
    }
    WAIT_UNTIL(budget_used(&parking.connections) == 0);
    parking_close(&parking, WORKER_STOP);
    expect_end(fd);
}
END_TEST

SUITE_MAIN("net/turn", test_bytes, test_requests, test_nothing_is_made_for_who_does_not_read)
