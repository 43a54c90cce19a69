/* Dumps by the admin socket. Threads: one. Memory: a session at a time. */
#include "sessiond/ctl/transfer.h"

#include "consent.h"
#include "progress.h"
#include "sessiond/ctl/client.h"
#include "sessiond/ctl/dump_file.h"
#include "sessiond/journal/dump.h"

#include <inttypes.h>

/* A dump on its way to a file. */
struct receiving {
    struct client client;
    struct dump_file file;
    struct progress progress;
    uint64_t n_received; /* bytes */
};

/* What comes in the place of a dump is an error line. */
static enum sess_status judge_first(const struct receiving *receiving, const char *bytes,
                                    size_t size, struct sess_error *error)
{
    size_t line = 0;

    if (size == 0 || bytes[0] == 's') {
        return SESS_OK;
    }
    while (line < size && bytes[line] >= ' ') {
        line++;
    }
    return error_set(error, SESS_REFUSED, "%s: %.*s", receiving->client.path, (int)line, bytes);
}

/* A dump_source_fn: what is read and verified goes to the file as it is. */
static enum sess_status receive(void *context, void *to, size_t size, size_t *got,
                                struct sess_error *error)
{
    struct receiving *receiving = context;
    enum sess_status status = client_receive(&receiving->client, to, size, got, error);

    if (status == SESS_OK && receiving->n_received == 0) {
        status = judge_first(receiving, to, *got, error);
    }
    if (status == SESS_OK) {
        status = dump_file_write(&receiving->file, slice_of(to, *got), error);
        receiving->n_received += *got;
        progress_tell(&receiving->progress, receiving->n_received, PROGRESS_OPEN);
    }
    return status;
}

static enum sess_status receive_all(struct receiving *receiving, struct dump_facts *facts,
                                    struct sess_error *error)
{
    /* The connection's end is the dump's, too. */
    enum sess_status status =
        client_send(&receiving->client, SLICE_LITERAL("dump\r\nquit\r\n"), error);

    if (status == SESS_OK) {
        status = dump_verify(receive, receiving, facts, error);
    }
    if (status == SESS_DAMAGED) {
        return error_wrap(error, "%s: sessiond gave the dump up, its log may say why",
                          receiving->client.path);
    }
    return status;
}

static enum ctl_exit receive_to_file(struct receiving *receiving, const char *named)
{
    struct dump_facts facts = {.n_sessions = 0};
    struct sess_error error;
    enum sess_status status = client_open(named, &receiving->client, &error);

    if (status == SESS_OK) {
        progress_begin(&receiving->progress, false);
        status = receive_all(receiving, &facts, &error);
        progress_end(&receiving->progress);
        client_close(&receiving->client);
    }
    if (status == SESS_OK) {
        status = dump_file_finish(&receiving->file, &error);
    }
    if (status != SESS_OK) {
        return complain(status, &error);
    }
    (void)fprintf(receiving->file.is_output ? stderr : stdout,
                  "%s: a whole dump of %" PRIu64 " sessions\n", receiving->file.path,
                  facts.n_sessions);
    return CTL_DONE;
}

/* The file first: a name that will not do is told before a long look. */
enum ctl_exit dump_run(const struct ctl_arguments *arguments)
{
    const char *path = arguments->operand == NULL ? "-" : arguments->operand;
    struct receiving receiving = {.n_received = 0};
    struct sess_error error;
    enum ctl_exit code;
    enum sess_status status = dump_file_create(path, &receiving.file, &error);

    if (status != SESS_OK) {
        (void)complain(status, &error);
        return status == SESS_REFUSED ? CTL_USAGE : CTL_IO;
    }
    code = receive_to_file(&receiving, arguments->options[OPTION_DUMP_SOCKET]);
    /* Nothing to do for one that is finished. */
    dump_file_abandon(&receiving.file);
    return code;
}
