/* Unit tests of dumps: what is written is read again, and nothing that was cut or changed is. */
#include "sessiond/journal/dump.h"

#include "sessiond/store/terms.h"

#include "suite_main.h"

#include <stdio.h>

/* A dump in memory. */
struct tape {
    struct buffer bytes;
    size_t position;
    size_t most;   /* bytes that one read gives */
    size_t n_left; /* bytes that still fit */
};

static enum sess_status tape_write(void *context, struct slice bytes, struct sess_error *error)
{
    struct tape *tape = context;

    if (bytes.size > tape->n_left) {
        return error_set(error, SESS_NO_SPACE, "the tape is full");
    }
    tape->n_left -= bytes.size;
    return buffer_append(&tape->bytes, bytes);
}

static enum sess_status tape_read(void *context, void *to, size_t size, size_t *got,
                                  struct sess_error *error)
{
    struct tape *tape = context;
    struct slice rest = slice_from(buffer_slice(&tape->bytes), tape->position);

    (void)error;
    *got = rest.size < size ? rest.size : size;
    *got = *got < tape->most ? *got : tape->most;
    memcpy(to, rest.data, *got);
    tape->position += *got;
    return SESS_OK;
}

static const char odd_key[] = "\x01 %/\xff~a-._";
static char long_key[DUMP_KEY_MAX];
static char large_value[200000];

static const struct dump_entry entries[] = {
    {{(const uint8_t *)"plain", 5}, {(const uint8_t *)"hello", 5}, 7, 1, 1000, {0}},
    {{(const uint8_t *)"END", 3},
     {NULL, 0},
     UINT32_MAX,
     UINT64_MAX - 1,
     STORE_NO_DEADLINE,
     {.is_clients_cas = true}},
    {{(const uint8_t *)odd_key, sizeof odd_key - 1},
     {(const uint8_t *)"\nEND 3 \0\n", 9},
     0,
     9,
     1,
     {.is_stale = true, .has_winner = true, .is_clients_cas = true}},
    {{(const uint8_t *)"held", 4}, {NULL, 0}, 0, 0, 12345, {.is_held = true}},
    {{(const uint8_t *)long_key, sizeof long_key},
     {(const uint8_t *)large_value, sizeof large_value},
     1,
     2,
     3,
     {.is_stale = true}},
};

enum { N_ENTRIES = sizeof entries / sizeof entries[0] };

static void write_tape(struct tape *tape)
{
    struct dump_writer writer;
    struct sess_error error;

    *tape = (struct tape){.most = SIZE_MAX, .n_left = SIZE_MAX};
    memset(long_key, '\xfe', sizeof long_key);
    memset(large_value, 'v', sizeof large_value);
    ck_assert_int_eq(dump_writer_begin(&writer, tape_write, tape, 1234, &error), SESS_OK);
    for (size_t i = 0; i < N_ENTRIES; i++) {
        ck_assert_int_eq(dump_writer_add(&writer, &entries[i], &error), SESS_OK);
    }
    ck_assert_int_eq(dump_writer_end(&writer, &error), SESS_OK);
    dump_writer_fini(&writer);
}

/* Read it to its end. Returns how that came, and counts the entries. */
static enum sess_status read_tape(struct tape *tape, size_t *n_entries, struct sess_error *error)
{
    struct dump_reader reader;
    struct dump_entry entry;
    enum sess_status status;

    tape->position = 0;
    *n_entries = 0;
    status = dump_reader_begin(&reader, tape_read, tape, error);
    while (status == SESS_OK) {
        status = dump_reader_next(&reader, &entry, error);
        if (status == SESS_OK && *n_entries < N_ENTRIES) {
            const struct dump_entry *wanted = &entries[*n_entries];

            HOT_ASSERT(slice_equal(entry.key, wanted->key));
            HOT_ASSERT(slice_equal(entry.value, wanted->value) || tape->most == 0);
            HOT_ASSERT(entry.flags == wanted->flags && entry.cas == wanted->cas);
            HOT_ASSERT(entry.deadline_s == wanted->deadline_s);
            HOT_ASSERT(entry.marks.is_stale == wanted->marks.is_stale);
            HOT_ASSERT(entry.marks.is_held == wanted->marks.is_held);
            HOT_ASSERT(entry.marks.has_winner == wanted->marks.has_winner);
            HOT_ASSERT(entry.marks.is_clients_cas == wanted->marks.is_clients_cas);
        }
        *n_entries += status == SESS_OK;
    }
    dump_reader_fini(&reader);
    return status;
}

START_TEST(it_is_read_as_it_was_written)
{
    const size_t pieces[] = {SIZE_MAX, 1, 7, 4096};
    struct tape tape;
    struct sess_error error;
    size_t n_entries;

    write_tape(&tape);
    for (size_t i = 0; i < 4; i++) {
        tape.most = pieces[i];
        ck_assert_int_eq(read_tape(&tape, &n_entries, &error), SESS_NOT_FOUND);
        ck_assert_uint_eq(n_entries, N_ENTRIES);
    }
    buffer_release(&tape.bytes);
}
END_TEST

START_TEST(its_form_is_fixed)
{
    const char head[] = "sessiond-dump 1 1234\nplain 7 1000 1 5\nhello\n"
                        "END 4294967295 0 18446744073709551614 0 E\n\n"
                        "%01%20%25%2F%FF~a-._ 0 1 9 9 XWE\n\nEND 3 \0\n\n"
                        "held 0 12345 0 0 H\n\n";
    struct tape tape;

    write_tape(&tape);
    ck_assert_mem_eq(tape.bytes.data, head, sizeof head - 1);
    ck_assert_mem_eq(tape.bytes.data + tape.bytes.size - 23, "END 5 ", 6);
    ck_assert_int_eq(tape.bytes.data[tape.bytes.size - 1], '\n');
    buffer_release(&tape.bytes);
}
END_TEST

START_TEST(one_that_was_cut_is_refused)
{
    struct tape tape;
    struct sess_error error;
    size_t n_entries;
    size_t whole;

    write_tape(&tape);
    whole = tape.bytes.size;
    for (size_t size = 0; size < whole; size += size + 3000 < whole && size > 200 ? 2999 : 1) {
        tape.bytes.size = size;
        HOT_ASSERT(read_tape(&tape, &n_entries, &error) == SESS_DAMAGED);
    }
    tape.bytes.size = whole;
    ck_assert_int_eq(buffer_append(&tape.bytes, SLICE_LITERAL("\n")), SESS_OK);
    ck_assert_int_eq(read_tape(&tape, &n_entries, &error), SESS_DAMAGED);
    buffer_release(&tape.bytes);
}
END_TEST

START_TEST(one_that_was_changed_is_refused)
{
    struct dump_writer writer;
    struct tape tape = {.most = SIZE_MAX, .n_left = SIZE_MAX};
    struct sess_error error;

    ck_assert_int_eq(dump_writer_begin(&writer, tape_write, &tape, 1234, &error), SESS_OK);
    ck_assert_int_eq(dump_writer_add(&writer, &entries[0], &error), SESS_OK);
    ck_assert_int_eq(dump_writer_end(&writer, &error), SESS_OK);
    dump_writer_fini(&writer);
    for (size_t bit = 0; bit < 8 * tape.bytes.size; bit++) {
        struct dump_reader reader;
        struct dump_entry entry;
        enum sess_status status;

        tape.bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        tape.position = 0;
        status = dump_reader_begin(&reader, tape_read, &tape, &error);
        while (status == SESS_OK) {
            status = dump_reader_next(&reader, &entry, &error);
        }
        HOT_ASSERT(status == SESS_DAMAGED || status == SESS_REFUSED);
        dump_reader_fini(&reader);
        tape.bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buffer_release(&tape.bytes);
}
END_TEST

START_TEST(another_format_is_refused)
{
    struct tape tape = {.most = SIZE_MAX, .n_left = SIZE_MAX};
    struct sess_error error;
    size_t n_entries;

    ck_assert_int_eq(buffer_append(&tape.bytes, SLICE_LITERAL("sessiond-dump 2 1234\n")), SESS_OK);
    ck_assert_int_eq(read_tape(&tape, &n_entries, &error), SESS_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.text, "format 2"));
    buffer_release(&tape.bytes);
}
END_TEST

START_TEST(lines_that_will_not_do)
{
    static const char *const lines[] = {
        "a 1 1 1",     "a 1 1 1 1 1",      " 1 1 1 1",           "% 1 1 1 1",
        "%4 1 1 1 1",  "%4g 1 1 1 1",      "a 4294967296 1 1 1", "a 1 -1 1 1",
        "a 1 1 0 1",   "a 1 1 1 67108865", "a 0 5 1 0 H",        "a 1 5 0 0 H",
        "a 0 0 0 0 H", "a 0 5 0 1 H",      "a 0 5 0 0 XH",       "a 0 5 0 0 HX",
    };
    struct sess_error error;
    size_t n_entries;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[128];
        struct tape tape = {.most = SIZE_MAX, .n_left = SIZE_MAX};

        (void)snprintf(text, sizeof text, "sessiond-dump 1 1\n%s\nx\nEND 1 0\n", lines[i]);
        ck_assert_int_eq(buffer_append(&tape.bytes, slice_from_text(text)), SESS_OK);
        ck_assert_int_eq(read_tape(&tape, &n_entries, &error), SESS_DAMAGED);
        ck_assert_ptr_nonnull(strstr(error.text, "a line that tells of a session is damaged"));
        buffer_release(&tape.bytes);
    }
}
END_TEST

START_TEST(a_sink_that_is_full_is_told)
{
    struct dump_writer writer;
    struct tape tape = {.n_left = 100};
    struct sess_error error;

    memset(long_key, 'k', sizeof long_key);
    ck_assert_int_eq(dump_writer_begin(&writer, tape_write, &tape, 1, &error), SESS_OK);
    ck_assert_int_eq(dump_writer_add(&writer, &entries[N_ENTRIES - 1], &error), SESS_NO_SPACE);
    dump_writer_fini(&writer);
    buffer_release(&tape.bytes);
}
END_TEST

SUITE_MAIN("journal/dump", it_is_read_as_it_was_written, its_form_is_fixed,
           one_that_was_cut_is_refused, one_that_was_changed_is_refused, another_format_is_refused,
           lines_that_will_not_do, a_sink_that_is_full_is_told)
