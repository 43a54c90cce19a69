/* Times of a paced run. Pure but for the wait. */
#include "pace.h"

#include <sys/epoll.h>
#include <time.h>

enum { NS_PER_S = 1000000000 };

int64_t pace_interval_ns(uint64_t rate, size_t n_connections, size_t depth)
{
    return (int64_t)((double)NS_PER_S * (double)n_connections * (double)depth / (double)rate);
}

int64_t pace_first_ns(int64_t start_ns, int64_t interval_ns, size_t n_connections, size_t i)
{
    return start_ns + interval_ns / (int64_t)n_connections * (int64_t)i;
}

int pace_wait(int epoll_fd, struct epoll_event *events, int most, int64_t wait_ns)
{
    struct timespec wait = {.tv_sec = wait_ns / NS_PER_S, .tv_nsec = wait_ns % NS_PER_S};

    return epoll_pwait2(epoll_fd, events, most, &wait, NULL);
}
