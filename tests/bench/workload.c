/* Choices, and what they mean for the sessions. */
#include "workload.h"

enum {
    BATCH_STRIDE = 7919, /* between the sessions of a multi-get, which so are no neighbours */
};
/* Numbers that name sessions: the lower ones are indexes. A number is shifted by 8 bits to name a key. */
#define NUMBER_PASSING (UINT64_C(1) << 50)
#define NUMBER_ONESHOT (UINT64_C(1) << 51)

const char *const operation_names[OPERATIONS] = {"get",    "set",  "touch", "add",
                                                 "delete", "lock", "unlock"};

void workload_prepare(struct workload *workload, bool are_there)
{
    const struct plan *plan = &workload->plan;

    workload->random_state = workload->seed;
    workload->shares_sum = 0;
    for (unsigned i = 0; i < SHARES; i++) {
        workload->shares_sum += plan->shares[i];
    }
    workload->sessions.forms = plan->keys;
    workload->sessions.second_percent = plan->second_percent;
    sessions_prepare(&workload->sessions, are_there);
    popularity_prepare(&workload->popularity, workload->sessions.n, plan->zipf_percent);
    for (size_t i = 0; i < FORMS; i++) {
        lengths_prepare(&workload->lengths[i], &plan->lengths[i]);
    }
}

void workload_release(struct workload *workload)
{
    popularity_release(&workload->popularity);
    sessions_release(&workload->sessions);
}

bool visit_is_open(const struct visit *visit)
{
    return visit->step != 0;
}

size_t workload_n_keys(const struct workload *workload, const struct request *request)
{
    return request->operation == GET && !request->is_passing ? workload->batch : 1;
}

uint64_t workload_index(const struct workload *workload, const struct request *request, size_t k)
{
    return k == 0 ? request->index : (request->index + k * BATCH_STRIDE) % workload->sessions.n;
}

const struct key_line *workload_line(const struct workload *workload, const struct request *request,
                                     size_t k, struct key_line *room)
{
    const struct sessions *sessions = &workload->sessions;

    if (request->is_passing) {
        sessions_name(sessions, sessions_form(sessions, request->index), request->index, room);
        return room;
    }
    return &sessions->lines[workload_index(workload, request, k)];
}

size_t workload_value_length(const struct workload *workload, const uint64_t head[2])
{
    const struct lengths *lengths = &workload->lengths[sessions_form(&workload->sessions, head[0])];
    uint64_t from = head[1] % 100 < workload->plan.resize_percent ? head[0] ^ head[1] : head[0];

    return lengths->cells[draw_mix(from) % LENGTH_CELLS];
}

size_t workload_value_max(const struct workload *workload)
{
    const struct length_form *forms = workload->plan.lengths;

    return forms[0].most > forms[1].most ? forms[0].most : forms[1].most;
}

/* ---- sessions, held until the reply ---------------------------------------------------------- */

static bool hold_batch(struct workload *workload, struct request *request)
{
    size_t n_keys = workload_n_keys(workload, request);
    size_t k = 0;

    while (k < n_keys && sessions_hold(&workload->sessions, workload_index(workload, request, k),
                                       request->held == HELD_ALONE)) {
        k++;
    }
    if (k < n_keys) {
        while (k-- > 0) {
            sessions_let_go(&workload->sessions, workload_index(workload, request, k),
                            request->held == HELD_ALONE);
        }
        return false;
    }
    return true;
}

/* Whether it makes the session appear or go. */
static bool changes_presence(const struct request *request)
{
    return request->operation == DELETE
               ? request->was_there
               : !request->was_there && (request->operation == SET || request->operation == ADD);
}

static bool try_hold(struct workload *workload, struct request *request)
{
    request->was_there = sessions_is_there(&workload->sessions, request->index);
    request->held = changes_presence(request) ? HELD_ALONE : HELD_SHARED;
    if (!hold_batch(workload, request)) {
        return false;
    }
    if (request->held == HELD_ALONE) {
        sessions_set_there(&workload->sessions, request->index, !request->was_there);
    }
    return true;
}

/* The session that was chosen, or the next one that is free. */
static bool hold_near(struct workload *workload, struct request *request)
{
    for (uint64_t i = 0; i < workload->sessions.n; i++) {
        if (try_hold(workload, request)) {
            return true;
        }
        request->index = (request->index + 1) % workload->sessions.n;
    }
    return false;
}

void workload_answered(struct workload *workload, const struct request *request)
{
    for (size_t k = 0; k < workload_n_keys(workload, request) && request->held != HELD_NOT; k++) {
        sessions_let_go(&workload->sessions, workload_index(workload, request, k),
                        request->held == HELD_ALONE);
    }
}

/* Of a session that never was, if no run before had the same seed. */
static uint64_t new_number(struct workload *workload)
{
    return NUMBER_PASSING | (workload->seed & UINT16_MAX) << 32 | workload->n_passing++;
}

/* ---- pages ----------------------------------------------------------------------------------- */

static bool begin_page(struct workload *workload, struct visit *visit)
{
    struct sessions *sessions = &workload->sessions;

    visit->index = popularity_draw(&workload->popularity, &workload->random_state);
    for (uint64_t i = 0; i < sessions->n; i++) {
        if (sessions_hold(sessions, visit->index, true)) {
            if (draw_next(&workload->random_state) % 100 < workload->plan.renew_percent) {
                sessions_renew(sessions, visit->index, new_number(workload));
            }
            return true;
        }
        visit->index = (visit->index + 1) % sessions->n;
    }
    return false;
}

/* What is not there has to be stored. */
static enum operation choose_write(struct workload *workload, uint64_t index)
{
    const uint64_t *shares = workload->plan.shares;
    uint64_t roll = draw_next(&workload->random_state) % (shares[SHARE_SET] + shares[SHARE_TOUCH]);

    if (roll < shares[SHARE_SET] || !sessions_is_there(&workload->sessions, index)) {
        sessions_set_there(&workload->sessions, index, true);
        return SET;
    }
    return TOUCH;
}

static bool choose_of_page(struct workload *workload, struct visit *visit, struct request *request)
{
    const enum operation steps[] = {LOCK, GET, SET, UNLOCK};

    request->operation = steps[visit->step];
    if (request->operation == LOCK && !begin_page(workload, visit)) {
        return false;
    }
    request->index = visit->index;
    request->held = request->operation == UNLOCK ? HELD_ALONE : HELD_NOT;
    request->was_there =
        request->operation == UNLOCK ||
        (request->operation != LOCK && sessions_is_there(&workload->sessions, visit->index));
    if (request->operation == SET) {
        request->operation = choose_write(workload, visit->index);
    }
    visit->step = (visit->step + 1) % (sizeof(steps) / sizeof(steps[0]));
    return true;
}

/* ---- single requests ------------------------------------------------------------------------- */

static enum share choose_share(struct workload *workload)
{
    uint64_t roll = draw_next(&workload->random_state) % workload->shares_sum;
    unsigned share = 0;

    while (roll >= workload->plan.shares[share]) {
        roll -= workload->plan.shares[share++];
    }
    return (enum share)share;
}

/* Those that are stored are the same ones again and again, or they would fill the server. */
static bool choose_passing(struct workload *workload, enum share share, struct request *request)
{
    request->is_passing = true;
    request->held = HELD_NOT;
    if (share == SHARE_ONESHOT) {
        request->operation = SET;
        request->index = NUMBER_ONESHOT | workload->n_oneshot++ % workload->sessions.n;
    } else {
        request->operation = GET;
        request->index = new_number(workload);
    }
    return true;
}

/* Any session may end; what is added has gone before, if any has. */
static uint64_t choose_index(struct workload *workload, enum share share)
{
    if (share == SHARE_DELETE) {
        return draw_next(&workload->random_state) % workload->sessions.n;
    }
    return share == SHARE_ADD && workload->n_gone > 0
               ? workload->gone[--workload->n_gone]
               : popularity_draw(&workload->popularity, &workload->random_state);
}

static bool choose_single(struct workload *workload, struct request *request)
{
    static const enum operation operations[] = {[SHARE_GET] = GET,
                                                [SHARE_SET] = SET,
                                                [SHARE_TOUCH] = TOUCH,
                                                [SHARE_ADD] = ADD,
                                                [SHARE_DELETE] = DELETE};
    enum share share = choose_share(workload);

    if (share == SHARE_MISS || share == SHARE_ONESHOT) {
        return choose_passing(workload, share, request);
    }
    request->operation = operations[share];
    request->index = choose_index(workload, share);
    if (!hold_near(workload, request)) {
        return false;
    }
    if (request->operation == DELETE && request->was_there && workload->n_gone < GONE_ROOM) {
        workload->gone[workload->n_gone++] = request->index;
    }
    return true;
}

bool workload_choose(struct workload *workload, struct visit *visit, struct request *request)
{
    *request = (struct request){.held = HELD_NOT};
    return workload->plan.pages ? choose_of_page(workload, visit, request)
                                : choose_single(workload, request);
}

bool workload_choose_absent(struct workload *workload, struct request *request)
{
    struct sessions *sessions = &workload->sessions;

    if (sessions->n_absent == 0) {
        return false;
    }
    while (sessions_is_there(sessions, workload->fill_next)) {
        workload->fill_next = (workload->fill_next + 1) % sessions->n;
    }
    *request = (struct request){.operation = SET, .index = workload->fill_next};
    return try_hold(workload, request);
}
