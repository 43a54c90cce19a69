/* Timers of entries. Not the time (wheel.c), not what is done with what is over (tick.c). Threads: under the shard's
 * lock. Memory: the wheel's. */
#include "timer.h"

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

static uint32_t record_of(uint64_t hash, uint8_t mark)
{
    return (uint32_t)mark << INDEX_LOW_BITS | low_of((uint32_t)hash);
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
static void arm(struct timers *timers, uint64_t hash, struct entry *entry, int64_t when_s)
{
    uint8_t mark = choose_mark(timers, entry->timer);

    if (wheel_put(&timers->wheel, record_of(hash, mark), when_s) == SESS_OK) {
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

/* Whose an entry's timer may be, and the time. */
struct sought {
    uint8_t mark;
    int64_t now_s;
};

static bool has_mark(const void *context, const struct entry *entry)
{
    const struct sought *sought = context;

    return entry->timer == sought->mark;
}

static bool is_over(const void *context, const struct entry *entry)
{
    const struct sought *sought = context;

    return entry->timer == sought->mark && entry_deadline(entry) <= sought->now_s;
}

/* Each gets another mark, or none, so each is found once. Its hash need not be the record's: they may share the bucket
 * today, and not when it is split. */
static void arm_again(struct timers *timers, struct index *index, struct index_bucket *bucket,
                      const struct sought *sought)
{
    uint64_t *slot;

    while ((slot = index_find_where(bucket, has_mark, sought)) != NULL) {
        struct entry *entry = index_entry(*slot);
        int64_t deadline_s = entry_deadline(entry);

        if (deadline_s != STORE_NO_DEADLINE) {
            arm(timers, index_hash(index, entry), entry, deadline_s);
        }
        if (entry->timer == sought->mark) {
            timer_forget(timers, entry);
        }
    }
}

uint64_t *timer_find_over(struct timers *timers, struct index *index, uint32_t record,
                          int64_t now_s)
{
    struct sought sought = {.mark = mark_of(record), .now_s = now_s};
    struct index_bucket *bucket = index_bucket_of_low(index, low_of(record));
    uint64_t *slot = index_find_where(bucket, is_over, &sought);

    if (slot == NULL) {
        arm_again(timers, index, bucket, &sought);
    }
    return slot;
}

/* Whoever may have the record gets a new one, at its deadline. A stale one that has somebody's mark by chance would be
 * kept again and again otherwise. */
void timers_sift_step(struct timers *timers, struct index *index)
{
    struct sought sought = {.mark = 0};
    uint32_t record;

    if (!wheel_is_sifted(&timers->wheel)) {
        wheel_sift(&timers->wheel);
    }
    if (wheel_sift_next(&timers->wheel, &record)) {
        sought.mark = mark_of(record);
        arm_again(timers, index, index_bucket_of_low(index, low_of(record)), &sought);
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
        arm(timers, hash, entry, deadline_s);
    }
}
