/* A main of one line, for suites whose facts all belong to one case.
 *
 * Not the runner (suite.c). How long a test may take is ctest's business: sanitizers slow all of
 * them down. */
#ifndef SESSIOND_TESTS_SUPPORT_SUITE_MAIN_H
#define SESSIOND_TESTS_SUPPORT_SUITE_MAIN_H

#include "suite.h"

#include <stddef.h>

/** Run `tests` as the suite `name`; returns main's exit status. */
static inline int suite_main(const char *name, const TTest *const *tests, size_t n_tests)
{
    Suite *suite = suite_create(name);
    TCase *facts = suite_case(suite, name);

    tcase_set_timeout(facts, 0);
    for (size_t i = 0; i < n_tests; i++) {
        tcase_add_test(facts, tests[i]);
    }
    return suite_run(suite);
}

/* A ck_assert for hot loops: that one tells the runner of each time it held, by a system call. */
#define HOT_ASSERT(expression)                                                                     \
    do {                                                                                           \
        if (!(expression)) {                                                                       \
            ck_abort_msg("does not hold: %s", #expression);                                        \
        }                                                                                          \
    } while (0)

/* SUITE_MAIN("store/entry", test_a, test_b) */
#define SUITE_MAIN(name, ...)                                                                      \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
                                                                                                   \
        return suite_main(name, tests, sizeof tests / sizeof tests[0]);                            \
    }

#endif
