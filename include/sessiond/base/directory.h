/* A directory and its files: the seam through which all file calls of data go.
 *
 * Not a general file library: one flat directory, files by name, writes at an offset, and the syncs that
 * make them last. A struct directory is what other implementations begin with: tests put their own in its
 * place, which record, fail or delay calls. Every call that fails says what it tried on which file.
 * Threads: any; a file is closed by one. Source: durability.md, "Files"; reliability.md 4.2. */
#ifndef SESSIOND_BASE_DIRECTORY_H
#define SESSIOND_BASE_DIRECTORY_H

#include "sessiond/base/error.h"
#include "sessiond/base/slice.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    FILE_NAME_SIZE = 64,  /* of a file's name in its directory, terminated */
    FILE_PIECES_MAX = 64, /* of one write */
};

struct directory;

struct file {
    struct directory *directory; /* borrowed */
    int handle;                  /* the implementation's own */
    char name[FILE_NAME_SIZE];   /* for messages; terminated */
};

enum file_mode {
    FILE_READ,   /* one that is there */
    FILE_CHANGE, /* one that is there, to read and write */
    FILE_CREATE, /* one that is not there, to read and write; mode 0600 */
};

/* Called for each name in a directory; false ends the list. */
typedef bool (*directory_list_fn)(void *context, const char *name);

/* What an implementation offers: each as the function of its name below. */
struct directory_calls {
    enum sess_status (*open)(struct directory *directory, const char *name, enum file_mode mode,
                             struct file *out, struct sess_error *error);
    void (*close)(struct file *file);
    enum sess_status (*write)(struct file *file, const struct slice *pieces, size_t n_pieces,
                              uint64_t offset, struct sess_error *error);
    enum sess_status (*read)(struct file *file, void *to, size_t size, uint64_t offset, size_t *got,
                             struct sess_error *error);
    enum sess_status (*size)(struct file *file, uint64_t *size, struct sess_error *error);
    enum sess_status (*allocate)(struct file *file, uint64_t size, struct sess_error *error);
    enum sess_status (*truncate)(struct file *file, uint64_t size, struct sess_error *error);
    enum sess_status (*sync)(struct file *file, struct sess_error *error);
    enum sess_status (*sync_directory)(struct directory *directory, struct sess_error *error);
    enum sess_status (*rename)(struct directory *directory, const char *from, const char *to,
                               struct sess_error *error);
    enum sess_status (*remove)(struct directory *directory, const char *name,
                               struct sess_error *error);
    enum sess_status (*list)(struct directory *directory, directory_list_fn visit, void *context,
                             struct sess_error *error);
    void (*destroy)(struct directory *directory);
};

struct directory {
    const struct directory_calls *calls; /* immutable */
    pthread_mutex_t names;               /* held while they are synced */
    struct sess_error sync_failure;      /* under it: but for OK they are never synced again */
};

/** Begin one: for who implements it, and calls directory_end in `destroy`. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status directory_begin(struct directory *directory,
                                                 const struct directory_calls *calls);
void directory_end(struct directory *directory);

/** Make a directory and those above it, as far as they are missing: mode 0700, owned by uid and gid where
 *  the process may give that. returns OK | IO */
SESS_MUST_CHECK enum sess_status directory_make(const char *path, uid_t uid, gid_t gid,
                                                struct sess_error *error);

/** Open a directory of the system, which must belong to the process's user and be writable for
 *  nobody else, and lock it against every other process, until it is destroyed. The lock is one on the
 *  directory itself, and an OFD lock on its file `lock`, which names the process.
 *  returns  OK (destroy *out) | LOCKED (by whom is in the text) | NO_SPACE | LIMIT | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status directory_open(const char *path, struct directory **out,
                                                struct sess_error *error);

/** Open a directory of the system to look at it: without a lock, beside whoever has one, and every call that
 *  would change something is refused. returns OK (destroy *out) | NOT_FOUND | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status directory_look(const char *path, struct directory **out,
                                                struct sess_error *error);

/** Whether another process has locked a directory of the system; no lock is taken. False also where that
 *  cannot be told: without its file `lock`, or without the right to read it. */
bool directory_is_in_use(const char *path);

/** Close a directory, and set *directory to NULL. Its files must be closed. */
void directory_destroy(struct directory **directory);

/** Open a file. returns OK (close it) | NOT_FOUND | EXISTS (to be created, but there) | NO_SPACE |
 *  LIMIT (no descriptor or memory for it: that may pass) | IO */
SESS_MUST_CHECK enum sess_status file_open(struct directory *directory, const char *name,
                                           enum file_mode mode, struct file *out,
                                           struct sess_error *error);
void file_close(struct file *file);

/** Write all pieces, at most FILE_PIECES_MAX, one behind the other from `offset` on. When it returns, a
 *  crash of the process does not take them back; a power cut may.
 *  returns  OK | NO_SPACE | IO (some may be written) */
SESS_MUST_CHECK enum sess_status file_write(struct file *file, const struct slice *pieces,
                                            size_t n_pieces, uint64_t offset,
                                            struct sess_error *error);

/** Read up to `size` bytes; *got is less only at the file's end. returns OK | IO */
SESS_MUST_CHECK enum sess_status file_read(struct file *file, void *to, size_t size,
                                           uint64_t offset, size_t *got, struct sess_error *error);

/** Bytes of a file. returns OK | IO */
SESS_MUST_CHECK enum sess_status file_size(struct file *file, uint64_t *size,
                                           struct sess_error *error);

/** Reserve space for `size` bytes, which become the file's size; new bytes are 0.
 *  returns  OK | NO_SPACE | IO */
SESS_MUST_CHECK enum sess_status file_allocate(struct file *file, uint64_t size,
                                               struct sess_error *error);

/** Cut a file to `size` bytes. returns OK | IO */
SESS_MUST_CHECK enum sess_status file_truncate(struct file *file, uint64_t size,
                                               struct sess_error *error);

/** Let what was written last (fdatasync). After a failure a file must never be synced again: the
 *  kernel may have dropped what it could not write. returns OK | IO (whatever the reason) */
SESS_MUST_CHECK enum sess_status file_sync(struct file *file, struct sess_error *error);

/** Let names that were made, changed or removed last. One thread at a time: the system tells of a failure once,
 *  and after one this fails in the same way, without trying. returns OK | IO (whatever the reason) */
SESS_MUST_CHECK enum sess_status directory_sync(struct directory *directory,
                                                struct sess_error *error);

/** Give a file another name, over one that is there. returns
 *  OK | NOT_FOUND | NO_SPACE | LIMIT | IO */
SESS_MUST_CHECK enum sess_status directory_rename(struct directory *directory, const char *from,
                                                  const char *to, struct sess_error *error);

/** Remove a file. returns OK | NOT_FOUND | IO */
SESS_MUST_CHECK enum sess_status directory_remove(struct directory *directory, const char *name,
                                                  struct sess_error *error);

/** Visit every name, in no order. returns OK | IO */
SESS_MUST_CHECK enum sess_status directory_list(struct directory *directory,
                                                directory_list_fn visit, void *context,
                                                struct sess_error *error);

#endif
