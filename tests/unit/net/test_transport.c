/* Unit tests of plain sockets as a transport. */
#include "transport.h"

#include "suite_main.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int peer;
static struct transport transport;

static void open_pair(void)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    transport = (struct transport){.calls = &transport_plain, .fd = pair[0]};
    peer = pair[1];
}

static enum sess_status receive(uint8_t *place, size_t size, size_t *got)
{
    return transport.calls->recv(&transport, place, size, got);
}

/* Bytes are there, then none, then the peer has closed. */
START_TEST(test_recv)
{
    uint8_t place[8];
    size_t got = 99;

    open_pair();
    ck_assert_int_eq(receive(place, sizeof place, &got), SESS_AGAIN);
    ck_assert_int_eq(write(peer, "0123456789", 10), 10);
    ck_assert_int_eq(receive(place, sizeof place, &got), SESS_OK);
    ck_assert_uint_eq(got, 8);
    ck_assert_mem_eq(place, "01234567", 8);
    ck_assert_int_eq(receive(place, sizeof place, &got), SESS_OK);
    ck_assert_uint_eq(got, 2);
    ck_assert_int_eq(receive(place, sizeof place, &got), SESS_AGAIN);
    ck_assert_int_eq(close(peer), 0);
    ck_assert_int_eq(receive(place, sizeof place, &got), SESS_CLOSED);
    ck_assert_int_eq(close(transport.fd), 0);
    ck_assert_int_eq(receive(place, sizeof place, &got), SESS_IO);
}
END_TEST

/* The peer takes bytes, then takes no more, then is gone: no signal ends the process. */
START_TEST(test_send)
{
    static uint8_t bytes[1 << 20];
    struct slice all = slice_of(bytes, sizeof bytes);
    enum sess_status status = SESS_OK;
    size_t sent = 0;
    size_t total = 0;

    open_pair();
    while (status == SESS_OK) {
        status = transport.calls->send(&transport, &all, 1, &sent);
        if (status == SESS_OK) {
            ck_assert_uint_gt(sent, 0);
            ck_assert_uint_le(sent, sizeof bytes);
            total += sent;
        }
    }
    ck_assert_int_eq(status, SESS_AGAIN);
    ck_assert_uint_gt(total, 0);
    ck_assert_int_eq(close(peer), 0);
    ck_assert_int_eq(transport.calls->send(&transport, &all, 1, &sent), SESS_IO);
    ck_assert_int_eq(close(transport.fd), 0);
}
END_TEST

/* Several pieces go in one call, one behind the other. */
START_TEST(test_send_pieces)
{
    const struct slice pieces[TRANSPORT_PIECES_MAX] = {SLICE_LITERAL("one "), SLICE_LITERAL("two "),
                                                       SLICE_LITERAL("three")};
    char got[32] = "";
    size_t sent = 0;

    open_pair();
    ck_assert_int_eq(transport.calls->send(&transport, pieces, TRANSPORT_PIECES_MAX, &sent),
                     SESS_OK);
    ck_assert_uint_eq(sent, strlen("one two three"));
    ck_assert_int_eq(read(peer, got, sizeof got), (ssize_t)sent);
    ck_assert_str_eq(got, "one two three");
    ck_assert_int_eq(close(peer), 0);
    ck_assert_int_eq(transport.calls->send(&transport, pieces, 2, &sent), SESS_IO);
    ck_assert_int_eq(close(transport.fd), 0);
}
END_TEST

SUITE_MAIN("net/transport", test_recv, test_send, test_send_pieces)
