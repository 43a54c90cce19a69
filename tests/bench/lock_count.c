/* Stands between the store and pthread_mutex_lock. Memory: a count for each thread. */
#include "lock_count.h"

#include <pthread.h>
#include <time.h>

static _Thread_local struct lock_count counted;

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

static uint64_t wall_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    uint64_t began;
    int status;

    if (pthread_mutex_trylock(mutex) == 0) {
        return 0;
    }
    began = wall_ns();
    status = __real_pthread_mutex_lock(mutex);
    counted.n_waits++;
    counted.waited_ns += wall_ns() - began;
    return status;
}

struct lock_count lock_count_take(void)
{
    struct lock_count taken = counted;

    counted = (struct lock_count){.n_waits = 0};
    return taken;
}
