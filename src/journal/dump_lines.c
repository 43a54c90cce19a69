/* Making lines of dumps. Threads: any. Memory: none. */
#include "dump_lines.h"

#include <inttypes.h>
#include <stdio.h>

size_t dump_line_first(int64_t created_s, char *out)
{
    return (size_t)snprintf(out, DUMP_LINE_MAX, "sessiond-dump 1 %" PRId64 "\n", created_s);
}

static bool is_plain(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

/* Returns the bytes written. */
static size_t encode_key(struct slice key, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t size = 0;

    for (size_t i = 0; i < key.size; i++) {
        if (is_plain(key.data[i])) {
            out[size++] = (char)key.data[i];
        } else {
            out[size++] = '%';
            out[size++] = digits[key.data[i] >> 4];
            out[size++] = digits[key.data[i] & 15];
        }
    }
    return size;
}

/* Returns the bytes written. */
static size_t encode_marks(struct store_marks marks, char *out)
{
    size_t size = 1;

    out[0] = ' ';
    if (marks.is_stale) {
        out[size++] = 'X';
    }
    if (marks.has_winner) {
        out[size++] = 'W';
    }
    if (marks.is_clients_cas) {
        out[size++] = 'E';
    }
    if (marks.is_held) {
        out[size++] = 'H';
    }
    return size == 1 ? 0 : size;
}

size_t dump_line_entry(const struct dump_entry *entry, char *out)
{
    int64_t deadline_s = entry->deadline_s == STORE_NO_DEADLINE ? 0 : entry->deadline_s;
    size_t size = encode_key(entry->key, out);

    size += (size_t)snprintf(out + size, DUMP_LINE_MAX - size,
                             " %" PRIu32 " %" PRId64 " %" PRIu64 " %zu", entry->flags, deadline_s,
                             entry->cas, entry->value.size);
    size += encode_marks(entry->marks, out + size);
    out[size++] = '\n';
    return size;
}

size_t dump_line_last(uint64_t n_entries, uint64_t checksum, char *out)
{
    return (size_t)snprintf(out, DUMP_LINE_MAX, "END %" PRIu64 " %016" PRIx64 "\n", n_entries,
                            checksum);
}
