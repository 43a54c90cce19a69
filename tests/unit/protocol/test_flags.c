/* Unit tests of meta flags: every byte as a flag, every token at its limits, which fault is told, and what is kept. */
#include "flags.h"

#include "suite_main.h"

static struct request request;

/* Read flags for a command; returns the fault's reply, or REPLY_COUNT. */
static enum reply read_bytes_for(enum command_id id, struct slice rest)
{
    struct argument_fault fault = {.is_set = false};

    request = (struct request){.command = command_get_row(id), .key = SLICE_LITERAL("YQ==")};
    flags_read(&rest, &request, &fault);
    ck_assert_uint_eq(rest.size, 0);
    return fault.is_set ? fault.reply : REPLY_COUNT;
}

static enum reply read_for(enum command_id id, const char *text)
{
    return read_bytes_for(id, slice_from_text(text));
}

/* Every byte: a flag, or refused in memcached's words. */
START_TEST(test_every_byte)
{
    static const char bare[] = "bcfhklqstuvxILPO";
    static const char with_token[] = "CDEFJNRTM";

    for (unsigned byte = 1; byte <= UINT8_MAX; byte++) {
        char text[2] = {(char)byte};
        enum reply reply = read_for(COMMAND_META_GET, text);

        if (byte == ' ') {
            continue;
        }
        if (strchr(bare, (int)byte) != NULL) {
            ck_assert_int_eq(reply, REPLY_COUNT);
        } else if (strchr(with_token, (int)byte) == NULL) {
            ck_assert_int_eq(reply, byte < 0x7f ? REPLY_INVALID_FLAG : REPLY_DUPLICATE_FLAG);
        } else {
            ck_assert_int_ne(reply, REPLY_COUNT);
            ck_assert_int_ne(reply, REPLY_INVALID_FLAG);
        }
    }
}
END_TEST

static const struct {
    const char *text;
    enum reply reply;
} tokens[] = {
    {"C0", REPLY_COUNT},
    {"C18446744073709551615", REPLY_COUNT},
    {"C18446744073709551616", REPLY_BAD_TOKEN},
    {"C-1", REPLY_BAD_TOKEN},
    {"E0", REPLY_BAD_TOKEN},
    {"E1", REPLY_COUNT},
    {"E18446744073709551614", REPLY_COUNT},
    {"E18446744073709551615", REPLY_BAD_TOKEN},
    {"F0", REPLY_COUNT},
    {"F4294967295", REPLY_COUNT},
    {"F4294967296", REPLY_BAD_FORMAT},
    {"D18446744073709551615", REPLY_COUNT},
    {"D18446744073709551616", REPLY_BAD_META_DELTA},
    {"J18446744073709551615", REPLY_COUNT},
    {"J18446744073709551616", REPLY_BAD_INITIAL},
    {"T-9223372036854775808", REPLY_COUNT},
    {"T9223372036854775807", REPLY_COUNT},
    {"T9223372036854775808", REPLY_BAD_TOKEN},
    {"T+5", REPLY_BAD_TOKEN},
    {"T-0", REPLY_BAD_TOKEN},
    {"N-1", REPLY_COUNT},
    {"N9223372036854775808", REPLY_BAD_TOKEN},
    {"R9223372036854775807", REPLY_COUNT},
    {"Rx", REPLY_BAD_TOKEN},
    {"O1234567890123456789012345678901", REPLY_COUNT},
    {"O12345678901234567890123456789012", REPLY_OPAQUE_TOO_LONG},
    {"Manything", REPLY_BAD_MODE_LENGTH},
    /* Which of several is told. */
    {"Tx Dx", REPLY_BAD_META_DELTA},
    {"Dx Tx", REPLY_BAD_TOKEN},
    {"Tx Fx", REPLY_BAD_TOKEN},
    {"Fx Tx", REPLY_BAD_TOKEN},
    {"Tx v v", REPLY_DUPLICATE_FLAG},
    {"Tx ! v v", REPLY_INVALID_FLAG},
    {"T5 T5", REPLY_DUPLICATE_FLAG},
    {"Tx O12345678901234567890123456789012", REPLY_BAD_TOKEN},
    {"O12345678901234567890123456789012 Fx", REPLY_BAD_FORMAT},
    {"", REPLY_COUNT},
    {"v   k", REPLY_COUNT},
};

START_TEST(test_tokens)
{
    ck_assert_int_eq(read_for(COMMAND_META_GET, tokens[_i].text), tokens[_i].reply);
    ck_assert_int_eq(read_for(COMMAND_META_DELETE, tokens[_i].text),
                     tokens[_i].reply == REPLY_COUNT || tokens[_i].reply == REPLY_OPAQUE_TOO_LONG
                         ? tokens[_i].reply
                         : REPLY_FLAGS_REFUSED);
}
END_TEST

START_TEST(test_modes)
{
    for (unsigned byte = '!'; byte < 0x7f; byte++) {
        char text[3] = {'M', (char)byte};

        ck_assert_int_eq(read_for(COMMAND_META_SET, text),
                         strchr("SEAPR", (int)byte) != NULL ? REPLY_COUNT : REPLY_BAD_SET_MODE);
        ck_assert_int_eq(read_for(COMMAND_META_COUNT, text),
                         strchr("ID+-", (int)byte) != NULL ? REPLY_COUNT : REPLY_BAD_COUNT_MODE);
        ck_assert_int_eq(read_for(COMMAND_META_GET, text), REPLY_COUNT);
    }
    ck_assert_int_eq(read_bytes_for(COMMAND_META_SET, SLICE_LITERAL("M\0")), REPLY_BAD_MODE_LENGTH);
    /* Another flag's fault is told instead. */
    ck_assert_int_eq(read_for(COMMAND_META_SET, "MX Cx"), REPLY_BAD_TOKEN);
    ck_assert_int_eq(read_for(COMMAND_META_COUNT, "MX Cx"), REPLY_FLAGS_REFUSED);
}
END_TEST

/* All flags at once: each has its place. */
START_TEST(test_all)
{
    ck_assert_int_eq(read_for(COMMAND_META_SET,
                              "b c f h k l q s t u v x I Lhint Phint C1 D2 E3 F4 J5 MA N6 O7 "
                              "R8 T9"),
                     REPLY_COUNT);
    ck_assert_uint_eq(request.cas, 1);
    ck_assert_uint_eq(request.delta, 2);
    ck_assert_uint_eq(request.meta.new_cas, 3);
    ck_assert_uint_eq(request.flags, 4);
    ck_assert_uint_eq(request.meta.initial, 5);
    ck_assert_int_eq(request.meta.mode, 'A');
    ck_assert_int_eq(request.meta.vivify, 6);
    ck_assert(slice_is(request.meta.opaque, "O7"));
    ck_assert_int_eq(request.meta.recache, 8);
    ck_assert_int_eq(request.exptime, 9);
    ck_assert_str_eq(request.meta.order, "cfhklstNORT");
    for (const char *flag = "bcfhklqstuvxILPCDEFJMNORT"; *flag != '\0'; flag++) {
        ck_assert(meta_has(&request.meta, *flag));
    }
    ck_assert_int_eq(read_for(COMMAND_META_GET, ""), REPLY_COUNT);
    ck_assert_uint_eq(request.meta.set, 0);
    ck_assert_uint_eq(request.delta, 1);
}
END_TEST

START_TEST(test_order)
{
    ck_assert_int_eq(read_for(COMMAND_META_GET, "T1 N2"), REPLY_COUNT);
    ck_assert(meta_comes_first(&request.meta, 'T', 'N'));
    ck_assert(!meta_comes_first(&request.meta, 'N', 'T'));
    ck_assert(meta_comes_first(&request.meta, 'T', 'R'));
    ck_assert(!meta_comes_first(&request.meta, 'R', 'T'));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol/flags");
    TCase *facts = suite_case(suite, "flags_read");

    tcase_add_test(facts, test_every_byte);
    tcase_add_loop_test(facts, test_tokens, 0, sizeof tokens / sizeof tokens[0]);
    tcase_add_test(facts, test_modes);
    tcase_add_test(facts, test_all);
    tcase_add_test(facts, test_order);
    return suite_run(suite);
}
