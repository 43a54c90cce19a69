/* Unit tests of addresses: text to socket address and back. */
#include "sessiond/net/address.h"

#include "suite_main.h"

#include <string.h>
#include <sys/un.h>

static struct net_address address;
static struct sess_error error;

static void parse(const char *text)
{
    error.text[0] = '\0';
    ck_assert_msg(address_parse(text, &address, &error) == SESS_OK, "%s: %s", text, error.text);
}

/* Texts that come back as they were given. */
START_TEST(test_round_trip)
{
    static const char *const texts[] = {
        "127.0.0.1:11200", "127.0.0.1:0", "0.0.0.0:65535",       "10.1.2.3:80",
        "[::1]:11200",     "[::]:0",      "[2001:db8::7]:65535", "unix:/run/sessiond.sock",
        "unix:relative",   "unix:/a b#c",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[ADDRESS_TEXT_SIZE];

        parse(texts[i]);
        address_format(&address, text, sizeof text);
        ck_assert_str_eq(text, texts[i]);
    }
}
END_TEST

/* The family and the size that bind(2) wants. */
START_TEST(test_socket_address)
{
    parse("127.0.0.1:1");
    ck_assert_int_eq(address.socket.ss_family, AF_INET);
    parse("[::1]:1");
    ck_assert_int_eq(address.socket.ss_family, AF_INET6);
    parse("unix:/s");
    ck_assert_int_eq(address.socket.ss_family, AF_UNIX);
    ck_assert_uint_eq(address.size, offsetof(struct sockaddr_un, sun_path) + 3);
}
END_TEST

/* A name of this machine. */
START_TEST(test_host_name)
{
    parse("localhost:80");
    ck_assert(address_is_loopback(&address));
}
END_TEST

/* Texts that are no address: told apart by what is wrong, with the text in the words. */
START_TEST(test_errors)
{
    static const struct {
        const char *text;
        enum sess_status status;
        const char *words;
    } rows[] = {
        {"", SESS_INVALID, "'' is no address: write HOST:PORT, [V6]:PORT or unix:PATH"},
        {"127.0.0.1", SESS_INVALID, "'127.0.0.1'"},
        {"11200", SESS_INVALID, "'11200'"},
        {":11200", SESS_INVALID, "':11200'"},
        {"::1:11200", SESS_INVALID, "[V6]:PORT"},
        {"[::1]", SESS_INVALID, "[V6]:PORT"},
        {"[::1]11200", SESS_INVALID, "[V6]:PORT"},
        {"[::1:11200", SESS_INVALID, "[V6]:PORT"},
        {"[]:11200", SESS_INVALID, "[V6]:PORT"},
        {"127.0.0.1:", SESS_OUT_OF_RANGE, "'' is no port: write 0 to 65535"},
        {"127.0.0.1:65536", SESS_OUT_OF_RANGE, "'65536' is no port"},
        {"127.0.0.1:-1", SESS_OUT_OF_RANGE, "'-1' is no port"},
        {"127.0.0.1:http", SESS_OUT_OF_RANGE, "'http' is no port"},
        {"127.0.0.1: 80", SESS_OUT_OF_RANGE, "' 80' is no port"},
        {"unix:", SESS_INVALID, "unix: needs a path"},
        /* A label of more than 63 bytes, which no resolver asks anybody for. */
        {"hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh:80",
         SESS_NOT_FOUND, "no such host: hhhh"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(address_parse(rows[i].text, &address, &error) == rows[i].status, "%s",
                      rows[i].text);
        ck_assert_int_eq(error.status, rows[i].status);
        ck_assert_msg(strstr(error.text, rows[i].words) != NULL, "%s: %s", rows[i].text,
                      error.text);
    }
}
END_TEST

/* The longest path that a socket address holds, and one byte more; a host without end. */
START_TEST(test_lengths)
{
    static char text[4096] = "unix:";

    memset(text + 5, 'p', 107);
    parse(text);
    text[5 + 107] = 'p';
    ck_assert_int_eq(address_parse(text, &address, &error), SESS_OUT_OF_RANGE);
    ck_assert_ptr_nonnull(strstr(error.text, "longer than 107 bytes"));
    memset(text, 'h', sizeof text - 4);
    memcpy(text + sizeof text - 4, ":80", 4);
    ck_assert_int_eq(address_parse(text, &address, &error), SESS_INVALID);
}
END_TEST

/* Who can be reached from this machine alone. */
START_TEST(test_loopback)
{
    static const struct {
        const char *text;
        bool is_loopback;
    } rows[] = {
        {"127.0.0.1:1", true},
        {"127.255.0.9:1", true},
        {"unix:/s", true},
        {"[::1]:1", true},
        {"[::ffff:127.0.0.1]:1", true},
        {"0.0.0.0:1", false},
        {"128.0.0.1:1", false},
        {"10.0.0.1:1", false},
        {"[::]:1", false},
        {"[::ffff:10.0.0.1]:1", false},
        {"[fe80::1]:1", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        parse(rows[i].text);
        ck_assert_msg(address_is_loopback(&address) == rows[i].is_loopback, "%s", rows[i].text);
    }
}
END_TEST

/* There is little room for the text: it is cut, and terminated. */
START_TEST(test_format_cuts)
{
    char text[8];

    parse("[2001:db8::7]:65535");
    address_format(&address, text, sizeof text);
    ck_assert_str_eq(text, "[2001:d");
}
END_TEST

SUITE_MAIN("net/address", test_round_trip, test_socket_address, test_host_name, test_errors,
           test_lengths, test_loopback, test_format_cuts)
