/* Facts about protocol/scan: where runs of bytes end. */
#include "scan.h"

#include "suite.h"

#include <stdlib.h>

enum { LENGTH_MAX = 27 }; /* three words and a rest */

static bool is_no_blank(uint8_t byte)
{
    return byte != ' ';
}

static size_t count(struct slice text, bool (*is_inside)(uint8_t byte))
{
    size_t at = 0;

    while (at < text.size && is_inside(text.data[at])) {
        at++;
    }
    return at;
}

/* Whether both scans agree with a loop over single bytes. The text has a place of its own: a byte read behind it is
 * noticed by the address sanitizer. */
static void check_scans(const uint8_t *bytes, size_t size)
{
    uint8_t *place = malloc(size);
    struct slice text = slice_of(place, size);

    ck_assert(size == 0 || place != NULL);
    if (size > 0) {
        memcpy(place, bytes, size);
    }
    ck_assert_uint_eq(scan_to_blank(text), count(text, is_no_blank));
    ck_assert_uint_eq(scan_key(text), count(text, scan_is_of_key));
    free(place);
}

/* Every byte at every place of texts of every length, and one behind it that ends both. */
START_TEST(scans_end_where_a_loop_over_bytes_does)
{
    uint8_t bytes[LENGTH_MAX];
    size_t size = (size_t)_i;

    for (unsigned byte = 0; byte <= UINT8_MAX; byte++) {
        for (size_t at = 0; at < size; at++) {
            memset(bytes, 'k', size);
            bytes[at] = (uint8_t)byte;
            check_scans(bytes, size);
            bytes[size - 1] = ' ';
            check_scans(bytes, size);
        }
    }
    check_scans(bytes, size);
}
END_TEST

/* Bytes whose subtraction borrows from the next one. */
START_TEST(a_byte_in_front_of_an_end_is_not_one)
{
    static const char *const texts[] = {"!!!!!!! ", "\x80\x80\x80\x80\x80\x80\x80\x21 ",
                                        "~~~~~~~\x7f", "\xff\xff\xff\xff\xff\xff\xff\x20",
                                        "!\x20!!!!!!!"};

    check_scans((const uint8_t *)texts[_i], strlen(texts[_i]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol/scan");
    TCase *scans = suite_case(suite, "scan");

    tcase_add_loop_test(scans, scans_end_where_a_loop_over_bytes_does, 0, LENGTH_MAX);
    tcase_add_loop_test(scans, a_byte_in_front_of_an_end_is_not_one, 0, 5);
    return suite_run(suite);
}
