/* Writing dumps. Reading them is dump_reader.c. Threads, memory: see the header. */
#include "sessiond/journal/dump.h"

#include "checksum.h"

#include "sessiond/store/terms.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    LINE_SIZE = 3 * DUMP_KEY_MAX + 128,
    PENDING_SIZE = 64 << 10, /* bytes that go to the sink at once */
};

static enum sess_status send(struct dump_writer *writer, struct sess_error *error)
{
    enum sess_status status = writer->sink(writer->context, buffer_slice(&writer->pending), error);

    buffer_clear(&writer->pending, PENDING_SIZE);
    return status;
}

static enum sess_status put(struct dump_writer *writer, struct slice bytes,
                            struct sess_error *error)
{
    enum sess_status status = SESS_OK;

    checksum_add(writer->checksum, bytes);
    if (writer->pending.size + bytes.size > PENDING_SIZE) {
        status = send(writer, error);
    }
    if (status != SESS_OK || bytes.size > PENDING_SIZE) {
        return status == SESS_OK ? writer->sink(writer->context, bytes, error) : status;
    }
    return buffer_append(&writer->pending, bytes) == SESS_OK
               ? SESS_OK
               : error_set(error, SESS_NO_MEMORY, "no memory for a dump");
}

enum sess_status dump_writer_begin(struct dump_writer *writer, dump_sink_fn sink, void *context,
                                   int64_t created_s, struct sess_error *error)
{
    char line[LINE_SIZE];
    enum sess_status status;

    *writer = (struct dump_writer){.sink = sink, .context = context};
    if (checksum_create(0, &writer->checksum) != SESS_OK) {
        return error_set(error, SESS_NO_MEMORY, "no memory for a dump");
    }
    (void)snprintf(line, sizeof line, "sessiond-dump 1 %" PRId64 "\n", created_s);
    status = put(writer, slice_from_text(line), error);
    if (status != SESS_OK) {
        dump_writer_fini(writer);
    }
    return status;
}

static bool is_plain(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

/* Returns the bytes written. */
static size_t encode_key(struct slice key, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t size = 0;

    for (size_t i = 0; i < key.size; i++) {
        if (is_plain(key.data[i])) {
            out[size++] = (char)key.data[i];
        } else {
            out[size++] = '%';
            out[size++] = digits[key.data[i] >> 4];
            out[size++] = digits[key.data[i] & 15];
        }
    }
    return size;
}

/* Returns the bytes written. */
static size_t encode_marks(struct store_marks marks, char *out)
{
    size_t size = 1;

    out[0] = ' ';
    if (marks.is_stale) {
        out[size++] = 'X';
    }
    if (marks.has_winner) {
        out[size++] = 'W';
    }
    if (marks.is_clients_cas) {
        out[size++] = 'E';
    }
    return size == 1 ? 0 : size;
}

enum sess_status dump_writer_add(struct dump_writer *writer, const struct dump_entry *entry,
                                 struct sess_error *error)
{
    char line[LINE_SIZE];
    size_t size = encode_key(entry->key, line);
    int64_t deadline_s = entry->deadline_s == STORE_NO_DEADLINE ? 0 : entry->deadline_s;
    enum sess_status status;

    size += (size_t)snprintf(line + size, sizeof line - size,
                             " %" PRIu32 " %" PRId64 " %" PRIu64 " %zu", entry->flags, deadline_s,
                             entry->cas, entry->value.size);
    size += encode_marks(entry->marks, line + size);
    line[size++] = '\n';
    status = put(writer, slice_of(line, size), error);
    explicit_bzero(line, sizeof line);
    if (status == SESS_OK) {
        status = put(writer, entry->value, error);
    }
    if (status == SESS_OK) {
        status = put(writer, SLICE_LITERAL("\n"), error);
    }
    writer->n_entries++;
    return status;
}

enum sess_status dump_writer_end(struct dump_writer *writer, struct sess_error *error)
{
    char line[LINE_SIZE];
    enum sess_status status;

    (void)snprintf(line, sizeof line, "END %" PRIu64 " %016" PRIx64 "\n", writer->n_entries,
                   checksum_value(writer->checksum));
    status = put(writer, slice_from_text(line), error);
    return status == SESS_OK ? send(writer, error) : status;
}

void dump_writer_fini(struct dump_writer *writer)
{
    checksum_destroy(&writer->checksum);
    buffer_release(&writer->pending);
}
