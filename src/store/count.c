/* Numbers as values: increment and decrement. Threads: any. Memory: as any write. */
#include "sessiond/base/number.h"

#include "change.h"
#include "tick.h"

/* Blanks behind the digits are what memcached leaves when a number gets shorter. */
static enum sess_status parse_number(struct slice value, uint64_t *number)
{
    while (value.size > 0 && value.data[value.size - 1] == ' ') {
        value.size--;
    }
    if (value.size > NUMBER_DIGITS || number_parse_u64(value, UINT64_MAX, number) != SESS_OK) {
        return SESS_INVALID;
    }
    return SESS_OK;
}

static uint64_t counted(const struct store_count *count, uint64_t number)
{
    if (!count->is_decrement) {
        return number + count->delta;
    }
    return number < count->delta ? 0 : number - count->delta;
}

/* Store a number, or nothing of it if it has ended already. */
static enum sess_status put_number(struct change *change, struct entry_fields *fields,
                                   uint64_t number, uint64_t *cas)
{
    uint8_t digits[NUMBER_DIGITS];

    if (fields->deadline_s <= change->now_s) {
        return change_write_dead(change, fields->key);
    }
    fields->value = slice_of(digits, number_format_u64(number, digits));
    return change_put(change, fields, cas);
}

static enum sess_status count_live(struct change *change, const struct store_count *count,
                                   uint64_t *result, uint64_t *cas)
{
    const struct entry *present = change->present;
    struct entry_fields fields = {
        .key = count->key,
        .flags = entry_flags(present),
        .deadline_s = count->renews ? change_deadline(change, count->key, count->expiry)
                                    : entry_full_deadline(present),
        .marks = entry_marks(present),
    };
    uint64_t number = 0;
    enum sess_status status = SESS_EXISTS;

    if (count->cas == 0 || count->cas == entry_cas(present)) {
        status = parse_number(entry_value(present), &number);
    }
    if (status != SESS_OK) {
        return status;
    }
    change_use_cas(&fields, count->new_cas);
    number = counted(count, number);
    status = put_number(change, &fields, number, cas);
    if (status == SESS_OK) {
        *result = number;
    }
    return status;
}

static enum sess_status vivify(struct change *change, const struct store_count *count,
                               uint64_t *result, uint64_t *cas)
{
    struct entry_fields fields = {
        .key = count->key,
        .deadline_s = change_deadline(change, count->key, count->vivified),
    };

    change_use_cas(&fields, count->new_cas);
    *result = count->initial;
    return put_number(change, &fields, count->initial, cas);
}

static enum sess_status try_count(struct store *store, const struct store_count *count,
                                  int64_t now_s, uint64_t *result, struct store_outcome *outcome)
{
    struct change change;
    uint64_t cas = 0;
    enum sess_status status = SESS_NOT_FOUND;

    change_begin(&change, store, count->key, count->hash, now_s);
    if (change.is_live) {
        status = count_live(&change, count, result, &cas);
    } else if (count->vivifies) {
        status = vivify(&change, count, result, &cas);
    }
    change_end(&change, cas, outcome);
    outcome->is_new = status == SESS_OK && !change.is_live;
    return status;
}

enum sess_status store_count(struct store *store, const struct store_count *count, int64_t now_s,
                             uint64_t *result, struct store_outcome *outcome)
{
    enum sess_status status = try_count(store, count, now_s, result, outcome);

    for (unsigned tries = 0; tick_helps(store, now_s, status, tries); tries++) {
        status = try_count(store, count, now_s, result, outcome);
    }
    return tick_status(status);
}
