/* Unit tests of what a connection may hold back when connection-memory is nearly used up: a byte less room than
 * it needs, as much as it needs, and a byte more. */
#include "park_fixture.h"

#include <stdio.h>

static struct parking parking;

#define NET_METRIC(name) metric_read(&parking.worker->loop.metrics.name)

/* Buffers double. The first bytes of each connection are not charged. */
#define CHARGED(capacity) ((size_t)(capacity)-NET_CONNECTION_FREE)

/* All but so much of the connections' memory is used by others. */
static size_t leave_room(size_t bytes)
{
    size_t used = parking.connections.limit - bytes;

    ck_assert(budget_charge(&parking.connections, used));
    return used;
}

static void close_all(size_t used_by_others)
{
    budget_release(&parking.connections, used_by_others);
    parking_close(&parking, WORKER_STOP);
}

/* A value that has begun to arrive, and its end. */
START_TEST(test_unread)
{
    enum { SIZE = 3000 };
    static char block[SIZE];

    memset(block, 'x', sizeof block);
    for (int more = -1; more <= 1; more++) {
        size_t used;
        int fd;

        parking_prepare(&parking);
        parking.journal.durable = UINT64_MAX;
        used = leave_room(CHARGED(4096) + (size_t)more);
        parking_start(&parking);
        fd = parking_connect(&parking);
        send_bytes(fd, "set k 0 0 3000\r\nxx", 18);
        WAIT_UNTIL(NET_METRIC(bytes_read) == 18);
        send_bytes(fd, block, SIZE - 100);
        if (more < 0) {
            expect_end(fd);
        } else {
            WAIT_UNTIL(budget_used(&parking.connections) == used + CHARGED(4096));
            send_bytes(fd, block, 98);
            send_text(fd, "\r\n");
            expect_text(fd, "STORED\r\n");
            WAIT_UNTIL(budget_used(&parking.connections) == used);
        }
        ck_assert_uint_eq(NET_METRIC(closed_for_memory), more < 0);
        close_all(used);
        if (more >= 0) {
            expect_end(fd);
        }
    }
}
END_TEST

/* Replies that may not leave yet. */
START_TEST(test_unsent)
{
    enum { N_VERSIONS = 100 }; /* 1,608 bytes of replies */

    for (int more = -1; more <= 1; more++) {
        char request[sizeof SET + N_VERSIONS * sizeof "version\r\n"] = SET;
        size_t used;
        int fd;

        parking_prepare(&parking);
        used = leave_room(CHARGED(2048) + (size_t)more);
        parking_start(&parking);
        fd = parking_connect(&parking);
        for (int i = 0; i < N_VERSIONS; i++) {
            strcat(request, "version\r\n");
        }
        send_text(fd, request);
        if (more < 0) {
            expect_end(fd);
        } else {
            expect_parked(&parking, 1);
            ck_assert_uint_eq(budget_used(&parking.connections), used + CHARGED(2048));
            journal_release(&parking.journal);
            expect_text(fd, "STORED\r\n");
            for (int i = 0; i < N_VERSIONS; i++) {
                expect_text(fd, "VERSION 1.6.18\r\n");
            }
        }
        ck_assert_uint_eq(NET_METRIC(closed_for_memory), more < 0);
        close_all(used);
        if (more >= 0) {
            expect_end(fd);
        }
    }
}
END_TEST

SUITE_MAIN("net/connection", test_unread, test_unsent)
