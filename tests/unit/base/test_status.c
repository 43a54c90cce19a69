/* Facts about base/status: each code has a text. */
#include "sessiond/base/status.h"

#include "suite.h"

#include <string.h>

static const enum sess_status codes[] = {
#define STATUS(id, text) SESS_##id,
#include "sessiond/base/status.def"
#undef STATUS
};

enum { N_STATUS = SUITE_ROWS(codes) };

/* The code of success. */
START_TEST(ok_is_zero)
{
    ck_assert_int_eq(SESS_OK, 0);
    ck_assert_str_eq(status_text(SESS_OK), "success");
}
END_TEST

/* Two codes of the enum. */
START_TEST(codes_have_texts_of_their_own)
{
    for (int a = 0; a < N_STATUS; a++) {
        ck_assert_uint_gt(strlen(status_text(codes[a])), 0);
        for (int b = 0; b < a; b++) {
            ck_assert_str_ne(status_text(codes[a]), status_text(codes[b]));
        }
    }
}
END_TEST

/* A number that is no code: one behind the last one, and below the first one. */
START_TEST(no_code_has_a_text_too)
{
    ck_assert_str_eq(status_text((enum sess_status)N_STATUS), "unknown status");
    ck_assert_str_eq(status_text((enum sess_status) - 1), "unknown status");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/status");
    TCase *facts = suite_case(suite, "status_text");

    tcase_add_test(facts, ok_is_zero);
    tcase_add_test(facts, codes_have_texts_of_their_own);
    tcase_add_test(facts, no_code_has_a_text_too);
    return suite_run(suite);
}
