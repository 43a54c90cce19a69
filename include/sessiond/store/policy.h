/* Policy: what the store knows of sessions beyond what it is told: how long they may live, and that who has logged
 * out stays so for a while.
 *
 * It is asked about changes by clients, never about what a journal recorded. Threads: made at the start, then read
 * by any; what is RELOADABLE may change at any time. Memory: none of its own.
 * Source: docs/decisions/0022-session-sense.md. */
#ifndef SESSIOND_STORE_POLICY_H
#define SESSIOND_STORE_POLICY_H

#include "sessiond/base/option.h"
#include "sessiond/base/slice.h"
#include "sessiond/base/status.h"

#include <stdint.h>

#define POLICY_OPTIONS(X)                                                                          \
    X(max_ttl, LIST, "none", NULL, NULL, OPTION_FIXED | OPTION_NONE,                               \
      "Longest time from now on that a session may be given, as `[PREFIX ]TIME`: of keys that "    \
      "begin with PREFIX, or of all others. May be given several times; the longest prefix "       \
      "counts.")                                                                                   \
    X(logout_hold, DURATION, "none", "1s", "1d", OPTION_RELOADABLE | OPTION_NONE,                  \
      "How long a session that was deleted cannot be saved again but by add; keys with the word "  \
      "`lock` are left out.")                                                                      \
    X(first_write_ttl, DURATION, "none", "2s", "1d", OPTION_RELOADABLE | OPTION_NONE,              \
      "How long a new session lives until it is read or written again, not within the first "      \
      "second; from then on it lives as long as was asked for.")

struct policy_options {
    POLICY_OPTIONS(OPTION_DECLARE)
};
extern const struct option_table policy_option_table;

#define POLICY_NO_CAP INT64_MAX

/* A line of max-ttl. */
struct policy_cap {
    struct slice prefix; /* of the options' text; empty: of every key */
    int64_t ttl_s;       /* >= 1, or POLICY_NO_CAP */
};

struct policy {
    const struct policy_options *options;    /* borrowed */
    struct policy_cap caps[OPTION_LIST_MAX]; /* the longest prefix first */
    size_t n_caps;
};

/** Read the options' texts, which must stay as they are.
 *  returns  OK | INVALID (a text is not of its form, or a prefix stands there twice) */
SESS_MUST_CHECK enum sess_status policy_init(struct policy *policy,
                                             const struct policy_options *options,
                                             struct sess_error *error);

/** The longest time in seconds that a key may be given, or POLICY_NO_CAP. NULL is no policy. */
int64_t policy_cap_s(const struct policy *policy, struct slice key);

/** How many seconds a new session lives until it is used again; 0: as long as was asked for. NULL is no policy. */
int64_t policy_first_s(const struct policy *policy, struct slice key);

/** How many seconds a key is held when its session ends by a command; 0: not at all. NULL is no policy. */
int64_t policy_hold_s(const struct policy *policy, struct slice key);

#endif
