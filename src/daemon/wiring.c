/* Where the rooms are joined: every call that does not go straight down is set here.
 *
 *     worker -> store   tick(time, budget)     net_config.tick
 *     store -> journal  mutation               store_on_mutation
 *     worker -> journal committed?(ticket)     net_config.committed
 *     journal -> worker wake                   journal_config.wake
 *     journal -> daemon progress               journal_config.progress
 *     command -> daemon reload                 command_shared.reload
 *     command -> journal dump                  command_shared.dump
 *
 * Threads: start-up and stop only, but for on_wake and on_failure. Memory: one struct that owns all rooms. */
#include "wiring.h"

#include "damage.h"

#include "sessiond/base/log.h"
#include "sessiond/command/command.h"
#include "sessiond/daemon/figures.h"
#include "sessiond/daemon/privileges.h"
#include "sessiond/journal/dump_stream.h"
#include "sessiond/journal/journal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A deleted value is gone from the disk within an hour: it may be told by one checkpoint that has begun
 * before, and goes with the next. */
enum { CHECKPOINT_AGE_MS = 30 * 60 * 1000 };

struct wiring {
    struct memory_split split;
    struct policy policy;
    struct clock *clock;
    struct budget connections;
    struct budget in_flight;
    struct budget data;
    struct store *store;
    struct command_shared commands;
    struct log_limit flush_log;
    struct log_limit store_log;
    struct hash_key log_salt;
    struct net_logs net_logs;
    struct net_server *server;
    struct directory *directory; /* NULL: memory only */
    struct journal *journal;     /* likewise */
    int failure_fd;
    void (*progress)(void *context, uint64_t done, uint64_t all);
    void *progress_context;
    struct process process;
};

/* Any thread. */
static void on_wake(void *context)
{
    struct wiring *wiring = context;

    net_server_wake(wiring->server);
}

/* Any thread: the first thread then ends the daemon. */
static void on_failure(void *context)
{
    const struct wiring *wiring = context;
    uint64_t one = 1;

    if (write(wiring->failure_fd, &one, sizeof one) < 0) {
        return;
    }
}

/* Without a journal nothing has to be waited for. */
static bool is_committed(void *context, const struct store_tickets *tickets)
{
    const struct wiring *wiring = context;

    return wiring->journal == NULL || journal_committed(wiring->journal, tickets);
}

static enum sess_status begin_dump(void *context, int64_t now_s, struct stream **out)
{
    struct wiring *wiring = context;

    return dump_stream_begin(wiring->store, &wiring->connections, now_s, out);
}

static enum sess_status make_budgets(struct wiring *wiring, const struct settings *settings,
                                     struct sess_error *error)
{
    struct memory_split *split = &wiring->split;
    enum sess_status status = settings_split_memory(settings, split, error);

    if (status == SESS_OK) {
        budget_init(&wiring->connections, split->connections);
        budget_init(&wiring->in_flight, split->in_flight);
        budget_init(&wiring->data, split->data);
    }
    return status;
}

static enum sess_status make_store(struct wiring *wiring, const struct settings *settings,
                                   struct sess_error *error)
{
    struct store_config config = {
        .max_value_bytes = settings->store.max_value,
        .data = &wiring->data,
        .in_flight = &wiring->in_flight,
        .policy = &wiring->policy,
        .first_cas = 1,
    };
    enum sess_status status = policy_init(&wiring->policy, &settings->policy, error);

    if (status != SESS_OK) {
        return status;
    }
    status = clock_create(&wiring->clock);

    if (status != SESS_OK) {
        return error_set(error, status, "cannot read the clock: %s", status_text(status));
    }
    config.now_s = clock_now(wiring->clock).wall_s;
    status = hash_key_draw(&config.hash_key);
    if (status == SESS_OK) {
        status = hash_key_draw(&wiring->log_salt);
    }
    if (status == SESS_OK) {
        status = store_create(&config, &wiring->store);
    }
    explicit_bzero(&config.hash_key, sizeof config.hash_key);
    return status == SESS_OK
               ? SESS_OK
               : error_set(error, status, "cannot make the store: %s", status_text(status));
}

/* Lower the number of connections to what there is room for. */
static void lower_connections(size_t *allowed, size_t most, const char *reason)
{
    if (most < *allowed) {
        log_write(LOG_LEVEL_WARNING,
                  "max-connections is lowered from %zu to %zu: %s allows no more", *allowed, most,
                  reason);
        *allowed = most;
    }
}

static enum sess_status allow_connections(const struct wiring *wiring,
                                          const struct settings *settings, unsigned n_threads,
                                          size_t *allowed, struct sess_error *error)
{
    size_t most;

    *allowed = settings->net.max_connections;
    lower_connections(allowed, wiring->split.max_connections, "connection-memory");
    most = privileges_raise_descriptors(*allowed, n_threads);
    if (most == 0) {
        return error_set(
            error, SESS_OUT_OF_RANGE,
            "the limit of open files leaves no room for connections: raise it, or lower "
            "threads (%u)",
            n_threads);
    }
    lower_connections(allowed, most, "the limit of open files");
    return SESS_OK;
}

static enum sess_status make_server(struct wiring *wiring, const struct settings *settings,
                                    struct registry *registry, const struct activation *handed,
                                    struct sess_error *error)
{
    struct net_config config = {
        .options = &settings->net,
        .commands = &wiring->commands,
        .clock = wiring->clock,
        .logs = &wiring->net_logs,
        .connections = &wiring->connections,
        .max_value_bytes = settings->store.max_value,
        .inline_value_bytes = STORE_COPY_MAX,
        .n_threads = settings_threads(settings),
        .tick = command_tick,
        .tick_context = &wiring->commands,
        .committed = is_committed,
        .committed_context = wiring,
        .inherited = handed == NULL ? NULL : handed->sockets,
        .n_inherited = handed == NULL ? 0 : handed->n_sockets,
    };
    enum sess_status status =
        allow_connections(wiring, settings, config.n_threads, &config.max_connections, error);

    if (status != SESS_OK) {
        return status;
    }

    wiring->commands = (struct command_shared){
        .store = wiring->store,
        .registry = registry,
        .flush_log = &wiring->flush_log,
        .store_log = &wiring->store_log,
        .log_salt = &wiring->log_salt,
        .replies = &wiring->connections,
        .options = &settings->commands,
        .dump = begin_dump,
        .dump_context = wiring,
    };
    wiring->process = (struct process){
        .clock = wiring->clock,
        .started = clock_now(wiring->clock),
        .max_connections = config.max_connections,
        .net = &settings->net,
        .session_bytes = wiring->data.limit,
    };
    return net_server_create(&config, &wiring->server, error);
}

enum sess_status wiring_create(const struct settings *settings, struct registry *registry,
                               const struct activation *handed, struct wiring **out,
                               struct sess_error *error)
{
    struct wiring *wiring = calloc(1, sizeof *wiring);
    enum sess_status status;

    if (wiring == NULL) {
        return error_set(error, SESS_NO_MEMORY, "no memory to start");
    }
    status = make_budgets(wiring, settings, error);
    if (status == SESS_OK) {
        status = make_store(wiring, settings, error);
    }
    if (status == SESS_OK) {
        status = make_server(wiring, settings, registry, handed, error);
    }
    if (status == SESS_OK &&
        figures_register(registry, &wiring->process, wiring->server, wiring->store) != SESS_OK) {
        status = error_set(error, SESS_LIMIT, "too many figures for the registry");
    }
    if (status != SESS_OK) {
        wiring_destroy(&wiring);
        return status;
    }
    *out = wiring;
    return SESS_OK;
}

/* What a start that cannot go on says to do. */
static enum sess_status advise(enum sess_status status, const char *path, size_t segment_bytes,
                               struct sess_error *error)
{
    const char *said = error->text;
    struct sess_error whole;

    if (status == SESS_NO_SPACE) {
        status =
            error_set(&whole, status,
                      "%s: nothing was started, and no session was changed: make room, %zu MiB "
                      "at least, and start again",
                      said, segment_bytes >> 20);
        *error = whole;
    }

    if (status == SESS_DAMAGED) {
        status = error_set(&whole, status,
                           "data-dir %s: %s: sessions that were acknowledged cannot be read, so "
                           "nothing was started and nothing was changed",
                           path, said);
        *error = whole;
    }
    return status == SESS_REFUSED ? SESS_DAMAGED : status;
}

static void tell_recovered(const struct wiring *wiring, const char *path)
{
    const struct recovered *found = journal_recovered(wiring->journal);

    if (found->cut_segment != 0) {
        log_write(LOG_LEVEL_WARNING,
                  "data-dir %s: the journal ends at offset %" PRIu64 " of its file %" PRIu64
                  "; %" PRIu64 " bytes behind it had not been synced and were dropped",
                  path, found->cut_offset, found->cut_segment, found->n_cut);
    }
    log_write(LOG_LEVEL_INFO,
              "data-dir %s: %" PRIu64 " sessions of a checkpoint and %" PRIu64
              " changes after it, %" PRIu64 " MiB, were read in %" PRIu64 " ms",
              path, found->n_images, found->n_records, (found->image_bytes + found->n_bytes) >> 20,
              found->took_ms);
}

static void tell_accepted(const struct wiring *wiring)
{
    const struct recovered *found =
        wiring->journal == NULL ? NULL : journal_recovered(wiring->journal);

    if (found == NULL || found->left_time_s == 0) {
        log_write(LOG_LEVEL_INFO,
                  "--accept-clock: the clock is not behind data-dir's time, so there "
                  "was nothing to accept");
    } else {
        log_write(LOG_LEVEL_WARNING,
                  "--accept-clock: time goes on from the clock's, %" PRId64
                  " s back; sessions that had expired before are gone",
                  found->left_time_s - found->time_s);
    }
}

static enum sess_status open_journal(struct wiring *wiring, const struct settings *settings,
                                     bool accepts_clock, struct sess_error *error)
{
    struct journal_config config = {
        .options = &settings->journal,
        .directory = wiring->directory,
        .clock = wiring->clock,
        .store = wiring->store,
        .accepts_clock = accepts_clock,
        .batch_bytes = wiring->split.batch,
        .segment_bytes = settings_segment_bytes(settings),
        .checkpoint_bytes = settings_segment_bytes(settings),
        .checkpoint_ms = CHECKPOINT_AGE_MS,
        .wake = on_wake,
        .wake_context = wiring,
        .failed = on_failure,
        .failed_context = wiring,
        .progress = wiring->progress,
        .progress_context = wiring->progress_context,
    };
    enum sess_status status = journal_open(&config, &wiring->journal, error);

    if (status == SESS_OK) {
        store_on_mutation(wiring->store, journal_accept, wiring->journal);
        status = journal_start(wiring->journal, error);
    }
    return status;
}

void wiring_on_failure(struct wiring *wiring, int failure_fd)
{
    wiring->failure_fd = failure_fd;
}

void wiring_on_progress(struct wiring *wiring,
                        void (*progress)(void *context, uint64_t done, uint64_t all), void *context)
{
    wiring->progress = progress;
    wiring->progress_context = context;
}

void wiring_on_reload(struct wiring *wiring,
                      enum sess_status (*reload)(void *context, const char *peer,
                                                 struct report *changes, struct sess_error *error),
                      void *context)
{
    wiring->commands.reload = reload;
    wiring->commands.reload_context = context;
}

enum sess_status wiring_recover(struct wiring *wiring, const struct settings *settings,
                                const char *path, const struct command_line *line,
                                struct registry *registry, struct sess_error *error)
{
    enum sess_status status;

    if (path[0] == '\0') {
        if (line->accepts_clock) {
            tell_accepted(wiring);
        }
        return SESS_OK;
    }
    status = directory_open(path, &wiring->directory, error);
    if (status == SESS_OK && line->sets_damaged_aside) {
        status = damage_set_aside(path, &wiring->directory, error);
    }
    if (status == SESS_OK) {
        status = open_journal(wiring, settings, line->accepts_clock, error);
    }
    if (status != SESS_OK) {
        return advise(status, path, settings_segment_bytes(settings), error);
    }
    tell_recovered(wiring, path);
    if (line->accepts_clock) {
        tell_accepted(wiring);
    }
    return figures_register_journal(registry, wiring->journal) == SESS_OK
               ? SESS_OK
               : error_set(error, SESS_LIMIT, "too many figures for the registry");
}

const char *wiring_find_stuck(struct wiring *wiring)
{
    struct journal_look look = {.is_stuck = false};
    bool has_turned = net_server_has_turned(wiring->server);

    if (wiring->journal != NULL) {
        look = journal_look(wiring->journal);
    }
    if (look.is_stuck) {
        return "a thread of the journal";
    }
    return has_turned || look.is_write_held ? NULL : "a worker";
}

enum sess_status wiring_close_journal(struct wiring *wiring, struct sess_error *error)
{
    return wiring->journal == NULL ? SESS_OK : journal_stop(wiring->journal, error);
}

/* A start that failed has running threads, but no change that they would have to write. */
static void end_journal(struct wiring *wiring)
{
    struct sess_error ignored;

    (void)!wiring_close_journal(wiring, &ignored);
    journal_destroy(&wiring->journal);
    directory_destroy(&wiring->directory);
}

void wiring_destroy(struct wiring **wiring)
{
    if (*wiring == NULL) {
        return;
    }
    end_journal(*wiring);
    net_server_destroy(&(*wiring)->server);
    store_destroy(&(*wiring)->store);
    clock_destroy(&(*wiring)->clock);
    free(*wiring);
    *wiring = NULL;
}

struct net_server *wiring_server(struct wiring *wiring)
{
    return wiring->server;
}
