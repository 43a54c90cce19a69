/* Unit tests of memcached's items and slabs, made of figures that the test sets. */
#include "sessiond/daemon/classic.h"

#include "suite_main.h"

#include <stdio.h>

/* clang-format off */
#define SHOP_METRICS(X) \
    X(curr_items, GAUGE, "doc") X(bytes, GAUGE, "doc") X(hash_bytes, GAUGE, "doc") \
    X(store_no_memory, COUNTER, "doc") X(reclaimed, COUNTER, "doc") \
    X(expired_unfetched, COUNTER, "doc") X(get_hits, COUNTER, "doc") X(cmd_set, COUNTER, "doc") \
    X(delete_hits, COUNTER, "doc") X(incr_hits, COUNTER, "doc") X(decr_hits, COUNTER, "doc") \
    X(cas_hits, COUNTER, "doc") X(cas_badval, COUNTER, "doc") X(touch_hits, COUNTER, "doc")
struct shop_metrics { SHOP_METRICS(METRIC_DECLARE) };
static const struct metric_row rows[] = { SHOP_METRICS(METRIC_ROW) };
/* clang-format on */

static const struct metric_table table = {rows, sizeof rows / sizeof rows[0]};

static struct shop_metrics metrics;
static struct registry registry;
static struct report report;

static void sum(void *context, uint64_t *totals)
{
    metric_sum(&table, context, totals);
}

static void open_registry(void)
{
    registry = (struct registry){.n_metrics = 0};
    report = (struct report){.is_cut = false};
    ck_assert_int_eq(registry_add_metrics(&registry, &table, sum, &metrics), SESS_OK);
}

/* The report is these lines, `NAME VALUE\n` each, in any order but of this number. */
static void expect_lines(const char *expected)
{
    char text[2048] = "";
    struct slice name;
    struct slice value;
    size_t position = 0;

    while (report_next(&report, &position, &name, &value)) {
        size_t used = strlen(text);

        (void)snprintf(text + used, sizeof text - used, "%s %s\n", (const char *)name.data,
                       (const char *)value.data);
    }
    ck_assert_str_eq(text, expected);
    report_release(&report);
}

/* No session: no class, as in memcached. */
START_TEST(test_empty)
{
    metrics = (struct shop_metrics){.get_hits = 5, .hash_bytes = 64};
    open_registry();
    classic_report_items(&registry, &report);
    expect_lines("");
    classic_report_slabs(&registry, &report);
    expect_lines("active_slabs 0\ntotal_malloced 64\n");
}
END_TEST

/* Sessions: one class. */
START_TEST(test_items)
{
    metrics = (struct shop_metrics){.curr_items = 3,
                                    .bytes = 1000,
                                    .store_no_memory = 4,
                                    .reclaimed = 5,
                                    .expired_unfetched = 6,
                                    .get_hits = 7};
    open_registry();
    classic_report_items(&registry, &report);
    expect_lines("items:1:number 3\nitems:1:number_hot 0\nitems:1:number_warm 0\n"
                 "items:1:number_cold 3\nitems:1:age_hot 0\n"
                 "items:1:age_warm 0\nitems:1:age 0\nitems:1:mem_requested 1000\n"
                 "items:1:evicted 0\nitems:1:evicted_nonzero 0\nitems:1:evicted_time 0\n"
                 "items:1:outofmemory 4\nitems:1:tailrepairs 0\nitems:1:reclaimed 5\n"
                 "items:1:expired_unfetched 6\nitems:1:evicted_unfetched 0\n"
                 "items:1:evicted_active 0\nitems:1:crawler_reclaimed 0\n"
                 "items:1:crawler_items_checked 0\nitems:1:lrutail_reflocked 0\n"
                 "items:1:moves_to_cold 0\nitems:1:moves_to_warm 0\nitems:1:moves_within_lru 0\n"
                 "items:1:direct_reclaims 0\nitems:1:hits_to_hot 0\nitems:1:hits_to_warm 0\n"
                 "items:1:hits_to_cold 7\nitems:1:hits_to_temp 0\n");
}
END_TEST

START_TEST(test_slabs)
{
    metrics = (struct shop_metrics){.curr_items = 3,
                                    .bytes = 1000,
                                    .hash_bytes = 64,
                                    .get_hits = 7,
                                    .cmd_set = 8,
                                    .delete_hits = 9,
                                    .incr_hits = 10,
                                    .decr_hits = 11,
                                    .cas_hits = 12,
                                    .cas_badval = 13,
                                    .touch_hits = 14};
    open_registry();
    classic_report_slabs(&registry, &report);
    expect_lines(
        "1:chunk_size 334\n1:chunks_per_page 3139\n1:total_pages 1\n1:total_chunks 3139\n"
        "1:used_chunks 3\n1:free_chunks 3136\n1:free_chunks_end 0\n1:get_hits 7\n1:cmd_set 8\n"
        "1:delete_hits 9\n1:incr_hits 10\n1:decr_hits 11\n1:cas_hits 12\n1:cas_badval 13\n"
        "1:touch_hits 14\nactive_slabs 1\ntotal_malloced 1064\n");
}
END_TEST

/* Counters begin anew in the class, too. */
START_TEST(test_slabs_after_a_reset)
{
    struct slice name;
    struct slice value;
    size_t position = 0;

    metrics = (struct shop_metrics){.curr_items = 1, .bytes = 1 << 21, .cmd_set = 8};
    open_registry();
    registry_reset(&registry);
    metric_add(&metrics.cmd_set, 2);
    classic_report_slabs(&registry, &report);
    while (report_next(&report, &position, &name, &value)) {
        ck_assert(!slice_is(name, "1:cmd_set") || slice_is(value, "2"));
        ck_assert(!slice_is(name, "1:chunks_per_page") || slice_is(value, "1"));
        ck_assert(!slice_is(name, "1:total_pages") || slice_is(value, "1"));
        ck_assert(!slice_is(name, "1:used_chunks") || slice_is(value, "1"));
    }
    report_release(&report);
}
END_TEST

/* Rows that are always 0 say so. */
START_TEST(test_zeros)
{
    for (size_t i = 0; i < classic_zero_table.n_rows; i++) {
        ck_assert_int_eq(classic_zero_table.rows[i].kind, METRIC_ZERO);
    }
    ck_assert_uint_le(classic_zero_table.n_rows, METRIC_ROWS_MAX);
}
END_TEST

SUITE_MAIN("daemon/classic", test_empty, test_items, test_slabs, test_slabs_after_a_reset,
           test_zeros)
