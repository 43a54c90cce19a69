/* Prefixes of keys. Not how an entry keeps one (entry.c). Threads: see prefix.h. Memory: none. */
#include "prefix.h"

static struct slice bytes_of(const struct prefix *prefix)
{
    return slice_of(prefix->bytes, prefix->size);
}

void prefixes_init(struct prefixes *prefixes)
{
    (void)pthread_mutex_init(&prefixes->lock, NULL);
}

void prefixes_fini(struct prefixes *prefixes)
{
    (void)pthread_mutex_destroy(&prefixes->lock);
}

const struct prefix *prefixes_find(const struct prefixes *prefixes, struct slice key)
{
    unsigned n_prefixes = atomic_load_explicit(&prefixes->n_prefixes, memory_order_acquire);

    for (unsigned i = 0; i < n_prefixes; i++) {
        if (slice_starts_with(key, bytes_of(&prefixes->rows[i]))) {
            return &prefixes->rows[i];
        }
    }
    return NULL;
}

static size_t common_size(struct slice a, struct slice b)
{
    size_t size = 0;

    while (size < a.size && size < b.size && size < PREFIX_SIZE_MAX &&
           a.data[size] == b.data[size]) {
        size++;
    }
    return size;
}

/* Keep no more of the candidate; what is cut off may be of a key that ends before its prefix is learnt. */
static void cut(struct prefix *candidate, size_t size)
{
    explicit_bzero(candidate->bytes + size, PREFIX_SIZE_MAX - size);
    candidate->size = (uint8_t)size;
}

static void vote_against(struct prefixes *prefixes)
{
    if (prefixes->votes > 0 && --prefixes->votes == 0) {
        cut(&prefixes->candidate, 0);
    }
}

static void propose(struct prefix *candidate, struct slice shared)
{
    memcpy(candidate->bytes, shared.data, shared.size);
    candidate->size = (uint8_t)shared.size;
}

static void publish(struct prefixes *prefixes)
{
    unsigned n_prefixes = atomic_load_explicit(&prefixes->n_prefixes, memory_order_relaxed);

    if (n_prefixes < PREFIXES_MAX) {
        prefixes->rows[n_prefixes] = prefixes->candidate;
        prefixes->rows[n_prefixes].number = (uint8_t)n_prefixes;
        atomic_store_explicit(&prefixes->n_prefixes, n_prefixes + 1, memory_order_release);
    }
    prefixes->votes = 0;
    cut(&prefixes->candidate, 0);
}

/* The candidate shrinks to what is shared by all that vote for it. Whoever shares too little of it votes against it, so
 * one of a few keys gives way to one of many. */
static void vote(struct prefixes *prefixes, struct slice shared)
{
    struct prefix *candidate = &prefixes->candidate;
    size_t size;

    if (candidate->size == 0) {
        propose(candidate, shared);
    }
    size = common_size(bytes_of(candidate), shared);
    if (size < PREFIX_SIZE_MIN) {
        vote_against(prefixes);
        return;
    }
    cut(candidate, size);
    if (++prefixes->votes == PREFIX_VOTES) {
        publish(prefixes);
    }
}

void prefixes_learn(struct prefixes *prefixes, struct slice key, struct slice other)
{
    size_t size = common_size(key, other);

    if (size < PREFIX_SIZE_MIN || prefixes_are_full(prefixes)) {
        return;
    }
    (void)pthread_mutex_lock(&prefixes->lock);
    /* Somebody else may have been faster. */
    if (prefixes_find(prefixes, key) == NULL) {
        vote(prefixes, slice_first(key, size));
    }
    (void)pthread_mutex_unlock(&prefixes->lock);
}
