/* Unit tests of base64: the vectors of RFC 4648, every pair of bytes, and what is no base64. */
#include "sessiond/base/base64.h"

#include "suite_main.h"

static const struct {
    const char *text;
    const char *bytes;
} vectors[] = {
    {"Zg==", "f"},         {"Zm8=", "fo"},         {"Zm9v", "foo"},          {"Zm9vYg==", "foob"},
    {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}, {"+/+/", "\xfb\xff\xbf"},
};

START_TEST(test_vectors)
{
    uint8_t out[16];
    char text[16];
    size_t size = base64_decode(slice_from_text(vectors[_i].text), out);

    ck_assert(slice_equal(slice_of(out, size), slice_from_text(vectors[_i].bytes)));
    size = base64_encode(slice_from_text(vectors[_i].bytes), text);
    ck_assert(slice_equal(slice_of(text, size), slice_from_text(vectors[_i].text)));
}
END_TEST

/* A byte that is no letter, a length that is none, padding where there can be none, bits left over. */
static const char *const wrong[] = {
    "",     "Z",     "Zg",      "Zg=",      "Zm9vY",    "====",     "Z===",     "Zg==Zg==",
    "=g==", "Z=g=",  "Zm=v",    "Zh==",     "Zm9=",     "Zm9v====", "Zm9 ",     "Zm9-",
    "Zm9_", "Zm9\n", "Zm9\x80", "Zm9v\r\n", "Zm9vYm=r", " Zm9",     "Zm9vZ===", "Zm9vZg==Zg",
};

START_TEST(test_wrong)
{
    uint8_t out[16];

    ck_assert_uint_eq(base64_decode(slice_from_text(wrong[_i]), out), 0);
}
END_TEST

/* Each pair of bytes has one text: of all texts of its form 65,536 are right. */
START_TEST(test_each_pair_once)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static bool seen[1 << 16];
    size_t n_right = 0;
    char text[] = "...=";

    for (size_t i = 0; i < 64 * 64 * 64; i++) {
        uint8_t out[3];

        text[0] = letters[i >> 12];
        text[1] = letters[i >> 6 & 63];
        text[2] = letters[i & 63];
        if (base64_decode(slice_from_text(text), out) > 0) {
            size_t pair = (size_t)out[0] << 8 | out[1];

            ck_assert(!seen[pair]);
            seen[pair] = true;
            n_right++;
        }
    }
    ck_assert_uint_eq(n_right, 1 << 16);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/base64");
    TCase *facts = suite_case(suite, "base64");

    tcase_add_loop_test(facts, test_vectors, 0, sizeof vectors / sizeof vectors[0]);
    tcase_add_loop_test(facts, test_wrong, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_test(facts, test_each_pair_once);
    return suite_run(suite);
}
