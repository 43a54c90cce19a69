/* Facts about base/number: checked 64-bit numbers, sizes and times, both ways. */
#include "sessiond/base/number.h"

#include "suite.h"

#include <inttypes.h>
#include <stdio.h>

enum { UNTOUCHED = 4711 };

struct u64_fact {
    const char *text;
    uint64_t max;
    enum sess_status status;
    uint64_t value;
};

static const struct u64_fact u64_facts[] = {
    {"0", UINT64_MAX, SESS_OK, 0},
    {"00", UINT64_MAX, SESS_OK, 0},
    {"7", UINT64_MAX, SESS_OK, 7},
    {"0000000000000000000000000000000000000042", UINT64_MAX, SESS_OK, 42},
    {"4294967295", UINT32_MAX, SESS_OK, UINT32_MAX},
    {"4294967296", UINT32_MAX, SESS_OUT_OF_RANGE, 0},
    {"4294967296", UINT64_MAX, SESS_OK, 4294967296U},
    {"9223372036854775807", UINT64_MAX, SESS_OK, INT64_MAX},
    {"9223372036854775808", UINT64_MAX, SESS_OK, (uint64_t)INT64_MAX + 1},
    {"18446744073709551614", UINT64_MAX, SESS_OK, UINT64_MAX - 1},
    {"18446744073709551615", UINT64_MAX, SESS_OK, UINT64_MAX},
    /* The addition of the last digit wraps. */
    {"18446744073709551616", UINT64_MAX, SESS_OUT_OF_RANGE, 0},
    {"18446744073709551620", UINT64_MAX, SESS_OUT_OF_RANGE, 0},
    /* The multiplication wraps; modulo 2^64 this one is 0. */
    {"184467440737095516160", UINT64_MAX, SESS_OUT_OF_RANGE, 0},
    {"123456789012345678901234567890", UINT64_MAX, SESS_OUT_OF_RANGE, 0},
    {"0", 0, SESS_OK, 0},
    {"1", 0, SESS_OUT_OF_RANGE, 0},
    {"", UINT64_MAX, SESS_INVALID, 0},
    {" ", UINT64_MAX, SESS_INVALID, 0},
    {" 1", UINT64_MAX, SESS_INVALID, 0},
    {"1 ", UINT64_MAX, SESS_INVALID, 0},
    {"1 2", UINT64_MAX, SESS_INVALID, 0},
    {"\t1", UINT64_MAX, SESS_INVALID, 0},
    {"+1", UINT64_MAX, SESS_INVALID, 0},
    {"-1", UINT64_MAX, SESS_INVALID, 0},
    {"-0", UINT64_MAX, SESS_INVALID, 0},
    {"0x10", UINT64_MAX, SESS_INVALID, 0},
    {"1e3", UINT64_MAX, SESS_INVALID, 0},
    {"1.0", UINT64_MAX, SESS_INVALID, 0},
    {"12a", UINT64_MAX, SESS_INVALID, 0},
    {"/", UINT64_MAX, SESS_INVALID, 0},
    {":", UINT64_MAX, SESS_INVALID, 0},
    /* No number at all, though its digits would be out of range. */
    {"123456789012345678901234567890x", UINT64_MAX, SESS_INVALID, 0},
};

/* One row of the table above. */
START_TEST(u64_row)
{
    const struct u64_fact *fact = &u64_facts[_i];
    uint64_t value = UNTOUCHED;

    ck_assert_msg(number_parse_u64(slice_from_text(fact->text), fact->max, &value) == fact->status,
                  "'%s' up to %" PRIu64, fact->text, fact->max);
    ck_assert_uint_eq(value, fact->status == SESS_OK ? fact->value : UNTOUCHED);
}
END_TEST

/* A slice in the middle of digits. */
START_TEST(u64_reads_no_further_than_the_slice)
{
    uint64_t value = 0;

    ck_assert_int_eq(number_parse_u64(slice_of("12345", 2), UINT64_MAX, &value), SESS_OK);
    ck_assert_uint_eq(value, 12);
    ck_assert_int_eq(number_parse_u64(slice_of(NULL, 0), UINT64_MAX, &value), SESS_INVALID);
    ck_assert_int_eq(number_parse_u64(slice_of("1\0002", 3), UINT64_MAX, &value), SESS_INVALID);
}
END_TEST

struct i64_fact {
    const char *text;
    enum sess_status status;
    int64_t value;
};

static const struct i64_fact i64_facts[] = {
    {"0", SESS_OK, 0},
    {"1", SESS_OK, 1},
    {"-1", SESS_OK, -1},
    {"-0001", SESS_OK, -1},
    {"2147483648", SESS_OK, 2147483648},
    {"-2147483649", SESS_OK, -2147483649},
    {"9223372036854775806", SESS_OK, INT64_MAX - 1},
    {"9223372036854775807", SESS_OK, INT64_MAX},
    {"9223372036854775808", SESS_OUT_OF_RANGE, 0},
    {"-9223372036854775807", SESS_OK, INT64_MIN + 1},
    {"-9223372036854775808", SESS_OK, INT64_MIN},
    {"-9223372036854775809", SESS_OUT_OF_RANGE, 0},
    {"18446744073709551615", SESS_OUT_OF_RANGE, 0},
    {"-18446744073709551616", SESS_OUT_OF_RANGE, 0},
    {"-123456789012345678901234567890", SESS_OUT_OF_RANGE, 0},
    {"-0", SESS_INVALID, 0},
    {"-000", SESS_INVALID, 0},
    {"+1", SESS_INVALID, 0},
    {"-", SESS_INVALID, 0},
    {"--1", SESS_INVALID, 0},
    {"- 1", SESS_INVALID, 0},
    {"1-", SESS_INVALID, 0},
    {"", SESS_INVALID, 0},
    {" ", SESS_INVALID, 0},
    {" -1", SESS_INVALID, 0},
};

/* One row of the table above. */
START_TEST(i64_row)
{
    const struct i64_fact *fact = &i64_facts[_i];
    int64_t value = UNTOUCHED;

    ck_assert_msg(number_parse_i64(slice_from_text(fact->text), &value) == fact->status, "'%s'",
                  fact->text);
    ck_assert_int_eq(value, fact->status == SESS_OK ? fact->value : UNTOUCHED);
}
END_TEST

static const struct u64_fact size_facts[] = {
    {"0", 0, SESS_OK, 0},
    {"1", 0, SESS_OK, 1},
    {"0g", 0, SESS_OK, 0},
    {"64k", 0, SESS_OK, 65536},
    {"64K", 0, SESS_OK, 65536},
    {"512m", 0, SESS_OK, 536870912},
    {"512M", 0, SESS_OK, 536870912},
    {"2g", 0, SESS_OK, 2147483648},
    {"2G", 0, SESS_OK, 2147483648},
    {"18446744073709551615", 0, SESS_OK, UINT64_MAX},
    {"18446744073709551616", 0, SESS_OUT_OF_RANGE, 0},
    {"17179869183g", 0, SESS_OK, 17179869183U * (UINT64_C(1) << 30)},
    {"17179869184g", 0, SESS_OUT_OF_RANGE, 0},
    {"18014398509481983k", 0, SESS_OK, UINT64_C(18014398509481983) << 10},
    {"18014398509481984k", 0, SESS_OUT_OF_RANGE, 0},
    {"123456789012345678901234567890m", 0, SESS_OUT_OF_RANGE, 0},
    {"", 0, SESS_INVALID, 0},
    {"k", 0, SESS_INVALID, 0},
    {"1kk", 0, SESS_INVALID, 0},
    {"1kb", 0, SESS_INVALID, 0},
    {"1 k", 0, SESS_INVALID, 0},
    {"1k ", 0, SESS_INVALID, 0},
    {" 1k", 0, SESS_INVALID, 0},
    {"1t", 0, SESS_INVALID, 0},
    {"1.5g", 0, SESS_INVALID, 0},
    {"-1k", 0, SESS_INVALID, 0},
    {"+1k", 0, SESS_INVALID, 0},
};

/* One row of the table above. */
START_TEST(size_row)
{
    const struct u64_fact *fact = &size_facts[_i];
    uint64_t value = UNTOUCHED;

    ck_assert_msg(number_parse_size(slice_from_text(fact->text), &value) == fact->status, "'%s'",
                  fact->text);
    if (fact->status == SESS_OK) {
        ck_assert_uint_eq(value, fact->value);
    }
}
END_TEST

static const struct u64_fact duration_facts[] = {
    {"0", 0, SESS_OK, 0},
    {"1", 0, SESS_OK, 1000},
    {"500ms", 0, SESS_OK, 500},
    {"10s", 0, SESS_OK, 10000},
    {"2m", 0, SESS_OK, 120000},
    {"3h", 0, SESS_OK, 10800000},
    {"14d", 0, SESS_OK, 1209600000},
    {"18446744073709551615ms", 0, SESS_OK, UINT64_MAX},
    {"18446744073709551616ms", 0, SESS_OUT_OF_RANGE, 0},
    {"18446744073709551", 0, SESS_OK, UINT64_C(18446744073709551000)},
    {"18446744073709552", 0, SESS_OUT_OF_RANGE, 0},
    {"213503982334d", 0, SESS_OK, UINT64_C(213503982334) * 86400000},
    {"213503982335d", 0, SESS_OUT_OF_RANGE, 0},
    {"", 0, SESS_INVALID, 0},
    {"ms", 0, SESS_INVALID, 0},
    {"1M", 0, SESS_INVALID, 0},
    {"1w", 0, SESS_INVALID, 0},
    {"1min", 0, SESS_INVALID, 0},
    {"1 s", 0, SESS_INVALID, 0},
    {"1s ", 0, SESS_INVALID, 0},
    {"1h30m", 0, SESS_INVALID, 0},
    {"-1s", 0, SESS_INVALID, 0},
    {"1.5s", 0, SESS_INVALID, 0},
};

/* One row of the table above. */
START_TEST(duration_row)
{
    const struct u64_fact *fact = &duration_facts[_i];
    uint64_t value = UNTOUCHED;

    ck_assert_msg(number_parse_duration(slice_from_text(fact->text), &value) == fact->status,
                  "'%s'", fact->text);
    if (fact->status == SESS_OK) {
        ck_assert_uint_eq(value, fact->value);
    }
}
END_TEST

/* A value of each length, from one digit to twenty. */
START_TEST(format_u64_writes_what_parse_reads)
{
    uint64_t value = 1;
    uint8_t digits[NUMBER_DIGITS];

    for (size_t n_digits = 1; n_digits <= NUMBER_DIGITS; n_digits++, value = value * 10 + 7) {
        uint64_t back = 0;
        size_t size = number_format_u64(value, digits);

        ck_assert_uint_eq(size, n_digits);
        ck_assert_int_eq(number_parse_u64(slice_of(digits, size), UINT64_MAX, &back), SESS_OK);
        ck_assert_uint_eq(back, value);
    }
}
END_TEST

/* The edges of what 64 bits hold. */
START_TEST(format_u64_writes_the_edges)
{
    uint8_t digits[NUMBER_DIGITS + 1];

    memset(digits, '#', sizeof digits);
    ck_assert_uint_eq(number_format_u64(UINT64_MAX, digits), NUMBER_DIGITS);
    ck_assert_mem_eq(digits, "18446744073709551615#", sizeof digits);
    ck_assert_uint_eq(number_format_u64(0, digits), 1);
    ck_assert_mem_eq(digits, "08", 2);
}
END_TEST

struct format_fact {
    uint64_t value;
    const char *text;
};

static const struct format_fact size_texts[] = {
    {0, "0"},
    {1, "1"},
    {1023, "1023"},
    {1024, "1k"},
    {1025, "1025"},
    {65536, "64k"},
    {1048576, "1m"},
    {1048576 + 1024, "1025k"},
    {UINT64_C(2) << 30, "2g"},
    {UINT64_C(1) << 40, "1024g"},
    {UINT64_MAX, "18446744073709551615"},
};

/* One row of the table above: the text, and that it reads as the same value. */
START_TEST(format_size_row)
{
    const struct format_fact *fact = &size_texts[_i];
    char text[32];
    uint64_t back = UNTOUCHED;

    number_format_size(fact->value, text, sizeof text);
    ck_assert_str_eq(text, fact->text);
    ck_assert_int_eq(number_parse_size(slice_from_text(text), &back), SESS_OK);
    ck_assert_uint_eq(back, fact->value);
}
END_TEST

static const struct format_fact duration_texts[] = {
    {0, "0ms"},
    {1, "1ms"},
    {500, "500ms"},
    {1000, "1s"},
    {1001, "1001ms"},
    {59000, "59s"},
    {60000, "1m"},
    {90000, "90s"},
    {3600000, "1h"},
    {5400000, "90m"},
    {86400000, "1d"},
    {1209600000, "14d"},
    {UINT64_MAX, "18446744073709551615ms"},
};

/* One row of the table above: the text, and that it reads as the same value. */
START_TEST(format_duration_row)
{
    const struct format_fact *fact = &duration_texts[_i];
    char text[32];
    uint64_t back = UNTOUCHED;

    number_format_duration(fact->value, text, sizeof text);
    ck_assert_str_eq(text, fact->text);
    ck_assert_int_eq(number_parse_duration(slice_from_text(text), &back), SESS_OK);
    ck_assert_uint_eq(back, fact->value);
}
END_TEST

/* A place smaller than the text. */
START_TEST(format_terminates_what_it_cuts)
{
    char text[4] = "####";

    number_format_size(1023, text, 3);
    ck_assert_mem_eq(text, "10\0#", 4);
    number_format_duration(123456, text, 3);
    ck_assert_mem_eq(text, "12\0#", 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/number");
    TCase *u64 = suite_case(suite, "number_parse_u64");
    TCase *i64 = suite_case(suite, "number_parse_i64");
    TCase *size = suite_case(suite, "number_parse_size");
    TCase *duration = suite_case(suite, "number_parse_duration");
    TCase *format = suite_case(suite, "number_format");

    tcase_add_loop_test(u64, u64_row, 0, SUITE_ROWS(u64_facts));
    tcase_add_test(u64, u64_reads_no_further_than_the_slice);
    tcase_add_loop_test(i64, i64_row, 0, SUITE_ROWS(i64_facts));
    tcase_add_loop_test(size, size_row, 0, SUITE_ROWS(size_facts));
    tcase_add_loop_test(duration, duration_row, 0, SUITE_ROWS(duration_facts));
    tcase_add_test(format, format_u64_writes_what_parse_reads);
    tcase_add_test(format, format_u64_writes_the_edges);
    tcase_add_loop_test(format, format_size_row, 0, SUITE_ROWS(size_texts));
    tcase_add_loop_test(format, format_duration_row, 0, SUITE_ROWS(duration_texts));
    tcase_add_test(format, format_terminates_what_it_cuts);
    return suite_run(suite);
}
