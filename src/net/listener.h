/* One listening socket.
 *
 * Private to net. Threads: the acceptor's, start-up and shut-down included. */
#ifndef SESSIOND_SRC_NET_LISTENER_H
#define SESSIOND_SRC_NET_LISTENER_H

#include "sessiond/net/address.h"

#include <sys/types.h>

struct listener {
    int fd;
    struct net_address address; /* with the port that was picked */
    ino_t inode;                /* of a unix socket's file; 0: the file is somebody else's */
};

/** Open, bind and listen. A unix socket that nobody answers on is replaced.
 *  mode     permissions of a unix socket's file, which at no instant has others
 *  returns  OK | ADDRESS_IN_USE | INVALID (the path is a file that is no socket) | IO */
SESS_MUST_CHECK enum sess_status listener_open(struct listener *listener,
                                               const struct net_address *address, mode_t mode,
                                               struct sess_error *error);

/** Take over a socket that listens already. Whoever opened it may go on to hold it, so that clients wait
 *  while nobody accepts; a unix socket's file stays.
 *  returns  OK (the listener owns it) | INVALID (no stream socket that listens, or without an address that
 *           the rest of the program knows) | IO */
SESS_MUST_CHECK enum sess_status listener_adopt(struct listener *listener, int fd,
                                                struct sess_error *error);

/** Accept one connection, non-blocking and close-on-exec.
 *  returns  OK | AGAIN (nobody there, or gone again) | LIMIT (descriptors or memory are short: pause)
 *           | IO */
SESS_MUST_CHECK enum sess_status listener_accept(const struct listener *listener, int *fd,
                                                 struct net_address *peer);

/** Give a unix socket's file to another user, if it is this one's. */
void listener_hand_over(const struct listener *listener, uid_t uid, gid_t gid);

/** Close; a unix socket's file is removed, if it is still this one's. */
void listener_close(struct listener *listener);

#endif
