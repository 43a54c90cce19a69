/* Telling progress. Threads, memory: see the header. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_MS = 2000, NEXT_MS = 1000 };

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_begin(struct progress *progress, bool is_wanted)
{
    bool is_terminal = isatty(STDERR_FILENO) != 0;

    *progress = (struct progress){.is_shown = is_wanted || is_terminal,
                                  .is_terminal = is_terminal,
                                  .next_ms = now_ms() + FIRST_MS,
                                  .n_passes = 1};
}

void progress_tell(void *context, uint64_t done, uint64_t all)
{
    struct progress *progress = context;
    int64_t now = now_ms();

    progress->n_passes += done < progress->last;
    progress->last = done;
    if (!progress->is_shown || now < progress->next_ms) {
        return;
    }
    progress->next_ms = now + NEXT_MS;
    progress->has_line = progress->is_terminal;
    (void)fputs(progress->is_terminal ? "\rsessionctl: " : "sessionctl: ", stderr);
    if (all == PROGRESS_OPEN) {
        (void)fprintf(stderr, "%" PRIu64 " MiB", done >> 20);
    } else {
        (void)fprintf(stderr, "pass %u: %3" PRIu64 " %% of %" PRIu64 " MiB", progress->n_passes,
                      all == 0 ? 100 : done / (all / 100 + 1), all >> 20);
    }
    (void)fputs(progress->is_terminal ? "" : "\n", stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->has_line) {
        (void)fputc('\n', stderr);
        progress->has_line = false;
    }
}
