/* A load generator for sessiond, memcached and Redis that checks every reply.
 *
 * This file: options, phases, and what is printed. What is asked: workload.c and plans.c; how it is written: wire.c;
 * which replies are right: check.c; when and over which connections: client.c. The comparison of servers: run. */
#include "client.h"
#include "plans.h"
#include "sessiond/base/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum {
    EXIT_USAGE = 64,
};

struct load {
    uint64_t fill, restore, operations, milliseconds;
    struct client client;
    struct workload workload;
};

/* ---- the run --------------------------------------------------------------------------------- */

static uint64_t count_operations(const struct client *client)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < OPERATIONS; i++) {
        sum += client->counts[i];
    }
    return sum;
}

static void print_result(const struct load *load, double seconds, uint64_t filled_bytes)
{
    const struct client *client = &load->client;
    const struct latency *latency = &client->latency;
    uint64_t operations = count_operations(client);

    (void)printf("{\"workload\": \"%s\", \"loop\": \"%s\", \"operations\": %ju, \"seconds\": %.6f, "
                 "\"rate\": %.1f",
                 load->workload.plan.name, client->rate == 0 ? "closed" : "paced",
                 (uintmax_t)operations, seconds, seconds > 0 ? (double)operations / seconds : 0);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        (void)printf(", \"%s\": %ju", operation_names[i], (uintmax_t)client->counts[i]);
    }
    (void)printf(", \"missed\": %ju, \"connections_opened\": %ju", (uintmax_t)client->n_missed,
                 (uintmax_t)client->n_opened);
    (void)printf(", \"p50_us\": %.2f, \"p99_us\": %.2f, \"p99.9_us\": %.2f, \"max_us\": %.2f",
                 latency_percentile_us(latency, 0.5), latency_percentile_us(latency, 0.99),
                 latency_percentile_us(latency, 0.999), (double)latency->most_ns / 1000);
    (void)printf(", \"filled_bytes\": %ju, \"errors\": %d}\n", (uintmax_t)filled_bytes,
                 client->failed);
}

static bool run_load(struct load *load)
{
    struct client *client = &load->client;
    uint64_t filled_bytes;
    double seconds = 0;

    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    workload_prepare(&load->workload, load->fill == 0);
    client_open(client, &load->workload);
    (void)client_fill(client, load->milliseconds);
    filled_bytes = load->workload.stored_bytes;
    client_begin_count(client);
    if (!client->failed) {
        seconds = client_ask(client, load->operations, load->milliseconds);
    }
    if (!client->failed && load->restore && load->workload.sessions.n_absent > 0) {
        seconds += client_fill(client, load->milliseconds);
    }
    print_result(load, seconds, filled_bytes);
    client_close(client);
    workload_release(&load->workload);
    return !client->failed;
}

/* ---- options --------------------------------------------------------------------------------- */

struct option_row {
    const char *name;
    uint64_t *value;
    uint64_t min, max;
    const char *doc;
};

static int print_usage(const struct option_row *rows)
{
    (void)fputs("usage: load --port N [--workload NAME] [--NAME NUMBER]...\n", stderr);
    for (; rows->name != NULL; rows++) {
        (void)fprintf(stderr, "  --%-12s  %s\n", rows->name, rows->doc);
    }
    (void)fputs("workloads:\n", stderr);
    for (const struct plan *plan = plans; plan->name != NULL; plan++) {
        (void)fprintf(stderr, "  %-14s  %s\n", plan->name, plan->doc);
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

/* Before all others, which change what it brings. */
static bool take_workload(struct plan *plan, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--workload") == 0) {
            const struct plan *named = plan_find(argv[i + 1]);

            if (named == NULL) {
                return false;
            }
            *plan = *named;
        }
    }
    return true;
}

/* NULL, or what is wrong with the options together. */
static const char *find_fault(const struct load *load)
{
    const struct client *client = &load->client;
    const struct workload *workload = &load->workload;
    const struct plan *plan = &workload->plan;
    uint64_t sum = 0;

    for (unsigned i = 0; i < SHARES; i++) {
        sum += plan->shares[i];
    }
    if (client->port == 0) {
        return "no port";
    }
    if (plan->lengths[0].least > plan->lengths[0].most) {
        return "value-min above value-max";
    }
    if (plan->pages ? plan->shares[SHARE_SET] + plan->shares[SHARE_TOUCH] == 0 : sum == 0) {
        return "nothing to ask";
    }
    if (plan->pages && workload->batch > 1) {
        return "a page asks for one session";
    }
    if (workload->canned &&
        (workload->resp || workload->batch > 1 || plan->renew_percent + plan->second_percent > 0 ||
         sum > plan->shares[SHARE_GET] + plan->shares[SHARE_SET] + plan->shares[SHARE_TOUCH])) {
        return "a server without a store knows nothing but get, set, touch and pages with them";
    }
    if (workload->sessions.n < client->n_connections * (client->depth + 1) * workload->batch &&
        (plan->pages || plan->shares[SHARE_ADD] + plan->shares[SHARE_DELETE] > 0)) {
        return "fewer keys than connections * (depth + 1) * batch, and some requests want a "
               "session to themselves";
    }
    return NULL;
}

static int take_all_options(struct load *load, int argc, char **argv)
{
    struct client *client = &load->client;
    struct workload *workload = &load->workload;
    struct plan *plan = &workload->plan;
    const struct option_row rows[] = {
        {"port", &client->port, 1, UINT16_MAX, "of 127.0.0.1"},
        {"connections", &client->n_connections, 1, 10000, "default 50"},
        {"depth", &client->depth, 1, DEPTH_MAX, "requests sent at once; 1"},
        {"batch", &workload->batch, 1, BATCH_MAX, "keys of each get; 1"},
        {"reconnect", &client->reconnect, 0, 1, "1: a connection for each of those, or page; 0"},
        {"keys", &workload->sessions.n, 1, UINT32_MAX, "sessions; 10000"},
        {"first", &workload->sessions.first, 0, UINT32_MAX, "number of the first of them; 0"},
        {"ttl", &plan->ttl_s, 1, UINT32_MAX,
         "seconds to live, of the workload; above 30 days: the time of the end; 1209600"},
        {"fill", &load->fill, 0, 1, "1: store every session first; 0: they are there"},
        {"restore", &load->restore, 0, 1, "1: at the end store those that are not there; 1"},
        {"operations", &load->operations, 0, UINT32_MAX, "end after so many; 200000"},
        {"milliseconds", &load->milliseconds, 1, 3600000, "end then at the latest; 30000"},
        {"rate", &client->rate, 0, 10000000,
         "requests a second, of all connections; 0: a closed loop"},
        {"value-min", &plan->lengths[0].least, VALUE_HEAD, VALUE_MAX, "bytes; 200"},
        {"value-max", &plan->lengths[0].most, VALUE_HEAD, VALUE_MAX, "bytes; 600"},
        {"seed", &workload->seed, 0, UINT64_MAX, "of operations, lengths, new keys; 1"},
        {"get", &plan->shares[SHARE_GET], 0, 1000, "parts of all requests; 80"},
        {"set", &plan->shares[SHARE_SET], 0, 1000, "15"},
        {"touch", &plan->shares[SHARE_TOUCH], 0, 1000, "5"},
        {"add", &plan->shares[SHARE_ADD], 0, 1000, "of sessions that were deleted, if any; 0"},
        {"delete", &plan->shares[SHARE_DELETE], 0, 1000, "0"},
        {"miss", &plan->shares[SHARE_MISS], 0, 1000, "get of a session that never was; 0"},
        {"oneshot", &plan->shares[SHARE_ONESHOT], 0, 1000, "set, and never get; 0"},
        {"zipf", &plan->zipf_percent, 0, 200, "100 times the exponent; 0: all sessions alike"},
        {"php", &plan->pages, 0, 1, "1: pages: lock, get, set or touch as those parts, unlock; 0"},
        {"resp", &workload->resp, 0, 1, "1: speak Redis's protocol; 0"},
        {"canned", &workload->canned, 0, 1, "1: ask the server that stores nothing; 0"},
        {NULL, NULL, 0, 0, NULL},
    };
    const char *fault;

    if (!take_workload(plan, argc, argv)) {
        (void)fputs("load: no such workload\n", stderr);
        return print_usage(rows);
    }
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc ||
            (strcmp(argv[i], "--workload") != 0 && !take_option(rows, argv[i], argv[i + 1]))) {
            (void)fprintf(stderr, "load: cannot use %s\n", argv[i]);
            return print_usage(rows);
        }
    }
    fault = find_fault(load);
    if (fault != NULL) {
        (void)fprintf(stderr, "load: %s\n", fault);
        return print_usage(rows);
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct load load = {
        .fill = 1,
        .restore = 1,
        .operations = 200000,
        .milliseconds = 30000,
        .client = {.n_connections = 50, .depth = 1},
        .workload = {.plan = plans[0], .seed = 1, .batch = 1, .sessions = {.n = 10000}}};
    int status = take_all_options(&load, argc, argv);

    if (status != EXIT_SUCCESS) {
        return status;
    }
    return run_load(&load) ? EXIT_SUCCESS : EXIT_FAILURE;
}
