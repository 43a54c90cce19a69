/* Notices to a service manager, by datagrams to a unix socket: sd_notify's protocol.
 *
 * Private to the daemon. Not what is told when (supervisor.h). Threads: the first. Source: sd_notify(3). */
#ifndef SESSIOND_SRC_DAEMON_NOTIFIER_H
#define SESSIOND_SRC_DAEMON_NOTIFIER_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notifier {
    int fd; /* -1: there is nobody to tell */
    struct sockaddr_un address;
    socklen_t size; /* bytes of `address` in use */
};

/** Find whom to tell: NOTIFY_SOCKET, a path or, behind an '@', an abstract name. Where it is set and cannot be
 *  used the log says so. */
void notifier_open(struct notifier *notifier);
void notifier_close(struct notifier *notifier);

bool notifier_is_open(const struct notifier *notifier);

/** Send one notice, lines of NAME=VALUE. A manager that
 *  does not take it within a second has not got it. */
void notifier_tell(const struct notifier *notifier, const char *form, ...)
    __attribute__((format(printf, 2, 3)));

#endif
