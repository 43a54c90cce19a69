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

static void publish(struct prefixes *prefixes, const struct prefix *prefix)
{
    unsigned n_prefixes = atomic_load_explicit(&prefixes->n_prefixes, memory_order_relaxed);

    if (n_prefixes < PREFIXES_MAX) {
        prefixes->rows[n_prefixes] = *prefix;
        prefixes->rows[n_prefixes].number = (uint8_t)n_prefixes;
        atomic_store_explicit(&prefixes->n_prefixes, n_prefixes + 1, memory_order_release);
    }
}

/* There will be no vote for what begins with a prefix, nor for any when the table is full. */
static void withdraw(struct prefixes *prefixes)
{
    for (size_t i = 0; i < PREFIX_CANDIDATES; i++) {
        struct prefix_candidate *candidate = &prefixes->candidates[i];

        if (prefixes_are_full(prefixes) ||
            prefixes_find(prefixes, bytes_of(&candidate->prefix)) != NULL) {
            candidate->votes = 0;
            cut(&candidate->prefix, 0);
        }
    }
}

static bool is_most_of(size_t size, size_t whole)
{
    return size + whole / PREFIX_CUT_SHARE >= whole;
}

/* Whether they are much the same. A stray key that begins almost alike neither cuts the candidate of the others, nor has
 * their votes for its own. */
static bool is_for(const struct prefix *candidate, struct slice shared)
{
    size_t size = common_size(bytes_of(candidate), shared);

    return size >= PREFIX_SIZE_MIN && is_most_of(size, candidate->size) &&
           is_most_of(size, shared.size);
}

/* The longest one that this is a vote for, else one that is none yet, else NULL. */
static struct prefix_candidate *choose(struct prefixes *prefixes, struct slice shared)
{
    struct prefix_candidate *chosen = NULL;

    for (size_t i = 0; i < PREFIX_CANDIDATES; i++) {
        struct prefix_candidate *candidate = &prefixes->candidates[i];

        if ((candidate->votes == 0 && chosen == NULL) ||
            (is_for(&candidate->prefix, shared) &&
             (chosen == NULL || candidate->prefix.size > chosen->prefix.size))) {
            chosen = candidate;
        }
    }
    return chosen;
}

static void vote_for(struct prefixes *prefixes, struct prefix_candidate *candidate,
                     struct slice shared)
{
    if (candidate->votes == 0) {
        memcpy(candidate->prefix.bytes, shared.data, shared.size);
        candidate->prefix.size = (uint8_t)shared.size;
    }
    /* It shrinks to what is shared by all that vote for it. */
    cut(&candidate->prefix, common_size(bytes_of(&candidate->prefix), shared));
    if (++candidate->votes == PREFIX_VOTES) {
        publish(prefixes, &candidate->prefix);
        withdraw(prefixes);
    }
}

/* So those of a few keys give way to those of many. */
static void vote_against_all(struct prefixes *prefixes)
{
    for (size_t i = 0; i < PREFIX_CANDIDATES; i++) {
        if (--prefixes->candidates[i].votes == 0) {
            cut(&prefixes->candidates[i].prefix, 0);
        }
    }
}

/* Source: Misra, Gries: Finding Repeated Elements (1982). */
static void vote(struct prefixes *prefixes, struct slice shared)
{
    struct prefix_candidate *candidate = choose(prefixes, shared);

    if (candidate != NULL) {
        vote_for(prefixes, candidate, shared);
    } else {
        vote_against_all(prefixes);
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
    if (prefixes_find(prefixes, key) == NULL && !prefixes_are_full(prefixes)) {
        vote(prefixes, slice_first(key, size));
    }
    (void)pthread_mutex_unlock(&prefixes->lock);
}
