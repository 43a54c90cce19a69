/* Unit tests of the command line: actions, options by name, memcached's short options, errors. */
#include "sessiond/daemon/command_line.h"

#include "settings_fixture.h"
#include "suite_main.h"

static struct settings_fixture fixture;

static void read_line(const char *words)
{
    settings_open(&fixture);
    ck_assert_msg(settings_read_line(&fixture, words) == SESS_OK, "%s", fixture.error.text);
}

static void expect_error(const char *words, enum sess_status status, const char *text)
{
    settings_open(&fixture);
    ck_assert_int_eq(settings_read_line(&fixture, words), status);
    settings_expect_error(&fixture, text);
}

/* Nothing is given: run, without a config file, with all defaults. */
START_TEST(test_nothing)
{
    read_line("");
    ck_assert_int_eq(fixture.line.action, ACTION_RUN);
    ck_assert_ptr_null(fixture.line.config_path);
    ck_assert_uint_eq(fixture.settings.net.listen.n_items, 1);
}
END_TEST

/* Each action, and the config file's path in both forms. */
START_TEST(test_actions)
{
    static const struct {
        const char *words;
        enum command_line_action action;
    } rows[] = {
        {"--print-config", ACTION_PRINT_CONFIG},
        {"--check-config", ACTION_CHECK_CONFIG},
        {"--version", ACTION_VERSION},
        {"-V", ACTION_VERSION},
        {"--help", ACTION_HELP},
        {"-h", ACTION_HELP},
        {"--memory 64m --print-config", ACTION_PRINT_CONFIG},
        {"--memory 64m", ACTION_RUN},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        read_line(rows[i].words);
        ck_assert_int_eq(fixture.line.action, rows[i].action);
        ck_assert_ptr_null(fixture.line.config_path);
    }
    read_line("--config /etc/a.conf --check-config");
    ck_assert_str_eq(fixture.line.config_path, "/etc/a.conf");
    ck_assert_int_eq(fixture.line.action, ACTION_CHECK_CONFIG);
}
END_TEST

/* Whoever asks for help gets it, whatever else is wrong behind it. */
START_TEST(test_help_comes_first)
{
    read_line("--help --nonsense");
    ck_assert_int_eq(fixture.line.action, ACTION_HELP);
    read_line("-h surplus");
    ck_assert_int_eq(fixture.line.action, ACTION_HELP);
}
END_TEST

/* Every option of every table is taken by its name, as two words and as one with '='. */
START_TEST(test_every_option_by_name)
{
    settings_open(&fixture);
    for (size_t i = 0; i < fixture.registry.n_options; i++) {
        const struct option_table *table = fixture.registry.options[i].table;

        for (size_t row = 0; row < table->n_rows; row++) {
            const struct option_row *option = &table->rows[row];
            char name[OPTION_TEXT_SIZE];
            char words[2 * OPTION_TEXT_SIZE + 32];

            option_name(option, name, sizeof name);
            (void)snprintf(words, sizeof words, "--%s %s --%s=%s", name, option->default_text, name,
                           option->default_text);
            ck_assert_msg(settings_read_line(&fixture, words) == SESS_OK, "%s: %s", words,
                          fixture.error.text);
            ck_assert_int_eq(fixture.registry.options[i].source[row], OPTION_FROM_COMMAND_LINE);
        }
    }
}
END_TEST

/* memcached's short options that stand for a setting. */
START_TEST(test_short_options)
{
    read_line("-m 64 -c 5 -t 3 -u nobody -v -F");
    ck_assert_uint_eq(fixture.settings.store.memory, (uint64_t)64 << 20);
    ck_assert_uint_eq(fixture.settings.net.max_connections, 5);
    ck_assert_uint_eq(fixture.settings.net.threads, 3);
    ck_assert_str_eq(fixture.settings.daemon.user, "nobody");
    ck_assert_uint_eq(fixture.settings.daemon.log_level, 3);
    ck_assert_int_eq(fixture.line.action, ACTION_RUN);
    read_line("-m64 -vvF");
    ck_assert_uint_eq(fixture.settings.store.memory, (uint64_t)64 << 20);
    ck_assert_uint_eq(fixture.settings.daemon.log_level, 3);
}
END_TEST

/* flush_all is refused by default, allowed on request, and -F outranks a file. */
START_TEST(test_flush_all)
{
    read_line("");
    ck_assert_uint_eq(fixture.settings.commands.flush_all, FLUSH_ALL_REFUSE);
    read_line("--flush-all allow");
    ck_assert_uint_eq(fixture.settings.commands.flush_all, FLUSH_ALL_ALLOW);
    settings_open(&fixture);
    ck_assert_int_eq(settings_read_file(&fixture, "flush-all = allow\n"), SESS_OK);
    ck_assert_uint_eq(fixture.settings.commands.flush_all, FLUSH_ALL_ALLOW);
    ck_assert_int_eq(settings_read_line(&fixture, "-F"), SESS_OK);
    ck_assert_uint_eq(fixture.settings.commands.flush_all, FLUSH_ALL_REFUSE);
}
END_TEST

/* -p, -l and -s make listeners, which replace those of the defaults and of a file. */
START_TEST(test_short_listeners)
{
    read_line("-p 5 -l 127.0.0.2,::1 -s /tmp/s");
    ck_assert_uint_eq(fixture.settings.net.listen.n_items, 3);
    ck_assert_str_eq(fixture.settings.net.listen.items[0], "unix:/tmp/s");
    ck_assert_str_eq(fixture.settings.net.listen.items[1], "127.0.0.2:5");
    ck_assert_str_eq(fixture.settings.net.listen.items[2], "[::1]:5");
    ck_assert_int_eq(settings_read_file(&fixture, "listen = 127.0.0.1:9\n"), SESS_OK);
    ck_assert_uint_eq(fixture.settings.net.listen.n_items, 3);
    read_line("-l 127.0.0.2 -l 127.0.0.3:9");
    ck_assert_uint_eq(fixture.settings.net.listen.n_items, 2);
    ck_assert_str_eq(fixture.settings.net.listen.items[0], "127.0.0.2:11200");
    ck_assert_str_eq(fixture.settings.net.listen.items[1], "127.0.0.3:9");
    read_line("--listen 127.0.0.1:7 -p 8");
    ck_assert_uint_eq(fixture.settings.net.listen.n_items, 2);
    ck_assert_str_eq(fixture.settings.net.listen.items[0], "127.0.0.1:7");
    ck_assert_str_eq(fixture.settings.net.listen.items[1], "127.0.0.1:8");
}
END_TEST

/* What is wrong with a command line, told with the word that was typed. */
START_TEST(test_errors)
{
    expect_error("--nonsense", SESS_NOT_FOUND, "there is no option --nonsense");
    expect_error("--memory 64m -x", SESS_NOT_FOUND, "there is no option -x");
    expect_error("--memory", SESS_INVALID, "--memory needs a value");
    expect_error("-v -p", SESS_INVALID, "-p needs a value");
    expect_error("surplus", SESS_INVALID, "'surplus' is no option");
    expect_error("--memory 64m surplus --threads 2", SESS_INVALID, "'surplus' is no option");
    expect_error("-- surplus", SESS_INVALID, "'surplus' is no option");
    expect_error("--memory lots", SESS_INVALID, "memory: 'lots' will not do");
    expect_error("--memory 1m", SESS_OUT_OF_RANGE, "at least 16m");
    expect_error("-m lots", SESS_INVALID, "-m: 'lots' will not do");
    expect_error("-m 1g", SESS_INVALID, "megabytes");
    expect_error("-m 1", SESS_OUT_OF_RANGE, "at least 16m");
    expect_error("-t 0", SESS_OUT_OF_RANGE, "1 to 64");
    expect_error("-c many", SESS_INVALID, "max-connections: ");
    expect_error("-l 127.0.0.1,,::1", SESS_INVALID, "-l: ");
    expect_error("--log-level=loud", SESS_INVALID, "log-level: ");
    expect_error("--version=2", SESS_NOT_FOUND, "--version=2");
}
END_TEST

/* One --listen more than there is room for, and as many by -l. */
START_TEST(test_too_many_listeners)
{
    char words[64 * OPTION_LIST_MAX] = "";

    for (unsigned i = 0; i <= OPTION_LIST_MAX; i++) {
        (void)snprintf(words + strlen(words), sizeof words - strlen(words), "--listen [::1]:%u ",
                       i);
    }
    expect_error(words, SESS_LIMIT, "listen: ");
    (void)snprintf(words, sizeof words, "-l h");
    for (unsigned i = 0; i < OPTION_LIST_MAX; i++) {
        (void)strcat(words, ",h");
    }
    expect_error(words, SESS_LIMIT, "-l: ");
}
END_TEST

/* --help tells every action, short option and setting. */
START_TEST(test_help_is_complete)
{
    static const char *const words[] = {
#define ACTION(id, name, argument, doc) "  --" name " ",
#include "sessiond/daemon/actions.def"
#undef ACTION
        "  --memory VALUE",
        "  --listen VALUE",
        "  --user VALUE",
        "Exit codes:",
    };
    static const char letters[] = {
#define SHORT_OPTION(letter, id, argument, doc) letter,
#include "sessiond/daemon/short_options.def"
#undef SHORT_OPTION
    };
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    settings_open(&fixture);
    command_line_print_help(&fixture.registry, out);
    ck_assert_int_eq(fclose(out), 0);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        ck_assert_msg(strstr(text, words[i]) != NULL, "no %s", words[i]);
    }
    for (size_t i = 0; i < sizeof letters; i++) {
        char letter[] = {'\n', ' ', ' ', '-', letters[i], ' ', '\0'};

        ck_assert_msg(strstr(text, letter) != NULL, "no%s", letter);
    }
    free(text);
}
END_TEST

SUITE_MAIN("daemon/command_line", test_nothing, test_actions, test_help_comes_first,
           test_every_option_by_name, test_short_options, test_flush_all, test_short_listeners,
           test_errors, test_too_many_listeners, test_help_is_complete)
