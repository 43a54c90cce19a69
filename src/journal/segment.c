/* Segments as files: names, headers, making, opening. Threads: one at a time. Memory: a block on the stack. */
#include "segment.h"

#include "checksum.h"
#include "sessiond/base/bytes.h"

#include "sessiond/base/failpoint.h"
#include "sessiond/base/hash.h"
#include "sessiond/base/number.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    VERSION_AT = 8,
    CHECKSUM_AT = SEGMENT_HEADER_SIZE - 8,
    NAME_DIGITS = 12,
};

enum { MAGIC_SIZE = 8 };

static const struct {
    const char *prefix;
    const char *magic; /* MAGIC_SIZE bytes */
    const char *what;  /* for people */
} kinds[] = {
    [SEGMENT_JOURNAL] = {"journal-", "SESSJRNL", "journal file"},
    [SEGMENT_CHECKPOINT] = {"checkpoint-", "SESSCKPT", "checkpoint"},
};
static const char unfinished_suffix[] = ".new";

void segment_name(enum segment_kind kind, uint64_t number, char *out)
{
    (void)snprintf(out, FILE_NAME_SIZE, "%s%0*" PRIu64, kinds[kind].prefix, NAME_DIGITS, number);
}

static void unfinished_name(enum segment_kind kind, uint64_t number, char *out)
{
    (void)snprintf(out, FILE_NAME_SIZE, "%s%0*" PRIu64 "%s", kinds[kind].prefix, NAME_DIGITS,
                   number, unfinished_suffix);
}

bool segment_number_of(enum segment_kind kind, const char *name, uint64_t *number)
{
    struct slice text = slice_from_text(name);
    struct slice start = slice_from_text(kinds[kind].prefix);
    char same[FILE_NAME_SIZE];

    if (!slice_starts_with(text, start) ||
        number_parse_u64(slice_from(text, start.size), UINT64_MAX, number) != SESS_OK) {
        return false;
    }
    /* One name for each number; 0 means none wherever a segment is named. */
    segment_name(kind, *number, same);
    return *number > 0 && slice_is(text, same);
}

bool segment_is_unfinished(const char *name)
{
    struct slice text = slice_from_text(name);
    struct slice end = slice_of(unfinished_suffix, sizeof unfinished_suffix - 1);
    char finished[FILE_NAME_SIZE];
    uint64_t number;

    if (text.size >= sizeof finished || !slice_ends_with(text, end)) {
        return false;
    }
    /* It will be removed: no other name may do. */
    memcpy(finished, name, text.size - end.size);
    finished[text.size - end.size] = '\0';
    return segment_number_of(SEGMENT_JOURNAL, finished, &number) ||
           segment_number_of(SEGMENT_CHECKPOINT, finished, &number);
}

static uint64_t header_checksum(const uint8_t *header)
{
    struct slice checked = slice_of(header, CHECKSUM_AT);

    return checksum_of(0, &checked, 1);
}

static void encode_header(const struct segment *segment, int64_t now_s, uint8_t *header)
{
    memset(header, 0, SEGMENT_HEADER_SIZE);
    memcpy(header, kinds[segment->kind].magic, MAGIC_SIZE);
    bytes_put_u32(header + VERSION_AT, SEGMENT_VERSION);
    bytes_put_u64(header + 40, segment->salt);
    bytes_put_u64(header + 48, segment->number);
    bytes_put_u64(header + 56, segment->size);
    bytes_put_u64(header + 64, (uint64_t)now_s);
    bytes_put_u64(header + CHECKSUM_AT, header_checksum(header));
}

/* A salt is random, so that no frame of another segment, or of this file's earlier life, holds here. */
static enum sess_status draw_salt(uint64_t *salt, struct sess_error *error)
{
    struct hash_key key;
    enum sess_status status = hash_key_draw(&key);

    if (status != SESS_OK) {
        return error_set(error, status, "cannot draw a random number for a journal file");
    }
    *salt = key.low;
    return SESS_OK;
}

static enum sess_status fill(struct segment *segment, int64_t now_s, struct sess_error *error)
{
    uint8_t header[SEGMENT_HEADER_SIZE];
    struct slice piece = slice_of(header, sizeof header);
    enum sess_status status =
        segment->size == 0 ? SESS_OK : file_allocate(&segment->file, segment->size, error);

    if (status == SESS_OK) {
        encode_header(segment, now_s, header);
        status = file_write(&segment->file, &piece, 1, 0, error);
    }
    return status;
}

/* What an earlier try left is of no use. */
static enum sess_status remove_left_over(struct directory *directory, const char *name,
                                         struct sess_error *error)
{
    enum sess_status status = directory_remove(directory, name, error);

    return status == SESS_NOT_FOUND ? SESS_OK : status;
}

enum sess_status segment_begin(struct directory *directory, int64_t now_s, struct segment *segment,
                               struct sess_error *error)
{
    char name[FILE_NAME_SIZE];
    enum sess_status status = draw_salt(&segment->salt, error);

    unfinished_name(segment->kind, segment->number, name);
    if (status == SESS_OK) {
        status = remove_left_over(directory, name, error);
    }
    if (status == SESS_OK) {
        status = file_open(directory, name, FILE_CREATE, &segment->file, error);
    }
    if (status != SESS_OK) {
        return status;
    }
    failpoint("segment.created");
    status = fill(segment, now_s, error);
    if (status != SESS_OK) {
        struct sess_error ignored;

        file_close(&segment->file);
        (void)!directory_remove(directory, name, &ignored);
    }
    return status;
}

enum sess_status segment_finish(struct segment *segment, struct sess_error *error)
{
    struct directory *directory = segment->file.directory;
    char name[FILE_NAME_SIZE];
    enum sess_status status = file_sync(&segment->file, error);

    segment_name(segment->kind, segment->number, name);
    failpoint("segment.synced");
    if (status == SESS_OK) {
        status = directory_rename(directory, segment->file.name, name, error);
    }
    failpoint("segment.renamed");
    if (status == SESS_OK) {
        memcpy(segment->file.name, name, sizeof name);
        status = directory_sync(directory, error);
    }
    failpoint("segment.named");
    return status;
}

static enum sess_status check_header(const struct segment *segment, const uint8_t *header,
                                     struct sess_error *error)
{
    const char *name = segment->file.name;

    if (memcmp(header, kinds[segment->kind].magic, MAGIC_SIZE) != 0) {
        return error_set(error, SESS_DAMAGED, "%s: is no %s of sessiond", name,
                         kinds[segment->kind].what);
    }
    /* Every version has this checksum at this place, so that a flipped bit is not taken for a version. */
    if (header_checksum(header) != bytes_u64(header + CHECKSUM_AT)) {
        return error_set(error, SESS_DAMAGED, "%s: its header, offset 0, is damaged", name);
    }
    if (bytes_u32(header + VERSION_AT) != SEGMENT_VERSION) {
        return error_set(error, SESS_REFUSED,
                         "%s: has format %" PRIu32 ", and this sessiond knows format %d: start the "
                         "version that wrote it; nothing was changed",
                         name, bytes_u32(header + VERSION_AT), SEGMENT_VERSION);
    }
    if (bytes_u32(header + 12) != 0 || bytes_u32(header + 20) != 0) {
        return error_set(error, SESS_REFUSED,
                         "%s: needs a feature that this sessiond does not know: start the version "
                         "that wrote it; nothing was changed",
                         name);
    }
    if (bytes_u64(header + 48) != segment->number) {
        return error_set(error, SESS_DAMAGED, "%s: holds the %s %" PRIu64, name,
                         kinds[segment->kind].what, bytes_u64(header + 48));
    }
    return SESS_OK;
}

enum sess_status segment_open_anyway(struct directory *directory, enum segment_kind kind,
                                     uint64_t number, struct segment *out,
                                     enum sess_status *verdict, struct sess_error *error)
{
    uint8_t header[SEGMENT_HEADER_SIZE];
    char name[FILE_NAME_SIZE];
    size_t got = 0;
    enum sess_status status;

    *out = (struct segment){.kind = kind, .number = number};
    segment_name(kind, number, name);
    status = file_open(directory, name, FILE_READ, &out->file, error);
    if (status != SESS_OK) {
        return status;
    }
    status = file_read(&out->file, header, sizeof header, 0, &got, error);
    memset(header + got, 0, sizeof header - got);
    if (status != SESS_OK) {
        file_close(&out->file);
        return status;
    }
    *verdict = check_header(out, header, error);
    out->salt = bytes_u64(header + 40);
    out->size = bytes_u64(header + 56);
    return SESS_OK;
}

enum sess_status segment_open(struct directory *directory, enum segment_kind kind, uint64_t number,
                              struct segment *out, struct sess_error *error)
{
    enum sess_status verdict = SESS_OK;
    enum sess_status status = segment_open_anyway(directory, kind, number, out, &verdict, error);

    if (status == SESS_OK && verdict != SESS_OK) {
        file_close(&out->file);
        status = verdict;
    }
    return status;
}
