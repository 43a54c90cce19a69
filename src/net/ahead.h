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

enum { AHEAD_MAX = 16 }; /* of one connection */

struct ahead_request {
    struct parser before; /* the parser in front of it */
    struct slice input;   /* from its first byte on */
    struct slice rest;    /* what follows it */
    struct request request;
    enum parse_result result;
    uint64_t hash; /* of its key, if its memory is fetched; or 0 */
};

/** Parse what `input` begins with: requests, AHEAD_MAX of them, or as many as there are and what ends them: the last one
 *  alone may have another result than PARSE_REQUEST. The parser is then behind the last one.
 *  Returns how many were put into `requests`, AHEAD_MAX of which there must be: at least 1. */
unsigned ahead_parse(struct ahead_request *requests, struct parser *parser, struct slice input);

/** Have the memory fetched that they will look at. Worth its while for two or more; does nothing for fewer. */
void ahead_fetch(struct ahead_request *requests, unsigned n_requests,
                 struct command_context *context);

#endif
