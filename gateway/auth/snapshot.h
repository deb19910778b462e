/* SPDX-License-Identifier: Apache-2.0 */
/* All keys at one moment. A snapshot never changes once it is published; the next one shares every shard that
 * did not change. Any number of threads read it; the keeper alone makes, publishes and frees them.
 *
 *     snapshot ── by_id[4096] ────▶ id shard:     entries | old secrets | policies | index  (one block)
 *              └─ by_digest[4096] ▶ digest shard: open addressing {tag, id}          (imported secrets only)
 *
 * Ids and digests are (as good as) random, so shards fill evenly: at a million keys one has about 244
 * entries, some 25 KB. An absent shard is an empty one. */
#ifndef POSTERN_AUTH_SNAPSHOT_H
#define POSTERN_AUTH_SNAPSHOT_H

#include "postern/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PST_SHARD_BITS   12
#define PST_SHARDS       (1u << PST_SHARD_BITS)
#define PST_DIGEST_BYTES 32

enum {
    PST_ENTRY_DISABLED = 1 << 0,
    PST_ENTRY_SLOT1 = 1 << 1, /* digest[0] is set; SLOT2 and OLD2 are the next bit each */
    PST_ENTRY_SLOT2 = 1 << 2,
    PST_ENTRY_IMPORTED1 = 1 << 3,
    PST_ENTRY_IMPORTED2 = 1 << 4,
    PST_ENTRY_OLD1 = 1 << 5, /* has an old secret of slot 1 */
    PST_ENTRY_OLD2 = 1 << 6,
    PST_ENTRY_POLICY = 1 << 7, /* has scopes or networks */
};

/* 96 bytes a key. Times are real microseconds, 0 when not set. */
struct pst_key_entry {
    uint64_t id; /* pst_key_id_number() */
    int64_t not_before_us;
    int64_t expires_us;
    uint8_t digest[2][PST_DIGEST_BYTES];
    uint32_t old_at; /* with OLD1 or OLD2: where its old secrets begin, slot 1 first */
    uint8_t flags;
};

/* A secret that was rotated away and works until then. Apart, because few keys have one. */
struct pst_old_secret {
    uint64_t id;
    int64_t valid_until_us;
    uint8_t digest[PST_DIGEST_BYTES];
    uint8_t slot; /* 1 or 2 */
    bool imported;
};

/* Where a key's compiled scopes and networks are (policy.h): apart, too, and sorted by id. */
struct pst_policy_ref {
    uint64_t id;
    uint32_t at; /* in the shard's policy_bytes */
    uint32_t len;
};

struct pst_id_shard {
    uint32_t n_entries;
    uint32_t n_olds;
    uint32_t n_policies;
    uint32_t index_mask; /* the index has a power of two of places: 0 is free, else the entry's number + 1 */
    uint32_t bytes;      /* of this block */
    struct pst_key_entry *entries;
    struct pst_old_secret *olds;
    struct pst_policy_ref *policies;
    uint16_t *index;
    uint8_t *policy_bytes;
};

/* An imported secret's place: `tag` is its digest's beginning. The digest itself is in the entry. */
struct pst_digest_ref {
    uint64_t tag;
    uint64_t id; /* UINT64_MAX: free */
};

struct pst_digest_shard {
    uint32_t n;
    uint32_t mask; /* a power of two of places */
    struct pst_digest_ref at[];
};

struct pst_approvals;

struct pst_snapshot {
    struct pst_approvals *approvals; /* of client certificates; NULL: none */
    struct pst_id_shard *by_id[PST_SHARDS];
    struct pst_digest_shard *by_digest[PST_SHARDS];
    size_t keys;
    size_t bytes; /* this block and all shards */
};

/* Spreads ids that people chose as evenly as random ones (multiplicative hashing, Knuth 6.4). */
static inline uint64_t pst_id_hash(uint64_t id)
{
    return id * UINT64_C(0x9e3779b97f4a7c15);
}
static inline unsigned pst_id_shard_of(uint64_t id)
{
    return (unsigned)(pst_id_hash(id) >> (64 - PST_SHARD_BITS));
}
static inline unsigned pst_digest_shard_of(uint64_t tag)
{
    return (unsigned)(tag >> (64 - PST_SHARD_BITS));
}
/* The first eight bytes of a digest. */
uint64_t pst_digest_tag(const uint8_t digest[static PST_DIGEST_BYTES]);

/* NULL when there is none; lives as long as the snapshot. `ret_shard` is the shard it is in. */
const struct pst_key_entry *pst_snapshot_by_id(const struct pst_snapshot *snapshot, uint64_t id,
                                               const struct pst_id_shard **ret_shard);
/* A secret that several keys have had: the one that has it now, else the one where it works longest. The
 * digest is no secret of whoever asks (it is made under the pepper), so here time may tell of it. */
const struct pst_key_entry *pst_snapshot_by_digest(const struct pst_snapshot *snapshot,
                                                   const uint8_t digest[static PST_DIGEST_BYTES],
                                                   const struct pst_id_shard **ret_shard);
/* The entry's old secret of slot 1 or 2, or NULL. */
const struct pst_old_secret *pst_entry_old(const struct pst_id_shard *shard,
                                           const struct pst_key_entry *entry, int slot);

/* The entry's compiled policy, or NULL when it has none; *ret_len is its length. */
const uint8_t *pst_entry_policy(const struct pst_id_shard *shard, const struct pst_key_entry *entry,
                                size_t *ret_len);

/* An empty snapshot, or NULL. */
struct pst_snapshot *pst_snapshot_new(void) PST_MUSTCHECK;
/* Frees it with all of its shards: only for the last one, nobody reading. NULL is fine. */
void pst_snapshot_free(struct pst_snapshot *snapshot);

#endif
