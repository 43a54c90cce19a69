/* Unit tests of a shard's heap, against a plain list of places as the model. */
#include "heap.h"

#include "faults.h"
#include "heap_inside.h"
#include "poison.h"
#include "suite_main.h"
#include "test_random.h"

#include <stdlib.h>

enum { PAGE = HEAP_PAGE_MIN, ROOM = PAGE - HEAP_HEADER_SIZE, LIMIT = 64 * PAGE };

static struct arena *arena;
static struct budget budget;
static struct heap heap;

static void open_heap(void)
{
    ck_assert_int_eq(arena_create(LIMIT, PAGE, &arena), SESS_OK);
    budget_init(&budget, LIMIT);
    heap_init(&heap, arena, &budget, PAGE);
}

static void close_heap(void)
{
    heap_fini(&heap);
    ck_assert_uint_eq(budget_used(&budget), 0);
    heap_fini(&heap);
    arena_destroy(&arena);
}

/* What stands in a place of these tests: first a word with the lowest bit 0, as an entry's pointer. */
struct thing {
    uint64_t size_doubled;
    uint8_t bytes[];
};

static size_t size_of(const void *place)
{
    return (size_t)((const struct thing *)place)->size_doubled / 2;
}

/* A thing of `size` bytes, each of them the mark; `place` may be NULL. */
static struct thing *mark_thing(void *place, size_t size, uint8_t mark)
{
    struct thing *thing = place;

    if (thing != NULL) {
        thing->size_doubled = 2 * size;
        memset(thing->bytes, mark, size - sizeof *thing);
    }
    return thing;
}

static struct thing *put(size_t size)
{
    return mark_thing(heap_place(&heap, size), size, 'p');
}

static void add_page(void)
{
    ck_assert_int_eq(heap_add_page(&heap), SESS_OK);
}

static void check(void)
{
    (void)inside_check_heap(&heap, size_of);
    ck_assert_uint_eq(budget_used(&budget), heap.n_pages * PAGE);
}

/* Small heaps have small pages, so that little of them is free. */
START_TEST(test_page_sizes)
{
    ck_assert_uint_eq(heap_page_size(0), HEAP_PAGE_MIN);
    ck_assert_uint_eq(heap_page_size((size_t)512 << 10), 8192);
    ck_assert_uint_eq(heap_page_size(((size_t)1 << 20) - 1), 8192);
    ck_assert_uint_eq(heap_page_size((size_t)1 << 20), 16384);
    ck_assert_uint_eq(heap_page_size((size_t)2 << 20), 32768);
    ck_assert_uint_eq(heap_page_size((size_t)4 << 20), 65536);
    ck_assert_uint_eq(heap_page_size((size_t)1 << 40), HEAP_PAGE_MAX);
}
END_TEST

/* What a place costs: its rounded size, and half of that once for each page that such places fill. */
START_TEST(test_cost)
{
    ck_assert_uint_eq(heap_cost(0, PAGE), 0);
    ck_assert_uint_eq(heap_cost(1, PAGE), 8);
    ck_assert_uint_eq(heap_cost(100, PAGE), 104);
    ck_assert_uint_eq(heap_cost(128, PAGE), 129);
    ck_assert_uint_eq(heap_cost(1024, PAGE), 1024 + 64);
    ck_assert_uint_eq(heap_cost(16384, 65536), 16384 + 2048);
}
END_TEST

/* A heap without pages has room for nothing, and wastes nothing. */
START_TEST(test_empty)
{
    open_heap();
    ck_assert_ptr_null(heap_place(&heap, 8));
    ck_assert_uint_eq(heap_waste(&heap), 0);
    ck_assert_uint_eq(heap_loose(&heap), 0);
    ck_assert_uint_eq(heap_sparsest(&heap), 0);
    ck_assert_uint_eq(heap_loosest(&heap), 0);
    close_heap();
}
END_TEST

/* Places stand one behind the other, rounded up, until the page is full to its last byte. */
START_TEST(test_page_is_filled)
{
    uint8_t *start;

    open_heap();
    add_page();
    start = heap.pages[0].start;
    ck_assert_ptr_null(put(ROOM + 1));
    ck_assert_ptr_eq(put(61), start + 8);
    ck_assert_ptr_eq(put(64), start + 72);
    ck_assert_ptr_eq(put(8), start + 136);
    check();
    ck_assert_ptr_null(put(PAGE - 144 + 1));
    ck_assert_ptr_eq(put(PAGE - 144), start + 144);
    ck_assert_ptr_null(put(8));
    check();
    ck_assert_uint_eq(heap_waste(&heap), 0);
    ck_assert_uint_eq(heap_page_free(&heap, 0), 0);
    close_heap();
}
END_TEST

/* The last place of the open page is taken again where it was; one in the middle is not. */
START_TEST(test_end_of_the_open_page_is_given_back)
{
    struct thing *places[3];

    open_heap();
    add_page();
    for (size_t i = 0; i < 3; i++) {
        places[i] = put(100);
    }
    heap_free(&heap, places[2], 100);
    check();
    ck_assert_uint_eq(heap_loose(&heap), 0);
    ck_assert_ptr_eq(put(50), places[2]);
    heap_free(&heap, places[1], 100);
    check();
    ck_assert_uint_eq(heap_loose(&heap), 104);
    ck_assert_ptr_ne(put(50), places[1]);
    /* Nor do the two become one when the last ones go. */
    check();
    close_heap();
}
END_TEST

/* The last place of the open page goes: the page stays, and is empty from its start. */
START_TEST(test_open_page_stays)
{
    struct thing *places[3];

    open_heap();
    add_page();
    for (size_t i = 0; i < 3; i++) {
        places[i] = put(100);
    }
    heap_free(&heap, places[1], 100);
    heap_free(&heap, places[0], 100);
    heap_free(&heap, places[2], 100);
    check();
    ck_assert_uint_eq(heap.n_pages, 1);
    ck_assert_uint_eq(heap_loose(&heap), 0);
    ck_assert_uint_eq(heap.pages[0].end, HEAP_HEADER_SIZE);
    ck_assert_ptr_eq(put(ROOM), places[0]);
    close_heap();
}
END_TEST

/* Pages with one place each that fills them; the last one is open. */
static void fill_pages(struct thing **places, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        add_page();
        places[i] = put(ROOM);
        ck_assert_ptr_nonnull(places[i]);
    }
}

/* Each page but the open one goes when its last place does, whichever it is: the others are found. */
START_TEST(test_empty_page_is_dropped)
{
    enum { N = 20 };
    struct test_random random = {.state = 5};
    struct thing *places[N];
    size_t left = N - 1;

    open_heap();
    fill_pages(places, N);
    ck_assert_uint_eq(heap.open, N - 1);
    while (left > 0) {
        size_t i = (size_t)test_random_below(&random, left);
        const struct thing *gone = places[i];

        heap_free(&heap, places[i], ROOM);
        ck_assert_uint_eq(inside_count_used(gone, ROOM), 0);
        places[i] = places[--left];
        ck_assert_uint_eq(heap.n_pages, left + 1);
        ck_assert_ptr_eq(heap.pages[heap.open].start + HEAP_HEADER_SIZE, places[N - 1]);
        check();
    }
    heap_free(&heap, places[N - 1], ROOM);
    ck_assert_uint_eq(heap.n_pages, 1);
    check();
    close_heap();
}
END_TEST

/* A place that is closed in gets shorter: its end is free between others, and 0. */
START_TEST(test_shrink_in_the_middle)
{
    struct thing *place;

    open_heap();
    add_page();
    place = put(200);
    (void)put(100);
    memset((uint8_t *)place + 99, 0, 5);
    heap_shrink(&heap, place, 200, 99);
    place->size_doubled = (uint64_t)2 * 99;
    check();
    ck_assert_uint_eq(heap_loose(&heap), 96);
    /* The same rounded size: nothing is free. */
    heap_shrink(&heap, place, 99, 97);
    ck_assert_uint_eq(heap_loose(&heap), 96);
    close_heap();
}
END_TEST

/* The last place of the open page gets shorter: what it does not need is the page's again. */
START_TEST(test_shrink_at_the_end)
{
    struct thing *place;

    open_heap();
    add_page();
    place = put(200);
    heap_shrink(&heap, place, 200, 104);
    place->size_doubled = (uint64_t)2 * 104;
    check();
    ck_assert_uint_eq(heap_loose(&heap), 0);
    ck_assert_ptr_eq(put(8), (uint8_t *)place + 104);
    close_heap();
}
END_TEST

/* The budget is full for whoever asks, there is no memory for the list of pages, or no page: nothing is
 * charged and the open page stays open. */
START_TEST(test_add_page_fails)
{
    enum { OPEN_STEP = 1 << 21, PAGES_OPEN = OPEN_STEP / PAGE };

    open_heap();
    budget.limit = PAGE - 1;
    ck_assert_int_eq(heap_add_page(&heap), SESS_NO_MEMORY);
    budget.limit = PAGE;
    ck_assert_int_eq(heap_add_page(&heap), SESS_OK);
    budget.limit = 2 * PAGE - 1;
    ck_assert_int_eq(heap_add_page(&heap), SESS_NO_MEMORY);
    budget.limit = SIZE_MAX;
    check();
    while (heap.n_pages < heap.capacity) {
        add_page();
        (void)put(8);
    }
    faults_fail_allocation(1);
    ck_assert_int_eq(heap_add_page(&heap), SESS_NO_MEMORY);
    ck_assert_uint_eq(heap.open, heap.n_pages - 1);
    for (size_t n = heap.n_pages; n < PAGES_OPEN; n++) {
        ck_assert_ptr_nonnull(arena_take(arena, PAGE));
    }
    faults_fail_mprotect(1);
    ck_assert_int_eq(heap_add_page(&heap), SESS_NO_MEMORY);
    ck_assert_uint_eq(heap.open, heap.n_pages - 1);
    ck_assert_uint_eq(budget_used(&budget), heap.n_pages * PAGE);
    add_page();
    ck_assert_ptr_nonnull(put(8));
    close_heap();
}
END_TEST

/* Of three pages and the open one, that with the least in use and that with most that was freed; the
 * open one counts for the first alone. */
START_TEST(test_sparsest_and_loosest)
{
    struct thing *places[3];

    open_heap();
    add_page(); /* 0: little in it, nothing freed */
    (void)put(1000);
    add_page(); /* 1: most in it, and most that was freed but for the open one */
    (void)put(4000);
    places[1] = put(1000);
    (void)put(96);
    add_page(); /* 2: in between */
    (void)put(2000);
    places[2] = put(200);
    (void)put(96);
    add_page(); /* 3: open */
    (void)put(8);
    places[0] = put(3000);
    (void)put(8);
    ck_assert_uint_eq(heap_sparsest(&heap), 0);
    heap_free(&heap, places[0], 3000);
    heap_free(&heap, places[1], 1000);
    heap_free(&heap, places[2], 200);
    check();
    ck_assert_uint_eq(heap_sparsest(&heap), 3);
    ck_assert_uint_eq(heap_loosest(&heap), 1);
    ck_assert_uint_eq(heap_page_free(&heap, 0), ROOM - 1000);
    heap_reopen(&heap, 1, heap.pages[1].end);
    ck_assert_uint_eq(heap_sparsest(&heap), 3);
    ck_assert_uint_eq(heap_loosest(&heap), 3);
    close_heap();
}
END_TEST

/* The open page alone: there is no other to move entries from, but it can be squeezed itself. */
START_TEST(test_no_other_page)
{
    open_heap();
    add_page();
    ck_assert_uint_eq(heap_sparsest(&heap), 0);
    ck_assert_uint_eq(heap_loosest(&heap), 1);
    close_heap();
}
END_TEST

/* Whatever is in the pages, they go back when the heap does. */
START_TEST(test_fini_gives_all_back)
{
    struct thing *places[5];

    open_heap();
    fill_pages(places, 5);
    close_heap();
}
END_TEST

enum { MODEL_MAX = 2000 };

/* A place of the model. */
struct held {
    struct thing *thing;
    size_t size;
    uint8_t mark;
};

struct model {
    struct test_random random;
    struct held held[MODEL_MAX];
    size_t n;
    uint64_t n_refused;
};

static bool is_whole(const struct held *held)
{
    bool is_whole = size_of(held->thing) == held->size;

    for (size_t i = 0; is_whole && i < held->size - sizeof *held->thing; i++) {
        is_whole = held->thing->bytes[i] == held->mark;
    }
    return is_whole;
}

static size_t random_size(struct model *model)
{
    return sizeof(struct thing) + 1 +
           (size_t)(test_random_below(&model->random, 2000) >>
                    test_random_below(&model->random, 6));
}

static void model_place(struct model *model)
{
    struct held held = {.size = random_size(model), .mark = (uint8_t)model->random.state};
    void *place = heap_place(&heap, held.size);

    if (place == NULL && heap_add_page(&heap) == SESS_OK) {
        place = heap_place(&heap, held.size);
    }
    model->n_refused += place == NULL;
    if (place != NULL) {
        HOT_ASSERT(inside_count_used(place, heap_round(held.size)) == 0);
        held.thing = mark_thing(place, held.size, held.mark);
        model->held[model->n++] = held;
    }
}

static void model_free(struct model *model)
{
    struct held *held = &model->held[test_random_below(&model->random, model->n)];

    HOT_ASSERT(is_whole(held));
    heap_free(&heap, held->thing, held->size);
    *held = model->held[--model->n];
}

static void model_shrink(struct model *model)
{
    struct held *held = &model->held[test_random_below(&model->random, model->n)];
    size_t size = sizeof(struct thing) + 1 +
                  (size_t)test_random_below(&model->random, held->size - sizeof(struct thing));

    HOT_ASSERT(is_whole(held));
    memset((uint8_t *)held->thing + size, 0, heap_round(size) - size);
    heap_shrink(&heap, held->thing, held->size, size);
    held->size = size;
    held->thing->size_doubled = 2 * size;
}

static struct held *find_held(struct model *model, const struct thing *thing)
{
    for (size_t i = 0; i < model->n; i++) {
        if (model->held[i].thing == thing) {
            return &model->held[i];
        }
    }
    return NULL;
}

/* Move a page's places together, as a squeeze does, and let it be the open one. */
static void model_squeeze(struct model *model)
{
    size_t number = (size_t)test_random_below(&model->random, heap.n_pages);
    const struct heap_page *page = &heap.pages[number];
    size_t end = HEAP_HEADER_SIZE;
    size_t at = 0;
    size_t size = 0;
    struct thing *thing;

    if (number == heap.open) {
        return;
    }
    while ((thing = heap_walk(page, &at, size)) != NULL) {
        struct held *held = find_held(model, thing);

        HOT_ASSERT(NULL != held);
        size = held->size;
        held->thing = (struct thing *)(void *)(page->start + end);
        if (held->thing != thing) {
            memory_unpoison(held->thing, heap_round(size));
            memmove(held->thing, thing, heap_round(size));
        }
        end += heap_round(size);
    }
    heap_reopen(&heap, number, end);
}

/* One change; the more there is, the less is placed. */
static void random_change(struct model *model, bool is_growing)
{
    uint64_t what = test_random_below(&model->random, 100);

    if (model->n == 0 || (what < (is_growing ? 60 : 25) && model->n < MODEL_MAX)) {
        model_place(model);
    } else if (what < 85) {
        model_free(model);
    } else if (what < 97) {
        model_shrink(model);
    } else {
        model_squeeze(model);
    }
}

/* A hundred thousand changes at random, growing and shrinking in turn, over the limit too: every place
 * keeps its bytes, what is free is 0, and all accounts are those of the model. */
START_TEST(test_random_against_model)
{
    static struct model model = {.random = {.state = 11}};

    open_heap();
    for (unsigned i = 0; i < 100000; i++) {
        random_change(&model, i % 6000 < 4000);
        if (i % 100 == 0) {
            size_t live = 0;
            struct heap_census census;

            for (size_t k = 0; k < model.n; k++) {
                HOT_ASSERT(is_whole(&model.held[k]));
                live += heap_round(model.held[k].size);
            }
            census = inside_check_heap(&heap, size_of);
            ck_assert_uint_eq(census.n_places, model.n);
            ck_assert_uint_eq(census.live, live);
            ck_assert_uint_eq(budget_used(&budget), heap.n_pages * PAGE);
        }
    }
    ck_assert_uint_gt(model.n_refused, 0);
    while (model.n > 0) {
        model_free(&model);
    }
    ck_assert_uint_eq(heap.n_pages, 1);
    check();
    close_heap();
}
END_TEST

SUITE_MAIN("store/heap", test_page_sizes, test_cost, test_empty, test_page_is_filled,
           test_end_of_the_open_page_is_given_back, test_open_page_stays,
           test_empty_page_is_dropped, test_shrink_in_the_middle, test_shrink_at_the_end,
           test_add_page_fails, test_sparsest_and_loosest, test_no_other_page,
           test_fini_gives_all_back, test_random_against_model)
