/* Unit tests of replies that go on for many turns: a piece is made when the one before it is sent, others are served
 * in between, and what makes them ends with the connection. */
#include "park_fixture.h"

#include <stdatomic.h>

enum { PIECE = STREAM_PIECE_MAX, FOR_EVER = 1 << 20 };

/* One that makes pieces of one letter. */
struct fake_stream {
    struct stream stream;
    _Atomic unsigned n_left; /* pieces to come */
    _Atomic unsigned n_made;
    _Atomic unsigned n_asked; /* while it is busy */
    _Atomic unsigned n_ended;
    _Atomic bool is_busy;
    _Atomic bool is_out_of_memory;
};

static struct parking parking;
static struct fake_stream fake;
static char piece[PIECE];

static enum sess_status make_piece(struct stream *stream, struct buffer *out)
{
    (void)stream;
    if (atomic_load(&fake.is_busy)) {
        atomic_fetch_add(&fake.n_asked, 1);
        return SESS_BUSY;
    }
    if (atomic_load(&fake.is_out_of_memory)) {
        return SESS_NO_MEMORY;
    }
    HOT_ASSERT(buffer_append(out, slice_of(piece, sizeof piece)) == SESS_OK);
    atomic_fetch_add(&fake.n_made, 1);
    return atomic_fetch_sub(&fake.n_left, 1) == 1 ? SESS_NOT_FOUND : SESS_OK;
}

static void end_stream(struct stream *stream)
{
    (void)stream;
    atomic_fetch_add(&fake.n_ended, 1);
}

static enum sess_status begin_stream(void *context, int64_t now_s, struct stream **out)
{
    (void)context;
    (void)now_s;
    *out = &fake.stream;
    return SESS_OK;
}

/* Returns the end of an operator. */
static int open(unsigned n_pieces)
{
    memset(&fake, 0, sizeof fake);
    fake.stream = (struct stream){.next = make_piece, .end = end_stream};
    fake.n_left = n_pieces;
    memset(piece, 'd', sizeof piece);
    parking_prepare(&parking);
    parking.commands.shared.dump = begin_stream;
    parking_start(&parking);
    return parking_connect_as(&parking, NET_ROLE_ADMIN);
}

static void expect_pieces(int fd, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        expect_bytes(fd, piece, sizeof piece);
    }
}

START_TEST(what_is_behind_it_is_run_behind_it)
{
    enum { N = 40 };
    int fd = open(N);

    send_text(fd, "ping\r\ndump\r\nping\r\n");
    expect_text(fd, "OK\r\n");
    expect_pieces(fd, N);
    expect_text(fd, "OK\r\n");
    ck_assert_uint_eq(fake.n_ended, 1);
    parking_close(&parking, WORKER_STOP);
    expect_end(fd);
}
END_TEST

/* Who does not read is made no further pieces; others are served by the same worker. */
START_TEST(nothing_is_made_for_who_does_not_read)
{
    int fd = open(FOR_EVER);
    int other = parking_connect(&parking);
    unsigned n_made;

    send_text(fd, "dump\r\n");
    WAIT_UNTIL(budget_used(&parking.connections) > 0);
    n_made = fake.n_made;
    for (unsigned i = 0; i < 10; i++) {
        send_text(other, "version\r\n");
        expect_text(other, "VERSION 1.6.18\r\n");
    }
    ck_assert_uint_eq(fake.n_made, n_made);
    ck_assert_uint_le(budget_used(&parking.connections), 2 * PIECE);
    expect_pieces(fd, n_made - 1);
    WAIT_UNTIL(fake.n_made > n_made);
    ck_assert_int_eq(close(fd), 0);
    WAIT_UNTIL(fake.n_ended == 1);
    parking_close(&parking, WORKER_STOP);
    expect_end(other);
}
END_TEST

/* One that must wait is asked again, and nobody is made wait by it. */
START_TEST(one_that_is_busy_is_asked_again)
{
    int fd = open(1);
    int other = parking_connect(&parking);

    fake.is_busy = true;
    send_text(fd, "dump\r\n");
    WAIT_UNTIL(fake.n_asked > 3);
    send_text(other, "version\r\n");
    expect_text(other, "VERSION 1.6.18\r\n");
    expect_silence(fd);
    fake.is_busy = false;
    expect_pieces(fd, 1);
    send_text(fd, "ping\r\n");
    expect_text(fd, "OK\r\n");
    ck_assert_uint_eq(fake.n_ended, 1);
    parking_close(&parking, WORKER_STOP);
    expect_end(fd);
    expect_end(other);
}
END_TEST

/* What was cut is not whole: nothing comes behind it, but the connection's end. */
START_TEST(one_that_fails_closes)
{
    int fd = open(FOR_EVER);

    fake.is_out_of_memory = true;
    send_text(fd, "dump\r\n");
    expect_end(fd);
    ck_assert_uint_eq(fake.n_ended, 1);
    parking_close(&parking, WORKER_STOP);
}
END_TEST

START_TEST(a_stop_ends_it)
{
    int fd = open(FOR_EVER);

    fake.is_busy = true;
    send_text(fd, "dump\r\n");
    WAIT_UNTIL(fake.n_asked > 0);
    fake.is_busy = false;
    expect_pieces(fd, 3);
    worker_ask_stop(parking.worker, WORKER_STOP);
    for (char bytes[4096]; recv(fd, bytes, sizeof bytes, 0) > 0;) {
    }
    ck_assert_int_eq(close(fd), 0);
    parking_close(&parking, WORKER_STOP);
    ck_assert_uint_eq(fake.n_ended, 1);
    ck_assert_uint_gt(fake.n_left, 0);
}
END_TEST

START_TEST(to_be_abandoned_ends_it)
{
    int fd = open(FOR_EVER);

    send_text(fd, "dump\r\n");
    WAIT_UNTIL(budget_used(&parking.connections) > 0);
    parking_close(&parking, WORKER_ABANDON);
    ck_assert_uint_eq(fake.n_ended, 1);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

SUITE_MAIN("net/stream", what_is_behind_it_is_run_behind_it, nothing_is_made_for_who_does_not_read,
           one_that_is_busy_is_asked_again, one_that_fails_closes, a_stop_ends_it,
           to_be_abandoned_ends_it)
