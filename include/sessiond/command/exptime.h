/* A client's exptime to when a session ends.
 *
 * Pure. Source: memcached doc/protocol.txt, "Expiration times". */
#ifndef SESSIOND_COMMAND_EXPTIME_H
#define SESSIOND_COMMAND_EXPTIME_H

#include "sessiond/store/terms.h"

#include <stdint.h>

/* The largest exptime that counts from now; above, it is a date. */
#define EXPTIME_RELATIVE_MAX ((int64_t)60 * 60 * 24 * 30)

/** 0: no end (STORE_NO_DEADLINE); negative: past; up to 30 days: from now; else a date. 64 bits, so
 *  dates after 2038 and 2106 are dates. */
struct store_expiry exptime_to_expiry(int64_t exptime);

#endif
