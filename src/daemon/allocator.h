/* The C library's allocator, told to give memory back.
 *
 * Private to the daemon. Threads: start-up only, before any other. Source: mallopt(3). */
#ifndef SESSIOND_SRC_DAEMON_ALLOCATOR_H
#define SESSIOND_SRC_DAEMON_ALLOCATOR_H

/** Fix what the allocator would adapt to the largest block that was ever freed: decision 0008. */
void allocator_set_up(void);

#endif
