/* Fuzz target: records of the journal. Any bytes as a frame's body: each record is read or refused, lies within
 * them, and is written again as the same bytes.
 *
 * An input is a body. */
#include "fuzz.h"

#include "record.h"

/* What a writer would have made of it. */
static void check_same(const struct record *record, struct slice bytes)
{
    uint8_t head[RECORD_HEAD_MAX];
    size_t size = record_encode(record, head);

    FUZZ_CHECK(size + record->value.size == bytes.size);
    FUZZ_CHECK(slice_equal(slice_of(head, size), slice_first(bytes, size)));
    FUZZ_CHECK(slice_equal(record->value, slice_from(bytes, size)));
    FUZZ_CHECK(size == record_size(record->type) + record->key.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(slice_of(data, size));
    struct slice rest = slice_of(copy, size);
    struct record record;
    size_t used;

    while (rest.size > 0 && record_decode(rest, &record, &used) == SESS_OK) {
        FUZZ_CHECK(used > 0 && used <= rest.size);
        check_same(&record, slice_first(rest, used));
        rest = slice_from(rest, used);
    }
    free(copy);
    return 0;
}
