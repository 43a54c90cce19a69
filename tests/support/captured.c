/* Capturing standard error. Threads: one. Memory: static. */
#include "captured.h"

#include <check.h>
#include <unistd.h>

static int true_stderr = -1;
static int read_end = -1;
static char text[CAPTURED_SIZE + 1];

void captured_start(void)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    true_stderr = dup(STDERR_FILENO);
    ck_assert_int_ge(true_stderr, 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
    read_end = ends[0];
}

const char *captured_end(void)
{
    size_t used = 0;
    ssize_t got;

    ck_assert_int_ge(dup2(true_stderr, STDERR_FILENO), 0);
    close(true_stderr);
    while ((got = read(read_end, text + used, CAPTURED_SIZE - used)) > 0) {
        used += (size_t)got;
    }
    close(read_end);
    text[used] = '\0';
    return text;
}
