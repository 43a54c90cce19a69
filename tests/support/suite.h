/* What every unit test's main does: run one suite, say how it went.
 *
 * Not the facts (each test file's own). One test file, one suite, one program. */
#ifndef SESSIOND_TESTS_SUPPORT_SUITE_H
#define SESSIOND_TESTS_SUPPORT_SUITE_H

#include <check.h>

/* How far an exhaustive loop steps: a sanitizer makes each case ten times as dear, and looks at a part of them;
 * the other builds look at all. Odd, so that every bit of a byte has its turn. */
#ifndef SUITE_STEP
#define SUITE_STEP 1
#endif

/* The end of a loop test over the rows of a table. */
#define SUITE_ROWS(table) ((int)(sizeof(table) / sizeof(table)[0]))

/** Add a case that is named after the function it is about. */
TCase *suite_case(Suite *suite, const char *function);

/** Run the suite and free it. Returns main's exit status. */
int suite_run(Suite *suite);

#endif
