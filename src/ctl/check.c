/* Checking directories and dumps. Threads: one. Memory: the inspector's, or one session. */
#include "sessiond/ctl/check.h"

#include "progress.h"
#include "sessiond/ctl/dump_file.h"
#include "sessiond/ctl/summary.h"
#include "sessiond/journal/dump.h"
#include "sessiond/journal/inspect.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOKS_MAX = 5,       /* at a directory in use, until what is damaged stays so */
    BETWEEN_US = 200000, /* microseconds */
};

static enum ctl_exit complain(enum sess_status status, const char *path,
                              const struct sess_error *error)
{
    (void)fprintf(stderr, "sessionctl: %s%s%s\n", path == NULL ? "" : path,
                  path == NULL ? "" : ": ", error->text);
    return status == SESS_DAMAGED || status == SESS_REFUSED ? CTL_DAMAGED : CTL_IO;
}

/* A salvage under way. */
struct salvage {
    struct dump_file file;
    struct dump_writer writer;
    struct salvaged salvaged;
    struct sess_error *error;
};

static enum sess_status salvage_session(void *context, const struct inspected_session *session)
{
    struct salvage *salvage = context;
    struct dump_entry entry = {
        .key = session->key,
        .value = session->value,
        .flags = session->flags,
        .cas = session->cas,
        .marks = session->marks,
        .deadline_s = session->deadline_s,
    };

    if (!session->marks.is_held) {
        salvage->salvaged.n_sessions++;
        salvage->salvaged.n_uncertain += !session->is_certain;
    }
    return dump_writer_add(&salvage->writer, &entry, salvage->error);
}

/* On failure nothing is left of the file. */
static enum sess_status salvage_all(struct salvage *salvage, struct inspector *inspector,
                                    struct sess_error *error)
{
    enum sess_status status = dump_writer_begin(&salvage->writer, dump_file_write, &salvage->file,
                                                (int64_t)time(NULL), error);

    salvage->error = error;
    if (status == SESS_OK) {
        status = inspector_visit(inspector, salvage_session, salvage, error);
        if (status == SESS_OK) {
            status = dump_writer_end(&salvage->writer, error);
        }
        dump_writer_fini(&salvage->writer);
    }
    salvage->error = NULL;
    return status == SESS_OK ? dump_file_finish(&salvage->file, error) : status;
}

/* One who writes meanwhile may be met halfway: damage there counts when it is seen twice. What is missing where
 * nothing is damaged went between two looks, with a new checkpoint. */
static bool must_look_again(const char *path, const struct inspector *inspector, char *last)
{
    const struct inspection *found = inspector_found(inspector);
    bool is_new = found->is_damaged ? strcmp(found->damage, last) != 0 : found->n_gaps > 0;

    (void)snprintf(last, ERROR_TEXT_SIZE, "%s", found->damage);
    return is_new && directory_is_in_use(path);
}

static enum sess_status inspect(const char *path, const struct inspect_config *config,
                                struct inspector **out, struct sess_error *error)
{
    char last[ERROR_TEXT_SIZE] = "";
    enum sess_status status = SESS_OK;
    bool is_again = true;

    for (unsigned i = 0; is_again && i < LOOKS_MAX; i++) {
        if (i > 0) {
            inspector_destroy(out);
            (void)usleep(BETWEEN_US);
        }
        status = inspector_create(config, out, error);
        is_again = status == SESS_OK ? must_look_again(path, *out, last)
                                     : status == SESS_NOT_FOUND && directory_is_in_use(path);
    }
    return status;
}

/* What is found, told; and salvaged, if there is a file for it. */
static enum ctl_exit tell(const struct ctl_arguments *arguments, struct inspector *inspector,
                          bool was_in_use, struct salvage *salvage)
{
    const struct inspection *found = inspector_found(inspector);
    struct summary summary = {.path = arguments->operand, .found = found};
    struct sess_error error;
    FILE *out = stdout;

    if (salvage != NULL) {
        enum sess_status status = salvage_all(salvage, inspector, &error);

        if (status != SESS_OK) {
            (void)complain(SESS_IO, NULL, &error);
            return CTL_IO;
        }
        summary.salvaged = &salvage->salvaged;
        out = salvage->file.is_output ? stderr : stdout;
    }
    summary.is_in_use = was_in_use || directory_is_in_use(arguments->operand);
    if (arguments->options[OPTION_CHECK_JSON] != NULL) {
        summary_print_json(&summary, out);
    } else {
        summary_print(&summary, out);
    }
    return found->is_damaged ? CTL_DAMAGED : CTL_DONE;
}

static enum ctl_exit check_directory(const struct ctl_arguments *arguments, struct salvage *salvage)
{
    struct progress progress;
    struct inspector *inspector = NULL;
    struct inspect_config config = {
        .now_s = (int64_t)time(NULL), .progress = progress_tell, .progress_context = &progress};
    struct sess_error error;
    bool was_in_use = directory_is_in_use(arguments->operand);
    enum ctl_exit code = CTL_IO;
    enum sess_status status = directory_look(arguments->operand, &config.directory, &error);

    if (status != SESS_OK) {
        return complain(SESS_IO, NULL, &error);
    }
    progress_begin(&progress, arguments->options[OPTION_CHECK_PROGRESS] != NULL);
    status = inspect(arguments->operand, &config, &inspector, &error);
    if (status == SESS_OK) {
        code = tell(arguments, inspector, was_in_use, salvage);
        inspector_destroy(&inspector);
    } else {
        code = complain(status, arguments->operand, &error);
    }
    progress_end(&progress);
    directory_destroy(&config.directory);
    return code;
}

/* The file first: a name that will not do is told before a long look. */
static enum ctl_exit check_and_salvage(const struct ctl_arguments *arguments, const char *path)
{
    struct salvage salvage = {.salvaged.path = path};
    struct sess_error error;
    enum ctl_exit code;
    enum sess_status status = dump_file_create(path, &salvage.file, &error);

    if (status != SESS_OK) {
        (void)complain(SESS_IO, NULL, &error);
        return status == SESS_REFUSED ? CTL_USAGE : CTL_IO;
    }
    code = check_directory(arguments, &salvage);
    /* Nothing to do for one that is finished. */
    dump_file_abandon(&salvage.file);
    return code;
}

static void tell_dump(const struct ctl_arguments *arguments, const struct dump_facts *facts)
{
    if (arguments->options[OPTION_CHECK_JSON] != NULL) {
        (void)fputs("{\"dump\": ", stdout);
        summary_print_quoted(arguments->operand, stdout);
        (void)printf(", \"damaged\": false, \"sessions\": %" PRIu64 ", \"created\": %" PRId64 "}\n",
                     facts->n_sessions, facts->created_s);
    } else {
        (void)printf("%s: a whole dump of %" PRIu64 " sessions\n", arguments->operand,
                     facts->n_sessions);
    }
}

static enum ctl_exit check_dump(const struct ctl_arguments *arguments)
{
    struct dump_facts facts;
    struct dump_file file;
    struct sess_error error;
    enum sess_status status = dump_file_open(arguments->operand, &file, &error);

    if (status != SESS_OK) {
        return complain(status, NULL, &error);
    }
    status = dump_verify(dump_file_read, &file, &facts, &error);
    if (status == SESS_OK) {
        tell_dump(arguments, &facts);
    }
    dump_file_close(&file);
    return status == SESS_OK ? CTL_DONE : complain(status, arguments->operand, &error);
}

enum ctl_exit check_run(const struct ctl_arguments *arguments)
{
    const char *salvage = arguments->options[OPTION_CHECK_SALVAGE];
    struct stat found;
    struct sess_error error;

    if (stat(arguments->operand, &found) != 0) {
        (void)error_set(&error, SESS_IO, "%s", strerror(errno));
        return complain(SESS_IO, arguments->operand, &error);
    }
    if (S_ISDIR(found.st_mode)) {
        return salvage == NULL ? check_directory(arguments, NULL)
                               : check_and_salvage(arguments, salvage);
    }
    if (salvage != NULL) {
        (void)error_set(&error, SESS_INVALID, "--salvage is for a data directory");
        (void)complain(SESS_INVALID, arguments->operand, &error);
        return CTL_USAGE;
    }
    return check_dump(arguments);
}
