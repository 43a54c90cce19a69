/* Unit tests of the listeners that memcached's -p, -l and -s stand for. */
#include "short_listen.h"

#include "suite_main.h"

#include <string.h>

static char items[OPTION_LIST_MAX][OPTION_TEXT_SIZE];
static struct sess_error error;

static size_t compose(const struct short_listen *given)
{
    size_t n_items = 99;

    ck_assert_int_eq(short_listen_compose(given, items, &n_items, &error), SESS_OK);
    return n_items;
}

/* Which options are given, and the listeners that come of it. */
START_TEST(test_forms)
{
    static const struct {
        struct short_listen given;
        size_t n_items;
        const char *items[3];
    } rows[] = {
        {{.port = NULL}, 0, {NULL}},
        {{.port = "5"}, 1, {"127.0.0.1:5"}},
        {{.port = "0"}, 1, {"127.0.0.1:0"}},
        {{.hosts = "127.0.0.2"}, 1, {"127.0.0.2:11200"}},
        {{.hosts = "127.0.0.2", .port = "5"}, 1, {"127.0.0.2:5"}},
        {{.hosts = "127.0.0.2:6", .port = "5"}, 1, {"127.0.0.2:6"}},
        {{.hosts = "localhost"}, 1, {"localhost:11200"}},
        {{.hosts = "localhost:6"}, 1, {"localhost:6"}},
        {{.hosts = "::1"}, 1, {"[::1]:11200"}},
        {{.hosts = "[::1]"}, 1, {"[::1]:11200"}},
        {{.hosts = "[::1]:6", .port = "5"}, 1, {"[::1]:6"}},
        {{.hosts = "127.0.0.1,::1,[::1]:6", .port = "5"}, 3, {"127.0.0.1:5", "[::1]:5", "[::1]:6"}},
        {{.path = "/tmp/s"}, 1, {"unix:/tmp/s"}},
        {{.path = "/tmp/s", .port = "5"}, 1, {"unix:/tmp/s"}},
        {{.path = "/tmp/s", .hosts = "127.0.0.1"}, 2, {"unix:/tmp/s", "127.0.0.1:11200"}},
        {{.path = "/tmp/s", .hosts = "127.0.0.1", .port = "5"}, 2, {"unix:/tmp/s", "127.0.0.1:5"}},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_uint_eq(compose(&rows[i].given), rows[i].n_items);
        for (size_t j = 0; j < rows[i].n_items; j++) {
            ck_assert_str_eq(items[j], rows[i].items[j]);
        }
    }
}
END_TEST

/* An address is empty, first, last, in the middle, or alone; or it is overlong. */
START_TEST(test_invalid)
{
    static char longest[OPTION_TEXT_SIZE];
    static const char *const hosts[] = {"", ",", ",::1", "::1,", "::1,,::1", longest};
    size_t n_items;

    memset(longest, 'h', sizeof longest - 1);
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct short_listen given = {.hosts = hosts[i]};

        ck_assert_int_eq(short_listen_compose(&given, items, &n_items, &error), SESS_INVALID);
        ck_assert_ptr_nonnull(strstr(error.text, "-l: "));
    }
    {
        struct short_listen given = {.port = longest};

        ck_assert_int_eq(short_listen_compose(&given, items, &n_items, &error), SESS_INVALID);
    }
}
END_TEST

/* As many addresses as a list holds, and one more; a unix socket takes a place too. */
START_TEST(test_limit)
{
    char hosts[4 * OPTION_LIST_MAX] = "h";
    struct short_listen given = {.hosts = hosts};
    size_t n_items;

    for (unsigned i = 1; i < OPTION_LIST_MAX; i++) {
        (void)strcat(hosts, ",h");
    }
    ck_assert_uint_eq(compose(&given), OPTION_LIST_MAX);
    given.path = "/tmp/s";
    ck_assert_int_eq(short_listen_compose(&given, items, &n_items, &error), SESS_LIMIT);
    given.path = NULL;
    (void)strcat(hosts, ",h");
    ck_assert_int_eq(short_listen_compose(&given, items, &n_items, &error), SESS_LIMIT);
    ck_assert_ptr_nonnull(strstr(error.text, "too many"));
}
END_TEST

/* A path of any length stays too long to be taken for another one: nothing is cut to fit. */
START_TEST(test_long_path)
{
    char path[400];
    struct short_listen given = {.path = path};

    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert_uint_eq(compose(&given), 1);
    ck_assert_uint_gt(strlen(items[0]), 150);
}
END_TEST

SUITE_MAIN("daemon/short_listen", test_forms, test_invalid, test_limit, test_long_path)
