/* Entries and value blocks. Not the index, not the policy. Threads: see entry.h.
 * Memory: one allocation an entry, one a block; both zeroed before they are freed. */
#include "entry.h"

#include "sessiond/store/terms.h"

#include <stdlib.h>
#include <string.h>

enum {
    AT_DEADLINE = 0,
    AT_CAS = 4,
    AT_KEY_SIZE = 9,
    AT_LENGTH_AND_BITS = 10,
    HEADER_SIZE = 14,
    CAS_SIZE = 5,
    LENGTH_BITS = 15,
    FLAG_BITS = 12,
    FAR_SHIFT = LENGTH_BITS + FLAG_BITS, /* of the deadline's high bits */
    TIMES_SIZE = 6,
    ALLOCATION_OVERHEAD = 16, /* what the C library adds, about */
};

#define SHORT_CAS_MAX ((1ULL << 40) - 1)

_Static_assert(STORE_COPY_MAX < 1 << LENGTH_BITS, "an inline value's length fits its field");
_Static_assert(STORE_KEY_MAX <= UINT8_MAX, "a key's length fits its field");

static uint32_t load_u32(const uint8_t *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return value;
}

static uint32_t bits_of(const struct entry *entry)
{
    return load_u32(entry->packed + AT_LENGTH_AND_BITS) >> LENGTH_BITS & ((1U << FLAG_BITS) - 1);
}

static void set_bit(struct entry *entry, enum entry_bit bit, bool is_set)
{
    uint32_t word = load_u32(entry->packed + AT_LENGTH_AND_BITS);
    uint32_t mask = (uint32_t)bit << LENGTH_BITS;

    word = is_set ? word | mask : word & ~mask;
    memcpy(entry->packed + AT_LENGTH_AND_BITS, &word, sizeof word);
}

/* Bytes of the optional fields that stand before `bit`'s field; all of them for a bit of 0. */
static size_t optional_size(uint32_t bits, uint32_t bit)
{
    static const struct {
        uint32_t bit;
        size_t size;
    } fields[] = {
        {ENTRY_HAS_FLAGS, sizeof(uint32_t)},
        {ENTRY_HAS_FULL_CAS, sizeof(uint64_t)},
        {ENTRY_HAS_TIMES, TIMES_SIZE},
    };
    size_t size = 0;

    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && fields[i].bit != bit; i++) {
        size += (bits & fields[i].bit) != 0 ? fields[i].size : 0;
    }
    return size;
}

static uint8_t *optional_field(const struct entry *entry, enum entry_bit bit)
{
    return (uint8_t *)(uintptr_t)entry->packed + HEADER_SIZE +
           optional_size(bits_of(entry), (uint32_t)bit);
}

static size_t key_offset(const struct entry *entry)
{
    return HEADER_SIZE + optional_size(bits_of(entry), 0);
}

static size_t packed_size(const struct entry *entry)
{
    return key_offset(entry) + entry->packed[AT_KEY_SIZE] +
           (load_u32(entry->packed + AT_LENGTH_AND_BITS) & ((1U << LENGTH_BITS) - 1));
}

static uint32_t bits_for(const struct entry_fields *fields)
{
    uint32_t bits = 0;

    bits |= fields->flags != 0 ? ENTRY_HAS_FLAGS : 0U;
    bits |= fields->cas > SHORT_CAS_MAX ? ENTRY_HAS_FULL_CAS : 0U;
    bits |= fields->block != NULL ? ENTRY_BY_REFERENCE : 0U;
    return bits;
}

static void set_cas(struct entry *entry, uint64_t cas)
{
    if ((bits_of(entry) & ENTRY_HAS_FULL_CAS) != 0) {
        memcpy(optional_field(entry, ENTRY_HAS_FULL_CAS), &cas, sizeof cas);
        return;
    }
    for (size_t i = 0; i < CAS_SIZE; i++) {
        entry->packed[AT_CAS + i] = (uint8_t)(cas >> 8 * i);
    }
}

static void copy_slice(uint8_t *to, struct slice from)
{
    if (from.size > 0) {
        memcpy(to, from.data, from.size);
    }
}

enum sess_status entry_create(const struct entry_fields *fields, struct entry **out)
{
    uint32_t bits = bits_for(fields);
    struct slice inline_value =
        fields->block == NULL ? fields->value : slice_of(&fields->block, sizeof fields->block);
    struct slice more = fields->block == NULL ? fields->more : slice_of(NULL, 0);
    size_t key_at = HEADER_SIZE + optional_size(bits, 0);
    size_t value_at = key_at + fields->key.size;
    struct entry *entry = malloc(sizeof *entry + value_at + inline_value.size + more.size);
    uint32_t length_and_bits = (uint32_t)(inline_value.size + more.size) | bits << LENGTH_BITS;

    if (entry == NULL) {
        return SESS_NO_MEMORY;
    }
    entry->timer = (struct wheel_timer){.next = NULL};
    memset(entry->packed, 0, key_at);
    memcpy(entry->packed + AT_LENGTH_AND_BITS, &length_and_bits, sizeof length_and_bits);
    entry->packed[AT_KEY_SIZE] = (uint8_t)fields->key.size;
    if (fields->flags != 0) {
        memcpy(optional_field(entry, ENTRY_HAS_FLAGS), &fields->flags, sizeof fields->flags);
    }
    set_cas(entry, fields->cas);
    entry_set_deadline(entry, fields->deadline_s);
    memcpy(entry->packed + key_at, fields->key.data, fields->key.size);
    copy_slice(entry->packed + value_at, inline_value);
    copy_slice(entry->packed + value_at + inline_value.size, more);
    *out = entry;
    return SESS_OK;
}

void entry_destroy(struct entry *entry)
{
    struct value_block *block = entry_block(entry);

    if (block != NULL) {
        value_block_release(block);
    }
    explicit_bzero(entry->packed, packed_size(entry));
    free(entry);
}

size_t entry_cost(const struct entry *entry)
{
    struct value_block *block = entry_block(entry);
    size_t cost = sizeof *entry + packed_size(entry) + ALLOCATION_OVERHEAD;

    return block == NULL ? cost : cost + sizeof *block + block->allocated + ALLOCATION_OVERHEAD;
}

struct slice entry_key(const struct entry *entry)
{
    return slice_of(entry->packed + key_offset(entry), entry->packed[AT_KEY_SIZE]);
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
    size_t start = key_offset(entry) + entry->packed[AT_KEY_SIZE];

    return block == NULL ? slice_of(entry->packed + start, packed_size(entry) - start)
                         : slice_of(block->bytes, block->size);
}

uint32_t entry_flags(const struct entry *entry)
{
    return (bits_of(entry) & ENTRY_HAS_FLAGS) != 0
               ? load_u32(optional_field(entry, ENTRY_HAS_FLAGS))
               : 0;
}

uint64_t entry_cas(const struct entry *entry)
{
    uint64_t cas = 0;

    if ((bits_of(entry) & ENTRY_HAS_FULL_CAS) != 0) {
        memcpy(&cas, optional_field(entry, ENTRY_HAS_FULL_CAS), sizeof cas);
        return cas;
    }
    for (size_t i = 0; i < CAS_SIZE; i++) {
        cas |= (uint64_t)entry->packed[AT_CAS + i] << 8 * i;
    }
    return cas;
}

int64_t entry_deadline(const struct entry *entry)
{
    uint64_t high = load_u32(entry->packed + AT_LENGTH_AND_BITS) >> FAR_SHIFT;
    uint64_t deadline = load_u32(entry->packed + AT_DEADLINE) | high << 32;

    return deadline == 0 ? STORE_NO_DEADLINE : (int64_t)deadline;
}

void entry_set_deadline(struct entry *entry, int64_t deadline_s)
{
    uint64_t deadline = deadline_s == STORE_NO_DEADLINE ? 0 : (uint64_t)deadline_s;
    uint32_t low = (uint32_t)deadline;
    uint32_t word = load_u32(entry->packed + AT_LENGTH_AND_BITS) & ((1U << FAR_SHIFT) - 1);

    word |= (uint32_t)(deadline >> 32) << FAR_SHIFT;
    memcpy(entry->packed + AT_DEADLINE, &low, sizeof low);
    memcpy(entry->packed + AT_LENGTH_AND_BITS, &word, sizeof word);
}

void entry_set_fetched(struct entry *entry)
{
    if (!entry_is_fetched(entry)) {
        set_bit(entry, ENTRY_FETCHED, true);
    }
}

bool entry_is_fetched(const struct entry *entry)
{
    return (bits_of(entry) & ENTRY_FETCHED) != 0;
}

struct value_block *value_block_create(size_t size, size_t allocated)
{
    struct value_block *block = malloc(sizeof *block + allocated);

    if (block != NULL) {
        atomic_init(&block->references, 1);
        block->size = size;
        block->allocated = allocated;
    }
    return block;
}

struct slice value_block_bytes(const struct value_block *block)
{
    return slice_of(block->bytes, block->size);
}

void value_block_acquire(struct value_block *block)
{
    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
}

void value_block_release(struct value_block *block)
{
    if (atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1) {
        explicit_bzero(block->bytes, block->allocated);
        free(block);
    }
}
