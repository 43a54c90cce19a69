/* Parsing ahead. Not running (turn.c). Threads: the worker's. Memory: the caller's. */
#include "ahead.h"

enum { WORTH_FETCHING = 2 }; /* a single request finds out soon enough */

static void parse_one(struct ahead_request *next, struct parser *parser, struct slice input)
{
    size_t used;

    next->before = *parser;
    next->input = input;
    next->hash = 0;
    next->session = NULL;
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

/* Behind the last one there is no value to fetch. */
static void end_values(struct ahead_request *end)
{
    for (unsigned i = 0; i < AHEAD_VALUES; i++) {
        end[i].session = NULL;
    }
}

/* Step by step for all of them, so that each step's waits for memory are one: when the last is asked for, the first is
 * there. */
void ahead_fetch(struct ahead_request *requests, unsigned n_requests,
                 struct command_context *context)
{
    end_values(&requests[n_requests]);
    if (n_requests < WORTH_FETCHING) {
        return;
    }
    for (unsigned i = 0; i < n_requests; i++) {
        if (has_key(&requests[i])) {
            requests[i].hash = command_hash(context, &requests[i].request);
        }
    }
    for (unsigned i = 0; i < n_requests; i++) {
        if (requests[i].hash != 0) {
            command_foresee(context, requests[i].hash);
        }
    }
    for (unsigned i = 0; i < n_requests; i++) {
        if (requests[i].hash != 0) {
            requests[i].session = command_foresee_session(context, requests[i].hash);
        }
    }
    for (unsigned i = 0; i < AHEAD_VALUES; i++) {
        if (requests[i].session != NULL) {
            command_foresee_value(requests[i].session);
        }
    }
}
