/* Where a run of bytes ends, found eight bytes at a time.
 *
 * Private to the protocol. Keys are read more often than anything else, and a loop over their bytes was the dearest
 * part of the parser. Pure; reads nothing behind the slice.
 * Source: Warren: Hacker's Delight, "Find First 0-Byte". */
#ifndef SESSIOND_SRC_PROTOCOL_SCAN_H
#define SESSIOND_SRC_PROTOCOL_SCAN_H

#include "sessiond/base/bytes.h"
#include "sessiond/base/slice.h"

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

/* Bytes in front of the lowest mark. */
static inline size_t scan_lowest(uint64_t marks)
{
    return (size_t)__builtin_ctzll(marks) / 8;
}

static inline uint64_t scan_mark_blank(uint64_t word)
{
    return scan_mark_equal(word, ' ');
}

static inline bool scan_is_no_blank(uint8_t byte)
{
    return byte != ' ';
}

static inline uint64_t scan_mark_no_key(uint64_t word)
{
    return scan_mark_below(word, ' ' + 1) | scan_mark_equal(word, 0x7f);
}

static inline bool scan_is_of_key(uint8_t byte)
{
    return byte > ' ' && byte != 0x7f;
}

/* Bytes in front of the first one that ends the run: `mark` says where in eight bytes, `is_inside` of a single one. */
static inline size_t scan(struct slice text, uint64_t (*mark)(uint64_t word),
                          bool (*is_inside)(uint8_t byte))
{
    size_t at = 0;

    for (; at + sizeof(uint64_t) <= text.size; at += sizeof(uint64_t)) {
        uint64_t marks = mark(bytes_u64(text.data + at));

        if (marks != 0) {
            return at + scan_lowest(marks);
        }
    }
    while (at < text.size && is_inside(text.data[at])) {
        at++;
    }
    return at;
}

/** Bytes in front of the first blank (0x20), or all. */
static inline size_t scan_to_blank(struct slice text)
{
    return scan(text, scan_mark_blank, scan_is_no_blank);
}

typedef uint8_t scan_block __attribute__((vector_size(16)));

/* Whether all of sixteen bytes may stand in a key. */
static inline bool scan_block_is_of_key(const uint8_t *bytes)
{
    scan_block block;
    uint64_t halves[2];

    memcpy(&block, bytes, sizeof block);
    block = (scan_block)((block <= ' ') | (block == 0x7f));
    memcpy(halves, &block, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

/** Bytes in front of the first one that may not stand in a key (0x20 or below, or 0x7F), or all. */
static inline size_t scan_key(struct slice text)
{
    size_t at = 0;

    while (at + sizeof(scan_block) <= text.size && scan_block_is_of_key(text.data + at)) {
        at += sizeof(scan_block);
    }
    return at + scan(slice_from(text, at), scan_mark_no_key, scan_is_of_key);
}

#endif
