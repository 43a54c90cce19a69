/* A directory of the system and its files. Its lock is directory_lock.c. Threads: any. Memory: the struct. */
#include "system_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static struct system_directory *self_of(struct directory *directory)
{
    return (struct system_directory *)(void *)directory;
}

enum sess_status system_status_of(int reason)
{
    switch (reason) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* the process's limit of a file's size, which can be raised while it runs */
        return SESS_NO_SPACE;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return SESS_LIMIT;
    case ENOENT:
        return SESS_NOT_FOUND;
    case EEXIST:
        return SESS_EXISTS;
    default:
        return SESS_IO;
    }
}

const char *system_directory_hint(int reason)
{
    switch (reason) {
    case EACCES:
    case EPERM:
        return ": it, and the way to it, must be open to the user that sessiond runs as";
    case ENOTDIR:
    case EEXIST:
        return ": what stands in its place is no directory; move that away, or choose another "
               "data-dir";
    case ENOENT:
    case ELOOP:
        return ": a link leads nowhere, or nothing can be made there; choose another data-dir";
    case EROFS:
        return ": mount its file system to be written, or choose another data-dir";
    case ENOSPC:
    case EDQUOT:
        return ": make room there";
    default:
        return "";
    }
}

/* What was tried, on what, and why it failed. */
static enum sess_status fail(struct directory *directory, const char *tried, const char *name,
                             struct sess_error *error)
{
    int reason = errno;

    return error_set(error, system_status_of(reason), "cannot %s %s/%s: %s", tried,
                     self_of(directory)->path, name, strerror(reason));
}

static enum sess_status fail_file(const struct file *file, const char *tried,
                                  struct sess_error *error)
{
    return fail(file->directory, tried, file->name, error);
}

static enum sess_status open_file(struct directory *directory, const char *name,
                                  enum file_mode mode, struct file *out, struct sess_error *error)
{
    static const int flags[] = {
        [FILE_READ] = O_RDONLY, [FILE_CHANGE] = O_RDWR, [FILE_CREATE] = O_RDWR | O_CREAT | O_EXCL};
    int fd = openat(self_of(directory)->fd, name, flags[mode] | O_CLOEXEC | O_NOFOLLOW,
                    S_IRUSR | S_IWUSR);

    if (fd < 0) {
        return fail(directory, "open", name, error);
    }
    *out = (struct file){.directory = directory, .handle = fd};
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    return SESS_OK;
}

static void close_file(struct file *file)
{
    (void)close(file->handle);
}

/* Drop from the front what is written. Returns the pieces that are left. */
static size_t skip_written(struct iovec *left, size_t n_left, size_t written)
{
    size_t first = 0;

    while (first < n_left && written >= left[first].iov_len) {
        written -= left[first].iov_len;
        first++;
    }
    if (first < n_left) {
        left[first].iov_base = (uint8_t *)left[first].iov_base + written;
        left[first].iov_len -= written;
    }
    memmove(left, left + first, (n_left - first) * sizeof *left);
    return n_left - first;
}

static enum sess_status write_file(struct file *file, const struct slice *pieces, size_t n_pieces,
                                   uint64_t offset, struct sess_error *error)
{
    struct iovec left[FILE_PIECES_MAX];
    size_t n_left = n_pieces;

    for (size_t i = 0; i < n_pieces; i++) {
        /* The kernel does not write to it. */
        left[i] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[i].data,
                                 .iov_len = pieces[i].size};
    }
    while (n_left > 0) {
        ssize_t written = pwritev(file->handle, left, (int)n_left, (off_t)offset);

        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return fail_file(file, "write", error);
        }
        offset += (uint64_t)written;
        n_left = skip_written(left, n_left, (size_t)written);
    }
    return SESS_OK;
}

static enum sess_status read_file(struct file *file, void *to, size_t size, uint64_t offset,
                                  size_t *got, struct sess_error *error)
{
    *got = 0;
    while (*got < size) {
        ssize_t more =
            pread(file->handle, (uint8_t *)to + *got, size - *got, (off_t)(offset + *got));

        if (more < 0 && errno == EINTR) {
            continue;
        }
        if (more < 0) {
            return fail_file(file, "read", error);
        }
        if (more == 0) {
            break;
        }
        *got += (size_t)more;
    }
    return SESS_OK;
}

static enum sess_status size_of_file(struct file *file, uint64_t *size, struct sess_error *error)
{
    struct stat status;

    if (fstat(file->handle, &status) != 0) {
        return fail_file(file, "look at", error);
    }
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return fail_file(file, "use as a file", error);
    }
    *size = (uint64_t)status.st_size;
    return SESS_OK;
}

static enum sess_status allocate(struct file *file, uint64_t size, struct sess_error *error)
{
    int result;

    do {
        result = posix_fallocate(file->handle, 0, (off_t)size);
    } while (result == EINTR);
    errno = result;
    return result == 0 ? SESS_OK : fail_file(file, "reserve space for", error);
}

static enum sess_status truncate_file(struct file *file, uint64_t size, struct sess_error *error)
{
    return ftruncate(file->handle, (off_t)size) == 0 ? SESS_OK : fail_file(file, "cut", error);
}

/* Not tried again, whatever the reason: the kernel may have dropped what it could not write. */
static enum sess_status sync_file(struct file *file, struct sess_error *error)
{
    return fdatasync(file->handle) == 0 ? SESS_OK : fail_file(file, "sync", error);
}

static enum sess_status sync_names(struct directory *directory, struct sess_error *error)
{
    return fsync(self_of(directory)->fd) == 0 ? SESS_OK : fail(directory, "sync", "", error);
}

static enum sess_status rename_file(struct directory *directory, const char *from, const char *to,
                                    struct sess_error *error)
{
    int fd = self_of(directory)->fd;

    return renameat(fd, from, fd, to) == 0 ? SESS_OK : fail(directory, "rename", from, error);
}

static enum sess_status remove_file(struct directory *directory, const char *name,
                                    struct sess_error *error)
{
    int fd = self_of(directory)->fd;

    return unlinkat(fd, name, 0) == 0 ? SESS_OK : fail(directory, "remove", name, error);
}

static enum sess_status list(struct directory *directory, directory_list_fn visit, void *context,
                             struct sess_error *error)
{
    int fd = openat(self_of(directory)->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    enum sess_status status = SESS_OK;

    if (stream == NULL) {
        status = fail(directory, "list", "", error);
        if (fd >= 0) {
            (void)close(fd);
        }
        return status;
    }
    do {
        errno = 0;
        /* The stream is this call's own. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        entry = readdir(stream);
        /* Half a list would be a journal whose last files never were. */
        if (entry == NULL && errno != 0) {
            status = fail(directory, "list", "", error);
        }
    } while (entry != NULL && visit(context, entry->d_name));
    (void)closedir(stream);
    return status;
}

static void destroy(struct directory *directory)
{
    struct system_directory *self = self_of(directory);

    if (self->lock_fd >= 0) {
        (void)close(self->lock_fd);
    }
    if (self->fd >= 0) {
        (void)close(self->fd);
    }
    directory_end(directory);
    free(self);
}

static const struct directory_calls calls = {
    .open = open_file,
    .close = close_file,
    .write = write_file,
    .read = read_file,
    .size = size_of_file,
    .allocate = allocate,
    .truncate = truncate_file,
    .sync = sync_file,
    .sync_directory = sync_names,
    .rename = rename_file,
    .remove = remove_file,
    .list = list,
    .destroy = destroy,
};

static enum sess_status refuse(struct directory *directory, const char *name,
                               struct sess_error *error)
{
    return error_set(error, SESS_REFUSED, "%s/%s is only looked at", self_of(directory)->path,
                     name);
}

static enum sess_status look_at_file(struct directory *directory, const char *name,
                                     enum file_mode mode, struct file *out,
                                     struct sess_error *error)
{
    return mode == FILE_READ ? open_file(directory, name, mode, out, error)
                             : refuse(directory, name, error);
}

static enum sess_status refuse_to_rename(struct directory *directory, const char *from,
                                         const char *to, struct sess_error *error)
{
    (void)to;
    return refuse(directory, from, error);
}

/* Its files are open for reading alone: the system refuses what these do not. */
static const struct directory_calls look_calls = {
    .open = look_at_file,
    .close = close_file,
    .write = write_file,
    .read = read_file,
    .size = size_of_file,
    .allocate = allocate,
    .truncate = truncate_file,
    .sync = sync_file,
    .sync_directory = sync_names,
    .rename = refuse_to_rename,
    .remove = refuse,
    .list = list,
    .destroy = destroy,
};

/* Returns NULL when it cannot, and error->status is NOT_FOUND | IO | NO_MEMORY. */
static struct system_directory *open_path(const char *path,
                                          const struct directory_calls *directory_calls,
                                          struct sess_error *error)
{
    struct system_directory *self = calloc(1, sizeof *self);

    if (self == NULL || directory_begin(&self->base, directory_calls) != SESS_OK) {
        free(self);
        (void)error_set(error, SESS_NO_MEMORY, "no memory for data-dir");
        return NULL;
    }
    self->lock_fd = -1;
    (void)snprintf(self->path, sizeof self->path, "%s", path);
    self->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->fd < 0) {
        int reason = errno;

        destroy(&self->base);
        (void)error_set(error, reason == ENOENT ? SESS_NOT_FOUND : SESS_IO,
                        "cannot open data-dir %s: %s%s", path, strerror(reason),
                        system_directory_hint(reason));
        return NULL;
    }
    return self;
}

/* Whoever else could write there could put other files in the place of these; and files of another user than the
 * one of the next start could not be opened by that. */
static enum sess_status check_hands(const struct system_directory *self, struct sess_error *error)
{
    struct stat found;

    if (fstat(self->fd, &found) != 0) {
        return error_set(error, SESS_IO, "cannot look at data-dir %s: %s", self->path,
                         strerror(errno));
    }
    if (found.st_uid != geteuid()) {
        return error_set(error, SESS_IO,
                         "data-dir %s belongs to the user with id %lu, and sessiond runs as %lu: "
                         "start it as that user (--user), or let this one own it and all in it",
                         self->path, (unsigned long)found.st_uid, (unsigned long)geteuid());
    }
    if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return error_set(error, SESS_IO,
                         "data-dir %s may be written by others (mode %04o): its mode must be 0700",
                         self->path, (unsigned)found.st_mode & 07777U);
    }
    return SESS_OK;
}

enum sess_status directory_open(const char *path, struct directory **out, struct sess_error *error)
{
    struct system_directory *self = open_path(path, &calls, error);
    enum sess_status status;

    if (self == NULL) {
        return error->status == SESS_NOT_FOUND ? SESS_IO : error->status;
    }
    status = check_hands(self, error);
    if (status == SESS_OK) {
        status = directory_lock(self, error);
    }
    if (status != SESS_OK) {
        destroy(&self->base);
        return status;
    }
    *out = &self->base;
    return SESS_OK;
}

enum sess_status directory_look(const char *path, struct directory **out, struct sess_error *error)
{
    struct system_directory *self = open_path(path, &look_calls, error);

    if (self == NULL) {
        return error->status;
    }
    *out = &self->base;
    return SESS_OK;
}

static enum sess_status make_one(const char *path, uid_t uid, gid_t gid, struct sess_error *error)
{
    if (mkdir(path, S_IRWXU) == 0) {
        /* Only root can give it away; who cannot, owns it already. */
        return chown(path, uid, gid) == 0 || errno == EPERM
                   ? SESS_OK
                   : error_set(error, SESS_IO, "cannot give %s to its user: %s", path,
                               strerror(errno));
    }
    return errno == EEXIST ? SESS_OK
                           : error_set(error, SESS_IO, "cannot make %s for data-dir: %s%s", path,
                                       strerror(errno), system_directory_hint(errno));
}

enum sess_status directory_make(const char *path, uid_t uid, gid_t gid, struct sess_error *error)
{
    char part[4096];
    size_t size = strlen(path);
    enum sess_status status = SESS_OK;

    if (size == 0 || size >= sizeof part) {
        return error_set(error, SESS_IO, "data-dir: a path of 1 to %zu bytes is wanted",
                         sizeof part - 1);
    }
    for (size_t i = 1; status == SESS_OK && i <= size; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            status = make_one(part, uid, gid, error);
        }
    }
    return status;
}
