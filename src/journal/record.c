/* The codec of records. Pure. Memory: none. */
#include "record.h"

#include "sessiond/base/bytes.h"

#include "sessiond/store/terms.h"

/* Every record: type, key length, 2 bytes of 0. Then what its type has. */
enum {
    HEAD_SIZE = 4,
    SET_SIZE = HEAD_SIZE + 24,   /* value size 4, client flags 4, deadline 8, CAS id 8 */
    TOUCH_SIZE = HEAD_SIZE + 8,  /* deadline 8 */
    FLUSH_SIZE = HEAD_SIZE + 16, /* time 8, whether it is still to come 8 */
    LINK_SIZE = HEAD_SIZE + 32,  /* segment 8, sequence 8, offset 8, CAS id 8 */
    SEAL_SIZE = HEAD_SIZE + 8,   /* segment 8 */
    HOLD_SIZE = HEAD_SIZE + 8,   /* deadline 8 */
    CLOCK_SIZE = HEAD_SIZE + 16, /* up to when all has expired 8, time 8 */
    END_SIZE = HEAD_SIZE + 48,   /* segment 8, sequence 8, last 8, entries 8, CAS id 8, flush 8 */
    MARKED_SIZE = SET_SIZE + 4,  /* as SET, and marks 4 */
    PROBATION_SIZE = MARKED_SIZE + 8, /* as MARKED, and deadline 8 */
};

enum { MARK_STALE = 1, MARK_WINNER = 2, MARK_CLIENTS_CAS = 4, MARKS_ALL = 7 };

enum record_type record_type_of(struct store_marks marks)
{
    if (marks.is_held) {
        return RECORD_HOLD;
    }
    if (marks.asked_s != 0) {
        return RECORD_PROBATION;
    }
    return marks.is_stale || marks.has_winner || marks.is_clients_cas ? RECORD_MARKED : RECORD_SET;
}

static uint32_t marks_encode(struct store_marks marks)
{
    return (marks.is_stale ? MARK_STALE : 0U) | (marks.has_winner ? MARK_WINNER : 0U) |
           (marks.is_clients_cas ? MARK_CLIENTS_CAS : 0U);
}

static struct store_marks marks_decode(uint32_t bits)
{
    return (struct store_marks){
        .is_stale = (bits & MARK_STALE) != 0,
        .has_winner = (bits & MARK_WINNER) != 0,
        .is_clients_cas = (bits & MARK_CLIENTS_CAS) != 0,
    };
}

struct record record_of(const struct mutation *mutation)
{
    struct record record = {
        .key = mutation->key,
        .deadline_s = mutation->deadline_s,
        .flags = mutation->flags,
        .cas = mutation->cas,
    };

    switch (mutation->kind) {
    case MUTATION_SET:
        record.type = mutation->is_touch ? RECORD_TOUCH : record_type_of(mutation->marks);
        record.marks = mutation->marks;
        record.value = mutation->is_touch ? slice_of(NULL, 0) : mutation->value;
        break;
    case MUTATION_DELETE:
        record.type = mutation->deadline_s == 0 ? RECORD_DELETE : RECORD_HOLD;
        record.marks.is_held = mutation->deadline_s != 0;
        break;
    case MUTATION_FLUSH:
        record.type = RECORD_FLUSH;
        record.is_scheduled = mutation->deadline_s > mutation->now_s;
        break;
    }
    return record;
}

/* Bytes in front of the key; 0: no such type. */
static size_t fixed_size(uint8_t type)
{
    static const uint8_t sizes[] = {
        [RECORD_SET] = SET_SIZE,   [RECORD_TOUCH] = TOUCH_SIZE,         [RECORD_DELETE] = HEAD_SIZE,
        [RECORD_HOLD] = HOLD_SIZE, [RECORD_PROBATION] = PROBATION_SIZE, [RECORD_FLUSH] = FLUSH_SIZE,
        [RECORD_LINK] = LINK_SIZE, [RECORD_SEAL] = SEAL_SIZE,           [RECORD_CLOCK] = CLOCK_SIZE,
        [RECORD_END] = END_SIZE,   [RECORD_MARKED] = MARKED_SIZE,
    };

    return type < sizeof sizes ? sizes[type] : 0;
}

static void encode_fixed(const struct record *record, uint8_t *out)
{
    switch (record->type) {
    case RECORD_SET:
    case RECORD_MARKED:
    case RECORD_PROBATION:
        bytes_put_u32(out, (uint32_t)record->value.size);
        bytes_put_u32(out + 4, record->flags);
        bytes_put_u64(out + 8, (uint64_t)record->deadline_s);
        bytes_put_u64(out + 16, record->cas);
        if (record->type != RECORD_SET) {
            bytes_put_u32(out + 24, marks_encode(record->marks));
        }
        if (record->type == RECORD_PROBATION) {
            bytes_put_u64(out + 28, (uint64_t)record->marks.asked_s);
        }
        break;
    case RECORD_TOUCH:
    case RECORD_HOLD:
        bytes_put_u64(out, (uint64_t)record->deadline_s);
        break;
    case RECORD_DELETE:
        break;
    case RECORD_FLUSH:
        bytes_put_u64(out, (uint64_t)record->deadline_s);
        bytes_put_u64(out + 8, record->is_scheduled);
        break;
    case RECORD_LINK:
        bytes_put_u64(out, record->segment);
        bytes_put_u64(out + 8, record->sequence);
        bytes_put_u64(out + 16, record->offset);
        bytes_put_u64(out + 24, record->cas);
        break;
    case RECORD_SEAL:
        bytes_put_u64(out, record->segment);
        break;
    case RECORD_CLOCK:
        bytes_put_u64(out, (uint64_t)record->deadline_s);
        bytes_put_u64(out + 8, (uint64_t)record->time_s);
        break;
    case RECORD_END:
        bytes_put_u64(out, record->segment);
        bytes_put_u64(out + 8, record->sequence);
        bytes_put_u64(out + 16, record->last);
        bytes_put_u64(out + 24, record->offset);
        bytes_put_u64(out + 32, record->cas);
        bytes_put_u64(out + 40, (uint64_t)record->deadline_s);
        break;
    }
}

size_t record_size(enum record_type type)
{
    return fixed_size((uint8_t)type);
}

size_t record_encode(const struct record *record, uint8_t *out)
{
    size_t fixed = fixed_size((uint8_t)record->type);

    out[0] = (uint8_t)record->type;
    out[1] = (uint8_t)record->key.size;
    bytes_put_u16(out + 2, 0);
    encode_fixed(record, out + HEAD_SIZE);
    if (record->key.size > 0) {
        memcpy(out + fixed, record->key.data, record->key.size);
    }
    return fixed + record->key.size;
}

/* Returns the size of the value that follows. */
static size_t decode_fixed(const uint8_t *in, struct record *out)
{
    switch (out->type) {
    case RECORD_SET:
    case RECORD_MARKED:
    case RECORD_PROBATION:
        out->flags = bytes_u32(in + 4);
        out->deadline_s = (int64_t)bytes_u64(in + 8);
        out->cas = bytes_u64(in + 16);
        if (out->type != RECORD_SET) {
            out->marks = marks_decode(bytes_u32(in + 24));
        }
        if (out->type == RECORD_PROBATION) {
            out->marks.asked_s = (int64_t)bytes_u64(in + 28);
        }
        return bytes_u32(in);
    case RECORD_HOLD:
        out->marks.is_held = true;
        out->deadline_s = (int64_t)bytes_u64(in);
        return 0;
    case RECORD_TOUCH:
        out->deadline_s = (int64_t)bytes_u64(in);
        return 0;
    case RECORD_DELETE:
        return 0;
    case RECORD_FLUSH:
        out->deadline_s = (int64_t)bytes_u64(in);
        out->is_scheduled = bytes_u64(in + 8) != 0;
        return 0;
    case RECORD_LINK:
        out->segment = bytes_u64(in);
        out->sequence = bytes_u64(in + 8);
        out->offset = bytes_u64(in + 16);
        out->cas = bytes_u64(in + 24);
        return 0;
    case RECORD_SEAL:
        out->segment = bytes_u64(in);
        return 0;
    case RECORD_CLOCK:
        out->deadline_s = (int64_t)bytes_u64(in);
        out->time_s = (int64_t)bytes_u64(in + 8);
        return 0;
    case RECORD_END:
        out->segment = bytes_u64(in);
        out->sequence = bytes_u64(in + 8);
        out->last = bytes_u64(in + 16);
        out->offset = bytes_u64(in + 24);
        out->cas = bytes_u64(in + 32);
        out->deadline_s = (int64_t)bytes_u64(in + 40);
        return 0;
    }
    return 0;
}

/* Where the table has 0, or a yes or no, only another version writes anything else. */
static bool has_fixed_bytes(const uint8_t *in)
{
    return bytes_u16(in + 2) == 0 &&
           (in[0] != RECORD_FLUSH || bytes_u64(in + HEAD_SIZE + 8) <= 1) &&
           ((in[0] != RECORD_MARKED && in[0] != RECORD_PROBATION) ||
            bytes_u32(in + SET_SIZE) <= MARKS_ALL);
}

/* A checkpoint holds what the journal says up to `last`: a start that began behind that would pass over frames. */
static bool has_sound_begin(const struct record *record)
{
    return record->type != RECORD_END || record->sequence - 1 <= record->last;
}

static bool has_key(enum record_type type)
{
    return type == RECORD_SET || type == RECORD_TOUCH || type == RECORD_DELETE ||
           type == RECORD_MARKED || type == RECORD_PROBATION || type == RECORD_HOLD;
}

enum sess_status record_decode(struct slice bytes, struct record *out, size_t *used)
{
    size_t fixed = bytes.size < HEAD_SIZE ? HEAD_SIZE : fixed_size(bytes.data[0]);
    size_t key_size;
    size_t value_size;

    if (fixed == 0) {
        return SESS_REFUSED;
    }
    if (bytes.size < fixed) {
        return SESS_DAMAGED;
    }
    if (!has_fixed_bytes(bytes.data)) {
        return SESS_REFUSED;
    }
    *out = (struct record){.type = (enum record_type)bytes.data[0]};
    key_size = bytes.data[1];
    value_size = decode_fixed(bytes.data + HEAD_SIZE, out);
    if ((key_size > 0) != has_key(out->type) || key_size > STORE_KEY_MAX ||
        key_size > bytes.size - fixed || value_size > bytes.size - fixed - key_size ||
        !has_sound_begin(out)) {
        return SESS_DAMAGED;
    }
    out->key = slice_of(bytes.data + fixed, key_size);
    out->value = slice_of(bytes.data + fixed + key_size, value_size);
    *used = fixed + key_size + value_size;
    return SESS_OK;
}

struct store_image record_image(const struct record *record)
{
    static const enum image_kind kinds[] = {
        [RECORD_SET] = IMAGE_SET,       [RECORD_TOUCH] = IMAGE_TOUCH,
        [RECORD_DELETE] = IMAGE_DELETE, [RECORD_FLUSH] = IMAGE_FLUSH,
        [RECORD_CLOCK] = IMAGE_EXPIRY,  [RECORD_MARKED] = IMAGE_SET,
        [RECORD_HOLD] = IMAGE_SET,      [RECORD_PROBATION] = IMAGE_SET,
    };

    return (struct store_image){
        .kind = kinds[record->type],
        .key = record->key,
        .value = record->value,
        .flags = record->flags,
        .cas = record->cas,
        .marks = record->marks,
        .deadline_s = record->deadline_s,
    };
}
