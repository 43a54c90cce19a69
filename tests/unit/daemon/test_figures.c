/* Unit tests of what is registered: names, and how long a reply they can make. */
#include "sessiond/daemon/figures.h"

#include "suite_main.h"

#include <stdint.h>
#include <string.h>

enum {
    COLLECTD_BUFFER_SIZE = 4096, /* collectd reads no more of a reply, and then loses its place */
    DIGITS_MAX = 20,
    TEXT_MAX = 24, /* of a version, or of processor time */
};

static struct registry registry;

static void open_registry(void)
{
    registry = (struct registry){.n_metrics = 0};
    ck_assert_int_eq(figures_register(&registry, NULL, NULL, NULL), SESS_OK);
}

static size_t value_size(enum metric_kind kind)
{
    switch (kind) {
    case METRIC_ZERO:
        return 1;
    case METRIC_TEXT:
        return TEXT_MAX;
    default:
        return DIGITS_MAX;
    }
}

/* The longest reply to `stats`: every number at its largest. */
START_TEST(test_reply_fits_collectd)
{
    size_t size = sizeof "END\r\n" - 1;

    open_registry();
    for (size_t i = 0; i < registry.n_metrics; i++) {
        const struct metric_table *table = registry.metrics[i].table;

        for (size_t row = 0; row < table->n_rows; row++) {
            size += sizeof "STAT  \r\n" - 1 + strlen(table->rows[row].name) +
                    value_size(table->rows[row].kind);
        }
    }
    ck_assert_uint_le(size, COLLECTD_BUFFER_SIZE);
}
END_TEST

/* A name of plain `stats` has only letters, digits and '_': a ':' would end an exporter's scrape. */
START_TEST(test_names)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

    open_registry();
    for (size_t i = 0; i < registry.n_metrics; i++) {
        const struct metric_table *table = registry.metrics[i].table;

        for (size_t row = 0; row < table->n_rows; row++) {
            const char *name = table->rows[row].name;

            ck_assert_msg(strspn(name, allowed) == strlen(name), "%s", name);
            ck_assert_uint_gt(strlen(table->rows[row].doc), 0);
        }
    }
}
END_TEST

/* Sections have a word to ask for them and a line for `help`; those that monitors ask for are there. */
START_TEST(test_sections)
{
    static const char *const names[] = {"settings", "items",    "slabs",
                                        "sizes",    "sessions", "shards"};

    open_registry();
    ck_assert_uint_ge(registry.n_sections, sizeof names / sizeof names[0]);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t section = 0;

        while (strcmp(registry.sections[section].name, names[i]) != 0) {
            ck_assert_uint_lt(++section, registry.n_sections);
        }
        ck_assert_uint_gt(strlen(registry.sections[section].doc), 0);
    }
}
END_TEST

/* No room for the tables, none for the sections. */
START_TEST(test_limits)
{
    open_registry();
    registry.n_metrics = REGISTRY_ROOMS_MAX;
    registry.n_sections = 0;
    ck_assert_int_eq(figures_register(&registry, NULL, NULL, NULL), SESS_LIMIT);
    registry.n_metrics = 0;
    registry.n_sections = REGISTRY_ROOMS_MAX;
    ck_assert_int_eq(figures_register(&registry, NULL, NULL, NULL), SESS_LIMIT);
}
END_TEST

SUITE_MAIN("daemon/figures", test_reply_fits_collectd, test_names, test_sections, test_limits)
