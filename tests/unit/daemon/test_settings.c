/* Unit tests of the settings as a whole: defaults, rank, memory, printing. */
#include "sessiond/daemon/settings.h"

#include "settings_fixture.h"
#include "suite_main.h"

static const size_t mib = (size_t)1 << 20;

/* Nothing is given: every option has the default that its row tells. */
START_TEST(test_defaults)
{
    struct settings_fixture fixture;

    settings_open(&fixture);
    ck_assert_uint_eq(fixture.settings.net.listen.n_items, 1);
    ck_assert_str_eq(fixture.settings.net.listen.items[0], "127.0.0.1:11200");
    ck_assert_uint_eq(fixture.settings.store.memory, 1024 * mib);
    ck_assert_uint_eq(fixture.settings.store.max_value, mib);
    ck_assert_uint_eq(fixture.settings.net.max_connections, 10000);
    ck_assert_uint_eq(fixture.settings.net.command_timeout, 10000);
    ck_assert_uint_eq(fixture.settings.net.idle_timeout, 0);
    ck_assert(!fixture.settings.net.insecure_listen);
    ck_assert_str_eq(fixture.settings.daemon.user, "");
    ck_assert_uint_eq(fixture.settings.daemon.log_level, 2);
}
END_TEST

/* The command line ranks above the file, whichever is read first. */
START_TEST(test_command_line_outranks_the_file)
{
    struct settings_fixture fixture;

    settings_open(&fixture);
    ck_assert_int_eq(settings_read_line(&fixture, "--memory 64m"), SESS_OK);
    ck_assert_int_eq(settings_read_file(&fixture, "memory = 32m\nmax-value = 2m\n"), SESS_OK);
    ck_assert_uint_eq(fixture.settings.store.memory, 64 * mib);
    ck_assert_uint_eq(fixture.settings.store.max_value, 2 * mib);

    settings_open(&fixture);
    ck_assert_int_eq(settings_read_file(&fixture, "memory = 32m\nmax-value = 2m\n"), SESS_OK);
    ck_assert_int_eq(settings_read_line(&fixture, "--memory 64m"), SESS_OK);
    ck_assert_uint_eq(fixture.settings.store.memory, 64 * mib);
    ck_assert_uint_eq(fixture.settings.store.max_value, 2 * mib);
}
END_TEST

/* A value that is outranked is still checked: it would be wrong on another day. */
START_TEST(test_outranked_values_are_checked)
{
    struct settings_fixture fixture;

    settings_open(&fixture);
    ck_assert_int_eq(settings_read_line(&fixture, "--memory 64m"), SESS_OK);
    ck_assert_int_eq(settings_read_file(&fixture, "memory = lots\n"), SESS_INVALID);
    ck_assert_uint_eq(fixture.settings.store.memory, 64 * mib);
}
END_TEST

static void assert_listens(const struct settings_fixture *fixture, const char *first,
                           const char *second)
{
    const struct option_list *listen = &fixture->settings.net.listen;

    ck_assert_uint_eq(listen->n_items, second == NULL ? 1 : 2);
    ck_assert_str_eq(listen->items[0], first);
    if (second != NULL) {
        ck_assert_str_eq(listen->items[1], second);
    }
}

/* The first listener of a higher source replaces those of a lower one, further ones add. */
START_TEST(test_listeners_are_replaced)
{
    static const char file[] = "listen = 127.0.0.1:1\nlisten = 127.0.0.1:2\n";
    struct settings_fixture fixture;

    settings_open(&fixture);
    ck_assert_int_eq(settings_read_file(&fixture, file), SESS_OK);
    assert_listens(&fixture, "127.0.0.1:1", "127.0.0.1:2");
    ck_assert_int_eq(settings_read_line(&fixture, "--listen unix:/s"), SESS_OK);
    assert_listens(&fixture, "unix:/s", NULL);

    settings_open(&fixture);
    ck_assert_int_eq(settings_read_line(&fixture, "--listen unix:/s --listen [::1]:3"), SESS_OK);
    ck_assert_int_eq(settings_read_file(&fixture, file), SESS_OK);
    assert_listens(&fixture, "unix:/s", "[::1]:3");
}
END_TEST

static enum sess_status split(const char *line, struct memory_split *out,
                              struct settings_fixture *fixture)
{
    settings_open(fixture);
    ck_assert_int_eq(settings_read_line(fixture, line), SESS_OK);
    return settings_split_memory(&fixture->settings, out, &fixture->error);
}

/* The parts, and the one value more that may be in flight, are the whole; sessions get the most, and
 * connections that do nothing leave room for two of the largest replies. */
START_TEST(test_memory_adds_up)
{
    static const char *const lines[] = {
        "",
        "--memory 16m",
        "--memory 64m",
        "--memory 64g --max-value 64m",
        "--memory 20m --max-value 1k",
        "--memory 64m --connection-memory 3m",
        "--memory 64m --connection-memory 1m --max-value 349525",
        "--memory 64m --connection-memory 20m",
        "--memory 1g --max-value 64m",
        "--memory 1g --threads 64 --max-connections 1000000",
        "--memory 16m --data-dir none",
        "--memory 1g --data-dir none",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct settings_fixture fixture;
        struct memory_split parts;
        size_t largest;

        ck_assert_int_eq(split(lines[i], &parts, &fixture), SESS_OK);
        largest = fixture.settings.store.max_value + 2;
        ck_assert_uint_eq(parts.seats + parts.connections + parts.in_flight + largest +
                              parts.journal + parts.workers + parts.data,
                          fixture.settings.store.memory);
        ck_assert_uint_eq(parts.seats, parts.max_connections * NET_CONNECTION_COST);
        ck_assert_uint_ge(parts.connections, parts.seats);
        ck_assert_uint_ge(parts.connections, 2 * fixture.settings.store.max_value);
        ck_assert_uint_ge(parts.max_connections, 100);
        ck_assert_uint_le(parts.max_connections, fixture.settings.net.max_connections);
        ck_assert_uint_ge(parts.data, fixture.settings.store.memory / 2);
        ck_assert_uint_ge(parts.in_flight, largest);
        if (fixture.settings.net.connection_memory > 0) {
            ck_assert_uint_eq(parts.seats + parts.connections,
                              fixture.settings.net.connection_memory);
        }
    }
}
END_TEST

/* A few workers live in what the process may take on top; many are taken into account. */
START_TEST(test_memory_of_workers)
{
    static const struct {
        const char *line;
        size_t workers;
    } rows[] = {
        {"--threads 1 --memory 16m", 0},
        {"--threads 5 --max-connections 10000", 0},
        {"--threads 8 --max-connections 100", (size_t)8 * 100 * NET_DESCRIPTOR_COST},
        {"--threads 64 --max-connections 100", ((size_t)64 * NET_WORKER_COST) - ((size_t)8 << 20) +
                                                   (size_t)64 * 100 * NET_DESCRIPTOR_COST},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct settings_fixture fixture;
        struct memory_split parts;

        ck_assert_int_eq(split(rows[i].line, &parts, &fixture), SESS_OK);
        ck_assert_uint_eq(parts.workers, rows[i].workers);
    }
}
END_TEST

/* A reply of the largest value could never be sent. */
START_TEST(test_connection_memory_is_too_little)
{
    static const char *const lines[] = {
        "--connection-memory 1m",
        "--connection-memory 3145727",
        "--connection-memory 1m --max-value 349526",
        "--memory 4g --connection-memory 100m --max-value 64m",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct settings_fixture fixture;
        struct memory_split parts;

        ck_assert_int_eq(split(lines[i], &parts, &fixture), SESS_OUT_OF_RANGE);
        settings_expect_error(&fixture, "connection-memory");
        settings_expect_error(&fixture, "lower max-value");
    }
}
END_TEST

/* What connections, values and workers take would leave less than half for sessions: refused, with the
 * options named. */
START_TEST(test_memory_is_too_little)
{
    static const char *const lines[] = {
        "--memory 16m --max-value 8m",
        "--memory 16m --max-value 2m",
        "--memory 64m --connection-memory 33m",
        "--memory 64m --connection-memory 30m",
        "--memory 64m --connection-memory 1000g",
        "--memory 255m --max-value 64m",
        "--memory 64m --threads 64",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct settings_fixture fixture;
        struct memory_split parts;

        ck_assert_int_eq(split(lines[i], &parts, &fixture), SESS_OUT_OF_RANGE);
        settings_expect_error(&fixture, "raise memory");
        settings_expect_error(&fixture, "max-value");
        settings_expect_error(&fixture, "connection-memory");
        settings_expect_error(&fixture, "threads");
    }
}
END_TEST

/* Threads as set; auto is at least one and never too many, for what is set and for memory. */
START_TEST(test_threads)
{
    struct settings_fixture fixture;

    settings_open(&fixture);
    ck_assert_uint_ge(settings_threads(&fixture.settings), 1);
    ck_assert_uint_le(settings_threads(&fixture.settings), NET_THREADS_MAX);
    ck_assert_int_eq(settings_read_line(&fixture, "--memory 16m"), SESS_OK);
    ck_assert_uint_ge(settings_threads(&fixture.settings), 1);
    ck_assert_uint_le(settings_threads(&fixture.settings), 2);
    ck_assert_int_eq(settings_read_line(&fixture, "--threads 7"), SESS_OK);
    ck_assert_uint_eq(settings_threads(&fixture.settings), 7);
}
END_TEST

/* What --print-config prints is a config file that gives the same settings, defaults or not. */
START_TEST(test_print_reads_back)
{
    static const char *const lines[] = {
        "",
        "--memory 100m --max-value 1025 --listen 127.0.0.1:1 --listen unix:/run/s.sock --threads 3 "
        "--idle-timeout 90s --command-timeout none --value-timeout 1500ms --connection-memory 5m "
        "--user nobody --log-level error --insecure-listen yes --max-connections 12 "
        "--line-limit 1025 --output-limit 1m --output-timeout 2m --stop-timeout 1h",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct settings_fixture given;
        struct settings_fixture read_back;
        char *text;
        char *again;

        settings_open(&given);
        ck_assert_int_eq(settings_read_line(&given, lines[i]), SESS_OK);
        text = settings_printed(&given);
        settings_open(&read_back);
        ck_assert_int_eq(settings_read_file(&read_back, text), SESS_OK);
        again = settings_printed(&read_back);
        ck_assert_str_eq(text, again);
        ck_assert_uint_eq(read_back.settings.store.memory, given.settings.store.memory);
        ck_assert_uint_eq(read_back.settings.net.idle_timeout, given.settings.net.idle_timeout);
        free(text);
        free(again);
    }
}
END_TEST

/* Every option is printed with its name, and the file says how it is to be read. */
START_TEST(test_print_is_complete)
{
    struct settings_fixture fixture;
    char *text;

    settings_open(&fixture);
    text = settings_printed(&fixture);
    ck_assert_ptr_eq(strstr(text, "# sessiond.conf"), text);
    for (size_t i = 0; i < fixture.registry.n_options; i++) {
        const struct option_table *table = fixture.registry.options[i].table;

        for (size_t row = 0; row < table->n_rows; row++) {
            char line[OPTION_TEXT_SIZE + 4] = "\n";

            option_name(&table->rows[row], line + 1, OPTION_TEXT_SIZE);
            (void)strcat(line, " = ");
            ck_assert_msg(strstr(text, line) != NULL, "no%s", line);
        }
    }
    free(text);
}
END_TEST

/* The registry has no place left. */
START_TEST(test_register_in_a_full_registry)
{
    for (size_t n = 0; n < 3; n++) {
        struct settings_fixture fixture;

        memset(&fixture, 0, sizeof fixture);
        fixture.registry.n_options = REGISTRY_ROOMS_MAX - n;
        ck_assert_int_eq(settings_register(&fixture.settings, &fixture.registry, &fixture.error),
                         SESS_LIMIT);
    }
}
END_TEST

SUITE_MAIN("daemon/settings", test_defaults, test_command_line_outranks_the_file,
           test_outranked_values_are_checked, test_listeners_are_replaced, test_memory_adds_up,
           test_memory_of_workers, test_connection_memory_is_too_little, test_memory_is_too_little,
           test_threads, test_print_reads_back, test_print_is_complete,
           test_register_in_a_full_registry)
