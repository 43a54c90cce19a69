/* How requests are written: memcached's text protocol, or Redis's (RESP). Not which (workload.h). */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include "workload.h"

enum {
    REQUEST_ROOM = 2 * KEY_MAX + 64, /* of one key of a request or a reply, without the value */
};

/** Write the request to `out` (REQUEST_ROOM + workload_value_max bytes for each of its keys); returns its length. */
size_t wire_write(struct workload *workload, char *out, const struct request *request);

/** A length, and the end of its line; returns what follows. */
char *wire_put_length(char *out, size_t length);

#endif
