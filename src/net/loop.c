/* The loop's making and its time. What runs in it: worker.c. Threads: the worker's, made and freed by
 * its creator. Memory: an input buffer and an output buffer, of fixed sizes. */
#include "loop.h"

#include <event2/event.h>
#include <stdlib.h>

_Static_assert(LOOP_OUTPUT_FLUSH + LOOP_OUTPUT_SHARE + LOOP_REPLY_MAX <= LOOP_OUTPUT_SIZE,
               "a turn's replies fit");
_Static_assert(LOOP_INPUT_OTHERS + LOOP_INPUT_SIZE + LOOP_OUTPUT_SIZE + LOOP_STACK_USED +
                       LOOP_REPORT_SIZE <=
                   NET_WORKER_COST,
               "a worker takes no more than is said");

static struct event_base *make_base(void)
{
    struct event_config *settings = event_config_new();
    struct event_base *base;

    if (settings == NULL) {
        return NULL;
    }
    /* Only its own thread touches the base; others wake it through a descriptor. */
    (void)event_config_set_flag(settings, EVENT_BASE_FLAG_NOLOCK);
    base = event_base_new_with_config(settings);
    event_config_free(settings);
    return base;
}

enum sess_status loop_init(struct loop *loop, const struct net_config *config)
{
    *loop = (struct loop){.config = config};
    (void)pthread_mutex_init(&loop->connections_lock, NULL);
    for (unsigned role = 0; role < NET_ROLES; role++) {
        loop->limits[role] = (struct parser_limits){
            .line_max = config->options->line_limit,
            .value_max = config->max_value_bytes,
            .inline_max = config->inline_value_bytes,
            .is_admin = role == NET_ROLE_ADMIN,
        };
    }
    loop->context.shared = config->commands;
    loop->parked.gauge = &loop->metrics.conn_parked_now;
    loop->input = malloc(LOOP_INPUT_OTHERS + LOOP_INPUT_SIZE);
    if (loop->input == NULL || buffer_reserve(&loop->output, LOOP_OUTPUT_SIZE) != SESS_OK) {
        return SESS_NO_MEMORY;
    }
    loop->base = make_base();
    return loop->base == NULL ? SESS_IO : SESS_OK;
}

void loop_fini(struct loop *loop)
{
    if (loop->base != NULL) {
        event_base_free(loop->base);
    }
    buffer_release(&loop->output);
    free(loop->input);
    (void)pthread_mutex_destroy(&loop->connections_lock);
}

void loop_arm(struct event *timer, uint64_t ms)
{
    struct timeval time = {.tv_sec = (time_t)(ms / 1000),
                           .tv_usec = (suseconds_t)(ms % 1000) * 1000};

    (void)event_add(timer, &time);
}

struct instant loop_now(struct loop *loop)
{
    if (!loop->time_is_read) {
        loop->context.now = clock_now(loop->config->clock);
        loop->time_is_read = true;
    }
    return loop->context.now;
}
