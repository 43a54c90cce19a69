/* Numbers to text and back. Not client error texts. Threads: any. Memory: none. */
#include "sessiond/base/number.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"", 1},           {"k", 1ULL << 10}, {"m", 1ULL << 20}, {"g", 1ULL << 30},
    {"K", 1ULL << 10}, {"M", 1ULL << 20}, {"G", 1ULL << 30}, {NULL, 0},
};

static const struct unit duration_units[] = {
    {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

static size_t count_digits(struct slice text)
{
    size_t n = 0;

    while (n < text.size && text.data[n] >= '0' && text.data[n] <= '9') {
        n++;
    }
    return n;
}

enum sess_status number_parse_u64(struct slice text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (text.size == 0 || count_digits(text) != text.size) {
        return SESS_INVALID;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value)) {
            return SESS_OUT_OF_RANGE;
        }
    }
    if (value > max) {
        return SESS_OUT_OF_RANGE;
    }
    *out = value;
    return SESS_OK;
}

enum sess_status number_parse_i64(struct slice text, int64_t *out)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t magnitude;
    enum sess_status status =
        number_parse_u64(negative ? slice_from(text, 1) : text, limit, &magnitude);

    if (status != SESS_OK) {
        return status;
    }
    if (negative && magnitude == 0) {
        return SESS_INVALID;
    }
    /* Negation in unsigned arithmetic also covers INT64_MIN. */
    *out = (int64_t)(negative ? ~magnitude + 1 : magnitude);
    return SESS_OK;
}

static enum sess_status parse_with_unit(struct slice text, const struct unit *units, uint64_t *out)
{
    size_t digits = count_digits(text);
    uint64_t value;
    enum sess_status status = number_parse_u64(slice_first(text, digits), UINT64_MAX, &value);

    if (status != SESS_OK) {
        return status;
    }
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (slice_is(slice_from(text, digits), unit->name)) {
            if (__builtin_mul_overflow(value, unit->factor, &value)) {
                return SESS_OUT_OF_RANGE;
            }
            *out = value;
            return SESS_OK;
        }
    }
    return SESS_INVALID;
}

enum sess_status number_parse_size(struct slice text, uint64_t *bytes)
{
    return parse_with_unit(text, size_units, bytes);
}

enum sess_status number_parse_duration(struct slice text, uint64_t *ms)
{
    return parse_with_unit(text, duration_units, ms);
}

size_t number_format_u64(uint64_t value, uint8_t *out)
{
    uint8_t reversed[NUMBER_DIGITS];
    size_t n = 0;

    do {
        reversed[n++] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < n; i++) {
        out[i] = reversed[n - 1 - i];
    }
    return n;
}

static void format_with_unit(uint64_t value, const struct unit *units, char *out, size_t out_size)
{
    const struct unit *best = NULL;

    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        /* The row without a name stands for another unit when times are read: skip it here. */
        bool usable = unit->name[0] != '\0' || unit->factor == 1;

        if (usable && value % unit->factor == 0 && (best == NULL || unit->factor > best->factor)) {
            best = unit;
        }
        if (value == 0 && best != NULL) {
            break;
        }
    }
    (void)snprintf(out, out_size, "%" PRIu64 "%s", best == NULL ? value : value / best->factor,
                   best == NULL ? "" : best->name);
}

void number_format_size(uint64_t bytes, char *out, size_t out_size)
{
    format_with_unit(bytes, size_units, out, out_size);
}

void number_format_duration(uint64_t ms, char *out, size_t out_size)
{
    format_with_unit(ms, duration_units, out, out_size);
}
