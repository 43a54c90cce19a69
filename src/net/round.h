/* A round: connections that are ready together receive one after the other, and their memory is fetched together before
 * the first of them is run.
 *
 * Private to net. A request that came alone waits for its session's memory just as one in a pipeline does; with others
 * that came alone it waits once. Threads: the worker's. Memory: the loop's input, and the struct. */
#ifndef SESSIOND_SRC_NET_ROUND_H
#define SESSIOND_SRC_NET_ROUND_H

#include "turn.h"

enum { ROUND_TURNS = 16 };

struct round {
    struct turn turns[ROUND_TURNS];
    unsigned n_turns;
    struct ahead_request requests[2 * AHEAD_MAX + AHEAD_VALUES]; /* of all of them */
    unsigned n_requests;
    size_t n_received; /* bytes in the loop's input */
};

/** Take connections off the loop's ready list, up to `last` or as many as a round has room for, and have them receive.
 *  Returns whether `last` was among them: then the list held no more. Each turn is to be run. */
bool round_gather(struct round *round, struct loop *loop, const struct connection *last);

/** All turns are run: what they received is zeroed. */
void round_end(struct round *round, struct loop *loop);

#endif
