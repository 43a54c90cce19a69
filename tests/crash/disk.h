/* A disk with a cache: which states may be on it after a power cut, from the log of what was called.
 *
 * What was written to a file before a sync of it began is there when that sync has ended; names, likewise,
 * with the directory's. Of all else each call by itself may have reached the disk or not, in any
 * combination, and a write in part. A block of 4 KiB that was being written may hold anything.
 * Threads: one, but for log_add. Memory: bytes of all writes, and of all files; without memory the test
 * ends. */
#ifndef SESSIOND_TESTS_CRASH_DISK_H
#define SESSIOND_TESTS_CRASH_DISK_H

#include "memory_directory.h"
#include "test_random.h"

#include <pthread.h>

enum log_kind {
    LOG_CALL, /* of the directory */
    LOG_LIFE, /* recovery is done: from here on the history is that of `life`, and its first k changes are
                 there for good */
    LOG_ACK, /* a reply left, or the journal said so: the first k changes survive a crash of the process, or a
                power cut too */
};

struct log_entry {
    enum log_kind kind;
    int64_t wall_s;
    /* CALL: as in struct memory_event */
    enum memory_call call;
    bool is_begin;
    uint64_t file;
    char name[FILE_NAME_SIZE];
    char to[FILE_NAME_SIZE];
    uint64_t offset;
    uint8_t *bytes;
    size_t size;
    /* LIFE, ACK */
    unsigned life;
    size_t k;
    bool is_durable;
};

struct disk_log {
    pthread_mutex_t lock;
    struct log_entry *entries;
    size_t n_entries;
    size_t capacity;
};

void log_init(struct disk_log *log);
void log_fini(struct disk_log *log);

/** Add an entry, which is copied. Any thread. */
void log_add(struct disk_log *log, const struct log_entry *entry);

/** Add a call of a directory, at a time. Any thread. */
void log_add_call(struct disk_log *log, const struct memory_event *event, int64_t wall_s);

enum { DISK_FILES_MAX = 128, DISK_PENDING_MAX = 512 };

struct disk_file {
    uint64_t id;
    uint8_t *bytes; /* that last */
    size_t size;
    size_t begun; /* entries in front of this one were called before its latest sync */
};

struct disk_name {
    char text[FILE_NAME_SIZE];
    uint64_t file;
};

/* The disk after the first `at` entries of a log. */
struct disk {
    const struct disk_log *log; /* borrowed */
    size_t at;
    struct disk_file files[DISK_FILES_MAX];
    size_t n_files;
    struct disk_name names[DISK_FILES_MAX]; /* that last */
    size_t n_names;
    size_t names_begun;
    size_t pending[DISK_PENDING_MAX]; /* entries that may be lost */
    size_t n_pending;
    unsigned life;
    size_t n_acked;   /* changes that survive a crash of the process */
    size_t n_durable; /* changes that survive a power cut */
};

/** Begin with these files, which last, known by these identities. */
void disk_begin(struct disk *disk, const struct disk_log *log, const struct memory_file *files,
                const uint64_t *ids, size_t n_files);
void disk_end(struct disk *disk);

/** Go on by one entry. */
void disk_step(struct disk *disk);

/* What becomes of a pending call. */
enum fate {
    FATE_KEPT,
    FATE_LOST,
    FATE_TORN_SECTORS, /* a write: only its first sectors of 512 bytes */
    FATE_TORN_BYTES,   /* only its first bytes */
    FATE_HOLED,        /* any of its sectors */
    FATE_GARBLED,      /* any of its sectors, and of its last block any bytes */
};

/** Build one state: *files as of memory_directory_copy. Random numbers say where writes are torn. */
void disk_build(const struct disk *disk, const enum fate *fates, struct test_random *random,
                struct memory_file **files, size_t *n_files);

#endif
