/* Unit tests of failpoints: the one that is named kills, at its time, and no other. */
#include "sessiond/base/failpoint.h"

#include "suite_main.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLS = 5 };

/* In a child with this environment: pass two points, again and again. Returns how it ended; the calls of
 * "here" that came back are *n. */
static int pass(const char *setting, unsigned *n)
{
    int done[2];
    int state = 0;
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe(done), 0);
    child = fork();
    if (child == 0) {
        /* One thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        (void)(setting == NULL ? unsetenv("SESSIOND_TEST_FAILPOINT")
                               : setenv("SESSIOND_TEST_FAILPOINT", setting, 1));
        for (unsigned i = 0; i < CALLS; i++) {
            failpoint("her");
            failpoint("here.and");
            failpoint("here");
            (void)!write(done[1], "x", 1);
        }
        _exit(0);
    }
    (void)close(done[1]);
    *n = 0;
    while (read(done[0], &byte, 1) == 1) {
        ++*n;
    }
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    return state;
}

START_TEST(none_does_nothing)
{
    unsigned n;

    ck_assert_int_eq(pass(NULL, &n), 0);
    ck_assert_uint_eq(n, CALLS);
    ck_assert_int_eq(pass("elsewhere:kill:1", &n), 0);
    ck_assert_uint_eq(n, CALLS);
}
END_TEST

START_TEST(kills_at_its_time)
{
    unsigned times = (unsigned)_i;
    char setting[] = "here:kill:?";
    unsigned n;
    int state;

    setting[sizeof setting - 2] = (char)('0' + times);
    state = pass(setting, &n);
    ck_assert(WIFSIGNALED(state));
    ck_assert_int_eq(WTERMSIG(state), SIGKILL);
    ck_assert_uint_eq(n, times - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/failpoint");
    TCase *facts = suite_case(suite, "failpoint");

    tcase_add_test(facts, none_does_nothing);
    tcase_add_loop_test(facts, kills_at_its_time, 1, CALLS + 1);
    return suite_run(suite);
}
