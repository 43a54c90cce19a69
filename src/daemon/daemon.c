/* The daemon's start, life and stop. Which calls join the rooms stands in wiring.c.
 *
 * Threads: the first thread; it accepts connections, the workers do the rest. */
#include "sessiond/daemon/daemon.h"

#include "allocator.h"
#include "sessiond/base/log.h"
#include "sessiond/daemon/privileges.h"
#include "wiring.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static enum exit_code exit_code_of(enum sess_status status)
{
    switch (status) {
    case SESS_OK:
        return EXIT_DONE;
    case SESS_ADDRESS_IN_USE:
        return EXIT_UNAVAILABLE;
    case SESS_INVALID:
    case SESS_OUT_OF_RANGE:
    case SESS_NOT_FOUND:
    case SESS_REFUSED:
        return EXIT_CONFIGURATION;
    default:
        return EXIT_IO;
    }
}

/* Signals arrive as readable bytes, so that no handler runs anywhere. */
static enum sess_status open_signals(int *fd, struct sess_error *error)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return error_set(error, SESS_IO, "cannot set signals up");
    }
    *fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return *fd < 0 ? error_set(error, SESS_IO, "cannot receive signals: %s", strerror(errno))
                   : SESS_OK;
}

/* Returns true when the signal says to stop. */
static bool take_signal(int fd)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof info) != (ssize_t)sizeof info) {
        return false;
    }
    if (info.ssi_signo == SIGHUP) {
        log_write(LOG_LEVEL_INFO, "SIGHUP: no option can be reloaded yet; nothing was changed");
        return false;
    }
    log_write(LOG_LEVEL_INFO, "%s from process %u: stopping",
              info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM", info.ssi_pid);
    return true;
}

/* One line a listener, in a fixed form: scripts and supervisors wait for it. */
static void print_ready_lines(const struct net_server *server)
{
    char text[OPTION_TEXT_SIZE];

    for (size_t i = 0; i < net_server_listeners(server); i++) {
        net_server_describe(server, i, text, sizeof text);
        (void)printf("listening %s\n", text);
    }
    (void)fflush(stdout);
}

static enum sess_status serve(struct net_server *server, int signals, struct sess_error *error)
{
    enum sess_status status = net_server_start(server, error);

    if (status != SESS_OK) {
        return status;
    }
    log_write(LOG_LEVEL_WARNING,
              "sessiond %s keeps sessions in memory only: a restart logs everybody out",
              SESSIOND_VERSION);
    print_ready_lines(server);
    do {
        status = net_server_accept(server, signals);
    } while (status == SESS_OK && !take_signal(signals));
    net_server_stop(server);
    log_write(LOG_LEVEL_INFO, "stopped");
    return status == SESS_OK ? SESS_OK : error_set(error, status, "the event loop failed");
}

static enum sess_status run(struct settings *settings, struct registry *registry,
                            struct sess_error *error)
{
    struct wiring *wiring = NULL;
    int signals = -1;
    struct identity identity;
    enum sess_status status = privileges_check(settings->daemon.user, error);

    if (status == SESS_OK) {
        status = privileges_find(settings->daemon.user, &identity, error);
    }
    if (status == SESS_OK) {
        status = open_signals(&signals, error);
    }
    if (status == SESS_OK) {
        status = wiring_create(settings, registry, &wiring, error);
    }
    if (status == SESS_OK && identity.name[0] != '\0') {
        net_server_hand_over(wiring_server(wiring), identity.uid, identity.gid);
        status = privileges_drop(&identity, error);
    }
    if (status == SESS_OK) {
        status = serve(wiring_server(wiring), signals, error);
    }
    wiring_destroy(&wiring);
    if (signals >= 0) {
        (void)close(signals);
    }
    return status;
}

enum exit_code daemon_run(struct settings *settings, struct registry *registry)
{
    struct sess_error error;
    enum sess_status status;

    allocator_set_up();
    log_set_level((enum log_level)settings->daemon.log_level);
    status = run(settings, registry, &error);
    if (status != SESS_OK) {
        log_write(LOG_LEVEL_ERROR, "%s", error.text);
    }
    return exit_code_of(status);
}
