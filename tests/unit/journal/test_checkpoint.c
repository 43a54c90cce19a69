/* Unit tests of checkpoints as files: what is written comes back, and nothing that is damaged does. */
#include "written_journal.h"

#include "checkpoint.h"

#include "sessiond/store/walk.h"

enum { LARGE = STORE_COPY_MAX + 1000, FAR_S = FIXTURE_NOW_S + WRITTEN_LIFE_S };

static bool go_on(void *context)
{
    (void)context;
    return true;
}

static bool give_up(void *context)
{
    return --*(unsigned *)context > 0;
}

/* Write one, with its END and its name. Returns the first status that is not OK. */
static enum sess_status take(struct directory *directory, struct store *store, uint64_t number,
                             const struct record *end, struct sess_error *error)
{
    struct batch batch;
    struct checkpoint checkpoint = {.directory = directory,
                                    .store = store,
                                    .batch = &batch,
                                    .rest = go_on,
                                    .number = number,
                                    .now_s = FIXTURE_NOW_S};
    enum sess_status status;

    ck_assert_int_eq(batch_init(&batch, WRITTEN_BATCH), SESS_OK);
    status = checkpoint_write(&checkpoint, error);
    if (status == SESS_OK) {
        status = checkpoint_end(&checkpoint, end, error);
        if (status == SESS_OK) {
            status = segment_finish(&checkpoint.segment, error);
        }
        if (status == SESS_OK) {
            file_close(&checkpoint.segment.file);
        } else {
            checkpoint_drop(&checkpoint);
        }
    }
    ck_assert_uint_eq(batch.facts.n_records, 0);
    batch_fini(&batch);
    return status;
}

static const struct record plain_end = {
    .sequence = 1, .segment = 1, .last = 1, .cas = 77, .deadline_s = STORE_NO_DEADLINE};

/* What was loaded. */
struct loaded {
    struct record end;
    struct recovered found; /* checkpoint: its number */
    struct sess_error error;
};

static enum sess_status load_with(struct reader *reader, struct directory *directory,
                                  struct store *store, struct loaded *out)
{
    *out = (struct loaded){.found = {.checkpoint = 0}};
    return checkpoint_load(directory, store, reader, &out->end, &out->found, &out->error);
}

static enum sess_status load(struct directory *directory, struct store *store, struct loaded *out)
{
    struct reader reader = {.segment = NULL};
    enum sess_status status = load_with(&reader, directory, store, out);

    reader_fini(&reader);
    return status;
}

/* ---- what is written comes back ---- */

static void write_value(struct store_fixture *fixture, unsigned number, size_t size)
{
    static uint8_t value[1 << 20];

    memset(value, (int)('a' + number % 26), size);
    HOT_ASSERT(fixture_write_slice(fixture, STORE_SET, fixture_numbered(number),
                                   slice_of(value, size), number, FAR_S) == SESS_OK);
}

static void check_value(struct store_fixture *fixture, unsigned number, size_t size, uint64_t cas)
{
    struct seen seen = fixture_look(fixture, fixture_numbered(number));

    HOT_ASSERT(seen.status == SESS_OK && seen.size == size && seen.flags == number);
    HOT_ASSERT(seen.cas == cas && (size == 0 || seen.value[0] == (char)('a' + number % 26)));
}

/* Sizes by number. */
static const struct {
    unsigned n_keys;
    size_t sizes[3];
} stores[] = {
    {0, {0}},
    {1, {10, 10, 10}},
    {3000, {0, 100, 700}},
    {120, {LARGE, LARGE, LARGE}},          /* more than one frame takes */
    {20, {1 << 20, LARGE, 5}},             /* a frame is larger than a batch, by far */
    {400, {STORE_COPY_MAX, 16000, LARGE}}, /* a bucket is */
};

START_TEST(what_is_written_comes_back)
{
    struct written written;
    struct store_fixture first;
    struct store_fixture second;
    struct loaded loaded;

    written_prepare(&written);
    fixture_open(&first);
    fixture_open(&second);
    for (unsigned i = 0; i < stores[_i].n_keys; i++) {
        write_value(&first, i, stores[_i].sizes[i % 3]);
    }
    ck_assert_int_eq(take(written.directory, first.store, 3, &plain_end, &written.error), SESS_OK);
    ck_assert_int_eq(load(written.directory, second.store, &loaded), SESS_OK);
    ck_assert_uint_eq(loaded.found.checkpoint, 3);
    ck_assert_uint_eq(loaded.end.offset, stores[_i].n_keys);
    ck_assert_uint_eq(loaded.end.cas, 77);
    ck_assert_int_eq(loaded.end.deadline_s, STORE_NO_DEADLINE);
    ck_assert_int_eq(loaded.found.time_s, FIXTURE_NOW_S);
    store_begin(second.store, FIXTURE_NOW_S, 1 << 20, STORE_NO_DEADLINE);
    for (unsigned i = 0; i < stores[_i].n_keys; i++) {
        check_value(&second, i, stores[_i].sizes[i % 3],
                    fixture_look(&first, fixture_numbered(i)).cas);
    }
    ck_assert_uint_eq(store_get_facts(second.store).live_bytes,
                      store_get_facts(first.store).live_bytes);
    fixture_close(&first);
    fixture_close(&second);
    written_end(&written);
}
END_TEST

START_TEST(what_does_not_fit_memory_is_told)
{
    struct written written;
    struct store_fixture first;
    struct store_fixture small;
    struct loaded loaded;

    written_prepare(&written);
    fixture_open(&first);
    fixture_prepare(&small);
    budget_init(&small.data, (size_t)8 << 20);
    fixture_start(&small);
    for (unsigned i = 0; i < 100; i++) {
        write_value(&first, i, 1 << 20);
    }
    ck_assert_int_eq(take(written.directory, first.store, 1, &plain_end, &written.error), SESS_OK);
    ck_assert_int_eq(load(written.directory, small.store, &loaded), SESS_OUT_OF_RANGE);
    ck_assert_ptr_nonnull(strstr(loaded.error.text, "checkpoint-000000000001"));
    ck_assert_ptr_nonnull(strstr(loaded.error.text, "raise memory"));
    fixture_close(&first);
    fixture_close(&small);
    written_end(&written);
}
END_TEST

/* ---- what is not finished ---- */

static const struct {
    enum memory_call call;
    enum sess_status status;
} failures[] = {
    {MEMORY_CREATE, SESS_NO_SPACE}, {MEMORY_CREATE, SESS_IO}, {MEMORY_WRITE, SESS_NO_SPACE},
    {MEMORY_WRITE, SESS_LIMIT},     {MEMORY_WRITE, SESS_IO},  {MEMORY_SYNC, SESS_IO},
    {MEMORY_RENAME, SESS_NO_SPACE}, {MEMORY_RENAME, SESS_IO}, {MEMORY_SYNC_DIRECTORY, SESS_IO},
};

enum { TRIES_MAX = 1000 };

START_TEST(nothing_is_left_of_one_whose_nth_call_fails)
{
    struct written written;
    struct store_fixture fixture;
    struct loaded loaded;
    enum sess_status status = SESS_IO;
    unsigned n = 0;

    written_prepare(&written);
    fixture_open(&fixture);
    ck_assert_int_eq(take(written.directory, fixture.store, 1, &plain_end, &written.error),
                     SESS_OK);
    for (unsigned i = 0; i < 600; i++) {
        write_value(&fixture, i, LARGE);
    }
    while (status != SESS_OK) {
        n += n == 0 ? 1 : SUITE_STEP;
        memory_directory_fail(written.memory, failures[_i].call, n, failures[_i].status);
        status = take(written.directory, fixture.store, 2, &plain_end, &written.error);
        ck_assert(status == failures[_i].status || (status == SESS_OK && n > 1));
        ck_assert_uint_eq(memory_directory_count(written.memory), status == SESS_OK ? 2 : 1);
        ck_assert_int_eq(load(written.directory, NULL, &loaded), SESS_OK);
        ck_assert_uint_eq(loaded.found.checkpoint, status == SESS_OK ? 2 : 1);
        /* Names whose sync failed are not synced again in the same life. */
        memory_directory_restart(written.memory);
        ck_assert_uint_lt(n, TRIES_MAX);
    }
    fixture_close(&fixture);
    written_end(&written);
}
END_TEST

START_TEST(nothing_is_left_of_one_that_is_given_up)
{
    struct written written;
    struct store_fixture fixture;
    struct batch batch;
    unsigned n_rests = 5;
    struct checkpoint checkpoint = {.batch = &batch, .rest = give_up, .context = &n_rests};

    written_prepare(&written);
    fixture_open(&fixture);
    ck_assert_int_eq(batch_init(&batch, WRITTEN_BATCH), SESS_OK);
    write_value(&fixture, 1, LARGE);
    checkpoint.directory = written.directory;
    checkpoint.store = fixture.store;
    checkpoint.number = 1;
    ck_assert_int_eq(checkpoint_write(&checkpoint, &written.error), SESS_CLOSED);
    ck_assert_uint_eq(n_rests, 0);
    ck_assert_uint_eq(memory_directory_count(written.memory), 0);
    batch_fini(&batch);
    fixture_close(&fixture);
    written_end(&written);
}
END_TEST

START_TEST(others_are_removed)
{
    struct written written;
    struct store_fixture fixture;
    struct loaded loaded;

    written_prepare(&written);
    fixture_open(&fixture);
    for (uint64_t number = 1; number <= 3; number++) {
        ck_assert_int_eq(take(written.directory, fixture.store, number, &plain_end, &written.error),
                         SESS_OK);
    }
    ck_assert_int_eq(checkpoint_remove_others(written.directory, 2, &written.error), SESS_OK);
    ck_assert_uint_eq(memory_directory_count(written.memory), 1);
    ck_assert_int_eq(load(written.directory, NULL, &loaded), SESS_OK);
    ck_assert_uint_eq(loaded.found.checkpoint, 2);
    ck_assert_int_eq(checkpoint_remove_others(written.directory, 0, &written.error), SESS_OK);
    ck_assert_uint_eq(memory_directory_count(written.memory), 0);
    ck_assert_int_eq(load(written.directory, NULL, &loaded), SESS_OK);
    ck_assert_uint_eq(loaded.found.checkpoint, 0);
    ck_assert_uint_eq(loaded.end.segment, 0);
    fixture_close(&fixture);
    written_end(&written);
}
END_TEST

/* ---- damage ---- */

/* A journal, an older checkpoint in the middle of it and a newer one at its end. */
struct scene {
    struct written written;
    struct memory_file *files;
    size_t n_files;
    struct memory_file *older;
    struct memory_file *newer;
    struct memory_file *journal;
    struct reader reader; /* kept from look to look: it has a large window */
};

static void take_now(struct written *written, uint64_t number)
{
    struct store_fixture fixture;
    struct recovered ignored;
    struct writer writer;
    struct recovery recovery;
    struct memory_file *files;
    size_t n_files;
    struct memory_directory *copy = memory_directory_create();
    struct directory *base = memory_directory_base(copy);
    struct record end = {.sequence = written->writer.next_sequence,
                         .segment = written->writer.current.number,
                         .last = written->writer.next_sequence - 1,
                         .cas = written->cas,
                         .deadline_s = STORE_NO_DEADLINE};

    /* A store like that of the journal, recovered from a copy. */
    fixture_open(&fixture);
    ck_assert(memory_directory_copy(written->memory, &files, &n_files));
    for (size_t i = 0; i < n_files; i++) {
        ck_assert_uint_ne(
            memory_directory_add(copy, files[i].name, slice_of(files[i].bytes, files[i].size)), 0);
    }
    recovery = (struct recovery){.directory = base,
                                 .store = fixture.store,
                                 .now_s = FIXTURE_NOW_S,
                                 .segment_size = 4 * FRAME_BLOCK};
    ck_assert_int_eq(recovery_run(&recovery, &writer, &ignored, &written->error), SESS_OK);
    writer_fini(&writer);
    store_begin(fixture.store, FIXTURE_NOW_S, 1 << 20, STORE_NO_DEADLINE);
    ck_assert_int_eq(take(written->directory, fixture.store, number, &end, &written->error),
                     SESS_OK);
    memory_files_free(files, n_files);
    directory_destroy(&base);
    fixture_close(&fixture);
}

static struct memory_file *find(struct scene *scene, const char *name)
{
    for (size_t i = 0; i < scene->n_files; i++) {
        if (strcmp(scene->files[i].name, name) == 0) {
            return &scene->files[i];
        }
    }
    ck_abort_msg("no %s", name);
}

static void begin_scene(struct scene *scene)
{
    struct written *written = &scene->written;

    scene->reader = (struct reader){.segment = NULL};
    written_begin(written);
    written_set(written, 0, 10, FAR_S);
    written_set(written, 1, 40, STORE_NO_DEADLINE);
    written_commit(written);
    written_sync(written);
    take_now(written, 4);
    written_change(written, RECORD_DELETE, 0, 0);
    written_set(written, 2, 30, FAR_S);
    written_commit(written);
    written_sync(written);
    take_now(written, 5);
    written_set(written, 3, 5, FAR_S);
    written_commit(written);
    written_stop(written);
    ck_assert(memory_directory_copy(written->memory, &scene->files, &scene->n_files));
    scene->older = find(scene, "checkpoint-000000000004");
    scene->newer = find(scene, "checkpoint-000000000005");
    scene->journal = find(scene, "journal-000000000001");
}

static void end_scene(struct scene *scene)
{
    reader_fini(&scene->reader);
    memory_files_free(scene->files, scene->n_files);
    written_end(&scene->written);
}

/* The scene's files, as they are now, in a directory; NULLed names are left out. */
static struct directory *lay_out(const struct scene *scene, bool has_older, bool has_journal)
{
    struct memory_directory *memory = memory_directory_create();

    for (size_t i = 0; i < scene->n_files; i++) {
        const struct memory_file *file = &scene->files[i];

        if ((file != scene->older || has_older) && (file != scene->journal || has_journal)) {
            HOT_ASSERT(
                memory_directory_add(memory, file->name, slice_of(file->bytes, file->size)) != 0);
        }
    }
    return memory_directory_base(memory);
}

static enum sess_status look(struct scene *scene, bool has_older, struct loaded *loaded)
{
    struct directory *directory = lay_out(scene, has_older, true);
    enum sess_status status = load_with(&scene->reader, directory, NULL, loaded);

    directory_destroy(&directory);
    return status;
}

/* Recover it all; if that works it is the whole state. */
static enum sess_status recover(const struct scene *scene, bool has_older, bool has_journal,
                                struct recovered *found)
{
    struct directory *directory = lay_out(scene, has_older, has_journal);
    struct store_fixture fixture;
    struct sess_error error;
    struct writer writer;
    struct recovery recovery = {
        .directory = directory, .now_s = FIXTURE_NOW_S, .segment_size = 4 * FRAME_BLOCK};
    enum sess_status status;

    fixture_open(&fixture);
    recovery.store = fixture.store;
    status = recovery_run(&recovery, &writer, found, &error);
    if (status == SESS_OK) {
        writer_fini(&writer);
        store_on_mutation(fixture.store, NULL, NULL);
        written_check(&fixture, &scene->written.state);
    }
    directory_destroy(&directory);
    fixture_close(&fixture);
    return status;
}

START_TEST(the_newest_is_read_and_the_journal_from_its_begin)
{
    struct scene scene;
    struct recovered found;

    begin_scene(&scene);
    ck_assert_int_eq(recover(&scene, true, true, &found), SESS_OK);
    ck_assert_uint_eq(found.checkpoint, 5);
    ck_assert_uint_eq(found.n_images, 2);
    /* What is in front of the begin is read, and not applied. */
    ck_assert_uint_eq(found.n_records, 1);
    end_scene(&scene);
}
END_TEST

/* Bytes that no checksum covers: what fills a frame up to a multiple of 8. */
static bool is_filling(const struct memory_file *file, size_t at)
{
    size_t from = SEGMENT_HEADER_SIZE;

    while (from < file->size) {
        uint32_t body_size = 0;
        size_t end;

        for (unsigned i = 0; i < 4; i++) {
            body_size |= (uint32_t)file->bytes[from + 12 + i] << 8 * i;
        }
        end = from + FRAME_HEAD_SIZE + body_size;
        if (at >= end && at < from + frame_size(body_size)) {
            return true;
        }
        from += (size_t)frame_size(body_size);
    }
    return false;
}

START_TEST(every_flipped_bit_is_noticed)
{
    struct scene scene;
    struct loaded loaded;

    begin_scene(&scene);
    for (size_t bit = 0; bit < 8 * scene.newer->size; bit += SUITE_STEP) {
        bool is_free = is_filling(scene.newer, bit / 8);

        scene.newer->bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (is_free) {
            HOT_ASSERT(look(&scene, true, &loaded) == SESS_OK && loaded.found.checkpoint == 5);
        } else {
            HOT_ASSERT(look(&scene, false, &loaded) == SESS_DAMAGED);
            HOT_ASSERT(strstr(loaded.error.text, "checkpoint-000000000005") != NULL);
            HOT_ASSERT(look(&scene, true, &loaded) == SESS_OK && loaded.found.checkpoint == 4);
        }
        scene.newer->bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    end_scene(&scene);
}
END_TEST

START_TEST(one_that_is_cut_anywhere_is_damaged)
{
    struct scene scene;
    struct loaded loaded;
    size_t size;
    size_t whole;

    begin_scene(&scene);
    size = scene.newer->size;
    for (whole = size; is_filling(scene.newer, whole - 1); whole--) {
    }
    for (size_t cut = 0; cut < whole; cut += SUITE_STEP) {
        enum sess_status status;

        scene.newer->size = cut;
        status = look(&scene, false, &loaded);
        if (status != SESS_DAMAGED) {
            ck_abort_msg("cut at %zu: %d", cut, (int)status);
        }
        HOT_ASSERT(look(&scene, true, &loaded) == SESS_OK && loaded.found.checkpoint == 4);
    }
    scene.newer->size = size;
    end_scene(&scene);
}
END_TEST

/* Of what a damaged one told nothing stays; the older one with its journal is as good. */
START_TEST(the_older_one_is_used_with_its_journal)
{
    struct scene scene;
    struct recovered found;

    begin_scene(&scene);
    /* In its END: all entries were read by then. */
    scene.newer->bytes[scene.newer->size - 20] ^= 1;
    ck_assert_int_eq(recover(&scene, true, true, &found), SESS_OK);
    ck_assert_uint_eq(found.checkpoint, 4);
    scene.older->bytes[SEGMENT_HEADER_SIZE + FRAME_HEAD_SIZE + 3] ^= 1;
    ck_assert_int_eq(recover(&scene, true, true, &found), SESS_DAMAGED);
    scene.newer->bytes[scene.newer->size - 20] ^= 1;
    ck_assert_int_eq(recover(&scene, true, true, &found), SESS_OK);
    ck_assert_uint_eq(found.checkpoint, 5);
    end_scene(&scene);
}
END_TEST

START_TEST(without_the_journal_of_its_begin_it_is_damage)
{
    struct scene scene;
    struct recovered found;

    begin_scene(&scene);
    ck_assert_int_eq(recover(&scene, true, false, &found), SESS_DAMAGED);
    scene.newer->bytes[scene.newer->size - 20] ^= 1;
    ck_assert_int_eq(recover(&scene, true, false, &found), SESS_DAMAGED);
    end_scene(&scene);
}
END_TEST

/* All of the journal behind the older checkpoint's begin is lost, and no mark tells. */
START_TEST(a_journal_that_ends_before_its_checkpoint_is_damage)
{
    struct scene scene;
    struct recovered found;

    begin_scene(&scene);
    memset(scene.journal->bytes + (size_t)2 * FRAME_BLOCK, 0,
           scene.journal->size - (size_t)2 * FRAME_BLOCK);
    ck_assert_int_eq(recover(&scene, true, true, &found), SESS_DAMAGED);
    end_scene(&scene);
}
END_TEST

/* A checkpoint whose END is wrong, though all checksums hold: looked at, or loaded into a store. */
static enum sess_status load_odd(uint64_t n_more, bool has_end, bool is_look)
{
    struct written written;
    struct store_fixture fixture;
    struct store_fixture second;
    struct batch batch;
    struct loaded loaded;
    struct checkpoint checkpoint = {.batch = &batch, .rest = go_on, .number = 1};
    enum sess_status status;

    written_prepare(&written);
    fixture_open(&fixture);
    fixture_open(&second);
    ck_assert_int_eq(batch_init(&batch, WRITTEN_BATCH), SESS_OK);
    write_value(&fixture, 1, 10);
    checkpoint.directory = written.directory;
    checkpoint.store = fixture.store;
    ck_assert_int_eq(checkpoint_write(&checkpoint, &written.error), SESS_OK);
    checkpoint.n_entries += n_more;
    if (has_end) {
        ck_assert_int_eq(checkpoint_end(&checkpoint, &plain_end, &written.error), SESS_OK);
    }
    ck_assert_int_eq(segment_finish(&checkpoint.segment, &written.error), SESS_OK);
    file_close(&checkpoint.segment.file);
    status = load(written.directory, is_look ? NULL : second.store, &loaded);
    batch_fini(&batch);
    fixture_close(&fixture);
    fixture_close(&second);
    written_end(&written);
    return status;
}

START_TEST(without_its_end_or_with_another_count_it_is_damaged)
{
    bool is_look = _i == 0;

    ck_assert_int_eq(load_odd(0, true, is_look), SESS_OK);
    ck_assert_int_eq(load_odd(0, false, is_look), SESS_DAMAGED);
    ck_assert_int_eq(load_odd(1, true, is_look), SESS_DAMAGED);
    ck_assert_int_eq(load_odd(UINT64_MAX, true, is_look), SESS_DAMAGED);
    /* It takes no memory for entries that the file has no room for. */
    ck_assert_int_eq(load_odd((uint64_t)1 << 50, true, is_look), SESS_DAMAGED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal/checkpoint");
    TCase *facts = suite_case(suite, "checkpoint");

    tcase_set_timeout(facts, 0);
    tcase_add_loop_test(facts, what_is_written_comes_back, 0, SUITE_ROWS(stores));
    tcase_add_test(facts, what_does_not_fit_memory_is_told);
    tcase_add_loop_test(facts, nothing_is_left_of_one_whose_nth_call_fails, 0,
                        SUITE_ROWS(failures));
    tcase_add_test(facts, nothing_is_left_of_one_that_is_given_up);
    tcase_add_test(facts, others_are_removed);
    tcase_add_test(facts, the_newest_is_read_and_the_journal_from_its_begin);
    tcase_add_test(facts, every_flipped_bit_is_noticed);
    tcase_add_test(facts, one_that_is_cut_anywhere_is_damaged);
    tcase_add_test(facts, the_older_one_is_used_with_its_journal);
    tcase_add_test(facts, without_the_journal_of_its_begin_it_is_damage);
    tcase_add_test(facts, a_journal_that_ends_before_its_checkpoint_is_damage);
    tcase_add_loop_test(facts, without_its_end_or_with_another_count_it_is_damaged, 0, 2);
    return suite_run(suite);
}
