/* Fuzz target: recovery. Any journal files and checkpoints: a start goes on or refuses and then has changed
 * nothing; a look (sessionctl check) says the same; a second start finds what the first one left.
 *
 * An input is a list of parts, so that checksums are right unless it wants them wrong:
 *     J or C, number, faults              a file begins; its header
 *     F, faults, offset / 8 (2 bytes), sequence (4), durable (4), time (4), records, size (2), body
 *                                         a frame in it; offset 0: where the last one ends
 *     Z, offset (2), size, bytes          these bytes, whatever is there
 * Numbers are little-endian; other bytes are skipped. seeds.py writes such inputs from true directories. */
#include "fuzz.h"

#include "checksum.h"
#include "frame.h"
#include "memory_directory.h"
#include "recovery.h"
#include "sessiond/base/bytes.h"
#include "sessiond/journal/inspect.h"
#include "sessiond/store/store.h"
#include "sessiond/store/walk.h"

enum {
    FILES_MAX = 8,
    FILE_SIZE_MAX = 64 << 10,
    FILE_SIZE_MIN = 4 * FRAME_BLOCK,
    FRAMES_END = FILE_SIZE_MAX - SEGMENT_SEAL_ROOM,
    FAULT_CHECKSUM = 1,
    FAULT_VERSION = 2,
    FAULT_NUMBER = 4,
    PART_FILE_SIZE = 3,
    PART_FRAME_SIZE = 19,
    PART_BYTES_SIZE = 4,
    NOW_S = 1800000000,
    N_SHARDS = 2, /* a store of many takes longer to make than all that an input does */
};

struct made_file {
    enum segment_kind kind;
    uint64_t number;
    uint8_t faults;
    size_t end; /* of what was put there */
    uint8_t *bytes;
};

struct made {
    struct made_file files[FILES_MAX];
    size_t n_files;
};

static uint64_t salt_of(const struct made_file *file)
{
    return UINT64_C(0x5e551000d) * (file->number + 1);
}

/* As segment.h has it. */
static void put_header(struct made_file *file)
{
    static const char *const magics[] = {"SESSJRNL", "SESSCKPT"};
    struct slice checked = slice_of(file->bytes, SEGMENT_HEADER_SIZE - 8);

    memcpy(file->bytes, magics[file->kind], 8);
    bytes_put_u32(file->bytes + 8, (file->faults & FAULT_VERSION) != 0 ? 2 : SEGMENT_VERSION);
    bytes_put_u64(file->bytes + 40, salt_of(file));
    bytes_put_u64(file->bytes + 48, file->number + ((file->faults & FAULT_NUMBER) != 0));
    bytes_put_u64(file->bytes + 56, file->kind == SEGMENT_JOURNAL ? FILE_SIZE_MIN : 0);
    bytes_put_u64(file->bytes + 64, NOW_S - 1000);
    bytes_put_u64(file->bytes + SEGMENT_HEADER_SIZE - 8,
                  checksum_of(0, &checked, 1) ^ (file->faults & FAULT_CHECKSUM));
}

static size_t begin_file(struct made *made, struct slice part)
{
    struct made_file *file = &made->files[made->n_files];

    if (part.size < PART_FILE_SIZE || made->n_files == FILES_MAX) {
        return part.size;
    }
    *file = (struct made_file){
        .kind = part.data[0] == 'J' ? SEGMENT_JOURNAL : SEGMENT_CHECKPOINT,
        .number = part.data[1],
        .faults = part.data[2],
        .end = SEGMENT_HEADER_SIZE,
        .bytes = calloc(1, FILE_SIZE_MAX),
    };
    FUZZ_CHECK(file->bytes != NULL);
    put_header(file);
    made->n_files++;
    return PART_FILE_SIZE;
}

static size_t put_frame(struct made_file *file, struct slice part)
{
    const uint8_t *in = part.data;
    struct frame frame;
    struct slice pieces[2];
    size_t at;
    uint8_t *head;

    if (part.size < PART_FRAME_SIZE) {
        return part.size;
    }
    frame = (struct frame){.sequence = bytes_u32(in + 4),
                           .durable = bytes_u32(in + 8),
                           .time_s = bytes_u32(in + 12),
                           .n_records = in[16],
                           .body_size = bytes_u16(in + 17)};
    if (frame.body_size > part.size - PART_FRAME_SIZE) {
        frame.body_size = (uint32_t)(part.size - PART_FRAME_SIZE);
    }
    at = bytes_u16(in + 2) == 0 ? file->end : (size_t)bytes_u16(in + 2) * FRAME_ALIGN;
    if (at <= FRAMES_END - frame_size(frame.body_size)) {
        head = file->bytes + at;
        memcpy(head + FRAME_HEAD_SIZE, in + PART_FRAME_SIZE, frame.body_size);
        pieces[0] = slice_of(head, FRAME_HEAD_SIZE);
        pieces[1] = slice_of(head + FRAME_HEAD_SIZE, frame.body_size);
        frame_encode(&frame, salt_of(file), head, pieces, 2);
        head[0] ^= in[1] & FAULT_CHECKSUM;
        file->end = at + frame_size(frame.body_size);
    }
    return PART_FRAME_SIZE + frame.body_size;
}

static size_t put_bytes(struct made_file *file, struct slice part)
{
    size_t at;
    size_t size;

    if (part.size < PART_BYTES_SIZE) {
        return part.size;
    }
    at = bytes_u16(part.data + 1) % (FILE_SIZE_MIN + FRAME_BLOCK);
    size = part.data[3];
    size = size < part.size - PART_BYTES_SIZE ? size : part.size - PART_BYTES_SIZE;
    memcpy(file->bytes + at, part.data + PART_BYTES_SIZE, size);
    return PART_BYTES_SIZE + size;
}

static size_t put_part(struct made *made, struct slice part)
{
    struct made_file *last = made->n_files == 0 ? NULL : &made->files[made->n_files - 1];

    if (part.data[0] == 'J' || part.data[0] == 'C') {
        return begin_file(made, part);
    }
    if (part.data[0] == 'F' && last != NULL) {
        return put_frame(last, part);
    }
    return part.data[0] == 'Z' && last != NULL ? put_bytes(last, part) : 1;
}

/* A directory of what the input says; of two files of one name the first one. */
static struct memory_directory *make_directory(struct slice input)
{
    struct memory_directory *memory = memory_directory_create();
    struct made made = {.n_files = 0};
    char name[FILE_NAME_SIZE];
    size_t present;

    FUZZ_CHECK(memory != NULL);
    while (input.size > 0) {
        input = slice_from(input, put_part(&made, input));
    }
    for (size_t i = 0; i < made.n_files; i++) {
        struct made_file *file = &made.files[i];
        size_t size = file->kind == SEGMENT_CHECKPOINT
                          ? file->end
                          : frame_round(file->end, FRAME_BLOCK) + SEGMENT_SEAL_ROOM;

        segment_name(file->kind, file->number, name);
        if (memory_directory_bytes(memory, name, &present) == NULL) {
            FUZZ_CHECK(memory_directory_add(memory, name, slice_of(file->bytes, size)) != 0);
        }
        free(file->bytes);
    }
    return memory;
}

/* All files with their names. */
static uint64_t digest_files(struct memory_directory *memory)
{
    struct memory_file *files;
    size_t n_files;
    uint64_t digest = FUZZ_DIGEST_BEGIN;

    FUZZ_CHECK(memory_directory_copy(memory, &files, &n_files));
    for (size_t i = 0; i < n_files; i++) {
        digest = fuzz_digest(digest, slice_from_text(files[i].name));
        digest = fuzz_digest_number(digest, files[i].size);
        digest ^= checksum_of(i, &(struct slice){files[i].bytes, files[i].size}, 1);
    }
    memory_files_free(files, n_files);
    return digest;
}

/* What a start has found. */
struct sight {
    enum sess_status status;
    size_t n_sessions;
    uint64_t sessions; /* digest of all of them, in no order */
    int64_t time_s;
    int64_t flush_at_s;
    char text[ERROR_TEXT_SIZE];
};

static uint64_t digest_session(struct slice key, struct slice value, uint32_t flags,
                               int64_t deadline_s)
{
    uint64_t digest = fuzz_digest(FUZZ_DIGEST_BEGIN, key);

    digest = fuzz_digest(fuzz_digest_number(digest, key.size), value);
    return fuzz_digest_number(fuzz_digest_number(digest, flags), (uint64_t)deadline_s);
}

static void see_entry(void *context, const struct store_image *image, struct value_block *block)
{
    struct sight *sight = context;

    (void)block;
    sight->n_sessions += !image->marks.is_held;
    sight->sessions +=
        digest_session(image->key, image->value, image->flags,
                       image->marks.asked_s != 0 ? image->marks.asked_s : image->deadline_s);
}

static void see_store(struct store *store, struct sight *sight)
{
    struct store_walk walk = {.shard = 0};

    while (store_walk_step(store, &walk, FILE_SIZE_MAX, see_entry, sight)) {
    }
}

/* As a process starts. */
static void start(struct memory_directory *memory, struct sight *sight)
{
    struct budget data;
    struct budget in_flight;
    struct store_config config = {.max_value_bytes = 1 << 20,
                                  .data = &data,
                                  .in_flight = &in_flight,
                                  .hash_key = {.low = 1, .high = 2},
                                  .first_cas = 1,
                                  .now_s = NOW_S,
                                  .n_shards = N_SHARDS};
    struct recovery recovery = {
        .directory = memory_directory_base(memory), .now_s = NOW_S, .segment_size = FILE_SIZE_MIN};
    struct writer writer;
    struct recovered found;
    struct sess_error error = {.text = ""};

    *sight = (struct sight){.n_sessions = 0};
    budget_init(&data, (size_t)8 << 20);
    budget_init(&in_flight, (size_t)1 << 20);
    FUZZ_CHECK(store_create(&config, &recovery.store) == SESS_OK);
    sight->status = recovery_run(&recovery, &writer, &found, &error);
    if (sight->status == SESS_OK) {
        sight->time_s = found.time_s > NOW_S ? found.time_s : NOW_S;
        sight->flush_at_s = found.flush_at_s;
        store_begin(recovery.store, sight->time_s, found.highest_cas + RECOVERY_CAS_JUMP,
                    found.flush_at_s);
        see_store(recovery.store, sight);
        writer_fini(&writer);
    }
    memcpy(sight->text, error.text, sizeof sight->text);
    store_destroy(&recovery.store);
}

static enum sess_status see_inspected(void *context, const struct inspected_session *session)
{
    struct sight *sight = context;

    sight->n_sessions += !session->marks.is_held;
    sight->sessions +=
        digest_session(session->key, session->value, session->flags, session->deadline_s);
    return SESS_OK;
}

/* As `sessionctl check` looks. */
static void inspect(struct memory_directory *memory, struct sight *sight)
{
    struct inspect_config config = {.directory = memory_directory_base(memory), .now_s = NOW_S};
    struct inspector *inspector;
    struct sess_error error = {.text = ""};

    *sight = (struct sight){.status = inspect_verdict(config.directory, &error)};
    memcpy(sight->text, error.text, sizeof sight->text);
    if (inspector_create(&config, &inspector, &error) != SESS_OK) {
        FUZZ_CHECK(sight->status != SESS_OK);
        return;
    }
    FUZZ_CHECK(inspector_visit(inspector, see_inspected, sight, &error) == SESS_OK);
    FUZZ_CHECK(inspector_found(inspector)->n_sessions == sight->n_sessions);
    sight->flush_at_s = inspector_found(inspector)->flush_at_s;
    inspector_destroy(&inspector);
}

static void check_same(const struct sight *a, const struct sight *b)
{
    FUZZ_CHECK(a->n_sessions == b->n_sessions && a->sessions == b->sessions);
    FUZZ_CHECK(a->flush_at_s == b->flush_at_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory_directory *memory = make_directory(slice_of(data, size));
    struct directory *directory = memory_directory_base(memory);
    uint64_t before = digest_files(memory);
    struct sight looked;
    struct sight first;
    struct sight second;

    inspect(memory, &looked);
    FUZZ_CHECK(digest_files(memory) == before);
    start(memory, &first);
    if (first.status != looked.status) {
        (void)fprintf(stderr, "a look: %d %s\na start: %d %s\n", looked.status, looked.text,
                      first.status, first.text);
    }
    FUZZ_CHECK(first.status == looked.status);
    if (first.status != SESS_OK) {
        FUZZ_CHECK(first.text[0] != '\0');
        FUZZ_CHECK(digest_files(memory) == before);
    } else {
        start(memory, &second);
        FUZZ_CHECK(second.status == SESS_OK);
        check_same(&first, &second);
    }
    directory_destroy(&directory);
    return 0;
}
