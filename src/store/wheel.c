/* The timing wheel. Not what its records stand for (timer.c). Threads: under the shard's lock. Memory: pages of
 * chunks.
 *
 * A slot of level n is 256^n seconds wide. When the time enters a slot of a higher level, its records are handed back
 * and go to a lower one by their user's hand. The slot of a higher level in which the time stands is always empty but
 * for those: what is put in goes to the lowest level in which its slot is ahead. While lower levels are empty the time
 * jumps to the next filled slot of a higher one. */
#include "wheel.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 64,
    PLACES_FIRST = 8,
    SIFT_END = WHEEL_LEVELS * WHEEL_SLOTS,
};

_Static_assert(sizeof(struct wheel_chunk) == CHUNK_BYTES, "a chunk is one cache line");

/* log2 of the seconds in one slot of a level. */
static int slot_bits(int level)
{
    return level * WHEEL_SLOT_BITS;
}

static size_t slot_number(int level, int64_t when_s)
{
    return (size_t)(when_s >> slot_bits(level)) % WHEEL_SLOTS;
}

static struct wheel_slot *slot_at(struct wheel *wheel, int level, int64_t when_s)
{
    return &wheel->slots[level][slot_number(level, when_s)];
}

void wheel_init(struct wheel *wheel, int64_t now_s, const struct pages *pages)
{
    *wheel = (struct wheel){.now_s = now_s, .pages = *pages, .sift_at = SIFT_END};
}

void wheel_fini(struct wheel *wheel)
{
    if (wheel->pages.arena != NULL) {
        pages_release(&wheel->pages);
    }
    free(wheel->places);
    *wheel = (struct wheel){.now_s = 0};
}

/* ---- chunks ---- */

static size_t chunks_of_page(const struct wheel *wheel)
{
    return pages_size(&wheel->pages) / CHUNK_BYTES;
}

static struct wheel_chunk *chunk_of(const struct wheel *wheel, uint32_t number)
{
    return &wheel->places[number / chunks_of_page(wheel)][number % chunks_of_page(wheel)];
}

static void spare_chunk(struct wheel *wheel, uint32_t number)
{
    chunk_of(wheel, number)->next = wheel->spare;
    wheel->spare = number;
    wheel->n_spare++;
}

static bool grow_places(struct wheel *wheel)
{
    size_t capacity = wheel->capacity == 0 ? PLACES_FIRST : 2 * wheel->capacity;
    struct wheel_chunk **grown = realloc(wheel->places, capacity * sizeof *grown);

    if (grown == NULL) {
        return false;
    }
    wheel->places = grown;
    wheel->capacity = capacity;
    return true;
}

/* The last page that was taken. */
static void add_chunks(struct wheel *wheel, struct wheel_chunk *page)
{
    uint32_t first = (uint32_t)((wheel->pages.n_pages - 1) * chunks_of_page(wheel));

    wheel->places[wheel->pages.n_pages - 1] = page;
    /* Number 0 means none. */
    for (uint32_t i = first == 0; i < chunks_of_page(wheel); i++) {
        spare_chunk(wheel, first + i);
    }
}

static bool has_place_for_page(struct wheel *wheel)
{
    return wheel->pages.n_pages < wheel->capacity || grow_places(wheel);
}

enum sess_status wheel_reserve(struct wheel *wheel)
{
    struct wheel_chunk *page;

    if (wheel->spare != 0) {
        return SESS_OK;
    }
    page = has_place_for_page(wheel) ? pages_add(&wheel->pages, SIZE_MAX) : NULL;
    if (page == NULL) {
        return SESS_NO_MEMORY;
    }
    add_chunks(wheel, page);
    return SESS_OK;
}

/* The number of a chunk that was spare; 0: the system has no memory. */
static uint32_t take_chunk(struct wheel *wheel)
{
    uint32_t number;

    if (wheel->spare == 0) {
        struct wheel_chunk *page =
            has_place_for_page(wheel) ? pages_add_always(&wheel->pages) : NULL;

        if (page == NULL) {
            return 0;
        }
        add_chunks(wheel, page);
    }
    number = wheel->spare;
    wheel->spare = chunk_of(wheel, number)->next;
    wheel->n_spare--;
    return number;
}

/* ---- slots ---- */

static enum sess_status push(struct wheel *wheel, struct wheel_slot *slot, uint32_t record)
{
    if (slot->first == 0 || slot->used == WHEEL_CHUNK_RECORDS) {
        uint32_t number = take_chunk(wheel);

        if (number == 0) {
            return SESS_NO_MEMORY;
        }
        chunk_of(wheel, number)->next = slot->first;
        *slot = (struct wheel_slot){.first = number};
    }
    chunk_of(wheel, slot->first)->records[slot->used++] = record;
    wheel->n_records++;
    return SESS_OK;
}

static uint32_t pop(struct wheel *wheel, struct wheel_slot *slot)
{
    uint32_t number = slot->first;
    struct wheel_chunk *chunk = chunk_of(wheel, number);
    uint32_t record = chunk->records[--slot->used];

    if (slot->used == 0) {
        *slot = (struct wheel_slot){.first = chunk->next,
                                    .used = chunk->next == 0 ? 0 : WHEEL_CHUNK_RECORDS};
        spare_chunk(wheel, number);
    }
    wheel->n_records--;
    return record;
}

void wheel_restart(struct wheel *wheel, int64_t now_s)
{
    for (size_t i = 0; i < SIFT_END; i++) {
        struct wheel_slot *slot = &wheel->slots[i / WHEEL_SLOTS][i % WHEEL_SLOTS];

        while (slot->first != 0) {
            (void)pop(wheel, slot);
        }
    }
    while (wheel->sifted.first != 0) {
        (void)pop(wheel, &wheel->sifted);
    }
    memset(wheel->n_filled, 0, sizeof wheel->n_filled);
    wheel->sift_at = SIFT_END;
    wheel->now_s = now_s;
}

/* Whether a level's slot of that time is one of those ahead, not the same one a round later. */
static bool is_within(const struct wheel *wheel, int level, int64_t when_s)
{
    return (when_s >> slot_bits(level)) - (wheel->now_s >> slot_bits(level)) < WHEEL_SLOTS;
}

/* Beyond the wheel's reach a record is handed back early. */
static int64_t within_reach(const struct wheel *wheel, int64_t when_s)
{
    int bits = slot_bits(WHEEL_LEVELS - 1);
    int64_t last_slot = (wheel->now_s >> bits) + WHEEL_SLOTS - 1;

    return when_s >> bits > last_slot ? last_slot << bits : when_s;
}

enum sess_status wheel_put(struct wheel *wheel, uint32_t record, int64_t when_s)
{
    int level = 0;
    struct wheel_slot *slot;
    bool was_empty;
    enum sess_status status;

    when_s = when_s < wheel->now_s ? wheel->now_s : within_reach(wheel, when_s);
    while (!is_within(wheel, level, when_s)) {
        level++;
    }
    slot = slot_at(wheel, level, when_s);
    was_empty = slot->first == 0;
    status = push(wheel, slot, record);
    wheel->n_filled[level] += status == SESS_OK && was_empty;
    return status;
}

/* ---- time ---- */

/* Move on to the next slot with records in it, at most to now_s. One step looks at the slots of one level up to its
 * end, so it is bounded too. */
static void advance(struct wheel *wheel, int64_t now_s)
{
    int level = 0;
    int64_t width;
    int64_t end;
    int64_t next;

    while (level < WHEEL_LEVELS && wheel->n_filled[level] == 0) {
        level++;
    }
    if (level == WHEEL_LEVELS) {
        wheel->now_s = now_s;
        return;
    }
    width = (int64_t)1 << slot_bits(level);
    end = ((wheel->now_s >> slot_bits(level + 1)) + 1) << slot_bits(level + 1);
    next = ((wheel->now_s >> slot_bits(level)) + 1) << slot_bits(level);
    while (next < end && next < now_s && slot_at(wheel, level, next)->first == 0) {
        next += width;
    }
    wheel->now_s = next < now_s ? next : now_s;
}

/* In the order in which pop takes them. */
static unsigned peek_slot(const struct wheel *wheel, struct wheel_slot slot, uint32_t *records,
                          unsigned most)
{
    unsigned n = 0;

    while (slot.first != 0 && n < most) {
        const struct wheel_chunk *chunk = chunk_of(wheel, slot.first);

        while (slot.used > 0 && n < most) {
            records[n++] = chunk->records[--slot.used];
        }
        slot = (struct wheel_slot){.first = chunk->next, .used = WHEEL_CHUNK_RECORDS};
    }
    return n;
}

unsigned wheel_peek(const struct wheel *wheel, uint32_t *records, unsigned most)
{
    if (wheel_is_sifted(wheel)) {
        return peek_slot(wheel, wheel->sifted, records, most);
    }
    for (int level = WHEEL_LEVELS - 1; level >= 0; level--) {
        const struct wheel_slot *slot = &wheel->slots[level][slot_number(level, wheel->now_s)];

        if (slot->first != 0) {
            return peek_slot(wheel, *slot, records, most);
        }
    }
    return 0;
}

enum wheel_step wheel_step(struct wheel *wheel, int64_t now_s, uint32_t *due)
{
    for (int level = WHEEL_LEVELS - 1; level >= 0; level--) {
        struct wheel_slot *slot = slot_at(wheel, level, wheel->now_s);

        if (slot->first != 0) {
            *due = pop(wheel, slot);
            wheel->n_filled[level] -= slot->first == 0;
            return WHEEL_DUE;
        }
    }
    if (wheel->now_s >= now_s) {
        return WHEEL_IDLE;
    }
    advance(wheel, now_s);
    return WHEEL_MOVED;
}

/* ---- sifting ---- */

bool wheel_is_sifted(const struct wheel *wheel)
{
    return wheel->sift_at < SIFT_END;
}

/* Take the next filled slot out, from `at` on. */
static void take_slot(struct wheel *wheel, unsigned at)
{
    for (; at < SIFT_END; at++) {
        struct wheel_slot *slot = &wheel->slots[at / WHEEL_SLOTS][at % WHEEL_SLOTS];

        if (slot->first != 0) {
            wheel->sifted = *slot;
            *slot = (struct wheel_slot){.first = 0};
            wheel->n_filled[at / WHEEL_SLOTS]--;
            break;
        }
    }
    wheel->sift_at = at;
}

void wheel_sift(struct wheel *wheel)
{
    take_slot(wheel, 0);
}

bool wheel_sift_next(struct wheel *wheel, uint32_t *record)
{
    if (wheel->sifted.first == 0) {
        if (wheel_is_sifted(wheel)) {
            take_slot(wheel, wheel->sift_at + 1);
        }
        if (!wheel_is_sifted(wheel)) {
            return false;
        }
    }
    *record = pop(wheel, &wheel->sifted);
    return true;
}
