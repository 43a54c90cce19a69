/* Unit tests of the arena: runs of all sizes, zeroed again, out of addresses, and many threads. */
#include "arena.h"

#include "faults.h"
#include "mapping.h"
#include "suite_main.h"
#include "test_random.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MEMORY = 64 << 20, LARGEST = 1 << 20, OPEN_STEP = 1 << 21 };

static struct arena *arena;
static size_t page;

static void open_arena(size_t memory, size_t largest)
{
    ck_assert_int_eq(arena_create(memory, largest, &arena), SESS_OK);
    page = arena_page_size(arena);
}

static bool is_zero(const uint8_t *run, size_t size)
{
    size_t i = 0;

    while (i < size && run[i] == 0) {
        i++;
    }
    return i == size;
}

/* The addresses that a run of `size` bytes takes: pages, a power of two of them. */
static size_t run_size_of(size_t size)
{
    size_t run_size = page;

    while (run_size < size) {
        run_size *= 2;
    }
    return run_size;
}

/* The page's size is the machine's, and a run's is what its pages fill. */
START_TEST(test_sizes)
{
    open_arena(MEMORY, LARGEST);
    ck_assert_uint_eq(page, (size_t)sysconf(_SC_PAGESIZE));
    ck_assert_uint_eq(arena_size(arena, 1), page);
    ck_assert_uint_eq(arena_size(arena, page), page);
    ck_assert_uint_eq(arena_size(arena, page + 1), 2 * page);
    ck_assert_uint_eq(arena_size(arena, 5 * page), 5 * page);
    arena_destroy(&arena);
    ck_assert_ptr_null(arena);
    arena_destroy(&arena);
}
END_TEST

/* Runs of each size and of sizes around it: aligned to the power of two of pages that they take, all 0,
 * and each byte can be used. */
START_TEST(test_runs_of_every_order)
{
    open_arena(MEMORY, LARGEST);
    for (size_t order_size = page; order_size <= LARGEST; order_size *= 2) {
        const size_t sizes[] = {order_size / 2 + 1, order_size - 1, order_size};

        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            uint8_t *run = arena_take(arena, sizes[i]);

            ck_assert_ptr_nonnull(run);
            ck_assert_uint_eq((uintptr_t)run % run_size_of(sizes[i]), 0);
            ck_assert(is_zero(run, sizes[i]));
            memset(run, 'x', sizes[i]);
        }
    }
    ck_assert_ptr_null(arena_take(arena, LARGEST + 1));
    ck_assert_ptr_null(arena_take(arena, SIZE_MAX));
    arena_destroy(&arena);
}
END_TEST

/* An arena whose largest run is a page has pages only. */
START_TEST(test_pages_alone)
{
    open_arena(MEMORY, 1);
    ck_assert_ptr_nonnull(arena_take(arena, page));
    ck_assert_ptr_null(arena_take(arena, page + 1));
    arena_destroy(&arena);
}
END_TEST

/* The largest run is larger than there are orders for: what is over them cannot be taken. */
START_TEST(test_more_than_all_orders)
{
    size_t largest = (size_t)sysconf(_SC_PAGESIZE) << (ARENA_ORDERS - 1);

    open_arena(MEMORY, 2 * largest);
    ck_assert_ptr_nonnull(arena_take(arena, largest));
    ck_assert_ptr_null(arena_take(arena, largest + 1));
    arena_destroy(&arena);
}
END_TEST

/* What was in a run is gone when the run is taken again. */
START_TEST(test_zeroed_again)
{
    open_arena(MEMORY, LARGEST);
    for (size_t size = 1; size <= LARGEST; size *= 3) {
        uint8_t *run = arena_take(arena, size);

        for (unsigned i = 0; i < 3; i++) {
            memset(run, 's', size);
            arena_give(arena, run, size);
            ck_assert_ptr_eq(arena_take(arena, size), run);
            ck_assert(is_zero(run, size));
        }
        /* A run that was smaller before, and is taken for more. */
        memset(run, 's', size);
        arena_give(arena, run, size);
        ck_assert_ptr_eq(arena_take(arena, run_size_of(size)), run);
        ck_assert(is_zero(run, run_size_of(size)));
    }
    arena_destroy(&arena);
}
END_TEST

/* What is taken costs no memory before it is used, and none after it was given back. */
START_TEST(test_memory_goes_back)
{
    enum { LARGE = 64 << 20 };
    uint8_t *run;

    open_arena(LARGE, LARGE);
    run = arena_take(arena, LARGE);
    ck_assert_uint_eq(mapping_resident(run, LARGE), 0);
    memset(run, 'x', LARGE);
    ck_assert_uint_eq(mapping_resident(run, LARGE), LARGE);
    arena_give(arena, run, LARGE);
    ck_assert_uint_eq(mapping_resident(run, LARGE), 0);
    arena_destroy(&arena);
}
END_TEST

/* Runs that are filled have their memory before they are used, beyond the first of them; when filling ends only those
 * that were taken keep it. */
START_TEST(test_fill)
{
    enum { RUN = 64 << 10, SPACE = ARENA_FILL_FROM + 2 * OPEN_STEP };
    uint8_t *first;
    uint8_t *last = NULL;

    open_arena(MEMORY, LARGEST);
    arena_fill(arena, RUN - 1);
    arena_fill(arena, 2 * LARGEST);
    first = arena_take(arena, RUN);
    arena_fill(arena, RUN);
    for (size_t taken = RUN; taken <= ARENA_FILL_FROM; taken += RUN) {
        ck_assert_uint_eq(mapping_resident(first, taken), 0);
        last = arena_take(arena, RUN);
    }
    ck_assert_ptr_eq(last, first + ARENA_FILL_FROM);
    ck_assert_uint_eq(mapping_resident(last, OPEN_STEP), OPEN_STEP);
    ck_assert_ptr_eq(arena_take(arena, RUN), last + RUN);
    ck_assert(is_zero(last, 2 * RUN));
    memset(last, 'x', 2 * RUN);
    arena_end_fill(arena);
    ck_assert_uint_eq(mapping_resident(last, OPEN_STEP), 2 * RUN);
    ck_assert_uint_eq(last[2 * RUN - 1], 'x');
    for (uint8_t *run = last; run < first + SPACE; run += RUN) {
        last = arena_take(arena, RUN);
    }
    ck_assert_uint_eq(mapping_resident(last, RUN), 0);
    ck_assert(is_zero(last, RUN));
    arena_destroy(&arena);
}
END_TEST

/* Sessions are not in core dumps. */
START_TEST(test_left_out_of_dumps)
{
    open_arena(MEMORY, LARGEST);
    ck_assert(mapping_has_flag(arena_take(arena, page), " dd"));
    ck_assert(mapping_has_flag(arena_take(arena, LARGEST), " dd"));
    arena_destroy(&arena);
}
END_TEST

/* As many runs as there may be of one size are taken: then there is no more, of this size alone; one
 * that is given back can be taken again. */
static void use_up(size_t size, size_t n_wanted)
{
    uint8_t *last = NULL;
    size_t n = 0;

    for (uint8_t *run = arena_take(arena, size); run != NULL; run = arena_take(arena, size)) {
        last = run;
        n++;
    }
    ck_assert_uint_eq(n, n_wanted);
    ck_assert_ptr_nonnull(last);
    last[0] = 1;
    last[size - 1] = 1;
    arena_give(arena, last, size);
    ck_assert_ptr_eq(arena_take(arena, size), last);
    ck_assert_ptr_null(arena_take(arena, size));
}

START_TEST(test_addresses_run_out)
{
    enum { LARGE = 4 << 20 };
    size_t unfilled_large = ARENA_UNFILLED_BYTES / LARGE;

    open_arena(LARGE, LARGE);
    ck_assert_uint_lt(unfilled_large, ARENA_UNFILLED_RUNS);
    use_up(LARGE, 2 + 1 + unfilled_large);
    use_up(page, 2 * LARGE / page + 1 + ARENA_UNFILLED_RUNS);
    ck_assert_ptr_nonnull(arena_take(arena, 2 * page));
    arena_destroy(&arena);
}
END_TEST

/* All that memory can hold is taken and filled, in the worst size: one byte over a power of two. */
START_TEST(test_all_memory_can_be_filled)
{
    enum { SMALL = 8 << 20 };
    size_t size = 2 * (size_t)sysconf(_SC_PAGESIZE) + 1;

    open_arena(SMALL, LARGEST);
    for (size_t filled = 0; filled < SMALL; filled += arena_size(arena, size)) {
        uint8_t *run = arena_take(arena, size);

        ck_assert_ptr_nonnull(run);
        memset(run, 'x', size);
    }
    arena_destroy(&arena);
}
END_TEST

/* Runs of all sizes lie side by side: what is written to one is never seen in another. */
START_TEST(test_runs_do_not_overlap)
{
    enum { N = 300 };
    struct test_random random = {.state = 7};
    uint8_t *runs[N];
    size_t sizes[N];

    open_arena(MEMORY, LARGEST);
    for (size_t i = 0; i < N; i++) {
        sizes[i] =
            1 + (size_t)(test_random_below(&random, LARGEST) >> test_random_below(&random, 9));
        runs[i] = arena_take(arena, sizes[i]);
        ck_assert_ptr_nonnull(runs[i]);
        memset(runs[i], (int)(1 + i % 250), sizes[i]);
        if (i % 3 == 2) {
            arena_give(arena, runs[i - 1], sizes[i - 1]);
            sizes[i - 1] = 0;
        }
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t at = 0; at < sizes[i]; at++) {
            HOT_ASSERT(runs[i][at] == 1 + i % 250);
        }
    }
    arena_destroy(&arena);
}
END_TEST

/* There is no memory for the struct, or no such range of addresses. */
START_TEST(test_create_fails)
{
    faults_fail_allocation(1);
    ck_assert_int_eq(arena_create(MEMORY, LARGEST, &arena), SESS_NO_MEMORY);
    faults_fail_mmap(1);
    ck_assert_int_eq(arena_create(MEMORY, LARGEST, &arena), SESS_NO_MEMORY);
    ck_assert_ptr_null(arena);
    ck_assert_int_eq(arena_create((size_t)1 << 60, LARGEST, &arena), SESS_NO_MEMORY);
    ck_assert_ptr_null(arena);
}
END_TEST

/* Further addresses cannot be made usable, those of the runs or those of the list that they are noted in
 * when given back: nothing is taken, and the next try works. */
START_TEST(test_opening_fails)
{
    uint8_t *first;

    open_arena(MEMORY, LARGEST);
    for (unsigned nth = 1; nth <= 2; nth++) {
        faults_fail_mprotect(nth);
        ck_assert_ptr_null(arena_take(arena, LARGEST));
    }
    first = arena_take(arena, LARGEST);
    ck_assert_ptr_nonnull(first);
    /* The second one is open already, the third is not. */
    faults_fail_mprotect(1);
    ck_assert_ptr_nonnull(arena_take(arena, LARGEST));
    ck_assert_ptr_null(arena_take(arena, LARGEST));
    ck_assert_uint_eq(OPEN_STEP / LARGEST, 2);
    arena_give(arena, first, LARGEST);
    ck_assert_ptr_eq(arena_take(arena, LARGEST), first);
    ck_assert_ptr_nonnull(arena_take(arena, LARGEST));
    arena_destroy(&arena);
}
END_TEST

enum { N_THREADS = 4, N_HELD = 40, N_ROUNDS = 10000 };

struct user {
    pthread_t thread;
    struct test_random random;
    uint8_t *runs[N_HELD];
    size_t sizes[N_HELD];
    uint8_t mark;
    uint64_t n_wrong; /* runs that were not 0, or not left alone */
};

/* Take a run, or give back the one that is held there. */
static void take_or_give(struct user *self, size_t i)
{
    uint8_t *run = self->runs[i];

    if (run == NULL) {
        self->sizes[i] = 1 + (size_t)(test_random_below(&self->random, LARGEST) >>
                                      test_random_below(&self->random, 9));
        run = arena_take(arena, self->sizes[i]);
        self->n_wrong += run == NULL || run[0] != 0 || run[self->sizes[i] - 1] != 0;
        self->runs[i] = run;
        if (run != NULL) {
            run[0] = self->mark;
            run[self->sizes[i] - 1] = self->mark;
        }
        return;
    }
    self->n_wrong += run[0] != self->mark || run[self->sizes[i] - 1] != self->mark;
    arena_give(arena, run, self->sizes[i]);
    self->runs[i] = NULL;
}

static void *use(void *context)
{
    struct user *self = context;

    for (unsigned round = 0; round < N_ROUNDS; round++) {
        take_or_give(self, (size_t)test_random_below(&self->random, N_HELD));
    }
    return NULL;
}

/* Four threads take and give runs of all sizes: each run is 0 at first and nobody else's. */
START_TEST(test_threads)
{
    static struct user users[N_THREADS];

    open_arena(MEMORY, LARGEST);
    for (unsigned i = 0; i < N_THREADS; i++) {
        users[i].random.state = i + 1;
        users[i].mark = (uint8_t)(i + 1);
        ck_assert_int_eq(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_join(users[i].thread, NULL), 0);
        ck_assert_uint_eq(users[i].n_wrong, 0);
    }
    arena_destroy(&arena);
}
END_TEST

SUITE_MAIN("store/arena", test_sizes, test_runs_of_every_order, test_pages_alone,
           test_more_than_all_orders, test_zeroed_again, test_memory_goes_back, test_fill,
           test_left_out_of_dumps, test_addresses_run_out, test_all_memory_can_be_filled,
           test_runs_do_not_overlap, test_create_fails, test_opening_fails, test_threads)
