/* Faults of file calls: the wrappers that the linker puts before them. Threads, memory: static. */
#include "file_faults.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t __real_pwritev(int fd, const struct iovec *pieces, int n_pieces, off_t offset);
ssize_t __real_pread(int fd, void *to, size_t size, off_t offset);
int __real_fdatasync(int fd);
struct dirent *__real_readdir(DIR *stream);

ssize_t __wrap_pwritev(int fd, const struct iovec *pieces, int n_pieces, off_t offset);
ssize_t __wrap_pread(int fd, void *to, size_t size, off_t offset);
int __wrap_fdatasync(int fd);
struct dirent *__wrap_readdir(DIR *stream);

static size_t part_size;
static unsigned calls;
static unsigned syncs;
static int write_reason;
static int read_reason;
static int sync_reason;
static int list_reason;

void file_faults_do_parts(size_t most)
{
    part_size = most;
}

void file_faults_fail_write(int reason)
{
    write_reason = reason;
}

void file_faults_fail_read(int reason)
{
    read_reason = reason;
}

void file_faults_fail_sync(int reason)
{
    sync_reason = reason;
}

void file_faults_fail_list(int reason)
{
    list_reason = reason;
}

unsigned file_faults_syncs(void)
{
    return syncs;
}

/* Whether this call fails; errno is set then. */
static bool fails(int *reason)
{
    if (*reason != 0) {
        errno = *reason;
        *reason = 0;
        return true;
    }
    return false;
}

/* Whether a signal comes first. */
static bool is_interrupted(void)
{
    if (part_size > 0 && calls++ % 2 == 0) {
        errno = EINTR;
        return true;
    }
    return false;
}

ssize_t __wrap_pwritev(int fd, const struct iovec *pieces, int n_pieces, off_t offset)
{
    struct iovec part;

    if (fails(&write_reason) || is_interrupted()) {
        return -1;
    }
    if (part_size == 0) {
        return __real_pwritev(fd, pieces, n_pieces, offset);
    }
    while (n_pieces > 1 && pieces->iov_len == 0) {
        pieces++;
        n_pieces--;
    }
    part = *pieces;
    part.iov_len = part.iov_len < part_size ? part.iov_len : part_size;
    return __real_pwritev(fd, &part, 1, offset);
}

ssize_t __wrap_pread(int fd, void *to, size_t size, off_t offset)
{
    if (fails(&read_reason) || is_interrupted()) {
        return -1;
    }
    return __real_pread(fd, to, part_size > 0 && size > part_size ? part_size : size, offset);
}

int __wrap_fdatasync(int fd)
{
    syncs++;
    return fails(&sync_reason) ? -1 : __real_fdatasync(fd);
}

struct dirent *__wrap_readdir(DIR *stream)
{
    return fails(&list_reason) ? NULL : __real_readdir(stream);
}
