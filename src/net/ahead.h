/* Requests that are parsed before the first of them is run.
 *
 * Private to net. What they will look at is far away in memory; asked for together, it is there when they run. So a pipeline,
 * a get of many keys, and connections that are ready together wait once for what a single request waits for. Parsing knows
 * nothing of what running does: who stops in front of a request puts the parser back to where it was. Threads: the worker's.
 * Memory: the caller's. */
#ifndef SESSIOND_SRC_NET_AHEAD_H
#define SESSIOND_SRC_NET_AHEAD_H

#include "sessiond/command/command.h"
#include "sessiond/protocol/parser.h"

enum {
    AHEAD_MAX = 16, /* of one connection */
    AHEAD_VALUES =
        2 /* requests between one that runs and the one whose value is fetched meanwhile */
};

struct ahead_request {
    struct parser before; /* the parser in front of it */
    struct slice input;   /* from its first byte on */
    struct slice rest;    /* what follows it */
    struct request request;
    enum parse_result result;
    uint64_t hash;       /* of its key, if its memory is fetched; or 0 */
    const void *session; /* whose value is to be fetched, or NULL; not to be looked at */
};

/** Parse what `input` begins with: requests, AHEAD_MAX of them, or as many as there are and what ends them: the last one
 *  alone may have another result than PARSE_REQUEST. The parser is then behind the last one.
 *  Returns how many were put into `requests`, AHEAD_MAX + AHEAD_VALUES of which there must be: at least 1. */
unsigned ahead_parse(struct ahead_request *requests, struct parser *parser, struct slice input);

/** Have the memory fetched that they will look at. Worth its while for two or more; does nothing for fewer. */
void ahead_fetch(struct ahead_request *requests, unsigned n_requests,
                 struct command_context *context);

/** One of them is about to run: have a later one's value fetched. Each takes more of the processor's outstanding loads than it
 *  has for all of them together. */
static inline void ahead_fetch_value(const struct ahead_request *running)
{
    if (running[AHEAD_VALUES].session != NULL) {
        command_foresee_value(running[AHEAD_VALUES].session);
    }
}

#endif
