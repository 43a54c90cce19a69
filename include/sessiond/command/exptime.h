/* A client's exptime to an absolute deadline.
 *
 * Pure. Source: memcached doc/protocol.txt, "Expiration times". */
#ifndef SESSIOND_COMMAND_EXPTIME_H
#define SESSIOND_COMMAND_EXPTIME_H

#include <stdint.h>

/* The largest exptime that counts from now; above, it is a date. */
#define EXPTIME_RELATIVE_MAX ((int64_t)60 * 60 * 24 * 30)

/** 0: none (STORE_NO_DEADLINE); negative: past; up to 30 days: from now; else a date. 64 bits, so
 *  dates after 2038 and 2106 are dates.
 *  returns  wall seconds; at or before now_s: expired at once */
int64_t exptime_to_deadline(int64_t exptime, int64_t now_s);

#endif
