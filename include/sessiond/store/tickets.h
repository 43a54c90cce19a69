/* What replies must wait for, as numbers of journal frames.
 *
 * A ticket is the number of the frame that a change is in; they grow from 1, and 0 waits for nothing.
 * Which of these are waited for is the policy of the journal. Pure. Source: durability.md, "Modes". */
#ifndef SESSIOND_STORE_TICKETS_H
#define SESSIOND_STORE_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

struct store_tickets {
    uint64_t seen;    /* highest of the last changes in the shards that the replies tell of */
    uint64_t changed; /* highest of the last changes in the shards whose keys the commands change */
    uint64_t revoked; /* highest of the last revocations in those shards */
};

static inline uint64_t store_tickets_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/** What waits for these waits for both. */
static inline struct store_tickets store_tickets_max(struct store_tickets a, struct store_tickets b)
{
    return (struct store_tickets){.seen = store_tickets_later(a.seen, b.seen),
                                  .changed = store_tickets_later(a.changed, b.changed),
                                  .revoked = store_tickets_later(a.revoked, b.revoked)};
}

static inline bool store_tickets_are_none(const struct store_tickets *tickets)
{
    return tickets->seen == 0 && tickets->changed == 0 && tickets->revoked == 0;
}

#endif
