/* Base64 to bytes, and back: RFC 4648, section 4, with padding and nothing between the letters.
 *
 * Pure; no allocation. */
#ifndef SESSIOND_BASE_BASE64_H
#define SESSIOND_BASE_BASE64_H

#include "sessiond/base/slice.h"

/** Decode `text` to `out` (room for 3 bytes for each 4 of the text). Each run of bytes has one text: bits that
 *  are left over must be 0.
 *  returns  the number of bytes; 0: the text is empty, or no base64 */
size_t base64_decode(struct slice text, uint8_t *out);

/** Encode `bytes` to `out` (room for 4 bytes for each 3 that have begun). Returns the number of letters. */
size_t base64_encode(struct slice bytes, char *out);

#endif
