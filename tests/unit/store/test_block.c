/* Unit tests of large values: what they cost, and that the last of their users zeroes them. */
#include "block.h"

#include "heap_inside.h"
#include "suite_main.h"

#include <pthread.h>

enum { LARGEST = 1 << 20 };

static struct arena *arena;

static void open_arena(size_t largest)
{
    ck_assert_int_eq(arena_create((size_t)64 << 20, largest, &arena), SESS_OK);
}

/* A new block is all 0, its user's, and has one reference. */
START_TEST(test_new_block)
{
    struct value_block *block;

    open_arena(LARGEST);
    block = block_create(arena, 20000, 20002);
    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_eq(block->arena, arena);
    ck_assert_uint_eq(block->size, 20000);
    ck_assert_uint_eq(block->allocated, 20002);
    ck_assert_uint_eq(atomic_load(&block->references), 1);
    ck_assert_ptr_null(block->next);
    ck_assert_uint_eq(inside_count_used(block->bytes, 20002), 0);
    ck_assert_uint_eq(value_block_bytes(block).size, 20000);
    ck_assert_ptr_eq(value_block_bytes(block).data, block->bytes);
    value_block_release(block);
    arena_destroy(&arena);
}
END_TEST

/* It costs the whole pages that header and bytes fill. */
START_TEST(test_cost)
{
    size_t page;

    open_arena(LARGEST);
    page = arena_page_size(arena);
    ck_assert_uint_eq(block_cost(arena, 0), page);
    ck_assert_uint_eq(block_cost(arena, page - sizeof(struct value_block)), page);
    ck_assert_uint_eq(block_cost(arena, page - sizeof(struct value_block) + 1), 2 * page);
    ck_assert_uint_eq(block_cost(arena, 10 * page), 11 * page);
    arena_destroy(&arena);
}
END_TEST

/* An arena made for the largest value has blocks for it with all that may stand behind, and for no
 * value that is much larger. */
START_TEST(test_largest)
{
    enum { VALUE = 3 << 20 };
    struct value_block *block;

    open_arena(block_largest(VALUE));
    block = block_create(arena, VALUE, VALUE + BLOCK_TAIL_MAX);
    ck_assert_ptr_nonnull(block);
    memset(block->bytes, 'x', block->allocated);
    ck_assert_ptr_null(block_create(arena, 2 * VALUE, 2 * VALUE));
    value_block_release(block);
    arena_destroy(&arena);
}
END_TEST

/* Only the last of three users gives it back, and then not a byte of it is left. */
START_TEST(test_last_release_zeroes)
{
    struct value_block *block;

    open_arena(LARGEST);
    block = block_create(arena, 30000, 30000);
    ck_assert_ptr_nonnull(block);
    memset(block->bytes, 's', 30000);
    value_block_acquire(block);
    value_block_acquire(block);
    value_block_release(block);
    value_block_release(block);
    ck_assert_uint_eq(inside_count(block->bytes, 30000, 's'), 30000);
    value_block_release(block);
    ck_assert_uint_eq(inside_count_used(block, sizeof *block + 30000), 0);
    ck_assert_ptr_eq(block_create(arena, 30000, 30000), block);
    ck_assert_uint_eq(inside_count_used(block->bytes, 30000), 0);
    arena_destroy(&arena);
}
END_TEST

enum { N_THREADS = 4, N_ROUNDS = 50000 };

static void *use(void *context)
{
    struct value_block *block = context;

    for (unsigned i = 0; i < N_ROUNDS; i++) {
        value_block_acquire(block);
        HOT_ASSERT(value_block_bytes(block).data[i % 20000] == 'x');
        value_block_release(block);
    }
    value_block_release(block);
    return NULL;
}

/* Four threads have a reference each and take others: the block is whole until the last is gone. */
START_TEST(test_threads)
{
    struct value_block *block;
    pthread_t threads[N_THREADS];

    open_arena(LARGEST);
    block = block_create(arena, 20000, 20000);
    ck_assert_ptr_nonnull(block);
    memset(block->bytes, 'x', 20000);
    for (size_t i = 0; i < N_THREADS; i++) {
        value_block_acquire(block);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use, block), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_uint_eq(atomic_load(&block->references), 1);
    ck_assert_uint_eq(inside_count(block->bytes, 20000, 'x'), 20000);
    value_block_release(block);
    ck_assert_uint_eq(inside_count_used(block, sizeof *block + 20000), 0);
    arena_destroy(&arena);
}
END_TEST

SUITE_MAIN("store/block", test_new_block, test_cost, test_largest, test_last_release_zeroes,
           test_threads)
