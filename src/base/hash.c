/* SipHash with the round counts as parameters. Not a checksum. Threads: any. Memory: none.
 *
 * SipHash-2-4 is here because it is what the paper gives test vectors for: it proves the rounds. */
#include "sessiond/base/hash.h"

#include "sessiond/base/bytes.h"

#include <sys/random.h>

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

enum sess_status hash_key_draw(struct hash_key *out)
{
    return getrandom(out, sizeof *out, 0) == (ssize_t)sizeof *out ? SESS_OK : SESS_IO;
}

static inline uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void sip_rounds(struct sip_state *s, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate_left(s->v1, 13) ^ s->v0;
        s->v3 = rotate_left(s->v3, 16) ^ s->v2;
        s->v0 = rotate_left(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotate_left(s->v1, 17) ^ s->v2;
        s->v3 = rotate_left(s->v3, 21) ^ s->v0;
        s->v2 = rotate_left(s->v2, 32);
    }
}

/* The last word: the bytes left over, and the length in its top byte. */
static inline uint64_t load_tail(struct slice bytes, size_t start)
{
    uint64_t word = (uint64_t)bytes.size << 56;

    for (size_t i = start; i < bytes.size; i++) {
        word |= (uint64_t)bytes.data[i] << 8 * (i - start);
    }
    return word;
}

static inline void absorb(struct sip_state *s, uint64_t word, int rounds)
{
    s->v3 ^= word;
    sip_rounds(s, rounds);
    s->v0 ^= word;
}

static inline uint64_t sip_hash(const struct hash_key *key, struct slice bytes, int rounds,
                                int final_rounds)
{
    struct sip_state s = {
        key->low ^ 0x736f6d6570736575U,
        key->high ^ 0x646f72616e646f6dU,
        key->low ^ 0x6c7967656e657261U,
        key->high ^ 0x7465646279746573U,
    };
    size_t whole = bytes.size - bytes.size % sizeof(uint64_t);

    for (size_t i = 0; i < whole; i += sizeof(uint64_t)) {
        absorb(&s, bytes_u64(bytes.data + i), rounds);
    }
    absorb(&s, load_tail(bytes, whole), rounds);
    s.v2 ^= 0xff;
    sip_rounds(&s, final_rounds);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t hash_bytes(const struct hash_key *key, struct slice bytes)
{
    return sip_hash(key, bytes, 1, 3);
}

uint64_t hash_bytes_sip24(const struct hash_key *key, struct slice bytes)
{
    return sip_hash(key, bytes, 2, 4);
}
