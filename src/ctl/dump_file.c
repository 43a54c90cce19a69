/* Files of dumps. Threads: one. Memory: the stack. */
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

static enum sess_status tell_there(const struct dump_file *file, struct sess_error *error)
{
    return error_set(error, SESS_EXISTS,
                     "%s is there already, and is not written over: name a new file", file->path);
}

enum sess_status dump_file_create(const char *path, struct dump_file *out, struct sess_error *error)
{
    if (strcmp(path, "-") == 0) {
        return use_output(out, error);
    }
    *out = (struct dump_file){.path = path};
    if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return tell_there(out, error);
    }
    if (snprintf(out->part, sizeof out->part, "%s.part", path) >= (int)sizeof out->part) {
        return error_set(error, SESS_IO, "the path of the dump is too long");
    }
    /* Sessions are as good as passwords. */
    out->fd = open(out->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (out->fd < 0 && errno == EEXIST) {
        return error_set(error, SESS_EXISTS,
                         "%s is there: a dump is being made, or was broken off; remove it then",
                         out->part);
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

/* Never over one that has come meanwhile. Not every file system knows the flag. */
static int rename_to_new(const char *from, const char *to)
{
    int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);

    if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
        result = link(from, to);
        if (result == 0) {
            (void)unlink(from);
        }
    }
    return result;
}

static enum sess_status give_name(const struct dump_file *file, struct sess_error *error)
{
    if (rename_to_new(file->part, file->path) != 0) {
        return errno == EEXIST ? tell_there(file, error) : fail(file, "make", error);
    }
    return sync_name(file, error);
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
        status = give_name(file, error);
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
        (void)unlink(file->part);
        dump_file_close(file);
    }
}

/* What comes is kept where nobody finds it, and is gone with this process. */
static enum sess_status copy_input(struct dump_file *out, struct sess_error *error)
{
    enum { PIECE = 1 << 16 };
    struct dump_file input = {.fd = STDIN_FILENO, .path = "standard input"};
    FILE *kept = tmpfile();
    uint8_t piece[PIECE];
    size_t got = 1;
    uint64_t size;
    enum sess_status status = SESS_OK;

    *out = (struct dump_file){.fd = -1, .path = "a copy of standard input"};
    if (kept != NULL) {
        out->fd = fcntl(fileno(kept), F_DUPFD_CLOEXEC, 0);
        (void)fclose(kept);
    }
    if (out->fd < 0) {
        return fail(out, "make", error);
    }
    while (status == SESS_OK && got > 0) {
        status = dump_file_read(&input, piece, sizeof piece, &got, error);
        if (status == SESS_OK) {
            status = dump_file_write(out, slice_of(piece, got), error);
        }
    }
    explicit_bzero(piece, sizeof piece);
    if (status == SESS_OK) {
        status = dump_file_rewind(out, &size, error);
    }
    if (status != SESS_OK) {
        dump_file_close(out);
    }
    return status;
}

enum sess_status dump_file_open(const char *path, struct dump_file *out, struct sess_error *error)
{
    if (strcmp(path, "-") == 0) {
        return copy_input(out, error);
    }
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

enum sess_status dump_file_rewind(struct dump_file *file, uint64_t *size_bytes,
                                  struct sess_error *error)
{
    off_t size = lseek(file->fd, 0, SEEK_END);

    if (size < 0 || lseek(file->fd, 0, SEEK_SET) != 0) {
        return fail(file, "read again", error);
    }
    *size_bytes = (uint64_t)size;
    return SESS_OK;
}
