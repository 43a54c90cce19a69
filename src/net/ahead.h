/* Requests of one connection that are parsed before the first of them is run.
 *
 * Private to net. What they will look at is far away in memory; asked for together, it is there when they run. So a pipeline
 * and a get of many keys wait once for what a single request waits for. Parsing knows nothing of what running does: who
 * stops in front of a request puts the parser back to where it was. Threads: the worker's. Memory: the loop's. */
#ifndef SESSIOND_SRC_NET_AHEAD_H
#define SESSIOND_SRC_NET_AHEAD_H

#include "sessiond/command/command.h"
#include "sessiond/protocol/parser.h"

enum { AHEAD_MAX = 16 };

struct ahead_request {
    struct parser before; /* the parser in front of it */
    struct slice input;   /* from its first byte on */
    struct slice rest;    /* what follows it */
    struct request request;
    enum parse_result result;
    uint64_t hash; /* of its key, if it has one */
};

struct ahead {
    struct ahead_request requests[AHEAD_MAX];
    unsigned n_requests;
};

/** Parse what `input` begins with: requests, AHEAD_MAX of them, or as many as there are and what ends them: the last one
 *  alone may have another result than PARSE_REQUEST. The parser is then behind the last one. */
void ahead_parse(struct ahead *ahead, struct parser *parser, struct slice input,
                 struct command_context *context);

#endif
