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

const struct pst_key_entry *pst_snapshot_by_digest(const struct pst_snapshot *snapshot,
                                                   const uint8_t digest[static PST_DIGEST_BYTES],
                                                   const struct pst_id_shard **ret_shard)
{
    uint64_t tag = pst_digest_tag(digest);
    const struct pst_digest_shard *shard = snapshot->by_digest[pst_digest_shard_of(tag)];
    *ret_shard = NULL;
    if (!shard)
        return NULL;
    for (uint32_t place = (uint32_t)tag & shard->mask; shard->at[place].id != UINT64_MAX;
         place = (place + 1) & shard->mask) {
        if (shard->at[place].tag == tag)
            return pst_snapshot_by_id(snapshot, shard->at[place].id, ret_shard);
    }
    return NULL;
}

const struct pst_old_secret *pst_entry_old(const struct pst_id_shard *shard,
                                           const struct pst_key_entry *entry, int slot)
{
    if (!(entry->flags & (PST_ENTRY_OLD1 << (slot - 1))))
        return NULL;
    bool behind_other = slot == 2 && (entry->flags & PST_ENTRY_OLD1);
    return &shard->olds[entry->old_at + (behind_other ? 1 : 0)];
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
    free(snapshot);
}
