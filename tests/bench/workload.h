/* What the load generator asks and which replies are right: keys, values, requests.
 *
 * Two workloads. Mixed: get, set and touch by per cents, sessions chosen uniformly, in memcached's protocol or in
 * Redis's (RESP). PHP: what its session handler asks for one page, in this order: add the lock, get, set or touch,
 * delete the lock. Not when it asks and over which connection: that is load.c. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEY_LENGTH = 64,
    KEY_AT = 6, /* in its line "VALUE <key> 0 " */
    KEY_LINE = KEY_AT + KEY_LENGTH + 3,
    VALUE_HEAD = 16,                /* bytes of a value that are checked: index and nonce */
    REQUEST_ROOM = KEY_LENGTH + 64, /* of a request or a reply, without the value */
};

/* LOCK and UNLOCK are the `add` and `delete` of a session's lock. */
enum operation { GET, SET, TOUCH, LOCK, UNLOCK, OPERATIONS };

struct request {
    enum operation operation;
    size_t index; /* of the key */
};

/* Where a connection is in PHP's requests. Sessions are dealt out to the connections: two that want one lock
 * would have to wait for each other. */
struct visit {
    size_t lane;   /* the connection's number */
    size_t index;  /* of the session */
    unsigned step; /* 0: between two pages */
};

struct workload {
    uint64_t keys, value_min, value_max, seed;
    uint64_t php;  /* 1: that workload; 0: mixed */
    uint64_t resp; /* 1: in Redis's protocol */
    uint64_t
        canned; /* 1: the server stores nothing; a value has the mean length, and no other head */
    uint64_t lanes; /* connections */
    uint64_t percent[OPERATIONS];
    uint64_t stored_bytes; /* of keys and values in all requests written */
    uint64_t random_state;
    char (*key_lines)[KEY_LINE];
};

extern const char *const operation_names[OPERATIONS];

void workload_prepare(struct workload *workload);
void workload_release(struct workload *workload);
const char *workload_key(const struct workload *workload, size_t index);
struct request workload_choose(struct workload *workload, struct visit *visit);

/** A page has begun: its lock is to be given back, whether or not the run is over. */
bool visit_is_open(const struct visit *visit);

/** Writes the request to `out` (REQUEST_ROOM + value_max bytes); returns its length. */
size_t workload_write(struct workload *workload, char *out, struct request request);

/* What a check says other than the length of a whole and right reply. */
enum { REPLY_PARTIAL = 0, REPLY_WRONG = -1 };

/** Checks the reply that `input` begins with, as far as it is there. */
long workload_check(const struct workload *workload, const char *input, size_t size,
                    struct request request);

#endif
