/* Base64. Threads: any. Memory: the caller's. */
#include "sessiond/base/base64.h"

enum { NO_LETTER = 64, QUAD = 4, QUAD_BYTES = 3, LETTER_BITS = 6 };

static uint32_t value_of(uint8_t letter)
{
    if (letter >= 'A' && letter <= 'Z') {
        return letter - 'A';
    }
    if (letter >= 'a' && letter <= 'z') {
        return letter - 'a' + 26U;
    }
    if (letter >= '0' && letter <= '9') {
        return letter - '0' + 52U;
    }
    return letter == '+' ? 62 : letter == '/' ? 63 : NO_LETTER;
}

/* Decode four letters, the last `n_padding` of which are padding. Returns whether they are right. */
static bool decode_quad(const uint8_t *letters, size_t n_padding, uint8_t *out)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < QUAD; i++) {
        uint32_t value = i < QUAD - n_padding ? value_of(letters[i]) : 0;

        if (value == NO_LETTER) {
            return false;
        }
        bits = bits << LETTER_BITS | value;
    }
    for (size_t i = 0; i < QUAD_BYTES - n_padding; i++) {
        out[i] = (uint8_t)(bits >> 8 * (QUAD_BYTES - 1 - i));
    }
    return (bits & ((1U << 8 * n_padding) - 1)) == 0;
}

size_t base64_decode(struct slice text, uint8_t *out)
{
    size_t n_padding = 0;
    size_t size = 0;

    if (text.size == 0 || text.size % QUAD != 0) {
        return 0;
    }
    while (n_padding < 2 && text.data[text.size - 1 - n_padding] == '=') {
        n_padding++;
    }
    for (size_t at = 0; at < text.size; at += QUAD) {
        size_t padding = at + QUAD == text.size ? n_padding : 0;

        if (!decode_quad(text.data + at, padding, out + size)) {
            return 0;
        }
        size += QUAD_BYTES - padding;
    }
    return size;
}

size_t base64_encode(struct slice bytes, char *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t size = 0;

    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t bits = (uint32_t)bytes.data[i] << 16 |
                        (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                        (left > 2 ? bytes.data[i + 2] : 0);

        out[size++] = letters[bits >> 18];
        out[size++] = letters[bits >> 12 & 63];
        out[size++] = left > 1 ? letters[bits >> 6 & 63] : '=';
        out[size++] = left > 2 ? letters[bits & 63] : '=';
    }
    return size;
}
