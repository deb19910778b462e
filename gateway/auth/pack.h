/* SPDX-License-Identifier: Apache-2.0 */
/* One shard at a time: opened as a growable array, changed, packed into the one block that readers get. */
#ifndef POSTERN_AUTH_PACK_H
#define POSTERN_AUTH_PACK_H

#include "edit.h"
#include "snapshot.h"

struct pst_open_ids {
    struct pst_key_entry *entries;
    struct pst_old_secret *olds;
    uint32_t n_entries, entries_cap;
    uint32_t n_olds, olds_cap;
    struct pst_policy_ref *policies;
    uint32_t n_policies, policies_cap;
    uint8_t *policy_bytes; /* also what removed policies left behind, until it is packed */
    uint32_t n_policy_bytes, policy_bytes_cap;
};

struct pst_open_digests {
    struct pst_digest_ref *refs;
    uint32_t n, cap;
};

/* A copy of `shard` (NULL: empty) to be changed, or NULL without memory. */
struct pst_open_ids *pst_open_ids_new(const struct pst_id_shard *shard);
void pst_open_ids_free(struct pst_open_ids *open);
/* 0, -PST_ENOMEM or -PST_ELIMIT. */
int pst_open_ids_add(struct pst_open_ids *open, const struct pst_edit_key *key) PST_MUSTCHECK;
const struct pst_key_entry *pst_open_ids_find(const struct pst_open_ids *open, uint64_t id);
void pst_open_ids_remove(struct pst_open_ids *open, uint64_t id);
/* An empty one becomes NULL. */
int pst_open_ids_pack(struct pst_open_ids *open, struct pst_id_shard **ret) PST_MUSTCHECK;
size_t pst_id_shard_bytes(const struct pst_id_shard *shard);

struct pst_open_digests *pst_open_digests_new(const struct pst_digest_shard *shard);
void pst_open_digests_free(struct pst_open_digests *open);
int pst_open_digests_add(struct pst_open_digests *open, struct pst_digest_ref ref) PST_MUSTCHECK;
/* Takes out one such reference, if there is one. */
void pst_open_digests_remove(struct pst_open_digests *open, struct pst_digest_ref ref);
int pst_open_digests_pack(const struct pst_open_digests *open, struct pst_digest_shard **ret) PST_MUSTCHECK;
size_t pst_digest_shard_bytes(const struct pst_digest_shard *shard);

#endif
