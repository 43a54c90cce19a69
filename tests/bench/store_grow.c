/* The longest single insert while a store grows, in the processor time of its thread: store_grow SESSIONS
 *
 * The store without sockets. Each insert by itself; then the same number of overwrites in place, in which nothing
 * grows: what those have, too, is the machine's. Inserts in which the kernel gave memory (page faults) are told
 * apart: the first touch of a page is its work. Prints one line of JSON. */
#include "filled_store.h"
#include "latency.h"
#include "room.h"
#include "sessiond/base/number.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <time.h>

enum {
    EXIT_USAGE = 64,
    LONG_NS = 1000000,
    SESSIONS_MAX = 100000000,
};

/* Changes of one kind. */
struct changes {
    struct latency latency;
    uint64_t n_long;
};

struct phase {
    struct changes smooth;   /* without a page fault */
    struct changes faulting; /* with one */
    uint64_t n_faults;
};

static uint64_t thread_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t count_faults(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)(usage.ru_minflt + usage.ru_majflt);
}

static void run_phase(struct filled_store *filled, struct phase *phase)
{
    uint64_t faults = count_faults();

    for (uint64_t i = 0; i < filled->n; i++) {
        uint64_t began = thread_ns();
        uint64_t spent;
        uint64_t faults_now;
        struct changes *changes;

        filled_store_set(filled, i, FILLED_VALUE_BYTES);
        spent = thread_ns() - began;
        faults_now = count_faults();
        changes = faults_now == faults ? &phase->smooth : &phase->faulting;
        latency_add(&changes->latency, spent);
        changes->n_long += spent > LONG_NS;
        phase->n_faults += faults_now - faults;
        faults = faults_now;
    }
}

static void print_changes(const char *name, const struct changes *changes)
{
    (void)printf(
        "\"%s\": {\"n\": %ju, \"p50_us\": %.3f, \"p99.9_us\": %.3f, \"p99.999_us\": %.3f, \"max_us\": %.3f, "
        "\"over_1ms\": %ju}, ",
        name, (uintmax_t)changes->latency.total, latency_percentile_us(&changes->latency, 0.5),
        latency_percentile_us(&changes->latency, 0.999),
        latency_percentile_us(&changes->latency, 0.99999), (double)changes->latency.most_ns / 1000,
        (uintmax_t)changes->n_long);
}

static void print_phase(const char *name, const struct phase *phase, const char *end)
{
    (void)printf("\"%s\": {", name);
    print_changes("smooth", &phase->smooth);
    print_changes("faulting", &phase->faulting);
    (void)printf("\"faults\": %ju}%s", (uintmax_t)phase->n_faults, end);
}

int main(int argc, char **argv)
{
    struct filled_store filled;
    struct phase *phases;
    uint64_t n = 0;

    if (argc != 2 || number_parse_u64(slice_from_text(argv[1]), SESSIONS_MAX, &n) != SESS_OK) {
        (void)fputs("usage: store_grow SESSIONS\n", stderr);
        return EXIT_USAGE;
    }
    phases = allocate(2, sizeof(*phases));
    filled_store_open(&filled, n);
    run_phase(&filled, &phases[0]);
    run_phase(&filled, &phases[1]);
    (void)printf("{\"sessions\": %ju, ", (uintmax_t)n);
    print_phase("grow", &phases[0], ", ");
    print_phase("overwrite", &phases[1], "}\n");
    filled_store_close(&filled);
    free(phases);
    return EXIT_SUCCESS;
}
