/* A dump as a file: made anew and private, or read.
 *
 * One that is being made is PATH.part, and has its name when it is whole and safe on the disk. The format is
 * journal/dump.h. Threads: one. */
#ifndef SESSIOND_CTL_DUMP_FILE_H
#define SESSIOND_CTL_DUMP_FILE_H

#include "sessiond/base/error.h"
#include "sessiond/base/slice.h"

#include <limits.h>
#include <stdint.h>

struct dump_file {
    int fd;
    const char *path;    /* borrowed */
    bool is_output;      /* standard output: neither synced nor removed */
    char part[PATH_MAX]; /* its path while it is being made; terminated */
};

/** Make a file for a dump: mode 0600, and never one that is there. `-` is standard output, unless that is a
 *  terminal. returns OK (dump_file_finish or _abandon) | EXISTS | REFUSED (a terminal) | IO */
SESS_MUST_CHECK enum sess_status dump_file_create(const char *path, struct dump_file *out,
                                                  struct sess_error *error);

/** Let it last, under its name, and close it. returns OK | EXISTS, IO (it is removed) */
SESS_MUST_CHECK enum sess_status dump_file_finish(struct dump_file *file, struct sess_error *error);

/** Close it, and remove what was written. */
void dump_file_abandon(struct dump_file *file);

/** Open a dump for reading; `-` is standard input, which is copied to a file without a name, so that it can be read
 *  twice. returns OK (dump_file_close) | IO */
SESS_MUST_CHECK enum sess_status dump_file_open(const char *path, struct dump_file *out,
                                                struct sess_error *error);
void dump_file_close(struct dump_file *file);

/** Let what is read next be its begin again, and tell its size. returns OK | IO */
SESS_MUST_CHECK enum sess_status dump_file_rewind(struct dump_file *file, uint64_t *size_bytes,
                                                  struct sess_error *error);

/** A dump_sink_fn and a dump_source_fn; context is the file. */
enum sess_status dump_file_write(void *file, struct slice bytes, struct sess_error *error);
enum sess_status dump_file_read(void *file, void *to, size_t size, size_t *got,
                                struct sess_error *error);

#endif
