/* SPDX-License-Identifier: Apache-2.0 */
#include "pack.h"

#include <stdlib.h>
#include <string.h>

#define SHARD_KEYS_MAX UINT16_MAX /* the index is of 16 bits */

/* Makes room for one more element: returns the array, moved or not, or NULL without memory. */
static void *grow(void *array, uint32_t n, uint32_t *cap, size_t element_bytes)
{
    if (n < *cap)
        return array;
    uint32_t more = n < 4 ? 4 : n + n / 2;
    void *grown = realloc(array, more * element_bytes);
    if (grown)
        *cap = more;
    return grown;
}

/* The power of two that leaves at least a quarter of the places free. */
static uint32_t index_places(uint32_t n)
{
    uint32_t places = 2;
    while (places < n + n / 3 + 1)
        places *= 2;
    return places;
}

/* --- Keys by id --- */

static int add_policy(struct pst_open_ids *open, uint64_t id, const uint8_t *policy, uint32_t len)
{
    struct pst_policy_ref *refs = grow(open->policies, open->n_policies, &open->policies_cap, sizeof(*refs));
    if (!refs)
        return -PST_ENOMEM;
    open->policies = refs;
    /* Room for all of it: the last byte's place is looked at. */
    uint8_t *bytes = grow(open->policy_bytes, open->n_policy_bytes + len - 1, &open->policy_bytes_cap, 1);
    if (!bytes)
        return -PST_ENOMEM;
    open->policy_bytes = bytes;
    memcpy(bytes + open->n_policy_bytes, policy, len);
    refs[open->n_policies++] = (struct pst_policy_ref){id, open->n_policy_bytes, len};
    open->n_policy_bytes += len;
    return 0;
}

struct pst_open_ids *pst_open_ids_new(const struct pst_id_shard *shard)
{
    struct pst_open_ids *open = calloc(1, sizeof(*open));
    if (!open || !shard)
        return open;
    open->entries_cap = shard->n_entries + 1; /* most often one key is added, or none */
    open->olds_cap = shard->n_olds + 1;
    open->entries = malloc(open->entries_cap * sizeof(*open->entries));
    open->olds = malloc(open->olds_cap * sizeof(*open->olds));
    if (!open->entries || !open->olds) {
        pst_open_ids_free(open);
        return NULL;
    }
    memcpy(open->entries, shard->entries, shard->n_entries * sizeof(*open->entries));
    if (shard->n_olds > 0)
        memcpy(open->olds, shard->olds, shard->n_olds * sizeof(*open->olds));
    open->n_entries = shard->n_entries;
    open->n_olds = shard->n_olds;
    for (uint32_t i = 0; i < shard->n_policies; i++) {
        const struct pst_policy_ref *ref = &shard->policies[i];
        if (add_policy(open, ref->id, shard->policy_bytes + ref->at, ref->len) < 0) {
            pst_open_ids_free(open);
            return NULL;
        }
    }
    return open;
}

void pst_open_ids_free(struct pst_open_ids *open)
{
    if (!open)
        return;
    free(open->entries);
    free(open->olds);
    free(open->policies);
    free(open->policy_bytes);
    free(open);
}

int pst_open_ids_add(struct pst_open_ids *open, const struct pst_edit_key *key)
{
    if (open->n_entries >= SHARD_KEYS_MAX)
        return -PST_ELIMIT;
    struct pst_key_entry *entries =
        grow(open->entries, open->n_entries, &open->entries_cap, sizeof(*entries));
    if (!entries)
        return -PST_ENOMEM;
    open->entries = entries;
    entries[open->n_entries] = key->entry;
    entries[open->n_entries].flags &= (uint8_t)~PST_ENTRY_POLICY;
    if (key->policy_len > 0) {
        int err = add_policy(open, key->entry.id, key->policy, key->policy_len);
        if (err < 0)
            return err;
        entries[open->n_entries].flags |= PST_ENTRY_POLICY;
    }
    open->n_entries++;
    for (unsigned i = 0; i < key->n_olds; i++) {
        struct pst_old_secret *olds = grow(open->olds, open->n_olds, &open->olds_cap, sizeof(*olds));
        if (!olds)
            return -PST_ENOMEM;
        open->olds = olds;
        olds[open->n_olds++] = key->olds[i];
    }
    return 0;
}

const struct pst_key_entry *pst_open_ids_find(const struct pst_open_ids *open, uint64_t id)
{
    for (uint32_t i = 0; i < open->n_entries; i++) {
        if (open->entries[i].id == id)
            return &open->entries[i];
    }
    return NULL;
}

void pst_open_ids_remove(struct pst_open_ids *open, uint64_t id)
{
    for (uint32_t i = 0; i < open->n_entries; i++) {
        if (open->entries[i].id == id) {
            open->entries[i] = open->entries[--open->n_entries];
            break;
        }
    }
    for (uint32_t i = 0; i < open->n_olds;) {
        if (open->olds[i].id == id)
            open->olds[i] = open->olds[--open->n_olds];
        else
            i++;
    }
    for (uint32_t i = 0; i < open->n_policies; i++) {
        if (open->policies[i].id == id) {
            open->policies[i] = open->policies[--open->n_policies];
            break;
        }
    }
}

static uint32_t live_policy_bytes(const struct pst_open_ids *open)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < open->n_policies; i++)
        n += open->policies[i].len;
    return n;
}

/* One block: the head, the entries, the old secrets, the policies' places (all of 8-byte alignment and size),
 * the index, the policies' bytes. */
static struct pst_id_shard *id_shard_new(const struct pst_open_ids *open)
{
    uint32_t n_entries = open->n_entries, n_olds = open->n_olds, n_policies = open->n_policies;
    _Static_assert(sizeof(struct pst_id_shard) % 8 == 0 && sizeof(struct pst_key_entry) == 96 &&
                       sizeof(struct pst_old_secret) % 8 == 0 && sizeof(struct pst_policy_ref) % 8 == 0,
                   "the parts of a shard follow each other aligned");
    uint32_t places = index_places(n_entries);
    size_t bytes = sizeof(struct pst_id_shard) + n_entries * sizeof(struct pst_key_entry) +
                   n_olds * sizeof(struct pst_old_secret) + n_policies * sizeof(struct pst_policy_ref) +
                   places * sizeof(uint16_t) + live_policy_bytes(open);
    struct pst_id_shard *shard = calloc(1, bytes);
    if (!shard)
        return NULL;
    shard->n_entries = n_entries;
    shard->n_olds = n_olds;
    shard->n_policies = n_policies;
    shard->index_mask = places - 1;
    shard->bytes = (uint32_t)bytes;
    shard->entries = (void *)(shard + 1);
    shard->olds = (void *)(shard->entries + n_entries);
    shard->policies = (void *)(shard->olds + n_olds);
    shard->index = (void *)(shard->policies + n_policies);
    shard->policy_bytes = (void *)(shard->index + places);
    return shard;
}

static void index_entries(struct pst_id_shard *shard)
{
    for (uint32_t i = 0; i < shard->n_entries; i++) {
        uint32_t place = (uint32_t)(pst_id_hash(shard->entries[i].id) >> 20) & shard->index_mask;
        while (shard->index[place] != 0)
            place = (place + 1) & shard->index_mask;
        shard->index[place] = (uint16_t)(i + 1);
    }
}

static int compare_olds(const void *a, const void *b)
{
    const struct pst_old_secret *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (int)x->slot - (int)y->slot;
}

/* Sorts the old secrets by key, and tells each key where its own begin. */
static void attach_olds(struct pst_open_ids *open)
{
    if (open->n_olds > 1)
        qsort(open->olds, open->n_olds, sizeof(*open->olds), compare_olds);
    for (uint32_t i = 0; i < open->n_entries; i++)
        open->entries[i].flags &= (uint8_t) ~(PST_ENTRY_OLD1 | PST_ENTRY_OLD2);
    for (uint32_t i = open->n_olds; i-- > 0;) {
        struct pst_key_entry *entry = NULL;
        for (uint32_t k = 0; k < open->n_entries && !entry; k++)
            entry = open->entries[k].id == open->olds[i].id ? &open->entries[k] : NULL;
        if (!entry)
            continue;
        entry->flags |= (uint8_t)(PST_ENTRY_OLD1 << (open->olds[i].slot - 1));
        entry->old_at = i; /* backwards, so the first one stays */
    }
}

static int compare_policies(const void *a, const void *b)
{
    const struct pst_policy_ref *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void pack_policies(const struct pst_open_ids *open, struct pst_id_shard *shard)
{
    uint32_t at = 0;
    if (open->n_policies == 0)
        return;
    memcpy(shard->policies, open->policies, open->n_policies * sizeof(*open->policies));
    qsort(shard->policies, shard->n_policies, sizeof(*shard->policies), compare_policies);
    for (uint32_t i = 0; i < shard->n_policies; i++) {
        struct pst_policy_ref *ref = &shard->policies[i];
        memcpy(shard->policy_bytes + at, open->policy_bytes + ref->at, ref->len);
        ref->at = at;
        at += ref->len;
    }
}

int pst_open_ids_pack(struct pst_open_ids *open, struct pst_id_shard **ret)
{
    if (open->n_entries == 0) {
        *ret = NULL;
        return 0;
    }
    struct pst_id_shard *shard = id_shard_new(open);
    if (!shard)
        return -PST_ENOMEM;
    attach_olds(open);
    memcpy(shard->entries, open->entries, open->n_entries * sizeof(*open->entries));
    if (open->n_olds > 0)
        memcpy(shard->olds, open->olds, open->n_olds * sizeof(*open->olds));
    pack_policies(open, shard);
    index_entries(shard);
    *ret = shard;
    return 0;
}

size_t pst_id_shard_bytes(const struct pst_id_shard *shard)
{
    return shard ? shard->bytes : 0;
}

/* --- Imported secrets by digest --- */

struct pst_open_digests *pst_open_digests_new(const struct pst_digest_shard *shard)
{
    struct pst_open_digests *open = calloc(1, sizeof(*open));
    if (!open || !shard)
        return open;
    open->cap = shard->n + 1;
    open->refs = malloc(open->cap * sizeof(*open->refs));
    if (!open->refs) {
        free(open);
        return NULL;
    }
    for (uint32_t i = 0; i <= shard->mask; i++) {
        if (shard->at[i].id != UINT64_MAX)
            open->refs[open->n++] = shard->at[i];
    }
    return open;
}

void pst_open_digests_free(struct pst_open_digests *open)
{
    if (!open)
        return;
    free(open->refs);
    free(open);
}

int pst_open_digests_add(struct pst_open_digests *open, struct pst_digest_ref ref)
{
    struct pst_digest_ref *refs = grow(open->refs, open->n, &open->cap, sizeof(*refs));
    if (!refs)
        return -PST_ENOMEM;
    open->refs = refs;
    refs[open->n++] = ref;
    return 0;
}

void pst_open_digests_remove(struct pst_open_digests *open, struct pst_digest_ref ref)
{
    for (uint32_t i = 0; i < open->n; i++) {
        if (open->refs[i].tag == ref.tag && open->refs[i].id == ref.id) {
            open->refs[i] = open->refs[--open->n];
            return;
        }
    }
}

int pst_open_digests_pack(const struct pst_open_digests *open, struct pst_digest_shard **ret)
{
    if (open->n == 0) {
        *ret = NULL;
        return 0;
    }
    uint32_t places = index_places(open->n);
    struct pst_digest_shard *shard = malloc(sizeof(*shard) + places * sizeof(shard->at[0]));
    if (!shard)
        return -PST_ENOMEM;
    shard->n = open->n;
    shard->mask = places - 1;
    for (uint32_t i = 0; i < places; i++)
        shard->at[i] = (struct pst_digest_ref){0, UINT64_MAX};
    for (uint32_t i = 0; i < open->n; i++) {
        uint32_t place = (uint32_t)open->refs[i].tag & shard->mask;
        while (shard->at[place].id != UINT64_MAX)
            place = (place + 1) & shard->mask;
        shard->at[place] = open->refs[i];
    }
    *ret = shard;
    return 0;
}

size_t pst_digest_shard_bytes(const struct pst_digest_shard *shard)
{
    return shard ? sizeof(*shard) + ((size_t)shard->mask + 1) * sizeof(shard->at[0]) : 0;
}
