/* Entries in their places. Not the index, not the policy. Threads: see entry.h. Memory: the caller's
 * place. */
#include "entry.h"

#include "sessiond/base/bytes.h"

#include <stddef.h>
#include <string.h>

enum {
    HEADER_SIZE = offsetof(struct entry, packed),
    LENGTH_SHIFT = 1, /* above the bit that tells a place in use from a free one */
    LENGTH_BITS = 15,
    FLAG_SHIFT = ENTRY_BITS_SHIFT,
    FLAG_BITS = 12,
    FAR_SHIFT = FLAG_SHIFT + FLAG_BITS, /* of the deadline's high bits */
    TIMES_SIZE = 6,
    DEADLINE_BITS = 36,
};
_Static_assert(FLAG_SHIFT == LENGTH_SHIFT + LENGTH_BITS, "the bits stand behind the length");

#define SHORT_CAS_MAX ((1ULL << 40) - 1)
#define N_FLUSHES_MASK (SHORT_CAS_MAX >> 1)

_Static_assert(STORE_COPY_MAX < 1 << LENGTH_BITS, "an inline value's length fits its field");
_Static_assert(ENTRY_CAS_SIZE == 5, "four bytes and one");
_Static_assert(STORE_KEY_MAX <= UINT8_MAX, "a key's length fits its field");

static uint32_t bits_of(const struct entry *entry)
{
    return entry->word >> FLAG_SHIFT & ((1U << FLAG_BITS) - 1);
}

static size_t length_of(const struct entry *entry)
{
    return entry->word >> LENGTH_SHIFT & ((1U << LENGTH_BITS) - 1);
}

static void set_bit(struct entry *entry, enum entry_bit bit)
{
    entry->word |= (uint32_t)bit << FLAG_SHIFT;
}

/* In the order in which they stand: bit, bytes. */
#define OPTIONAL_FIELDS(X)                                                                         \
    X(ENTRY_HAS_FLAGS, sizeof(uint32_t))                                                           \
    X(ENTRY_HAS_FULL_CAS, sizeof(uint64_t))                                                        \
    X(ENTRY_HAS_TIMES, TIMES_SIZE)                                                                 \
    X(ENTRY_PROBATION, sizeof(uint64_t))
#define OPTIONAL_ROW(bit, size) {bit, size},
#define OPTIONAL_BIT(bit, size) | (bit)
enum { OPTIONAL_BITS = 0 OPTIONAL_FIELDS(OPTIONAL_BIT) };

/* Bytes of the optional fields that stand before `bit`'s field; all of them for a bit of 0. */
static size_t optional_size(uint32_t bits, uint32_t bit)
{
    static const struct {
        uint32_t bit;
        size_t size;
    } fields[] = {OPTIONAL_FIELDS(OPTIONAL_ROW)};
    size_t size = 0;

    if ((bits & OPTIONAL_BITS) == 0) {
        return 0;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && fields[i].bit != bit; i++) {
        size += (bits & fields[i].bit) != 0 ? fields[i].size : 0;
    }
    return size;
}

static uint8_t *optional_field(const struct entry *entry, enum entry_bit bit)
{
    return (uint8_t *)(uintptr_t)entry->packed + optional_size(bits_of(entry), (uint32_t)bit);
}

static size_t key_offset(const struct entry *entry)
{
    return optional_size(bits_of(entry), 0);
}

static size_t packed_size(const struct entry *entry)
{
    return key_offset(entry) + entry->key_size + length_of(entry);
}

static uint32_t bits_for(const struct entry_fields *fields)
{
    uint32_t bits = 0;

    bits |= fields->flags != 0 ? ENTRY_HAS_FLAGS : 0U;
    bits |= fields->cas > SHORT_CAS_MAX || fields->marks.is_clients_cas ? ENTRY_HAS_FULL_CAS : 0U;
    bits |= fields->marks.is_stale ? ENTRY_STALE : 0U;
    bits |= fields->marks.has_winner ? ENTRY_WIN : 0U;
    bits |= fields->is_renewed ? ENTRY_RENEWED : 0U;
    bits |= fields->block != NULL ? ENTRY_BY_REFERENCE : 0U;
    bits |= fields->prefix != NULL ? ENTRY_KEY_PACKED : 0U;
    bits |= fields->marks.is_held ? ENTRY_HELD : 0U;
    bits |= fields->marks.asked_s != 0 ? ENTRY_PROBATION : 0U;
    return bits;
}

static void set_cas(struct entry *entry, const struct entry_fields *fields)
{
    uint64_t number = fields->cas;

    if ((bits_of(entry) & ENTRY_HAS_FULL_CAS) != 0) {
        memcpy(optional_field(entry, ENTRY_HAS_FULL_CAS), &fields->cas, sizeof fields->cas);
        number = fields->n_flushes << 1 | fields->marks.is_clients_cas;
    }
    for (size_t i = 0; i < ENTRY_CAS_SIZE; i++) {
        entry->cas[i] = (uint8_t)(number >> 8 * i);
    }
}

/* What stands in the header for the CAS id. */
static uint64_t short_number(const struct entry *entry)
{
    return bytes_u32(entry->cas) | (uint64_t)entry->cas[ENTRY_CAS_SIZE - 1] << 32;
}

static uint64_t probation_of(const struct entry *entry)
{
    uint64_t probation;

    memcpy(&probation, optional_field(entry, ENTRY_PROBATION), sizeof probation);
    return probation;
}

static void set_probation(struct entry *entry, int64_t asked_s, uint64_t created_s)
{
    uint64_t asked = asked_s == STORE_NO_DEADLINE ? 0 : (uint64_t)asked_s;
    uint64_t probation = asked | created_s << DEADLINE_BITS;

    memcpy(optional_field(entry, ENTRY_PROBATION), &probation, sizeof probation);
}

static struct slice inline_value(const struct entry_fields *fields)
{
    return fields->block == NULL ? fields->value : slice_of(&fields->block, sizeof fields->block);
}

static size_t key_size_for(const struct entry_fields *fields)
{
    return fields->prefix == NULL ? fields->key.size : 1 + fields->key.size - fields->prefix->size;
}

size_t entry_size_for(const struct entry_fields *fields)
{
    return HEADER_SIZE + optional_size(bits_for(fields), 0) + key_size_for(fields) +
           inline_value(fields).size;
}

static uint8_t *put(uint8_t *to, struct slice bytes)
{
    if (bytes.size > 0) {
        memcpy(to, bytes.data, bytes.size);
    }
    return to + bytes.size;
}

static uint8_t *put_key(uint8_t *to, const struct entry_fields *fields)
{
    if (fields->prefix == NULL) {
        return put(to, fields->key);
    }
    *to = fields->prefix->number;
    return put(to + 1, slice_from(fields->key, fields->prefix->size));
}

void entry_remake(struct entry *entry, const struct entry_fields *fields)
{
    struct slice value = inline_value(fields);
    uint32_t bits = bits_for(fields);

    entry->word = (uint32_t)value.size << LENGTH_SHIFT | bits << FLAG_SHIFT;
    entry->key_size = (uint8_t)key_size_for(fields);
    if (fields->flags != 0) {
        memcpy(optional_field(entry, ENTRY_HAS_FLAGS), &fields->flags, sizeof fields->flags);
    }
    set_cas(entry, fields);
    if ((bits & ENTRY_PROBATION) != 0) {
        set_probation(entry, fields->marks.asked_s, 0);
    }
    entry_set_deadline(entry, fields->deadline_s);
    (void)put(put_key(entry->packed + optional_size(bits, 0), fields), value);
}

void entry_make(struct entry *place, const struct entry_fields *fields)
{
    place->timer = 0;
    place->accessed = 0;
    entry_remake(place, fields);
}

size_t entry_size(const struct entry *entry)
{
    return HEADER_SIZE + packed_size(entry);
}

struct slice entry_own_key(const struct entry *entry)
{
    return slice_of(entry->packed + key_offset(entry), entry->key_size);
}

bool entry_is_packed(const struct entry *entry)
{
    return (bits_of(entry) & ENTRY_KEY_PACKED) != 0;
}

struct slice entry_key(const struct entry *entry, const struct prefixes *prefixes, uint8_t *room)
{
    struct slice own = entry_own_key(entry);
    const struct prefix *prefix;

    if (!entry_is_packed(entry)) {
        return own;
    }
    prefix = prefixes_get(prefixes, own.data[0]);
    (void)put(put(room, slice_of(prefix->bytes, prefix->size)), slice_from(own, 1));
    return slice_of(room, prefix->size + own.size - 1);
}

bool entry_has_key(const struct entry *entry, const struct prefixes *prefixes, struct slice key)
{
    struct slice own = entry_own_key(entry);
    const struct prefix *prefix;

    if (!entry_is_packed(entry)) {
        return slice_equal(own, key);
    }
    prefix = prefixes_get(prefixes, own.data[0]);
    return slice_starts_with(key, slice_of(prefix->bytes, prefix->size)) &&
           slice_equal(slice_from(key, prefix->size), slice_from(own, 1));
}

struct value_block *entry_block(const struct entry *entry)
{
    struct value_block *block = NULL;

    if ((bits_of(entry) & ENTRY_BY_REFERENCE) != 0) {
        memcpy(&block, entry->packed + packed_size(entry) - sizeof block, sizeof block);
    }
    return block;
}

struct slice entry_value(const struct entry *entry)
{
    struct value_block *block = entry_block(entry);
    size_t start = key_offset(entry) + entry->key_size;

    return block == NULL ? slice_of(entry->packed + start, packed_size(entry) - start)
                         : slice_of(block->bytes, block->size);
}

uint32_t entry_flags(const struct entry *entry)
{
    uint32_t flags = 0;

    if ((bits_of(entry) & ENTRY_HAS_FLAGS) != 0) {
        memcpy(&flags, optional_field(entry, ENTRY_HAS_FLAGS), sizeof flags);
    }
    return flags;
}

uint64_t entry_cas(const struct entry *entry)
{
    uint64_t cas;

    if ((bits_of(entry) & ENTRY_HAS_FULL_CAS) == 0) {
        return short_number(entry);
    }
    memcpy(&cas, optional_field(entry, ENTRY_HAS_FULL_CAS), sizeof cas);
    return cas;
}

bool entry_is_flushed(const struct entry *entry, uint64_t flushed_below, uint64_t n_flushes)
{
    uint64_t number = short_number(entry);

    return (bits_of(entry) & ENTRY_HAS_FULL_CAS) == 0 ? number < flushed_below
                                                      : number >> 1 != (n_flushes & N_FLUSHES_MASK);
}

struct store_marks entry_marks(const struct entry *entry)
{
    uint32_t bits = bits_of(entry);

    return (struct store_marks){
        .is_stale = (bits & ENTRY_STALE) != 0,
        .has_winner = (bits & ENTRY_WIN) != 0,
        .is_clients_cas = (bits & ENTRY_HAS_FULL_CAS) != 0 && (short_number(entry) & 1) != 0,
        .is_held = (bits & ENTRY_HELD) != 0,
        .asked_s = (bits & ENTRY_PROBATION) != 0 ? entry_full_deadline(entry) : 0,
    };
}

int64_t entry_full_deadline(const struct entry *entry)
{
    uint64_t asked;

    if (!entry_is_on_probation(entry)) {
        return entry_deadline(entry);
    }
    asked = probation_of(entry) & ENTRY_DEADLINE_MAX;
    return asked == 0 ? STORE_NO_DEADLINE : (int64_t)asked;
}

/* The latest second of those that have its low bits. */
int64_t entry_created_s(const struct entry *entry, int64_t now_s)
{
    const uint64_t mask = UINT64_MAX >> DEADLINE_BITS;

    return now_s - (int64_t)(((uint64_t)now_s - (probation_of(entry) >> DEADLINE_BITS)) & mask);
}

void entry_set_asked(struct entry *entry, int64_t asked_s)
{
    set_probation(entry, asked_s, probation_of(entry) >> DEADLINE_BITS);
}

void entry_set_created(struct entry *entry, int64_t created_s)
{
    set_probation(entry, entry_full_deadline(entry), (uint64_t)created_s);
}

void entry_end_probation(struct entry *entry)
{
    uint8_t *field = optional_field(entry, ENTRY_PROBATION);

    memmove(field, field + sizeof(uint64_t), (size_t)entry->key_size + length_of(entry));
    entry->word &= ~((uint32_t)ENTRY_PROBATION << FLAG_SHIFT);
}

void entry_become_hold(struct entry *entry, int64_t deadline_s)
{
    struct slice key = entry_own_key(entry);
    uint32_t bits = ENTRY_HELD | (bits_of(entry) & ENTRY_KEY_PACKED);

    memmove(entry->packed, key.data, key.size);
    entry->word = bits << FLAG_SHIFT;
    memset(entry->cas, 0, sizeof entry->cas);
    entry_set_deadline(entry, deadline_s);
}

void entry_set_winner(struct entry *entry)
{
    set_bit(entry, ENTRY_WIN);
}

int64_t entry_deadline(const struct entry *entry)
{
    uint64_t deadline = entry->deadline | (uint64_t)(entry->word >> FAR_SHIFT) << 32;

    return deadline == 0 ? STORE_NO_DEADLINE : (int64_t)deadline;
}

void entry_set_deadline(struct entry *entry, int64_t deadline_s)
{
    uint64_t deadline = deadline_s == STORE_NO_DEADLINE ? 0 : (uint64_t)deadline_s;

    entry->deadline = (uint32_t)deadline;
    entry->word = (entry->word & ((1U << FAR_SHIFT) - 1)) | (uint32_t)(deadline >> 32) << FAR_SHIFT;
}

void entry_set_fetched(struct entry *entry)
{
    if (!entry_is_fetched(entry)) {
        set_bit(entry, ENTRY_FETCHED);
    }
}

bool entry_is_fetched(const struct entry *entry)
{
    return (bits_of(entry) & ENTRY_FETCHED) != 0;
}

void entry_set_renewed(struct entry *entry)
{
    set_bit(entry, ENTRY_RENEWED);
}

bool entry_is_renewed(const struct entry *entry)
{
    return (bits_of(entry) & ENTRY_RENEWED) != 0;
}
