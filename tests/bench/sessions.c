/* Two bytes of state for each session. */
#include "sessions.h"

#include "draw.h"
#include "room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ABSENT = 1 << 15,
    ALONE = 1 << 14,
    HOLDERS = ALONE - 1,
};

unsigned sessions_form(const struct sessions *sessions, uint64_t index)
{
    return sessions->second_percent > 0 && draw_mix(~index) % 100 < sessions->second_percent;
}

void sessions_name(const struct sessions *sessions, unsigned form, uint64_t number,
                   struct key_line *line)
{
    const struct key_form *names = &sessions->forms[form];
    size_t n_characters = strlen(names->alphabet);
    char *out = put(line->text, "VALUE ", KEY_AT);

    out = put(out, names->prefix, strlen(names->prefix));
    for (size_t i = 0; i < names->n_random; i++) {
        *out++ = names->alphabet[draw_mix(number << 8 | i) % n_characters];
    }
    out = put(out, " 0 ", 3);
    line->length = (uint8_t)(out - line->text);
}

void sessions_prepare(struct sessions *sessions, bool are_there)
{
    sessions->lines = allocate(sessions->n, sizeof(*sessions->lines));
    sessions->states = allocate(sessions->n, sizeof(*sessions->states));
    sessions->n_absent = are_there ? 0 : sessions->n;
    for (uint64_t i = 0; i < sessions->n; i++) {
        sessions_name(sessions, sessions_form(sessions, i), sessions->first + i,
                      &sessions->lines[i]);
        sessions->states[i] = are_there ? 0 : ABSENT;
    }
}

void sessions_release(struct sessions *sessions)
{
    free(sessions->lines);
    free(sessions->states);
}

void sessions_renew(struct sessions *sessions, uint64_t index, uint64_t number)
{
    sessions_name(sessions, sessions_form(sessions, index), number, &sessions->lines[index]);
    sessions_set_there(sessions, index, false);
}

bool sessions_is_there(const struct sessions *sessions, uint64_t index)
{
    return (sessions->states[index] & ABSENT) == 0;
}

void sessions_set_there(struct sessions *sessions, uint64_t index, bool is_there)
{
    uint16_t *state = &sessions->states[index];

    if (is_there && (*state & ABSENT) != 0) {
        *state &= (uint16_t)~ABSENT;
        sessions->n_absent--;
    } else if (!is_there && (*state & ABSENT) == 0) {
        *state |= ABSENT;
        sessions->n_absent++;
    }
}

bool sessions_hold(struct sessions *sessions, uint64_t index, bool alone)
{
    uint16_t *state = &sessions->states[index];

    if ((*state & ALONE) != 0 || (*state & HOLDERS) == HOLDERS ||
        (alone && (*state & HOLDERS) != 0)) {
        return false;
    }
    *state = (uint16_t)(alone ? *state | ALONE : *state + 1);
    return true;
}

void sessions_let_go(struct sessions *sessions, uint64_t index, bool alone)
{
    uint16_t *state = &sessions->states[index];

    *state = (uint16_t)(alone ? *state & ~ALONE : *state - 1);
}
