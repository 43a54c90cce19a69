/* memcached's zeros and slabs. Threads: any. Memory: the stack. */
#include "sessiond/daemon/classic.h"

#define PAGE_BYTES ((uint64_t)1 << 20) /* of memcached's slab pages */

static const struct metric_row zero_rows[] = {CLASSIC_ZEROS(METRIC_ROW)};
const struct metric_table classic_zero_table = {.rows = zero_rows,
                                                .n_rows = sizeof zero_rows / sizeof zero_rows[0]};

static const struct registry_alias item_rows[] = {
    {"number", "curr_items"},
    {"number_hot", NULL},
    {"number_warm", NULL},
    {"number_cold", "curr_items"},
    {"age_hot", NULL},
    {"age_warm", NULL},
    {"age", NULL},
    {"mem_requested", "bytes"},
    {"evicted", NULL},
    {"evicted_nonzero", NULL},
    {"evicted_time", NULL},
    {"outofmemory", "store_no_memory"},
    {"tailrepairs", NULL},
    {"reclaimed", "reclaimed"},
    {"expired_unfetched", "expired_unfetched"},
    {"evicted_unfetched", NULL},
    {"evicted_active", NULL},
    {"crawler_reclaimed", NULL},
    {"crawler_items_checked", NULL},
    {"lrutail_reflocked", NULL},
    {"moves_to_cold", NULL},
    {"moves_to_warm", NULL},
    {"moves_within_lru", NULL},
    {"direct_reclaims", NULL},
    {"hits_to_hot", NULL},
    {"hits_to_warm", NULL},
    {"hits_to_cold", "get_hits"},
    {"hits_to_temp", NULL},
};

static const struct registry_alias slab_rows[] = {
    {"get_hits", "get_hits"},     {"cmd_set", "cmd_set"},       {"delete_hits", "delete_hits"},
    {"incr_hits", "incr_hits"},   {"decr_hits", "decr_hits"},   {"cas_hits", "cas_hits"},
    {"cas_badval", "cas_badval"}, {"touch_hits", "touch_hits"},
};

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

/* The class's chunks are as large as a session is on average, and its pages as many as hold them. */
static void report_chunks(struct report *report, const struct registry_figures *figures)
{
    uint64_t n_used = registry_figure(figures, "curr_items");
    uint64_t chunk_bytes = divide_up(registry_figure(figures, "bytes"), n_used);
    uint64_t n_per_page = chunk_bytes > PAGE_BYTES ? 1 : PAGE_BYTES / chunk_bytes;
    uint64_t n_pages = divide_up(n_used, n_per_page);

    report_add_u64(report, "1:chunk_size", chunk_bytes);
    report_add_u64(report, "1:chunks_per_page", n_per_page);
    report_add_u64(report, "1:total_pages", n_pages);
    report_add_u64(report, "1:total_chunks", n_pages * n_per_page);
    report_add_u64(report, "1:used_chunks", n_used);
    report_add_u64(report, "1:free_chunks", n_pages * n_per_page - n_used);
    report_add_u64(report, "1:free_chunks_end", 0);
}

void classic_report_items(void *registry, struct report *report)
{
    struct registry_figures figures;

    registry_read(registry, REGISTRY_SINCE_RESET, &figures);
    if (registry_figure(&figures, "curr_items") > 0) {
        registry_report_aliases(&figures, "items:1:", item_rows,
                                sizeof item_rows / sizeof item_rows[0], report);
    }
}

void classic_report_slabs(void *registry, struct report *report)
{
    struct registry_figures figures;
    bool is_used;

    registry_read(registry, REGISTRY_SINCE_RESET, &figures);
    is_used = registry_figure(&figures, "curr_items") > 0;
    if (is_used) {
        report_chunks(report, &figures);
        registry_report_aliases(&figures, "1:", slab_rows, sizeof slab_rows / sizeof slab_rows[0],
                                report);
    }
    report_add_u64(report, "active_slabs", is_used);
    report_add_u64(report, "total_malloced",
                   registry_figure(&figures, "bytes") + registry_figure(&figures, "hash_bytes"));
}
