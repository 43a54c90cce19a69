/* The timing wheel. Not the expiry rules (store.c). Threads: under the shard's lock. Memory: the
 * caller's.
 *
 * Level 0 has a slot for each of the next 256 seconds. Level n > 0 has 64 slots, each as wide as the
 * whole level below; when the time enters such a slot, its timers fall to lower levels, one a step.
 * While lower levels are empty the time jumps to the next slot of a higher one. */
#include "wheel.h"

#include <stdbool.h>
#include <stddef.h>

enum { SECONDS_BITS = 8, SLOT_BITS = 6 };

/* log2 of the seconds in one slot of a level. */
static int slot_bits(int level)
{
    return level == 0 ? 0 : SECONDS_BITS + (level - 1) * SLOT_BITS;
}

/* Seconds that a level spans. */
static int64_t level_span(int level)
{
    return (int64_t)1 << (SECONDS_BITS + level * SLOT_BITS);
}

static void list_init(struct wheel_timer *head)
{
    head->next = head;
    head->previous = head;
}

static bool list_is_empty(const struct wheel_timer *head)
{
    return head->next == head;
}

static void list_append(struct wheel_timer *head, struct wheel_timer *timer)
{
    timer->next = head;
    timer->previous = head->previous;
    head->previous->next = timer;
    head->previous = timer;
}

static void list_remove(struct wheel_timer *timer)
{
    timer->previous->next = timer->next;
    timer->next->previous = timer->previous;
    timer->next = NULL;
    timer->previous = NULL;
}

void wheel_init(struct wheel *wheel, int64_t now_s)
{
    wheel->now_s = now_s;
    for (size_t i = 0; i < WHEEL_SECONDS; i++) {
        list_init(&wheel->seconds[i]);
    }
    for (size_t level = 0; level < WHEEL_LEVELS - 1; level++) {
        for (size_t i = 0; i < WHEEL_SLOTS; i++) {
            list_init(&wheel->slots[level][i]);
        }
    }
    list_init(&wheel->falling);
    for (size_t i = 0; i < WHEEL_LEVELS; i++) {
        wheel->n_timers[i] = 0;
    }
}

static struct wheel_timer *slot_of(struct wheel *wheel, int level, int64_t when_s)
{
    size_t index = (size_t)(when_s >> slot_bits(level));

    return level == 0 ? &wheel->seconds[index % WHEEL_SECONDS]
                      : &wheel->slots[level - 1][index % WHEEL_SLOTS];
}

static int64_t clamp(int64_t value, int64_t lowest, int64_t highest)
{
    if (value < lowest) {
        return lowest;
    }
    return value > highest ? highest : value;
}

void wheel_arm(struct wheel *wheel, struct wheel_timer *timer, int64_t when_s)
{
    int top = WHEEL_LEVELS - 1;
    /* Beyond the wheel's reach a timer fires early, and its user arms it again. */
    int64_t latest = wheel->now_s + level_span(top) - ((int64_t)1 << slot_bits(top));
    int64_t fires_s = clamp(when_s, wheel->now_s, latest);
    int level = 0;

    while (fires_s - wheel->now_s >= level_span(level)) {
        level++;
    }
    timer->armed_s = fires_s;
    timer->level = level;
    list_append(slot_of(wheel, level, fires_s), timer);
    wheel->n_timers[level]++;
}

void wheel_disarm(struct wheel *wheel, struct wheel_timer *timer)
{
    if (timer->next != NULL) {
        list_remove(timer);
        wheel->n_timers[timer->level]--;
    }
}

void wheel_arm_by(struct wheel *wheel, struct wheel_timer *timer, int64_t when_s)
{
    if (timer->next != NULL && timer->armed_s <= when_s) {
        return;
    }
    wheel_disarm(wheel, timer);
    wheel_arm(wheel, timer, when_s);
}

void wheel_moved(struct wheel_timer *timer)
{
    if (timer->next != NULL) {
        timer->next->previous = timer;
        timer->previous->next = timer;
    }
}

/* The whole list of the slot that the time has entered goes to the end of the falling list. Its
 * timers keep their level, and their place in its count, until they land. */
static void drop_slot(struct wheel *wheel, int level)
{
    struct wheel_timer *head = slot_of(wheel, level, wheel->now_s);

    if (list_is_empty(head)) {
        return;
    }
    head->next->previous = wheel->falling.previous;
    wheel->falling.previous->next = head->next;
    head->previous->next = &wheel->falling;
    wheel->falling.previous = head->previous;
    list_init(head);
}

/* Move on to the next slot with timers in it, at most to now_s. One step looks at the slots of one
 * level up to its end, so it is bounded too. */
static void advance(struct wheel *wheel, int64_t now_s)
{
    int level = 0;
    int64_t width;
    int64_t end;
    int64_t next;

    while (level < WHEEL_LEVELS && wheel->n_timers[level] == 0) {
        level++;
    }
    if (level == WHEEL_LEVELS) {
        wheel->now_s = now_s;
        return;
    }
    width = (int64_t)1 << slot_bits(level);
    end = (wheel->now_s / level_span(level) + 1) * level_span(level);
    next = (wheel->now_s / width + 1) * width;
    while (next < end && next < now_s && list_is_empty(slot_of(wheel, level, next))) {
        next += width;
    }
    wheel->now_s = next < now_s ? next : now_s;
    for (int above = 1; above < WHEEL_LEVELS; above++) {
        if (wheel->now_s % ((int64_t)1 << slot_bits(above)) == 0) {
            drop_slot(wheel, above);
        }
    }
}

enum wheel_step wheel_step(struct wheel *wheel, int64_t now_s, struct wheel_timer **due)
{
    struct wheel_timer *falling = wheel->falling.next;
    struct wheel_timer *first = slot_of(wheel, 0, wheel->now_s)->next;

    if (!list_is_empty(&wheel->falling)) {
        int64_t when_s = falling->armed_s;

        wheel_disarm(wheel, falling);
        wheel_arm(wheel, falling, when_s);
        return WHEEL_MOVED;
    }
    if (first != slot_of(wheel, 0, wheel->now_s)) {
        wheel_disarm(wheel, first);
        *due = first;
        return WHEEL_DUE;
    }
    if (wheel->now_s >= now_s) {
        return WHEEL_IDLE;
    }
    advance(wheel, now_s);
    return WHEEL_MOVED;
}
