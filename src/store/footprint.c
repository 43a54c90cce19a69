/* What the memory of sessions is made of. Threads: any; one shard's lock at a time, for a look at each of its
 * pages' numbers. Memory: the stack. */
#include "sessiond/store/figures.h"

#include "sample.h"

#include <stddef.h>

static const struct metric_row rows[] = {FOOTPRINT_METRICS(METRIC_ROW)};
static const struct metric_table footprint_table = {.rows = rows,
                                                    .n_rows = sizeof rows / sizeof rows[0]};

/* What heap pages take of the system's pages. */
static size_t filled_bytes(const struct heap *heap, size_t page_size)
{
    size_t filled = 0;

    for (size_t i = 0; i < heap->n_pages; i++) {
        filled += (heap_page_touched(&heap->pages[i]) + page_size - 1) / page_size * page_size;
    }
    return filled;
}

static size_t table_bytes(const struct shard *shard)
{
    size_t bytes = shard->heap.capacity * sizeof *shard->heap.pages +
                   shard->timers.wheel.capacity * sizeof *shard->timers.wheel.places;

    for (const struct index_segments *segments = shard->index.segments; segments != NULL;
         segments = segments->older) {
        bytes += sizeof *segments + segments->capacity * sizeof segments->at[0];
    }
    return bytes;
}

/* Of its key an entry has what is behind the prefix, and one byte for that. */
static void look_at_entry(const struct shard *shard, const struct entry *entry, void *context)
{
    uint64_t *shared = context;

    if (entry_is_packed(entry)) {
        *shared += prefixes_get(shard->index.prefixes, entry_own_key(entry).data[0])->size - 1U;
    }
}

static uint64_t shared_bytes(struct shard *shard)
{
    uint64_t shared = 0;
    double scale = sample_shard(shard, look_at_entry, &shared);

    return (uint64_t)(scale * (double)shared);
}

static void add_shard(struct footprint_metrics *sum, struct shard *shard, size_t page_size)
{
    const struct heap *heap = &shard->heap;
    size_t filled = filled_bytes(heap, page_size);

    metric_add(&sum->index_bytes, shard->index.pages.n_pages * page_size);
    metric_add(&sum->timer_bytes, shard->timers.wheel.pages.n_pages * page_size);
    metric_add(&sum->heap_bytes, filled);
    metric_add(&sum->unfilled_bytes, heap->n_pages * heap->page_size - filled);
    metric_add(&sum->place_bytes, heap->live);
    metric_add(&sum->header_bytes, shard->index.n_entries * offsetof(struct entry, packed));
    metric_add(&sum->shared_bytes, shared_bytes(shard));
    metric_add(&sum->table_bytes, table_bytes(shard));
}

/* What is charged and is not one of the above: values that are blocks of their own. */
static uint64_t block_bytes(const struct store *store, const struct footprint_metrics *sum)
{
    uint64_t others = metric_read(&sum->index_bytes) + metric_read(&sum->timer_bytes) +
                      metric_read(&sum->heap_bytes) + metric_read(&sum->unfilled_bytes) +
                      metric_read(&sum->ahead_bytes);
    uint64_t charged = budget_used(store->config.data);

    return charged > others ? charged - others : 0;
}

void store_report_footprint(void *store, struct report *report)
{
    struct store *self = store;
    struct footprint_metrics sum = {.index_bytes = 0};
    uint64_t totals[METRIC_ROWS_MAX] = {0};

    for (size_t i = 0; i < self->n_shards; i++) {
        struct shard *shard = &self->shards[i];

        (void)pthread_mutex_lock(&shard->lock);
        add_shard(&sum, shard, arena_page_size(self->arena));
        (void)pthread_mutex_unlock(&shard->lock);
    }
    metric_add(&sum.ahead_bytes, arena_ahead(self->arena));
    metric_add(&sum.block_bytes, block_bytes(self, &sum));
    metric_sum(&footprint_table, &sum, totals);
    metric_report(&footprint_table, totals, report);
}
