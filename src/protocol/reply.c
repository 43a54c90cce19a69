/* Replies to bytes. Not who gets them. Threads: any. Memory: the caller's buffer. */
#include "sessiond/protocol/reply.h"

#include "sessiond/base/number.h"

static const struct reply_row rows[] = {
#define REPLY(id, text, doc) {text, doc},
#include "sessiond/protocol/replies.def"
#undef REPLY
};

#define REPLY(id, text, doc)                                                                       \
    _Static_assert(sizeof(text) + 1 <= REPLY_LINE_MAX, "a fixed line fits its room");
#include "sessiond/protocol/replies.def"
#undef REPLY

static const struct slice line_end = {(const uint8_t *)"\r\n", 2};
static const struct slice blank = {(const uint8_t *)" ", 1};

const struct reply_row *reply_get_row(enum reply reply)
{
    return &rows[reply];
}

void reply_put(struct buffer *out, enum reply reply)
{
    buffer_put(out, slice_from_text(rows[reply].text));
    buffer_put(out, line_end);
}

static void put_digits(struct buffer *out, uint64_t number)
{
    out->size += number_format_u64(number, out->data + out->size);
}

static void put_word(struct buffer *out, uint64_t number)
{
    buffer_put(out, blank);
    put_digits(out, number);
}

void reply_put_value_line(struct buffer *out, struct slice key, uint32_t flags, size_t value_size,
                          const uint64_t *cas)
{
    buffer_put(out, SLICE_LITERAL("VALUE "));
    buffer_put(out, key);
    put_word(out, flags);
    put_word(out, value_size);
    if (cas != NULL) {
        put_word(out, *cas);
    }
    buffer_put(out, line_end);
}

void reply_put_word(struct buffer *out, enum reply reply)
{
    buffer_put(out, slice_from_text(rows[reply].text));
}

void reply_put_number_word(struct buffer *out, uint64_t number)
{
    put_word(out, number);
}

void reply_put_flag(struct buffer *out, char flag)
{
    buffer_put(out, blank);
    buffer_put(out, slice_of(&flag, sizeof flag));
}

void reply_put_flag_number(struct buffer *out, char flag, uint64_t number)
{
    reply_put_flag(out, flag);
    put_digits(out, number);
}

void reply_put_flag_text(struct buffer *out, char flag, struct slice text)
{
    reply_put_flag(out, flag);
    buffer_put(out, text);
}

void reply_put_fact(struct buffer *out, const char *name, struct slice text)
{
    reply_put_text_word(out, slice_from_text(name));
    buffer_put(out, SLICE_LITERAL("="));
    buffer_put(out, text);
}

void reply_put_text_word(struct buffer *out, struct slice text)
{
    buffer_put(out, blank);
    buffer_put(out, text);
}

void reply_put_value_end(struct buffer *out)
{
    buffer_put(out, line_end);
}

void reply_put_number(struct buffer *out, uint64_t number)
{
    put_digits(out, number);
    buffer_put(out, line_end);
}

enum sess_status reply_append_stat(struct buffer *out, struct slice name, struct slice value)
{
    struct slice word = SLICE_LITERAL("STAT ");
    size_t size = word.size + name.size + blank.size + value.size + line_end.size;
    enum sess_status status = buffer_reserve(out, size);

    if (status == SESS_OK) {
        buffer_put(out, word);
        buffer_put(out, name);
        buffer_put(out, blank);
        buffer_put(out, value);
        buffer_put(out, line_end);
    }
    return status;
}

enum sess_status reply_append_text(struct buffer *out, const char *text)
{
    struct slice line = slice_from_text(text);
    enum sess_status status = buffer_reserve(out, line.size + line_end.size);

    if (status == SESS_OK) {
        buffer_put(out, line);
        buffer_put(out, line_end);
    }
    return status;
}
