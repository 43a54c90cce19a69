/* Restoring by the admin socket. Dumping is transfer.c. Threads: one. Memory: a session at a time, and what is sent
 * at once. */
#include "consent.h"
#include "progress.h"
#include "sessiond/base/base64.h"
#include "sessiond/ctl/client.h"
#include "sessiond/ctl/dump_file.h"
#include "sessiond/ctl/transfer.h"
#include "sessiond/journal/dump.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH_MAX = 1000,       /* sessions sent before their answers are read: these fit the socket */
    BATCH_BYTES = 1 << 20,  /* and bytes, but for one session */
    PENDING_MAX = 64 << 10, /* bytes sent at once */
    NUMBERS_MAX = 128,      /* bytes of a request's line beside the key */
    DATE_SIZE = 32,
};

/* What came of a session. */
enum fate { FATE_RESTORED, FATE_KEPT, FATE_EXPIRED, FATE_REFUSED, FATES };

struct restoring {
    struct client client;
    struct dump_file file;
    struct progress progress;
    struct buffer pending;
    unsigned n_asked;        /* and not answered yet */
    bool is_hold[BATCH_MAX]; /* of what was asked: it counts as no session */
    size_t n_batch;          /* bytes of them */
    uint64_t n_sent;         /* bytes of all */
    uint64_t size;           /* bytes of the dump */
    uint64_t n[FATES];
    char refusal[ERROR_TEXT_SIZE]; /* the last; terminated */
};

static enum sess_status send_pending(struct restoring *self, struct sess_error *error)
{
    enum sess_status status = client_send(&self->client, buffer_slice(&self->pending), error);

    self->n_batch += self->pending.size;
    self->n_sent += self->pending.size;
    buffer_clear(&self->pending, PENDING_MAX);
    return status;
}

static void count(struct restoring *self, bool is_hold, const char *answer)
{
    static const char *const answers[] = {
        [FATE_RESTORED] = "STORED", [FATE_KEPT] = "NOT_STORED", [FATE_EXPIRED] = "NOT_FOUND"};
    unsigned fate = 0;

    while (fate < FATE_REFUSED && strcmp(answer, answers[fate]) != 0) {
        fate++;
    }
    if (!is_hold || fate == FATE_REFUSED) {
        self->n[fate]++;
    }
    if (fate == FATE_REFUSED) {
        (void)snprintf(self->refusal, sizeof self->refusal, "%.200s", answer);
    }
}

/* Read the answers to all that was sent. */
static enum sess_status settle(struct restoring *self, struct sess_error *error)
{
    enum sess_status status = send_pending(self, error);

    for (unsigned i = 0; status == SESS_OK && i < self->n_asked; i++) {
        const char *answer = NULL;

        status = client_line(&self->client, &answer, error);
        if (status == SESS_OK) {
            count(self, self->is_hold[i], answer);
        }
    }
    self->n_asked = 0;
    self->n_batch = 0;
    progress_tell(&self->progress, self->n_sent < self->size ? self->n_sent : self->size,
                  self->size);
    return status;
}

/* Whether it may stand in a line as it is. */
static bool is_plain(struct slice key)
{
    for (size_t i = 0; i < key.size; i++) {
        if (key.data[i] <= ' ' || key.data[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static size_t put_key(struct slice key, bool is_plain_key, char *out)
{
    if (!is_plain_key) {
        return base64_encode(key, out);
    }
    memcpy(out, key.data, key.size);
    return key.size;
}

static size_t put_line(const struct dump_entry *entry, char *out, size_t out_size)
{
    bool is_plain_key = is_plain(entry->key);
    int64_t deadline_s = entry->deadline_s == STORE_NO_DEADLINE ? 0 : entry->deadline_s;
    size_t size = (size_t)snprintf(out, out_size, "restore ");

    size += put_key(entry->key, is_plain_key, out + size);
    size += (size_t)snprintf(
        out + size, out_size - size, " %" PRIu32 " %" PRId64 " %" PRIu64 " %zu %s%s%s%s%s\r\n",
        entry->flags, deadline_s, entry->cas, entry->value.size, is_plain_key ? "" : "b",
        entry->marks.is_stale ? "X" : "", entry->marks.has_winner ? "W" : "",
        entry->marks.is_clients_cas ? "E" : "", entry->marks.is_held ? "H" : "");
    return size;
}

static enum sess_status ask(struct restoring *self, const struct dump_entry *entry,
                            struct sess_error *error)
{
    char line[2 * DUMP_KEY_MAX + NUMBERS_MAX];
    struct slice pieces[] = {slice_of(line, put_line(entry, line, sizeof line)), entry->value,
                             SLICE_LITERAL("\r\n")};
    enum sess_status status = SESS_OK;

    for (unsigned i = 0; status == SESS_OK && i < sizeof pieces / sizeof pieces[0]; i++) {
        if (buffer_append(&self->pending, pieces[i]) != SESS_OK) {
            status = error_set(error, SESS_NO_MEMORY, "no memory for a session");
        }
    }
    explicit_bzero(line, sizeof line);
    self->is_hold[self->n_asked++] = entry->marks.is_held;
    if (status == SESS_OK && self->pending.size >= PENDING_MAX) {
        status = send_pending(self, error);
    }
    if (status == SESS_OK && (self->n_asked == BATCH_MAX || self->n_batch >= BATCH_BYTES)) {
        status = settle(self, error);
    }
    return status;
}

static enum sess_status restore_all(struct restoring *self, struct sess_error *error)
{
    struct dump_reader reader;
    struct dump_entry entry;
    enum sess_status status = dump_reader_begin(&reader, dump_file_read, &self->file, error);

    if (status != SESS_OK) {
        return status;
    }
    while (status == SESS_OK) {
        status = dump_reader_next(&reader, &entry, error);
        if (status == SESS_OK) {
            status = ask(self, &entry, error);
        }
    }
    dump_reader_fini(&reader);
    status = status == SESS_NOT_FOUND ? settle(self, error) : status;
    buffer_release(&self->pending);
    return status;
}

static enum ctl_exit tell(const struct restoring *self, enum sess_status status,
                          const struct sess_error *error)
{
    (void)fprintf(status == SESS_OK ? stdout : stderr,
                  "%s: %" PRIu64 " sessions restored; %" PRIu64 " were there and stayed, %" PRIu64
                  " had expired, %" PRIu64 " were refused%s\n",
                  self->client.path, self->n[FATE_RESTORED], self->n[FATE_KEPT],
                  self->n[FATE_EXPIRED], self->n[FATE_REFUSED],
                  status == SESS_OK ? "" : ", as far as is known");
    if (self->n[FATE_REFUSED] > 0) {
        (void)fprintf(stderr, "sessionctl: sessions were refused: %s\n", self->refusal);
    }
    if (status != SESS_OK) {
        return complain(status, error);
    }
    return self->n[FATE_REFUSED] > 0 ? CTL_REFUSED : CTL_DONE;
}

static enum ctl_exit restore_to(struct restoring *self, const char *named)
{
    struct sess_error error;
    enum sess_status status = client_open(named, &self->client, &error);

    if (status != SESS_OK) {
        return complain(status, &error);
    }
    progress_begin(&self->progress, false);
    status = restore_all(self, &error);
    progress_end(&self->progress);
    client_close(&self->client);
    return tell(self, status, &error);
}

static bool is_meant(const char *path, const struct dump_facts *facts)
{
    char date[DATE_SIZE] = "";
    time_t created = (time_t)facts->created_s;
    struct tm parts;

    if (gmtime_r(&created, &parts) != NULL) {
        (void)strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", &parts);
    }
    return consent_asked("The %" PRIu64
                         " sessions of %s, made %s, are stored where there are none of their "
                         "keys:\nwho has logged out since then is logged in again.",
                         facts->n_sessions, path, date);
}

/* All of it is looked at before the first session is sent. */
static enum ctl_exit verify(struct restoring *self, const struct ctl_arguments *arguments)
{
    struct dump_facts facts;
    struct sess_error error;
    enum sess_status status = dump_verify(dump_file_read, &self->file, &facts, &error);

    if (status == SESS_OK) {
        status = dump_file_rewind(&self->file, &self->size, &error);
    } else {
        (void)error_wrap(&error, "%s", arguments->operand);
    }
    if (status == SESS_OK && arguments->options[OPTION_RESTORE_YES] == NULL &&
        !is_meant(arguments->operand, &facts)) {
        return complain(error_set(&error, SESS_REFUSED, "nothing was restored"), &error);
    }
    if (status != SESS_OK) {
        enum ctl_exit code = complain(status, &error);

        return status == SESS_DAMAGED || status == SESS_REFUSED ? CTL_DAMAGED : code;
    }
    return CTL_DONE;
}

enum ctl_exit restore_run(const struct ctl_arguments *arguments)
{
    struct restoring restoring = {.n_asked = 0};
    struct sess_error error;
    enum ctl_exit code;

    if (arguments->options[OPTION_RESTORE_YES] == NULL && !isatty(STDIN_FILENO)) {
        return complain(error_set(&error, SESS_INVALID,
                                  "restore: there is no terminal to ask back: give --yes if it is "
                                  "meant that the sessions of the dump are stored again"),
                        &error);
    }
    if (dump_file_open(arguments->operand, &restoring.file, &error) != SESS_OK) {
        return complain(SESS_IO, &error);
    }
    code = verify(&restoring, arguments);
    if (code == CTL_DONE) {
        code = restore_to(&restoring, arguments->options[OPTION_RESTORE_SOCKET]);
    }
    dump_file_close(&restoring.file);
    return code;
}
