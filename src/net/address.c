/* Addresses. Not sockets (listener.c). Threads: any. Memory: the resolver's, freed at once. */
#include "sessiond/net/address.h"

#include "sessiond/base/number.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char unix_prefix[] = "unix:";

static enum sess_status parse_unix(const char *path, struct net_address *out,
                                   struct sess_error *error)
{
    struct sockaddr_un socket = {.sun_family = AF_UNIX};

    if (path[0] == '\0') {
        return error_set(error, SESS_INVALID,
                         "unix: needs a path, such as unix:/run/sessiond.sock");
    }
    if (strlen(path) >= sizeof socket.sun_path) {
        return error_set(error, SESS_OUT_OF_RANGE, "the path is longer than %zu bytes: %s",
                         sizeof socket.sun_path - 1, path);
    }
    memcpy(socket.sun_path, path, strlen(path) + 1);
    memset(out, 0, sizeof *out);
    memcpy(&out->socket, &socket, sizeof socket);
    out->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
    return SESS_OK;
}

static enum sess_status resolve(const char *host, const char *port, struct net_address *out,
                                struct sess_error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    const struct addrinfo *chosen;
    int code = getaddrinfo(host, port, &hints, &found);

    if (code != 0) {
        return error_set(error, SESS_NOT_FOUND, "no such host: %s (%s)", host, gai_strerror(code));
    }
    for (chosen = found; chosen->ai_next != NULL && chosen->ai_family != AF_INET;) {
        chosen = chosen->ai_next;
    }
    if (chosen->ai_family != AF_INET) {
        chosen = found;
    }
    memset(out, 0, sizeof *out);
    memcpy(&out->socket, chosen->ai_addr, chosen->ai_addrlen);
    out->size = chosen->ai_addrlen;
    freeaddrinfo(found);
    return SESS_OK;
}

/* Split "HOST:PORT" or "[V6]:PORT" into a copied host and the port within `text`. */
static const char *split_port(const char *text, char *host, size_t host_size)
{
    const char *colon = strrchr(text, ':');
    const char *start = text;
    size_t length;

    if (colon == NULL || colon == text) {
        return NULL;
    }
    length = (size_t)(colon - text);
    if (text[0] == '[') {
        if (length < 3 || text[length - 1] != ']') {
            return NULL;
        }
        start++;
        length -= 2;
    } else if (memchr(text, ':', length) != NULL) {
        return NULL;
    }
    if (length >= host_size) {
        return NULL;
    }
    memcpy(host, start, length);
    host[length] = '\0';
    return colon + 1;
}

enum sess_status address_parse(const char *text, struct net_address *out, struct sess_error *error)
{
    char host[NI_MAXHOST];
    const char *port;
    uint64_t number;

    if (strncmp(text, unix_prefix, strlen(unix_prefix)) == 0) {
        return parse_unix(text + strlen(unix_prefix), out, error);
    }
    port = split_port(text, host, sizeof host);
    if (port == NULL) {
        return error_set(error, SESS_INVALID,
                         "'%s' is no address: write HOST:PORT, [V6]:PORT or unix:PATH", text);
    }
    if (number_parse_u64(slice_from_text(port), UINT16_MAX, &number) != SESS_OK) {
        return error_set(error, SESS_OUT_OF_RANGE, "'%s' is no port: write 0 to 65535", port);
    }
    return resolve(host, port, out, error);
}

void address_format(const struct net_address *address, char *out, size_t out_size)
{
    char host[INET6_ADDRSTRLEN] = "";

    switch (address->socket.ss_family) {
    case AF_INET: {
        struct sockaddr_in v4;

        memcpy(&v4, &address->socket, sizeof v4);
        (void)inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
        (void)snprintf(out, out_size, "%s:%u", host, (unsigned)ntohs(v4.sin_port));
        break;
    }
    case AF_INET6: {
        struct sockaddr_in6 v6;

        memcpy(&v6, &address->socket, sizeof v6);
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
        (void)snprintf(out, out_size, "[%s]:%u", host, (unsigned)ntohs(v6.sin6_port));
        break;
    }
    default: {
        struct sockaddr_un local;

        memcpy(&local, &address->socket, sizeof local);
        (void)snprintf(out, out_size, "unix:%s", local.sun_path);
        break;
    }
    }
}

bool address_is_loopback(const struct net_address *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (address->socket.ss_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        memcpy(&v4, &address->socket, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    default:
        memcpy(&v6, &address->socket, sizeof v6);
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127);
    }
}
