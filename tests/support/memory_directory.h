/* A directory in memory: files by name, with an observer, calls that fail and calls that stall. Its own
 * allocations do not fail on request (faults.h).
 *
 * Not a disk: everything is kept at once, and what a power cut would leave is the observer's to say. Calls
 * may come from any thread; the observer is called under the directory's lock, so its order is the order.
 * Memory: the files' bytes. A file that is removed lives until its last handle is closed. */
#ifndef SESSIOND_TESTS_SUPPORT_MEMORY_DIRECTORY_H
#define SESSIOND_TESTS_SUPPORT_MEMORY_DIRECTORY_H

#include "sessiond/base/directory.h"

enum memory_call {
    MEMORY_OPEN, /* of a file that is there */
    MEMORY_CREATE,
    MEMORY_WRITE,
    MEMORY_READ,
    MEMORY_SIZE,
    MEMORY_ALLOCATE,
    MEMORY_TRUNCATE,
    MEMORY_SYNC,
    MEMORY_SYNC_DIRECTORY,
    MEMORY_RENAME,
    MEMORY_REMOVE,
    MEMORY_LIST,
    MEMORY_CALLS, /* their number */
};

/* A file as plain bytes, for tests that look at it or damage it. */
struct memory_file {
    char name[FILE_NAME_SIZE]; /* terminated */
    uint8_t *bytes;            /* malloc'ed; NULL for an empty one */
    size_t size;
};

/* One call that changes something, or lets it last. Syncs are told twice: when they begin and when they
 * have succeeded; all others once, when they are done. */
struct memory_event {
    enum memory_call call;
    bool is_begin;    /* of a sync */
    uint64_t file;    /* which file, whatever its name is; grows from 1, never used again */
    const char *name; /* CREATE, RENAME, REMOVE */
    const char *to;   /* RENAME */
    uint64_t offset;  /* WRITE; ALLOCATE and TRUNCATE: the size */
    const struct slice *pieces; /* WRITE */
    size_t n_pieces;
};

typedef void (*memory_observe_fn)(void *context, const struct memory_event *event);

struct memory_directory;

/** An empty directory; NULL without memory. directory_destroy(&base) ends it. */
struct memory_directory *memory_directory_create(void);

/** What sessiond calls. */
struct directory *memory_directory_base(struct memory_directory *directory);

/** Add a file with these bytes, which are copied. Returns its identity, 0 without memory. */
uint64_t memory_directory_add(struct memory_directory *directory, const char *name,
                              struct slice bytes);

/** Copy all files, by name in order: *files is malloc'ed, memory_files_free ends it. Returns false without
 *  memory. */
bool memory_directory_copy(struct memory_directory *directory, struct memory_file **files,
                           size_t *n_files);
void memory_files_free(struct memory_file *files, size_t n_files);

/** Bytes of a file, borrowed until it is changed; NULL if there is none. Only while nobody else calls. */
const uint8_t *memory_directory_bytes(struct memory_directory *directory, const char *name,
                                      size_t *size);
size_t memory_directory_count(struct memory_directory *directory);

/** Call this at each event from now on; NULL: nobody. */
void memory_directory_observe(struct memory_directory *directory, memory_observe_fn observe,
                              void *context);

/** The n-th call of this kind from now on fails, n >= 1, with IO or NO_SPACE, and changes nothing. */
void memory_directory_fail(struct memory_directory *directory, enum memory_call call, unsigned n,
                           enum sess_status status);

/** The same, and all behind it fail as well. */
void memory_directory_fail_from(struct memory_directory *directory, enum memory_call call,
                                unsigned n, enum sess_status status);

/** How many calls have failed so on request. */
unsigned memory_directory_failed(struct memory_directory *directory);

/** How many syncs were tried of a file, or of the names, after one of it had failed. */
unsigned memory_directory_resyncs(struct memory_directory *directory);

/** From now on, before there are files: keep what syncs leave, for memory_directory_lose. */
void memory_directory_keep_synced(struct memory_directory *directory);

/** Each file whose sync failed becomes what its last sync that succeeded left, as a kernel does that drops what
 *  it could not write and tells of it once. Returns how many did. */
unsigned memory_directory_lose(struct memory_directory *directory);

/** Every call fails from now on, and nobody is told: the machine is off. What has stalled fails as well. */
void memory_directory_cut(struct memory_directory *directory);

/** The machine is on again; no call is to fail or to stall. */
void memory_directory_restart(struct memory_directory *directory);

/** Calls of this kind stall, before they do anything, until they are released. */
void memory_directory_stall(struct memory_directory *directory, enum memory_call call);
void memory_directory_release(struct memory_directory *directory, enum memory_call call);

/** Wait until a call of this kind has stalled. */
void memory_directory_await_stalled(struct memory_directory *directory, enum memory_call call);

/** How often a kind was called, also in vain. */
unsigned memory_directory_calls(struct memory_directory *directory, enum memory_call call);

#endif
