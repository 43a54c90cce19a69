/* The lock of a data directory: two daemons in one would each write what the other does not know of.
 *
 * An OFD lock, which belongs to the open file and not to the process, on the file `lock`, and a lock on
 * the directory itself, which holds also when somebody removes or replaces that file. Threads: the first.
 * Memory: none. */
#include "system_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_TRIES = 8 }; /* while somebody else replaces the file */

static const char lock_name[] = "lock";

/* Who holds it: the text that the holder has written into the file. */
static enum sess_status tell_owner(const struct system_directory *directory, int fd,
                                   struct sess_error *error)
{
    char owner[32] = "";
    ssize_t size = fd < 0 ? 0 : pread(fd, owner, sizeof owner - 1, 0);
    size_t digits = 0;

    while ((ssize_t)digits < size && owner[digits] >= '0' && owner[digits] <= '9') {
        digits++;
    }
    owner[digits] = '\0';
    return error_set(error, SESS_LOCKED,
                     "data-dir %s is in use by another process%s%s: stop it, or choose another "
                     "data-dir",
                     directory->path, digits > 0 ? ", pid " : "", owner);
}

static enum sess_status fail(const struct system_directory *directory, struct sess_error *error)
{
    int reason = errno;

    return error_set(error, system_status_of(reason), "cannot lock data-dir %s: %s%s",
                     directory->path, strerror(reason), system_directory_hint(reason));
}

/* Whether the file that is open is still the one of that name. */
static bool is_in_place(const struct system_directory *directory, int fd)
{
    struct stat opened;
    struct stat named;

    return fstat(fd, &opened) == 0 &&
           fstatat(directory->fd, lock_name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

static bool is_taken(int error_number)
{
    return error_number == EWOULDBLOCK || error_number == EACCES;
}

/* returns  OK | AGAIN (the file was replaced meanwhile) | LOCKED | IO */
static enum sess_status lock_file(struct system_directory *directory, struct sess_error *error)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (directory->lock_fd >= 0) {
        (void)close(directory->lock_fd);
    }
    directory->lock_fd = openat(directory->fd, lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                                S_IRUSR | S_IWUSR);
    if (directory->lock_fd < 0) {
        return fail(directory, error);
    }
    if (fcntl(directory->lock_fd, F_OFD_SETLK, &lock) != 0) {
        return is_taken(errno) ? tell_owner(directory, directory->lock_fd, error)
                               : fail(directory, error);
    }
    return is_in_place(directory, directory->lock_fd) ? SESS_OK : SESS_AGAIN;
}

static enum sess_status write_owner(const struct system_directory *directory,
                                    struct sess_error *error)
{
    char owner[32];
    int size = snprintf(owner, sizeof owner, "%ld\n", (long)getpid());

    if (ftruncate(directory->lock_fd, 0) != 0 ||
        pwrite(directory->lock_fd, owner, (size_t)size, 0) != (ssize_t)size) {
        return fail(directory, error);
    }
    return SESS_OK;
}

enum sess_status directory_lock(struct system_directory *directory, struct sess_error *error)
{
    enum sess_status status = SESS_AGAIN;

    /* A file system without locks of directories has the lock of the file. */
    if (flock(directory->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        int fd = openat(directory->fd, lock_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        status = tell_owner(directory, fd, error);
        if (fd >= 0) {
            (void)close(fd);
        }
        return status;
    }
    for (unsigned tries = 0; status == SESS_AGAIN && tries < LOCK_TRIES; tries++) {
        status = lock_file(directory, error);
    }
    if (status == SESS_AGAIN) {
        return error_set(error, SESS_IO,
                         "cannot lock data-dir %s: its file `lock` is replaced "
                         "again and again",
                         directory->path);
    }
    return status == SESS_OK ? write_owner(directory, error) : status;
}

bool directory_is_in_use(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int lock_fd = fd < 0 ? -1 : openat(fd, lock_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool is_known = lock_fd >= 0 && fcntl(lock_fd, F_OFD_GETLK, &lock) == 0;

    if (lock_fd >= 0) {
        (void)close(lock_fd);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_known && lock.l_type != F_UNLCK;
}
