/* Notices to a service manager. Threads: the first. Memory: none. */
#include "notifier.h"

#include "sessiond/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOTICE_SIZE = 1024, PATIENCE_S = 1 };

/* Returns false when it is no address of a unix socket. */
static bool read_address(const char *text, struct notifier *notifier)
{
    struct sockaddr_un *address = &notifier->address;
    size_t length = strlen(text);
    bool is_abstract = text[0] == '@';

    if ((text[0] != '/' && !is_abstract) || length >= sizeof address->sun_path) {
        return false;
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, text, length);
    if (is_abstract) {
        address->sun_path[0] = '\0';
    }
    notifier->size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (is_abstract ? 0 : 1));
    return true;
}

void notifier_open(struct notifier *notifier)
{
    /* Before any thread that could change it. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const char *text = getenv("NOTIFY_SOCKET");
    struct timeval patience = {.tv_sec = PATIENCE_S};

    *notifier = (struct notifier){.fd = -1};
    if (text == NULL) {
        return;
    }
    if (!read_address(text, notifier)) {
        log_write(LOG_LEVEL_WARNING,
                  "NOTIFY_SOCKET is no unix socket: nobody is told of the start");
        return;
    }
    notifier->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notifier->fd < 0 ||
        setsockopt(notifier->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        log_write(LOG_LEVEL_WARNING, "cannot open a socket for NOTIFY_SOCKET: %s", strerror(errno));
        notifier_close(notifier);
    }
}

void notifier_close(struct notifier *notifier)
{
    if (notifier->fd >= 0) {
        (void)close(notifier->fd);
        notifier->fd = -1;
    }
}

bool notifier_is_open(const struct notifier *notifier)
{
    return notifier->fd >= 0;
}

void notifier_tell(const struct notifier *notifier, const char *form, ...)
{
    char notice[NOTICE_SIZE];
    va_list values;

    if (!notifier_is_open(notifier)) {
        return;
    }
    va_start(values, form);
    (void)vsnprintf(notice, sizeof notice, form, values);
    va_end(values);
    if (sendto(notifier->fd, notice, strlen(notice), MSG_NOSIGNAL,
               (const struct sockaddr *)(const void *)&notifier->address, notifier->size) < 0) {
        log_write(LOG_LEVEL_WARNING, "the service manager could not be told '%.*s': %s",
                  (int)strcspn(notice, "\n"), notice, strerror(errno));
    }
}
