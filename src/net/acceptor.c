/* Accepting and placing. Not the listening sockets themselves (listener.c). Threads: the creator's.
 * Memory: the event base. */
#include "acceptor.h"

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPT_PAUSE_MS = 100, ACCEPTS_PER_TURN = 64 };

#define NOBODY ((uid_t)-1) /* who is not known */

/* The options of a listener of a role. */
static const struct {
    const char *listen;
    const char *allow;
} roles[NET_ROLES] = {
    [NET_ROLE_DATA] = {"listen", "socket-allow"},
    [NET_ROLE_ADMIN] = {"admin-listen", "admin-allow"},
};

static size_t count_connections(const struct acceptor *acceptor)
{
    size_t n = 0;

    for (unsigned i = 0; i < acceptor->config->n_threads; i++) {
        n += atomic_load(&acceptor->workers[i]->loop.n_connections);
    }
    return n;
}

static struct worker *least_loaded(const struct acceptor *acceptor)
{
    struct worker *best = acceptor->workers[0];

    for (unsigned i = 1; i < acceptor->config->n_threads; i++) {
        if (atomic_load(&acceptor->workers[i]->loop.n_connections) <
            atomic_load(&best->loop.n_connections)) {
            best = acceptor->workers[i];
        }
    }
    return best;
}

/* As a reload may have set it, within what the system and memory had room for at the start. */
static size_t max_connections(const struct acceptor *acceptor)
{
    size_t set = acceptor->config->options->max_connections;

    return set < acceptor->config->max_connections ? set : acceptor->config->max_connections;
}

static void turn_away(struct acceptor *acceptor, int fd, enum reply reply)
{
    uint8_t text[REPLY_LINE_MAX];
    struct buffer out = {.data = text, .capacity = sizeof text};

    reply_put(&out, reply);
    /* A courtesy: the close says the same. */
    if (send(fd, out.data, out.size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        log_limited(&acceptor->untold_log, 1, LOG_LEVEL_DEBUG,
                    "a rejected connection could not be told why");
    }
    (void)close(fd);
}

static void reject(struct acceptor *acceptor, int fd)
{
    turn_away(acceptor, fd, REPLY_TOO_MANY_CONNECTIONS);
    metric_add(&acceptor->metrics.rejected_connections, 1);
    log_limited(&acceptor->reject_log, 1, LOG_LEVEL_WARNING,
                "a connection was rejected: max-connections (%zu) is reached",
                max_connections(acceptor));
}

static void set_accepting(struct acceptor *acceptor, bool is_accepting)
{
    for (size_t i = 0; i < acceptor->n_doors; i++) {
        if (is_accepting) {
            (void)event_add(&acceptor->doors[i].readable, NULL);
        } else {
            (void)event_del(&acceptor->doors[i].readable);
        }
    }
    atomic_store_explicit(&acceptor->metrics.accepting_conns, is_accepting, memory_order_relaxed);
}

static void pause_accepting(struct acceptor *acceptor)
{
    set_accepting(acceptor, false);
    loop_arm(&acceptor->pause_over, ACCEPT_PAUSE_MS);
    acceptor->paused_ms = clock_now(acceptor->config->clock).boot_ms;
    metric_add(&acceptor->metrics.listen_disabled_num, 1);
    log_limited(&acceptor->pause_log, 1, LOG_LEVEL_WARNING,
                "descriptors or memory are short: accepting pauses; raise the limit of open files, "
                "or lower max-connections");
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
    struct acceptor *acceptor = context;
    int64_t lasted_ms = clock_now(acceptor->config->clock).boot_ms - acceptor->paused_ms;

    (void)fd;
    (void)what;
    metric_add(&acceptor->metrics.time_in_listen_disabled_us, (uint64_t)lasted_ms * 1000);
    set_accepting(acceptor, true);
}

/* At a unix socket, whoever is at the other end must be known, and allowed. */
static bool may_enter(struct door *door, struct accepted *accepted)
{
    struct acceptor *acceptor = door->acceptor;
    char address[ADDRESS_TEXT_SIZE];

    if (door->listener.address.socket.ss_family != AF_UNIX) {
        return true;
    }
    accepted->who = (struct ucred){.pid = 0, .uid = NOBODY, .gid = NOBODY};
    if (peers_identify(accepted->fd, &accepted->who) == SESS_OK &&
        peers_may(&acceptor->peers[door->role], accepted->fd, &accepted->who)) {
        return true;
    }
    turn_away(acceptor, accepted->fd, REPLY_PEER_REFUSED);
    metric_add(&acceptor->metrics.refused_peers, 1);
    address_format(&door->listener.address, address, sizeof address);
    log_limited(&acceptor->peer_log, 1, LOG_LEVEL_WARNING,
                "%s: uid %u, gid %u, pid %d was refused: it is not in %s", address,
                (unsigned)accepted->who.uid, (unsigned)accepted->who.gid, (int)accepted->who.pid,
                roles[door->role].allow);
    return false;
}

static void place(struct acceptor *acceptor, const struct accepted *accepted)
{
    size_t most =
        max_connections(acceptor) + (accepted->role == NET_ROLE_ADMIN ? NET_ADMIN_SEATS : 0);

    if (count_connections(acceptor) >= most) {
        reject(acceptor, accepted->fd);
    } else if (worker_give(least_loaded(acceptor), accepted) != SESS_OK) {
        (void)close(accepted->fd);
        pause_accepting(acceptor);
    }
}

static void on_acceptable(evutil_socket_t fd, short what, void *context)
{
    struct door *door = context;
    struct accepted accepted = {.listener = &door->listener.address, .role = door->role};

    (void)fd;
    (void)what;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        enum sess_status status = listener_accept(&door->listener, &accepted.fd, &accepted.peer);

        if (status == SESS_AGAIN) {
            return;
        }
        if (status == SESS_LIMIT) {
            pause_accepting(door->acceptor);
            return;
        }
        if (status != SESS_OK) {
            log_write(LOG_LEVEL_ERROR, "a listener failed and accepts no more");
            (void)event_del(&door->readable);
            return;
        }
        if (may_enter(door, &accepted)) {
            place(door->acceptor, &accepted);
        }
    }
}

/* Whether an address, of which `text` is the text, may be listened on. */
static enum sess_status check_address(const struct net_options *options, enum net_role role,
                                      const char *text, const struct net_address *address,
                                      struct sess_error *error)
{
    if (options->insecure_listen) {
        return SESS_OK;
    }
    if (!address_is_loopback(address)) {
        return error_set(error, SESS_REFUSED,
                         "%s can be reached from other machines, unencrypted and by anybody: "
                         "listen on 127.0.0.1, or set insecure-listen = yes",
                         text);
    }
    if (role == NET_ROLE_ADMIN && address->socket.ss_family != AF_UNIX) {
        return error_set(error, SESS_REFUSED,
                         "everybody on this machine could end all sessions by %s: use "
                         "unix:PATH, or set insecure-listen = yes",
                         text);
    }
    return SESS_OK;
}

/* The address of a text, if it may be listened on. */
static enum sess_status parse_address(const struct net_options *options, enum net_role role,
                                      const char *text, struct net_address *address,
                                      struct sess_error *error)
{
    enum sess_status status = address_parse(text, address, error);

    if (status == SESS_OK) {
        status = check_address(options, role, text, address, error);
    }
    return status == SESS_OK ? SESS_OK : error_wrap(error, "%s", roles[role].listen);
}

/* What may be asked for later than at the start, or is not to be opened. */
static bool is_named(const char *admin_listen)
{
    return admin_listen[0] != '\0' && strcmp(admin_listen, "auto") != 0;
}

static enum sess_status read_peers(const struct net_options *options, struct peers *peers,
                                   struct sess_error *error)
{
    const char *texts[NET_ROLES] = {options->socket_allow, options->admin_allow};

    for (unsigned role = 0; role < NET_ROLES; role++) {
        if (peers_parse(texts[role], &peers[role], error) != SESS_OK) {
            return error_wrap(error, "%s", roles[role].allow);
        }
    }
    peers[NET_ROLE_DATA].lets_all_in = options->socket_allow[0] == '\0';
    return SESS_OK;
}

enum sess_status acceptor_check(const struct net_options *options, struct sess_error *error)
{
    struct peers peers[NET_ROLES];
    struct net_address address;
    enum sess_status status = read_peers(options, peers, error);

    for (size_t i = 0; status == SESS_OK && i < options->listen.n_items; i++) {
        status = parse_address(options, NET_ROLE_DATA, options->listen.items[i], &address, error);
    }
    if (status == SESS_OK && is_named(options->admin_listen)) {
        status = parse_address(options, NET_ROLE_ADMIN, options->admin_listen, &address, error);
    }
    return status;
}

/* The next door, whose listener is open, is one of the others from here on. */
static void add_door(struct acceptor *acceptor, enum net_role role)
{
    struct door *door = &acceptor->doors[acceptor->n_doors++];

    door->acceptor = acceptor;
    door->role = role;
    door->fd = door->listener.fd;
    (void)event_assign(&door->readable, acceptor->base, door->fd, EV_READ | EV_PERSIST,
                       on_acceptable, door);
}

static enum sess_status open_door(struct acceptor *acceptor, enum net_role role, const char *text,
                                  struct sess_error *error)
{
    const struct net_options *options = acceptor->config->options;
    struct door *door = &acceptor->doors[acceptor->n_doors];
    struct net_address address;
    enum sess_status status = parse_address(options, role, text, &address, error);

    if (status == SESS_OK) {
        status = listener_open(
            &door->listener, &address,
            (mode_t)(role == NET_ROLE_ADMIN ? options->admin_mode : options->socket_mode), error);
    }
    if (status == SESS_OK) {
        add_door(acceptor, role);
    }
    return status;
}

/* What was handed over is judged as what is opened here. */
static enum sess_status adopt_door(struct acceptor *acceptor, const struct net_inherited *inherited,
                                   struct sess_error *error)
{
    struct listener *listener = &acceptor->doors[acceptor->n_doors].listener;
    char text[ADDRESS_TEXT_SIZE];
    enum sess_status status = listener_adopt(listener, inherited->fd, error);

    if (status == SESS_OK) {
        add_door(acceptor, inherited->role);
        address_format(&listener->address, text, sizeof text);
        status = check_address(acceptor->config->options, inherited->role, text, &listener->address,
                               error);
    }
    return status == SESS_OK
               ? SESS_OK
               : error_wrap(error, "descriptor %d, which was handed over", inherited->fd);
}

static enum sess_status adopt_doors(struct acceptor *acceptor, bool has_role[NET_ROLES],
                                    struct sess_error *error)
{
    const struct net_config *config = acceptor->config;
    enum sess_status status = SESS_OK;

    for (size_t i = 0; status == SESS_OK && i < config->n_inherited; i++) {
        has_role[config->inherited[i].role] = true;
        status = adopt_door(acceptor, &config->inherited[i], error);
    }
    return status;
}

enum sess_status acceptor_open(struct acceptor *acceptor, const struct net_config *config,
                               struct worker *const *workers, struct sess_error *error)
{
    const struct option_list *listen = &config->options->listen;
    const char *admin_listen = config->options->admin_listen;
    bool has_role[NET_ROLES] = {false};
    enum sess_status status;

    acceptor->config = config;
    acceptor->workers = workers;
    acceptor->opened_ms = clock_now(config->clock).boot_ms;
    acceptor->base = event_base_new();
    if (acceptor->base == NULL) {
        return error_set(error, SESS_IO, "cannot make an event loop");
    }
    (void)event_assign(&acceptor->pause_over, acceptor->base, -1, 0, on_pause_over, acceptor);
    status = read_peers(config->options, acceptor->peers, error);
    if (status == SESS_OK) {
        status = adopt_doors(acceptor, has_role, error);
    }
    for (size_t i = 0; status == SESS_OK && !has_role[NET_ROLE_DATA] && i < listen->n_items; i++) {
        status = open_door(acceptor, NET_ROLE_DATA, listen->items[i], error);
    }
    if (status == SESS_OK && !has_role[NET_ROLE_ADMIN] && is_named(admin_listen)) {
        status = open_door(acceptor, NET_ROLE_ADMIN, admin_listen, error);
    }
    return status;
}

enum sess_status acceptor_open_admin(struct acceptor *acceptor, const char *address,
                                     struct sess_error *error)
{
    return open_door(acceptor, NET_ROLE_ADMIN, address, error);
}

static void on_woken(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)event_base_loopbreak(context);
}

enum sess_status acceptor_run(struct acceptor *acceptor, int wake_fd)
{
    struct event woken;
    int result;

    (void)event_assign(&woken, acceptor->base, wake_fd, EV_READ, on_woken, acceptor->base);
    if (event_add(&woken, NULL) != 0) {
        return SESS_IO;
    }
    set_accepting(acceptor, true);
    result = event_base_dispatch(acceptor->base);
    (void)event_del(&woken);
    return result < 0 ? SESS_IO : SESS_OK;
}

void acceptor_close(struct acceptor *acceptor)
{
    if (acceptor->base == NULL) {
        return;
    }
    set_accepting(acceptor, false);
    (void)event_del(&acceptor->pause_over);
    for (size_t i = 0; i < acceptor->n_doors; i++) {
        listener_close(&acceptor->doors[i].listener);
    }
}

void acceptor_fini(struct acceptor *acceptor)
{
    acceptor_close(acceptor);
    if (acceptor->base != NULL) {
        event_base_free(acceptor->base);
        acceptor->base = NULL;
    }
}
