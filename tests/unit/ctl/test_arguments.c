/* Unit tests of the tool's arguments. */
#include "sessiond/ctl/arguments.h"

#include "suite_main.h"

#include <string.h>

enum { WORDS_MAX = 8 };

static enum sess_status read_words(const char *const *words, struct ctl_arguments *out,
                                   struct sess_error *error)
{
    char room[WORDS_MAX][32];
    char *argv[WORDS_MAX + 1] = {NULL};
    int argc = 0;

    for (; words[argc] != NULL; argc++) {
        ck_assert_int_lt(argc, WORDS_MAX);
        (void)snprintf(room[argc], sizeof room[argc], "%s", words[argc]);
        argv[argc] = room[argc];
    }
    return ctl_arguments_read(argc, argv, out, error);
}

START_TEST(options_stand_anywhere)
{
    const char *const rows[][WORDS_MAX] = {
        {"sessionctl", "check", "/data", "--json", "--salvage", "file"},
        {"sessionctl", "check", "--json", "--salvage=file", "/data"},
    };
    struct ctl_arguments arguments;
    struct sess_error error;

    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(read_words(rows[i], &arguments, &error), SESS_OK);
        ck_assert_int_eq(arguments.verb, VERB_CHECK);
        ck_assert_ptr_nonnull(arguments.operand);
        ck_assert_ptr_nonnull(arguments.options[OPTION_CHECK_JSON]);
        ck_assert_ptr_nonnull(arguments.options[OPTION_CHECK_SALVAGE]);
        ck_assert_ptr_null(arguments.options[OPTION_CHECK_PROGRESS]);
    }
}
END_TEST

/* What may be missing, and what a verb does not take. */
START_TEST(operands_may_be_missing)
{
    const char *const rows[][WORDS_MAX] = {
        {"sessionctl", "stats"},
        {"sessionctl", "stats", "settings"},
        {"sessionctl", "flush", "--socket", "/s", "--yes"},
    };
    struct ctl_arguments arguments;
    struct sess_error error;

    ck_assert_int_eq(read_words(rows[0], &arguments, &error), SESS_OK);
    ck_assert_int_eq(arguments.verb, VERB_STATS);
    ck_assert_ptr_null(arguments.operand);
    ck_assert_int_eq(read_words(rows[1], &arguments, &error), SESS_OK);
    ck_assert_ptr_nonnull(arguments.operand);
    ck_assert_int_eq(read_words(rows[2], &arguments, &error), SESS_OK);
    ck_assert_int_eq(arguments.verb, VERB_FLUSH);
    ck_assert_ptr_nonnull(arguments.options[OPTION_FLUSH_SOCKET]);
    ck_assert_ptr_nonnull(arguments.options[OPTION_FLUSH_YES]);
    ck_assert_ptr_null(arguments.options[OPTION_PING_SOCKET]);
}
END_TEST

START_TEST(help_and_version)
{
    const char *const rows[][WORDS_MAX] = {
        {"sessionctl", "--help"},
        {"sessionctl", "check", "--help"},
        {"sessionctl", "--version"},
    };
    const enum ctl_verb verbs[] = {VERB_HELP, VERB_HELP, VERB_VERSION};
    struct ctl_arguments arguments;
    struct sess_error error;

    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(read_words(rows[i], &arguments, &error), SESS_OK);
        ck_assert_int_eq(arguments.verb, verbs[i]);
        ck_assert_int_eq(arguments.help_of, i == 1 ? VERB_CHECK : VERB_HELP);
    }
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
    static const struct {
        const char *words[WORDS_MAX];
        const char *text;
    } rows[] = {
        {{"sessionctl"}, "wants to be told"},
        {{"sessionctl", "dance"}, "'dance'"},
        {{"sessionctl", "check"}, "needs DIR|DUMP"},
        {{"sessionctl", "check", ""}, "needs DIR|DUMP"},
        {{"sessionctl", "check", "/a", "/b"}, "'/b' is one too many"},
        {{"sessionctl", "check", "/a", "--dance"}, "no option --dance"},
        {{"sessionctl", "check", "/a", "--salvage"}, "--salvage needs a value"},
        {{"sessionctl", "ping", "pong"}, "takes no 'pong'"},
        {{"sessionctl", "stats", "a", "b"}, "'b' is one too many"},
        {{"sessionctl", "flush", "--socket"}, "--socket needs a value"},
        {{"sessionctl", "ping", "--yes"}, "no option --yes"},
    };
    struct ctl_arguments arguments;
    struct sess_error error;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(read_words(rows[i].words, &arguments, &error), SESS_INVALID);
        ck_assert_msg(strstr(error.text, rows[i].text) != NULL, "'%s' does not say '%s'",
                      error.text, rows[i].text);
    }
}
END_TEST

SUITE_MAIN("ctl/arguments", options_stand_anywhere, operands_may_be_missing, help_and_version,
           what_is_wrong_is_told)
