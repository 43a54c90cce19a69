/* Store and journal. Threads, memory: see the header. */
#include "subject.h"

#include "sessiond/store/walk.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Any thread. */
static void note_failure(void *context)
{
    struct subject *subject = context;

    atomic_store(&subject->has_failed, true);
}

static enum sess_status make_store(struct subject *subject)
{
    struct store_config config = {
        .max_value_bytes = 2 * SUBJECT_VALUE_MAX,
        .data = &subject->data,
        .in_flight = &subject->in_flight,
        .policy = &subject->policy,
        .hash_key = {.low = 0x0123456789abcdef, .high = 0xfedcba9876543210},
        .first_cas = 1,
        .now_s = clock_now(subject->clock).wall_s,
    };

    subject->policy_options.first_write_ttl = SUBJECT_FIRST_S * UINT64_C(1000);
    subject->policy_options.logout_hold = SUBJECT_HOLD_S * UINT64_C(1000);
    subject->policy = (struct policy){.options = &subject->policy_options};
    budget_init(&subject->data, (size_t)16 << 20);
    budget_init(&subject->in_flight, (size_t)1 << 20);
    return store_create(&config, &subject->store);
}

enum sess_status subject_open(struct subject *subject, struct memory_directory *directory,
                              const struct journal_options *options, struct clock *clock,
                              struct sess_error *error)
{
    struct journal_config config;
    enum sess_status status;

    (void)clock_begin(clock, 0);
    *subject = (struct subject){
        .options = *options, .directory = memory_directory_base(directory), .clock = clock};
    status = make_store(subject);
    if (status != SESS_OK) {
        return error_set(error, status, "no memory for a store");
    }
    config = (struct journal_config){
        .options = &subject->options,
        .directory = memory_directory_base(directory),
        .clock = clock,
        .store = subject->store,
        .batch_bytes = SUBJECT_BATCH,
        .segment_bytes = SUBJECT_SEGMENT,
        .checkpoint_bytes = SUBJECT_CHECKPOINT,
        .checkpoint_ms = INT64_MAX / 2,
        .failed = note_failure,
        .failed_context = subject,
    };
    status = journal_open(&config, &subject->journal, error);
    if (status != SESS_OK) {
        store_destroy(&subject->store);
        return status;
    }
    subject->recovered = journal_recovered(subject->journal);
    subject->time_s = clock_now(clock).wall_s;
    subject->has_grace = clock_is_in_grace(clock);
    return SESS_OK;
}

enum sess_status subject_open_exactly(struct subject *subject, struct memory_directory *directory,
                                      const struct journal_options *options, struct clock *clock,
                                      struct sess_error *error)
{
    const int64_t step_ms = INT64_C(1000) * 365 * 86400;
    enum sess_status status;

    clock_step(clock, -step_ms);
    status = subject_open(subject, directory, options, clock, error);
    clock_step(clock, step_ms);
    return status;
}

int64_t subject_put_right(struct subject *subject, int64_t ahead_s)
{
    int64_t now_s = clock_now(subject->clock).wall_s;
    int64_t step_ms = (subject->recovered->time_s + ahead_s - now_s) * 1000;

    clock_step(subject->clock, step_ms);
    return step_ms;
}

void subject_close(struct subject *subject)
{
    journal_destroy(&subject->journal);
    store_destroy(&subject->store);
}

/* Lets a flush take effect, and refuses all else, so that a look changes nothing. */
static enum mutation_answer probe(void *context, const struct mutation *mutation,
                                  struct mutation_receipt *receipt)
{
    (void)context;
    *receipt = (struct mutation_receipt){.ticket = 0};
    return mutation->kind == MUTATION_FLUSH ? MUTATION_ACCEPTED : MUTATION_REFUSED;
}

static void look_at_key(struct subject *subject, struct slice key, int64_t now_s,
                        struct key_state *state)
{
    const struct store_look look = {.key = key, .leaves_no_trace = true};
    struct store_reading reading;
    struct store_sight sight;
    struct store_outcome outcome;

    state->is_there = false;
    store_on_mutation(subject->store, probe, NULL);
    if (store_look_begin(subject->store, &look, now_s, &reading, &sight) == SESS_OK) {
        *state = (struct key_state){
            .is_there = true,
            .digest = oracle_digest(reading.value),
            .size = reading.value.size,
            .flags = reading.flags,
            .cas = reading.cas,
            .is_stale = sight.is_stale,
            .deadline_s = state->deadline_s,
            .asked_s = state->asked_s,
            .held_until_s = state->held_until_s,
        };
        store_read_end(&reading);
        if (store_delete(subject->store, key, 0, now_s, &outcome) != SESS_REFUSED) {
            abort();
        }
    }
    store_on_mutation(subject->store, NULL, NULL);
}

/* A store_walk_fn: what no look tells. */
static void note_unseen(void *context, const struct store_image *image, struct value_block *block)
{
    struct picture *picture = context;
    struct key_state *state = &picture->keys[oracle_number(image->key)];

    (void)block;
    state->deadline_s = image->deadline_s;
    state->asked_s = image->marks.asked_s;
    state->held_until_s = image->marks.is_held ? image->deadline_s : 0;
}

void subject_look(struct subject *subject, int64_t now_s, struct picture *picture)
{
    struct store_walk walk = {.shard = 0};

    picture_clear(picture);
    picture->flush_at_s = subject->recovered->flush_at_s;
    while (store_walk_step(subject->store, &walk, SIZE_MAX, note_unseen, picture)) {
    }
    for (unsigned key = 0; key < ORACLE_KEYS; key++) {
        look_at_key(subject, oracle_key(key), now_s, &picture->keys[key]);
    }
}

uint64_t subject_next_cas(struct subject *subject)
{
    struct store_write write = {
        .mode = STORE_SET,
        .key = slice_from_text("another"),
        .value = slice_from_text("x"),
        .expiry = store_expiry_at(STORE_NO_DEADLINE),
    };
    struct store_outcome outcome;

    store_on_mutation(subject->store, NULL, NULL);
    return store_write(subject->store, &write, subject->time_s, &outcome) == SESS_OK ? outcome.cas
                                                                                     : 0;
}
