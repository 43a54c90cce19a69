/* The store's figures. Not its counters (store.c). Threads: any; one shard's lock at a time, for a few
 * buckets. Memory: the stack. */
#include "sessiond/store/figures.h"

#include "sample.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    NAME_SIZE = 48,
    SIZES_IN_OCTAVE = 4,
    SMALLEST_OCTAVE = 8, /* as a size class: no entry is much smaller than 64 bytes */
};

static const struct metric_row metric_rows[] = {INDEX_METRICS(METRIC_ROW)};
const struct metric_table store_index_metric_table = {
    .rows = metric_rows, .n_rows = sizeof metric_rows / sizeof metric_rows[0]};

/* Of all shards' indexes together. */
struct index_size {
    uint64_t n_buckets;
    uint64_t n_pieces; /* overflow pieces, spare ones too */
    uint64_t n_pages;
};

static struct index_size measure_index(struct store *store)
{
    struct index_size size = {.n_buckets = 0};

    for (size_t i = 0; i < store->n_shards; i++) {
        struct shard *shard = &store->shards[i];

        (void)pthread_mutex_lock(&shard->lock);
        size.n_buckets += shard->index.n_buckets;
        size.n_pieces += shard->index.n_pieces;
        size.n_pages += shard->index.pages.n_pages;
        (void)pthread_mutex_unlock(&shard->lock);
    }
    return size;
}

void store_sum_index(void *store, uint64_t *totals)
{
    struct store *self = store;
    struct index_size size = measure_index(self);
    struct index_metrics metrics = {
        .hash_power_level = (uint64_t)(63 - __builtin_clzll(size.n_buckets)),
        .hash_bytes = size.n_pages * arena_page_size(self->arena),
    };

    metric_sum(&store_index_metric_table, &metrics, totals);
}

/* ---- sizes ---------------------------------------------------------------------------------- */

static void count_sizes(struct store *store, uint64_t *sizes)
{
    memset(sizes, 0, CENSUS_SIZES * sizeof *sizes);
    for (size_t i = 0; i < store->n_shards; i++) {
        struct shard *shard = &store->shards[i];

        (void)pthread_mutex_lock(&shard->lock);
        for (size_t size = 0; size < CENSUS_SIZES; size++) {
            sizes[size] += shard->census.sizes[size];
        }
        (void)pthread_mutex_unlock(&shard->lock);
    }
}

static void report_numbered(struct report *report, const char *prefix, uint64_t number,
                            uint64_t value)
{
    char name[NAME_SIZE];

    (void)snprintf(name, sizeof name, "%s%" PRIu64, prefix, number);
    report_add_u64(report, name, value);
}

void store_report_sizes(void *store, struct report *report)
{
    uint64_t sizes[CENSUS_SIZES];

    count_sizes(store, sizes);
    for (size_t size = 0; size < CENSUS_SIZES; size++) {
        if (sizes[size] > 0) {
            report_numbered(report, "", census_size_bytes(size), sizes[size]);
        }
    }
}

/* Sessions up to each power of two, from 64 to the largest there is. */
static void report_sizes(struct store *store, struct report *report)
{
    uint64_t sizes[CENSUS_SIZES];
    size_t largest = CENSUS_SIZES;
    uint64_t n_sessions = 0;

    count_sizes(store, sizes);
    while (largest > 0 && sizes[largest - 1] == 0) {
        largest--;
    }
    for (size_t size = 0; size < CENSUS_SIZES && size < largest + SIZES_IN_OCTAVE - 1; size++) {
        n_sessions += sizes[size];
        if (size >= SMALLEST_OCTAVE && size % SIZES_IN_OCTAVE == 0) {
            report_numbered(report, "size_le_", census_size_bytes(size), n_sessions);
        }
    }
    report_add_u64(report, "size_largest", largest == 0 ? 0 : census_size_bytes(largest - 1));
}

/* ---- ages and remaining lives ---------------------------------------------------------------- */

/* What a sample of one shard shows. */
struct sample {
    uint64_t n_seen; /* entries looked at */
    uint64_t n_live;
    uint64_t no_deadline;
    uint64_t never_renewed;
    /* by the youngest age, and the shortest remaining life, that they are within */
    uint64_t ages[CENSUS_AGES + 1];
    uint64_t remaining[CENSUS_AGES + 1];
};

/* Numbers of sessions, estimated. */
struct lives {
    double age_within[CENSUS_AGES];
    double remaining_within[CENSUS_AGES];
    double n_live;
    double no_deadline;
    double never_renewed;
    uint64_t n_seen; /* entries looked at */
    int64_t now_s;   /* the latest of the shards' times */
};

/* An id that a client chose tells no age: it counts as the oldest. */
static size_t class_of_age(const struct shard *shard, const struct entry *entry)
{
    uint64_t cas = entry_marks(entry).is_clients_cas ? 0 : entry_cas(entry);
    size_t age = 0;

    while (age < CENSUS_AGES && cas < census_first_cas(&shard->census, age)) {
        age++;
    }
    return age;
}

static size_t class_of_remaining(int64_t remaining_s)
{
    size_t age = 0;

    while (age < CENSUS_AGES && remaining_s > census_age_s(age)) {
        age++;
    }
    return age;
}

static void look_at_entry(const struct shard *shard, const struct entry *entry, void *context)
{
    struct sample *sample = context;
    int64_t deadline_s = entry_deadline(entry);

    sample->n_seen++;
    if (shard_is_live(shard, entry)) {
        sample->n_live++;
        sample->never_renewed += !entry_is_renewed(entry);
        sample->no_deadline += deadline_s == STORE_NO_DEADLINE;
        sample->ages[class_of_age(shard, entry)]++;
        sample->remaining[class_of_remaining(deadline_s - shard->now_s)]++;
    }
}

/* Each entry of the sample stands for `scale` of the shard. */
static void add_sample(struct lives *lives, const struct sample *sample, double scale)
{
    double age_within = 0;
    double remaining_within = 0;

    for (size_t age = 0; age < CENSUS_AGES; age++) {
        age_within += scale * (double)sample->ages[age];
        remaining_within += scale * (double)sample->remaining[age];
        lives->age_within[age] += age_within;
        lives->remaining_within[age] += remaining_within;
    }
    lives->n_live += scale * (double)sample->n_live;
    lives->no_deadline += scale * (double)sample->no_deadline;
    lives->never_renewed += scale * (double)sample->never_renewed;
    lives->n_seen += sample->n_seen;
}

static void add_lives(struct shard *shard, struct lives *lives)
{
    struct sample sample = {.n_seen = 0};

    add_sample(lives, &sample, sample_shard(shard, look_at_entry, &sample));
    if (shard->now_s > lives->now_s) {
        lives->now_s = shard->now_s;
    }
}

static uint64_t rounded(double number)
{
    return (uint64_t)(number + 0.5);
}

static void report_lives(const struct lives *lives, struct report *report)
{
    report_add_u64(report, "estimated_from", lives->n_seen);
    for (size_t age = 0; age < CENSUS_AGES; age++) {
        report_numbered(report, "remaining_le_", (uint64_t)census_age_s(age),
                        rounded(lives->remaining_within[age]));
    }
    report_add_u64(report, "no_deadline", rounded(lives->no_deadline));
    report_add_u64(report, "never_renewed", rounded(lives->never_renewed));
    report_add(report, "never_renewed_share", "%.2f",
               lives->n_live == 0 ? 0 : lives->never_renewed / lives->n_live);
    for (size_t age = 0; age < CENSUS_AGES; age++) {
        report_numbered(report, "age_le_", (uint64_t)census_age_s(age),
                        rounded(lives->age_within[age]));
    }
}

static void report_forecast(struct store *store, int64_t now_s, struct report *report)
{
    size_t held = budget_used(&store->held);
    /* What is kept back for keys that are there is no room for new sessions. */
    int64_t full_s = forecast_full_s(&store->forecast, now_s, held, store->new_key_limit);

    report_add_u64(report, "memory_held", held);
    report_add_u64(report, "memory_for_sessions", store->new_key_limit);
    report_add_u64(report, "memory_for_growth", store->held.limit);
    report_add_u64(report, "memory_resident", budget_used(store->config.data));
    if (full_s == FORECAST_NEVER) {
        report_add(report, "time_to_full", "never");
    } else {
        report_add_u64(report, "time_to_full", (uint64_t)full_s);
    }
}

void store_report_sessions(void *store, struct report *report)
{
    struct store *self = store;
    struct lives lives = {.n_seen = 0};

    report_sizes(self, report);
    for (size_t i = 0; i < self->n_shards; i++) {
        (void)pthread_mutex_lock(&self->shards[i].lock);
        add_lives(&self->shards[i], &lives);
        (void)pthread_mutex_unlock(&self->shards[i].lock);
    }
    report_lives(&lives, report);
    report_forecast(self, lives.now_s, report);
}

/* ---- shards ---------------------------------------------------------------------------------- */

/* How a figure spreads over the shards. */
struct spread {
    size_t n_shards; /* counted so far */
    uint64_t sum;
    double sum_of_squares;
    uint64_t least;
    uint64_t most;
    size_t least_shard;
    size_t most_shard;
};

static void spread_add(struct spread *spread, uint64_t value)
{
    size_t shard = spread->n_shards++;

    if (shard == 0 || value < spread->least) {
        spread->least = value;
        spread->least_shard = shard;
    }
    if (shard == 0 || value > spread->most) {
        spread->most = value;
        spread->most_shard = shard;
    }
    spread->sum += value;
    spread->sum_of_squares += (double)value * (double)value;
}

static void spread_report(const struct spread *spread, const char *what, struct report *report)
{
    const struct {
        const char *suffix;
        uint64_t value;
    } lines[] = {
        {"mean", rounded((double)spread->sum / (double)spread->n_shards)},
        {"least", spread->least},
        {"least_shard", spread->least_shard},
        {"most", spread->most},
        {"most_shard", spread->most_shard},
    };
    char name[NAME_SIZE];

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        (void)snprintf(name, sizeof name, "%s_%s", what, lines[i].suffix);
        report_add_u64(report, name, lines[i].value);
    }
}

/* Variance over mean: about 1 for what a hash spreads by chance. */
static double dispersion(const struct spread *spread)
{
    double n = (double)spread->n_shards;
    double mean = (double)spread->sum / n;

    return mean == 0 ? 0 : (spread->sum_of_squares / n - mean * mean) / mean;
}

void store_report_shards(void *store, struct report *report)
{
    struct store *self = store;
    struct spread sessions = {.sum = 0};
    struct spread bytes = {.sum = 0};
    struct index_size size = measure_index(self);

    for (size_t i = 0; i < self->n_shards; i++) {
        spread_add(&sessions, metric_read(&self->shards[i].metrics.curr_items));
        spread_add(&bytes, metric_read(&self->shards[i].metrics.bytes));
    }
    report_add_u64(report, "shards", self->n_shards);
    spread_report(&sessions, "sessions", report);
    report_add(report, "sessions_dispersion", "%.2f", dispersion(&sessions));
    spread_report(&bytes, "bytes", report);
    report_add_u64(report, "index_buckets", size.n_buckets);
    report_add_u64(report, "index_overflow_pieces", size.n_pieces);
    report_add(report, "sessions_per_bucket", "%.2f",
               (double)sessions.sum / (double)size.n_buckets);
    report_add_u64(report, "key_prefixes",
                   atomic_load_explicit(&self->prefixes.n_prefixes, memory_order_relaxed));
}
