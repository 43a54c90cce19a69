/* A line's words: what stands between blanks.
 *
 * Private to the protocol. Only 0x20 parts words; every other byte belongs to one. */
#ifndef SESSIOND_SRC_PROTOCOL_WORDS_H
#define SESSIOND_SRC_PROTOCOL_WORDS_H

#include "scan.h"

static inline struct slice words_skip_blanks(struct slice text)
{
    size_t start = 0;

    while (start < text.size && text.data[start] == ' ') {
        start++;
    }
    return slice_from(text, start);
}

/** Take the first word off `rest`; empty when there is none. */
static inline struct slice words_next(struct slice *rest)
{
    struct slice text = words_skip_blanks(*rest);
    size_t size = scan_to_blank(text);

    *rest = slice_from(text, size);
    return slice_first(text, size);
}

/** The last word; empty when there is none. */
static inline struct slice words_last(struct slice text)
{
    size_t end = text.size;
    size_t start;

    while (end > 0 && text.data[end - 1] == ' ') {
        end--;
    }
    for (start = end; start > 0 && text.data[start - 1] != ' '; start--) {
    }
    return slice_from(slice_first(text, end), start);
}

#endif
