/* Unit tests of what is left of keys that are put together: on the stack of whoever did, nothing. */
#include "sessiond/store/grace.h"
#include "sessiond/store/walk.h"
#include "store_fixture.h"
#include "suite_main.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { N_KEYS = 2000, STACK_SIZE = 1 << 20, LIFE_S = 10 };

static const char secret[] = "QJVKBXWZ0";
static struct store_fixture fixture;
static uint8_t *stack;

static const char *key_at(unsigned number)
{
    static char key[STORE_KEY_MAX + 1];

    (void)snprintf(key, sizeof key, "what-all-keys-begin-with:%u:%s", number, secret);
    return key;
}

static void begin(void)
{
    stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(stack, MAP_FAILED);
    fixture_open(&fixture);
    for (unsigned i = 0; i < N_KEYS; i++) {
        ck_assert_int_eq(
            fixture_write(&fixture, STORE_SET, key_at(i), "value", fixture.now_s + LIFE_S),
            SESS_OK);
    }
}

static void end(void)
{
    fixture_close(&fixture);
    ck_assert_int_eq(munmap(stack, STACK_SIZE), 0);
}

/* Run it on a stack of its own. Returns whether the secret part of a key is left there. */
static bool leaves_key(void *(*body)(void *))
{
    pthread_attr_t settings;
    pthread_t thread;
    size_t *n_done = NULL;

    ck_assert_int_eq(pthread_attr_init(&settings), 0);
    ck_assert_int_eq(pthread_attr_setstack(&settings, stack, STACK_SIZE), 0);
    ck_assert_int_eq(pthread_create(&thread, &settings, body, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, (void **)&n_done), 0);
    ck_assert_int_eq(pthread_attr_destroy(&settings), 0);
    ck_assert_uint_eq(*n_done, N_KEYS);
    return memmem(stack, STACK_SIZE, secret, strlen(secret)) != NULL;
}

static void count(void *context, const struct store_image *image, struct value_block *block)
{
    size_t *n_seen = context;

    (void)block;
    *n_seen += image->key.size > 0;
}

static void *walk_all(void *context)
{
    static size_t n_seen;
    struct store_walk walk = {0};

    (void)context;
    while (store_walk_step(fixture.store, &walk, SIZE_MAX, count, &n_seen)) {
    }
    return &n_seen;
}

START_TEST(test_walk_leaves_no_key)
{
    begin();
    ck_assert(!leaves_key(walk_all));
    end();
}
END_TEST

static void *expire_all(void *context)
{
    static size_t n_expired;
    struct store_ticker ticker = {.stride = 1};

    (void)context;
    while (store_tick(fixture.store, &ticker, fixture.now_s + LIFE_S, 256)) {
    }
    n_expired = (size_t)store_count_expired(fixture.store);
    return &n_expired;
}

START_TEST(test_expiry_leaves_no_key)
{
    begin();
    ck_assert(!leaves_key(expire_all));
    end();
}
END_TEST

SUITE_MAIN("store/residue", test_walk_leaves_no_key, test_expiry_leaves_no_key)
