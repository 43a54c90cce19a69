/* Damaged directories. Threads: start-up only. Memory: the stack, and a path of realpath's. */
#include "damage.h"

#include "sessiond/base/log.h"
#include "sessiond/journal/data_dir.h"
#include "sessiond/journal/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    NAMES_MAX = 100, /* tries, when there are more of one second */
    NAME_SIZE = PATH_MAX + 48,
};

static void name_aside(const char *path, unsigned n, char *out)
{
    time_t now = time(NULL);
    struct tm utc = {.tm_mday = 1};
    char when[32];
    char suffix[16] = "";

    (void)gmtime_r(&now, &utc);
    (void)strftime(when, sizeof when, "%Y%m%d-%H%M%S", &utc);
    if (n > 0) {
        (void)snprintf(suffix, sizeof suffix, "-%u", n + 1);
    }
    (void)snprintf(out, NAME_SIZE, "%s.damaged-%s%s", path, when, suffix);
}

/* Not every file system can refuse by itself to replace. */
static int rename_to_new(const char *from, const char *to)
{
    int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);

    if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
        if (faccessat(AT_FDCWD, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            errno = EEXIST;
            return -1;
        }
        result = rename(from, to);
    }
    return result;
}

/* A rename that a power cut took back would bring the damage back. */
static enum sess_status sync_parent(char *path, struct sess_error *error)
{
    char *slash = strrchr(path, '/');
    char first = slash[1];
    int fd;
    int result;

    slash[1] = '\0';
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    slash[1] = first;
    result = fd < 0 ? -1 : fsync(fd);
    if (fd >= 0) {
        (void)close(fd);
    }
    return result == 0 ? SESS_OK
                       : error_set(error, SESS_IO, "cannot sync the directory of %s: %s", path,
                                   strerror(errno));
}

static enum sess_status rename_aside(char *path, char *aside, struct sess_error *error)
{
    int result = -1;

    errno = EEXIST;
    for (unsigned n = 0; result != 0 && errno == EEXIST && n < NAMES_MAX; n++) {
        name_aside(path, n, aside);
        result = rename_to_new(path, aside);
    }
    if (result != 0) {
        return error_set(error, SESS_IO,
                         "the damaged data-dir cannot be set aside: cannot rename %s to %s: %s",
                         path, aside, strerror(errno));
    }
    return sync_parent(path, error);
}

static enum sess_status replace(char *path, struct directory **directory, struct sess_error *error)
{
    char aside[NAME_SIZE];
    struct directory *fresh = NULL;
    enum sess_status status = rename_aside(path, aside, error);

    if (status != SESS_OK) {
        return status;
    }
    log_write(LOG_LEVEL_WARNING, "the damaged data-dir %s is now %s, and this start is empty", path,
              aside);
    status = directory_make(path, geteuid(), getegid(), error);
    if (status == SESS_OK) {
        status = directory_open(path, &fresh, error);
    }
    if (status == SESS_OK) {
        directory_destroy(directory);
        *directory = fresh;
    }
    return status;
}

enum sess_status damage_set_aside(const char *path, struct directory **directory,
                                  struct sess_error *error)
{
    char *real;
    enum sess_status status = inspect_verdict(*directory, error);

    /* Anything else is the start's own to meet. */
    if (status != SESS_DAMAGED) {
        return SESS_OK;
    }
    log_write(LOG_LEVEL_WARNING, "data-dir %s is damaged: %s", path, error->text);
    real = realpath(path, NULL);
    if (real == NULL) {
        return error_set(error, SESS_IO, "cannot find data-dir %s: %s", path, strerror(errno));
    }
    status = replace(real, directory, error);
    free(real);
    return status;
}

static bool is_plain(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=./:,@%";

    return word[0] != '\0' && strspn(word, plain) == strlen(word);
}

/* A word as a shell takes it back: ' ends the quotes, is itself, and begins them again. */
static void print_word(const char *word, const char *end)
{
    if (is_plain(word)) {
        (void)fprintf(stderr, "%s%s", word, end);
        return;
    }
    (void)fputc('\'', stderr);
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            (void)fputs("'\\''", stderr);
        } else {
            (void)fputc(*word, stderr);
        }
    }
    (void)fprintf(stderr, "'%s", end);
}

/* The tool is found by its name, unless it lies where this program does. */
static void print_tool(const char *program)
{
    char path[PATH_MAX];
    const char *slash = strrchr(program, '/');
    int size = slash == NULL ? 0 : (int)(slash - program) + 1;
    int length = snprintf(path, sizeof path, "%.*ssessionctl", size, program);

    print_word(size > 0 && (size_t)length < sizeof path && access(path, X_OK) == 0 ? path
                                                                                   : "sessionctl",
               " check ");
}

static void print_salvage(const char *path, const char *program)
{
    char dump[NAME_SIZE];

    (void)snprintf(dump, sizeof dump, "%s.dump", path);
    (void)fputs("To save the sessions that are intact:\n    ", stderr);
    print_tool(program);
    print_word(path, " --salvage ");
    print_word(dump, "\n");
}

/* As it was started: another configuration may have another directory. */
static void print_start(const char *path, bool must_name, const struct command_line *line)
{
    (void)fputs("To start without them (the directory is renamed and kept):\n    ", stderr);
    for (int i = 0; i < line->argc; i++) {
        if (strcmp(line->argv[i], "--set-aside-damaged") != 0) {
            print_word(line->argv[i], " ");
        }
    }
    if (must_name) {
        (void)fputs("--data-dir ", stderr);
        print_word(path, " ");
    }
    (void)fputs("--set-aside-damaged\n", stderr);
}

void damage_advise(const char *data_dir, const struct command_line *line)
{
    char found[DATA_DIR_SIZE];
    struct sess_error ignored;
    char *real;

    if (line->argc == 0 || data_dir_find(data_dir, found, &ignored) != SESS_OK) {
        return;
    }
    real = realpath(found, NULL);
    print_salvage(real == NULL ? found : real, line->argv[0]);
    print_start(real == NULL ? found : real, strcmp(data_dir, "auto") == 0, line);
    free(real);
}
