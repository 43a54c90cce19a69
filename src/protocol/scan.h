/* Where a run of bytes ends, found eight bytes at a time.
 *
 * Private to the protocol. Keys are read more often than anything else, and a loop over their bytes was the dearest
 * part of the parser. Pure; reads nothing behind the slice.
 * Source: Warren: Hacker's Delight, "Find First 0-Byte". */
#ifndef SESSIOND_SRC_PROTOCOL_SCAN_H
#define SESSIOND_SRC_PROTOCOL_SCAN_H

#include "sessiond/base/slice.h"

#include <endian.h>

#define SCAN_EACH_BYTE(byte) (~(uint64_t)0 / 255 * (byte))

/* The top bit of each byte below `bound` (at most 128). Bytes above a found one may be marked as well: only the lowest
 * mark counts. */
static inline uint64_t scan_mark_below(uint64_t word, uint8_t bound)
{
    return (word - SCAN_EACH_BYTE(bound)) & ~word & SCAN_EACH_BYTE(0x80);
}

static inline uint64_t scan_mark_equal(uint64_t word, uint8_t byte)
{
    return scan_mark_below(word ^ SCAN_EACH_BYTE(byte), 1);
}

static inline uint64_t scan_load(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return le64toh(word);
}

/* Bytes in front of the lowest mark. */
static inline size_t scan_lowest(uint64_t marks)
{
    return (size_t)__builtin_ctzll(marks) / 8;
}

/** Bytes in front of the first blank (0x20), or all. */
static inline size_t scan_to_blank(struct slice text)
{
    size_t at = 0;

    for (; at + sizeof(uint64_t) <= text.size; at += sizeof(uint64_t)) {
        uint64_t marks = scan_mark_equal(scan_load(text.data + at), ' ');

        if (marks != 0) {
            return at + scan_lowest(marks);
        }
    }
    while (at < text.size && text.data[at] != ' ') {
        at++;
    }
    return at;
}

static inline bool scan_is_of_key(uint8_t byte)
{
    return byte > ' ' && byte != 0x7f;
}

/** Bytes in front of the first one that may not stand in a key (0x20 or below, or 0x7F), or all. */
static inline size_t scan_key(struct slice text)
{
    size_t at = 0;

    for (; at + sizeof(uint64_t) <= text.size; at += sizeof(uint64_t)) {
        uint64_t word = scan_load(text.data + at);
        uint64_t marks = scan_mark_below(word, ' ' + 1) | scan_mark_equal(word, 0x7f);

        if (marks != 0) {
            return at + scan_lowest(marks);
        }
    }
    while (at < text.size && scan_is_of_key(text.data[at])) {
        at++;
    }
    return at;
}

#endif
