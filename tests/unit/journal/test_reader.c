/* Unit tests of reading a segment: frames wherever they may be, of any size, and nothing else. */
#include "written_journal.h"

#include "sessiond/base/bytes.h"

enum { SIZE = 4 << 20, LARGE = (2 << 20) + 100 };

/* A segment, and where the next frame is put. */
struct scene {
    struct written written;
    struct segment segment;
    uint64_t at;
    uint64_t sequence;
};

static void begin_sized(struct scene *scene, uint64_t size)
{
    *scene = (struct scene){.at = SEGMENT_HEADER_SIZE, .sequence = 7};
    written_prepare(&scene->written);
    ck_assert_int_eq(begin_segment(scene->written.directory, 1, size, FIXTURE_NOW_S,
                                   &scene->segment, &scene->written.error),
                     SESS_OK);
}

static void begin(struct scene *scene)
{
    begin_sized(scene, SIZE);
}

static void end(struct scene *scene)
{
    file_close(&scene->segment.file);
    written_end(&scene->written);
}

/* A frame with a body that is no record: the reader does not look into it. */
static void put(struct scene *scene, uint64_t at, size_t body_size)
{
    uint8_t *bytes = calloc(1, FRAME_HEAD_SIZE + body_size);
    struct slice piece = slice_of(bytes, FRAME_HEAD_SIZE + body_size);
    struct frame frame = {.sequence = scene->sequence++, .body_size = (uint32_t)body_size};

    memset(bytes + FRAME_HEAD_SIZE, (int)frame.sequence, body_size);
    frame_encode(&frame, scene->segment.salt, bytes, &piece, 1);
    ck_assert_int_eq(file_write(&scene->segment.file, &piece, 1, at, &scene->written.error),
                     SESS_OK);
    free(bytes);
    scene->at = at + frame_size(body_size);
}

static void begin_reading(struct scene *scene)
{
    ck_assert_int_eq(reader_begin(&scene->written.reader, &scene->segment, &scene->written.error),
                     SESS_OK);
}

static enum sess_status next(struct scene *scene, struct frame_read *read)
{
    return reader_next(&scene->written.reader, UINT64_MAX, read, &scene->written.error);
}

static void expect(struct scene *scene, uint64_t sequence, uint64_t at, size_t body_size)
{
    struct frame_read read;

    ck_assert_int_eq(next(scene, &read), SESS_OK);
    ck_assert_uint_eq(read.frame.sequence, sequence);
    ck_assert_uint_eq(read.at, at);
    ck_assert_uint_eq(read.body.size, body_size);
    for (size_t i = 0; i < body_size; i++) {
        HOT_ASSERT(read.body.data[i] == sequence);
    }
}

static void expect_end(struct scene *scene)
{
    struct frame_read read;
    uint64_t at = scene->written.reader.at;

    ck_assert_int_eq(next(scene, &read), SESS_NOT_FOUND);
    ck_assert_uint_eq(scene->written.reader.at, at);
}

START_TEST(frames_are_read_behind_each_other_and_at_blocks)
{
    struct scene scene;

    begin(&scene);
    put(&scene, SEGMENT_HEADER_SIZE, 1);
    put(&scene, SEGMENT_HEADER_SIZE + 56, 0);
    put(&scene, 2 * FRAME_BLOCK, FRAME_BLOCK - FRAME_HEAD_SIZE);
    put(&scene, 3 * FRAME_BLOCK, 5000);
    put(&scene, 5 * FRAME_BLOCK, 8);
    begin_reading(&scene);
    expect(&scene, 7, SEGMENT_HEADER_SIZE, 1);
    expect(&scene, 8, SEGMENT_HEADER_SIZE + 56, 0);
    expect(&scene, 9, 2 * FRAME_BLOCK, FRAME_BLOCK - FRAME_HEAD_SIZE);
    expect(&scene, 10, 3 * FRAME_BLOCK, 5000);
    expect(&scene, 11, 5 * FRAME_BLOCK, 8);
    expect_end(&scene);
    end(&scene);
}
END_TEST

START_TEST(frames_are_not_looked_for_elsewhere)
{
    struct scene scene;

    begin(&scene);
    put(&scene, SEGMENT_HEADER_SIZE, 1);
    put(&scene, SEGMENT_HEADER_SIZE + 64, 1);
    put(&scene, 3 * FRAME_BLOCK, 1);
    begin_reading(&scene);
    expect(&scene, 7, SEGMENT_HEADER_SIZE, 1);
    expect_end(&scene);
    end(&scene);
}
END_TEST

START_TEST(another_sequence_is_not_the_next)
{
    struct scene scene;

    begin(&scene);
    put(&scene, SEGMENT_HEADER_SIZE, 1);
    scene.sequence++;
    put(&scene, scene.at, 1);
    begin_reading(&scene);
    expect(&scene, 7, SEGMENT_HEADER_SIZE, 1);
    expect_end(&scene);
    end(&scene);
}
END_TEST

/* Of a small file no more memory than its size, of a large one 1 MiB. */
START_TEST(the_window_is_no_larger_than_its_file)
{
    static const struct {
        uint64_t size;
        size_t window;
    } rows[] = {{16 << 10, 16 << 10}, {1 << 20, 1 << 20}, {SIZE, 1 << 20}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene;

        begin_sized(&scene, rows[i].size);
        put(&scene, SEGMENT_HEADER_SIZE, 100);
        put(&scene, rows[i].size - FRAME_HEAD_SIZE - 104, 100);
        begin_reading(&scene);
        expect(&scene, 7, SEGMENT_HEADER_SIZE, 100);
        ck_assert_uint_eq(scene.written.reader.window.capacity, rows[i].window);
        scene.written.reader.at = rows[i].size - FRAME_HEAD_SIZE - 104;
        expect(&scene, 8, rows[i].size - FRAME_HEAD_SIZE - 104, 100);
        end(&scene);
    }
}
END_TEST

START_TEST(a_frame_larger_than_the_window_is_read)
{
    struct scene scene;

    begin(&scene);
    put(&scene, SEGMENT_HEADER_SIZE, 100);
    put(&scene, scene.at, LARGE);
    put(&scene, scene.at, 100);
    begin_reading(&scene);
    expect(&scene, 7, SEGMENT_HEADER_SIZE, 100);
    expect(&scene, 8, scene.written.reader.at, LARGE);
    expect(&scene, 9, scene.written.reader.at, 100);
    expect_end(&scene);
    end(&scene);
}
END_TEST

START_TEST(frames_at_all_places_of_the_window_are_read)
{
    struct scene scene;
    uint64_t n = 0;

    begin(&scene);
    for (; scene.at < SIZE - 10000; n++) {
        put(&scene, scene.at, 1 + n * 37 % 5000);
    }
    begin_reading(&scene);
    for (uint64_t i = 0; i < n; i++) {
        struct frame_read read;

        HOT_ASSERT(next(&scene, &read) == SESS_OK);
        HOT_ASSERT(read.frame.sequence == 7 + i && read.body.size == 1 + i * 37 % 5000);
    }
    expect_end(&scene);
    end(&scene);
}
END_TEST

START_TEST(nothing_beyond_the_limit_is_read)
{
    struct scene scene;
    struct frame_read read;
    struct sess_error error;

    begin(&scene);
    put(&scene, SEGMENT_HEADER_SIZE, 8);
    begin_reading(&scene);
    ck_assert_int_eq(reader_next(&scene.written.reader, SEGMENT_HEADER_SIZE + 55, &read, &error),
                     SESS_NOT_FOUND);
    ck_assert_int_eq(reader_next(&scene.written.reader, SEGMENT_HEADER_SIZE + 56, &read, &error),
                     SESS_OK);
    end(&scene);
}
END_TEST

START_TEST(a_search_finds_frames_at_every_multiple_of_8)
{
    struct scene scene;
    struct frame_read read;
    struct sess_error error;
    uint64_t at = SEGMENT_HEADER_SIZE;
    uint64_t places[] = {SEGMENT_HEADER_SIZE + 8, SEGMENT_HEADER_SIZE + 1000,
                         (1 << 20) + SEGMENT_HEADER_SIZE - 24, SIZE - 56};

    begin(&scene);
    for (size_t i = 0; i < 4; i++) {
        put(&scene, places[i], 8);
    }
    begin_reading(&scene);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(reader_search(&scene.written.reader, &at, &read, &error), SESS_OK);
        ck_assert_uint_eq(read.at, places[i]);
        ck_assert_uint_eq(read.frame.sequence, 7 + i);
        ck_assert_uint_eq(at, places[i] + 56);
    }
    ck_assert_int_eq(reader_search(&scene.written.reader, &at, &read, &error), SESS_NOT_FOUND);
    end(&scene);
}
END_TEST

/* Whoever stores sessions knows what a head looks like: 100,000 of them, each of a frame that is all the rest
 * of the file. */
START_TEST(a_search_does_not_read_what_looks_like_a_frame)
{
    struct scene scene;
    struct frame_read read;
    struct sess_error error;
    uint64_t at = SEGMENT_HEADER_SIZE;
    size_t size = 800000;
    uint8_t *bytes = malloc(size);
    struct slice piece = slice_of(bytes, size);
    unsigned n_reads;

    begin(&scene);
    for (size_t i = 0; i < size; i += 8) {
        bytes_put_u32(bytes + i, 0x4d524653U);
        bytes_put_u32(bytes + i + 4, (uint32_t)(SIZE - 900000));
    }
    ck_assert_int_eq(file_write(&scene.segment.file, &piece, 1, at, &error), SESS_OK);
    begin_reading(&scene);
    n_reads = memory_directory_calls(scene.written.memory, MEMORY_READ);
    ck_assert_int_eq(reader_search(&scene.written.reader, &at, &read, &error), SESS_NOT_FOUND);
    n_reads = memory_directory_calls(scene.written.memory, MEMORY_READ) - n_reads;
    ck_assert_uint_le(n_reads, 2 * (SIZE >> 20) + 2);
    ck_assert_uint_eq(scene.written.reader.dirty_to, SEGMENT_HEADER_SIZE + size);
    free(bytes);
    end(&scene);
}
END_TEST

START_TEST(a_failed_read_is_no_end)
{
    struct scene scene;
    struct frame_read read;

    begin(&scene);
    put(&scene, SEGMENT_HEADER_SIZE, 8);
    begin_reading(&scene);
    memory_directory_fail(scene.written.memory, MEMORY_READ, 1, SESS_IO);
    ck_assert_int_eq(next(&scene, &read), SESS_IO);
    end(&scene);
}
END_TEST

SUITE_MAIN("journal/reader", frames_are_read_behind_each_other_and_at_blocks,
           frames_are_not_looked_for_elsewhere, another_sequence_is_not_the_next,
           the_window_is_no_larger_than_its_file, a_frame_larger_than_the_window_is_read,
           frames_at_all_places_of_the_window_are_read, nothing_beyond_the_limit_is_read,
           a_search_finds_frames_at_every_multiple_of_8,
           a_search_does_not_read_what_looks_like_a_frame, a_failed_read_is_no_end)
