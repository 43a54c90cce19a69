/* Preloaded into a daemon: now and then a thread lingers before it takes a mutex and after it has
 * given one back, so that others get in between.
 *
 * What must not be in two holds of a lock is found by a few conversations then; else the gap is some
 * 50 ns wide, and a race is lost once in millions of requests. Nothing here is wrong to do: a thread
 * may be suspended there at any time. Threads: any. Memory: none. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum { LINGERS_IN_256 = 16 };

typedef int mutex_call(pthread_mutex_t *mutex);

static void linger(void)
{
    static _Thread_local uint32_t state;

    if (state == 0) {
        state = (uint32_t)((uintptr_t)&state >> 4) | 1; /* differs from thread to thread */
    }
    state = state * 1664525 + 1013904223; /* Numerical Recipes; its high bits are good */
    if (state >> 24 < LINGERS_IN_256) {
        /* The kernel's timer makes at least 50 us of it. */
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
    }
}

/* The function of that name behind this one: the C library's, or a sanitizer's. */
static mutex_call *find_next(const char *name)
{
    mutex_call *next = NULL;

    *(void **)&next = dlsym(RTLD_NEXT, name);
    if (next == NULL) {
        abort();
    }
    return next;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static _Thread_local mutex_call *next;

    if (next == NULL) {
        next = find_next("pthread_mutex_lock");
    }
    linger();
    return next(mutex);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    static _Thread_local mutex_call *next;
    int failed;

    if (next == NULL) {
        next = find_next("pthread_mutex_unlock");
    }
    failed = next(mutex);
    linger();
    return failed;
}
