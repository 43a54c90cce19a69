/* Running one suite. Not the facts. Memory: libcheck's. */
#include "suite.h"

#include <stdlib.h>

TCase *suite_case(Suite *suite, const char *function)
{
    TCase *facts = tcase_create(function);

    suite_add_tcase(suite, facts);
    return facts;
}

int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int n_failed;

    srunner_run_all(runner, CK_NORMAL);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
