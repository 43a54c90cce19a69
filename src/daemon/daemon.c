/* The daemon's start, life and stop. Which calls join the rooms stands in wiring.c.
 *
 * Threads: the first thread; it accepts connections, the workers do the rest. */
#include "sessiond/daemon/daemon.h"

#include "activation.h"
#include "admin_socket.h"
#include "allocator.h"
#include "damage.h"
#include "reload.h"
#include "sessiond/base/directory.h"
#include "sessiond/base/failpoint.h"
#include "sessiond/base/log.h"
#include "sessiond/daemon/figures.h"
#include "sessiond/daemon/privileges.h"
#include "sessiond/journal/data_dir.h"
#include "supervisor.h"
#include "wiring.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* What ends the daemon, as descriptors that become readable. */
struct alarms {
    int signals;
    int failure; /* an eventfd: the disk has failed */
    int any;     /* readable when one of the others is */
};

/* All of it, from start to stop; what is made is made in the order of the fields. */
struct daemon {
    struct settings *settings; /* borrowed, as all that begin() does not make */
    struct registry *registry;
    const struct command_line *line;
    struct supervisor supervisor;
    struct alarms alarms;
    struct wiring *wiring;
    struct reloader *reloader;
};

static enum exit_code exit_code_of(enum sess_status status)
{
    switch (status) {
    case SESS_OK:
        return EXIT_DONE;
    case SESS_ADDRESS_IN_USE:
    case SESS_LOCKED:
        return EXIT_UNAVAILABLE;
    case SESS_DAMAGED:
        return EXIT_DAMAGED;
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
#define SIGNAL(number, doc) (void)sigaddset(&signals, number);
#include "sessiond/daemon/signals.def"
#undef SIGNAL
    /* A file that reaches the limit of its size is a full disk, which is survived. */
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        signal(SIGXFSZ, SIG_IGN) == SIG_ERR) {
        return error_set(error, SESS_IO, "cannot set signals up");
    }
    *fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return *fd < 0 ? error_set(error, SESS_IO, "cannot receive signals: %s", strerror(errno))
                   : SESS_OK;
}

static bool watch(int any, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(any, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool watch_all(const struct daemon *daemon)
{
    int looks = supervisor_fd(&daemon->supervisor);

    return watch(daemon->alarms.any, reloader_fd(daemon->reloader)) &&
           (looks < 0 || watch(daemon->alarms.any, looks));
}

static enum sess_status open_alarms(struct alarms *alarms, struct sess_error *error)
{
    enum sess_status status = open_signals(&alarms->signals, error);

    if (status != SESS_OK) {
        return status;
    }
    alarms->failure = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    alarms->any = epoll_create1(EPOLL_CLOEXEC);
    if (alarms->failure < 0 || alarms->any < 0 || !watch(alarms->any, alarms->signals) ||
        !watch(alarms->any, alarms->failure)) {
        return error_set(error, SESS_IO, "cannot wait for signals: %s", strerror(errno));
    }
    return SESS_OK;
}

static void close_alarms(struct alarms *alarms)
{
    const int fds[] = {alarms->signals, alarms->failure, alarms->any};

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
}

static bool has_failed(const struct alarms *alarms)
{
    uint64_t count;

    return read(alarms->failure, &count, sizeof count) == (ssize_t)sizeof count;
}

static void reload_at_signal(struct reloader *reloader, unsigned sender)
{
    char who[OPTION_TEXT_SIZE];
    struct report changes = {.is_cut = false};
    struct sess_error error;

    (void)snprintf(who, sizeof who, "SIGHUP of process %u", sender);
    /* The log says what came of it. */
    (void)!reloader_run(reloader, who, &changes, &error);
    report_release(&changes);
}

/* Returns true when the signal says to stop. */
static bool take_signal(int fd, struct reloader *reloader)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof info) != (ssize_t)sizeof info) {
        return false;
    }
    if (info.ssi_signo == SIGHUP) {
        reload_at_signal(reloader, info.ssi_pid);
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

static void tell_durability(const struct settings *settings, const char *path)
{
    if (path[0] == '\0') {
        log_write(LOG_LEVEL_WARNING,
                  "sessiond %s keeps sessions in memory only: a restart logs everybody out",
                  SESSIOND_VERSION);
    } else if (settings->journal.fsync == FSYNC_NEVER) {
        log_write(LOG_LEVEL_WARNING,
                  "sessiond %s keeps sessions in %s, and with fsync = never a power cut may take "
                  "them back",
                  SESSIOND_VERSION, path);
    } else {
        log_write(LOG_LEVEL_INFO, "sessiond %s keeps sessions in %s", SESSIOND_VERSION, path);
    }
}

/* Stop in an orderly way, or at once when the disk has failed: nothing may be acknowledged then. */
static enum sess_status stop(struct daemon *daemon, bool must_abandon, struct sess_error *error)
{
    struct net_server *server = wiring_server(daemon->wiring);
    enum sess_status status;

    failpoint("stop.begun");
    supervisor_stopping(&daemon->supervisor, daemon->settings->net.stop_timeout);
    if (must_abandon) {
        net_server_abandon(server);
    } else {
        net_server_stop(server);
    }
    failpoint("stop.drained");
    status = wiring_close_journal(daemon->wiring, error);
    failpoint("stop.synced");
    if (status == SESS_OK) {
        log_write(LOG_LEVEL_INFO, "stopped");
    }
    return status;
}

static void tell_ready(struct daemon *daemon)
{
    print_ready_lines(wiring_server(daemon->wiring));
    supervisor_ready(&daemon->supervisor, figures_count_sessions(daemon->registry));
    /* The first look is by what is seen now. */
    (void)wiring_find_stuck(daemon->wiring);
}

static void look_after(struct daemon *daemon)
{
    const char *stuck = NULL;

    if (!supervisor_is_due(&daemon->supervisor)) {
        return;
    }
    if (daemon->supervisor.has_watchdog) {
        stuck = wiring_find_stuck(daemon->wiring);
    }
    supervisor_look(&daemon->supervisor, figures_count_sessions(daemon->registry), stuck);
}

static enum sess_status serve(struct daemon *daemon, struct sess_error *error)
{
    const struct alarms *alarms = &daemon->alarms;
    struct net_server *server = wiring_server(daemon->wiring);
    enum sess_status status = net_server_start(server, error);
    enum sess_status accepted;
    bool is_broken;

    if (status != SESS_OK) {
        return status;
    }
    tell_ready(daemon);
    do {
        accepted = net_server_accept(server, alarms->any);
        is_broken = has_failed(alarms);
        reloader_serve(daemon->reloader);
        look_after(daemon);
    } while (accepted == SESS_OK && !is_broken && !take_signal(alarms->signals, daemon->reloader));
    status = stop(daemon, is_broken, error);
    if (status == SESS_OK && accepted != SESS_OK) {
        return error_set(error, accepted, "the event loop failed");
    }
    return status;
}

/* The rooms, with the listeners open, as the user that the process stays. */
static enum sess_status prepare(struct daemon *daemon, const char *path, struct sess_error *error)
{
    const struct settings *settings = daemon->settings;
    struct activation handed;
    struct identity identity;
    bool becomes;
    enum sess_status status = activation_read(&handed, error);

    if (status == SESS_OK) {
        status = privileges_find(settings->daemon.user, &identity, error);
    }
    if (status == SESS_OK) {
        status = open_alarms(&daemon->alarms, error);
    }
    if (status == SESS_OK) {
        status = wiring_create(settings, daemon->registry, &handed, &daemon->wiring, error);
    }
    if (status != SESS_OK) {
        return status;
    }
    activation_tell(&handed);
    becomes = identity.name[0] != '\0';
    if (path[0] != '\0') {
        status = directory_make(path, becomes ? identity.uid : geteuid(),
                                becomes ? identity.gid : getegid(), error);
    }
    if (status == SESS_OK && becomes) {
        net_server_hand_over(wiring_server(daemon->wiring), identity.uid, identity.gid);
        status = privileges_drop(&identity, error);
    }
    return status;
}

static enum sess_status recover(struct daemon *daemon, const char *path, struct sess_error *error)
{
    const struct settings *settings = daemon->settings;
    enum sess_status status;

    wiring_on_failure(daemon->wiring, daemon->alarms.failure);
    wiring_on_progress(daemon->wiring, supervisor_recovering, &daemon->supervisor);
    supervisor_recovering(&daemon->supervisor, 0, 0);
    status = wiring_recover(daemon->wiring, settings, path, daemon->line, daemon->registry, error);
    if (status == SESS_OK) {
        admin_socket_open(wiring_server(daemon->wiring), settings->net.admin_listen, path);
        tell_durability(settings, path);
    }
    return status;
}

/* Everything up to the point where clients may come. */
static enum sess_status begin(struct daemon *daemon, struct sess_error *error)
{
    char path[DATA_DIR_SIZE];
    enum sess_status status = supervisor_open(&daemon->supervisor, error);

    if (status == SESS_OK) {
        status = privileges_check(daemon->settings->daemon.user, error);
    }
    if (status == SESS_OK) {
        status = data_dir_find(daemon->settings->journal.data_dir, path, error);
    }
    if (status == SESS_OK) {
        status = prepare(daemon, path, error);
    }
    if (status == SESS_OK) {
        status = recover(daemon, path, error);
    }
    if (status == SESS_OK) {
        status = reloader_create(daemon->settings, daemon->registry, daemon->line->config_path,
                                 &daemon->supervisor, &daemon->reloader, error);
    }
    if (status == SESS_OK && !watch_all(daemon)) {
        status = error_set(error, SESS_IO, "cannot wait for reloads: %s", strerror(errno));
    }
    return status;
}

static enum sess_status run(struct daemon *daemon, struct sess_error *error)
{
    enum sess_status status = begin(daemon, error);

    if (status == SESS_OK) {
        wiring_on_reload(daemon->wiring, reloader_ask, daemon->reloader);
        status = serve(daemon, error);
    }
    if (status != SESS_OK) {
        supervisor_failed(&daemon->supervisor, error->text);
    }
    wiring_destroy(&daemon->wiring);
    reloader_destroy(&daemon->reloader);
    close_alarms(&daemon->alarms);
    supervisor_close(&daemon->supervisor);
    return status;
}

enum exit_code daemon_run(struct settings *settings, struct registry *registry,
                          const struct command_line *line)
{
    struct daemon daemon = {
        .settings = settings,
        .registry = registry,
        .line = line,
        .alarms = {.signals = -1, .failure = -1, .any = -1},
        .supervisor = {.notifier.fd = -1, .timer = -1},
    };
    struct sess_error error;
    enum sess_status status;

    allocator_set_up();
    log_set_level((enum log_level)settings->daemon.log_level);
    status = run(&daemon, &error);
    if (status != SESS_OK) {
        log_write(LOG_LEVEL_ERROR, "%s", error.text);
        /* What is of another version is not damaged, though it ends like that. */
        if (error.status == SESS_DAMAGED) {
            damage_advise(settings->journal.data_dir, line);
        }
    }
    return exit_code_of(status);
}
