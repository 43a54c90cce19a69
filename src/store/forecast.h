/* When the memory for sessions will be full, if it goes on as in the last ten minutes.
 *
 * Private to the store. Samples of the bytes in use, at most one in ten seconds. Threads: any. */
#ifndef SESSIOND_SRC_STORE_FORECAST_H
#define SESSIOND_SRC_STORE_FORECAST_H

#include "sessiond/base/status.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FORECAST_STEP_S = 10,    /* between two samples, at least */
    FORECAST_WINDOW_S = 600, /* older samples do not count */
    FORECAST_SAMPLES = FORECAST_WINDOW_S / FORECAST_STEP_S + 1,
};

#define FORECAST_NEVER INT64_MAX

struct forecast_sample {
    int64_t time_s;
    size_t used_bytes;
};

struct forecast {
    _Atomic int64_t next_s; /* any thread: when the next sample is due */
    pthread_mutex_t lock;
    /* under the lock */
    struct forecast_sample samples[FORECAST_SAMPLES];
    size_t n_samples; /* ever taken; sample i stands at i % FORECAST_SAMPLES */
};

/** Begin with a first sample. returns OK | NO_MEMORY (no mutex) */
SESS_MUST_CHECK enum sess_status forecast_init(struct forecast *forecast, int64_t now_s,
                                               size_t used_bytes);
void forecast_fini(struct forecast *forecast);

/** Forget all samples, and begin with this one. */
void forecast_restart(struct forecast *forecast, int64_t now_s, size_t used_bytes);

/** Take a sample if one is due; nearly always only one look at the time. */
void forecast_note(struct forecast *forecast, int64_t now_s, size_t used_bytes);

/** Seconds until `limit_bytes` are used, 0 if they are, or FORECAST_NEVER: they do not grow, or there
 *  is nothing to judge by yet, or it takes more than a hundred years. */
int64_t forecast_full_s(struct forecast *forecast, int64_t now_s, size_t used_bytes,
                        size_t limit_bytes);

#endif
