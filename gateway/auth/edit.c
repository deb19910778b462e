/* SPDX-License-Identifier: Apache-2.0 */
#include "edit.h"

#include "pack.h"

#include <stdlib.h>
#include <string.h>

struct pst_edit {
    const struct pst_snapshot *base; /* what is replaced */
    bool anew;
    size_t keys;
    bool approvals_set;
    struct pst_approvals *approvals;
    struct pst_open_ids *ids[PST_SHARDS];         /* NULL: not touched */
    struct pst_open_digests *digests[PST_SHARDS]; /* NULL: not touched */
};

struct pst_edit *pst_edit_new(const struct pst_snapshot *base, bool anew)
{
    struct pst_edit *edit = calloc(1, sizeof(*edit));
    if (!edit)
        return NULL;
    edit->base = base;
    edit->anew = anew;
    edit->keys = anew ? 0 : base->keys;
    return edit;
}

void pst_edit_drop(struct pst_edit *edit)
{
    if (!edit)
        return;
    for (unsigned i = 0; i < PST_SHARDS; i++) {
        pst_open_ids_free(edit->ids[i]);
        pst_open_digests_free(edit->digests[i]);
    }
    free(edit->approvals);
    free(edit);
}

void pst_edit_set_approvals(struct pst_edit *edit, struct pst_approvals *approvals)
{
    edit->approvals = approvals;
    edit->approvals_set = true;
}

static struct pst_open_ids *ids_of(struct pst_edit *edit, uint64_t id)
{
    unsigned shard = pst_id_shard_of(id);
    if (!edit->ids[shard])
        edit->ids[shard] = pst_open_ids_new(edit->anew ? NULL : edit->base->by_id[shard]);
    return edit->ids[shard];
}

static struct pst_open_digests *digests_of(struct pst_edit *edit, uint64_t tag)
{
    unsigned shard = pst_digest_shard_of(tag);
    if (!edit->digests[shard])
        edit->digests[shard] = pst_open_digests_new(edit->anew ? NULL : edit->base->by_digest[shard]);
    return edit->digests[shard];
}

static int add_ref(struct pst_edit *edit, const uint8_t *digest, uint64_t id)
{
    uint64_t tag = pst_digest_tag(digest);
    struct pst_open_digests *open = digests_of(edit, tag);
    return open ? pst_open_digests_add(open, (struct pst_digest_ref){tag, id}) : -PST_ENOMEM;
}

static int remove_ref(struct pst_edit *edit, const uint8_t *digest, uint64_t id)
{
    uint64_t tag = pst_digest_tag(digest);
    struct pst_open_digests *open = digests_of(edit, tag);
    if (!open)
        return -PST_ENOMEM;
    pst_open_digests_remove(open, (struct pst_digest_ref){tag, id});
    return 0;
}

typedef int ref_fn(struct pst_edit *edit, const uint8_t *digest, uint64_t id);

/* Calls fn for each imported secret of the key: generated ones are found by the id inside them. */
static int each_ref(struct pst_edit *edit, const struct pst_key_entry *entry,
                    const struct pst_old_secret *olds, size_t n_olds, ref_fn *fn)
{
    for (int i = 0; i < 2; i++) {
        unsigned both = (PST_ENTRY_SLOT1 | PST_ENTRY_IMPORTED1) << i;
        int err = (entry->flags & both) == both ? fn(edit, entry->digest[i], entry->id) : 0;
        if (err < 0)
            return err;
    }
    for (size_t i = 0; i < n_olds; i++) {
        bool ours = olds[i].id == entry->id && olds[i].imported;
        int err = ours ? fn(edit, olds[i].digest, entry->id) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

int pst_edit_add(struct pst_edit *edit, const struct pst_edit_key *key)
{
    struct pst_open_ids *open = ids_of(edit, key->entry.id);
    int err = open ? pst_open_ids_add(open, key) : -PST_ENOMEM;
    if (err < 0)
        return err;
    edit->keys++;
    return each_ref(edit, &key->entry, key->olds, key->n_olds, add_ref);
}

int pst_edit_remove(struct pst_edit *edit, uint64_t id)
{
    struct pst_open_ids *open = ids_of(edit, id);
    if (!open)
        return -PST_ENOMEM;
    const struct pst_key_entry *entry = pst_open_ids_find(open, id);
    if (!entry)
        return 0;
    int err = each_ref(edit, entry, open->olds, open->n_olds, remove_ref);
    if (err < 0)
        return err;
    pst_open_ids_remove(open, id);
    edit->keys--;
    return 0;
}

int pst_edit_put(struct pst_edit *edit, const struct pst_edit_key *key)
{
    int err = pst_edit_remove(edit, key->entry.id);
    return err < 0 ? err : pst_edit_add(edit, key);
}

/* --- Finishing --- */

static void retire(struct pst_retired *retired, const void *memory)
{
    if (memory)
        retired->at[retired->n++] = (void *)(uintptr_t)memory; /* read-only to readers, ours to free */
}

static struct pst_retired *retired_new(size_t cap)
{
    struct pst_retired *retired = calloc(1, sizeof(*retired));
    if (!retired)
        return NULL;
    retired->at = calloc(cap, sizeof(void *));
    retired->cap = cap;
    if (!retired->at) {
        free(retired);
        return NULL;
    }
    return retired;
}

void pst_retired_free(struct pst_retired *retired)
{
    if (!retired)
        return;
    for (size_t i = 0; i < retired->n; i++)
        free(retired->at[i]);
    free(retired->at);
    free(retired);
}

/* Packs shard i where the edit has touched it. An open shard is let go of as soon as it is packed, so that a
 * million keys are not in memory twice. */
static int pack_shard(struct pst_edit *edit, unsigned i, struct pst_snapshot *next)
{
    if (edit->ids[i]) {
        struct pst_id_shard *packed;
        int err = pst_open_ids_pack(edit->ids[i], &packed);
        if (err < 0)
            return err;
        next->bytes += pst_id_shard_bytes(packed) - pst_id_shard_bytes(next->by_id[i]);
        next->by_id[i] = packed;
        pst_open_ids_free(edit->ids[i]);
        edit->ids[i] = NULL;
    }
    if (edit->digests[i]) {
        struct pst_digest_shard *packed;
        int err = pst_open_digests_pack(edit->digests[i], &packed);
        if (err < 0)
            return err;
        next->bytes += pst_digest_shard_bytes(packed) - pst_digest_shard_bytes(next->by_digest[i]);
        next->by_digest[i] = packed;
        pst_open_digests_free(edit->digests[i]);
        edit->digests[i] = NULL;
    }
    return 0;
}

/* The snapshot to be: so far with all shards of the base. */
static struct pst_snapshot *start_next(const struct pst_edit *edit)
{
    struct pst_snapshot *next = pst_snapshot_new();
    if (next && !edit->anew)
        *next = *edit->base;
    if (next)
        next->keys = edit->keys;
    return next;
}

/* Frees the shards that were packed for a snapshot that will not be. */
static void undo(const struct pst_edit *edit, struct pst_snapshot *next)
{
    for (unsigned i = 0; i < PST_SHARDS; i++) {
        if (edit->anew || next->by_id[i] != edit->base->by_id[i])
            free(next->by_id[i]);
        if (edit->anew || next->by_digest[i] != edit->base->by_digest[i])
            free(next->by_digest[i]);
    }
    free(next);
}

int pst_edit_finish(struct pst_edit *edit, struct pst_snapshot **ret, struct pst_retired **ret_retired)
{
    struct pst_retired *retired = retired_new(2 * PST_SHARDS + 2);
    struct pst_snapshot *next = start_next(edit);
    int err = retired && next ? 0 : -PST_ENOMEM;
    for (unsigned i = 0; err == 0 && i < PST_SHARDS; i++)
        err = pack_shard(edit, i, next);
    if (err < 0) {
        if (next)
            undo(edit, next);
        pst_retired_free(retired);
        return err;
    }
    for (unsigned i = 0; i < PST_SHARDS; i++) {
        if (next->by_id[i] != edit->base->by_id[i])
            retire(retired, edit->base->by_id[i]);
        if (next->by_digest[i] != edit->base->by_digest[i])
            retire(retired, edit->base->by_digest[i]);
    }
    if (edit->approvals_set) {
        next->approvals = edit->approvals;
        edit->approvals = NULL;
    }
    if (next->approvals != edit->base->approvals)
        retire(retired, edit->base->approvals);
    retire(retired, edit->base);
    pst_edit_drop(edit);
    *ret = next;
    *ret_retired = retired;
    return 0;
}
