/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

uint64_t pst_digest_tag(const uint8_t digest[static PST_DIGEST_BYTES])
{
    uint64_t tag;
    memcpy(&tag, digest, sizeof(tag));
    return tag;
}

static const struct pst_key_entry *find_in_shard(const struct pst_id_shard *shard, uint64_t id)
{
    uint32_t place = (uint32_t)(pst_id_hash(id) >> 20) & shard->index_mask;
    /* The index is never full, so a free place ends every search. */
    for (uint16_t number; (number = shard->index[place]) != 0; place = (place + 1) & shard->index_mask) {
        if (shard->entries[number - 1].id == id)
            return &shard->entries[number - 1];
    }
    return NULL;
}

const struct pst_key_entry *pst_snapshot_by_id(const struct pst_snapshot *snapshot, uint64_t id,
                                               const struct pst_id_shard **ret_shard)
{
    const struct pst_id_shard *shard = snapshot->by_id[pst_id_shard_of(id)];
    *ret_shard = shard;
    return shard ? find_in_shard(shard, id) : NULL;
}

/* Until when the imported secret works: INT64_MAX for one in force, -1 when it is none of the key's. */
static int64_t works_until(const struct pst_id_shard *shard, const struct pst_key_entry *entry,
                           const uint8_t digest[static PST_DIGEST_BYTES])
{
    int64_t until_us = -1;
    for (int i = 0; i < 2; i++) {
        unsigned both = (PST_ENTRY_SLOT1 | PST_ENTRY_IMPORTED1) << i;
        if ((entry->flags & both) == both && memcmp(entry->digest[i], digest, PST_DIGEST_BYTES) == 0)
            return INT64_MAX;
        const struct pst_old_secret *old = pst_entry_old(shard, entry, i + 1);
        if (old && memcmp(old->digest, digest, PST_DIGEST_BYTES) == 0 && old->valid_until_us > until_us)
            until_us = old->valid_until_us;
    }
    return until_us;
}

const struct pst_key_entry *pst_snapshot_by_digest(const struct pst_snapshot *snapshot,
                                                   const uint8_t digest[static PST_DIGEST_BYTES],
                                                   const struct pst_id_shard **ret_shard)
{
    uint64_t tag = pst_digest_tag(digest);
    const struct pst_digest_shard *shard = snapshot->by_digest[pst_digest_shard_of(tag)];
    const struct pst_key_entry *found = NULL;
    int64_t found_until_us = -1;
    *ret_shard = NULL;
    if (!shard)
        return NULL;
    for (uint32_t place = (uint32_t)tag & shard->mask; shard->at[place].id != UINT64_MAX;
         place = (place + 1) & shard->mask) {
        if (shard->at[place].tag != tag)
            continue;
        const struct pst_id_shard *holder;
        const struct pst_key_entry *entry = pst_snapshot_by_id(snapshot, shard->at[place].id, &holder);
        int64_t until_us = entry ? works_until(holder, entry, digest) : -1;
        if (until_us > found_until_us) {
            found = entry;
            found_until_us = until_us;
            *ret_shard = holder;
        }
    }
    return found;
}

const struct pst_old_secret *pst_entry_old(const struct pst_id_shard *shard,
                                           const struct pst_key_entry *entry, int slot)
{
    if (!(entry->flags & (PST_ENTRY_OLD1 << (slot - 1))))
        return NULL;
    bool behind_other = slot == 2 && (entry->flags & PST_ENTRY_OLD1);
    return &shard->olds[entry->old_at + (behind_other ? 1 : 0)];
}

const uint8_t *pst_entry_policy(const struct pst_id_shard *shard, const struct pst_key_entry *entry,
                                size_t *ret_len)
{
    if (!(entry->flags & PST_ENTRY_POLICY))
        return NULL;
    uint32_t low = 0, high = shard->n_policies;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (shard->policies[middle].id <= entry->id)
            low = middle;
        else
            high = middle;
    }
    *ret_len = shard->policies[low].len;
    return shard->policy_bytes + shard->policies[low].at;
}

struct pst_snapshot *pst_snapshot_new(void)
{
    struct pst_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot)
        snapshot->bytes = sizeof(*snapshot);
    return snapshot;
}

void pst_snapshot_free(struct pst_snapshot *snapshot)
{
    if (!snapshot)
        return;
    for (unsigned i = 0; i < PST_SHARDS; i++) {
        free(snapshot->by_id[i]);
        free(snapshot->by_digest[i]);
    }
    free(snapshot->approvals);
    free(snapshot);
}
