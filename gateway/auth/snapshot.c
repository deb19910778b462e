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

/* Whether it is an imported secret of the key in force, and not one that was rotated away. */
static bool is_in_force(const struct pst_key_entry *entry, const uint8_t digest[static PST_DIGEST_BYTES])
{
    for (int i = 0; i < 2; i++) {
        unsigned both = (PST_ENTRY_SLOT1 | PST_ENTRY_IMPORTED1) << i;
        if ((entry->flags & both) == both && memcmp(entry->digest[i], digest, PST_DIGEST_BYTES) == 0)
            return true;
    }
    return false;
}

const struct pst_key_entry *pst_snapshot_by_digest(const struct pst_snapshot *snapshot,
                                                   const uint8_t digest[static PST_DIGEST_BYTES],
                                                   const struct pst_id_shard **ret_shard)
{
    uint64_t tag = pst_digest_tag(digest);
    const struct pst_digest_shard *shard = snapshot->by_digest[pst_digest_shard_of(tag)];
    const struct pst_key_entry *found = NULL;
    *ret_shard = NULL;
    if (!shard)
        return NULL;
    for (uint32_t place = (uint32_t)tag & shard->mask; shard->at[place].id != UINT64_MAX;
         place = (place + 1) & shard->mask) {
        if (shard->at[place].tag != tag)
            continue;
        const struct pst_id_shard *holder;
        const struct pst_key_entry *entry = pst_snapshot_by_id(snapshot, shard->at[place].id, &holder);
        bool in_force = entry && is_in_force(entry, digest);
        if (in_force || (entry && !found)) {
            found = entry;
            *ret_shard = holder;
        }
        if (in_force)
            break;
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
