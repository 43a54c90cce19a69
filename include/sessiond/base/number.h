/* Numbers to text and back, in 64 bits, checked: nothing wraps, nothing is guessed.
 *
 * Replaces the strtol family, which skips blanks, takes signs and stops silently. Pure. */
#ifndef SESSIOND_BASE_NUMBER_H
#define SESSIOND_BASE_NUMBER_H

#include "sessiond/base/slice.h"
#include "sessiond/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Room for any 64-bit number in decimal with its sign, not terminated. */
enum { NUMBER_DIGITS = 20 };

/** Parse decimal digits only: no sign, no blank, leading zeros allowed.
 *  returns  OK | INVALID (empty, or a byte that is no digit) | OUT_OF_RANGE (above `max`) */
SESS_MUST_CHECK enum sess_status number_parse_u64(struct slice text, uint64_t max, uint64_t *out);

/** Parse decimal digits with an optional '-'; "-0" is INVALID.
 *  returns  OK | INVALID | OUT_OF_RANGE (outside int64) */
SESS_MUST_CHECK enum sess_status number_parse_i64(struct slice text, int64_t *out);

/** Parse a size in bytes: digits and at most one of k, m, g (powers of 1024, either case).
 *  returns  OK | INVALID | OUT_OF_RANGE (outside uint64) */
SESS_MUST_CHECK enum sess_status number_parse_size(struct slice text, uint64_t *bytes);

/** Parse a time: digits and one of ms, s, m, h, d; without a unit, seconds.
 *  returns  OK | INVALID | OUT_OF_RANGE (outside uint64 milliseconds) */
SESS_MUST_CHECK enum sess_status number_parse_duration(struct slice text, uint64_t *ms);

/** Write `value` in decimal to `out` (room for NUMBER_DIGITS); returns the bytes written. */
size_t number_format_u64(uint64_t value, uint8_t *out);

/** Write a size as number_parse_size reads it, in the largest unit that is exact; terminated. */
void number_format_size(uint64_t bytes, char *out, size_t out_size);

/** Write a time as number_parse_duration reads it, in the largest unit that is exact; terminated. */
void number_format_duration(uint64_t ms, char *out, size_t out_size);

#endif
