/* Dependent random loads over so much memory, for what its size alone costs: chase BYTES
 *
 * For each line "N" of its input it makes N loads, each from a cache line that the one before decided, and prints the
 * nanoseconds of one, in the processor time of its thread. In pages of the usual size, as a store's. */
#include "room.h"
#include "sessiond/base/number.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum {
    EXIT_USAGE = 64,
    LINE_BYTES = 64,
    LINE_WORDS = LINE_BYTES / sizeof(uint64_t),
    TEXT_MAX = 32,
};
#define BYTES_MAX ((uint64_t)LINE_BYTES << 32)

/* `at` is the number of a load's line in its upper half; what is loaded is 1 everywhere, which nobody knows. */
static uint64_t chase(const uint64_t *lines, uint64_t n_lines, uint64_t at, uint64_t n_loads)
{
    for (uint64_t i = 0; i < n_loads; i++) {
        at = at * UINT64_C(6364136223846793005) +
             lines[(at >> 32) * n_lines / (UINT64_C(1) << 32) * LINE_WORDS];
    }
    return at;
}

static double thread_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t *touch_lines(uint64_t n_lines)
{
    size_t size = n_lines * LINE_BYTES;
    uint64_t *lines = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (lines == MAP_FAILED) {
        perror("chase: mmap");
        exit(EXIT_FAILURE);
    }
    (void)madvise(lines, size, MADV_NOHUGEPAGE);
    for (uint64_t i = 0; i < n_lines; i++) {
        lines[i * LINE_WORDS] = 1;
    }
    return lines;
}

int main(int argc, char **argv)
{
    char text[TEXT_MAX];
    uint64_t bytes = 0;
    uint64_t at = 1;
    uint64_t *lines;

    if (argc != 2 || number_parse_u64(slice_from_text(argv[1]), BYTES_MAX, &bytes) != SESS_OK ||
        bytes < LINE_BYTES) {
        (void)fputs("usage: chase BYTES\n", stderr);
        return EXIT_USAGE;
    }
    lines = touch_lines(bytes / LINE_BYTES);
    while (fgets(text, sizeof(text), stdin) != NULL) {
        uint64_t n_loads = 0;
        double began = thread_ns();

        text[strcspn(text, "\n")] = '\0';
        if (number_parse_u64(slice_from_text(text), UINT32_MAX, &n_loads) != SESS_OK ||
            n_loads == 0) {
            return EXIT_USAGE;
        }
        at = chase(lines, bytes / LINE_BYTES, at, n_loads);
        (void)printf("%.3f\n", (thread_ns() - began) / (double)n_loads);
        (void)fflush(stdout);
    }
    return at == 0; /* so that the loads are needed */
}
