/* Files of dumps. Threads: one. Memory: none. */
#include "sessiond/ctl/dump_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum sess_status fail(const struct dump_file *file, const char *tried,
                             struct sess_error *error)
{
    return error_set(error, SESS_IO, "cannot %s %s: %s", tried, file->path, strerror(errno));
}

static enum sess_status use_output(struct dump_file *out, struct sess_error *error)
{
    if (isatty(STDOUT_FILENO)) {
        return error_set(error, SESS_REFUSED,
                         "sessions are not written to a terminal: name a file");
    }
    *out = (struct dump_file){.fd = STDOUT_FILENO, .path = "standard output", .is_output = true};
    return SESS_OK;
}

enum sess_status dump_file_create(const char *path, struct dump_file *out, struct sess_error *error)
{
    if (strcmp(path, "-") == 0) {
        return use_output(out, error);
    }
    *out = (struct dump_file){.path = path};
    /* Sessions are as good as passwords. */
    out->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (out->fd < 0 && errno == EEXIST) {
        return error_set(error, SESS_EXISTS,
                         "%s is there already, and is not written over: name a new file", path);
    }
    return out->fd < 0 ? fail(out, "make", error) : SESS_OK;
}

/* The file's name lasts when its directory is synced. */
static enum sess_status sync_name(const struct dump_file *file, struct sess_error *error)
{
    char path[PATH_MAX];
    const char *slash = strrchr(file->path, '/');
    size_t size = slash == NULL ? 1 : (size_t)(slash - file->path) + 1;
    int fd;
    int result;

    if (size >= sizeof path) {
        return error_set(error, SESS_IO, "the path of the dump is too long");
    }
    memcpy(path, slash == NULL ? "." : file->path, size);
    path[size] = '\0';
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return fail(file, "sync", error);
    }
    result = fsync(fd);
    (void)close(fd);
    return result == 0 ? SESS_OK : fail(file, "sync", error);
}

enum sess_status dump_file_finish(struct dump_file *file, struct sess_error *error)
{
    enum sess_status status = SESS_OK;

    if (file->is_output) {
        return SESS_OK;
    }
    if (fsync(file->fd) != 0) {
        status = fail(file, "sync", error);
    }
    if (status == SESS_OK) {
        status = sync_name(file, error);
    }
    if (status != SESS_OK) {
        dump_file_abandon(file);
        return status;
    }
    dump_file_close(file);
    return SESS_OK;
}

void dump_file_abandon(struct dump_file *file)
{
    if (!file->is_output && file->fd >= 0) {
        (void)unlink(file->path);
        dump_file_close(file);
    }
}

enum sess_status dump_file_open(const char *path, struct dump_file *out, struct sess_error *error)
{
    *out = (struct dump_file){.path = path};
    out->fd = open(path, O_RDONLY | O_CLOEXEC);
    return out->fd < 0 ? fail(out, "open", error) : SESS_OK;
}

void dump_file_close(struct dump_file *file)
{
    (void)close(file->fd);
    file->fd = -1;
}

enum sess_status dump_file_write(void *file, struct slice bytes, struct sess_error *error)
{
    const struct dump_file *self = file;

    while (bytes.size > 0) {
        ssize_t written = write(self->fd, bytes.data, bytes.size);

        if (written < 0 && errno != EINTR) {
            return fail(self, "write", error);
        }
        bytes = slice_from(bytes, written < 0 ? 0 : (size_t)written);
    }
    return SESS_OK;
}

enum sess_status dump_file_read(void *file, void *to, size_t size, size_t *got,
                                struct sess_error *error)
{
    const struct dump_file *self = file;
    ssize_t more;

    do {
        more = read(self->fd, to, size);
    } while (more < 0 && errno == EINTR);
    *got = more < 0 ? 0 : (size_t)more;
    return more < 0 ? fail(self, "read", error) : SESS_OK;
}
