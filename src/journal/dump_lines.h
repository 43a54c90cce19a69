/* The lines of a dump, made: what both who write one share.
 *
 * Private to the journal. The format is journal/dump.h. Pure. */
#ifndef SESSIOND_SRC_JOURNAL_DUMP_LINES_H
#define SESSIOND_SRC_JOURNAL_DUMP_LINES_H

#include "sessiond/journal/dump_entry.h"

enum { DUMP_LINE_MAX = 3 * DUMP_KEY_MAX + 128 }; /* bytes, with its end */

/** Each writes a line with its end, of at most DUMP_LINE_MAX bytes, and returns how many. */
size_t dump_line_first(int64_t created_s, char *out);
size_t dump_line_entry(const struct dump_entry *entry, char *out);
size_t dump_line_last(uint64_t n_entries, uint64_t checksum, char *out);

#endif
