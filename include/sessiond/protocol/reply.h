/* Replies to bytes, into room that the caller has reserved (base/buffer.h): no allocation here.
 *
 * The only place that knows reply texts. Source: memcached doc/protocol.txt. */
#ifndef SESSIOND_PROTOCOL_REPLY_H
#define SESSIOND_PROTOCOL_REPLY_H

#include "sessiond/base/buffer.h"

enum reply {
#define REPLY(id, text, doc) REPLY_##id,
#include "sessiond/protocol/replies.def"
#undef REPLY
    REPLY_COUNT
};

struct reply_row {
    const char *text; /* without its line end */
    const char *doc;
};

enum {
    REPLY_LINE_MAX = 128,  /* bytes to reserve for a fixed line */
    REPLY_VALUE_MAX = 512, /* for all of a VALUE reply but the data and END: key, numbers, ends */
};

/** The row of a reply. */
const struct reply_row *reply_get_row(enum reply reply);

/** A fixed line. Needs REPLY_LINE_MAX bytes of room. */
void reply_put(struct buffer *out, enum reply reply);

/** `VALUE KEY FLAGS BYTES[ CAS]`, in front of the data. Needs REPLY_VALUE_MAX bytes, in which the end
 *  of the data has room, too.
 *  cas  NULL: without the CAS id */
void reply_put_value_line(struct buffer *out, struct slice key, uint32_t flags, size_t value_size,
                          const uint64_t *cas);

/** The line end behind the data. */
void reply_put_value_end(struct buffer *out);

/** A number as a line. Needs REPLY_LINE_MAX bytes of room. */
void reply_put_number(struct buffer *out, uint64_t number);

/** The text of a fixed line without its end. Needs REPLY_LINE_MAX bytes of room. */
void reply_put_word(struct buffer *out, enum reply reply);

/** Words of a meta reply, each behind a blank: a number; a flag; a flag and a number or a text. All of one reply
 *  fit REPLY_VALUE_MAX bytes. */
void reply_put_number_word(struct buffer *out, uint64_t number);
void reply_put_flag(struct buffer *out, char flag);
void reply_put_flag_number(struct buffer *out, char flag, uint64_t number);
void reply_put_flag_text(struct buffer *out, char flag, struct slice text);

/** ` NAME=TEXT`, likewise. */
void reply_put_fact(struct buffer *out, const char *name, struct slice text);

/** A word as it is, likewise. */
void reply_put_text_word(struct buffer *out, struct slice text);

/** `STAT NAME VALUE`. returns OK | NO_MEMORY (this one reserves its own room: it is never hot) */
SESS_MUST_CHECK enum sess_status reply_append_stat(struct buffer *out, struct slice name,
                                                   struct slice value);

/** A line of words for a person. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status reply_append_text(struct buffer *out, const char *text);

#endif
