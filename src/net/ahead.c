/* Parsing ahead. Not running (turn.c). Threads: the worker's. Memory: the caller's. */
#include "ahead.h"

enum { WORTH_FETCHING = 2 }; /* a single request finds out soon enough */

static void parse_one(struct ahead_request *next, struct parser *parser, struct slice input)
{
    size_t used;

    next->before = *parser;
    next->input = input;
    next->result = parser_next(parser, input, &next->request, &used);
    next->rest = slice_from(input, used);
}

static bool has_key(const struct ahead_request *request)
{
    return request->result == PARSE_REQUEST && request->request.key.size > 0;
}

/* All buckets, then all entries: when the last bucket is asked for, the first one is there. */
static void fetch(struct ahead *ahead, struct command_context *context)
{
    for (unsigned i = 0; i < ahead->n_requests; i++) {
        if (has_key(&ahead->requests[i])) {
            ahead->requests[i].hash = command_foresee(context, &ahead->requests[i].request);
        }
    }
    for (unsigned i = 0; i < ahead->n_requests; i++) {
        if (has_key(&ahead->requests[i])) {
            command_foresee_entry(context, ahead->requests[i].hash);
        }
    }
}

void ahead_parse(struct ahead *ahead, struct parser *parser, struct slice input,
                 struct command_context *context)
{
    struct ahead_request *last;

    ahead->n_requests = 0;
    do {
        last = &ahead->requests[ahead->n_requests++];
        parse_one(last, parser, input);
        input = last->rest;
    } while (last->result == PARSE_REQUEST && input.size > 0 && ahead->n_requests < AHEAD_MAX);
    if (ahead->n_requests >= WORTH_FETCHING) {
        fetch(ahead, context);
    }
}
