/* A dump: sessions as one stream of bytes, to be kept, carried elsewhere and stored again.
 *
 * Knows no files and no sockets: bytes go to a sink, and come from a source. Format 1, all of it lines but for
 * the values:
 *
 *     sessiond-dump 1 CREATED              wall seconds
 *     KEY FLAGS DEADLINE CAS SIZE [MARKS]  and, behind the line, SIZE bytes and a line end; for each session
 *     END COUNT CHECKSUM                   of the lines that tell of sessions and holds; XXH3 (64 bits, 16 hex digits) over all bytes in front
 *
 * KEY is URL-encoded: what is not a letter, a digit or one of -._~ is %XX. DEADLINE is in wall seconds; 0: none.
 * MARKS, of a session that has any: X stale, W somebody was told to make it anew, E a client chose the CAS id. H, alone, is
 * no session but a hold: the key's session was ended, and is not to be saved again before DEADLINE; 0 are FLAGS, CAS, SIZE.
 * Without its last line a dump is not whole, and nothing of it may be used: verify it first.
 * Threads: one. Memory: one session. Everything is zeroed at the end of its use. */
#ifndef SESSIOND_JOURNAL_DUMP_H
#define SESSIOND_JOURNAL_DUMP_H

#include "sessiond/base/buffer.h"
#include "sessiond/base/error.h"
#include "sessiond/journal/dump_entry.h"

struct checksum;

/* Takes all of the bytes. returns OK | NO_SPACE | IO */
typedef enum sess_status (*dump_sink_fn)(void *context, struct slice bytes,
                                         struct sess_error *error);

/* Gives up to `size` bytes; *got is 0 only at the end. returns OK | IO */
typedef enum sess_status (*dump_source_fn)(void *context, void *to, size_t size, size_t *got,
                                           struct sess_error *error);

struct dump_writer {
    dump_sink_fn sink;
    void *context;
    struct checksum *checksum; /* the writer's own, like all that follows */
    struct buffer pending;     /* for the sink */
    uint64_t n_entries;
};

/** Begin a dump. returns OK (dump_writer_fini) | NO_MEMORY | what the sink returns */
SESS_MUST_CHECK enum sess_status dump_writer_begin(struct dump_writer *writer, dump_sink_fn sink,
                                                   void *context, int64_t created_s,
                                                   struct sess_error *error);

/** Write a session. returns OK | NO_MEMORY | what the sink returns */
SESS_MUST_CHECK enum sess_status dump_writer_add(struct dump_writer *writer,
                                                 const struct dump_entry *entry,
                                                 struct sess_error *error);

/** Write the last line, which makes the dump whole. returns OK | NO_MEMORY | what the sink returns */
SESS_MUST_CHECK enum sess_status dump_writer_end(struct dump_writer *writer,
                                                 struct sess_error *error);

void dump_writer_fini(struct dump_writer *writer);

struct dump_reader {
    dump_source_fn source;
    void *context;
    struct checksum *checksum; /* the reader's own, like all that follows */
    struct buffer bytes;
    size_t position;           /* in them */
    uint8_t key[DUMP_KEY_MAX]; /* of the entry */
    int64_t created_s;
    uint64_t n_entries;
    bool has_ended;
};

/** Begin to read a dump. returns OK (dump_reader_fini) | DAMAGED (no dump) | REFUSED (a format that is not
 *  known) | NO_MEMORY | what the source returns */
SESS_MUST_CHECK enum sess_status dump_reader_begin(struct dump_reader *reader,
                                                   dump_source_fn source, void *context,
                                                   struct sess_error *error);

/** The next session; its slices are the reader's, until the next call.
 *  returns  OK | NOT_FOUND (there are no more, and the dump is whole) | DAMAGED (it was cut or changed; what
 *           was read before may be wrong, too) | NO_MEMORY | what the source returns */
SESS_MUST_CHECK enum sess_status dump_reader_next(struct dump_reader *reader,
                                                  struct dump_entry *out, struct sess_error *error);

void dump_reader_fini(struct dump_reader *reader);

/* What a whole dump says of itself. */
struct dump_facts {
    uint64_t n_sessions; /* without holds */
    int64_t created_s;   /* wall seconds */
};

/** Read a dump to its end, to see whether it is whole.
 *  returns  OK | DAMAGED | REFUSED (a format that is not known) | NO_MEMORY | what the source returns */
SESS_MUST_CHECK enum sess_status dump_verify(dump_source_fn source, void *context,
                                             struct dump_facts *facts, struct sess_error *error);

#endif
