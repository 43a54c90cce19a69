/* A store without sockets, and sessions of 64 and 400 bytes in it: what its programs ask is shared here.
 *
 * As the daemon's, without a journal. Not what is measured of it (store_grow.c, store_threads.c). Calls that fail end the program:
 * nothing that is asked here may fail. Threads: any, but for opening and closing. */
#ifndef BENCH_FILLED_STORE_H
#define BENCH_FILLED_STORE_H

#include "sessiond/store/store.h"

#include <stdint.h>

enum {
    FILLED_KEY_BYTES = 64,
    FILLED_VALUE_BYTES = 400,
    FILLED_VALUE_MAX = 600,
};

struct filled_store {
    struct store *store;
    struct budget data, in_flight;
    uint64_t n;    /* sessions it has room for */
    int64_t now_s; /* wall time, which stands still */
};

void filled_store_open(struct filled_store *filled, uint64_t n);
void filled_store_close(struct filled_store *filled);

/** A session by its number, as it is or as it will be. */
void filled_store_set(struct filled_store *filled, uint64_t number, size_t value_bytes);
void filled_store_touch(struct filled_store *filled, uint64_t number);

/** Copies the value to `out`, FILLED_VALUE_MAX bytes, as a worker does. Returns its size. */
size_t filled_store_get(struct filled_store *filled, uint64_t number, uint8_t *out);

#endif
