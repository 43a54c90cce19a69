/* Faults on request: the wrappers that the linker puts before malloc and its like.
 *
 * Not for the daemon. Threads: the counters of calls are atomic, the rest is set before any thread
 * starts. Memory: static. */
#include "faults.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
void *__real_mmap(void *start, size_t size, int protection, int flags, int file, off_t offset);
int __real_mprotect(void *start, size_t size, int protection);
ssize_t __real_getrandom(void *out, size_t size, unsigned flags);
int __real_clock_gettime(clockid_t id, struct timespec *out);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);
void *__wrap_mmap(void *start, size_t size, int protection, int flags, int file, off_t offset);
int __wrap_mprotect(void *start, size_t size, int protection);
ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags);
int __wrap_clock_gettime(clockid_t id, struct timespec *out);

static _Atomic unsigned allocations_to_failure;
static _Atomic bool allocations_stay_failing;
static _Atomic unsigned failed_allocations;
static _Thread_local unsigned holds;
static _Atomic unsigned mmaps_to_failure;
static _Atomic unsigned mprotects_to_failure;
static void (*call_at_mprotect)(void *context);
static void *call_context;
static bool getrandom_fails;
static int64_t wall_ahead_ms;
static int64_t asleep_ms;
static int64_t sleep_to_come_ms;

static struct {
    const unsigned char *block;
    size_t size;
    bool was_freed;
    size_t n_left;
} watched;

void faults_fail_allocation(unsigned n)
{
    atomic_store(&allocations_stay_failing, false);
    atomic_store(&failed_allocations, 0);
    atomic_store(&allocations_to_failure, n);
}

void faults_fail_allocations_from(unsigned n)
{
    faults_fail_allocation(n);
    atomic_store(&allocations_stay_failing, true);
}

unsigned faults_failed_allocations(void)
{
    return atomic_load(&failed_allocations);
}

void faults_hold(void)
{
    holds++;
}

void faults_let_go(void)
{
    holds--;
}

void faults_fail_mmap(unsigned n)
{
    atomic_store(&mmaps_to_failure, n);
}

void faults_fail_mprotect(unsigned n)
{
    atomic_store(&mprotects_to_failure, n);
}

void faults_call_at_mprotect(void (*call)(void *context), void *context)
{
    call_at_mprotect = call;
    call_context = context;
}

void faults_fail_getrandom(void)
{
    getrandom_fails = true;
}

void faults_set_wall_ahead(int64_t ms)
{
    wall_ahead_ms = ms;
}

void faults_set_asleep(int64_t ms)
{
    asleep_ms = ms;
}

void faults_watch_free(const void *block, size_t size)
{
    watched.block = block;
    watched.size = size;
    watched.was_freed = false;
    watched.n_left = 0;
}

bool faults_was_freed(void)
{
    return watched.was_freed;
}

size_t faults_left_in_freed(void)
{
    return watched.n_left;
}

/* Whether this call is the one that is to fail. */
static bool is_the_one(_Atomic unsigned *calls_to_failure)
{
    unsigned left = atomic_load(calls_to_failure);

    while (left > 0 && !atomic_compare_exchange_weak(calls_to_failure, &left, left - 1)) {
    }
    if (left == 1) {
        errno = ENOMEM;
    }
    return left == 1;
}

static bool allocation_fails(void)
{
    bool fails =
        holds == 0 &&
        (is_the_one(&allocations_to_failure) ||
         (atomic_load(&allocations_stay_failing) && atomic_load(&allocations_to_failure) == 0));

    if (fails) {
        errno = ENOMEM;
        atomic_fetch_add(&failed_allocations, 1);
    }
    return fails;
}

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return allocation_fails() ? NULL : __real_aligned_alloc(alignment, size);
}

void *__wrap_mmap(void *start, size_t size, int protection, int flags, int file, off_t offset)
{
    return is_the_one(&mmaps_to_failure)
               ? MAP_FAILED
               : __real_mmap(start, size, protection, flags, file, offset);
}

int __wrap_mprotect(void *start, size_t size, int protection)
{
    void (*call)(void *context) = call_at_mprotect;

    if (call != NULL) {
        call_at_mprotect = NULL;
        call(call_context);
    }
    return is_the_one(&mprotects_to_failure) ? -1 : __real_mprotect(start, size, protection);
}

void __wrap_free(void *block)
{
    if (block != NULL && block == watched.block) {
        for (size_t i = 0; i < watched.size; i++) {
            watched.n_left += watched.block[i] != 0;
        }
        watched.was_freed = true;
        watched.block = NULL;
    }
    __real_free(block);
}

ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags)
{
    if (getrandom_fails) {
        errno = ENOSYS;
        return -1;
    }
    return __real_getrandom(out, size, flags);
}

static void add_ms(struct timespec *time, int64_t ms)
{
    int64_t ns = time->tv_nsec + ms % 1000 * 1000000;
    int64_t carry = ns < 0 ? -1 : ns / 1000000000;

    time->tv_sec += ms / 1000 + carry;
    time->tv_nsec = ns - carry * 1000000000;
}

void faults_sleep_after_next_read(int64_t ms)
{
    sleep_to_come_ms = ms;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *out)
{
    int result = __real_clock_gettime(id, out);

    if (result == 0 && id == CLOCK_REALTIME) {
        add_ms(out, wall_ahead_ms + asleep_ms);
    }
    if (result == 0 && id == CLOCK_BOOTTIME) {
        add_ms(out, asleep_ms);
    }
    if (id == CLOCK_REALTIME || id == CLOCK_BOOTTIME) {
        asleep_ms += sleep_to_come_ms;
        sleep_to_come_ms = 0;
    }
    return result;
}
