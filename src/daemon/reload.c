/* Reloads, and the desk where workers ask for them. Threads: see the header; the desk is under its lock, the
 * settings are written by the first thread alone. Memory: the struct; settings to try, while one runs. */
#include "reload.h"

#include "sessiond/base/log.h"
#include "sessiond/daemon/config_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WHO_SIZE = 64,
    PASSES_MAX = 100, /* times that others ask before an answer that nobody fetches is dropped */
};

enum desk_state { DESK_FREE, DESK_ASKED, DESK_DONE };

struct reloader {
    /* immutable */
    struct settings *settings;
    struct registry *registry;
    const char *config_path;
    const struct supervisor *supervisor;
    uint64_t max_connections; /* at the start */
    int fd;

    /* under the lock */
    pthread_mutex_t lock;
    enum desk_state state;
    const void *asker; /* told apart by its address alone */
    char who[WHO_SIZE];
    unsigned n_passes;
    enum sess_status status;
    struct report changes;
    struct sess_error error;
};

/* Settings to try, before anybody sees them. */
struct trial {
    struct settings settings;
    struct registry registry;
};

/* A path or a value may hold anything, and goes to the log and on the wire. */
static enum sess_status refuse(struct sess_error *error)
{
    struct sess_error plain;

    (void)log_escape(slice_from_text(error->text), plain.text, sizeof plain.text);
    return error_set(error, SESS_REFUSED, "nothing was changed: %.480s", plain.text);
}

/* What waits for a writer would hold everybody up, and what cannot be read twice is gone. */
static enum sess_status check_file(const char *path, struct sess_error *error)
{
    struct stat file;

    if (path == NULL) {
        return error_set(error, SESS_NOT_FOUND,
                         "there is no file to read: sessiond was started without --config");
    }
    if (stat(path, &file) != 0) {
        return error_set(error, SESS_IO, "cannot open %s: %s", path, strerror(errno));
    }
    return S_ISREG(file.st_mode) ? SESS_OK
                                 : error_set(error, SESS_INVALID, "%s is no plain file", path);
}

/* What the command line said holds on. */
static void take_command_line(struct trial *trial, const struct registry *present)
{
    for (size_t i = 0; i < present->n_options; i++) {
        const struct option_binding *from = &present->options[i];

        for (size_t row = 0; row < from->table->n_rows; row++) {
            if (from->source[row] == OPTION_FROM_COMMAND_LINE) {
                option_copy(&trial->registry.options[i], from, &from->table->rows[row]);
            }
        }
    }
}

static enum sess_status read_trial(const struct reloader *reloader, struct trial *trial,
                                   struct sess_error *error)
{
    enum sess_status status = check_file(reloader->config_path, error);

    if (status == SESS_OK) {
        status = settings_register(&trial->settings, &trial->registry, error);
    }
    if (status == SESS_OK) {
        take_command_line(trial, reloader->registry);
        status = config_file_read(&trial->registry, reloader->config_path, error);
    }
    if (status == SESS_OK) {
        status = settings_check(&trial->settings, error);
        status = status == SESS_OK ? status : error_wrap(error, "%s", reloader->config_path);
    }
    return status;
}

static void tell_change(const struct option_binding *binding, const struct option_row *row,
                        struct report *changes)
{
    bool is_applied = (row->flags & OPTION_RELOADABLE) != 0;
    char name[OPTION_TEXT_SIZE];
    char value[OPTION_TEXT_SIZE];
    char plain[OPTION_TEXT_SIZE];

    option_name(row, name, sizeof name);
    for (size_t i = 0; option_format(binding, row, i, value, sizeof value); i++) {
        (void)log_escape(slice_from_text(value), plain, sizeof plain);
        report_add(changes, name, "%s%s", plain, is_applied ? "" : " (needs a restart)");
        log_write(LOG_LEVEL_WARNING, "reload: %s = %s%s", name, plain,
                  is_applied ? "" : " needs a restart");
    }
}

/* Nothing in here can fail. */
static void apply(const struct reloader *reloader, const struct trial *trial,
                  struct report *changes)
{
    for (size_t i = 0; i < reloader->registry->n_options; i++) {
        struct option_binding *present = &reloader->registry->options[i];
        const struct option_binding *wanted = &trial->registry.options[i];

        for (size_t n = 0; n < present->table->n_rows; n++) {
            const struct option_row *row = &present->table->rows[n];

            if (option_equal(present, wanted, row)) {
                continue;
            }
            tell_change(wanted, row, changes);
            if ((row->flags & OPTION_RELOADABLE) != 0) {
                option_copy(present, wanted, row);
            }
        }
    }
    log_set_level((enum log_level)reloader->settings->daemon.log_level);
    if (reloader->settings->net.max_connections > reloader->max_connections) {
        report_add(changes, "max-connections", "%llu until a restart",
                   (unsigned long long)reloader->max_connections);
    }
}

static enum sess_status try_file(struct reloader *reloader, const char *who, struct report *changes,
                                 struct sess_error *error)
{
    struct trial *trial = calloc(1, sizeof *trial);
    enum sess_status status = trial == NULL
                                  ? error_set(error, SESS_NO_MEMORY, "no memory to read it")
                                  : read_trial(reloader, trial, error);

    if (status == SESS_OK) {
        log_write(LOG_LEVEL_WARNING, "reload for %s", who);
        apply(reloader, trial, changes);
    } else {
        status = refuse(error);
        log_write(LOG_LEVEL_ERROR, "reload for %s refused: %s", who, error->text);
    }
    free(trial);
    return status;
}

enum sess_status reloader_run(struct reloader *reloader, const char *who, struct report *changes,
                              struct sess_error *error)
{
    enum sess_status status;

    supervisor_reloading(reloader->supervisor);
    status = try_file(reloader, who, changes, error);
    supervisor_reloaded(reloader->supervisor);
    return status;
}

void reloader_serve(struct reloader *reloader)
{
    struct report changes = {.is_cut = false};
    struct sess_error error;
    enum sess_status status;
    char who[WHO_SIZE];
    bool is_asked;
    uint64_t count;

    if (read(reloader->fd, &count, sizeof count) != (ssize_t)sizeof count) {
        return;
    }
    (void)pthread_mutex_lock(&reloader->lock);
    is_asked = reloader->state == DESK_ASKED;
    memcpy(who, reloader->who, sizeof who);
    (void)pthread_mutex_unlock(&reloader->lock);
    if (!is_asked) {
        return;
    }
    status = reloader_run(reloader, who, &changes, &error);
    (void)pthread_mutex_lock(&reloader->lock);
    reloader->state = DESK_DONE;
    reloader->n_passes = 0;
    reloader->status = status;
    reloader->changes = changes;
    if (status != SESS_OK) {
        reloader->error = error;
    }
    (void)pthread_mutex_unlock(&reloader->lock);
}

/* Under the lock: a connection that asked may be gone, and its answer is nobody's then. */
static void drop_what_nobody_fetches(struct reloader *reloader)
{
    reloader->n_passes++;
    if (reloader->n_passes > PASSES_MAX) {
        report_release(&reloader->changes);
        reloader->state = DESK_FREE;
    }
}

enum sess_status reloader_ask(void *reloader, const char *peer, struct report *changes,
                              struct sess_error *error)
{
    struct reloader *self = reloader;
    enum sess_status status = SESS_BUSY;

    (void)pthread_mutex_lock(&self->lock);
    if (self->state == DESK_DONE && self->asker == peer) {
        status = self->status;
        *changes = self->changes;
        *error = self->error;
        self->changes = (struct report){.is_cut = false};
        self->state = DESK_FREE;
    } else if (self->state == DESK_DONE) {
        drop_what_nobody_fetches(self);
    } else if (self->state == DESK_FREE) {
        self->state = DESK_ASKED;
        self->asker = peer;
        (void)snprintf(self->who, sizeof self->who, "%s", peer);
        (void)eventfd_write(self->fd, 1);
    }
    (void)pthread_mutex_unlock(&self->lock);
    return status;
}

enum sess_status reloader_create(struct settings *settings, struct registry *registry,
                                 const char *config_path, const struct supervisor *supervisor,
                                 struct reloader **out, struct sess_error *error)
{
    struct reloader *reloader = calloc(1, sizeof *reloader);

    if (reloader == NULL) {
        return error_set(error, SESS_NO_MEMORY, "no memory to start");
    }
    reloader->settings = settings;
    reloader->registry = registry;
    reloader->config_path = config_path;
    reloader->supervisor = supervisor;
    reloader->max_connections = settings->net.max_connections;
    (void)pthread_mutex_init(&reloader->lock, NULL);
    reloader->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *out = reloader;
    return reloader->fd >= 0
               ? SESS_OK
               : error_set(error, SESS_IO, "cannot wait for reloads: %s", strerror(errno));
}

void reloader_destroy(struct reloader **reloader)
{
    struct reloader *self = *reloader;

    if (self == NULL) {
        return;
    }
    if (self->fd >= 0) {
        (void)close(self->fd);
    }
    report_release(&self->changes);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
    *reloader = NULL;
}

int reloader_fd(const struct reloader *reloader)
{
    return reloader->fd;
}
