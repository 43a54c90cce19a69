/* A load generator for sessiond, memcached and Redis that checks every reply.
 *
 * One thread, epoll, a closed loop: a connection sends `depth` requests at once and waits for all
 * their replies, so a server that stalls is also asked less. A latency is the time from that send
 * to the receipt of the reply; such percentiles compare servers, they do not predict a tail.
 * With --rate it is paced (pace.h). Not what is asked (workload.c), not the comparison of servers (run). */
#include "latency.h"
#include "pace.h"
#include "sessiond/base/number.h"
#include "workload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    DEPTH_MAX = 128,
    VALUE_MAX = 65536,
    SILENCE_S = 10,
    EVENTS = 64,
    SHOWN_BYTES = 60,
    EXIT_USAGE = 64,
};

struct connection {
    int fd;
    size_t sent;     /* requests of the current batch */
    size_t answered; /* of them */
    int64_t sent_ns; /* or when it was due */
    char *input;
    size_t input_size;
    struct visit visit;
    struct request requests[DEPTH_MAX];
};

struct load {
    /* options */
    uint64_t port, n_connections, depth, fill, operations, milliseconds, rate;
    struct workload workload;
    /* state */
    int epoll_fd;
    struct connection *connections;
    char *output;      /* one batch; send waits until the socket has taken it */
    size_t batch_room; /* bytes of a batch, or of its replies */
    bool filling;
    bool failed;
    uint64_t limit, issued, in_flight; /* requests of this phase */
    int64_t end_ns;                    /* nothing is sent from then on */
    int64_t interval_ns;               /* between a connection's batches; 0: at once */
    uint64_t counts[OPERATIONS];
    struct latency latency;
};

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *allocate(size_t count, size_t size)
{
    void *room = calloc(count, size);

    if (room == NULL) {
        perror("load: calloc");
        exit(EXIT_FAILURE);
    }
    return room;
}

static void fail(struct load *load, const char *what)
{
    load->failed = true;
    (void)fprintf(stderr, "load: %s\n", what);
}

/* After a wrong reply nothing on that connection can be told apart any more: the run ends. */
static void report_wrong(struct load *load, const char *input, size_t size, struct request request)
{
    load->failed = true;
    (void)fprintf(stderr, "load: wrong reply to %s %.*s: ", operation_names[request.operation],
                  KEY_LENGTH, workload_key(&load->workload, request.index));
    for (size_t i = 0; i < size && i < SHOWN_BYTES; i++) {
        bool printable = input[i] >= ' ' && input[i] <= '~';

        (void)fprintf(stderr, printable ? "%c" : "\\x%02x", (unsigned char)input[i]);
    }
    (void)fputs("\n", stderr);
}

static struct request next_request(struct load *load, struct connection *connection)
{
    size_t serial = load->issued++;

    return load->filling ? (struct request){SET, serial}
                         : workload_choose(&load->workload, &connection->visit);
}

static bool may_ask(const struct load *load, const struct connection *connection)
{
    return visit_is_open(&connection->visit) ||
           (load->issued < load->limit && connection->sent_ns < load->end_ns);
}

static void send_batch(struct load *load, struct connection *connection)
{
    size_t size = 0;

    connection->sent = 0;
    connection->answered = 0;
    if (load->interval_ns == 0) {
        connection->sent_ns = now_ns();
    }
    while (connection->sent < load->depth && may_ask(load, connection)) {
        struct request request = next_request(load, connection);

        size += workload_write(&load->workload, load->output + size, request);
        connection->requests[connection->sent++] = request;
    }
    load->in_flight += connection->sent;
    if (size > 0 && send(connection->fd, load->output, size, MSG_NOSIGNAL) != (ssize_t)size) {
        fail(load, "the server took no more requests");
    }
}

/* Takes whole replies off the input and moves the rest to its start. */
static void take_replies(struct load *load, struct connection *connection)
{
    uint64_t elapsed_ns = (uint64_t)(now_ns() - connection->sent_ns);
    char *input = connection->input;
    size_t size = connection->input_size;

    while (connection->answered < connection->sent && size > 0) {
        struct request request = connection->requests[connection->answered];
        long taken = workload_check(&load->workload, input, size, request);

        if (taken == REPLY_WRONG) {
            report_wrong(load, input, size, request);
            return;
        }
        if (taken == REPLY_PARTIAL) {
            break;
        }
        input += taken;
        size -= (size_t)taken;
        connection->answered++;
        load->in_flight--;
        load->counts[request.operation]++;
        latency_add(&load->latency, elapsed_ns);
    }
    if (connection->answered == connection->sent && size > 0) {
        fail(load, "more bytes than were asked for");
    }
    memmove(connection->input, input, size);
    connection->input_size = size;
}

static void receive(struct load *load, struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->input + connection->input_size,
                       load->batch_room - connection->input_size, MSG_DONTWAIT);

    if (got <= 0) {
        fail(load, got == 0 ? "the server closed a connection" : strerror(errno));
        return;
    }
    connection->input_size += (size_t)got;
    take_replies(load, connection);
    if (!load->failed && connection->answered == connection->sent) {
        connection->sent_ns += load->interval_ns;
        if (load->interval_ns == 0) {
            send_batch(load, connection);
        }
    }
}

static void open_connection(struct load *load, struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)load->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    struct timeval patience = {.tv_sec = SILENCE_S};
    int on = 1;

    connection->input = allocate(load->batch_room, 1);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        perror("load: cannot connect");
        exit(EXIT_FAILURE);
    }
}

/* Paced: send what is due. Returns the nanoseconds until more is; -1: nothing more will be. */
static int64_t send_due(struct load *load)
{
    int64_t now = now_ns();
    int64_t wait_ns = -1;

    for (size_t i = 0; i < load->n_connections && load->interval_ns > 0 && !load->failed; i++) {
        struct connection *connection = &load->connections[i];
        int64_t until_ns = connection->sent_ns - now;

        if (connection->answered < connection->sent || !may_ask(load, connection)) {
            continue;
        }
        if (until_ns <= 0) {
            send_batch(load, connection);
        } else if (wait_ns < 0 || until_ns < wait_ns) {
            wait_ns = until_ns;
        }
    }
    return wait_ns;
}

static void wait_for_replies(struct load *load, int64_t due_ns)
{
    struct epoll_event events[EVENTS];
    int64_t silence_ns = SILENCE_S * INT64_C(1000000000);
    int n_ready = pace_wait(load->epoll_fd, events, EVENTS, due_ns < 0 ? silence_ns : due_ns);

    if (n_ready < 0 || (n_ready == 0 && due_ns < 0)) {
        fail(load, n_ready == 0 ? "the server says nothing any more" : strerror(errno));
    }
    for (int i = 0; i < n_ready && !load->failed; i++) {
        receive(load, events[i].data.ptr);
    }
}

/* All connections ask at once, or each when it is due first. */
static void begin(struct load *load, int64_t start_ns)
{
    load->interval_ns = load->rate == 0 || load->filling
                            ? 0
                            : pace_interval_ns(load->rate, load->n_connections, load->depth);
    for (size_t i = 0; i < load->n_connections && !load->failed; i++) {
        struct connection *connection = &load->connections[i];

        connection->sent = 0;
        connection->answered = 0;
        if (load->interval_ns == 0) {
            send_batch(load, connection);
        } else {
            connection->sent_ns =
                pace_first_ns(start_ns, load->interval_ns, load->n_connections, i);
        }
    }
}

/* Issues `limit` requests, fewer if the time is over before, and waits for every reply. A page that has begun
 * is ended, above the limit. Returns the seconds. */
static double run_phase(struct load *load, uint64_t limit)
{
    int64_t start_ns = now_ns();
    int64_t due_ns;

    load->issued = 0;
    load->limit = limit;
    load->end_ns = start_ns + (int64_t)load->milliseconds * 1000000;
    memset(load->counts, 0, sizeof(load->counts));
    memset(&load->latency, 0, sizeof(load->latency));
    begin(load, start_ns);
    while (((due_ns = send_due(load)) >= 0 || load->in_flight > 0) && !load->failed) {
        wait_for_replies(load, due_ns);
    }
    return (double)(now_ns() - start_ns) / 1e9;
}

static void fill(struct load *load)
{
    load->filling = true;
    (void)run_phase(load, load->workload.keys);
    load->filling = false;
    if (!load->failed && load->counts[SET] != load->workload.keys) {
        fail(load, "the time was over before every session was stored");
    }
}

static void print_result(const struct load *load, double seconds, uint64_t filled_bytes)
{
    const struct latency *latency = &load->latency;

    (void)printf("{\"loop\": \"%s\", \"operations\": %ju, \"seconds\": %.6f, \"rate\": %.1f",
                 load->rate == 0 ? "closed" : "paced", (uintmax_t)latency->total, seconds,
                 (double)latency->total / seconds);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        (void)printf(", \"%s\": %ju", operation_names[i], (uintmax_t)load->counts[i]);
    }
    (void)printf(", \"p50_us\": %.2f, \"p99_us\": %.2f, \"p99.9_us\": %.2f",
                 latency_percentile_us(latency, 0.5), latency_percentile_us(latency, 0.99),
                 latency_percentile_us(latency, 0.999));
    (void)printf(", \"filled_bytes\": %ju, \"errors\": %d}\n", (uintmax_t)filled_bytes,
                 load->failed);
}

static void start(struct load *load)
{
    workload_prepare(&load->workload);
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->batch_room = load->depth * (REQUEST_ROOM + load->workload.value_max);
    load->output = allocate(load->batch_room, 1);
    load->connections = allocate(load->n_connections, sizeof(*load->connections));
    load->workload.lanes = load->n_connections;
    for (size_t i = 0; i < load->n_connections; i++) {
        load->connections[i].visit.lane = i;
        open_connection(load, &load->connections[i]);
    }
}

static void release(struct load *load)
{
    for (size_t i = 0; i < load->n_connections; i++) {
        (void)close(load->connections[i].fd);
        free(load->connections[i].input);
    }
    free(load->connections);
    free(load->output);
    (void)close(load->epoll_fd);
    workload_release(&load->workload);
}

static bool run_load(struct load *load)
{
    uint64_t filled_bytes;
    double seconds;

    start(load);
    if (load->fill) {
        fill(load);
    }
    filled_bytes = load->workload.stored_bytes;
    seconds = run_phase(load, load->failed ? 0 : load->operations);
    print_result(load, seconds, filled_bytes);
    release(load);
    return !load->failed;
}

struct option_row {
    const char *name;
    uint64_t *value;
    uint64_t min, max;
    const char *doc;
};

static int print_usage(const struct option_row *rows)
{
    (void)fputs("usage: load --port N [--NAME NUMBER]...\n", stderr);
    for (; rows->name != NULL; rows++) {
        (void)fprintf(stderr, "  --%-12s  %s\n", rows->name, rows->doc);
    }
    return EXIT_USAGE;
}

static bool take_option(const struct option_row *rows, const char *name, const char *text)
{
    for (; rows->name != NULL; rows++) {
        if (strncmp(name, "--", 2) == 0 && strcmp(name + 2, rows->name) == 0) {
            return number_parse_u64(slice_from_text(text), rows->max, rows->value) == SESS_OK &&
                   *rows->value >= rows->min;
        }
    }
    return false;
}

static bool is_consistent(const struct load *load)
{
    const struct workload *workload = &load->workload;
    const uint64_t *percent = workload->percent;

    if (workload->php && (workload->keys < load->n_connections || percent[GET] == 100)) {
        return false;
    }
    if (workload->php && (workload->resp || workload->canned)) {
        return false;
    }
    return load->port > 0 && workload->value_min <= workload->value_max &&
           percent[GET] + percent[SET] + percent[TOUCH] == 100;
}

int main(int argc, char **argv)
{
    struct load load = {.n_connections = 50,
                        .depth = 1,
                        .fill = 1,
                        .operations = 200000,
                        .milliseconds = 30000,
                        .workload = {.keys = 10000,
                                     .value_min = 200,
                                     .value_max = 600,
                                     .seed = 1,
                                     .percent = {[GET] = 80, [SET] = 15, [TOUCH] = 5}}};
    struct workload *workload = &load.workload;
    const struct option_row rows[] = {
        {"port", &load.port, 1, UINT16_MAX, "of 127.0.0.1"},
        {"connections", &load.n_connections, 1, 10000, "default 50"},
        {"depth", &load.depth, 1, DEPTH_MAX, "requests sent at once; 1"},
        {"keys", &workload->keys, 1, UINT32_MAX, "sessions, chosen uniformly; 10000"},
        {"fill", &load.fill, 0, 1, "1: store every session first; 0: they are there"},
        {"operations", &load.operations, 0, UINT32_MAX, "end after so many; 200000"},
        {"milliseconds", &load.milliseconds, 1, 3600000, "end then at the latest; 30000"},
        {"rate", &load.rate, 0, 10000000,
         "requests a second, of all connections; 0: a closed loop"},
        {"value-min", &workload->value_min, VALUE_HEAD, VALUE_MAX, "bytes; 200"},
        {"value-max", &workload->value_max, VALUE_HEAD, VALUE_MAX, "bytes; 600"},
        {"seed", &workload->seed, 0, UINT64_MAX, "of keys, operations and lengths; 1"},
        {"get", &workload->percent[GET], 0, 100, "per cent; 80"},
        {"set", &workload->percent[SET], 0, 100, "per cent; 15"},
        {"touch", &workload->percent[TOUCH], 0, 100, "per cent; 5"},
        {"php", &workload->php, 0, 1, "1: a lock, get, set or touch as those per cents, unlock; 0"},
        {"resp", &workload->resp, 0, 1, "1: speak Redis's protocol; 0"},
        {"canned", &workload->canned, 0, 1, "1: ask the server that stores nothing; 0"},
        {NULL, NULL, 0, 0, NULL},
    };

    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !take_option(rows, argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "load: cannot use %s\n", argv[i]);
            return print_usage(rows);
        }
    }
    if (!is_consistent(&load)) {
        (void)fputs(
            "load: no port, value-min above value-max, per cents not 100, or, with --php 1, less "
            "keys than connections, no set and touch, --resp or --canned\n",
            stderr);
        return print_usage(rows);
    }
    return run_load(&load) ? EXIT_SUCCESS : EXIT_FAILURE;
}
