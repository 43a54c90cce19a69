/* Walking through all entries. Threads: any; a shard's lock for each slice. Memory: none. */
#include "sessiond/store/walk.h"

#include "flush.h"
#include "shard.h"

#include <string.h>

/* What one slice has told. */
struct telling {
    const struct store *store;
    struct shard *shard;
    store_walk_fn visit;
    void *context;
    size_t told; /* bytes of keys and values */
};

static void tell(struct telling *telling, const struct entry *entry)
{
    uint8_t room[STORE_KEY_MAX];
    struct store_image image = {
        .kind = IMAGE_SET,
        .key = entry_key(entry, &telling->store->prefixes, room),
        .value = entry_value(entry),
        .flags = entry_flags(entry),
        .cas = entry_cas(entry),
        .marks = entry_marks(entry),
        .deadline_s = entry_deadline(entry),
    };

    telling->visit(telling->context, &image, entry_block(entry));
    if (image.key.data == room) {
        explicit_bzero(room, image.key.size);
    }
    telling->told += entry_size(entry);
}

static void tell_bucket(struct telling *telling, const struct index_bucket *piece)
{
    for (; piece != NULL; piece = piece->overflow) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            const struct entry *entry = piece->slots[i] == 0 ? NULL : index_entry(piece->slots[i]);

            if (entry != NULL && (shard_is_live(telling->shard, entry) ||
                                  shard_is_hidden(telling->store, telling->shard, entry) ||
                                  shard_is_held(telling->store, telling->shard, entry))) {
                tell(telling, entry);
            }
        }
    }
}

/* What the next bucket holds, while one is told. */
static void fetch_bucket(const struct index_bucket *home)
{
    for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
        if (home->slots[i] != 0) {
            index_fetch_lines(index_entry(home->slots[i]));
        }
    }
}

bool store_walk_step(struct store *store, struct store_walk *walk, size_t most, store_walk_fn visit,
                     void *context)
{
    enum { BUCKETS_MAX = 64 };
    struct shard *shard = &store->shards[walk->shard];
    struct telling telling = {.store = store, .shard = shard, .visit = visit, .context = context};

    (void)pthread_mutex_lock(&shard->lock);
    for (unsigned i = 0;
         i < BUCKETS_MAX && telling.told < most && walk->bucket < shard->index.n_buckets; i++) {
        struct index_bucket *home = index_bucket_of(&shard->index, walk->bucket++);

        if (walk->bucket < shard->index.n_buckets) {
            fetch_bucket(index_bucket_of(&shard->index, walk->bucket));
        }
        tell_bucket(&telling, home);
    }
    if (walk->bucket >= shard->index.n_buckets) {
        walk->bucket = 0;
        walk->shard++;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return walk->shard < store->n_shards;
}

struct store_facts store_get_facts(struct store *store)
{
    struct store_facts facts = {.flush_at_s = STORE_NO_DEADLINE};

    for (unsigned i = 0; i < store->n_shards; i++) {
        struct shard *shard = &store->shards[i];

        (void)pthread_mutex_lock(&shard->lock);
        facts.next_cas = shard->next_cas > facts.next_cas ? shard->next_cas : facts.next_cas;
        facts.flush_at_s = store->flush_at_s;
        (void)pthread_mutex_unlock(&shard->lock);
    }
    facts.live_bytes = budget_used(&store->held);
    return facts;
}
