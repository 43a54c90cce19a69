/* Progress of long work, on standard error.
 *
 * Private to ctl. Nothing in the first two seconds, then a line a second: over itself on a terminal. Threads:
 * one. Memory: the struct. */
#ifndef SESSIOND_SRC_CTL_PROGRESS_H
#define SESSIOND_SRC_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_OPEN UINT64_MAX /* for `all`: nobody knows how much there is */

struct progress {
    bool is_shown;
    bool is_terminal;
    bool has_line;   /* one on the terminal that is not ended */
    int64_t next_ms; /* elapsed time from which on a line may be shown */
    uint64_t last;   /* bytes that were done */
    unsigned n_passes;
};

/** Begin. `is_wanted` shows it also where stderr is no terminal. */
void progress_begin(struct progress *progress, bool is_wanted);

/** An inspect_progress_fn; context is the progress. */
void progress_tell(void *context, uint64_t done, uint64_t all);

/** End the line that is on the terminal. */
void progress_end(struct progress *progress);

#endif
