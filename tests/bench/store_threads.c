/* The store without sockets on one thread and on two: store_threads SESSIONS OPERATIONS PAIRS
 *
 * 80 % get, 15 % set of 200 to 600 bytes, 5 % touch, of all sessions alike; each thread asks OPERATIONS. Beside it a loop
 * that only computes: what it gains by the second thread is what the machine can give. Runs alternate; the first pair
 * does not count. Prints one line of JSON with a value of each pair. */
#include "draw.h"
#include "filled_store.h"
#include "lock_count.h"
#include "room.h"
#include "sessiond/base/number.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

enum {
    EXIT_USAGE = 64,
    THREADS = 2, /* at most */
    NUMBER_MAX = 1000000000,
    PAIRS_MAX = 100,
    TICK_OPERATIONS =
        1 << 15, /* between two slices of a thread's own shards, as a worker has them */
    TICK_STEPS = 256,
    ROUNDS_OF_OPERATION = 200, /* of the loop that only computes */
    HELD_NS = 20000000,
    HOLD_TRIES = 50,
};

struct team;

struct member {
    pthread_t thread;
    unsigned number;
    struct team *team;
    uint64_t random;
    uint64_t n_bytes; /* read */
    struct store_ticker ticker;
    struct lock_count locks;
    double cpu_s;
};

struct team {
    struct filled_store *filled; /* NULL: compute */
    unsigned n_threads;
    uint64_t n_operations; /* of each */
    pthread_barrier_t start;
    struct member members[THREADS];
};

struct result {
    double rate;   /* operations a second of all threads together */
    double cpu_us; /* of one operation */
    struct lock_count locks;
};

static double clock_s(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- what a thread does ---------------------------------------------------------------------- */

static void ask_one(struct member *member, uint8_t *out)
{
    struct filled_store *filled = member->team->filled;
    uint64_t drawn = draw_next(&member->random);
    uint64_t number = (drawn >> 32) * filled->n >> 32;
    uint64_t roll = drawn % 100;

    if (roll < 80) {
        member->n_bytes += filled_store_get(filled, number, out);
    } else if (roll < 95) {
        filled_store_set(filled, number, 200 + drawn / 100 % 401);
    } else {
        filled_store_touch(filled, number);
    }
}

static void ask_all(struct member *member)
{
    uint8_t out[FILLED_VALUE_MAX];
    struct filled_store *filled = member->team->filled;

    for (uint64_t i = 0; i < member->team->n_operations; i++) {
        ask_one(member, out);
        if (i % TICK_OPERATIONS == 0) {
            (void)store_tick(filled->store, &member->ticker, filled->now_s, TICK_STEPS);
        }
    }
}

static void compute(struct member *member)
{
    for (uint64_t i = 0; i < member->team->n_operations * ROUNDS_OF_OPERATION; i++) {
        member->random = draw_mix(member->random);
    }
}

static void *run_member(void *context)
{
    struct member *member = context;

    (void)pthread_barrier_wait(&member->team->start);
    if (member->team->filled != NULL) {
        ask_all(member);
    } else {
        compute(member);
    }
    member->locks = lock_count_take();
    member->cpu_s = clock_s(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void start_thread(pthread_t *thread, void *(*body)(void *context), void *context)
{
    if (pthread_create(thread, NULL, body, context) != 0) {
        perror("store_threads: pthread_create");
        exit(EXIT_FAILURE);
    }
}

static struct result run_team(struct filled_store *filled, unsigned n_threads,
                              uint64_t n_operations, uint64_t seed)
{
    struct team team = {.filled = filled, .n_threads = n_threads, .n_operations = n_operations};
    struct result result = {.rate = 0};
    double began;

    (void)pthread_barrier_init(&team.start, NULL, n_threads + 1);
    for (unsigned i = 0; i < n_threads; i++) {
        struct member *member = &team.members[i];

        *member = (struct member){.number = i,
                                  .team = &team,
                                  .random = seed * THREADS + i,
                                  .ticker = {.first = i, .stride = n_threads, .position = i}};
        start_thread(&member->thread, run_member, member);
    }
    (void)pthread_barrier_wait(&team.start);
    began = clock_s(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < n_threads; i++) {
        (void)pthread_join(team.members[i].thread, NULL);
        result.locks.n_waits += team.members[i].locks.n_waits;
        result.cpu_us += team.members[i].cpu_s * 1e6 / (double)(n_threads * n_operations);
        result.locks.waited_ns += team.members[i].locks.waited_ns;
    }
    result.rate = (double)(n_threads * n_operations) / (clock_s(CLOCK_MONOTONIC) - began);
    (void)pthread_barrier_destroy(&team.start);
    return result;
}

/* ---- whether waits are counted --------------------------------------------------------------- */

struct holder {
    pthread_mutex_t mutex;
    pthread_barrier_t is_held;
};

static void *hold_for_a_while(void *context)
{
    struct holder *holder = context;
    struct timespec rest = {.tv_nsec = HELD_NS};

    (void)pthread_mutex_lock(&holder->mutex);
    (void)pthread_barrier_wait(&holder->is_held);
    (void)nanosleep(&rest, NULL);
    (void)pthread_mutex_unlock(&holder->mutex);
    return NULL;
}

/* A count that counts nothing would praise every store. On a busy machine a try may come too late. */
static bool waits_are_counted(void)
{
    uint64_t n_waits = 0;

    for (unsigned i = 0; i < HOLD_TRIES && n_waits == 0; i++) {
        struct holder holder = {.mutex = PTHREAD_MUTEX_INITIALIZER};
        pthread_t thread;

        (void)pthread_barrier_init(&holder.is_held, NULL, 2);
        start_thread(&thread, hold_for_a_while, &holder);
        (void)pthread_barrier_wait(&holder.is_held);
        (void)pthread_mutex_lock(&holder.mutex);
        n_waits = lock_count_take().n_waits;
        (void)pthread_mutex_unlock(&holder.mutex);
        (void)pthread_join(thread, NULL);
        (void)pthread_barrier_destroy(&holder.is_held);
    }
    return n_waits == 1;
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void print_result(const char *name, const struct result *result, const char *end)
{
    (void)printf(
        "\"%s\": {\"rate\": %.1f, \"cpu_us\": %.5f, \"lock_waits\": %ju, \"waited_ms\": %.3f}%s",
        name, result->rate, result->cpu_us, (uintmax_t)result->locks.n_waits,
        (double)result->locks.waited_ns / 1e6, end);
}

static void run_pair(struct filled_store *filled, uint64_t n_operations, uint64_t seed,
                     struct result results[4])
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned which = seed % 2 == 0 ? i : 3 - i;

        results[which] = run_team(which < 2 ? filled : NULL, 1 + which % 2, n_operations, 1 + seed);
    }
}

static void run_pairs(struct filled_store *filled, uint64_t n_operations, uint64_t n_pairs)
{
    static const char *const names[] = {"store1", "store2", "compute1", "compute2"};

    (void)fputs("{\"pairs\": [", stdout);
    for (uint64_t seed = 0; seed <= n_pairs; seed++) {
        struct result results[4];

        run_pair(filled, n_operations, seed, results);
        for (unsigned i = 0; seed > 0 && i < 4; i++) {
            (void)fputs(i > 0 ? ", " : seed > 1 ? ", {" : "{", stdout);
            print_result(names[i], &results[i], i < 3 ? "" : "}");
        }
    }
    (void)fputs("]}\n", stdout);
}

int main(int argc, char **argv)
{
    struct filled_store filled;
    uint64_t numbers[3] = {0}; /* sessions, operations, pairs */

    for (int i = 1; argc == 4 && i < argc; i++) {
        if (number_parse_u64(slice_from_text(argv[i]), i < 3 ? NUMBER_MAX : PAIRS_MAX,
                             &numbers[i - 1]) != SESS_OK) {
            argc = 0;
        }
    }
    if (argc != 4 || numbers[0] == 0) {
        (void)fputs("usage: store_threads SESSIONS OPERATIONS PAIRS\n", stderr);
        return EXIT_USAGE;
    }
    if (!waits_are_counted()) {
        (void)fputs("store_threads: lock waits are not counted\n", stderr);
        return EXIT_FAILURE;
    }
    filled_store_open(&filled, numbers[0]);
    for (uint64_t i = 0; i < filled.n; i++) {
        filled_store_set(&filled, i, FILLED_VALUE_BYTES);
    }
    run_pairs(&filled, numbers[1], numbers[2]);
    filled_store_close(&filled);
    return EXIT_SUCCESS;
}
