/* Addresses of listeners and peers: text to socket address and back.
 *
 * Forms: `HOST:PORT`, `[V6]:PORT`, `unix:PATH`. Of a name with several addresses the first IPv4 one
 * counts, as clients of `localhost` expect. Resolving a host name may ask the system's resolver;
 * start-up only. */
#ifndef SESSIOND_NET_ADDRESS_H
#define SESSIOND_NET_ADDRESS_H

#include "sessiond/base/error.h"

#include <stdbool.h>
#include <sys/socket.h>

enum { ADDRESS_TEXT_SIZE = 160 }; /* the longest text with its terminator */

struct net_address {
    struct sockaddr_storage socket; /* family AF_INET, AF_INET6 or AF_UNIX */
    socklen_t size;                 /* bytes of `socket` in use */
};

/** Parse and resolve. returns OK | INVALID (the form) | NOT_FOUND (the host) | OUT_OF_RANGE (port,
 *  or a path longer than a socket address holds: 107 bytes) */
SESS_MUST_CHECK enum sess_status address_parse(const char *text, struct net_address *out,
                                               struct sess_error *error);

/** The text of an address, in the form that address_parse reads; terminated; cut to fit. */
void address_format(const struct net_address *address, char *out, size_t out_size);

/** Whether only this machine can reach it: unix, 127.0.0.0/8, ::1. */
bool address_is_loopback(const struct net_address *address);

#endif
