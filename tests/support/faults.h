/* Faults on request: system calls that fail or lie when a test says so, and do their work else.
 *
 * Not mocks: nothing here replaces a module of sessiond. The linker sends the calls here
 * (tests/CMakeLists.txt, --wrap). Each test runs in a process of its own, so nothing is reset. */
#ifndef SESSIOND_TESTS_SUPPORT_FAULTS_H
#define SESSIOND_TESTS_SUPPORT_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The n-th call of malloc, calloc, realloc or aligned_alloc from now on fails, n >= 1; the ones
 *  behind it work again. 0: none fails. */
void faults_fail_allocation(unsigned n);

/** The same, and all behind it fail as well. */
void faults_fail_allocations_from(unsigned n);

/** How many allocations have failed on request since the last such call. Those of a thread that holds do not. */
unsigned faults_failed_allocations(void);

/** From now on this thread's allocations do not fail, nor are they counted, until it has let go as often. */
void faults_hold(void);
void faults_let_go(void);

/** The n-th call of mmap or mprotect from now on fails, n >= 1; the ones behind it work again. */
void faults_fail_mmap(unsigned n);
void faults_fail_mprotect(unsigned n);

/** Call this once at the next mprotect, before it does its work. */
void faults_call_at_mprotect(void (*call)(void *context), void *context);

/** getrandom fails from now on. */
void faults_fail_getrandom(void);

/** The machine's wall clock is `ms` ahead of the true one (or behind, below 0). */
void faults_set_wall_ahead(int64_t ms);

/** The machine was asleep for `ms` since the test began: elapsed and wall time count it. */
void faults_set_asleep(int64_t ms);

/** The machine falls asleep for `ms` as soon as a clock has been read once more. */
void faults_sleep_after_next_read(int64_t ms);

/** Look into the first `size` bytes of `block` when it is freed. */
void faults_watch_free(const void *block, size_t size);

/** Whether the watched block was freed since. */
bool faults_was_freed(void);

/** How many of the watched block's bytes were not zero when it was freed. */
size_t faults_left_in_freed(void);

#endif
