/* The calls of a directory, whatever implements it. Threads: any. Memory: none. */
#include "sessiond/base/directory.h"

enum sess_status directory_begin(struct directory *directory, const struct directory_calls *calls)
{
    *directory = (struct directory){.calls = calls};
    return pthread_mutex_init(&directory->names, NULL) == 0 ? SESS_OK : SESS_NO_MEMORY;
}

void directory_end(struct directory *directory)
{
    (void)pthread_mutex_destroy(&directory->names);
}

void directory_destroy(struct directory **directory)
{
    if (*directory != NULL) {
        (*directory)->calls->destroy(*directory);
        *directory = NULL;
    }
}

enum sess_status file_open(struct directory *directory, const char *name, enum file_mode mode,
                           struct file *out, struct sess_error *error)
{
    return directory->calls->open(directory, name, mode, out, error);
}

void file_close(struct file *file)
{
    if (file->directory != NULL) {
        file->directory->calls->close(file);
        file->directory = NULL;
    }
}

enum sess_status file_write(struct file *file, const struct slice *pieces, size_t n_pieces,
                            uint64_t offset, struct sess_error *error)
{
    return file->directory->calls->write(file, pieces, n_pieces, offset, error);
}

enum sess_status file_read(struct file *file, void *to, size_t size, uint64_t offset, size_t *got,
                           struct sess_error *error)
{
    return file->directory->calls->read(file, to, size, offset, got, error);
}

enum sess_status file_size(struct file *file, uint64_t *size, struct sess_error *error)
{
    return file->directory->calls->size(file, size, error);
}

enum sess_status file_allocate(struct file *file, uint64_t size, struct sess_error *error)
{
    return file->directory->calls->allocate(file, size, error);
}

enum sess_status file_truncate(struct file *file, uint64_t size, struct sess_error *error)
{
    return file->directory->calls->truncate(file, size, error);
}

/* What was not synced for lack of room is lost like any other: it is no full disk, which could be waited for. */
static enum sess_status end_sync(enum sess_status status, struct sess_error *error)
{
    if (status != SESS_OK) {
        error->status = SESS_IO;
        return SESS_IO;
    }
    return SESS_OK;
}

enum sess_status file_sync(struct file *file, struct sess_error *error)
{
    return end_sync(file->directory->calls->sync(file, error), error);
}

enum sess_status directory_sync(struct directory *directory, struct sess_error *error)
{
    enum sess_status status;

    (void)pthread_mutex_lock(&directory->names);
    if (directory->sync_failure.status == SESS_OK) {
        status = end_sync(directory->calls->sync_directory(directory, error), error);
        if (status != SESS_OK) {
            directory->sync_failure = *error;
        }
    } else {
        *error = directory->sync_failure;
        status = error->status;
    }
    (void)pthread_mutex_unlock(&directory->names);
    return status;
}

enum sess_status directory_rename(struct directory *directory, const char *from, const char *to,
                                  struct sess_error *error)
{
    return directory->calls->rename(directory, from, to, error);
}

enum sess_status directory_remove(struct directory *directory, const char *name,
                                  struct sess_error *error)
{
    return directory->calls->remove(directory, name, error);
}

enum sess_status directory_list(struct directory *directory, directory_list_fn visit, void *context,
                                struct sess_error *error)
{
    return directory->calls->list(directory, visit, context, error);
}
