/* The sessions of a run: their keys, whether each is there, and who asks about it just now.
 *
 * A reply can be checked only if what the server has is known. So a request that makes a session appear or go is
 * asked while no other one of that session is on its way; all others may be on their way together. Not values. */
#ifndef BENCH_SESSIONS_H
#define BENCH_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEY_MAX = 80,
    KEY_AT = 6,                  /* in its line "VALUE <key> 0 " */
    KEY_LINE = KEY_AT + KEY_MAX, /* and " 0 " */
    LOCK_PREFIX = 5,             /* bytes of "lock." */
};

/* What a framework calls its sessions: a prefix, then random characters. */
struct key_form {
    const char *prefix;
    size_t lock_at; /* in a lock's key "lock." stands behind so much of the prefix */
    size_t n_random;
    const char *alphabet;
};

struct key_line {
    uint8_t length; /* of the line */
    char text[KEY_LINE + 3];
};

struct sessions {
    uint64_t n;
    uint64_t first;               /* what names session 0; the others follow */
    const struct key_form *forms; /* two; borrowed */
    uint64_t second_percent;      /* of all sessions have the second form */
    uint64_t n_absent;
    struct key_line *lines;
    uint16_t *states;
};

/** All are there, or none. */
void sessions_prepare(struct sessions *sessions, bool are_there);
void sessions_release(struct sessions *sessions);

/** 0 or 1: the form of a session, by its index. */
unsigned sessions_form(const struct sessions *sessions, uint64_t index);

/** Write the line of the key that a number names; `form` as of sessions_form. */
void sessions_name(const struct sessions *sessions, unsigned form, uint64_t number,
                   struct key_line *line);

/** Give a session another key, and so begin a new one, which is not there; the number is like no other. */
void sessions_renew(struct sessions *sessions, uint64_t index, uint64_t number);

bool sessions_is_there(const struct sessions *sessions, uint64_t index);

/** From the request that is sent now on. */
void sessions_set_there(struct sessions *sessions, uint64_t index, bool is_there);

/** Hold a session until the reply is there; alone, or with others.
 *  returns  false: not now */
bool sessions_hold(struct sessions *sessions, uint64_t index, bool alone);
void sessions_let_go(struct sessions *sessions, uint64_t index, bool alone);

#endif
