/* A keyed hash for keys that strangers choose: SipHash-1-3.
 *
 * Not a checksum, and not a password hash. Keys of sessions come from cookies, so whoever knows the
 * hash could aim all of theirs at one bucket: the 128-bit key is drawn anew for each process.
 * Source: Aumasson, Bernstein: SipHash, a fast short-input PRF (2012). */
#ifndef SESSIOND_BASE_HASH_H
#define SESSIOND_BASE_HASH_H

#include "sessiond/base/slice.h"
#include "sessiond/base/status.h"

struct hash_key {
    uint64_t low;
    uint64_t high;
};

/** Draw a key from the kernel, straight into its place: no copy of the secret stays behind.
 *  returns  OK | IO (getrandom failed; *out is then of no use) */
SESS_MUST_CHECK enum sess_status hash_key_draw(struct hash_key *out);

/** 64 bits, all of them usable. Pure. */
uint64_t hash_bytes(const struct hash_key *key, struct slice bytes);

/** The same with the paper's stronger round counts (2 and 4), whose test vectors are published. */
uint64_t hash_bytes_sip24(const struct hash_key *key, struct slice bytes);

#endif
