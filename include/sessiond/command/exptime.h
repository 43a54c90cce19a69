/* A client's exptime to when a session ends.
 *
 * Pure. Source: memcached doc/protocol.txt, "Expiration times". */
#ifndef SESSIOND_COMMAND_EXPTIME_H
#define SESSIOND_COMMAND_EXPTIME_H

#include "sessiond/store/terms.h"

#include <stdint.h>

/* The largest exptime that counts from now; above, it is a date. */
#define EXPTIME_RELATIVE_MAX ((int64_t)60 * 60 * 24 * 30)

/* What a client that counts in 32 bits without sign makes of the last 8 years before now: pylibmc, and so
 * Django, sends -1 as 4294967295. As dates these would be of August 2097 to February 2106. */
#define EXPTIME_UNSIGNED_MIN (EXPTIME_UNSIGNED_MAX - ((int64_t)1 << 28) + 1)
#define EXPTIME_UNSIGNED_MAX ((int64_t)UINT32_MAX)

/** 0: no end (STORE_NO_DEADLINE); negative, with or without its sign: past; up to 30 days: from now; else a
 *  date. 64 bits, so dates after 2038 and 2106 are dates. */
struct store_expiry exptime_to_expiry(int64_t exptime);

#endif
