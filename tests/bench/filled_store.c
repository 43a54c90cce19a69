/* The store's calls, with keys made from numbers. Memory: the store's. */
#include "filled_store.h"

#include "draw.h"
#include "room.h"

#include <string.h>
#include <time.h>

enum {
    BYTES_EACH = 704, /* of memory for a session, above what it takes */
    BYTES_LEAST = 64 << 20,
    TTL_LEAST_S = 86400,
    TTL_SPREAD_S = 1209600,
};

static const char prefix[] = ":1:django.contrib.sessions.cache";
static const uint8_t value_bytes_of_all[FILLED_VALUE_MAX] = {'v'};

static void need(enum sess_status status, const char *what)
{
    if (status != SESS_OK) {
        (void)fprintf(stderr, "bench: the store cannot %s\n", what);
        exit(EXIT_FAILURE);
    }
}

void filled_store_open(struct filled_store *filled, uint64_t n)
{
    struct store_config config = {.max_value_bytes = 1 << 20,
                                  .data = &filled->data,
                                  .in_flight = &filled->in_flight,
                                  .first_cas = 1};

    filled->n = n;
    filled->now_s = time(NULL);
    config.now_s = filled->now_s;
    budget_init(&filled->data, BYTES_LEAST + n * BYTES_EACH);
    budget_init(&filled->in_flight, (size_t)4 << 20);
    need(hash_key_draw(&config.hash_key), "draw a key");
    need(store_create(&config, &filled->store), "begin");
}

void filled_store_close(struct filled_store *filled)
{
    store_destroy(&filled->store);
}

static struct slice name_session(uint64_t number, uint8_t room[FILLED_KEY_BYTES])
{
    uint64_t halves[2] = {draw_mix(2 * number), draw_mix(2 * number + 1)};

    memcpy(room, prefix, sizeof(prefix) - 1);
    for (unsigned i = 0; i < FILLED_KEY_BYTES / 2; i++) {
        room[sizeof(prefix) - 1 + i] =
            (uint8_t) "0123456789abcdef"[halves[i / 16] >> i % 16 * 4 & 15];
    }
    return (struct slice){.data = room, .size = FILLED_KEY_BYTES};
}

static struct store_expiry life_of(uint64_t number)
{
    return store_expiry_in(TTL_LEAST_S + (int64_t)(draw_mix(number) % TTL_SPREAD_S));
}

void filled_store_set(struct filled_store *filled, uint64_t number, size_t value_bytes)
{
    uint8_t room[FILLED_KEY_BYTES];
    struct store_outcome outcome;
    struct store_write write = {.mode = STORE_SET,
                                .key = name_session(number, room),
                                .value = {.data = value_bytes_of_all, .size = value_bytes},
                                .expiry = life_of(number)};

    need(store_write(filled->store, &write, filled->now_s, &outcome), "store a session");
}

void filled_store_touch(struct filled_store *filled, uint64_t number)
{
    uint8_t room[FILLED_KEY_BYTES];
    struct store_outcome outcome;

    need(store_touch(filled->store, name_session(number, room), 0, life_of(number), filled->now_s,
                     &outcome),
         "touch a session");
}

size_t filled_store_get(struct filled_store *filled, uint64_t number, uint8_t *out)
{
    uint8_t room[FILLED_KEY_BYTES];
    struct store_reading reading;
    size_t size;

    need(store_read_begin(filled->store, name_session(number, room), 0, filled->now_s, &reading),
         "find a session");
    size = reading.value.size;
    memcpy(out, reading.value.data, size);
    store_read_end(&reading);
    return size;
}
