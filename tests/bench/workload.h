/* What the load generator asks: operations, sessions, values, by the shares of a plan.
 *
 * Mixed: each request by itself. Pages (PHP): what its session handler asks for one page, in this order: add the lock,
 * get, set or touch, delete the lock. Not how a request is written (wire.h), nor which reply is right (check.h), nor
 * when it is sent and over which connection (client.h). */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "draw.h"
#include "sessions.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VALUE_HEAD = 16, /* bytes: the session's index, and a nonce */
    VALUE_MAX = 65536,
    BATCH_MAX = 64,    /* keys of a multi-get */
    GONE_ROOM = 1024,  /* deleted sessions that an `add` may bring back */
    LOCK_SECONDS = 30, /* exptime of a lock */
};

/* LOCK and UNLOCK are the `add` and `delete` of a session's lock. */
enum operation { GET, SET, TOUCH, ADD, DELETE, LOCK, UNLOCK, OPERATIONS };
extern const char *const operation_names[OPERATIONS];

/* Of the requests. MISS: a get of a session that never was. ONESHOT: a set of one that nobody asks for again. */
enum share {
    SHARE_GET,
    SHARE_SET,
    SHARE_TOUCH,
    SHARE_ADD,
    SHARE_DELETE,
    SHARE_MISS,
    SHARE_ONESHOT,
    SHARES
};

enum { FORMS = 2 };

struct plan {
    const char *name;
    const char *doc;
    struct key_form keys[FORMS];
    struct length_form lengths[FORMS]; /* of the values of sessions with that key */
    uint64_t second_percent;           /* of the sessions have the second forms */
    uint64_t ttl_s;                    /* above 30 days: a time of the wall clock */
    uint64_t shares[SHARES];           /* parts of their sum; of a page set and touch count */
    uint64_t zipf_percent;             /* 100 times the exponent of the popularity; 0: uniform */
    uint64_t
        resize_percent; /* of writes have a length of their own, the others that of the session */
    uint64_t pages;     /* 1: pages */
    uint64_t renew_percent; /* of pages begin a new session instead of one that has ended */
};

enum held { HELD_NOT, HELD_SHARED, HELD_ALONE };

struct request {
    uint64_t index; /* of the session; is_passing: the number that names it */
    enum operation operation;
    enum held held; /* to be given back with the reply */
    bool is_passing;
    bool was_there; /* when it was asked, so the reply must say so; of a lock: the lock */
};

/* Where a connection is in a page. The session is its own until the page has ended: two that want one lock would have
 * to wait for each other. */
struct visit {
    uint64_t index;
    unsigned step; /* 0: between two pages */
};

struct workload {
    /* options */
    struct plan plan;
    uint64_t seed;
    uint64_t batch;  /* keys of a get */
    uint64_t resp;   /* 1: in Redis's protocol */
    uint64_t canned; /* 1: the server stores nothing; see check.h */
    /* state */
    struct sessions sessions;
    struct popularity popularity;
    struct lengths lengths[FORMS];
    uint64_t random_state;
    uint64_t shares_sum;
    uint64_t n_passing;    /* sessions that were asked for once */
    uint64_t n_oneshot;    /* of them, stored */
    uint64_t fill_next;    /* no session below it is absent */
    uint64_t stored_bytes; /* of keys and values in all requests written */
    uint64_t gone[GONE_ROOM];
    size_t n_gone;
};

/** are_there  the sessions, on the server, from a run before */
void workload_prepare(struct workload *workload, bool are_there);
void workload_release(struct workload *workload);

/** The next request. returns false: every session is held */
bool workload_choose(struct workload *workload, struct visit *visit, struct request *request);

/** A set of a session that is absent. returns false: there is none */
bool workload_choose_absent(struct workload *workload, struct request *request);

/** The reply is there. */
void workload_answered(struct workload *workload, const struct request *request);

/** A page has begun: its lock is to be given back, whether or not the run is over. */
bool visit_is_open(const struct visit *visit);

/** The index of key number k of a request, of `batch` keys if it is a get. */
uint64_t workload_index(const struct workload *workload, const struct request *request, size_t k);
size_t workload_n_keys(const struct workload *workload, const struct request *request);

/** The key's line; `room` for one that is not kept. */
const struct key_line *workload_line(const struct workload *workload, const struct request *request,
                                     size_t k, struct key_line *room);

/** The length of the value that begins so: any stored value can be checked. */
size_t workload_value_length(const struct workload *workload, const uint64_t head[2]);

/** Bytes of the longest value. */
size_t workload_value_max(const struct workload *workload);

#endif
