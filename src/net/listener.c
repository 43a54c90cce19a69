/* Listening sockets. Not what happens to accepted ones. Threads: the acceptor's. Memory: none. */
#include "listener.h"

#include "sessiond/base/log.h"
#include "sessiond/net/config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { UNIX_PATH_SIZE = sizeof(struct sockaddr_un) - offsetof(struct sockaddr_un, sun_path) };

static const struct sockaddr *socket_address(const struct net_address *address)
{
    return (const struct sockaddr *)(const void *)&address->socket;
}

static bool is_unix(const struct net_address *address)
{
    return address->socket.ss_family == AF_UNIX;
}

static const char *unix_path(const struct net_address *address)
{
    return ((const struct sockaddr_un *)(const void *)&address->socket)->sun_path;
}

static bool is_socket_file(const struct net_address *address, ino_t *inode)
{
    struct stat file;

    if (lstat(unix_path(address), &file) != 0 || !S_ISSOCK(file.st_mode)) {
        return false;
    }
    if (inode != NULL) {
        *inode = file.st_ino;
    }
    return true;
}

/* A socket file left by a process that is gone refuses connections, but so does a file that is no
 * socket, which is none of our business. */
static void remove_stale(const struct net_address *address)
{
    int probe;

    if (!is_socket_file(address, NULL)) {
        return;
    }
    probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return;
    }
    if (connect(probe, socket_address(address), address->size) != 0 && errno == ECONNREFUSED) {
        (void)unlink(unix_path(address));
    }
    (void)close(probe);
}

static int bind_address(int fd, const struct net_address *address, mode_t mode)
{
    mode_t old_mask;
    int result;

    if (!is_unix(address)) {
        return bind(fd, socket_address(address), address->size);
    }
    remove_stale(address);
    /* Before bind, so that the file is never open wider, not even for a moment. */
    old_mask = umask(~mode & ACCESSPERMS);
    result = bind(fd, socket_address(address), address->size);
    (void)umask(old_mask);
    return result;
}

static void set_options(int fd, const struct net_address *address)
{
    int on = 1;

    /* Without these a restart may have to wait, or an IPv6 wildcard take IPv4 too: no reason to stop. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->socket.ss_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
}

static enum sess_status fail(const struct net_address *address, const char *doing,
                             struct sess_error *error)
{
    int reason = errno;
    char text[ADDRESS_TEXT_SIZE];

    address_format(address, text, sizeof text);
    if (reason == EADDRINUSE && is_unix(address) && !is_socket_file(address, NULL)) {
        return error_set(error, SESS_INVALID, "%s exists and is no socket: choose another path",
                         text);
    }
    if (reason == EADDRINUSE) {
        return error_set(
            error, SESS_ADDRESS_IN_USE,
            "%s is in use: is another sessiond running? Stop it, or set another listen", text);
    }
    return error_set(error, SESS_IO, "cannot %s %s: %s", doing, text, strerror(reason));
}

static bool learn_port(int fd, struct net_address *address)
{
    address->size = sizeof address->socket;
    return getsockname(fd, (struct sockaddr *)(void *)&address->socket, &address->size) == 0;
}

enum sess_status listener_open(struct listener *listener, const struct net_address *address,
                               mode_t mode, struct sess_error *error)
{
    const char *doing = "listen on";
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum sess_status status;

    if (fd < 0) {
        return fail(address, "open a socket for", error);
    }
    set_options(fd, address);
    listener->address = *address;
    if (bind_address(fd, address, mode) == 0 && listen(fd, NET_BACKLOG) == 0) {
        if (is_unix(address) ? is_socket_file(address, &listener->inode)
                             : learn_port(fd, &listener->address)) {
            listener->fd = fd;
            return SESS_OK;
        }
        doing = "find the port or the file of";
    }
    status = fail(address, doing, error);
    (void)close(fd);
    return status;
}

static int socket_option(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof value;

    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

/* A unix socket without a file has no permissions, and one whose path fills its place is not terminated. */
static bool is_known(const struct net_address *address)
{
    switch (address->socket.ss_family) {
    case AF_INET:
    case AF_INET6:
        return true;
    case AF_UNIX:
        return address->size > offsetof(struct sockaddr_un, sun_path) &&
               address->size <= sizeof(struct sockaddr_un) && unix_path(address)[0] == '/' &&
               memchr(unix_path(address), '\0', UNIX_PATH_SIZE) != NULL;
    default:
        return false;
    }
}

enum sess_status listener_adopt(struct listener *listener, int fd, struct sess_error *error)
{
    int flags;

    *listener = (struct listener){.fd = -1};
    if (socket_option(fd, SO_ACCEPTCONN) != 1 || socket_option(fd, SO_TYPE) != SOCK_STREAM) {
        return error_set(error, SESS_INVALID, "is no stream socket that listens");
    }
    if (!learn_port(fd, &listener->address) || !is_known(&listener->address)) {
        return error_set(error, SESS_INVALID,
                         "has no address of IPv4, IPv6 or a unix socket's path");
    }
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        return error_set(error, SESS_IO, "cannot be set up: %s", strerror(errno));
    }
    listener->fd = fd;
    return SESS_OK;
}

static enum sess_status status_of_accept(int reason)
{
    switch (reason) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return SESS_LIMIT;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
        return SESS_IO;
    default:
        /* The rest are errors of the connection that did not come about: accept(2). */
        return SESS_AGAIN;
    }
}

enum sess_status listener_accept(const struct listener *listener, int *fd, struct net_address *peer)
{
    int on = 1;
    int accepted;

    memset(peer, 0, sizeof *peer);
    peer->size = sizeof peer->socket;
    accepted = accept4(listener->fd, (struct sockaddr *)(void *)&peer->socket, &peer->size,
                       SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted < 0) {
        return status_of_accept(errno);
    }
    if (!is_unix(&listener->address)) {
        (void)setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        /* A client whose machine died says nothing: without this its connection stays for ever. */
        (void)setsockopt(accepted, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    } else {
        *peer = listener->address;
    }
    *fd = accepted;
    return SESS_OK;
}

void listener_hand_over(const struct listener *listener, uid_t uid, gid_t gid)
{
    if (is_unix(&listener->address) && listener->inode != 0 &&
        lchown(unix_path(&listener->address), uid, gid) != 0) {
        log_write(LOG_LEVEL_WARNING, "cannot give %s to the user: %s",
                  unix_path(&listener->address), strerror(errno));
    }
}

static void remove_file(const struct listener *listener)
{
    ino_t inode;

    if (is_socket_file(&listener->address, &inode) && inode == listener->inode &&
        unlink(unix_path(&listener->address)) != 0) {
        log_write(LOG_LEVEL_WARNING, "cannot remove %s: %s", unix_path(&listener->address),
                  strerror(errno));
    }
}

void listener_close(struct listener *listener)
{
    if (listener->fd >= 0) {
        (void)close(listener->fd);
        if (is_unix(&listener->address)) {
            remove_file(listener);
        }
        listener->fd = -1;
    }
}
