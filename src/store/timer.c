/* Timers of entries. Not the time (wheel.c), not what is done with what is over (tick.c). Threads: under the shard's
 * lock. Memory: the wheel's. */
#include "timer.h"

#include "sessiond/base/prefetch.h"

enum { MARK_BITS = 8 };

_Static_assert(MARK_BITS + INDEX_LOW_BITS == 32, "a record is 32 bits");

static uint32_t low_of(uint32_t record)
{
    return record & (((uint32_t)1 << INDEX_LOW_BITS) - 1);
}

static uint8_t mark_of(uint32_t record)
{
    return (uint8_t)(record >> INDEX_LOW_BITS);
}

static uint32_t record_of(uint32_t low, uint8_t mark)
{
    return (uint32_t)mark << INDEX_LOW_BITS | low;
}

void timers_init(struct timers *timers, int64_t now_s, const struct pages *pages)
{
    *timers = (struct timers){.n_armed = 0};
    wheel_init(&timers->wheel, now_s, pages);
}

/* One mark after the other, so that entries that come together, or one key's that comes again and again, have
 * different ones. Never 0, which is no record, nor the one that the entry has. */
static uint8_t choose_mark(struct timers *timers, uint8_t other)
{
    do {
        timers->last_mark++;
    } while (timers->last_mark == 0 || timers->last_mark == other);
    return timers->last_mark;
}

/* Without memory for its record the entry keeps the one that it has: it is looked at later, but no session is seen
 * beyond its deadline for that. */
static void arm(struct timers *timers, uint32_t low, struct entry *entry, int64_t when_s)
{
    uint8_t mark = choose_mark(timers, entry->timer);

    if (wheel_put(&timers->wheel, record_of(low, mark), when_s) == SESS_OK) {
        timers->n_armed += entry->timer == 0;
        entry->timer = mark;
    }
}

void timer_hand_over(struct entry *from, struct entry *to)
{
    to->timer = from->timer;
    from->timer = 0;
}

void timer_forget(struct timers *timers, struct entry *entry)
{
    timers->n_armed -= entry->timer != 0;
    entry->timer = 0;
}

/* A record that was handed back, and the time. */
struct sought {
    const struct index *index;
    uint32_t record;
    int64_t now_s;
};

/* Others of its bucket may have the same mark, and be in another bucket when it is split: each entry has a record of its
 * own low bits, and no other one counts for it. */
static bool has_record(const void *context, const struct entry *entry)
{
    const struct sought *sought = context;

    return entry->timer == mark_of(sought->record) &&
           low_of((uint32_t)index_hash(sought->index, entry)) == low_of(sought->record);
}

static bool is_over(const void *context, const struct entry *entry)
{
    const struct sought *sought = context;

    return entry_deadline(entry) <= sought->now_s && has_record(context, entry);
}

/* Each gets another mark, or none, so each is found once. */
static void arm_again(struct timers *timers, struct index_bucket *bucket,
                      const struct sought *sought)
{
    uint64_t *slot;

    while ((slot = index_find_where(bucket, has_record, sought)) != NULL) {
        struct entry *entry = index_entry(*slot);
        int64_t deadline_s = entry_deadline(entry);

        if (deadline_s != STORE_NO_DEADLINE) {
            arm(timers, low_of(sought->record), entry, deadline_s);
        }
        if (entry->timer == mark_of(sought->record)) {
            timer_forget(timers, entry);
        }
    }
}

uint64_t *timer_find_over(struct timers *timers, struct index *index, uint32_t record,
                          int64_t now_s)
{
    struct sought sought = {.index = index, .record = record, .now_s = now_s};
    struct index_bucket *bucket = index_bucket_of_low(index, low_of(record));
    uint64_t *slot = index_find_where(bucket, is_over, &sought);

    if (slot == NULL) {
        arm_again(timers, bucket, &sought);
    }
    return slot;
}

/* Of those in a bucket that have the mark: one, as a rule. */
static void fetch_rest(const struct index_bucket *bucket, uint8_t mark)
{
    for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
        const struct entry *entry = index_entry(bucket->slots[i]);

        if (entry != NULL && entry->timer == mark) {
            index_fetch_lines(entry);
        }
    }
}

/* Each look waits until those of the pass before it are there, so there is one wait for all records instead of several
 * for each. */
unsigned timers_fetch(const struct timers *timers, struct index *index)
{
    uint32_t records[TIMERS_FETCH_MOST];
    unsigned n = wheel_peek(&timers->wheel, records, TIMERS_FETCH_MOST);

    for (unsigned i = 0; i < n; i++) {
        prefetch(index_bucket_of_low(index, low_of(records[i])));
    }
    for (unsigned i = 0; i < n; i++) {
        index_fetch_bucket(index_bucket_of_low(index, low_of(records[i])));
    }
    for (unsigned i = 0; i < n; i++) {
        fetch_rest(index_bucket_of_low(index, low_of(records[i])), mark_of(records[i]));
    }
    return n;
}

/* Whoever may have the record gets a new one, at its deadline. A stale one that has somebody's mark by chance would be
 * kept again and again otherwise. */
void timers_sift_step(struct timers *timers, struct index *index)
{
    struct sought sought = {.index = index};

    if (!wheel_is_sifted(&timers->wheel)) {
        wheel_sift(&timers->wheel);
    }
    if (wheel_sift_next(&timers->wheel, &sought.record)) {
        arm_again(timers, index_bucket_of_low(index, low_of(sought.record)), &sought);
    }
}

static bool sifting_pays(const struct timers *timers)
{
    return timers_are_sifted(timers) ||
           timers->wheel.n_records >
               timers->n_armed + timers->n_armed / TIMERS_STALE_SHARE + TIMERS_STALE_MIN;
}

enum sess_status timers_reserve(struct timers *timers, struct index *index)
{
    for (unsigned i = 0;
         i < TIMERS_SIFT_STEPS && timers->wheel.n_spare < TIMERS_SIFT_SPARE && sifting_pays(timers);
         i++) {
        timers_sift_step(timers, index);
    }
    return wheel_reserve(&timers->wheel);
}

void timer_set(struct timers *timers, struct index *index, uint64_t hash, struct entry *entry,
               int64_t before_s, int64_t deadline_s)
{
    bool is_in_time = entry->timer != 0 && before_s != STORE_NO_DEADLINE && before_s <= deadline_s;

    if (deadline_s != STORE_NO_DEADLINE && !is_in_time) {
        /* It takes a page over the budget rather than to be late. */
        (void)!timers_reserve(timers, index);
        arm(timers, low_of((uint32_t)hash), entry, deadline_s);
    }
}
