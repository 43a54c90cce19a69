/* Listeners from -p, -l, -s. Not addresses (net/address.c checks them). Memory: none. */
#include "short_listen.h"

#include <stdio.h>
#include <string.h>

static const char default_host[] = "127.0.0.1";
static const char default_port[] = "11200";

static enum sess_status compose_host(const char *host, size_t size, const char *port, char *out,
                                     struct sess_error *error)
{
    const char *first_colon = memchr(host, ':', size);
    const char *last_colon = memrchr(host, ':', size);
    bool has_port;

    if (size == 0 || size > OPTION_TEXT_SIZE / 2 || strlen(port) > OPTION_TEXT_SIZE / 4) {
        return error_set(error, SESS_INVALID, "-l: an address is empty or too long");
    }
    has_port =
        host[0] == '[' ? host[size - 1] != ']' : first_colon != NULL && first_colon == last_colon;
    if (has_port) {
        (void)snprintf(out, OPTION_TEXT_SIZE, "%.*s", (int)size, host);
    } else if (first_colon != NULL && host[0] != '[') {
        (void)snprintf(out, OPTION_TEXT_SIZE, "[%.*s]:%s", (int)size, host, port);
    } else {
        (void)snprintf(out, OPTION_TEXT_SIZE, "%.*s:%s", (int)size, host, port);
    }
    return SESS_OK;
}

enum sess_status short_listen_compose(const struct short_listen *given,
                                      char items[][OPTION_TEXT_SIZE], size_t *n_items,
                                      struct sess_error *error)
{
    const char *port = given->port == NULL ? default_port : given->port;
    const char *hosts = given->hosts;
    enum sess_status status = SESS_OK;

    *n_items = 0;
    if (given->path != NULL) {
        (void)snprintf(items[(*n_items)++], OPTION_TEXT_SIZE, "unix:%.200s", given->path);
    }
    if (hosts == NULL) {
        if (given->port == NULL || given->path != NULL) {
            return SESS_OK;
        }
        hosts = default_host;
    }
    while (status == SESS_OK && *n_items < OPTION_LIST_MAX) {
        size_t size = strcspn(hosts, ",");

        status = compose_host(hosts, size, port, items[(*n_items)++], error);
        hosts += size;
        if (*hosts == '\0') {
            return status;
        }
        hosts++;
    }
    return status == SESS_OK ? error_set(error, SESS_LIMIT, "-l: too many addresses") : status;
}
