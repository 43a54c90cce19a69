/* Writing dumps. Reading them is dump_reader.c. Threads, memory: see the header. */
#include "sessiond/journal/dump.h"

#include "checksum.h"
#include "dump_lines.h"

enum { PENDING_SIZE = 64 << 10 }; /* bytes that go to the sink at once */

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
    char line[DUMP_LINE_MAX];
    enum sess_status status;

    *writer = (struct dump_writer){.sink = sink, .context = context};
    if (checksum_create(0, &writer->checksum) != SESS_OK) {
        return error_set(error, SESS_NO_MEMORY, "no memory for a dump");
    }
    status = put(writer, slice_of(line, dump_line_first(created_s, line)), error);
    if (status != SESS_OK) {
        dump_writer_fini(writer);
    }
    return status;
}

enum sess_status dump_writer_add(struct dump_writer *writer, const struct dump_entry *entry,
                                 struct sess_error *error)
{
    char line[DUMP_LINE_MAX];
    enum sess_status status = put(writer, slice_of(line, dump_line_entry(entry, line)), error);

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
    char line[DUMP_LINE_MAX];
    size_t size = dump_line_last(writer->n_entries, checksum_value(writer->checksum), line);
    enum sess_status status = put(writer, slice_of(line, size), error);

    return status == SESS_OK ? send(writer, error) : status;
}

void dump_writer_fini(struct dump_writer *writer)
{
    checksum_destroy(&writer->checksum);
    buffer_release(&writer->pending);
}
