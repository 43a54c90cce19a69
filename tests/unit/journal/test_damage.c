/* Damage to a small journal, all of it there can be: every cut, every flipped bit, every file that is
 * missing, empty, doubled or another one.
 *
 * The oracle knows where each frame is, and so which are whole: nothing behind the first that is not may
 * come back, and where a whole frame's mark says that it had been synced, nothing at all does. */
#include "written_journal.h"

#include <stdio.h>

enum { SEED = 0x5e55, FRAMES_EACH = 3 };

/* The journal, its bytes as they were, and the one with the damage. */
struct scene {
    struct written written;
    struct memory_file *files;
    size_t n_files;
    bool *is_seen; /* by frames: a store was looked at with this as the last one */
    size_t n_ok;
    size_t n_refused;
    size_t n_stores;
};

static void write_frames(struct written *written, struct test_random *random)
{
    for (size_t i = 0; i < FRAMES_EACH; i++) {
        written_fill(written, random);
        written_commit(written);
        if (i % 2 == 1) {
            written_sync(written);
        }
    }
}

/* Until the next segment is begun. */
static void fill_segment(struct written *written, struct test_random *random)
{
    uint64_t number = written->writer.current.number;
    unsigned n = 0;

    while (written->writer.current.number == number) {
        written_fill(written, random);
        written_commit(written);
        if (n++ % 2 == 0) {
            written_sync(written);
        }
        ck_assert_uint_lt(written->writer.next_sequence, WRITTEN_FRAMES_MAX);
    }
}

static void copy(struct scene *scene)
{
    written_survey(&scene->written);
    written_stop(&scene->written);
    ck_assert(memory_directory_copy(scene->written.memory, &scene->files, &scene->n_files));
    scene->is_seen = calloc(WRITTEN_FRAMES_MAX, sizeof *scene->is_seen);
}

/* Segments: a full one with its seal, one with a tail that was not synced, one that was made ahead. */
static void write_running(struct scene *scene)
{
    struct test_random random = {SEED};
    struct written *written = &scene->written;

    written_begin(written);
    written_make_next(written);
    fill_segment(written, &random);
    written_seal(written);
    written_make_next(written);
    write_frames(written, &random);
    copy(scene);
}

/* Segments: one that a start went on from, and the new one with what that start copied. */
static void write_restarted(struct scene *scene)
{
    struct test_random random = {SEED + 1};
    struct written *written = &scene->written;

    written_begin(written);
    write_frames(written, &random);
    written_fill(written, &random);
    written_commit(written);
    written_stop(written);
    ck_assert_int_eq(written_recover(written, NULL), SESS_OK);
    ck_assert_uint_gt(written->found.n_kept, 0);
    written_fill(written, &random);
    written_commit(written);
    copy(scene);
}

static void end(struct scene *scene)
{
    memory_files_free(scene->files, scene->n_files);
    free(scene->is_seen);
    written_end(&scene->written);
}

static uint8_t *bytes_of(struct scene *scene, size_t file, size_t *size)
{
    return (uint8_t *)(uintptr_t)memory_directory_bytes(scene->written.memory,
                                                        scene->files[file].name, size);
}

static size_t file_of_segment(const struct scene *scene, uint64_t number)
{
    char name[FILE_NAME_SIZE];

    segment_name(SEGMENT_JOURNAL, number, name);
    for (size_t i = 0; i < scene->n_files; i++) {
        if (strcmp(scene->files[i].name, name) == 0) {
            return i;
        }
    }
    ck_abort_msg("no file %s", name);
}

/* Whether bytes are what they were. */
static bool is_whole(struct scene *scene, size_t file, uint64_t at, uint64_t size)
{
    size_t present;
    const uint8_t *bytes = bytes_of(scene, file, &present);

    return at + size <= present && memcmp(bytes + at, scene->files[file].bytes + at, size) == 0;
}

static bool is_frame_whole(struct scene *scene, const struct written_frame *frame)
{
    return is_whole(scene, file_of_segment(scene, frame->segment), frame->at, frame->size);
}

/* What must come of it: the number of frames that hold, seals not counted, or -1 for damage. */
static int expect(struct scene *scene, size_t *last)
{
    const struct written *written = &scene->written;
    size_t n = 0;
    int n_held = 0;
    uint64_t next;

    for (size_t i = 0; i < scene->n_files; i++) {
        if (!is_whole(scene, i, 0, SEGMENT_HEADER_SIZE)) {
            return -1;
        }
    }
    *last = 0;
    for (; n < written->n_frames; n++) {
        const struct written_frame *frame = &written->frames[n];

        if (frame->is_seal) {
            continue;
        }
        if (!is_frame_whole(scene, frame)) {
            break;
        }
        *last = n;
        n_held++;
    }
    if (n_held == 0) {
        return -1;
    }
    next = written->frames[*last].sequence + 1;
    for (size_t i = *last + 1; i < written->n_frames; i++) {
        const struct written_frame *frame = &written->frames[i];
        bool ends_segment = frame->is_seal && i == *last + 1;

        if (n < written->n_frames && is_frame_whole(scene, frame) &&
            (frame->durable >= next || ends_segment)) {
            return -1;
        }
    }
    return n_held;
}

static enum sess_status replay(struct scene *scene, struct store *store, struct replay *out)
{
    struct written *written = &scene->written;
    struct chain chain;
    enum sess_status status =
        chain_load(&chain, written->directory, &written->reader, &written->error);

    *out = (struct replay){.directory = written->directory,
                           .store = store,
                           .chain = &chain,
                           .reader = &written->reader};
    if (status == SESS_OK) {
        status = replay_run(out, &written->error);
        chain_fini(&chain);
    }
    return status;
}

/* The same with a store, which must hold what the last frame left. */
static void look(struct scene *scene, size_t last)
{
    struct store_fixture fixture;
    struct replay replayed;

    fixture_prepare(&fixture);
    budget_init(&fixture.data, (size_t)8 << 20);
    fixture_start(&fixture);
    store_on_mutation(fixture.store, NULL, NULL);
    HOT_ASSERT(replay(scene, fixture.store, &replayed) == SESS_OK);
    HOT_ASSERT(replayed.result.flush_at_s == scene->written.frames[last].after.flush_at_s);
    written_check(&fixture, &scene->written.frames[last].after);
    fixture_close(&fixture);
    scene->is_seen[last] = true;
    scene->n_stores++;
}

/* Recover, with the damage as it is, and compare with the oracle. */
static void check(struct scene *scene, bool must_look)
{
    struct replay replayed;
    size_t last;
    int n_held = expect(scene, &last);
    enum sess_status status = replay(scene, NULL, &replayed);

    if (n_held < 0) {
        HOT_ASSERT(status == SESS_DAMAGED);
        HOT_ASSERT(strstr(scene->written.error.text, "journal-") != NULL);
        scene->n_refused++;
        return;
    }
    HOT_ASSERT(status == SESS_OK);
    HOT_ASSERT(replayed.result.n_frames == (uint64_t)n_held);
    HOT_ASSERT(replayed.next_sequence == scene->written.frames[last].sequence + 1);
    scene->n_ok++;
    if (must_look || !scene->is_seen[last]) {
        look(scene, last);
    }
}

/* Whether a header's checksum, or a word that is not 0, is there: of the space in between, which is only
 * searched for frames, one bit of each byte tells as much as all. */
static bool is_written(const struct scene *scene, size_t file, uint64_t at)
{
    const uint8_t *word = scene->files[file].bytes + at / FRAME_ALIGN * FRAME_ALIGN;
    static const uint8_t zeros[FRAME_ALIGN];

    return memcmp(word, zeros, sizeof zeros) != 0;
}

static bool is_in_a_frame(const struct scene *scene, size_t file, uint64_t at)
{
    for (size_t i = 0; i < scene->written.n_frames; i++) {
        const struct written_frame *frame = &scene->written.frames[i];

        if (file_of_segment(scene, frame->segment) == file && at >= frame->at &&
            at < frame->at + frame->size) {
            return true;
        }
    }
    return false;
}

static void flip_all(struct scene *scene, size_t file)
{
    size_t size;
    uint8_t *bytes = bytes_of(scene, file, &size);

    for (size_t i = 0; i < size; i++) {
        bool must_look = is_in_a_frame(scene, file, i);

        for (unsigned bit = 0; bit < 8; bit++) {
            if ((8 * i + bit) % SUITE_STEP != 0 ||
                (bit != i % 8 && !must_look && !is_written(scene, file, i))) {
                continue;
            }
            bytes[i] ^= (uint8_t)(1U << bit);
            check(scene, must_look && bit == i % 8);
            bytes[i] ^= (uint8_t)(1U << bit);
        }
    }
}

/* Undo whatever was done to a file. */
static void restore(struct scene *scene, size_t i)
{
    struct written *written = &scene->written;
    struct slice piece = slice_of(scene->files[i].bytes, scene->files[i].size);
    struct file file;
    enum sess_status status =
        file_open(written->directory, scene->files[i].name, FILE_CHANGE, &file, &written->error);

    if (status == SESS_NOT_FOUND) {
        HOT_ASSERT(memory_directory_add(written->memory, scene->files[i].name, piece) != 0);
        return;
    }
    HOT_ASSERT(status == SESS_OK);
    HOT_ASSERT(file_truncate(&file, piece.size, &written->error) == SESS_OK);
    HOT_ASSERT(file_write(&file, &piece, 1, 0, &written->error) == SESS_OK);
    file_close(&file);
}

static void cut(struct scene *scene, size_t i, uint64_t size)
{
    struct written *written = &scene->written;
    struct file file;

    HOT_ASSERT(file_open(written->directory, scene->files[i].name, FILE_CHANGE, &file,
                         &written->error) == SESS_OK);
    HOT_ASSERT(file_truncate(&file, size, &written->error) == SESS_OK);
    file_close(&file);
}

static void (*const writers[])(struct scene *scene) = {write_running, write_restarted};

static void tell(const char *what, const struct scene *scene)
{
    printf("figure: %s: %zu recovered, %zu refused, %zu stores compared\n", what, scene->n_ok,
           scene->n_refused, scene->n_stores);
}

START_TEST(no_flipped_bit_is_believed)
{
    struct scene scene = {.n_ok = 0};

    writers[_i](&scene);
    check(&scene, true);
    ck_assert_uint_eq(scene.n_ok, 1);
    for (size_t i = 0; i < scene.n_files; i++) {
        flip_all(&scene, i);
    }
    tell("flipped bits", &scene);
    ck_assert_uint_gt(SUITE_STEP * scene.n_refused, SEGMENT_HEADER_SIZE * scene.n_files);
    end(&scene);
}
END_TEST

enum filling { CUT, ZEROS_IN_BLOCK, ZEROS, GARBAGE_IN_BLOCK, GARBAGE, FILLINGS };

static void tear(struct scene *scene, size_t file, size_t at, enum filling filling,
                 struct test_random *random)
{
    bool is_in_block = filling == ZEROS_IN_BLOCK || filling == GARBAGE_IN_BLOCK;
    size_t size;
    uint8_t *bytes = bytes_of(scene, file, &size);
    size_t to = is_in_block ? (size_t)frame_round(at, FRAME_BLOCK) : size;

    if (filling == CUT) {
        cut(scene, file, at);
        return;
    }
    for (size_t i = at; i < to; i++) {
        bytes[i] =
            filling == ZEROS || filling == ZEROS_IN_BLOCK ? 0 : (uint8_t)test_random_next(random);
    }
}

static uint64_t end_of_frames(const struct scene *scene)
{
    const struct written_frame *last = &scene->written.frames[scene->written.n_frames - 1];

    return last->at + last->size;
}

START_TEST(a_torn_tail_is_cut_at_every_offset)
{
    struct scene scene = {.n_ok = 0};
    struct test_random random = {SEED};
    size_t file;
    size_t size;

    writers[_i / FILLINGS](&scene);
    file = file_of_segment(&scene, scene.written.frames[scene.written.n_frames - 1].segment);
    size = scene.files[file].size;
    /* Far behind the last frame all places are alike. */
    for (size_t at = 0; at <= size;
         at += at < end_of_frames(&scene) + FRAME_BLOCK ? SUITE_STEP : 61) {
        tear(&scene, file, at, (enum filling)(_i % FILLINGS), &random);
        check(&scene, at % 499 == 0);
        restore(&scene, file);
    }
    tell("torn tails", &scene);
    ck_assert_uint_gt(SUITE_STEP * scene.n_ok, 100);
    ck_assert_uint_gt(SUITE_STEP * scene.n_refused, 100);
    end(&scene);
}
END_TEST

/* A start, and then another one: what the first has found is what there is. */
static void recover_twice(struct scene *scene, const struct written_state *state)
{
    struct written again = scene->written;

    for (unsigned i = 0; i < 2; i++) {
        struct store_fixture fixture;

        fixture_open(&fixture);
        ck_assert_int_eq(written_recover(&again, fixture.store), SESS_OK);
        store_on_mutation(fixture.store, NULL, NULL);
        written_check(&fixture, state);
        fixture_close(&fixture);
        written_stop(&again);
    }
}

static void replace_all(struct scene *scene)
{
    struct written *written = &scene->written;

    directory_destroy(&written->directory);
    written->memory = memory_directory_create();
    written->directory = memory_directory_base(written->memory);
    for (size_t i = 0; i < scene->n_files; i++) {
        restore(scene, i);
    }
}

START_TEST(a_second_recovery_gives_the_same)
{
    struct scene scene = {.n_ok = 0};
    struct test_random random = {SEED};
    size_t n_tried = 0;
    size_t file;

    writers[_i / FILLINGS](&scene);
    file = file_of_segment(&scene, scene.written.frames[scene.written.n_frames - 1].segment);
    for (size_t at = SEGMENT_HEADER_SIZE; at <= scene.files[file].size; at += 701 * SUITE_STEP) {
        size_t last;

        tear(&scene, file, at, (enum filling)(_i % FILLINGS), &random);
        if (expect(&scene, &last) >= 0) {
            recover_twice(&scene, &scene.written.frames[last].after);
            replace_all(&scene);
            n_tried++;
        } else {
            restore(&scene, file);
        }
    }
    ck_assert_uint_gt(SUITE_STEP * n_tried, 5);
    end(&scene);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal/damage");
    TCase *facts = suite_case(suite, "damage");
    int n_writers = SUITE_ROWS(writers);

    tcase_set_timeout(facts, 0);
    tcase_add_loop_test(facts, no_flipped_bit_is_believed, 0, n_writers);
    tcase_add_loop_test(facts, a_torn_tail_is_cut_at_every_offset, 0, n_writers * FILLINGS);
    tcase_add_loop_test(facts, a_second_recovery_gives_the_same, 0, n_writers * FILLINGS);
    return suite_run(suite);
}
