/* A fair sample of a shard's entries.
 *
 * Private to the store. What is in a bucket says the hash, which knows nothing of times and sizes: any bucket is a fair
 * sample. At most SAMPLE_BUCKETS are visited, spread over the index, and all of a small shard. Threads: under the
 * shard's lock. */
#ifndef SESSIOND_SRC_STORE_SAMPLE_H
#define SESSIOND_SRC_STORE_SAMPLE_H

#include "shard.h"

enum { SAMPLE_BUCKETS = 8 };

typedef void (*sample_fn)(const struct shard *shard, const struct entry *entry, void *context);

/** Look at each entry of the sample. returns how many entries of the shard each one stands for; 0: none was seen */
double sample_shard(struct shard *shard, sample_fn look, void *context);

#endif
