/* Unit tests of connections that end while their replies wait for the disk. */
#include "park_fixture.h"

static struct parking parking;

#define NET_METRIC(name) metric_read(&parking.worker->loop.metrics.name)
#define COMMAND_METRIC(name) metric_read(&parking.worker->loop.context.metrics.name)

static void release(void)
{
    journal_release(&parking.journal);
}

/* Many replies in one turn: more than a connection may always hold back. */
static void send_long(int fd)
{
    char text[900] = SET;

    while (strlen(text) < sizeof text - 16) {
        strcat(text, "version\r\n");
    }
    send_text(fd, text);
}

/* There is no memory to keep the replies: the connection is closed unanswered. */
START_TEST(test_closed_for_memory)
{
    int fd;

    parking_prepare(&parking);
    ck_assert(budget_charge(&parking.connections, parking.connections.limit - 100));
    parking_start(&parking);
    fd = parking_connect(&parking);
    send_long(fd);
    expect_end(fd);
    ck_assert_uint_eq(NET_METRIC(closed_for_memory), 1);
    ck_assert_uint_eq(COMMAND_METRIC(cmd_set), 1);
    budget_release(&parking.connections, parking.connections.limit - 100);
    parking_close(&parking, WORKER_STOP);
}
END_TEST

/* Others have used up all there is: a short reply waits all the same. */
START_TEST(test_short_reply_finds_room)
{
    int fd;

    parking_prepare(&parking);
    ck_assert(budget_charge(&parking.connections, parking.connections.limit));
    parking_start(&parking);
    fd = parking_connect(&parking);
    send_text(fd, SET);
    expect_parked(&parking, 1);
    release();
    expect_text(fd, "STORED\r\n");
    ck_assert_uint_eq(NET_METRIC(closed_for_memory), 0);
    budget_release(&parking.connections, parking.connections.limit);
    parking_close(&parking, WORKER_STOP);
    expect_end(fd);
}
END_TEST

/* Replies that wait are charged, but for the first few bytes. */
START_TEST(test_waiting_replies_are_charged)
{
    int fd;

    parking_open(&parking);
    fd = parking_connect(&parking);
    send_long(fd);
    expect_parked(&parking, 1);
    ck_assert_uint_gt(budget_used(&parking.connections), 1024);
    parking_close(&parking, WORKER_ABANDON);
    expect_end(fd);
    ck_assert_uint_eq(budget_used(&parking.connections), 0);
}
END_TEST

/* The client's time stands while it waits for the disk, and begins anew afterwards. */
START_TEST(test_time_stands)
{
    int fd;

    parking_prepare(&parking);
    parking_set(&parking, "command-timeout", "100ms");
    parking_start(&parking);
    fd = parking_connect(&parking);
    send_text(fd, SET "get");
    expect_parked(&parking, 1);
    (void)usleep(300 * 1000);
    expect_parked(&parking, 1);
    ck_assert_uint_eq(NET_METRIC(idle_kicks), 0);
    release();
    expect_text(fd, "STORED\r\n");
    expect_end(fd);
    ck_assert_uint_eq(NET_METRIC(idle_kicks), 1);
    parking_close(&parking, WORKER_STOP);
}
END_TEST

/* A client that has gone meanwhile is noticed when its reply is sent; one that has only said its last
 * word still gets it. */
START_TEST(test_client_gone)
{
    int gone;
    int half;

    parking_open(&parking);
    gone = parking_connect(&parking);
    half = parking_connect(&parking);
    send_text(gone, SET);
    send_text(half, SET);
    expect_parked(&parking, 2);
    ck_assert_int_eq(close(gone), 0);
    ck_assert_int_eq(shutdown(half, SHUT_WR), 0);
    expect_silence(half);
    release();
    expect_text(half, "STORED\r\n");
    expect_end(half);
    WAIT_UNTIL(NET_METRIC(curr_connections) == 0);
    parking_close(&parking, WORKER_STOP);
}
END_TEST

/* Last words: with a reply it waits, without one nobody is told anything. */
START_TEST(test_quit)
{
    int fd;
    int silent;

    parking_open(&parking);
    fd = parking_connect(&parking);
    silent = parking_connect(&parking);
    send_text(fd, SET "quit\r\n");
    expect_parked(&parking, 1);
    expect_silence(fd);
    send_text(silent, SET_SILENTLY "quit\r\n");
    expect_end(silent);
    /* What comes behind a quit must not cost the client its reply. */
    send_text(fd, "version\r\n");
    release();
    expect_text(fd, "STORED\r\n");
    expect_end(fd);
    parking_close(&parking, WORKER_STOP);
}
END_TEST

/* The stop waits for the disk, but not for ever. */
START_TEST(test_stop_timeout)
{
    int fd;

    parking_prepare(&parking);
    parking_set(&parking, "stop-timeout", "100ms");
    parking_start(&parking);
    fd = parking_connect(&parking);
    send_text(fd, SET);
    expect_parked(&parking, 1);
    parking_close(&parking, WORKER_STOP);
    expect_end(fd);
}
END_TEST

/* A reply that may leave while the worker stops does, and what has arrived behind it is answered. */
START_TEST(test_stop_with_release)
{
    int fd;
    int idle;

    parking_open(&parking);
    fd = parking_connect(&parking);
    idle = parking_connect(&parking);
    send_text(fd, SET);
    expect_parked(&parking, 1);
    send_text(fd, "version\r\n");
    worker_ask_stop(parking.worker, WORKER_STOP);
    /* It has begun to stop. */
    expect_end(idle);
    expect_silence(fd);
    release();
    expect_text(fd, "STORED\r\nVERSION 1.6.18\r\n");
    expect_end(fd);
    parking_close(&parking, WORKER_STOP);
}
END_TEST

/* Accepted just before the listeners closed, and taken up behind the others: it ends as those do, and holds up
 * nobody until the stop's time is over. */
START_TEST(test_one_that_comes_while_it_stops)
{
    int parked;
    int idle;
    int silent;

    parking_open(&parking);
    idle = parking_connect(&parking);
    parked = parking_connect(&parking);
    send_text(parked, SET);
    expect_parked(&parking, 1);
    worker_ask_stop(parking.worker, WORKER_STOP);
    expect_end(idle);
    silent = parking_connect(&parking);
    expect_end(silent);
    release();
    expect_text(parked, "STORED\r\n");
    expect_end(parked);
    parking_close(&parking, WORKER_STOP);
}
END_TEST

/* The journal has failed: nobody gets an answer. */
START_TEST(test_abandon)
{
    int fd;
    int idle;

    parking_open(&parking);
    fd = parking_connect(&parking);
    idle = parking_connect(&parking);
    send_text(idle, "version\r\n");
    expect_text(idle, "VERSION 1.6.18\r\n");
    send_text(fd, SET);
    expect_parked(&parking, 1);
    parking_close(&parking, WORKER_ABANDON);
    expect_end(fd);
    expect_end(idle);
}
END_TEST

SUITE_MAIN("net/park_end", test_closed_for_memory, test_short_reply_finds_room,
           test_waiting_replies_are_charged, test_time_stands, test_client_gone, test_quit,
           test_stop_timeout, test_stop_with_release, test_one_that_comes_while_it_stops,
           test_abandon)
