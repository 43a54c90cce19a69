/* Reading frames. Threads, memory: see the header. */
#include "reader.h"

#include "sessiond/base/bytes.h"

#include <inttypes.h>

enum { WINDOW_SIZE = 1 << 20, PROGRESS_BYTES = 16 << 20 };

enum sess_status reader_begin(struct reader *reader, struct segment *segment,
                              struct sess_error *error)
{
    reader->segment = segment;
    reader->at = SEGMENT_HEADER_SIZE;
    reader->sequence = 0;
    reader->window.size = 0;
    reader->window_at = 0;
    reader->dirty_to = 0;
    return file_size(&segment->file, &reader->file_size, error);
}

enum sess_status reader_refuse(const struct reader *reader, const struct frame_read *read,
                               struct slice rest, struct sess_error *error)
{
    return error_set(
        error, SESS_REFUSED,
        "%s, offset %" PRIu64
        ": has a record (type %u) that this sessiond does not know: start the version that wrote "
        "it; nothing was changed",
        reader->segment->file.name, read->at, rest.data[0]);
}

void reader_tell(const struct reader *reader, uint64_t before, uint64_t done, uint64_t all)
{
    if (reader->progress != NULL && before / PROGRESS_BYTES != done / PROGRESS_BYTES) {
        reader->progress(reader->progress_context, done, all);
    }
}

void reader_fini(struct reader *reader)
{
    buffer_release(&reader->window);
}

/* Fill the window from `offset` on, with room for `size` bytes at least. */
static enum sess_status fill(struct reader *reader, uint64_t offset, size_t size,
                             struct sess_error *error)
{
    size_t window = reader->file_size < WINDOW_SIZE ? (size_t)reader->file_size : WINDOW_SIZE;
    size_t got = 0;
    enum sess_status status;

    size = size < window ? window : size;
    reader->window.size = 0;
    if (buffer_reserve(&reader->window, size) != SESS_OK) {
        return error_set(error, SESS_NO_MEMORY, "%s: no memory to read %zu bytes",
                         reader->segment->file.name, size);
    }
    status = file_read(&reader->segment->file, reader->window.data, reader->window.capacity, offset,
                       &got, error);
    reader->window.size = got;
    reader->window_at = offset;
    return status;
}

/* The bytes at `offset`, `size` of them, or fewer at the file's end. */
static enum sess_status look_at(struct reader *reader, uint64_t offset, size_t size,
                                struct slice *out, struct sess_error *error)
{
    uint64_t left = offset < reader->file_size ? reader->file_size - offset : 0;
    enum sess_status status = SESS_OK;

    size = size < left ? size : (size_t)left;
    if (offset < reader->window_at || offset + size > reader->window_at + reader->window.size) {
        status = fill(reader, offset, size, error);
    }
    if (status == SESS_OK) {
        struct slice bytes = slice_from(buffer_slice(&reader->window),
                                        offset - reader->window_at < reader->window.size
                                            ? (size_t)(offset - reader->window_at)
                                            : reader->window.size);

        *out = slice_first(bytes, size < bytes.size ? size : bytes.size);
    }
    return status;
}

/* A valid frame at this very place. returns OK | NOT_FOUND | IO | NO_MEMORY */
static enum sess_status read_at(struct reader *reader, uint64_t at, struct frame_read *out,
                                struct sess_error *error)
{
    struct slice bytes;
    size_t size;
    enum sess_status status = look_at(reader, at, FRAME_HEAD_SIZE, &bytes, error);

    if (status != SESS_OK) {
        return status;
    }
    if (!frame_peek(bytes, reader->segment->salt, &out->frame) ||
        out->frame.body_size > reader->file_size - at - FRAME_HEAD_SIZE) {
        return SESS_NOT_FOUND;
    }
    size = FRAME_HEAD_SIZE + (size_t)out->frame.body_size;
    status = look_at(reader, at, size, &bytes, error);
    if (status != SESS_OK) {
        return status;
    }
    if (bytes.size < size || !frame_is_valid(bytes, reader->segment->salt)) {
        return SESS_NOT_FOUND;
    }
    out->at = at;
    out->body = slice_from(bytes, FRAME_HEAD_SIZE);
    return SESS_OK;
}

static uint64_t end_of(const struct frame_read *read)
{
    return read->at + frame_size(read->frame.body_size);
}

static bool is_next(const struct reader *reader, uint64_t limit, const struct frame_read *read)
{
    return (reader->sequence == 0 || read->frame.sequence == reader->sequence) &&
           end_of(read) <= limit;
}

enum sess_status reader_next(struct reader *reader, uint64_t limit, struct frame_read *out,
                             struct sess_error *error)
{
    uint64_t places[] = {reader->at, frame_round(reader->at, FRAME_BLOCK)};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        enum sess_status status = read_at(reader, places[i], out, error);

        if (status == SESS_OK && is_next(reader, limit, out)) {
            reader->at = end_of(out);
            reader->sequence = out->frame.sequence + 1;
            return SESS_OK;
        }
        if (status != SESS_OK && status != SESS_NOT_FOUND) {
            return status;
        }
    }
    return SESS_NOT_FOUND;
}

static void note_dirty(struct reader *reader, uint64_t at)
{
    struct slice rest = slice_from(buffer_slice(&reader->window), (size_t)(at - reader->window_at));

    for (size_t i = 0; i < FRAME_ALIGN && i < rest.size; i++) {
        if (rest.data[i] != 0) {
            reader->dirty_to = at + FRAME_ALIGN;
        }
    }
}

/* Look at the window's bytes from offset `at` on for what may be a frame's beginning. Returns its offset,
 * or that of the first place that the window does not hold. */
static uint64_t skip(struct reader *reader, uint64_t at)
{
    struct slice window = buffer_slice(&reader->window);
    size_t from = (size_t)(at - reader->window_at);
    struct frame frame;

    while (from + FRAME_HEAD_SIZE <= window.size &&
           !frame_peek(slice_from(window, from), reader->segment->salt, &frame)) {
        if (bytes_u64(window.data + from) != 0) {
            reader->dirty_to = reader->window_at + from + FRAME_ALIGN;
        }
        from += FRAME_ALIGN;
    }
    return reader->window_at + from;
}

static bool is_in_window(const struct reader *reader, uint64_t at)
{
    return at >= reader->window_at && at < reader->window_at + reader->window.size;
}

enum sess_status reader_search(struct reader *reader, uint64_t *at, struct frame_read *out,
                               struct sess_error *error)
{
    *at = frame_round(*at, FRAME_ALIGN);
    for (;;) {
        enum sess_status status;

        if (is_in_window(reader, *at)) {
            *at = skip(reader, *at);
        }
        if (*at + FRAME_HEAD_SIZE > reader->file_size) {
            return SESS_NOT_FOUND;
        }
        status = read_at(reader, *at, out, error);
        if (status == SESS_OK) {
            *at = end_of(out);
            reader->dirty_to = *at;
        } else if (status == SESS_NOT_FOUND) {
            note_dirty(reader, *at);
            *at += FRAME_ALIGN;
        }
        if (status != SESS_NOT_FOUND) {
            return status;
        }
    }
}

enum sess_status reader_next_intact(struct reader *reader, struct frame_read *out,
                                    struct sess_error *error)
{
    enum sess_status status = reader_next(reader, UINT64_MAX, out, error);
    uint64_t at = reader->at;

    if (status != SESS_NOT_FOUND) {
        return status;
    }
    do {
        status = reader_search(reader, &at, out, error);
    } while (status == SESS_OK && out->frame.sequence < reader->sequence);
    if (status == SESS_OK) {
        reader->at = at;
        reader->sequence = out->frame.sequence + 1;
    }
    return status;
}

bool reader_lone(const struct frame_read *read, enum record_type type, struct record *record)
{
    size_t used;

    return read->frame.n_records == 1 && record_decode(read->body, record, &used) == SESS_OK &&
           record->type == type;
}
