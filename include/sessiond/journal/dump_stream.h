/* A dump of a store in use, made piece by piece.
 *
 * The format is journal/dump.h, so what comes is a dump as any other. It is a walk (store/walk.h), no snapshot:
 * each session is told as it is when the walk comes by; what was flushed, or has expired, is left out. A session
 * may be told twice. It waits for no disk. Threads: one at a time, any. Memory: the struct and some keys; a
 * large value is lent while it is told, one at a time. */
#ifndef SESSIOND_JOURNAL_DUMP_STREAM_H
#define SESSIOND_JOURNAL_DUMP_STREAM_H

#include "sessiond/base/stream.h"
#include "sessiond/store/walk.h"

/** Begin one. The store and `replies`, which is charged for what is lent, are borrowed.
 *  returns  OK (stream_end) | NO_MEMORY */
SESS_MUST_CHECK enum sess_status dump_stream_begin(struct store *store, struct budget *replies,
                                                   int64_t created_s, struct stream **out);

#endif
