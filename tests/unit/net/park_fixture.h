/* One running worker whose clients are socket pairs, and a journal that the test holds in its hand: it
 * takes changes, and tells what is durable only when it is told to.
 *
 * Not the acceptor, nor a true journal. Failures of the fixture end the test. */
#ifndef SESSIOND_TESTS_UNIT_NET_PARK_FIXTURE_H
#define SESSIOND_TESTS_UNIT_NET_PARK_FIXTURE_H

#include "command_fixture.h"
#include "faults.h"
#include "suite_main.h"
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

/* What clients say, and what is there afterwards. */
#define SET "set k 0 0 1\r\nx\r\n"
#define SET_SILENTLY "set k 0 0 1 noreply\r\nx\r\n"
#define HIT "VALUE k 0 1\r\nx\r\nEND\r\n"

struct fake_journal {
    pthread_mutex_t lock;
    struct worker *worker;
    uint64_t issued;     /* the last ticket */
    uint64_t durable;    /* replies with tickets up to this may leave */
    bool waits_for_seen; /* as `always` does */
    uint64_t capacity;   /* the last ticket that there is room for: changes behind it are BUSY */
    unsigned n_busy;
    unsigned n_asked;
    unsigned n_unflagged; /* connections that were told no and would not have been woken */
    bool is_watched;      /* count these */
};

struct parking {
    struct command_fixture commands;
    struct net_options options;
    struct option_binding binding;
    struct budget connections;
    struct net_logs logs;
    struct clock *clock;
    struct net_config config;
    struct net_address listener;
    struct worker *worker;
    struct fake_journal journal;
    struct sess_error error;
};

static inline enum mutation_answer journal_take(void *context, const struct mutation *mutation,
                                                struct mutation_receipt *receipt)
{
    struct fake_journal *journal = context;
    enum mutation_answer answer = MUTATION_BUSY;

    (void)pthread_mutex_lock(&journal->lock);
    if (journal->issued >= journal->capacity) {
        journal->n_busy++;
    } else {
        receipt->ticket = ++journal->issued;
        receipt->is_revocation = mutation_revokes(mutation);
        answer = MUTATION_ACCEPTED;
    }
    (void)pthread_mutex_unlock(&journal->lock);
    return answer;
}

static inline bool journal_committed(void *context, const struct store_tickets *tickets)
{
    struct fake_journal *journal = context;
    uint64_t highest = store_tickets_later(tickets->changed, tickets->revoked);
    bool is_flagged = atomic_load(&journal->worker->loop.wants_wake);
    bool is_committed;

    (void)pthread_mutex_lock(&journal->lock);
    if (journal->waits_for_seen) {
        highest = store_tickets_later(highest, tickets->seen);
    }
    is_committed = highest <= journal->durable;
    journal->n_asked++;
    /* The first question of a turn parks nobody. */
    if (journal->is_watched && !is_committed && tickets != &journal->worker->loop.tickets) {
        journal->n_unflagged += !is_flagged;
    }
    (void)pthread_mutex_unlock(&journal->lock);
    return is_committed;
}

static inline void parking_set(struct parking *parking, const char *name, const char *value)
{
    ck_assert_int_eq(option_assign(&parking->binding, option_find(&parking->binding, name), value,
                                   OPTION_FROM_COMMAND_LINE, &parking->error),
                     SESS_OK);
}

/** All but the worker. */
static inline void parking_prepare(struct parking *parking)
{
    *parking = (struct parking){.journal = {.capacity = UINT64_MAX, .is_watched = true}};
    command_fixture_open(&parking->commands);
    (void)pthread_mutex_init(&parking->journal.lock, NULL);
    store_on_mutation(parking->commands.store.store, journal_take, &parking->journal);
    ck_assert_int_eq(clock_create_manual(FIXTURE_NOW_S, &parking->clock), SESS_OK);
    ck_assert_int_eq(
        option_bind(&parking->binding, &net_option_table, &parking->options, &parking->error),
        SESS_OK);
    budget_init(&parking->connections, (size_t)1 << 20);
    parking->config = (struct net_config){
        .options = &parking->options,
        .commands = &parking->commands.shared,
        .clock = parking->clock,
        .logs = &parking->logs,
        .connections = &parking->connections,
        .max_value_bytes = 1 << 20,
        .inline_value_bytes = STORE_COPY_MAX,
        .n_threads = 1,
        .max_connections = 100,
        .tick = command_tick,
        .tick_context = &parking->commands.shared,
        .committed = journal_committed,
        .committed_context = &parking->journal,
    };
}

static inline void parking_start(struct parking *parking)
{
    ck_assert_int_eq(worker_create(&parking->config, 0, &parking->worker), SESS_OK);
    parking->journal.worker = parking->worker;
    ck_assert_int_eq(worker_start(parking->worker), SESS_OK);
}

static inline void parking_open(struct parking *parking)
{
    parking_prepare(parking);
    parking_start(parking);
}

/** The worker stops as it is told; nothing may be left. */
static inline void parking_close(struct parking *parking, enum worker_stop how)
{
    worker_ask_stop(parking->worker, how);
    worker_join(parking->worker);
    ck_assert_uint_eq(metric_read(&parking->worker->loop.metrics.conn_parked_now), 0);
    ck_assert_uint_eq(metric_read(&parking->worker->loop.metrics.curr_connections), 0);
    worker_destroy(&parking->worker);
    clock_destroy(&parking->clock);
    ck_assert_uint_eq(budget_used(&parking->connections), 0);
    ck_assert_uint_eq(parking->journal.n_unflagged, 0);
    command_fixture_close(&parking->commands);
    (void)pthread_mutex_destroy(&parking->journal.lock);
}

/** A client's end of a connection by a listener of that role. */
static inline int parking_connect_as(struct parking *parking, enum net_role role)
{
    int ends[2];
    struct accepted accepted;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    accepted = (struct accepted){.fd = ends[1], .role = role, .listener = &parking->listener};
    accepted.peer.socket.ss_family = AF_UNIX;
    ck_assert_int_eq(evutil_make_socket_nonblocking(ends[1]), 0);
    ck_assert_int_eq(worker_give(parking->worker, &accepted), SESS_OK);
    return ends[0];
}

static inline int parking_connect(struct parking *parking)
{
    return parking_connect_as(parking, NET_ROLE_DATA);
}

/** From now on all that was taken is durable, and there is room; the worker is told. */
static inline void journal_release(struct fake_journal *journal)
{
    (void)pthread_mutex_lock(&journal->lock);
    journal->durable = journal->issued;
    journal->capacity = UINT64_MAX;
    (void)pthread_mutex_unlock(&journal->lock);
    worker_wake_waiting(journal->worker);
}

static inline unsigned journal_read(struct fake_journal *journal, const unsigned *counter)
{
    unsigned n;

    (void)pthread_mutex_lock(&journal->lock);
    n = *counter;
    (void)pthread_mutex_unlock(&journal->lock);
    return n;
}

/** Wait until a condition holds. */
#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        unsigned n_waits = 0;                                                                      \
        while (!(condition)) {                                                                     \
            HOT_ASSERT(n_waits++ < PATIENCE_MS);                                                   \
            (void)usleep(1000);                                                                    \
        }                                                                                          \
    } while (0)

static inline void expect_parked(struct parking *parking, uint64_t n)
{
    WAIT_UNTIL(metric_read(&parking->worker->loop.metrics.conn_parked_now) == n);
}

static inline void send_bytes(int fd, const char *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, bytes + sent, size - sent, MSG_NOSIGNAL);

        HOT_ASSERT(n > 0);
        sent += (size_t)n;
    }
}

static inline void send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
}

/** Exactly these bytes come next. */
static inline void expect_bytes(int fd, const char *expected, size_t size)
{
    char piece[4096];

    for (size_t got = 0; got < size;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        size_t most = size - got < sizeof piece ? size - got : sizeof piece;
        ssize_t n;

        HOT_ASSERT(poll(&ready, 1, PATIENCE_MS) == 1);
        n = recv(fd, piece, most, 0);
        HOT_ASSERT(n > 0);
        HOT_ASSERT(memcmp(piece, expected + got, (size_t)n) == 0);
        got += (size_t)n;
    }
}

static inline void expect_text(int fd, const char *expected)
{
    expect_bytes(fd, expected, strlen(expected));
}

/** Nothing has come. */
static inline void expect_silence(int fd)
{
    char byte;

    ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    ck_assert_int_eq(errno, EAGAIN);
}

/** The connection has been closed in peace, with nothing more sent: it is reset when something was left
 *  unread. */
static inline void expect_end(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char byte;

    ck_assert_int_eq(poll(&ready, 1, PATIENCE_MS), 1);
    ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
    ck_assert_int_eq(close(fd), 0);
}

#endif
