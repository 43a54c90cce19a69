/* The store's fixture. One thread at a time, but for the store itself. */
#include "store_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static enum mutation_answer record(void *context, const struct mutation *mutation,
                                   struct mutation_receipt *receipt)
{
    struct mutation_recorder *recorder = context;
    struct noted_mutation *last = &recorder->last;

    recorder->n_calls++;
    last->mutation = *mutation;
    if (mutation->key.size > 0) {
        memcpy(last->key, mutation->key.data, mutation->key.size);
    }
    last->mutation.key.data = last->key;
    if (mutation->value.size > 0) {
        memcpy(last->value, mutation->value.data,
               mutation->value.size < FIXTURE_TEXT_MAX ? mutation->value.size : FIXTURE_TEXT_MAX);
    }
    last->mutation.value.data = last->value;
    if (recorder->answer == MUTATION_ACCEPTED) {
        receipt->ticket = ++recorder->ticket;
        receipt->is_revocation = mutation_revokes(mutation);
    }
    return recorder->answer;
}

void fixture_prepare(struct store_fixture *fixture)
{
    *fixture = (struct store_fixture){.now_s = FIXTURE_NOW_S};
    /* The least in which values up to STORE_COPY_MAX stand in their entries. */
    budget_init(&fixture->data, (size_t)1 << 30);
    budget_init(&fixture->in_flight, (size_t)4 << 20);
    fixture->config = (struct store_config){
        .max_value_bytes = 1 << 20,
        .data = &fixture->data,
        .in_flight = &fixture->in_flight,
        .hash_key = {.low = 0x0123456789abcdef, .high = 0xfedcba9876543210},
        .first_cas = 1,
        .now_s = FIXTURE_NOW_S,
    };
}

void fixture_start(struct store_fixture *fixture)
{
    ck_assert_int_eq(store_create(&fixture->config, &fixture->store), SESS_OK);
    store_on_mutation(fixture->store, record, &fixture->recorder);
}

void fixture_open(struct store_fixture *fixture)
{
    fixture_prepare(fixture);
    fixture_start(fixture);
}

void fixture_close(struct store_fixture *fixture)
{
    store_destroy(&fixture->store);
    ck_assert_ptr_null(fixture->store);
    ck_assert_uint_eq(budget_used(&fixture->data), 0);
    ck_assert_uint_eq(budget_used(&fixture->in_flight), 0);
}

enum sess_status fixture_write_slice(struct store_fixture *fixture, enum store_mode mode,
                                     const char *key, struct slice value, uint32_t flags,
                                     int64_t deadline_s)
{
    struct store_write write = {
        .mode = mode,
        .key = slice_from_text(key),
        .value = value,
        .flags = flags,
        .expiry = store_expiry_at(deadline_s),
    };

    return store_write(fixture->store, &write, fixture->now_s, &fixture->outcome);
}

enum sess_status fixture_write(struct store_fixture *fixture, enum store_mode mode, const char *key,
                               const char *value, int64_t deadline_s)
{
    return fixture_write_slice(fixture, mode, key, slice_from_text(value), 0, deadline_s);
}

enum sess_status fixture_cas(struct store_fixture *fixture, const char *key, const char *value,
                             uint64_t cas, int64_t deadline_s)
{
    struct store_write write = {
        .mode = STORE_CAS,
        .key = slice_from_text(key),
        .value = slice_from_text(value),
        .expiry = store_expiry_at(deadline_s),
        .cas = cas,
    };

    return store_write(fixture->store, &write, fixture->now_s, &fixture->outcome);
}

enum sess_status fixture_count(struct store_fixture *fixture, const char *key, uint64_t delta,
                               bool is_decrement, uint64_t *result)
{
    struct store_count count = {
        .key = slice_from_text(key), .delta = delta, .is_decrement = is_decrement};

    return store_count(fixture->store, &count, fixture->now_s, result, &fixture->outcome);
}

enum sess_status fixture_flush(struct store_fixture *fixture, int64_t at_s)
{
    return store_flush(fixture->store, at_s, fixture->now_s, &fixture->outcome);
}

bool fixture_holds(struct store_fixture *fixture, const char *key, struct slice value)
{
    struct store_reading reading;
    bool holds;

    if (store_read_begin(fixture->store, slice_from_text(key), 0, fixture->now_s, &reading) !=
        SESS_OK) {
        return false;
    }
    holds = slice_equal(reading.value, value);
    store_read_end(&reading);
    return holds;
}

const char *fixture_numbered(unsigned number)
{
    static char text[24];

    (void)snprintf(text, sizeof text, "key-%u", number);
    return text;
}

enum sess_status fixture_delete(struct store_fixture *fixture, const char *key)
{
    return store_delete(fixture->store, slice_from_text(key), 0, fixture->now_s, &fixture->outcome);
}

enum sess_status fixture_touch(struct store_fixture *fixture, const char *key, int64_t deadline_s)
{
    return store_touch(fixture->store, slice_from_text(key), 0, store_expiry_at(deadline_s),
                       fixture->now_s, &fixture->outcome);
}

struct seen fixture_look(struct store_fixture *fixture, const char *key)
{
    struct seen seen = {.size = 0};
    struct store_reading reading;

    seen.status =
        store_read_begin(fixture->store, slice_from_text(key), 0, fixture->now_s, &reading);
    fixture->outcome = reading.outcome;
    if (seen.status == SESS_OK) {
        seen.size = reading.value.size;
        seen.flags = reading.flags;
        seen.cas = reading.cas;
        if (seen.size > 0) {
            memcpy(seen.value, reading.value.data,
                   seen.size < FIXTURE_TEXT_MAX ? seen.size : FIXTURE_TEXT_MAX);
        }
        store_read_end(&reading);
    }
    return seen;
}

uint64_t fixture_figure(struct store_fixture *fixture, const char *name)
{
    uint64_t totals[METRIC_ROWS_MAX] = {0};

    store_sum(fixture->store, totals);
    for (size_t i = 0; i < store_metric_table.n_rows; i++) {
        if (strcmp(store_metric_table.rows[i].name, name) == 0) {
            return totals[i];
        }
    }
    ck_abort_msg("the store has no %s", name);
}

size_t fixture_tick_all(struct store_fixture *fixture)
{
    struct store_ticker ticker = {.first = 0, .stride = 1};
    size_t n_slices = 1;

    while (store_tick(fixture->store, &ticker, fixture->now_s, 128)) {
        n_slices++;
        ck_assert_uint_lt(n_slices, 10000000);
    }
    return n_slices;
}
