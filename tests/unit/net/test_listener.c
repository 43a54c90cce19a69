/* Unit tests of listening sockets, on loopback and on unix sockets. */
#include "listener.h"

#include "suite_main.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

static struct sess_error error;
static char folder[] = "/tmp/sessiond-test-XXXXXX";
static char path[64]; /* in the folder */

static void make_folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
}

static void remove_folder(void)
{
    /* Empty: whatever a test has opened there is gone. */
    ck_assert_int_eq(rmdir(folder), 0);
}

static enum sess_status open_text(struct listener *listener, const char *text)
{
    struct net_address address;

    ck_assert_int_eq(address_parse(text, &address, &error), SESS_OK);
    return listener_open(listener, &address, 0660, &error);
}

static enum sess_status open_path(struct listener *listener)
{
    char text[ADDRESS_TEXT_SIZE];

    (void)snprintf(text, sizeof text, "unix:%s", path);
    return open_text(listener, text);
}

static int connect_to(const struct net_address *address)
{
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(
        connect(fd, (const struct sockaddr *)(const void *)&address->socket, address->size), 0);
    return fd;
}

static enum sess_status accept_soon(const struct listener *listener, int *fd,
                                    struct net_address *peer)
{
    struct pollfd ready = {.fd = listener->fd, .events = POLLIN};

    ck_assert_int_eq(poll(&ready, 1, PATIENCE_MS), 1);
    return listener_accept(listener, fd, peer);
}

/* A port is picked, a client connects: what is accepted neither blocks nor outlives an exec, and
 * small replies go at once. */
START_TEST(test_accept)
{
    struct listener listener;
    struct net_address peer;
    struct net_address self = {.size = sizeof self.socket};
    char texts[2][ADDRESS_TEXT_SIZE];
    int no_delay = 0;
    socklen_t size = sizeof no_delay;
    int client;
    int fd;

    ck_assert_int_eq(open_text(&listener, "127.0.0.1:0"), SESS_OK);
    ck_assert_int_eq(listener_accept(&listener, &fd, &peer), SESS_AGAIN);
    client = connect_to(&listener.address);
    ck_assert_int_eq(accept_soon(&listener, &fd, &peer), SESS_OK);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_ne(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    ck_assert_int_ne(no_delay, 0);
    ck_assert_int_eq(getsockname(client, (struct sockaddr *)(void *)&self.socket, &self.size), 0);
    address_format(&peer, texts[0], sizeof texts[0]);
    address_format(&self, texts[1], sizeof texts[1]);
    ck_assert_str_eq(texts[0], texts[1]);
    ck_assert_int_eq(listener_accept(&listener, &fd, &peer), SESS_AGAIN);
    listener_close(&listener);
    ck_assert_int_eq(listener.fd, -1);
    listener_close(&listener);
}
END_TEST

/* The address is taken. */
START_TEST(test_address_in_use)
{
    struct listener first;
    struct listener second;
    char text[ADDRESS_TEXT_SIZE];

    ck_assert_int_eq(open_text(&first, "127.0.0.1:0"), SESS_OK);
    ck_assert_int_eq(listener_open(&second, &first.address, 0660, &error), SESS_ADDRESS_IN_USE);
    address_format(&first.address, text, sizeof text);
    ck_assert_ptr_eq(strstr(error.text, text), error.text);
    ck_assert_ptr_nonnull(strstr(error.text, "is in use"));
    listener_close(&first);
    ck_assert_int_eq(listener_open(&second, &first.address, 0660, &error), SESS_OK);
    listener_close(&second);
}
END_TEST

/* An address that is not this machine's. */
START_TEST(test_foreign_address)
{
    struct listener listener;

    ck_assert_int_eq(open_text(&listener, "192.0.2.1:0"), SESS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "cannot listen on 192.0.2.1:0: "));
}
END_TEST

/* IPv6, or a plain error where the machine has none. */
START_TEST(test_version_6)
{
    struct listener listener;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    enum sess_status status = open_text(&listener, "[::1]:0");

    if (probe < 0 || status != SESS_OK) {
        ck_assert_int_eq(status, SESS_IO);
        ck_assert_ptr_nonnull(strstr(error.text, "[::1]:0"));
    } else {
        char text[ADDRESS_TEXT_SIZE];

        address_format(&listener.address, text, sizeof text);
        ck_assert_ptr_eq(strstr(text, "[::1]:"), text);
        ck_assert_str_ne(text, "[::1]:0");
        listener_close(&listener);
    }
}
END_TEST

/* A unix socket: group may connect, others may not; the file goes with the listener. */
START_TEST(test_unix_socket)
{
    struct listener listener;
    struct net_address peer;
    struct stat file;
    char text[ADDRESS_TEXT_SIZE];
    int client;
    int fd;

    make_folder();
    (void)umask(0);
    ck_assert_int_eq(open_path(&listener), SESS_OK);
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_uint_eq(file.st_mode & 0777, 0660);
    ck_assert_uint_eq(umask(0), 0);
    client = connect_to(&listener.address);
    ck_assert_int_eq(accept_soon(&listener, &fd, &peer), SESS_OK);
    address_format(&peer, text, sizeof text);
    ck_assert_str_eq(text + strlen("unix:"), path);
    ck_assert_int_eq(close(client), 0);
    listener_close(&listener);
    ck_assert_int_eq(stat(path, &file), -1);
    remove_folder();
}
END_TEST

/* The socket file of a process that is gone is replaced; one that is answered on is not. */
START_TEST(test_unix_socket_left_behind)
{
    struct listener gone;
    struct listener listener;
    struct listener late;

    make_folder();
    ck_assert_int_eq(open_path(&gone), SESS_OK);
    ck_assert_int_eq(close(gone.fd), 0);
    ck_assert_int_eq(open_path(&listener), SESS_OK);
    ck_assert_int_eq(open_path(&late), SESS_ADDRESS_IN_USE);
    (void)close(connect_to(&listener.address));
    listener_close(&listener);
    remove_folder();
}
END_TEST

/* A file that is no socket is nobody's to remove. */
START_TEST(test_unix_path_is_a_file)
{
    struct listener listener;
    int fd;

    make_folder();
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(open_path(&listener), SESS_INVALID);
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert_int_eq(unlink(path), 0);
    remove_folder();
    /* And there is no such folder any more. */
    ck_assert_int_eq(open_path(&listener), SESS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "No such file"));
}
END_TEST

/* There is no descriptor left: that is told apart from a broken listener, and nobody is lost. */
START_TEST(test_descriptors_run_out)
{
    struct listener listener;
    struct listener broken = {.fd = -1};
    struct net_address peer;
    struct rlimit limit;
    struct rlimit low;
    int fd = -1;

    ck_assert_int_eq(open_text(&listener, "127.0.0.1:0"), SESS_OK);
    (void)connect_to(&listener.address);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    ck_assert_int_eq(listener_accept(&listener, &fd, &peer), SESS_LIMIT);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(accept_soon(&listener, &fd, &peer), SESS_OK);
    ck_assert_int_eq(listener_accept(&broken, &fd, &peer), SESS_IO);
    listener_close(&listener);
}
END_TEST

/* A socket's file has the permissions that were asked for from its first instant on: it is made with them,
 * whatever the process's mask is, and nobody changes them afterwards. */
START_TEST(test_unix_socket_is_made_with_its_mode)
{
    static const mode_t modes[] = {0600, 0660, 0666, 0777, 0};
    static const mode_t masks[] = {0, 0077, 0777};

    make_folder();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        for (size_t j = 0; j < sizeof masks / sizeof masks[0]; j++) {
            char text[ADDRESS_TEXT_SIZE];
            char events[1024];
            struct net_address address;
            struct listener listener;
            struct stat file;
            int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
            mode_t before = umask(masks[j]);

            ck_assert_int_ge(inotify_add_watch(watch, folder, IN_CREATE | IN_ATTRIB | IN_MODIFY),
                             0);
            (void)snprintf(text, sizeof text, "unix:%s", path);
            ck_assert_int_eq(address_parse(text, &address, &error), SESS_OK);
            ck_assert_int_eq(listener_open(&listener, &address, modes[i], &error), SESS_OK);
            ck_assert_uint_eq(umask(before), masks[j]);
            ck_assert_int_eq(stat(path, &file), 0);
            ck_assert_uint_eq(file.st_mode & 07777, modes[i]);
            /* One event, of its making. */
            ck_assert_int_eq(read(watch, events, sizeof events),
                             (ssize_t)sizeof(struct inotify_event) + 16);
            listener_close(&listener);
            ck_assert_int_eq(close(watch), 0);
        }
    }
    remove_folder();
}
END_TEST

/* A socket that listens and blocks, as somebody else has made it; -1 where this family is not to be had. */
static int listen_at(const char *text)
{
    struct net_address address;
    int fd;

    ck_assert_int_eq(address_parse(text, &address, &error), SESS_OK);
    fd = socket(address.socket.ss_family, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)(const void *)&address.socket, address.size),
                     0);
    ck_assert_int_eq(listen(fd, 1), 0);
    return fd;
}

/* What was handed over accepts like one of ours, and never blocks. */
START_TEST(test_adopt)
{
    struct listener listener;
    struct net_address peer;
    int handed = listen_at("127.0.0.1:0");
    int client;
    int fd;

    ck_assert_int_eq(listener_adopt(&listener, handed, &error), SESS_OK);
    ck_assert_int_eq(listener_accept(&listener, &fd, &peer), SESS_AGAIN);
    ck_assert_int_eq(fcntl(handed, F_GETFD), FD_CLOEXEC);
    client = connect_to(&listener.address);
    ck_assert_int_eq(accept_soon(&listener, &fd, &peer), SESS_OK);
    ck_assert_int_eq(close(client), 0);
    listener_close(&listener);
    ck_assert_int_eq(fcntl(handed, F_GETFD), -1);
}
END_TEST

/* The file of a unix socket is its opener's: it keeps its owner and stays. */
START_TEST(test_adopt_unix)
{
    char text[ADDRESS_TEXT_SIZE];
    struct listener listener;
    struct stat before;
    struct stat after;

    make_folder();
    (void)snprintf(text, sizeof text, "unix:%s", path);
    ck_assert_int_eq(listener_adopt(&listener, listen_at(text), &error), SESS_OK);
    address_format(&listener.address, text, sizeof text);
    ck_assert_str_eq(text + strlen("unix:"), path);
    ck_assert_int_eq(stat(path, &before), 0);
    listener_hand_over(&listener, before.st_uid, before.st_gid);
    listener_close(&listener);
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_int_eq(after.st_ctim.tv_sec, before.st_ctim.tv_sec);
    ck_assert_int_eq(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
    ck_assert_int_eq(unlink(path), 0);
    remove_folder();
}
END_TEST

/* What cannot be accepted at, or has no address that can be told or has permissions, is refused, and stays the
 * caller's. */
START_TEST(test_adopt_refuses)
{
    struct sockaddr_un abstract = {.sun_family = AF_UNIX, .sun_path = "\0sessiond-test"};
    struct sockaddr_un full = {.sun_family = AF_UNIX};
    const struct sockaddr_un *names[] = {&abstract, &full};
    struct listener listener;
    int fds[] = {
        open("/dev/null", O_RDONLY),     socket(AF_INET, SOCK_STREAM, 0),
        socket(AF_INET, SOCK_DGRAM, 0),  socket(AF_UNIX, SOCK_STREAM, 0),
        socket(AF_UNIX, SOCK_STREAM, 0),
    };

    make_folder();
    /* A path that leaves no room for its end. */
    memset(full.sun_path, '/', sizeof full.sun_path);
    memcpy(full.sun_path, path, strlen(folder));
    full.sun_path[sizeof full.sun_path - 1] = 'x';
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(bind(fds[3 + i], (const struct sockaddr *)(const void *)names[i],
                              (socklen_t)sizeof *names[i]),
                         0);
        ck_assert_int_eq(listen(fds[3 + i], 1), 0);
    }
    ck_assert_int_eq(listener_adopt(&listener, -1, &error), SESS_INVALID);
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        ck_assert_int_eq(listener_adopt(&listener, fds[i], &error), SESS_INVALID);
        ck_assert_ptr_nonnull(
            strstr(error.text, i < 3 ? "no stream socket that listens" : "has no address"));
        ck_assert_int_eq(listener.fd, -1);
        ck_assert_int_eq(close(fds[i]), 0);
    }
    (void)snprintf(path, sizeof path, "%s/x", folder);
    ck_assert_int_eq(unlink(path), 0);
    remove_folder();
}
END_TEST

SUITE_MAIN("net/listener", test_adopt, test_adopt_unix, test_adopt_refuses,
           test_unix_socket_is_made_with_its_mode, test_accept, test_address_in_use,
           test_foreign_address, test_version_6, test_unix_socket, test_unix_socket_left_behind,
           test_unix_path_is_a_file, test_descriptors_run_out)
