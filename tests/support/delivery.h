/* Feeding the request parser as the net room does, however the bytes arrive, and writing down what it
 * says.
 *
 * Not the net room: no sockets, no replies. What is not used is kept and offered again in front of
 * the next bytes, at another address each time. The block of an upload is taken here. Feeding ends at
 * what would close the connection.
 *
 * A transcript is one line, its results joined by "; ":
 *     set key=k flags=5 exptime=-1 size=3 value=abc noreply    fields that are 0 or empty are left out
 *     get a b.                  keys in their order, a '.' behind the last; streamed or not
 *     upload set key=k size=101, block of 103 bytes
 *     error BAD_FORMAT noreply close
 *     CLOSE                     and CLOSE_BINARY
 *     waits                     at the end: something has begun and is not done */
#ifndef SESSIOND_TESTS_SUPPORT_DELIVERY_H
#define SESSIOND_TESTS_SUPPORT_DELIVERY_H

#include "sessiond/protocol/parser.h"

/** Feed `input` in a first piece of `first` bytes and further ones of `further` >= 1 bytes. Returns
 *  the transcript: the caller frees it. */
char *delivery_run(const struct parser_limits *limits, struct slice input, size_t first,
                   size_t further);

/** Assert that the input gives this transcript when it comes whole, byte by byte, and in two pieces
 *  split at every place; and that every result comes at the same byte of it. */
void delivery_assert(const struct parser_limits *limits, struct slice input, const char *expected);

/** Assert that the input gives the same transcript in every delivery; a failure names the input. */
void delivery_assert_same(const struct parser_limits *limits, struct slice input);

#endif
