/* The worker's thread. Not what a connection does in its turn (turn.c).
 *
 * Threads: worker_create, _give, _has_turned, _ask_stop, _join, _destroy are the acceptor's, _wake_waiting anybody's;
 * the rest is the worker's own. Memory: the struct and its loop's buffers. */
#include "worker.h"

#include "park.h"
#include "sessiond/base/failpoint.h"
#include "sessiond/base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static void send_replies(struct worker *worker)
{
    bool may_all_leave = park_ask(&worker->loop);
    struct connection *connection;

    while ((connection = connection_unlist(&worker->loop.replied)) != NULL) {
        if (may_all_leave) {
            connection->tickets = (struct store_tickets){.seen = 0};
        } else if (!park_may_leave(connection)) {
            park_connection(connection);
            continue;
        }
        connection_flush(connection);
    }
    buffer_clear(&worker->loop.output, LOOP_OUTPUT_SIZE);
    worker->loop.attached_size = 0;
}

/* Those on the list now; what they put there again has its turn after the others'. */
static void run_ready(struct worker *worker)
{
    const struct connection *last = worker->loop.ready.last;
    bool is_last = last == NULL;

    while (!is_last) {
        is_last = round_gather(&worker->round, &worker->loop, last);
        for (unsigned i = 0; i < worker->round.n_turns; i++) {
            turn_run(&worker->round.turns[i]);
            if (worker->loop.output.size + worker->loop.attached_size > LOOP_OUTPUT_FLUSH) {
                send_replies(worker);
            }
        }
        round_end(&worker->round, &worker->loop);
    }
}

static void try_stalled(struct worker *worker)
{
    for (unsigned i = 0; i < WORKER_STALLED_TRIES; i++) {
        struct connection *connection = connection_unlist(&worker->loop.stalled);

        if (connection == NULL) {
            return;
        }
        connection_try_again(connection);
    }
}

/* What waits for others looks whether it still must. */
static void try_waiting(struct worker *worker)
{
    park_release(&worker->loop);
    try_stalled(worker);
}

static void on_stall_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    try_waiting(context);
}

static int64_t monotonic_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void run_slice(struct worker *worker, int64_t began_us)
{
    const struct net_config *config = worker->loop.config;
    int64_t now_s = loop_now(&worker->loop).wall_s;
    int64_t now_us;
    unsigned n_looks = 0;
    bool has_more;

    do {
        has_more = config->tick(config->tick_context, &worker->ticker, now_s, PACE_STEPS);
        now_us = monotonic_us();
    } while (has_more && pace_goes_on(began_us, now_us, ++n_looks));
    pace_note(&worker->pace, has_more, now_us);
    if (!has_more) {
        loop_arm(&worker->tick_event, PACE_REST_MS);
    }
}

/* Behind a pass of the event loop. */
static void work_off(struct worker *worker, bool is_busy)
{
    if (worker->pace.has_backlog) {
        int64_t now_us = monotonic_us();

        if (pace_is_due(&worker->pace, is_busy, now_us)) {
            run_slice(worker, now_us);
        }
    }
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    struct worker *worker = context;

    (void)fd;
    (void)what;
    run_slice(worker, monotonic_us());
    (void)trim_after_burst(&worker->loop.trim);
}

static void close_all(struct worker *worker)
{
    while (worker->loop.connections != NULL) {
        connection_destroy(worker->loop.connections);
    }
}

static void on_stop_timeout(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    close_all(context);
}

static void begin_stop(struct worker *worker)
{
    worker->loop.is_stopping = true;
    worker->loop.drain_until_ms = loop_now(&worker->loop).boot_ms + WORKER_DRAIN_MS;
    loop_arm(&worker->stop_event, worker->loop.config->options->stop_timeout);
    for (struct connection *connection = worker->loop.connections; connection != NULL;
         connection = connection->next) {
        if (!connection->is_writing && !connection->is_closing) {
            connection_enlist(connection, &worker->loop.ready);
        }
    }
}

/* Do what the acceptor's thread asks for. */
static void obey(struct worker *worker)
{
    enum worker_stop asked = atomic_load(&worker->stop_asked);

    if (asked == WORKER_ABANDON) {
        worker->loop.is_stopping = true;
        close_all(worker);
    } else if (asked == WORKER_STOP && !worker->loop.is_stopping) {
        begin_stop(worker);
    }
}

static bool take_accepted(struct worker *worker, struct accepted *accepted)
{
    bool is_one_there;

    (void)pthread_mutex_lock(&worker->inbox_lock);
    is_one_there = worker->n_inbox > 0;
    if (is_one_there) {
        *accepted = worker->inbox[--worker->n_inbox];
    }
    (void)pthread_mutex_unlock(&worker->inbox_lock);
    return is_one_there;
}

/* Under inbox_lock. */
static bool grow_inbox(struct worker *worker)
{
    size_t capacity = worker->inbox_capacity == 0 ? WORKER_INBOX_FIRST : 2 * worker->inbox_capacity;
    struct accepted *grown = realloc(worker->inbox, capacity * sizeof *grown);

    if (grown == NULL) {
        return false;
    }
    worker->inbox = grown;
    worker->inbox_capacity = capacity;
    return true;
}

/* Nobody tells one that comes behind the others to end: it has its turn, and what it has sent is answered. */
static void begin_connection(struct worker *worker, const struct accepted *accepted)
{
    struct loop *loop = &worker->loop;

    if (connection_create(loop, accepted) != SESS_OK) {
        log_limited(&worker->memory_log, 1, LOG_LEVEL_ERROR, "no memory for a connection: closed");
    } else if (loop->is_stopping) {
        connection_enlist(loop->connections, &loop->ready);
    }
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    struct worker *worker = context;
    struct accepted accepted;
    uint64_t count;

    (void)what;
    /* Only the counter's reset matters. */
    if (read((int)fd, &count, sizeof count) < 0 && errno != EAGAIN) {
        return;
    }
    while (take_accepted(worker, &accepted)) {
        begin_connection(worker, &accepted);
    }
    obey(worker);
    try_waiting(worker);
}

/* Something may wait for others: be woken by the journal, and look after a while, for the budgets wake
 * nobody. */
static void watch_waiting(struct worker *worker)
{
    struct loop *loop = &worker->loop;

    if (loop->stalled.first == NULL && loop->parked.first == NULL) {
        return;
    }
    atomic_store(&loop->wants_wake, true);
    if (!event_pending(&worker->stall_event, EV_TIMEOUT, NULL)) {
        loop_arm(&worker->stall_event, WORKER_STALL_MS);
    }
}

static void *run(void *context)
{
    struct worker *worker = context;
    struct loop *loop = &worker->loop;

    loop_arm(&worker->tick_event, PACE_REST_MS);
    while (!loop->is_stopping || loop->connections != NULL) {
        bool has_more = loop->ready.first != NULL || worker->pace.has_backlog;
        bool is_busy;

        loop->time_is_read = false;
        (void)event_base_loop(loop->base, EVLOOP_ONCE | (has_more ? EVLOOP_NONBLOCK : 0));
        is_busy = loop->ready.first != NULL;
        run_ready(worker);
        send_replies(worker);
        work_off(worker, is_busy);
        watch_waiting(worker);
        metric_add(&worker->n_turns, 1);
        failpoint("worker.turned");
    }
    return NULL;
}

static enum sess_status make_events(struct worker *worker)
{
    struct event_base *base = worker->loop.base;

    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->wake_fd < 0) {
        return SESS_IO;
    }
    (void)event_assign(&worker->wake_event, base, worker->wake_fd, EV_READ | EV_PERSIST, on_wake,
                       worker);
    (void)event_assign(&worker->tick_event, base, -1, 0, on_tick, worker);
    (void)event_assign(&worker->stall_event, base, -1, 0, on_stall_over, worker);
    (void)event_assign(&worker->stop_event, base, -1, 0, on_stop_timeout, worker);
    return event_add(&worker->wake_event, NULL) == 0 ? SESS_OK : SESS_NO_MEMORY;
}

enum sess_status worker_create(const struct net_config *config, unsigned number,
                               struct worker **out)
{
    struct worker *worker = calloc(1, sizeof *worker);
    enum sess_status status;

    if (worker == NULL) {
        return SESS_NO_MEMORY;
    }
    worker->wake_fd = -1;
    worker->ticker =
        (struct store_ticker){.first = number, .stride = config->n_threads, .position = number};
    (void)pthread_mutex_init(&worker->inbox_lock, NULL);
    status = loop_init(&worker->loop, config);
    if (status == SESS_OK) {
        status = make_events(worker);
    }
    if (status != SESS_OK) {
        worker_destroy(&worker);
        return status;
    }
    *out = worker;
    return SESS_OK;
}

void worker_destroy(struct worker **worker)
{
    struct worker *self = *worker;
    struct accepted accepted;

    if (self == NULL) {
        return;
    }
    while (take_accepted(self, &accepted)) {
        (void)close(accepted.fd);
    }
    loop_fini(&self->loop);
    free(self->inbox);
    if (self->wake_fd >= 0) {
        (void)close(self->wake_fd);
    }
    (void)pthread_mutex_destroy(&self->inbox_lock);
    free(self);
    *worker = NULL;
}

enum sess_status worker_start(struct worker *worker)
{
    return pthread_create(&worker->thread, NULL, run, worker) == 0 ? SESS_OK : SESS_NO_MEMORY;
}

static void wake(struct worker *worker)
{
    uint64_t one = 1;

    /* A full counter wakes as well. */
    if (write(worker->wake_fd, &one, sizeof one) < 0) {
        return;
    }
}

void worker_ask_stop(struct worker *worker, enum worker_stop how)
{
    atomic_store(&worker->stop_asked, how);
    wake(worker);
}

void worker_wake_waiting(struct worker *worker)
{
    if (atomic_exchange(&worker->loop.wants_wake, false)) {
        wake(worker);
    }
}

bool worker_has_turned(struct worker *worker)
{
    uint64_t n_turns = metric_read(&worker->n_turns);
    bool has = n_turns != worker->n_seen;

    worker->n_seen = n_turns;
    wake(worker);
    return has;
}

void worker_join(struct worker *worker)
{
    (void)pthread_join(worker->thread, NULL);
}

enum sess_status worker_give(struct worker *worker, const struct accepted *accepted)
{
    bool has_room;

    (void)pthread_mutex_lock(&worker->inbox_lock);
    has_room = worker->n_inbox < worker->inbox_capacity || grow_inbox(worker);
    if (has_room) {
        worker->inbox[worker->n_inbox++] = *accepted;
        atomic_fetch_add(&worker->loop.n_connections, 1);
    }
    (void)pthread_mutex_unlock(&worker->inbox_lock);
    wake(worker);
    return has_room ? SESS_OK : SESS_NO_MEMORY;
}
