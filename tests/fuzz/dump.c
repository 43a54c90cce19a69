/* Fuzz target: dumps. Any bytes in any pieces: they are read as sessions or refused; what was read is written as
 * a dump that is whole and reads as the same.
 *
 * An input is a dump file. */
#include "fuzz.h"

#include "sessiond/journal/dump.h"

struct bytes {
    struct buffer buffer;
    struct slice rest; /* to be read */
    struct test_random random;
};

static enum sess_status give(void *context, void *to, size_t size, size_t *got,
                             struct sess_error *error)
{
    struct bytes *bytes = context;
    size_t most = 1 + (size_t)test_random_below(&bytes->random, 200);

    (void)error;
    *got = size < most ? size : most;
    *got = *got < bytes->rest.size ? *got : bytes->rest.size;
    if (*got > 0) {
        memcpy(to, bytes->rest.data, *got);
        bytes->rest = slice_from(bytes->rest, *got);
    }
    return SESS_OK;
}

static enum sess_status take(void *context, struct slice written, struct sess_error *error)
{
    struct bytes *bytes = context;

    (void)error;
    return buffer_append(&bytes->buffer, written);
}

static uint64_t digest_entry(uint64_t digest, const struct dump_entry *entry)
{
    FUZZ_CHECK(entry->key.size > 0 && entry->key.size <= DUMP_KEY_MAX);
    FUZZ_CHECK(entry->value.size <= DUMP_VALUE_MAX && entry->deadline_s > 0);
    digest = fuzz_digest(fuzz_digest_number(digest, entry->key.size), entry->key);
    digest = fuzz_digest(fuzz_digest_number(digest, entry->value.size), entry->value);
    digest = fuzz_digest_number(fuzz_digest_number(digest, entry->flags), entry->cas);
    return fuzz_digest_number(digest, (uint64_t)entry->deadline_s);
}

/* Read all that can be; `writer` gets a copy unless it is NULL. Returns how it ended. */
static enum sess_status read_all(struct slice input, struct dump_writer *writer, uint64_t *digest)
{
    struct bytes from = {.rest = input, .random = fuzz_random(input)};
    struct dump_reader reader;
    struct dump_entry entry;
    struct sess_error error = {.text = ""};
    enum sess_status status = dump_reader_begin(&reader, give, &from, &error);

    *digest = FUZZ_DIGEST_BEGIN;
    if (status != SESS_OK) {
        FUZZ_CHECK(error.text[0] != '\0');
        return status;
    }
    while ((status = dump_reader_next(&reader, &entry, &error)) == SESS_OK) {
        *digest = digest_entry(*digest, &entry);
        FUZZ_CHECK(writer == NULL || dump_writer_add(writer, &entry, &error) == SESS_OK);
    }
    FUZZ_CHECK(status == SESS_NOT_FOUND || error.text[0] != '\0');
    dump_reader_fini(&reader);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes copy = {.rest = {.size = 0}};
    struct dump_writer writer;
    struct sess_error error;
    uint64_t digest;
    uint64_t again;

    FUZZ_CHECK(dump_writer_begin(&writer, take, &copy, 1700000000, &error) == SESS_OK);
    (void)read_all(slice_of(data, size), &writer, &digest);
    FUZZ_CHECK(dump_writer_end(&writer, &error) == SESS_OK);
    dump_writer_fini(&writer);
    FUZZ_CHECK(read_all(slice_of(copy.buffer.data, copy.buffer.size), NULL, &again) ==
               SESS_NOT_FOUND);
    FUZZ_CHECK(digest == again);
    /* Without its last byte it is not whole. */
    FUZZ_CHECK(read_all(slice_of(copy.buffer.data, copy.buffer.size - 1), NULL, &again) !=
               SESS_NOT_FOUND);
    buffer_release(&copy.buffer);
    return 0;
}
