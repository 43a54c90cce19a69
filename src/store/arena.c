/* Runs of pages. Not what stands in them. Threads: any; one mutex, never held during a system call but
 * those that open further addresses, and that give back what was taken ahead. Memory: the range, and a list
 * of free runs for each size, which lies in the range too. */
#include "arena.h"

#include "poison.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OPEN_STEP = 1 << 21 }; /* bytes of addresses that are made usable at once: a huge page */

/* The runs of one size. Numbers: 0 to n_runs - 1, in order of address. */
struct order {
    /* immutable */
    uint8_t *start;
    size_t run_size;
    size_t n_runs;

    /* under the lock */
    uint32_t *free; /* numbers of runs that were given back, a stack */
    size_t n_free;
    size_t n_fresh;   /* runs below this number have been taken at least once */
    size_t open_size; /* bytes of the runs' addresses that can be used */
    size_t free_size; /* bytes of `free` that can be used */
    bool is_filled;   /* what is opened gets its memory at once */
    bool is_packed;   /* ... gets it ahead, in a large arena */
    size_t ahead_at;  /* from here ... */
    size_t ahead_end; /* ... to here it got it ahead: offsets of whole steps, up to open_size */
};

struct arena {
    /* immutable */
    uint8_t *range;
    size_t range_size;
    size_t page_size;
    unsigned n_orders;

    pthread_mutex_t lock;
    /* under the lock */
    struct order orders[ARENA_ORDERS];
    struct budget *budget; /* borrowed; of what is taken ahead */
    size_t packed_size;    /* bytes of the packed orders' runs that have been taken at least once */
    pthread_cond_t is_wanted;
    bool has_ended; /* nothing is taken ahead any more */
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

size_t arena_page_size(const struct arena *arena)
{
    return arena->page_size;
}

size_t arena_size(const struct arena *arena, size_t size)
{
    return round_up(size, arena->page_size);
}

/* A run fills more than half of its addresses, or it would be one of the next smaller size. */
static size_t count_runs(size_t memory, size_t run_size)
{
    size_t unfilled = ARENA_UNFILLED_BYTES / run_size;

    return 2 * memory / run_size + 1 +
           (unfilled < ARENA_UNFILLED_RUNS ? unfilled : (size_t)ARENA_UNFILLED_RUNS);
}

/* Choose the sizes, and lay them out behind each other, largest first, so that each run is aligned to
 * its size, and each size to huge pages; then the lists. `start` is a multiple of both. Returns the end. */
static uintptr_t lay_out(struct arena *arena, size_t memory, uintptr_t start)
{
    uintptr_t at = start;

    for (unsigned i = arena->n_orders; i > 0; i--) {
        struct order *order = &arena->orders[i - 1];

        order->run_size = arena->page_size << (i - 1);
        order->n_runs = count_runs(memory, order->run_size);
        order->start = (uint8_t *)at;
        at = round_up(at + order->n_runs * order->run_size, OPEN_STEP);
    }
    for (unsigned i = 0; i < arena->n_orders; i++) {
        struct order *order = &arena->orders[i];

        order->free = (uint32_t *)at;
        at += round_up(order->n_runs * sizeof *order->free, OPEN_STEP);
    }
    return at;
}

enum sess_status arena_create(size_t memory, size_t largest, struct arena **out)
{
    struct arena *arena = calloc(1, sizeof *arena);
    size_t unit;
    void *range;

    if (arena == NULL) {
        return SESS_NO_MEMORY;
    }
    arena->page_size = (size_t)sysconf(_SC_PAGESIZE);
    while (arena->n_orders < ARENA_ORDERS &&
           (arena->n_orders == 0 || arena->page_size << (arena->n_orders - 1) < largest)) {
        arena->n_orders++;
    }
    unit = round_up(arena->page_size << (arena->n_orders - 1), OPEN_STEP);
    /* Addresses only: nothing of them can be used yet, nor counts as memory. */
    arena->range_size = lay_out(arena, memory, 0) + unit;
    range = mmap(NULL, arena->range_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    if (range == MAP_FAILED) {
        free(arena);
        return SESS_NO_MEMORY;
    }
    arena->range = range;
    (void)lay_out(arena, memory, round_up((uintptr_t)range, unit));
    /* A huge page would take memory for neighbours that are not in use. */
    (void)madvise(range, arena->range_size, MADV_NOHUGEPAGE);
    (void)madvise(range, arena->range_size, MADV_DONTDUMP);
    (void)pthread_mutex_init(&arena->lock, NULL);
    (void)pthread_cond_init(&arena->is_wanted, NULL);
    *out = arena;
    return SESS_OK;
}

void arena_destroy(struct arena **arena)
{
    if (*arena == NULL) {
        return;
    }
    for (unsigned i = 0; i < (*arena)->n_orders; i++) {
        struct order *order = &(*arena)->orders[i];

        memory_unpoison(order->start, order->n_fresh * order->run_size);
    }
    (void)munmap((*arena)->range, (*arena)->range_size);
    (void)pthread_cond_destroy(&(*arena)->is_wanted);
    (void)pthread_mutex_destroy(&(*arena)->lock);
    free(*arena);
    *arena = NULL;
}

static struct order *order_of(struct arena *arena, size_t size)
{
    unsigned i = 0;

    while (i < arena->n_orders && arena->orders[i].run_size < size) {
        i++;
    }
    return i < arena->n_orders ? &arena->orders[i] : NULL;
}

/* Make the first `end` bytes behind `start` usable, and some more: what follows is another part's, and
 * opened early at worst. */
static bool open_up_to(uint8_t *start, size_t *opened, size_t end)
{
    size_t until = round_up(end, OPEN_STEP);

    if (end <= *opened) {
        return true;
    }
    if (mprotect(start + *opened, until - *opened, PROT_READ | PROT_WRITE) != 0) {
        return false;
    }
    *opened = until;
    return true;
}

/* Runs of a page are filled one after the other: the memory for what was opened behind `from` is taken at once.
 * Where the kernel has none, or does not know the calls, it comes with the first use. */
static void populate(struct order *order, size_t from)
{
    if (order->is_filled && from >= ARENA_FILL_FROM && order->open_size > from) {
        (void)madvise(order->start + from, order->open_size - from, MADV_HUGEPAGE);
        (void)madvise(order->start + from, order->open_size - from, MADV_POPULATE_WRITE);
    }
}

static size_t used_size(const struct order *order)
{
    return order->n_fresh * order->run_size;
}

/* Bytes that were taken ahead and that no run has yet. */
static size_t ahead_size(const struct order *order)
{
    return order->ahead_end - smaller(larger(used_size(order), order->ahead_at), order->ahead_end);
}

/* Whether another step of it is to be taken ahead. */
static bool is_short(const struct arena *arena, const struct order *order)
{
    return order->is_packed && !order->is_filled && arena->packed_size >= ARENA_PACK_FROM &&
           ahead_size(order) + OPEN_STEP <= ARENA_PACK_AHEAD &&
           order->open_size + OPEN_STEP <= order->n_runs * order->run_size &&
           budget_used(arena->budget) + ARENA_PACK_ROOM <= arena->budget->limit;
}

/* The run behind the used ones was taken: its memory is charged by its user from now on. */
static void note_fresh(struct arena *arena, struct order *order)
{
    size_t ahead = ahead_size(order);

    order->n_fresh++;
    if (order->is_packed) {
        budget_release(arena->budget, ahead - ahead_size(order));
        arena->packed_size += order->run_size;
        if (is_short(arena, order)) {
            (void)pthread_cond_signal(&arena->is_wanted);
        }
    }
}

/* Under the lock. */
static bool take_fresh(struct arena *arena, struct order *order, size_t *number)
{
    size_t n = order->n_fresh + 1;
    size_t opened = order->open_size;

    if (n > order->n_runs || !open_up_to(order->start, &order->open_size, n * order->run_size) ||
        !open_up_to((uint8_t *)order->free, &order->free_size, n * sizeof *order->free)) {
        return false;
    }
    populate(order, opened);
    *number = order->n_fresh;
    note_fresh(arena, order);
    return true;
}

void *arena_take(struct arena *arena, size_t size)
{
    struct order *order = order_of(arena, size);
    size_t number = 0;
    bool is_taken = true;

    if (order == NULL) {
        return NULL;
    }
    (void)pthread_mutex_lock(&arena->lock);
    if (order->n_free > 0) {
        number = order->free[--order->n_free];
    } else {
        is_taken = take_fresh(arena, order, &number);
    }
    (void)pthread_mutex_unlock(&arena->lock);
    if (!is_taken) {
        return NULL;
    }
    memory_unpoison(order->start + number * order->run_size, size);
    return order->start + number * order->run_size;
}

void arena_give(struct arena *arena, void *run, size_t size)
{
    struct order *order = order_of(arena, size);
    size_t number = (size_t)((uint8_t *)run - order->start) / order->run_size;

    /* The kernel takes the pages and hands out zeroed ones at the next use. */
    (void)madvise(run, arena_size(arena, size), MADV_DONTNEED);
    memory_poison(run, size);
    (void)pthread_mutex_lock(&arena->lock);
    order->free[order->n_free++] = (uint32_t)number;
    (void)pthread_mutex_unlock(&arena->lock);
}

void arena_fill(struct arena *arena, size_t size)
{
    struct order *order = order_of(arena, size);

    (void)pthread_mutex_lock(&arena->lock);
    /* A larger one would be filled for half of its addresses only, by many. */
    if (order != NULL && order->run_size == size) {
        order->is_filled = true;
    }
    (void)pthread_mutex_unlock(&arena->lock);
}

void arena_end_fill(struct arena *arena)
{
    (void)pthread_mutex_lock(&arena->lock);
    for (unsigned i = 0; i < arena->n_orders; i++) {
        struct order *order = &arena->orders[i];
        size_t used = used_size(order);

        if (order->is_filled) {
            order->is_filled = false;
            (void)madvise(order->start, order->open_size, MADV_NOHUGEPAGE);
            (void)madvise(order->start + used, order->open_size - used, MADV_DONTNEED);
        }
    }
    (void)pthread_mutex_unlock(&arena->lock);
}

void arena_pack(struct arena *arena, size_t size, struct budget *budget)
{
    struct order *order = order_of(arena, size);

    (void)pthread_mutex_lock(&arena->lock);
    arena->budget = budget;
    if (order != NULL && order->run_size == size) {
        order->is_packed = true;
    }
    (void)pthread_mutex_unlock(&arena->lock);
}

/* Under the lock. The order whose next step is charged now; NULL: none needs one. */
static struct order *charge_step(struct arena *arena)
{
    for (unsigned i = 0; i < arena->n_orders; i++) {
        if (is_short(arena, &arena->orders[i]) && budget_charge(arena->budget, OPEN_STEP)) {
            return &arena->orders[i];
        }
    }
    return NULL;
}

/* Without the lock: somebody may open these addresses meanwhile, and use them. So one page is asked for, which
 * changes nothing that is there; the kernel gives a huge one for it where it can, and nothing more where it cannot. */
static bool take_step(const struct arena *arena, uint8_t *start)
{
    bool is_taken = mprotect(start, OPEN_STEP, PROT_READ | PROT_WRITE) == 0 &&
                    madvise(start, OPEN_STEP, MADV_HUGEPAGE) == 0 &&
                    madvise(start, arena->page_size, MADV_POPULATE_WRITE) == 0;

    /* What is given back of it must not be filled up again behind our back. */
    (void)madvise(start, OPEN_STEP, MADV_NOHUGEPAGE);
    return is_taken;
}

/* Under the lock. A step from `from` on was taken ahead; what runs have of it already, they have charged. */
static void note_step(struct arena *arena, struct order *order, size_t from)
{
    if (order->ahead_end != from) {
        order->ahead_at = from;
    }
    order->ahead_end = from + OPEN_STEP;
    order->open_size = larger(order->open_size, order->ahead_end);
    budget_release(arena->budget, smaller(larger(used_size(order), from), order->ahead_end) - from);
}

bool arena_pack_next(struct arena *arena)
{
    struct order *order = NULL;
    size_t from = 0;
    bool is_taken;

    (void)pthread_mutex_lock(&arena->lock);
    while (!arena->has_ended && (order = charge_step(arena)) == NULL) {
        (void)pthread_cond_wait(&arena->is_wanted, &arena->lock);
    }
    if (arena->has_ended) {
        (void)pthread_mutex_unlock(&arena->lock);
        return false;
    }
    from = order->open_size;
    (void)pthread_mutex_unlock(&arena->lock);
    is_taken = take_step(arena, order->start + from);
    (void)pthread_mutex_lock(&arena->lock);
    if (is_taken) {
        note_step(arena, order, from);
    } else {
        budget_release(arena->budget, OPEN_STEP);
        arena->has_ended = true;
    }
    (void)pthread_mutex_unlock(&arena->lock);
    return is_taken;
}

void arena_end_pack(struct arena *arena)
{
    (void)pthread_mutex_lock(&arena->lock);
    arena->has_ended = true;
    (void)pthread_cond_signal(&arena->is_wanted);
    (void)pthread_mutex_unlock(&arena->lock);
}

size_t arena_ahead(struct arena *arena)
{
    size_t ahead = 0;

    (void)pthread_mutex_lock(&arena->lock);
    for (unsigned i = 0; i < arena->n_orders; i++) {
        ahead += ahead_size(&arena->orders[i]);
    }
    (void)pthread_mutex_unlock(&arena->lock);
    return ahead;
}

bool arena_give_ahead(struct arena *arena)
{
    size_t given = 0;

    (void)pthread_mutex_lock(&arena->lock);
    for (unsigned i = 0; i < arena->n_orders; i++) {
        struct order *order = &arena->orders[i];
        size_t ahead = ahead_size(order);

        if (ahead > 0) {
            (void)madvise(order->start + order->ahead_end - ahead, ahead, MADV_DONTNEED);
            budget_release(arena->budget, ahead);
            order->ahead_at = order->ahead_end;
            given += ahead;
        }
    }
    (void)pthread_mutex_unlock(&arena->lock);
    return given > 0;
}
