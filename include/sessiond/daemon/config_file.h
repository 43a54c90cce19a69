/* The config file: lines of `name = value`.
 *
 * `#` begins a comment at a line's start or behind a blank. There are no sections, continuations or
 * quotes: decision 0003. Threads: start-up only. */
#ifndef SESSIOND_DAEMON_CONFIG_FILE_H
#define SESSIOND_DAEMON_CONFIG_FILE_H

#include "sessiond/base/registry.h"

enum { CONFIG_LINE_MAX = 4096 }; /* bytes of one line */

/** Assign every line of the file. The text of an error names file and line.
 *  returns  OK | IO (cannot be read) | INVALID | OUT_OF_RANGE | NOT_FOUND (no such option) | LIMIT */
SESS_MUST_CHECK enum sess_status config_file_read(struct registry *registry, const char *path,
                                                  struct sess_error *error);

#endif
