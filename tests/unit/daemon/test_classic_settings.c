/* Unit tests of memcached's settings: what options become of. */
#include "sessiond/daemon/classic_settings.h"

#include "settings_fixture.h"
#include "suite_main.h"

static struct settings_fixture fixture;
static struct report report;

static const struct metric_row rows[] = {{"max_connections", METRIC_GAUGE, "doc"},
                                         {"threads", METRIC_GAUGE, "doc"}};
static const struct metric_table table = {rows, 2};

static void sum(void *context, uint64_t *totals)
{
    (void)context;
    totals[0] += 900;
    totals[1] += 4;
}

/* Make the report of a config file. */
static void report_of(const char *config)
{
    report_release(&report);
    settings_open(&fixture);
    ck_assert_int_eq(settings_read_file(&fixture, config), SESS_OK);
    ck_assert_int_eq(registry_add_metrics(&fixture.registry, &table, sum, NULL), SESS_OK);
    classic_report_settings(&fixture.registry, &report);
    ck_assert(!report.is_cut);
}

static void expect(const char *wanted, const char *expected)
{
    struct slice name;
    struct slice value;
    size_t position = 0;

    while (report_next(&report, &position, &name, &value)) {
        if (slice_is(name, wanted)) {
            ck_assert_str_eq((const char *)value.data, expected);
            return;
        }
    }
    ck_abort_msg("no %s", wanted);
}

/* Options and figures in memcached's units. */
START_TEST(test_units)
{
    report_of("memory = 32m\nmax-value = 2m\nidle-timeout = 2h\nlog-level = debug\n");
    expect("maxbytes", "33554432");
    expect("item_size_max", "2097152");
    expect("idle_timeout", "7200");
    expect("maxconns", "900");
    expect("num_threads", "4");
    expect("reqs_per_event", "128");
    expect("tcp_backlog", "1024");
    expect("slab_chunk_max", "16384");
    expect("evictions", "off");
    expect("lru_crawler", "no");
    expect("verbosity", "0");
    report_release(&report);
}
END_TEST

START_TEST(test_defaults)
{
    report_of("");
    expect("maxbytes", "1073741824");
    expect("idle_timeout", "0");
    expect("tcpport", "11200");
    expect("inter", "127.0.0.1");
    expect("domain_socket", "NULL");
    expect("flush_enabled", "no");
    report_release(&report);
}
END_TEST

/* The first listener of each kind, wherever it stands in the list. */
START_TEST(test_listeners)
{
    report_of("listen = unix:/run/my sock\nlisten = [::1]:11300\nlisten = 127.0.0.1:1\n"
              "listen = unix:/other\n");
    expect("tcpport", "11300");
    expect("inter", "::1");
    expect("domain_socket", "/run/my%20sock");
    report_of("listen = unix:/run/s:1\n");
    expect("tcpport", "0");
    expect("inter", "NULL");
    expect("domain_socket", "/run/s:1");
    report_release(&report);
}
END_TEST

/* No name twice, none with a blank or a ':'. */
START_TEST(test_names)
{
    struct slice name;
    struct slice value;
    size_t position = 0;

    report_of("");
    while (report_next(&report, &position, &name, &value)) {
        struct slice other = name;
        struct slice other_value;
        size_t behind = position;

        ck_assert_ptr_null(strpbrk((const char *)name.data, " :"));
        ck_assert_uint_gt(value.size, 0);
        while (report_next(&report, &behind, &other, &other_value)) {
            ck_assert_msg(!slice_equal(name, other), "%s twice", (const char *)name.data);
        }
    }
    report_release(&report);
}
END_TEST

SUITE_MAIN("daemon/classic_settings", test_units, test_defaults, test_listeners, test_names)
