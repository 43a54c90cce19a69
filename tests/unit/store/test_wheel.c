/* Unit tests of the timing wheel, against a plain list of records as the model. */
#include "wheel.h"

#include "suite_main.h"
#include "test_random.h"

#include <stdbool.h>
#include <string.h>

enum { N_RECORDS = 600, YEAR_S = 365 * 86400, START_S = 1700000000, MEMORY = 64 << 20 };

/* Beyond this a record is handed back early. */
static const int64_t reach_s = (int64_t)1 << 32;

/* Steps without a record that a step in time may take: each record goes down three levels at most, and what it leaves
 * behind is walked once round. */
static const uint64_t steps_per_record = 4 * 256 + 4;

struct model_record {
    int64_t when_s;
    int64_t put_s; /* when it was put in first */
    bool is_in;
};

struct model {
    struct wheel wheel;
    struct model_record records[N_RECORDS];
    struct arena *arena;
    struct budget data, held;
    uint64_t n_in;
    uint64_t n_due;   /* that were over */
    uint64_t n_early; /* that were put in again */
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void model_begin(struct model *model, int64_t now_s, size_t limit)
{
    struct pages pages = {.budget = &model->data, .held = &model->held};

    *model = (struct model){.n_in = 0};
    ck_assert_int_eq(arena_create(MEMORY, 1 << 20, &model->arena), SESS_OK);
    budget_init(&model->data, limit);
    budget_init(&model->held, limit);
    pages.arena = model->arena;
    wheel_init(&model->wheel, now_s, &pages);
}

static void model_end(struct model *model)
{
    wheel_fini(&model->wheel);
    ck_assert_uint_eq(budget_used(&model->data), 0);
    ck_assert_uint_eq(budget_used(&model->held), 0);
    arena_destroy(&model->arena);
}

static void put(struct model *model, uint32_t record, int64_t when_s)
{
    HOT_ASSERT(wheel_put(&model->wheel, record, when_s) == SESS_OK);
    model->records[record] =
        (struct model_record){.when_s = when_s, .put_s = model->wheel.now_s, .is_in = true};
    model->n_in++;
}

/* Never late; one that comes early is put in again. */
static void take_due(struct model *model, uint32_t due)
{
    struct model_record *record = &model->records[due];

    HOT_ASSERT(due < N_RECORDS && record->is_in);
    HOT_ASSERT(model->wheel.now_s <= later(record->when_s, record->put_s));
    if (model->wheel.now_s < record->when_s) {
        HOT_ASSERT(wheel_put(&model->wheel, due, record->when_s) == SESS_OK);
        model->n_early++;
        return;
    }
    record->is_in = false;
    model->n_in--;
    model->n_due++;
}

/* Go to now_s; returns the steps that brought no record. */
static uint64_t advance(struct model *model, int64_t now_s)
{
    uint64_t n_moved = 0;
    uint64_t bound = (model->n_in + 1) * steps_per_record;
    int64_t start_s = model->wheel.now_s;
    enum wheel_step step = WHEEL_MOVED;

    while (step != WHEEL_IDLE) {
        uint32_t due = UINT32_MAX;

        step = wheel_step(&model->wheel, now_s, &due);
        HOT_ASSERT(model->wheel.now_s <= later(now_s, start_s));
        if (step == WHEEL_DUE) {
            take_due(model, due);
        } else {
            n_moved++;
        }
        HOT_ASSERT(n_moved <= bound);
    }
    HOT_ASSERT(model->wheel.now_s == later(now_s, start_s));
    return n_moved;
}

/* Whoever is in has a time to come, and the wheel counts exactly them. */
static void check_model(const struct model *model)
{
    uint64_t n_in = 0;

    for (size_t i = 0; i < N_RECORDS; i++) {
        n_in += model->records[i].is_in;
        HOT_ASSERT(!model->records[i].is_in || model->records[i].when_s > model->wheel.now_s);
    }
    HOT_ASSERT(n_in == model->n_in && n_in == model->wheel.n_records);
}

/* A span of seconds of any magnitude up to three years, and sometimes before now. */
static int64_t random_span(struct test_random *random)
{
    return (int64_t)(test_random_below(random, (uint64_t)3 * YEAR_S) >>
                     test_random_below(random, 28)) -
           (int64_t)test_random_below(random, 3);
}

static void random_put(struct model *model, struct test_random *random)
{
    uint32_t record = (uint32_t)test_random_below(random, N_RECORDS);

    if (!model->records[record].is_in) {
        put(model, record, model->wheel.now_s + random_span(random));
    }
}

/* Records of all spans are put in at random, while the time goes on by anything between nothing and two years. */
START_TEST(test_random_against_model)
{
    static struct model model;
    struct test_random random = {.state = 1};

    model_begin(&model, START_S, MEMORY);
    for (unsigned round = 0; round < 3000; round++) {
        for (uint64_t i = test_random_below(&random, 20); i > 0; i--) {
            random_put(&model, &random);
        }
        (void)advance(&model,
                      model.wheel.now_s + (int64_t)(test_random_below(&random, 2 * YEAR_S) >>
                                                    test_random_below(&random, 27)));
        check_model(&model);
    }
    ck_assert_uint_gt(model.n_due, 5000);
    ck_assert_uint_lt(model.n_early, 3 * model.n_due);
    model_end(&model);
}
END_TEST

/* While the time stands between two steps: records are put in at any moment. */
START_TEST(test_random_between_steps)
{
    static struct model model;
    struct test_random random = {.state = 2};

    model_begin(&model, START_S, MEMORY);
    for (unsigned round = 0; round < 300; round++) {
        int64_t target_s = model.wheel.now_s + (int64_t)test_random_below(&random, 100000);

        for (unsigned i = 0; i < 50; i++) {
            random_put(&model, &random);
        }
        for (unsigned i = 0; i < 400; i++) {
            uint32_t due;

            if (wheel_step(&model.wheel, target_s, &due) == WHEEL_DUE) {
                take_due(&model, due);
            }
            if (i % 4 == 0) {
                random_put(&model, &random);
            }
        }
        (void)advance(&model, target_s);
        check_model(&model);
    }
    ck_assert_uint_gt(model.n_due, 1000);
    model_end(&model);
}
END_TEST

/* The time goes on by one second at a time, through every slot border of the first two levels. */
START_TEST(test_every_second_has_its_record)
{
    static struct model model;
    int64_t span_s = (int64_t)N_RECORDS * 117;

    model_begin(&model, 12345, MEMORY);
    for (uint32_t i = 0; i < N_RECORDS; i++) {
        put(&model, i, 12345 + (int64_t)i * 117);
    }
    for (int64_t second = 12345; second < 12345 + span_s; second++) {
        (void)advance(&model, second);
        HOT_ASSERT(model.n_due == (uint64_t)(second - 12345) / 117 + 1);
    }
    model_end(&model);
}
END_TEST

/* Times a whole round of a level ahead, less one and more: the slot has the number of the one in which the time
 * stands. */
START_TEST(test_a_round_ahead_is_not_now)
{
    static const int64_t rounds[] = {256, 65536, 1 << 24};

    for (size_t i = 0; i < 3; i++) {
        for (int64_t off = -2; off <= 2; off++) {
            static struct model model;

            model_begin(&model, START_S / rounds[i] * rounds[i] + rounds[i] - 1, MEMORY);
            put(&model, 0, model.wheel.now_s + rounds[i] + off);
            (void)advance(&model, model.records[0].when_s - 1);
            ck_assert_uint_eq(model.n_due, 0);
            ck_assert_uint_le(model.n_early, 3);
            (void)advance(&model, model.records[0].when_s);
            ck_assert_uint_eq(model.n_due, 1);
            model_end(&model);
        }
    }
}
END_TEST

/* Nothing is in, and the time jumps by a hundred years. */
START_TEST(test_empty_wheel_jumps)
{
    static struct model model;

    model_begin(&model, START_S, MEMORY);
    ck_assert_uint_le(advance(&model, START_S + (int64_t)100 * YEAR_S), 2);
    put(&model, 0, model.wheel.now_s + 5);
    (void)advance(&model, model.wheel.now_s + 5);
    ck_assert_uint_eq(model.n_due, 1);
    model_end(&model);
}
END_TEST

/* One record far ahead: the way to it is not walked second by second. */
START_TEST(test_lone_record_is_reached_in_few_steps)
{
    static const int64_t spans[] = {1, 255, 256, 65535, 65536, 1 << 24, YEAR_S, 2 * YEAR_S};

    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        static struct model model;

        model_begin(&model, START_S + (int64_t)i, MEMORY);
        put(&model, 0, model.wheel.now_s + spans[i]);
        ck_assert_uint_le(advance(&model, model.wheel.now_s + spans[i] - 1), steps_per_record);
        ck_assert_uint_eq(model.n_due, 0);
        ck_assert_uint_le(advance(&model, model.wheel.now_s + 1), 8);
        ck_assert_uint_eq(model.n_due, 1);
        model_end(&model);
    }
}
END_TEST

/* A time beyond the wheel's reach is handed back early, and reached in the end. */
START_TEST(test_beyond_reach_is_early)
{
    static struct model model;
    int64_t when_s = START_S + 5 * reach_s;

    model_begin(&model, START_S, MEMORY);
    put(&model, 0, when_s);
    (void)advance(&model, when_s - 1);
    ck_assert_uint_eq(model.n_due, 0);
    ck_assert_uint_ge(model.n_early, 5);
    ck_assert_uint_lt(model.n_early, 12);
    (void)advance(&model, when_s);
    ck_assert_uint_eq(model.n_due, 1);
    model_end(&model);
}
END_TEST

/* A time that has passed is due at the next step, without the clock moving. */
START_TEST(test_past_is_due_at_once)
{
    static struct model model;

    model_begin(&model, START_S, MEMORY);
    put(&model, 0, START_S - 1000);
    put(&model, 1, START_S);
    put(&model, 2, INT64_MIN);
    (void)advance(&model, START_S);
    ck_assert_uint_eq(model.n_due, 3);
    model_end(&model);
}
END_TEST

/* The time is told to be earlier than it was: nothing moves. */
START_TEST(test_time_back_moves_nothing)
{
    static struct model model;
    uint32_t due;

    model_begin(&model, START_S, MEMORY);
    put(&model, 0, START_S + 1);
    ck_assert_int_eq(wheel_step(&model.wheel, START_S - 500, &due), WHEEL_IDLE);
    ck_assert_int_eq(model.wheel.now_s, START_S);
    model_end(&model);
}
END_TEST

/* Hundreds of records stand in one slot: a step hands back one of them. */
START_TEST(test_one_record_a_step)
{
    static struct model model;
    uint32_t due;

    model_begin(&model, 0, MEMORY);
    for (uint32_t i = 0; i < N_RECORDS; i++) {
        put(&model, i, 1024);
    }
    while (model.wheel.now_s < 1024) {
        ck_assert_int_eq(wheel_step(&model.wheel, 1024, &due), WHEEL_MOVED);
    }
    for (uint64_t left = N_RECORDS; left > 0; left--) {
        ck_assert_uint_eq(model.wheel.n_records, left);
        ck_assert_int_eq(wheel_step(&model.wheel, 1024, &due), WHEEL_DUE);
        take_due(&model, due);
    }
    ck_assert_int_eq(wheel_step(&model.wheel, 1024, &due), WHEEL_IDLE);
    model_end(&model);
}
END_TEST

/* Chunks that are emptied are used again: as many records at another time take no further page. */
START_TEST(test_pages_are_used_again)
{
    static struct model model;
    size_t n_pages = 0;

    model_begin(&model, START_S, MEMORY);
    for (unsigned round = 0; round < 50; round++) {
        for (uint32_t i = 0; i < N_RECORDS; i++) {
            put(&model, i, model.wheel.now_s + 1 + (int64_t)i % 3);
        }
        (void)advance(&model, model.wheel.now_s + 10);
        n_pages = round == 0 ? model.wheel.pages.n_pages : n_pages;
        ck_assert_uint_eq(model.wheel.pages.n_pages, n_pages);
    }
    model_end(&model);
}
END_TEST

/* Within the budget a chunk is refused; what must be put in takes a page over it, and is counted. */
START_TEST(test_budget_is_for_reserve)
{
    static struct model model;

    model_begin(&model, START_S, 4096);
    ck_assert_int_eq(wheel_reserve(&model.wheel), SESS_OK);
    ck_assert_int_eq(wheel_reserve(&model.wheel), SESS_OK);
    ck_assert_uint_eq(budget_used(&model.data), 4096);
    while (model.wheel.spare != 0) {
        put(&model, (uint32_t)model.n_in, START_S + (int64_t)model.n_in);
    }
    ck_assert_int_eq(wheel_reserve(&model.wheel), SESS_NO_MEMORY);
    put(&model, (uint32_t)model.n_in, START_S + (int64_t)model.n_in);
    ck_assert_uint_eq(budget_used(&model.data), 8192);
    ck_assert_uint_eq(budget_used(&model.held), 8192);
    (void)advance(&model, START_S + N_RECORDS);
    ck_assert_uint_eq(model.n_in, 0);
    model_end(&model);
}
END_TEST

/* Two of three are put in again. Those of slots that come later are seen twice. */
static void sift_all(struct model *model)
{
    static unsigned n_seen[N_RECORDS];
    uint32_t record;

    memset(n_seen, 0, sizeof n_seen);
    ck_assert(!wheel_is_sifted(&model->wheel));
    wheel_sift(&model->wheel);
    while (wheel_sift_next(&model->wheel, &record)) {
        ck_assert(wheel_is_sifted(&model->wheel));
        HOT_ASSERT(record < N_RECORDS && ++n_seen[record] <= 2 && model->records[record].is_in);
        if (record % 3 != 0) {
            HOT_ASSERT(wheel_put(&model->wheel, record, model->records[record].when_s) == SESS_OK);
        } else {
            model->records[record].is_in = false;
            model->n_in--;
        }
    }
    ck_assert(!wheel_is_sifted(&model->wheel));
}

START_TEST(test_sift_hands_back_everything)
{
    static struct model model;
    struct test_random random = {.state = 3};

    model_begin(&model, START_S, MEMORY);
    sift_all(&model);
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < 400; i++) {
            random_put(&model, &random);
        }
        (void)advance(&model, model.wheel.now_s);
        sift_all(&model);
        check_model(&model);
        (void)advance(&model, model.wheel.now_s + (int64_t)test_random_below(&random, 30000));
        check_model(&model);
    }
    ck_assert_uint_gt(model.n_due, 100);
    model_end(&model);
}
END_TEST

static void check_peek(const struct model *model, uint32_t *ahead, unsigned most, unsigned wanted)
{
    ck_assert_uint_eq(wheel_peek(&model->wheel, ahead, most), wanted);
}

/* What is about to be handed back is told before, in its order and over several chunks, when the time has come and when
 * it is sifted. */
START_TEST(test_peek)
{
    enum { N = 40, AHEAD = 16 };
    static struct model model;
    uint32_t ahead[AHEAD];
    uint32_t record = 0;

    model_begin(&model, START_S, MEMORY);
    check_peek(&model, ahead, AHEAD, 0);
    for (uint32_t i = 0; i < N; i++) {
        put(&model, i, START_S + 5);
    }
    check_peek(&model, ahead, AHEAD, 0);
    while (wheel_step(&model.wheel, START_S + 5, &record) == WHEEL_MOVED) {
    }
    for (unsigned i = 1, n = 0; i < N; i += n) {
        n = N - i < AHEAD ? N - i : AHEAD;
        check_peek(&model, ahead, AHEAD, n);
        for (unsigned k = 0; k < n; k++) {
            ck_assert_int_eq(wheel_step(&model.wheel, START_S + 5, &record), WHEEL_DUE);
            ck_assert_uint_eq(record, ahead[k]);
        }
    }
    check_peek(&model, ahead, AHEAD, 0);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(wheel_put(&model.wheel, i, START_S + 500), SESS_OK);
    }
    wheel_sift(&model.wheel);
    check_peek(&model, ahead, 2, 2);
    ck_assert(wheel_sift_next(&model.wheel, &record) && record == ahead[0]);
    ck_assert(wheel_sift_next(&model.wheel, &record) && record == ahead[1]);
    wheel_fini(&model.wheel);
    arena_destroy(&model.arena);
}
END_TEST

/* Records that are put in while others are sifted are not lost, in the sifted slot either. */
START_TEST(test_put_while_sifting)
{
    static struct model model;
    uint32_t record;

    model_begin(&model, START_S, MEMORY);
    for (uint32_t i = 0; i < 100; i++) {
        put(&model, i, START_S + 1 + i % 2 * 300);
    }
    wheel_sift(&model.wheel);
    for (uint32_t i = 100; wheel_sift_next(&model.wheel, &record); i++) {
        ck_assert_int_eq(wheel_put(&model.wheel, record, model.records[record].when_s), SESS_OK);
        if (i < 200) {
            put(&model, i, START_S + 1 + i % 2 * 300);
        }
    }
    check_model(&model);
    (void)advance(&model, START_S + 301);
    ck_assert_uint_eq(model.n_due, 200);
    model_end(&model);
}
END_TEST

/* A restart in the middle of sifting, at an earlier time: nothing is there, and nothing is lost of the pages. */
START_TEST(test_restart_begins_anew)
{
    static struct model model;
    uint32_t record;
    size_t n_pages;

    model_begin(&model, START_S, MEMORY);
    for (uint32_t i = 0; i < N_RECORDS; i++) {
        put(&model, i, START_S + 1 + (int64_t)i * i);
    }
    n_pages = model.wheel.pages.n_pages;
    wheel_sift(&model.wheel);
    ck_assert(wheel_sift_next(&model.wheel, &record));
    wheel_restart(&model.wheel, START_S - 5);
    ck_assert_uint_eq(model.wheel.n_records, 0);
    model.n_in = 0;
    for (uint32_t i = 0; i < N_RECORDS; i++) {
        put(&model, i, START_S + (int64_t)i * i);
    }
    ck_assert_uint_eq(model.wheel.pages.n_pages, n_pages);
    (void)advance(&model, START_S + (int64_t)N_RECORDS * N_RECORDS);
    ck_assert_uint_eq(model.n_due, N_RECORDS);
    model_end(&model);
}
END_TEST

SUITE_MAIN("store/wheel", test_random_against_model, test_random_between_steps,
           test_every_second_has_its_record, test_a_round_ahead_is_not_now, test_empty_wheel_jumps,
           test_lone_record_is_reached_in_few_steps, test_beyond_reach_is_early,
           test_past_is_due_at_once, test_time_back_moves_nothing, test_one_record_a_step,
           test_pages_are_used_again, test_budget_is_for_reserve, test_peek,
           test_sift_hands_back_everything, test_put_while_sifting, test_restart_begins_anew)
