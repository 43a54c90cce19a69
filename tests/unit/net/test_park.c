/* Unit tests of replies that wait for the disk. */
#include "park.h"

#include "conns.h"
#include "park_fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { LARGE = 300000 };

static struct parking parking;

#define NET_METRIC(name) metric_read(&parking.worker->loop.metrics.name)
#define COMMAND_METRIC(name) metric_read(&parking.worker->loop.context.metrics.name)

static void release(void)
{
    journal_release(&parking.journal);
}

static unsigned asked(void)
{
    return journal_read(&parking.journal, &parking.journal.n_asked);
}

static bool is_shown_as(const char *state)
{
    struct report report = {.is_cut = false};
    bool is_shown = false;
    size_t position = 0;
    struct slice name;
    struct slice value;

    (void)conns_report_loop(&report, &parking.worker->loop, 0);
    while (report_next(&report, &position, &name, &value)) {
        is_shown = is_shown || slice_equal(value, slice_from_text(state));
    }
    report_release(&report);
    return is_shown;
}

/* A reply to a change leaves when the change is durable, the next one waits anew. */
START_TEST(test_reply_waits)
{
    int fd;

    parking_open(&parking);
    fd = parking_connect(&parking);
    for (unsigned i = 1; i <= 3; i++) {
        send_text(fd, SET);
        expect_parked(&parking, 1);
        expect_silence(fd);
        ck_assert_uint_eq(budget_used(&parking.connections), 0);
        ck_assert(is_shown_as("conn_io_pending"));
        ck_assert_uint_eq(NET_METRIC(conn_parked), i);
        release();
        expect_text(fd, "STORED\r\n");
        send_text(fd, "version\r\n");
        expect_text(fd, "VERSION 1.6.18\r\n");
        expect_parked(&parking, 0);
        WAIT_UNTIL(is_shown_as("conn_waiting"));
        ck_assert_uint_eq(budget_used(&parking.connections), 0);
    }
    parking_close(&parking, WORKER_STOP);
    expect_end(fd);
}
END_TEST

/* The journal is asked once a turn when all may leave, and not at all where nothing is to wait for. */
START_TEST(test_asked_once_a_turn)
{
    int fd;

    parking_prepare(&parking);
    parking.journal.durable = UINT64_MAX;
    parking_start(&parking);
    fd = parking_connect(&parking);
    send_text(fd, "version\r\nget k\r\n");
    expect_text(fd, "VERSION 1.6.18\r\nEND\r\n");
    ck_assert_uint_eq(asked(), 0);
    for (unsigned i = 1; i <= 10; i++) {
        send_text(fd, SET);
        expect_text(fd, "STORED\r\n");
        ck_assert_uint_eq(asked(), i);
    }
    ck_assert_uint_eq(NET_METRIC(conn_parked), 0);
    parking_close(&parking, WORKER_STOP);
    expect_end(fd);
}
END_TEST

/* A change that is not answered is told to the journal in its turn, and the connection's next reply
 * waits for it, whatever that reply is; another connection's does not. */
START_TEST(test_noreply_then_read)
{
    static const struct {
        const char *text;
        const char *reply;
    } rows[] = {{"get k\r\n", HIT}, {"version\r\n", "VERSION 1.6.18\r\n"}, {"x\r\n", "ERROR\r\n"}};
    int fd;
    int other;

    parking_open(&parking);
    fd = parking_connect(&parking);
    other = parking_connect(&parking);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned before = asked();

        send_text(fd, SET_SILENTLY);
        WAIT_UNTIL(asked() == before + 1);
        send_text(fd, rows[i].text);
        expect_parked(&parking, 1);
        expect_silence(fd);
        send_text(other, "get k\r\n");
        expect_text(other, HIT);
        expect_silence(fd);
        release();
        expect_text(fd, rows[i].reply);
        expect_parked(&parking, 0);
    }
    parking_close(&parking, WORKER_STOP);
    expect_end(fd);
    expect_end(other);
}
END_TEST

/* A key of a shard that was never changed. */
static void find_other_key(char *key, size_t size)
{
    struct store_reading reading = {.outcome = {.ticket = 1}};

    for (unsigned i = 0; reading.outcome.ticket > 0; i++) {
        HOT_ASSERT(i < 1000);
        (void)snprintf(key, size, "other-%u", i);
        HOT_ASSERT(store_read_begin(parking.commands.store.store, slice_from_text(key), 0,
                                    FIXTURE_NOW_S, &reading) == SESS_NOT_FOUND);
    }
}

/* Where the journal waits for what is seen, so do looks, and misses too, but only in the changed shard. */
START_TEST(test_reads_of_an_unsynced_shard)
{
    static const char *const looks[] = {"get k\r\n", "gets none k\r\n"};
    static const char *const replies[] = {HIT, "VALUE k 0 1 1\r\nx\r\nEND\r\n"};
    char key[32];
    char line[64];
    int fds[3];

    parking_prepare(&parking);
    parking.journal.waits_for_seen = true;
    parking_start(&parking);
    fds[0] = parking_connect(&parking);
    send_text(fds[0], SET);
    expect_parked(&parking, 1);
    find_other_key(key, sizeof key);
    (void)snprintf(line, sizeof line, "get %s\r\n", key);
    for (unsigned i = 1; i <= 2; i++) {
        fds[i] = parking_connect(&parking);
        send_text(fds[i], line);
        expect_text(fds[i], "END\r\n");
        send_text(fds[i], looks[i - 1]);
        expect_parked(&parking, i + 1);
        expect_silence(fds[i]);
    }
    release();
    expect_text(fds[0], "STORED\r\n");
    for (unsigned i = 1; i <= 2; i++) {
        expect_text(fds[i], replies[i - 1]);
    }
    parking_close(&parking, WORKER_STOP);
    for (size_t i = 0; i < 3; i++) {
        expect_end(fds[i]);
    }
}
END_TEST

/* What was read with the parked requests has run; what comes behind them has not, read or not. */
START_TEST(test_pipeline_waits)
{
    enum { N = NET_TURN_COMMANDS + 72 };
    int fd;

    parking_open(&parking);
    fd = parking_connect(&parking);
    for (unsigned i = 0; i < N; i++) {
        char line[64];

        (void)snprintf(line, sizeof line, "set key-%u 0 0 1\r\nx\r\n", i);
        send_text(fd, line);
        if (i == 0) {
            expect_parked(&parking, 1);
        }
    }
    ck_assert_uint_eq(COMMAND_METRIC(cmd_set), 1);
    expect_silence(fd);
    release();
    expect_text(fd, "STORED\r\n");
    /* One recv has all of them, one turn does not. */
    WAIT_UNTIL(COMMAND_METRIC(cmd_set) == 1 + NET_TURN_COMMANDS);
    expect_parked(&parking, 1);
    ck_assert_uint_eq(NET_METRIC(conn_yields), 1);
    expect_silence(fd);
    ck_assert_uint_eq(COMMAND_METRIC(cmd_set), 1 + NET_TURN_COMMANDS);
    release();
    for (unsigned i = 0; i < NET_TURN_COMMANDS; i++) {
        expect_text(fd, "STORED\r\n");
    }
    WAIT_UNTIL(COMMAND_METRIC(cmd_set) == N);
    expect_parked(&parking, 1);
    release();
    for (unsigned i = 1 + NET_TURN_COMMANDS; i < N; i++) {
        expect_text(fd, "STORED\r\n");
    }
    parking_close(&parking, WORKER_STOP);
    expect_end(fd);
}
END_TEST

/* A large value is on its way in whole, then on its way out, and waits attached to its reply. */
START_TEST(test_large_value)
{
    static char value[LARGE + 1];
    int fd;

    memset(value, 'v', LARGE);
    parking_open(&parking);
    fd = parking_connect(&parking);
    send_text(fd, "set k 0 0 300000\r\n");
    send_bytes(fd, value, LARGE);
    send_text(fd, "\r\n");
    expect_parked(&parking, 1);
    expect_silence(fd);
    release();
    expect_text(fd, "STORED\r\n");
    expect_parked(&parking, 0);
    for (unsigned i = 0; i < 2; i++) {
        send_text(fd, "gat 1000 k\r\n");
        expect_parked(&parking, 1);
        expect_silence(fd);
        ck_assert_uint_ge(budget_used(&parking.commands.replies), LARGE);
        if (i == 0) {
            clock_advance(parking.clock, 1000);
            release();
            expect_text(fd, "VALUE k 0 300000\r\n");
            expect_bytes(fd, value, LARGE);
            expect_text(fd, "\r\nEND\r\n");
        }
    }
    /* Closed while it waits: fixture and sanitizer see that nothing stays. */
    parking_close(&parking, WORKER_ABANDON);
    expect_end(fd);
}
END_TEST

/* Large values for several clients in one turn are sent before its end, by the same rule. */
START_TEST(test_large_values_in_one_turn)
{
    enum { N_READERS = 3 };
    static char value[LARGE + 1];
    int fds[N_READERS];
    int writer;

    memset(value, 'v', LARGE);
    parking_open(&parking);
    writer = parking_connect(&parking);
    send_text(writer, "set large 0 0 300000\r\n");
    send_bytes(writer, value, LARGE);
    send_text(writer, "\r\n");
    expect_parked(&parking, 1);
    release();
    expect_text(writer, "STORED\r\n");
    for (size_t i = 0; i < N_READERS; i++) {
        fds[i] = parking_connect(&parking);
    }
    /* The worker stands in the journal until all of them have asked. */
    (void)pthread_mutex_lock(&parking.journal.lock);
    send_text(writer, SET);
    for (size_t i = 0; i < N_READERS; i++) {
        send_text(fds[i], "gat 1000 large\r\n");
    }
    (void)pthread_mutex_unlock(&parking.journal.lock);
    expect_parked(&parking, 1 + N_READERS);
    release();
    expect_text(writer, "STORED\r\n");
    for (size_t i = 0; i < N_READERS; i++) {
        expect_text(fds[i], "VALUE large 0 300000\r\n");
        expect_bytes(fds[i], value, LARGE);
        expect_text(fds[i], "\r\nEND\r\n");
    }
    parking_close(&parking, WORKER_STOP);
    expect_end(writer);
    for (size_t i = 0; i < N_READERS; i++) {
        expect_end(fds[i]);
    }
}
END_TEST

/* The journal has no room: the change waits whole, in front of what comes behind it, reads of others go
 * on, and it runs when there is room. */
START_TEST(test_busy)
{
    int fd;
    int other;

    parking_prepare(&parking);
    parking.journal.capacity = 0;
    parking_start(&parking);
    fd = parking_connect(&parking);
    other = parking_connect(&parking);
    send_text(fd, "get k\r\n" SET "get k\r\n");
    expect_text(fd, "END\r\n");
    WAIT_UNTIL(journal_read(&parking.journal, &parking.journal.n_busy) > 2);
    send_text(other, "get k\r\n");
    expect_text(other, "END\r\n");
    expect_silence(fd);
    ck_assert_uint_eq(COMMAND_METRIC(cmd_set), 0);
    /* It would be woken, not only tried again after a while. */
    WAIT_UNTIL(atomic_load(&parking.worker->loop.wants_wake));
    release();
    WAIT_UNTIL(COMMAND_METRIC(cmd_set) == 1);
    release();
    expect_text(fd, "STORED\r\n" HIT);
    parking_close(&parking, WORKER_STOP);
    expect_end(fd);
    expect_end(other);
}
END_TEST

/* The same behind a change for which there was room: its reply waits for the disk, then the next one runs,
 * and waits in turn. */
START_TEST(test_busy_while_parked)
{
    int fd;

    parking_prepare(&parking);
    parking.journal.capacity = 1;
    parking_start(&parking);
    fd = parking_connect(&parking);
    send_text(fd, SET "delete k\r\nget k\r\n");
    expect_parked(&parking, 1);
    ck_assert_uint_eq(journal_read(&parking.journal, &parking.journal.n_busy), 1);
    expect_silence(fd);
    release();
    expect_text(fd, "STORED\r\n");
    WAIT_UNTIL(COMMAND_METRIC(delete_hits) == 1);
    expect_parked(&parking, 1);
    expect_silence(fd);
    release();
    expect_text(fd, "DELETED\r\nEND\r\n");
    parking_close(&parking, WORKER_STOP);
    expect_end(fd);
}
END_TEST

/* The disk: all that was taken becomes durable, again and again. */
static _Atomic bool disk_is_on;

static void *run_disk(void *context)
{
    while (atomic_load(&disk_is_on)) {
        journal_release(context);
    }
    return NULL;
}

/* A thread makes changes durable while others ask: each reply comes, at whatever moment it was parked. */
START_TEST(test_wakes_are_not_lost)
{
    enum { N_CLIENTS = 3, N_ROUNDS = 1500 };
    int fds[N_CLIENTS];
    pthread_t disk;

    parking_prepare(&parking);
    parking.journal.is_watched = false; /* the disk may take the flag back between two looks */
    parking_start(&parking);
    atomic_store(&disk_is_on, true);
    ck_assert_int_eq(pthread_create(&disk, NULL, run_disk, &parking.journal), 0);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        fds[i] = parking_connect(&parking);
    }
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        for (size_t i = 0; i < N_CLIENTS; i++) {
            send_text(fds[i], round % 2 == 0 ? SET : SET_SILENTLY SET);
        }
        for (size_t i = 0; i < N_CLIENTS; i++) {
            expect_text(fds[i], "STORED\r\n");
        }
    }
    atomic_store(&disk_is_on, false);
    ck_assert_int_eq(pthread_join(disk, NULL), 0);
    parking_close(&parking, WORKER_STOP);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        expect_end(fds[i]);
    }
}
END_TEST

SUITE_MAIN("net/park", test_reply_waits, test_asked_once_a_turn, test_noreply_then_read,
           test_reads_of_an_unsynced_shard, test_pipeline_waits, test_large_value,
           test_large_values_in_one_turn, test_busy, test_busy_while_parked,
           test_wakes_are_not_lost)
