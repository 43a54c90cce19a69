/* A million operations of all kinds at random, in a store that is nearly full, against a plain model.
 *
 * The keys live in a few shards, so that their heaps are full, squeezed and swept all the time. */
#include "sessiond/base/number.h"
#include "sessiond/store/store.h"

#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"
#include "test_random.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    N_KEYS = 300,
    N_OPERATIONS = 200000, /* of each test */
    N_SHARDS = 16,         /* that the keys live in: all, in small stores */
    LARGEST = 40960,       /* bytes of a value */
    CHECK_EVERY = 2000,    /* operations */
};

/* What a key holds, if it holds anything. */
struct held {
    char name[32];
    struct shard *shard;
    bool is_there;
    uint8_t *bytes; /* of LARGEST */
    size_t size;
    uint32_t flags;
    int64_t deadline_s;
    uint64_t cas;
    uint64_t last_cas; /* of all that were ever given out for it */
};

struct model {
    struct store_fixture fixture;
    struct test_random random;
    struct held held[N_KEYS];
    int64_t flush_at_s; /* of the flush to come, or STORE_NO_DEADLINE */
    uint64_t tickets[N_SHARDS];
    size_t n_calls;                     /* of the hook, that are accounted for */
    uint64_t n_answers[SESS_LIMIT + 1]; /* by status */
    struct store_ticker ticker;
    bool by_upload; /* the write that is under way */
};

static struct model model;
static uint8_t new_bytes[2 * LARGEST];

static uint64_t below(uint64_t bound)
{
    return test_random_below(&model.random, bound);
}

static size_t shard_number(const struct held *held)
{
    return (size_t)(held->shard - model.fixture.store->shards);
}

/* Keys of the first shards. */
static void name_keys(void)
{
    unsigned number = 0;

    for (size_t i = 0; i < N_KEYS; i++) {
        struct held *held = &model.held[i];

        do {
            /* Every other one begins with what will become a prefix. */
            (void)snprintf(held->name, sizeof held->name, "%s-%u",
                           number % 2 == 0 ? "key" : "shared.prefix.of.keys", number);
            number++;
            held->shard = inside_shard(model.fixture.store, slice_from_text(held->name));
        } while (shard_number(held) >= N_SHARDS);
        held->bytes = malloc(LARGEST);
        ck_assert_ptr_nonnull(held->bytes);
    }
}

static struct slice key_of(const struct held *held)
{
    return slice_of(held->name, strlen(held->name));
}

/* One record of a flush, in effect or to come, was accepted with this ticket. */
static void note_flush(int64_t at_s, bool is_in_effect, uint64_t ticket)
{
    model.flush_at_s = is_in_effect ? STORE_NO_DEADLINE : at_s;
    for (size_t i = 0; i < N_KEYS; i++) {
        model.held[i].is_there = model.held[i].is_there && !is_in_effect;
    }
    for (size_t i = 0; i < N_SHARDS; i++) {
        model.tickets[i] = ticket;
    }
}

/* A shard is about to have this time: a flush that is due takes effect before, and here no hook says no to
 * that. */
static void reach(int64_t now_s)
{
    if (now_s >= model.flush_at_s) {
        model.fixture.recorder.answer = MUTATION_ACCEPTED;
        model.n_calls++;
        note_flush(model.flush_at_s, true, model.fixture.recorder.ticket + 1);
    }
}

/* The shard's time, once it is told `told_s`; what dies of it is gone from the model. */
static int64_t set_time(struct held *held, int64_t told_s)
{
    int64_t now_s = held->shard->now_s > told_s ? held->shard->now_s : told_s;

    reach(now_s);
    if (held->is_there && held->deadline_s <= now_s) {
        held->is_there = false;
    }
    return now_s;
}

/* What the caller believes the time is: mostly right, sometimes late. */
static int64_t told_time(void)
{
    return model.fixture.now_s - (below(10) == 0 ? (int64_t)below(5) : 0);
}

static struct store_expiry random_expiry(int64_t now_s)
{
    switch (below(20)) {
    case 0:
        return store_expiry_at(now_s - (int64_t)below(3));
    case 1:
        return store_expiry_in(1 + (int64_t)below(30));
    case 2:
        return store_expiry_at(ENTRY_DEADLINE_MAX + (int64_t)below(1000) - 500);
    case 3:
    case 4:
        return store_expiry_at(STORE_NO_DEADLINE);
    case 5:
    case 6:
        return store_expiry_at(now_s + (int64_t)below(1 << 20));
    case 7:
        return store_expiry_at(now_s + (int64_t)below(20));
    default:
        return store_expiry_at(now_s + (int64_t)below(2000));
    }
}

static int64_t deadline_of(struct store_expiry expiry, int64_t now_s)
{
    int64_t deadline_s = expiry.is_relative ? now_s + expiry.seconds : expiry.seconds;

    return deadline_s != STORE_NO_DEADLINE && deadline_s > ENTRY_DEADLINE_MAX ? ENTRY_DEADLINE_MAX
                                                                              : deadline_s;
}

/* A new value: a number, or anything of 0 to 40 KiB, mostly small; a few bytes too many at times. */
static struct slice random_value(void)
{
    uint64_t word = test_random_next(&model.random);
    bool is_large = below(8) == 0;
    size_t size = (size_t)(below(LARGEST + 20) >> (is_large ? below(4) : 4 + below(8)));

    if (below(5) == 0) {
        size = number_format_u64(word >> below(64), new_bytes);
        new_bytes[size] = ' ';
        return slice_of(new_bytes, size + (below(8) == 0));
    }
    for (size_t i = 0; i < size; i += sizeof word) {
        memcpy(new_bytes + i, &word, sizeof word);
        word = word * 6364136223846793005 + 1442695040888963407;
    }
    return slice_of(new_bytes, size);
}

/* What is there after a change that succeeds. */
static void hold(struct held *held, struct slice value, uint32_t flags, int64_t deadline_s)
{
    uint64_t cas = model.fixture.outcome.cas;

    HOT_ASSERT(cas > held->last_cas);
    held->is_there = true;
    memmove(held->bytes, value.data, value.size);
    held->size = value.size;
    held->flags = flags;
    held->deadline_s = deadline_s;
    held->cas = cas;
    held->last_cas = cas;
}

/* Bytes that the key takes of a new entry. */
static size_t key_room(const struct held *held)
{
    const struct prefix *prefix = prefixes_find(&model.fixture.store->prefixes, key_of(held));

    return strlen(held->name) + (prefix == NULL ? 0 : 1 - (size_t)prefix->size);
}

/* Whether a value takes no more than the live one does: such a change never fails for memory.
 * is_large: it is a block. */
static bool takes_no_more(const struct held *held, size_t size, uint32_t flags, bool is_large)
{
    const struct entry *entry = inside_entry(model.fixture.store, key_of(held));
    const struct store *store = model.fixture.store;
    const struct value_block *block;
    size_t needs;

    if (!held->is_there) {
        return false;
    }
    block = entry_block(entry);
    needs = offsetof(struct entry, packed) + (flags == 0 ? 0 : 4) +
            (held->shard->next_cas >= 1ULL << 40 ? 8 : 0) + key_room(held) +
            (is_large ? sizeof block : size);
    return heap_round(needs) <= heap_round(entry_size(entry)) &&
           (!is_large || (block != NULL && block_cost(store->arena, size) <=
                                               block_cost(store->arena, block->allocated)));
}

/* What an operation must come to. */
struct expected {
    enum sess_status status; /* if memory and the hook do not say no */
    bool asks;               /* the hook */
    bool may_lack_memory;
};

static void settle_tickets(const struct held *held, bool was_asked, bool is_accepted)
{
    size_t shard = shard_number(held);

    HOT_ASSERT(model.fixture.recorder.n_calls == model.n_calls + was_asked);
    model.n_calls = model.fixture.recorder.n_calls;
    if (was_asked && is_accepted) {
        model.tickets[shard] = model.fixture.recorder.ticket;
    }
    HOT_ASSERT(model.fixture.outcome.ticket == model.tickets[shard]);
}

/* What an operation came to, against what it had to. Returns whether it went through. */
static bool settle(const struct held *held, enum sess_status status, struct expected expected)
{
    enum mutation_answer answer = model.fixture.recorder.answer;
    enum sess_status wanted = expected.status;

    if (status == SESS_NO_MEMORY) {
        HOT_ASSERT(expected.may_lack_memory && wanted == SESS_OK);
        wanted = status;
        expected.asks = false;
    } else if (expected.asks && answer != MUTATION_ACCEPTED) {
        wanted = answer == MUTATION_BUSY ? SESS_BUSY : SESS_REFUSED;
    }
    HOT_ASSERT(status == wanted);
    model.n_answers[status]++;
    settle_tickets(held, expected.asks, answer == MUTATION_ACCEPTED);
    return status == SESS_OK;
}

static enum sess_status check_mode(const struct held *held, const struct store_write *write)
{
    switch (write->mode) {
    case STORE_ADD:
        return held->is_there ? SESS_NOT_STORED : SESS_OK;
    case STORE_CAS:
        if (!held->is_there) {
            return SESS_NOT_FOUND;
        }
        return write->cas == held->cas ? SESS_OK : SESS_EXISTS;
    case STORE_SET:
        return SESS_OK;
    case STORE_APPEND:
    case STORE_PREPEND:
        if (!held->is_there) {
            return SESS_NOT_STORED;
        }
        return write->cas == 0 || write->cas == held->cas ? SESS_OK : SESS_EXISTS;
    default:
        return held->is_there ? SESS_OK : SESS_NOT_STORED;
    }
}

/* The value in pieces, as an upload. */
static enum sess_status upload(const struct store_write *write, int64_t told_s)
{
    struct store_fixture *fixture = &model.fixture;
    struct store_upload *upload = NULL;
    enum sess_status status = store_upload_begin(fixture->store, write->value.size, 0, &upload);
    size_t at = 0;
    size_t room = 0;
    uint8_t *place;

    if (status != SESS_OK) {
        return status;
    }
    do {
        HOT_ASSERT(store_upload_place(upload, 1 + below(LARGEST), &place, &room) == SESS_OK);
        memcpy(place, write->value.data + at, room);
        store_upload_received(upload, room);
        at += room;
    } while (room > 0);
    status = store_upload_commit(fixture->store, &upload, write, told_s, &fixture->outcome);
    store_upload_abort(&upload);
    return status;
}

static enum sess_status send_write(const struct store_write *write, int64_t told_s)
{
    return model.by_upload
               ? upload(write, told_s)
               : store_write(model.fixture.store, write, told_s, &model.fixture.outcome);
}

/* append and prepend: the joined value, and what was there stays but for the CAS id. */
static void join(struct held *held, const struct store_write *write, int64_t told_s)
{
    static uint8_t joined[2 * LARGEST + 64];
    struct expected expected = {.status = check_mode(held, write), .may_lack_memory = true};
    bool is_append = write->mode == STORE_APPEND;
    size_t size = held->size + write->value.size;

    if (expected.status == SESS_OK && size > LARGEST) {
        expected.status = SESS_TOO_LARGE;
    }
    if (expected.status == SESS_OK) {
        expected.asks = true;
        memcpy(joined + (is_append ? 0 : write->value.size), held->bytes, held->size);
        memcpy(joined + (is_append ? held->size : 0), write->value.data, write->value.size);
    }
    if (settle(held, send_write(write, told_s), expected)) {
        hold(held, slice_of(joined, size), held->flags, held->deadline_s);
    }
}

/* set, add, replace and cas. */
static void put(struct held *held, const struct store_write *write, int64_t told_s, int64_t now_s)
{
    int64_t deadline_s = deadline_of(write->expiry, now_s);
    bool is_dead = deadline_s <= now_s;
    bool is_large = model.by_upload || write->value.size > model.fixture.store->inline_max;
    struct expected expected = {
        .status = check_mode(held, write),
        .may_lack_memory =
            !is_dead && !takes_no_more(held, write->value.size, write->flags, is_large),
    };

    expected.asks = expected.status == SESS_OK && (!is_dead || held->is_there);
    if (!settle(held, send_write(write, told_s), expected)) {
        return;
    }
    if (is_dead) {
        HOT_ASSERT(model.fixture.outcome.cas == 0);
        held->is_there = false;
    } else {
        hold(held, write->value, write->flags, deadline_s);
    }
}

static enum store_mode random_mode(void)
{
    return below(2) == 0 ? STORE_SET : (enum store_mode)below(STORE_CAS + 1);
}

static void do_write(struct held *held)
{
    int64_t told_s = told_time();
    int64_t now_s = set_time(held, told_s);
    struct store_write write = {
        .mode = random_mode(),
        .key = key_of(held),
        .value = random_value(),
        .flags = (uint32_t)(below(2) == 0 ? 0 : test_random_next(&model.random)),
        .expiry = random_expiry(now_s),
        .cas = held->cas + (below(5) == 0),
    };

    model.by_upload = below(10) == 0;
    if (write.value.size > LARGEST) {
        HOT_ASSERT(send_write(&write, told_s) == SESS_TOO_LARGE);
    } else if (write.mode == STORE_APPEND || write.mode == STORE_PREPEND) {
        join(held, &write, told_s);
    } else {
        put(held, &write, told_s, now_s);
    }
}

/* The number that a value is, by the rule's words: 1 to 20 digits within 64 bits, and blanks. */
static bool is_number(const struct held *held, uint64_t *number)
{
    size_t n_digits = held->size;
    uint64_t sum = 0;

    while (n_digits > 0 && held->bytes[n_digits - 1] == ' ') {
        n_digits--;
    }
    for (size_t i = 0; i < n_digits && n_digits <= 20; i++) {
        uint64_t digit = (uint64_t)held->bytes[i] - '0';

        if (digit > 9 || sum > (UINT64_MAX - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *number = sum;
    return n_digits > 0 && n_digits <= 20;
}

static void do_count(struct held *held)
{
    int64_t told_s = told_time();
    struct store_count count = {.key = key_of(held),
                                .delta = test_random_next(&model.random) >> below(64),
                                .is_decrement = below(2) == 0};
    struct expected expected = {.status = SESS_NOT_FOUND};
    uint64_t number = 0;
    uint64_t result = 0;
    uint8_t digits[NUMBER_DIGITS];
    size_t size = 0;

    (void)set_time(held, told_s);
    if (held->is_there) {
        expected.asks = is_number(held, &number);
        expected.status = expected.asks ? SESS_OK : SESS_INVALID;
        number = !count.is_decrement    ? number + count.delta
                 : number < count.delta ? 0
                                        : number - count.delta;
        size = number_format_u64(number, digits);
        expected.may_lack_memory = expected.asks && !takes_no_more(held, size, held->flags, false);
    }
    if (settle(held,
               store_count(model.fixture.store, &count, told_s, &result, &model.fixture.outcome),
               expected)) {
        HOT_ASSERT(result == number);
        hold(held, slice_of(digits, size), held->flags, held->deadline_s);
    }
}

static void do_delete(struct held *held)
{
    int64_t told_s = told_time();
    struct expected expected = {.status = SESS_NOT_FOUND};

    (void)set_time(held, told_s);
    expected.asks = held->is_there;
    expected.status = held->is_there ? SESS_OK : SESS_NOT_FOUND;
    if (settle(held,
               store_delete(model.fixture.store, key_of(held), 0, told_s, &model.fixture.outcome),
               expected)) {
        held->is_there = false;
    }
}

static void compare(const struct held *held, struct store_reading *reading)
{
    HOT_ASSERT(slice_equal(reading->value, slice_of(held->bytes, held->size)));
    HOT_ASSERT(reading->flags == held->flags);
    HOT_ASSERT(reading->cas == held->cas);
    HOT_ASSERT((reading->block != NULL) ==
               (entry_block(inside_entry(model.fixture.store, key_of(held))) != NULL));
    store_read_end(reading);
}

static void do_read(struct held *held)
{
    int64_t told_s = told_time();
    struct store_reading reading;
    enum sess_status status;

    (void)set_time(held, told_s);
    status = store_read_begin(model.fixture.store, key_of(held), 0, told_s, &reading);
    model.fixture.outcome = reading.outcome;
    if (settle(held, status,
               (struct expected){.status = held->is_there ? SESS_OK : SESS_NOT_FOUND})) {
        compare(held, &reading);
    }
}

static struct expected expect_touch(const struct held *held, int64_t deadline_s)
{
    return (struct expected){
        .status = held->is_there ? SESS_OK : SESS_NOT_FOUND,
        .asks = held->is_there && deadline_s != held->deadline_s,
    };
}

static void obey_touch(struct held *held, int64_t deadline_s, int64_t now_s)
{
    held->deadline_s = deadline_s;
    held->is_there = deadline_s > now_s;
}

static void do_touch(struct held *held)
{
    int64_t told_s = told_time();
    int64_t now_s = set_time(held, told_s);
    struct store_expiry expiry = random_expiry(now_s);
    int64_t deadline_s = deadline_of(expiry, now_s);

    if (settle(held,
               store_touch(model.fixture.store, key_of(held), 0, expiry, told_s,
                           &model.fixture.outcome),
               expect_touch(held, deadline_s))) {
        obey_touch(held, deadline_s, now_s);
    }
}

static void do_read_touch(struct held *held)
{
    int64_t told_s = told_time();
    int64_t now_s = set_time(held, told_s);
    struct store_expiry expiry = random_expiry(now_s);
    int64_t deadline_s = deadline_of(expiry, now_s);
    struct store_reading reading;
    enum sess_status status =
        store_read_touch_begin(model.fixture.store, key_of(held), 0, expiry, told_s, &reading);

    model.fixture.outcome = reading.outcome;
    if (settle(held, status, expect_touch(held, deadline_s))) {
        HOT_ASSERT(slice_equal(reading.value, slice_of(held->bytes, held->size)));
        HOT_ASSERT(reading.flags == held->flags && reading.cas == held->cas);
        store_read_end(&reading);
        obey_touch(held, deadline_s, now_s);
    }
}

/* A flush at once, or one to come, which replaces the one that was to come. */
static void do_flush(void)
{
    struct store_fixture *fixture = &model.fixture;
    int64_t at_s = fixture->now_s + (int64_t)below(20) - 10;
    enum sess_status status;

    /* The one that is due is not forgotten for one that is to come. */
    if (at_s > fixture->now_s) {
        reach(fixture->now_s);
    }
    status = fixture_flush(fixture, at_s);
    HOT_ASSERT(fixture->recorder.n_calls == model.n_calls + 1);
    model.n_calls++;
    HOT_ASSERT((status == SESS_OK) == (fixture->recorder.answer == MUTATION_ACCEPTED));
    if (status == SESS_OK) {
        note_flush(at_s, at_s <= fixture->now_s, fixture->recorder.ticket);
    }
}

static void random_answer(void)
{
    uint64_t number = below(60);

    model.fixture.recorder.answer = number == 0   ? MUTATION_BUSY
                                    : number == 1 ? MUTATION_REFUSED
                                                  : MUTATION_ACCEPTED;
}

static void random_operation(void)
{
    static void (*const of_one_key[])(struct held * held) = {
        do_write, do_write, do_write, do_write, do_write, do_write, do_write,      do_write,
        do_read,  do_read,  do_read,  do_count, do_touch, do_touch, do_read_touch, do_delete};
    uint64_t what = below(5000);

    random_answer();
    if (what == 0) {
        do_flush();
    } else if (what < 200) {
        reach(model.fixture.now_s);
        (void)store_tick(model.fixture.store, &model.ticker, model.fixture.now_s,
                         (unsigned)below(1000));
    } else if (what < 500) {
        model.fixture.now_s += (int64_t)(below(64) >> below(8));
    } else {
        of_one_key[below(sizeof of_one_key / sizeof of_one_key[0])](&model.held[below(N_KEYS)]);
    }
}

/* All keys at once: what is to be there is, and nothing else; every byte is accounted for. */
static void check_all(void)
{
    size_t n_live = 0;

    for (size_t i = 0; i < N_KEYS; i++) {
        do_read(&model.held[i]);
        n_live += model.held[i].is_there;
    }
    inside_check_budget(&model.fixture);
    inside_check_pages(model.fixture.store);
    ck_assert_uint_ge(fixture_figure(&model.fixture, "curr_items"), n_live);
}

/* What has died is gone when all shards have been ticked. */
static void check_ticked(void)
{
    size_t n_live = 0;

    reach(model.fixture.now_s);
    (void)fixture_tick_all(&model.fixture);
    for (size_t i = 0; i < N_KEYS; i++) {
        (void)set_time(&model.held[i], model.fixture.now_s);
        n_live += model.held[i].is_there;
    }
    ck_assert_uint_eq(fixture_figure(&model.fixture, "curr_items"), n_live);
    check_all();
}

/* What a store is made for, and how it is limited then. */
struct limits {
    uint64_t seed;
    size_t memory; /* bytes of the data budget when the store is made */
    size_t room;   /* bytes that may be held beyond what the empty store takes; 0: all */
    uint64_t first_cas;
    uint64_t n_refused; /* changes that memory refuses, at least */
};

/* Let the store be full sooner than it believed when it was made. */
static void limit_room(struct store_fixture *fixture, size_t room)
{
    struct store *store = fixture->store;

    fixture->data.limit = budget_used(&fixture->data) + room + N_SHARDS * store->page_size;
    store->held.limit = budget_used(&store->held) + room;
    store->new_key_limit = store->held.limit - room / 32;
}

static void open_model(const struct limits *limits)
{
    model.random.state = limits->seed;
    model.ticker = (struct store_ticker){.stride = 1};
    fixture_prepare(&model.fixture);
    budget_init(&model.fixture.data, limits->memory);
    model.fixture.config.max_value_bytes = LARGEST;
    model.fixture.config.first_cas = limits->first_cas;
    fixture_start(&model.fixture);
    if (limits->room > 0) {
        limit_room(&model.fixture, limits->room);
    }
    name_keys();
    model.flush_at_s = STORE_NO_DEADLINE;
}

static void run(struct limits limits)
{
    open_model(&limits);
    for (unsigned i = 0; i < N_OPERATIONS; i++) {
        random_operation();
        if (i % CHECK_EVERY == 0) {
            check_all();
        }
    }
    check_ticked();
    ck_assert_uint_eq(model.fixture.store->prefixes.n_prefixes, 1);
    ck_assert_uint_ge(model.n_answers[SESS_NO_MEMORY], limits.n_refused);
    ck_assert_uint_gt(model.n_answers[SESS_OK], N_OPERATIONS / 3);
    fixture_close(&model.fixture);
    for (size_t i = 0; i < N_KEYS; i++) {
        free(model.held[i].bytes);
    }
}

/* A store made for little: small pages, and values over 2 KiB are blocks. Hundreds of changes are
 * refused for memory. */
START_TEST(test_small_store)
{
    run((struct limits){.seed = 1, .memory = 600 << 10, .first_cas = 1, .n_refused = 1000});
}
END_TEST

/* The same with a little more room: mostly pages are squeezed and given back. */
START_TEST(test_more_room)
{
    run((struct limits){.seed = 2, .memory = 700 << 10, .first_cas = 1, .n_refused = 100});
}
END_TEST

/* Nothing is ever refused: work is done in the background only. */
START_TEST(test_large_store)
{
    run((struct limits){.seed = 3, .memory = (size_t)64 << 20, .first_cas = 1});
}
END_TEST

/* A store made for much, of which little may be used: large pages, values up to 16 KiB in them. */
START_TEST(test_large_pages)
{
    run((struct limits){
        .seed = 4, .memory = (size_t)1 << 30, .room = 400 << 10, .first_cas = 1, .n_refused = 200});
}
END_TEST

/* CAS ids grow beyond their narrow field on the way. */
START_TEST(test_wide_cas)
{
    run((struct limits){
        .seed = 5, .memory = 650 << 10, .first_cas = (1ULL << 40) - 4000, .n_refused = 200});
}
END_TEST

SUITE_MAIN("store/random", test_small_store, test_more_room, test_large_store, test_large_pages,
           test_wide_cas)
