/* Unit tests of the timing wheel, against a plain list of timers as the model. */
#include "wheel.h"

#include "suite_main.h"
#include "test_random.h"

#include <stdbool.h>

enum { N_TIMERS = 600, YEAR_S = 365 * 86400, START_S = 1700000000 };

/* Beyond this a timer fires early, so that its user arms it again. */
static const int64_t reach_s = ((int64_t)1 << 26) - ((int64_t)1 << 20);
static const int64_t top_slot_s = (int64_t)1 << 20;

/* Steps without a due timer that a step in time may take: each timer falls three times at most, and
 * what it leaves behind is walked once round. */
static const uint64_t steps_per_timer = 256 + 3 * 64 + 3 + 1;

struct model_timer {
    struct wheel_timer timer; /* its first member: the wheel hands timers back */
    bool is_armed;
};

struct model {
    struct wheel wheel;
    struct model_timer timers[N_TIMERS];
    int64_t now_s;
    uint64_t n_due;
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void note_armed(struct model *model, struct model_timer *timer, int64_t when_s)
{
    timer->is_armed = true;
    if (when_s <= model->now_s + reach_s) {
        HOT_ASSERT(timer->timer.armed_s == later(when_s, model->now_s));
    } else {
        HOT_ASSERT(timer->timer.armed_s < when_s);
        HOT_ASSERT(timer->timer.armed_s > model->now_s + reach_s - top_slot_s);
    }
}

static void arm(struct model *model, struct model_timer *timer, int64_t when_s)
{
    wheel_arm(&model->wheel, &timer->timer, when_s);
    note_armed(model, timer, when_s);
}

static void arm_by(struct model *model, struct model_timer *timer, int64_t when_s)
{
    int64_t armed_s = timer->timer.armed_s;
    bool is_soon_enough = timer->is_armed && armed_s <= when_s;

    wheel_arm_by(&model->wheel, &timer->timer, when_s);
    if (is_soon_enough) {
        HOT_ASSERT(timer->timer.armed_s == armed_s);
    } else {
        note_armed(model, timer, when_s);
    }
}

static void take_due(struct model *model, struct wheel_timer *due)
{
    struct model_timer *timer = (struct model_timer *)(void *)due;

    HOT_ASSERT(timer->is_armed);
    HOT_ASSERT(NULL == due->next);
    /* At its second: not one before, and not one after. */
    HOT_ASSERT(model->wheel.now_s == due->armed_s);
    timer->is_armed = false;
    model->n_due++;
}

static uint64_t count_armed(const struct wheel *wheel)
{
    uint64_t n = 0;

    for (size_t i = 0; i < WHEEL_LEVELS; i++) {
        n += wheel->n_timers[i];
    }
    return n;
}

/* Go to now_s; returns the steps that brought no timer. */
static uint64_t advance(struct model *model, int64_t now_s)
{
    uint64_t n_moved = 0;
    uint64_t bound = (count_armed(&model->wheel) + 1) * steps_per_timer;
    enum wheel_step step = WHEEL_MOVED;

    while (step != WHEEL_IDLE) {
        struct wheel_timer *due = NULL;

        step = wheel_step(&model->wheel, now_s, &due);
        HOT_ASSERT(model->wheel.now_s <= later(now_s, model->now_s));
        if (step == WHEEL_DUE) {
            take_due(model, due);
        } else {
            n_moved++;
        }
        HOT_ASSERT(n_moved <= bound);
    }
    model->now_s = later(now_s, model->now_s);
    HOT_ASSERT(model->wheel.now_s == model->now_s);
    return n_moved;
}

/* Whoever is armed has a time to come, and the wheel counts exactly them. */
static void check_model(const struct model *model)
{
    uint64_t n_armed = 0;

    for (size_t i = 0; i < N_TIMERS; i++) {
        const struct model_timer *timer = &model->timers[i];

        HOT_ASSERT(timer->is_armed == (timer->timer.next != NULL));
        if (timer->is_armed) {
            n_armed++;
            HOT_ASSERT(timer->timer.armed_s > model->now_s);
        }
    }
    HOT_ASSERT(count_armed(&model->wheel) == n_armed);
}

static void model_init(struct model *model, int64_t now_s)
{
    *model = (struct model){.now_s = now_s};
    wheel_init(&model->wheel, now_s);
}

/* A span of seconds of any magnitude up to three years, and sometimes before now. */
static int64_t random_span(struct test_random *random)
{
    return (int64_t)(test_random_below(random, (uint64_t)3 * YEAR_S) >>
                     test_random_below(random, 28)) -
           (int64_t)test_random_below(random, 3);
}

static void random_change(struct model *model, struct test_random *random)
{
    struct model_timer *timer = &model->timers[test_random_below(random, N_TIMERS)];
    int64_t when_s = model->now_s + random_span(random);

    if (timer->is_armed && test_random_below(random, 4) == 0) {
        wheel_disarm(&model->wheel, &timer->timer);
        timer->is_armed = false;
    } else if (timer->is_armed || test_random_below(random, 2) == 0) {
        arm_by(model, timer, when_s);
    } else {
        arm(model, timer, when_s);
    }
}

/* Timers of all spans are armed, armed again and disarmed at random, while the time goes on by
 * anything between nothing and two years. */
START_TEST(test_random_against_model)
{
    static struct model model;
    struct test_random random = {.state = 1};

    model_init(&model, START_S);
    for (unsigned round = 0; round < 3000; round++) {
        for (uint64_t i = test_random_below(&random, 20); i > 0; i--) {
            random_change(&model, &random);
        }
        (void)advance(&model, model.now_s + (int64_t)(test_random_below(&random, 2 * YEAR_S) >>
                                                      test_random_below(&random, 27)));
        check_model(&model);
    }
    ck_assert_uint_gt(model.n_due, 5000);
}
END_TEST

/* While the time stands between two steps, timers that are on their way down are armed and disarmed
 * too: changes come at any moment. */
START_TEST(test_random_between_steps)
{
    static struct model model;
    struct test_random random = {.state = 2};

    model_init(&model, START_S);
    for (unsigned round = 0; round < 300; round++) {
        int64_t target_s = model.now_s + (int64_t)test_random_below(&random, 100000);

        for (unsigned i = 0; i < 50; i++) {
            random_change(&model, &random);
        }
        for (unsigned i = 0; i < 400; i++) {
            struct wheel_timer *due = NULL;

            if (wheel_step(&model.wheel, target_s, &due) == WHEEL_DUE) {
                take_due(&model, due);
            }
            model.now_s = model.wheel.now_s;
            if (i % 4 == 0) {
                random_change(&model, &random);
            }
        }
        (void)advance(&model, target_s);
        check_model(&model);
    }
    ck_assert_uint_gt(model.n_due, 1000);
}
END_TEST

/* The time goes on by one second at a time, through every slot border of the first two levels. */
START_TEST(test_every_second_has_its_timer)
{
    static struct model model;

    model_init(&model, 12345);
    for (size_t i = 0; i < N_TIMERS; i++) {
        arm(&model, &model.timers[i], 12345 + (int64_t)i * 40);
    }
    for (int64_t second = 12345; second < 12345 + (int64_t)N_TIMERS * 40; second++) {
        (void)advance(&model, second);
        ck_assert_uint_eq(model.n_due, (uint64_t)(second - 12345) / 40 + 1);
    }
}
END_TEST

/* Nothing is armed and the time jumps by a hundred years. */
START_TEST(test_empty_wheel_jumps)
{
    static struct model model;

    model_init(&model, START_S);
    ck_assert_uint_le(advance(&model, START_S + (int64_t)100 * YEAR_S), 2);
    arm(&model, &model.timers[0], model.now_s + 5);
    (void)advance(&model, model.now_s + 5);
    ck_assert_uint_eq(model.n_due, 1);
}
END_TEST

/* One timer far ahead: the way to it is not walked second by second. */
START_TEST(test_lone_timer_is_reached_in_few_steps)
{
    static const int64_t spans[] = {1, 255, 256, 16383, 16384, 1 << 20, YEAR_S, 2 * YEAR_S};

    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        static struct model model;

        model_init(&model, START_S + (int64_t)i);
        arm(&model, &model.timers[0], model.now_s + spans[i]);
        ck_assert_uint_le(advance(&model, model.now_s + spans[i] - 1), steps_per_timer);
        ck_assert_uint_eq(model.n_due, 0);
        ck_assert_uint_le(advance(&model, model.now_s + 1), 8);
        ck_assert_uint_eq(model.n_due, 1);
    }
}
END_TEST

/* A time beyond the wheel's reach fires early, says so, and is armed again until it is reached. */
START_TEST(test_beyond_reach_is_armed_again)
{
    static struct model model;
    int64_t when_s = START_S + (int64_t)50 * YEAR_S;
    unsigned n_fired = 0;

    model_init(&model, START_S);
    wheel_arm(&model.wheel, &model.timers[0].timer, when_s);
    while (model.wheel.now_s < when_s) {
        struct wheel_timer *due = NULL;

        if (wheel_step(&model.wheel, when_s, &due) == WHEEL_DUE) {
            ck_assert_int_eq(model.wheel.now_s, due->armed_s);
            n_fired++;
            wheel_arm(&model.wheel, due, when_s);
        }
    }
    ck_assert_uint_gt(n_fired, 20);
    ck_assert_uint_lt(n_fired, 30);
    model.timers[0].is_armed = true;
    model.now_s = when_s;
    (void)advance(&model, when_s);
    ck_assert_uint_eq(model.n_due, 1);
}
END_TEST

/* A time that has passed is due at the next step, without the clock moving. */
START_TEST(test_past_is_due_at_once)
{
    static struct model model;

    model_init(&model, START_S);
    arm(&model, &model.timers[0], START_S - 1000);
    arm(&model, &model.timers[1], START_S);
    arm(&model, &model.timers[2], INT64_MIN);
    (void)advance(&model, START_S);
    ck_assert_uint_eq(model.n_due, 3);
}
END_TEST

/* The time is told to be earlier than it was: nothing moves. */
START_TEST(test_time_back_moves_nothing)
{
    static struct model model;
    struct wheel_timer *due = NULL;

    model_init(&model, START_S);
    arm(&model, &model.timers[0], START_S + 1);
    ck_assert_int_eq(wheel_step(&model.wheel, START_S - 500, &due), WHEEL_IDLE);
    ck_assert_int_eq(model.wheel.now_s, START_S);
}
END_TEST

/* Hundreds of timers stand in one slot when the time enters it: each step moves one of them. */
START_TEST(test_one_timer_falls_a_step)
{
    static struct model model;
    struct wheel_timer *due = NULL;
    uint64_t before;

    model_init(&model, 0);
    for (size_t i = 0; i < N_TIMERS; i++) {
        arm(&model, &model.timers[i], 1024 + (int64_t)(i % 256));
    }
    ck_assert_uint_eq(model.wheel.n_timers[1], N_TIMERS);
    while (model.wheel.now_s < 1024) {
        ck_assert_int_eq(wheel_step(&model.wheel, 1023 + 1, &due), WHEEL_MOVED);
    }
    for (before = N_TIMERS; before > 0; before--) {
        ck_assert_uint_eq(model.wheel.n_timers[1], before);
        ck_assert_uint_eq(model.wheel.n_timers[0], N_TIMERS - before);
        ck_assert_int_eq(wheel_step(&model.wheel, 1024, &due), WHEEL_MOVED);
    }
    model.now_s = 1024;
    (void)advance(&model, 1279);
    ck_assert_uint_eq(model.n_due, N_TIMERS);
}
END_TEST

/* Timers on their way to a lower level are disarmed, the first, one between and the last. */
START_TEST(test_falling_timers_can_be_disarmed)
{
    static struct model model;
    static const size_t gone[] = {0, 2, 4};
    struct wheel_timer *due = NULL;

    model_init(&model, 0);
    for (size_t i = 0; i < 5; i++) {
        arm(&model, &model.timers[i], 520);
    }
    while (model.wheel.now_s < 512) {
        ck_assert_int_eq(wheel_step(&model.wheel, 600, &due), WHEEL_MOVED);
    }
    ck_assert_ptr_ne(model.wheel.falling.next, &model.wheel.falling);
    for (size_t i = 0; i < 3; i++) {
        wheel_disarm(&model.wheel, &model.timers[gone[i]].timer);
        model.timers[gone[i]].is_armed = false;
    }
    arm_by(&model, &model.timers[1], 515);
    ck_assert_int_eq(model.timers[1].timer.armed_s, 515);
    (void)advance(&model, 600);
    ck_assert_uint_eq(model.n_due, 2);
    check_model(&model);
}
END_TEST

/* Disarming what is not armed, twice, changes nothing. */
START_TEST(test_disarm_twice)
{
    static struct model model;

    model_init(&model, START_S);
    arm(&model, &model.timers[0], START_S + 3);
    wheel_disarm(&model.wheel, &model.timers[0].timer);
    wheel_disarm(&model.wheel, &model.timers[0].timer);
    wheel_disarm(&model.wheel, &model.timers[1].timer);
    ck_assert_uint_eq(count_armed(&model.wheel), 0);
    (void)advance(&model, START_S + 10);
    ck_assert_uint_eq(model.n_due, 0);
}
END_TEST

SUITE_MAIN("store/wheel", test_random_against_model, test_random_between_steps,
           test_every_second_has_its_timer, test_empty_wheel_jumps,
           test_lone_timer_is_reached_in_few_steps, test_beyond_reach_is_armed_again,
           test_past_is_due_at_once, test_time_back_moves_nothing, test_one_timer_falls_a_step,
           test_falling_timers_can_be_disarmed, test_disarm_twice)
