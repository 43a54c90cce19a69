/* The forecast: a straight line through the oldest sample and now. Threads: any. Memory: none. */
#include "forecast.h"

#include <stdatomic.h>
#include <stdbool.h>

#define LONGEST_S (100.0 * 365 * 86400)

/* Under the lock, or before anybody else knows of it. */
static void add_sample(struct forecast *forecast, int64_t now_s, size_t used_bytes)
{
    forecast->samples[forecast->n_samples++ % FORECAST_SAMPLES] =
        (struct forecast_sample){.time_s = now_s, .used_bytes = used_bytes};
    atomic_store_explicit(&forecast->next_s, now_s + FORECAST_STEP_S, memory_order_relaxed);
}

enum sess_status forecast_init(struct forecast *forecast, int64_t now_s, size_t used_bytes)
{
    forecast->n_samples = 0;
    if (pthread_mutex_init(&forecast->lock, NULL) != 0) {
        return SESS_NO_MEMORY;
    }
    add_sample(forecast, now_s, used_bytes);
    return SESS_OK;
}

void forecast_restart(struct forecast *forecast, int64_t now_s, size_t used_bytes)
{
    (void)pthread_mutex_lock(&forecast->lock);
    forecast->n_samples = 0;
    add_sample(forecast, now_s, used_bytes);
    (void)pthread_mutex_unlock(&forecast->lock);
}

void forecast_fini(struct forecast *forecast)
{
    (void)pthread_mutex_destroy(&forecast->lock);
}

static bool is_due(const struct forecast *forecast, int64_t now_s)
{
    return now_s >= atomic_load_explicit(&forecast->next_s, memory_order_relaxed);
}

void forecast_note(struct forecast *forecast, int64_t now_s, size_t used_bytes)
{
    if (!is_due(forecast, now_s)) {
        return;
    }
    (void)pthread_mutex_lock(&forecast->lock);
    /* Another worker may have been first. */
    if (is_due(forecast, now_s)) {
        add_sample(forecast, now_s, used_bytes);
    }
    (void)pthread_mutex_unlock(&forecast->lock);
}

/* The oldest sample of the window, or the latest of all. */
static struct forecast_sample oldest_sample(struct forecast *forecast, int64_t now_s)
{
    struct forecast_sample sample;
    size_t i;

    (void)pthread_mutex_lock(&forecast->lock);
    i = forecast->n_samples < FORECAST_SAMPLES ? 0 : forecast->n_samples - FORECAST_SAMPLES;
    do {
        sample = forecast->samples[i++ % FORECAST_SAMPLES];
    } while (sample.time_s < now_s - FORECAST_WINDOW_S && i < forecast->n_samples);
    (void)pthread_mutex_unlock(&forecast->lock);
    return sample;
}

int64_t forecast_full_s(struct forecast *forecast, int64_t now_s, size_t used_bytes,
                        size_t limit_bytes)
{
    struct forecast_sample before = oldest_sample(forecast, now_s);
    int64_t elapsed_s = now_s - before.time_s;
    double full_s;

    if (used_bytes >= limit_bytes) {
        return 0;
    }
    if (elapsed_s < FORECAST_STEP_S || used_bytes <= before.used_bytes) {
        return FORECAST_NEVER;
    }
    full_s = (double)(limit_bytes - used_bytes) * (double)elapsed_s /
             (double)(used_bytes - before.used_bytes);
    return full_s > LONGEST_S ? FORECAST_NEVER : (int64_t)full_s;
}
