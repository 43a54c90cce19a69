/* Which replies are right: the word, the key, the flags, the length, every byte of the value, the end.
 *
 * Every reply is known from the request and from what was there when it was asked. Of a value only the nonce is not:
 * which of the last writes it is. A server that stores nothing (`canned`) says the same to every get, and of that only
 * the beginning, the length and the end are looked at. */
#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H

#include "workload.h"

/* What a check says other than the length of a whole and right reply. */
enum { REPLY_PARTIAL = 0, REPLY_WRONG = -1 };

/** Check the reply that `input` begins with, as far as it is there. */
long check_reply(const struct workload *workload, const char *input, size_t size,
                 const struct request *request);

#endif
