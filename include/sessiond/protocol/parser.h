/* The request parser: bytes to requests, for the memcached text protocol.
 *
 * Pure: no I/O, no allocation, no clock. The caller keeps what is not used yet and calls again with
 * it in front of what has come since. It never guesses where a request ends: where that is
 * uncertain, it says to reply once and close. Threads: each parser has one owner.
 * Source: memcached doc/protocol.txt; design, "Protocol"; the catalogue of bad input. */
#ifndef SESSIOND_PROTOCOL_PARSER_H
#define SESSIOND_PROTOCOL_PARSER_H

#include "sessiond/protocol/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PARSER_ERRORS_MAX = 8,    /* protocol errors in a row; then the connection closes */
    PARSER_SWALLOW_TIMES = 8, /* a block up to this many times max-value is read and dropped */
};

struct parser_limits {
    size_t line_max;  /* bytes of a command line, but for the keys of a get or gat */
    size_t value_max; /* bytes of a data block that is not refused */
    size_t
        inline_max; /* bytes up to which a data block is waited for whole; larger: PARSE_UPLOAD */
    bool is_admin;  /* verbs of admin listeners are commands, too */
};

struct parser {
    const struct parser_limits *limits; /* borrowed */
    const struct command *keys_of;      /* the command whose keys are being read, or NULL */
    bool has_key;                       /* one of them has come, or none needs to */
    int64_t exptime;                    /* that stood in front of them */
    uint64_t swallow;                   /* bytes of a refused block still to be dropped */
    bool skips_line;                    /* the rest of a spoilt line is to be dropped */
    unsigned errors;                    /* protocol errors in a row */
    bool has_served;                    /* a valid request has come on this connection */
};

enum parse_result {
    PARSE_MORE,    /* nothing to run yet: call again with more input */
    PARSE_REQUEST, /* run the request */
    PARSE_UPLOAD,  /* a valid request whose data block (value_size bytes and a line end) is to be
                           taken by the caller, from the unused input on */
    PARSE_ERROR,   /* answer request->error unless noreply, close if must_close */
    PARSE_CLOSE,   /* close without a word: HTTP, TLS, or a refused block that ends wrongly */
    PARSE_CLOSE_BINARY, /* the same for memcached's binary protocol */
};

void parser_init(struct parser *parser, const struct parser_limits *limits);

/** Parse the next request.
 *  input    what has arrived and is not used yet; may be empty
 *  request  set for REQUEST, UPLOAD and ERROR; its slices point into `input`
 *  used     bytes of the input that are done with; may be > 0 for MORE too */
enum parse_result parser_next(struct parser *parser, struct slice input, struct request *request,
                              size_t *used);

/** Whether no request has begun: the next byte is the first of a line. */
bool parser_is_between(const struct parser *parser);

/** Drop a block of `value_size` bytes and its line end from the next input, instead of taking it
 *  after PARSE_UPLOAD. */
void parser_swallow(struct parser *parser, size_t value_size);

#endif
