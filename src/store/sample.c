/* Buckets, and what hangs on them. Threads, memory: see sample.h. */
#include "sample.h"

static size_t look_at_bucket(struct shard *shard, size_t number, sample_fn look, void *context)
{
    const struct index_bucket *piece = index_bucket_of(&shard->index, number);
    size_t n_seen = 0;

    for (; piece != NULL; piece = piece->overflow) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            if (piece->slots[i] != 0) {
                look(shard, index_entry(piece->slots[i]), context);
                n_seen++;
            }
        }
    }
    return n_seen;
}

double sample_shard(struct shard *shard, sample_fn look, void *context)
{
    size_t n_buckets = shard->index.n_buckets;
    size_t n_seen = 0;

    for (size_t i = 0; i < n_buckets; i += (n_buckets + SAMPLE_BUCKETS - 1) / SAMPLE_BUCKETS) {
        n_seen += look_at_bucket(shard, i, look, context);
    }
    return n_seen == 0 ? 0 : (double)shard->index.n_entries / (double)n_seen;
}
