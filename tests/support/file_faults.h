/* Faults of file calls on request: parts, interruptions and failures, as a disk or a signal makes them.
 *
 * The linker sends the calls here, as it does to faults.c. Each test runs in a process of its own, so
 * nothing is reset. Threads: set before any starts. */
#ifndef SESSIOND_TESTS_SUPPORT_FILE_FAULTS_H
#define SESSIOND_TESTS_SUPPORT_FILE_FAULTS_H

#include <stddef.h>

/** From now on pwritev and pread do at most `most` bytes, and every other call of theirs is interrupted
 *  before it does anything. */
void file_faults_do_parts(size_t most);

/** The next pwritev, pread, fdatasync or readdir fails with this errno, once. */
void file_faults_fail_write(int reason);
void file_faults_fail_read(int reason);
void file_faults_fail_sync(int reason);
void file_faults_fail_list(int reason);

/** Calls of fdatasync so far. */
unsigned file_faults_syncs(void);

#endif
