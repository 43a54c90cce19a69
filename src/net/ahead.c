/* Parsing ahead. Not running (turn.c). Threads: the worker's. Memory: the caller's. */
#include "ahead.h"

enum { WORTH_FETCHING = 2 }; /* a single request finds out soon enough */

static void parse_one(struct ahead_request *next, struct parser *parser, struct slice input)
{
    size_t used;

    next->before = *parser;
    next->input = input;
    next->hash = 0;
    next->result = parser_next(parser, input, &next->request, &used);
    next->rest = slice_from(input, used);
}

static bool has_key(const struct ahead_request *request)
{
    return request->result == PARSE_REQUEST && request->request.key.size > 0;
}

unsigned ahead_parse(struct ahead_request *requests, struct parser *parser, struct slice input)
{
    unsigned n_requests = 0;
    const struct ahead_request *last;

    do {
        last = &requests[n_requests++];
        parse_one(&requests[n_requests - 1], parser, input);
        input = last->rest;
    } while (last->result == PARSE_REQUEST && input.size > 0 && n_requests < AHEAD_MAX);
    return n_requests;
}

/* All buckets, then all entries: when the last bucket is asked for, the first one is there. */
void ahead_fetch(struct ahead_request *requests, unsigned n_requests,
                 struct command_context *context)
{
    if (n_requests < WORTH_FETCHING) {
        return;
    }
    for (unsigned i = 0; i < n_requests; i++) {
        if (has_key(&requests[i])) {
            requests[i].hash = command_foresee(context, &requests[i].request);
        }
    }
    for (unsigned i = 0; i < n_requests; i++) {
        if (has_key(&requests[i])) {
            command_foresee_entry(context, requests[i].hash);
        }
    }
}
