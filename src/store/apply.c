/* What recovery makes a store of. Not changes by clients (change.h), of which it shares the last steps.
 * Threads: one, with nobody else there, so no lock is taken. Memory: as any write. */
#include "sessiond/store/image.h"

#include "change.h"
#include "compact.h"
#include "flush.h"

#include <string.h>

enum { AHEAD = 16 }; /* images whose memory is fetched before they are applied */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* As an entry can hold it. One of 0 would be none. */
static int64_t as_held(int64_t deadline_s)
{
    if (deadline_s == STORE_NO_DEADLINE) {
        return STORE_NO_DEADLINE;
    }
    if (deadline_s > ENTRY_DEADLINE_MAX) {
        return ENTRY_DEADLINE_MAX;
    }
    return deadline_s < 1 ? 1 : deadline_s;
}

static int64_t deadline_of(const struct store_image *image)
{
    return as_held(image->deadline_s);
}

/* There is no page, though there may be room in pieces. Returns whether a page was given back. */
static bool squeeze_all(struct store *store)
{
    size_t before = budget_used(store->config.data);

    for (size_t i = 0; i < store->n_shards; i++) {
        while (compact_pays(&store->shards[i], true)) {
            compact_step(&store->shards[i]);
        }
    }
    return budget_used(store->config.data) < before;
}

/* Everything that is there counts as live: its deadline is judged when all has been applied. */
static enum sess_status put(struct store *store, struct place place,
                            const struct entry_fields *fields)
{
    struct change change = {
        .store = store,
        .place = place,
        .now_s = store->config.now_s,
        .is_recorded = true,
        .held_limit = SIZE_MAX,
    };
    enum sess_status status;

    change_find(&change, fields->key);
    change.is_live = change.present != NULL;
    status = change_put_as_is(&change, fields);
    if (change.gone_block != NULL) {
        value_block_release(change.gone_block);
    }
    return status;
}

static enum sess_status apply_set(struct store *store, struct place place,
                                  const struct store_image *image)
{
    struct entry_fields fields = {
        .key = image->key,
        .value = image->value,
        .flags = image->flags,
        .deadline_s = deadline_of(image),
        .cas = image->cas,
        .marks = image->marks,
        .n_flushes = place.shard->n_flushes,
    };
    enum sess_status status;

    if (image->marks.asked_s != 0) {
        fields.marks.asked_s = as_held(image->marks.asked_s);
    }
    if (image->value.size > store->inline_max) {
        fields.block = block_create(store->arena, image->value.size, image->value.size);
        if (fields.block == NULL) {
            return SESS_NO_MEMORY;
        }
        memcpy(fields.block->bytes, image->value.data, image->value.size);
    }
    status = put(store, place, &fields);
    while (status == SESS_LIMIT && squeeze_all(store)) {
        status = put(store, place, &fields);
    }
    if (fields.block != NULL) {
        value_block_release(fields.block);
    }
    return status == SESS_OK ? SESS_OK : SESS_NO_MEMORY;
}

static void forget(struct store *store, struct shard *shard, struct entry *taken_out)
{
    struct value_block *block = shard_free(store, shard, taken_out);

    if (block != NULL) {
        value_block_release(block);
    }
}

static void apply_delete(struct store *store, struct place place, struct slice key)
{
    uint64_t *slot = index_find(&place.shard->index, place.hash, key);

    if (slot != NULL) {
        struct entry *entry = index_entry(*slot);

        shard_take_out(store, place, slot);
        forget(store, place.shard, entry);
    }
}

static void apply_touch(struct store *store, struct place place, const struct store_image *image)
{
    const uint64_t *slot = index_find(&place.shard->index, place.hash, image->key);

    /* An image may be ahead of the journal, and have a hold that comes later in it. */
    if (slot != NULL && !entry_is_hold(index_entry(*slot))) {
        struct entry *entry = index_entry(*slot);
        int64_t before_s = entry_deadline(entry);

        if (entry_is_on_probation(entry)) {
            shard_end_probation(store, place.shard, entry);
        }
        entry_set_deadline(entry, deadline_of(image));
        timer_set(&place.shard->timers, &place.shard->index, place.hash, entry, before_s,
                  deadline_of(image));
    }
}

static bool is_over(const void *context, const struct entry *entry)
{
    const int64_t *time_s = context;

    return entry_deadline(entry) <= *time_s;
}

static void apply_expiry(struct store *store, struct shard *shard, int64_t time_s)
{
    for (size_t i = 0; i < shard->index.n_buckets; i++) {
        struct index_bucket *bucket = index_bucket_of(&shard->index, i);
        uint64_t *slot;

        while ((slot = index_find_where(bucket, is_over, &time_s)) != NULL) {
            struct entry *entry = index_entry(*slot);
            uint64_t hash = index_hash(&shard->index, entry);

            shard_take_out(store, (struct place){.shard = shard, .hash = hash}, slot);
            forget(store, shard, entry);
        }
    }
}

/* At once: a barrier would be one of CAS ids, and those that come after it may be lower, since the keys
 * have other shards than in the process that gave them out. */
static void apply_flush(struct store *store, struct shard *shard)
{
    shard->flushed_below = UINT64_MAX;
    shard->n_flushes++;
    shard->sweep_bucket = 0;
    while (!flush_is_swept(shard)) {
        struct entry *entry = flush_sweep(store, shard);

        if (entry != NULL) {
            forget(store, shard, entry);
        }
    }
    shard->flushed_below = 1;
}

static enum sess_status apply(struct store *store, struct place place,
                              const struct store_image *image)
{
    switch (image->kind) {
    case IMAGE_SET:
        return apply_set(store, place, image);
    case IMAGE_TOUCH:
        apply_touch(store, place, image);
        break;
    case IMAGE_DELETE:
        apply_delete(store, place, image->key);
        break;
    case IMAGE_EXPIRY:
        for (size_t i = 0; i < store->n_shards; i++) {
            apply_expiry(store, &store->shards[i], image->deadline_s);
        }
        break;
    case IMAGE_FLUSH:
        for (size_t i = 0; i < store->n_shards; i++) {
            apply_flush(store, &store->shards[i]);
        }
        break;
    }
    return SESS_OK;
}

/* Find the places of a group, and have fetched what will be looked at: one wait for memory instead of one for
 * each image. A flush has no key, and any place. */
static void look_ahead(struct store *store, const struct store_image *images, size_t n_images,
                       struct place *places)
{
    for (size_t i = 0; i < n_images; i++) {
        places[i] = shard_place(store, images[i].key, 0);
        index_fetch(&places[i].shard->index, places[i].hash);
        index_fetch_split(&places[i].shard->index);
    }
    for (size_t i = 0; i < n_images; i++) {
        (void)index_fetch_entry(&places[i].shard->index, places[i].hash);
        index_fetch_split_entries(&places[i].shard->index);
    }
}

enum sess_status store_apply(struct store *store, const struct store_image *images, size_t n_images)
{
    struct place places[AHEAD];
    enum sess_status status = SESS_OK;

    for (size_t i = 0; status == SESS_OK && i < n_images; i++) {
        if (i % AHEAD == 0) {
            look_ahead(store, images + i, smaller(n_images - i, AHEAD), places);
        }
        status = apply(store, places[i % AHEAD], &images[i]);
    }
    return status;
}

void store_fill(struct store *store, uint64_t n_entries)
{
    arena_fill(store->arena, store->page_size);
    arena_fill(store->arena, arena_page_size(store->arena));
    for (size_t i = 0; i < store->n_shards; i++) {
        index_expect(&store->shards[i].index, (size_t)(n_entries / store->n_shards));
    }
}

void store_begin(struct store *store, int64_t now_s, uint64_t first_cas, int64_t flush_at_s)
{
    arena_end_fill(store->arena);
    for (size_t i = 0; i < store->n_shards; i++) {
        struct shard *shard = &store->shards[i];

        shard->next_cas = first_cas;
        shard->flushed_below = 1;
        shard_set_time(store, shard, &(int64_t){now_s});
        census_restart(&shard->census, shard->now_s, 0);
    }
    store->flush_at_s = flush_at_s;
    forecast_restart(&store->forecast, now_s, budget_used(&store->held));
}
