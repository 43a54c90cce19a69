/* A hierarchical timing wheel for deadlines in whole seconds.
 *
 * Private to the store. It only says which timers are due; whether an entry has really expired, or
 * was given more time since (lazy re-arm), its user decides. Every step is O(1), so a million
 * timers of one second are handled in slices. Threads: under the shard's lock.
 * Source: Varghese, Lauck: Hashed and Hierarchical Timing Wheels (1987). */
#ifndef SESSIOND_SRC_STORE_WHEEL_H
#define SESSIOND_SRC_STORE_WHEEL_H

#include <stdint.h>

enum { WHEEL_LEVELS = 4, WHEEL_SLOTS = 64, WHEEL_SECONDS = 256 };

struct wheel_timer {
    struct wheel_timer *next; /* NULL: not armed */
    struct wheel_timer *previous;
    int64_t armed_s; /* when it fires; at or before its owner's deadline */
    int level;       /* of the slot it stands in, or fell from */
    uint32_t owners; /* whatever its owner keeps here */
};

struct wheel {
    int64_t now_s;                             /* everything up to here has been looked at */
    struct wheel_timer seconds[WHEEL_SECONDS]; /* level 0, a second each */
    struct wheel_timer slots[WHEEL_LEVELS - 1][WHEEL_SLOTS]; /* 256 s, 16384 s, 2^20 s each */
    struct wheel_timer falling;                              /* on their way to a lower level */
    uint64_t n_timers[WHEEL_LEVELS]; /* in each level, with those that fell from it */
};

enum wheel_step {
    WHEEL_IDLE,  /* nothing more up to now */
    WHEEL_MOVED, /* some work was done, call again */
    WHEEL_DUE,   /* *due is disarmed and handed over */
};

void wheel_init(struct wheel *wheel, int64_t now_s);

/** Arm a timer that is not armed. A time at or before now is due at the next step. */
void wheel_arm(struct wheel *wheel, struct wheel_timer *timer, int64_t when_s);

/** See that the timer fires at or before `when_s`: a later time leaves an armed timer alone. */
void wheel_arm_by(struct wheel *wheel, struct wheel_timer *timer, int64_t when_s);

/** Disarm; no effect on a timer that is not armed. */
void wheel_disarm(struct wheel *wheel, struct wheel_timer *timer);

/** Tell that a timer stands at another address now; its old one is not looked at. */
void wheel_moved(struct wheel_timer *timer);

/** Do one step towards `now_s`. */
enum wheel_step wheel_step(struct wheel *wheel, int64_t now_s, struct wheel_timer **due);

#endif
