/* Unit tests of memory that is taken ahead: by whom, how much, when not, and that nobody waits for it. */
#include "packer.h"

#include "faults.h"
#include "mapping.h"
#include "store_inside.h"
#include "suite_main.h"
#include "tick.h"

enum {
    RUN = 64 << 10,
    STEP = 1 << 21, /* what is taken at once, and a huge page */
    QUIET_US = 20000,
    LOOK_US = 100,
};

static struct arena *arena;
static struct budget budget;
static uint8_t *first;

/* An arena in which runs of RUN bytes are packed, with so much room in the budget. */
static void open_packed(size_t room)
{
    first = NULL;
    budget_init(&budget, room);
    ck_assert_int_eq(arena_create((size_t)2 * ARENA_PACK_FROM, RUN, &arena), SESS_OK);
    arena_pack(arena, RUN - 1, &budget);
    arena_pack(arena, RUN, &budget);
}

/* Take so many bytes of runs, which are not used. Returns the last run. */
static uint8_t *take(size_t bytes)
{
    uint8_t *last = NULL;

    for (size_t taken = 0; taken < bytes; taken += RUN) {
        last = arena_take(arena, RUN);
        HOT_ASSERT(last != NULL);
        first = first == NULL ? last : first;
    }
    return last;
}

/* A large arena: the next run may come of memory that was taken ahead. */
static void open_large(size_t room)
{
    open_packed(room);
    (void)take(ARENA_PACK_FROM);
}

static bool is_zero(const uint8_t *run)
{
    size_t i = 0;

    while (i < RUN && run[i] == 0) {
        i++;
    }
    return i == RUN;
}

/* Not `never`: where the kernel has no huge pages, nothing but the one page that was asked for comes. */
static size_t step_resident(void)
{
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    char line[64] = "[never]";

    if (file != NULL) {
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
        (void)fclose(file);
    }
    return strstr(line, "[never]") == NULL ? STEP : arena_page_size(arena);
}

/* Nothing more comes: whatever the thread is doing wrong, it has had time for it. */
static void assert_stays(size_t bytes)
{
    for (unsigned i = 0; i < QUIET_US / LOOK_US; i++) {
        (void)usleep(LOOK_US);
        ck_assert_uint_eq(arena_ahead(arena), bytes);
    }
}

/* It comes whole, behind what is used, zeroed and charged; and is its user's as runs are taken. */
START_TEST(test_ahead)
{
    uint8_t *run;

    open_large((size_t)2 * ARENA_PACK_ROOM);
    ck_assert(arena_pack_next(arena));
    ck_assert_uint_eq(mapping_resident(first, ARENA_PACK_FROM), 0);
    ck_assert_uint_eq(mapping_resident(first + ARENA_PACK_FROM, STEP), step_resident());
    ck_assert_uint_eq(budget_used(&budget), STEP);
    ck_assert(arena_pack_next(arena));
    ck_assert_uint_eq(arena_ahead(arena), ARENA_PACK_AHEAD);
    ck_assert_uint_eq(budget_used(&budget), ARENA_PACK_AHEAD);
    run = arena_take(arena, RUN);
    ck_assert_ptr_eq(run, first + ARENA_PACK_FROM);
    ck_assert(is_zero(run));
    memset(run, 'x', RUN);
    ck_assert_uint_eq(arena_ahead(arena), ARENA_PACK_AHEAD - RUN);
    ck_assert_uint_eq(budget_used(&budget), ARENA_PACK_AHEAD - RUN);
    (void)take(ARENA_PACK_AHEAD - RUN);
    ck_assert_uint_eq(budget_used(&budget), 0);
    arena_destroy(&arena);
}
END_TEST

/* What is given back is the kernel's, and comes again in small pages, page by page. */
START_TEST(test_given_back)
{
    uint8_t *run;

    open_large((size_t)2 * ARENA_PACK_ROOM);
    ck_assert(arena_pack_next(arena));
    run = arena_take(arena, RUN);
    ck_assert(mapping_has_flag(run, " nh"));
    ck_assert(mapping_has_flag(run, " dd"));
    arena_give(arena, run, RUN);
    ck_assert_uint_eq(mapping_resident(run, RUN), 0);
    ck_assert_ptr_eq(arena_take(arena, RUN), run);
    run[0] = 'x';
    ck_assert_uint_eq(mapping_resident(run, RUN), arena_page_size(arena));
    ck_assert_uint_eq(budget_used(&budget), STEP - RUN);
    arena_destroy(&arena);
}
END_TEST

/* What no run has yet can be had back, for others; then runs come as ever. */
START_TEST(test_give_ahead)
{
    uint8_t *run;

    open_large((size_t)2 * ARENA_PACK_ROOM);
    ck_assert(!arena_give_ahead(arena));
    ck_assert(arena_pack_next(arena));
    run = arena_take(arena, RUN);
    run[0] = 'x';
    ck_assert(arena_give_ahead(arena));
    ck_assert_uint_eq(mapping_resident(run + RUN, STEP - RUN), 0);
    ck_assert_uint_eq(run[0], 'x');
    ck_assert_uint_eq(budget_used(&budget), 0);
    ck_assert(!arena_give_ahead(arena));
    ck_assert_ptr_eq(arena_take(arena, RUN), run + RUN);
    ck_assert_uint_eq(mapping_resident(run + RUN, RUN), 0);
    ck_assert_uint_eq(budget_used(&budget), 0);
    ck_assert(arena_pack_next(arena));
    ck_assert_uint_eq(budget_used(&budget), STEP);
    (void)take(STEP - RUN);
    ck_assert_uint_eq(budget_used(&budget), STEP - RUN);
    arena_destroy(&arena);
}
END_TEST

/* While a step is being taken, somebody opens and uses these addresses, and runs of so many bytes. */
static void overtake(void *context)
{
    size_t bytes = *(size_t *)context;
    uint8_t *last = take(bytes);

    memset(last, 'x', RUN);
}

/* Whoever is quicker does not wait, keeps what it wrote, and nothing is charged twice. */
START_TEST(test_overtaken)
{
    size_t overtaken[] = {RUN, STEP, STEP + RUN};

    for (size_t i = 0; i < sizeof overtaken / sizeof overtaken[0]; i++) {
        size_t left = overtaken[i] < STEP ? STEP - overtaken[i] : 0;
        const uint8_t *last;

        open_large((size_t)2 * ARENA_PACK_ROOM);
        faults_call_at_mprotect(overtake, &overtaken[i]);
        ck_assert(arena_pack_next(arena));
        last = first + ARENA_PACK_FROM + overtaken[i] - RUN;
        ck_assert_uint_eq(last[0], 'x');
        ck_assert_uint_eq(last[RUN - 1], 'x');
        ck_assert_uint_eq(budget_used(&budget), left);
        ck_assert_uint_eq(arena_ahead(arena), left);
        ck_assert_ptr_eq(arena_take(arena, RUN), last + RUN);
        ck_assert(arena_pack_next(arena));
        ck_assert_uint_eq(arena_ahead(arena), budget_used(&budget));
        arena_destroy(&arena);
    }
}
END_TEST

/* The kernel does not do it: nothing is charged, it is not asked again, and runs come as ever. */
START_TEST(test_refused)
{
    uint8_t *run;

    open_large((size_t)2 * ARENA_PACK_ROOM);
    faults_fail_mprotect(1);
    ck_assert(!arena_pack_next(arena));
    ck_assert_uint_eq(budget_used(&budget), 0);
    ck_assert(!arena_pack_next(arena));
    run = arena_take(arena, RUN);
    ck_assert_ptr_eq(run, first + ARENA_PACK_FROM);
    ck_assert_uint_eq(mapping_resident(run, RUN), 0);
    arena_destroy(&arena);
}
END_TEST

/* Nothing comes below the size from which it helps, nor while the budget has not so much room, nor while what comes is
 * taken at once anyhow; and never more than so much. */
START_TEST(test_not_always)
{
    struct packer packer;

    open_packed(ARENA_PACK_ROOM + ARENA_PACK_AHEAD);
    packer_start(&packer, arena);
    (void)take(ARENA_PACK_FROM - RUN);
    assert_stays(0);
    ck_assert(budget_charge(&budget, ARENA_PACK_AHEAD + 1));
    (void)take(RUN);
    assert_stays(0);
    budget_release(&budget, ARENA_PACK_AHEAD + 1);
    arena_fill(arena, RUN);
    (void)take(RUN);
    assert_stays(0);
    arena_end_fill(arena);
    (void)take(RUN);
    inside_wait_for_ahead(arena, ARENA_PACK_AHEAD);
    assert_stays(ARENA_PACK_AHEAD);
    ck_assert_uint_eq(mapping_resident(first, ARENA_PACK_FROM), 0);
    packer_stop(&packer);
    ck_assert_uint_eq(budget_used(&budget), 0);
    packer_stop(&packer);
    arena_destroy(&arena);
}
END_TEST

/* While the thread takes steps, runs are taken, used and given back: each is 0 at first, and the account is right. */
START_TEST(test_beside_users)
{
    struct packer packer;

    open_large((size_t)2 * ARENA_PACK_ROOM);
    packer_start(&packer, arena);
    for (size_t i = 0; i < 20 * STEP / RUN; i++) {
        uint8_t *run = arena_take(arena, RUN);

        HOT_ASSERT(is_zero(run));
        memset(run, 'x', RUN);
        if (i % 3 == 0) {
            arena_give(arena, run, RUN);
        }
    }
    inside_wait_for_ahead(arena, budget_used(&budget));
    packer_stop(&packer);
    ck_assert_uint_eq(budget_used(&budget), 0);
    arena_destroy(&arena);
}
END_TEST

/* A store whose budget could not hold that much has no thread; in a large one who finds no page has what is ahead. */
START_TEST(test_store)
{
    static struct store_fixture fixture;

    fixture_prepare(&fixture);
    budget_init(&fixture.data, ARENA_PACK_FROM);
    fixture_start(&fixture);
    ck_assert_ptr_null(fixture.store->packer.arena);
    fixture_close(&fixture);
    fixture_open(&fixture);
    inside_grow_arena(fixture.store);
    inside_wait_for_ahead(fixture.store->arena, (size_t)2 * ARENA_PACK_AHEAD);
    ck_assert(!tick_helps(fixture.store, fixture.now_s, SESS_NO_MEMORY, 0));
    ck_assert(tick_helps(fixture.store, fixture.now_s, SESS_LIMIT, 0));
    ck_assert_uint_eq(arena_ahead(fixture.store->arena), 0);
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/packer", test_ahead, test_given_back, test_give_ahead, test_overtaken,
           test_refused, test_not_always, test_beside_users, test_store)
