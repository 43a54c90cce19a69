/* Reading dumps. Writing them is dump.c. Threads, memory: see the header. */
#include "sessiond/journal/dump.h"

#include "checksum.h"
#include "dump_lines.h"

#include "sessiond/base/number.h"
#include "sessiond/store/terms.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    READ_SIZE = 64 << 10,
    WORDS_MAX = 6,
    CHECKSUM_DIGITS = 16,
};

static enum sess_status spoilt(const struct dump_reader *reader, const char *what,
                               struct sess_error *error)
{
    return error_set(error, SESS_DAMAGED, "after %" PRIu64 " sessions: %s; nothing was stored",
                     reader->n_entries, what);
}

static struct slice rest_of(const struct dump_reader *reader)
{
    return slice_from(buffer_slice(&reader->bytes), reader->position);
}

/* Read more behind what is there, with room for `wanted` bytes in all. *got is 0 at the end. */
static enum sess_status read_more(struct dump_reader *reader, size_t wanted, size_t *got,
                                  struct sess_error *error)
{
    struct buffer *bytes = &reader->bytes;
    size_t left = bytes->size - reader->position;
    enum sess_status status;

    if (reader->position > 0) {
        memmove(bytes->data, bytes->data + reader->position, left);
        explicit_bzero(bytes->data + left, reader->position);
        bytes->size = left;
        reader->position = 0;
    }
    wanted = wanted < READ_SIZE ? READ_SIZE : wanted;
    if (left < wanted && buffer_reserve(bytes, wanted - left) != SESS_OK) {
        return error_set(error, SESS_NO_MEMORY, "no memory to read the dump");
    }
    status = reader->source(reader->context, bytes->data + bytes->size,
                            bytes->capacity - bytes->size, got, error);
    bytes->size += status == SESS_OK ? *got : 0;
    return status;
}

/* Have `size` bytes at hand. */
static enum sess_status demand(struct dump_reader *reader, size_t size, struct sess_error *error)
{
    while (rest_of(reader).size < size) {
        size_t got = 0;
        enum sess_status status = read_more(reader, size, &got, error);

        if (status != SESS_OK) {
            return status;
        }
        if (got == 0) {
            return spoilt(reader, "the dump ends here, without its last line", error);
        }
    }
    return SESS_OK;
}

/* The next line, without its end, which is not used up. */
static enum sess_status peek_line(struct dump_reader *reader, struct slice *line,
                                  struct sess_error *error)
{
    for (size_t size = 1; size <= DUMP_LINE_MAX; size++) {
        enum sess_status status = demand(reader, size, error);

        if (status != SESS_OK) {
            return status;
        }
        if (rest_of(reader).data[size - 1] == '\n') {
            *line = slice_first(rest_of(reader), size - 1);
            return SESS_OK;
        }
    }
    return spoilt(reader, "a line is too long", error);
}

static void use_up(struct dump_reader *reader, size_t size)
{
    checksum_add(reader->checksum, slice_first(rest_of(reader), size));
    reader->position += size;
}

/* Returns the number of words, or WORDS_MAX + 1 for more. */
static size_t split(struct slice line, struct slice *words)
{
    size_t n = 0;
    size_t start = 0;

    for (size_t i = 0; i <= line.size; i++) {
        if (i == line.size || line.data[i] == ' ') {
            if (n == WORDS_MAX) {
                return WORDS_MAX + 1;
            }
            words[n++] = slice_of(line.data + start, i - start);
            start = i + 1;
        }
    }
    return n;
}

enum sess_status dump_reader_begin(struct dump_reader *reader, dump_source_fn source, void *context,
                                   struct sess_error *error)
{
    struct slice words[WORDS_MAX];
    struct slice line;
    uint64_t version = 0;
    enum sess_status status;

    *reader = (struct dump_reader){.source = source, .context = context};
    if (checksum_create(0, &reader->checksum) != SESS_OK) {
        return error_set(error, SESS_NO_MEMORY, "no memory to read the dump");
    }
    status = peek_line(reader, &line, error);
    if (status == SESS_OK && (split(line, words) != 3 || !slice_is(words[0], "sessiond-dump") ||
                              number_parse_u64(words[1], UINT64_MAX, &version) != SESS_OK ||
                              number_parse_i64(words[2], &reader->created_s) != SESS_OK)) {
        status = error_set(error, SESS_DAMAGED, "is no dump of sessiond");
    }
    if (status == SESS_OK && version != 1) {
        status = error_set(error, SESS_REFUSED,
                           "is a dump of format %" PRIu64 ", and format 1 is known here", version);
    }
    if (status != SESS_OK) {
        dump_reader_fini(reader);
        return status;
    }
    use_up(reader, line.size + 1);
    return SESS_OK;
}

/* The value of a hex digit in upper case; 16: it is none. */
static unsigned hex_digit(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : 16;
}

static bool decode_key(struct slice word, uint8_t *out, size_t *out_size)
{
    size_t size = 0;

    for (size_t i = 0; i < word.size; i++, size++) {
        if (size == DUMP_KEY_MAX) {
            return false;
        }
        out[size] = word.data[i];
        if (word.data[i] == '%') {
            unsigned high = i + 2 < word.size ? hex_digit(word.data[i + 1]) : 16;
            unsigned low = i + 2 < word.size ? hex_digit(word.data[i + 2]) : 16;

            if (high > 15 || low > 15) {
                return false;
            }
            out[size] = (uint8_t)(high << 4 | low);
            i += 2;
        }
    }
    *out_size = size;
    return size > 0;
}

/* Each letter at most once, and in their order; H stands alone. */
static bool parse_marks(struct slice word, struct store_marks *marks)
{
    size_t i = 0;

    *marks = (struct store_marks){.is_stale = i < word.size && word.data[i] == 'X'};
    i += marks->is_stale;
    marks->has_winner = i < word.size && word.data[i] == 'W';
    i += marks->has_winner;
    marks->is_clients_cas = i < word.size && word.data[i] == 'E';
    i += marks->is_clients_cas;
    marks->is_held = i == 0 && word.size == 1 && word.data[0] == 'H';
    i += marks->is_held;
    return i > 0 && i == word.size;
}

static bool parse_entry(struct dump_reader *reader, const struct slice *words,
                        struct dump_entry *out, size_t *value_size)
{
    size_t key_size = 0;
    uint64_t flags = 0;
    uint64_t deadline_s = 0;
    uint64_t size = 0;

    if (!decode_key(words[0], reader->key, &key_size) ||
        number_parse_u64(words[1], UINT32_MAX, &flags) != SESS_OK ||
        number_parse_u64(words[2], INT64_MAX - 1, &deadline_s) != SESS_OK ||
        number_parse_u64(words[3], UINT64_MAX - 1, &out->cas) != SESS_OK ||
        number_parse_u64(words[4], DUMP_VALUE_MAX, &size) != SESS_OK ||
        (out->marks.is_held ? deadline_s == 0 || out->cas + flags + size != 0 : out->cas == 0)) {
        return false;
    }
    out->key = slice_of(reader->key, key_size);
    out->flags = (uint32_t)flags;
    out->deadline_s = deadline_s == 0 ? STORE_NO_DEADLINE : (int64_t)deadline_s;
    *value_size = (size_t)size;
    return true;
}

static enum sess_status read_entry(struct dump_reader *reader, const struct slice *words,
                                   size_t line_size, struct dump_entry *out,
                                   struct sess_error *error)
{
    size_t size = 0;
    enum sess_status status;

    if (!parse_entry(reader, words, out, &size)) {
        return spoilt(reader, "a line that tells of a session is damaged", error);
    }
    use_up(reader, line_size);
    status = demand(reader, size + 1, error);
    if (status != SESS_OK) {
        return status;
    }
    out->value = slice_first(rest_of(reader), size);
    if (rest_of(reader).data[size] != '\n') {
        return spoilt(reader, "the line end behind a value is missing", error);
    }
    use_up(reader, size + 1);
    reader->n_entries++;
    return SESS_OK;
}

/* Returns NOT_FOUND for a dump that is whole. */
static enum sess_status read_end(struct dump_reader *reader, const struct slice *words,
                                 size_t line_size, struct sess_error *error)
{
    char checksum[CHECKSUM_DIGITS + 1];
    uint64_t count = 0;
    size_t more = 0;
    enum sess_status status;

    (void)snprintf(checksum, sizeof checksum, "%016" PRIx64, checksum_value(reader->checksum));
    if (number_parse_u64(words[1], UINT64_MAX, &count) != SESS_OK || count != reader->n_entries) {
        return spoilt(reader, "the last line tells of another number of them", error);
    }
    if (!slice_is(words[2], checksum)) {
        return spoilt(reader, "the checksum does not hold: the dump was changed", error);
    }
    reader->position += line_size;
    status = rest_of(reader).size > 0 ? SESS_OK : read_more(reader, 1, &more, error);
    if (status == SESS_OK && (more > 0 || rest_of(reader).size > 0)) {
        return spoilt(reader, "there is more behind the last line", error);
    }
    reader->has_ended = status == SESS_OK;
    return status == SESS_OK ? SESS_NOT_FOUND : status;
}

enum sess_status dump_reader_next(struct dump_reader *reader, struct dump_entry *out,
                                  struct sess_error *error)
{
    struct slice words[WORDS_MAX];
    struct slice line;
    size_t n_words;
    enum sess_status status;

    if (reader->has_ended) {
        return SESS_NOT_FOUND;
    }
    status = peek_line(reader, &line, error);
    if (status != SESS_OK) {
        return status;
    }
    n_words = split(line, words);
    /* A session may have the key END; its line is longer. */
    if (n_words == 3 && slice_is(words[0], "END")) {
        return read_end(reader, words, line.size + 1, error);
    }
    out->marks = (struct store_marks){.is_stale = false};
    return n_words == WORDS_MAX - 1 || (n_words == WORDS_MAX && parse_marks(words[5], &out->marks))
               ? read_entry(reader, words, line.size + 1, out, error)
               : spoilt(reader, "a line that tells of a session is damaged", error);
}

void dump_reader_fini(struct dump_reader *reader)
{
    checksum_destroy(&reader->checksum);
    buffer_release(&reader->bytes);
    explicit_bzero(reader->key, sizeof reader->key);
}

enum sess_status dump_verify(dump_source_fn source, void *context, struct dump_facts *facts,
                             struct sess_error *error)
{
    struct dump_reader reader;
    struct dump_entry entry;
    enum sess_status status = dump_reader_begin(&reader, source, context, error);

    if (status != SESS_OK) {
        return status;
    }
    *facts = (struct dump_facts){.created_s = reader.created_s};
    while (status == SESS_OK) {
        status = dump_reader_next(&reader, &entry, error);
        facts->n_sessions += status == SESS_OK && !entry.marks.is_held;
    }
    dump_reader_fini(&reader);
    return status == SESS_NOT_FOUND ? SESS_OK : status;
}
