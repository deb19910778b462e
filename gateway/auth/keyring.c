/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/keyring.h"

#include "approvals.h"
#include "edit.h"
#include "pepper_of_store.h"
#include "policy.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"
#include "postern/db/client_certificates.h"
#include "postern/db/keys_made.h"
#include "postern/db/keys_store.h"
#include "snapshot.h"

#include <limits.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A reader that holds nothing. */
#define IDLE UINT64_MAX
/* Old secrets and tombstones are swept this often, in refreshes. */
#define PURGE_EVERY 1200

/* On a cache line of its own: each worker writes its own once a turn. */
struct reader {
    _Alignas(64) atomic_uint_fast64_t epoch;
};

struct pst_keyring {
    _Atomic(struct pst_snapshot *) current;
    atomic_uint_fast64_t epoch;
    struct pst_hmac_key hmac;
    unsigned n_readers;
    struct reader *readers;

    /* The refreshing thread's own. */
    struct pst_keys_store *store;
    char data_dir[PATH_MAX]; /* of the store */
    struct pst_buf policy;   /* the one being compiled */
    uint64_t seq;
    struct pst_retired *retired; /* newest first */
    uint64_t refresh_errors;
    bool stale;
    unsigned until_purge;
};

/* Loading */

static void take_slot(const struct pst_key_slot *slot, int i, struct pst_edit_key *key)
{
    if (slot->digest.set) {
        memcpy(key->entry.digest[i], slot->digest.bytes, PST_DIGEST_BYTES);
        key->entry.flags |= (uint8_t)(PST_ENTRY_SLOT1 << i);
        if (slot->imported)
            key->entry.flags |= (uint8_t)(PST_ENTRY_IMPORTED1 << i);
    }
    if (slot->old_digest.set && slot->old_valid_until_us > 0) {
        struct pst_old_secret *old = &key->olds[key->n_olds++];
        *old = (struct pst_old_secret){
            .id = key->entry.id,
            .valid_until_us = slot->old_valid_until_us,
            .slot = (uint8_t)(i + 1),
            .imported = slot->old_imported,
        };
        memcpy(old->digest, slot->old_digest.bytes, PST_DIGEST_BYTES);
    }
}

static struct pst_edit_key key_of_row(const struct pst_key_row *row)
{
    struct pst_edit_key key = {
        .entry =
            {
                .id = pst_key_id_number(row->id),
                .not_before_us = row->not_before_us,
                .expires_us = row->expires_us,
                .flags = row->state == PST_KEY_STATE_DISABLED ? PST_ENTRY_DISABLED : 0,
            },
    };
    for (int i = 0; i < 2; i++)
        take_slot(&row->slot[i], i, &key);
    return key;
}

/* Rules that cannot be read refuse everything: what they were to keep out is not known. */
static int take_policy(struct pst_keyring *ring, const struct pst_key_row *row, struct pst_edit_key *key)
{
    struct pst_why why;
    if (row->scopes.len == 0 && row->networks.len == 0)
        return 0;
    pst_buf_reset(&ring->policy);
    int err = pst_policy_compile(row->scopes, row->networks, &ring->policy, &why);
    if (err == -PST_EINVAL) {
        pst_error("auth", "all requests of key " PST_STR_FMT " are refused: its %s cannot be read: %s",
                  PST_STR_ARG(row->id), why.field, why.text);
        pst_buf_reset(&ring->policy);
        err = pst_policy_compile_closed(&ring->policy);
    }
    key->policy = (const uint8_t *)pst_buf_str(&ring->policy).p;
    key->policy_len = (uint32_t)pst_buf_len(&ring->policy);
    return err;
}

struct taking {
    struct pst_keyring *ring;
    struct pst_edit *edit;
};

static int add_row(const struct pst_key_row *row, void *arg)
{
    struct taking *taking = arg;
    struct pst_edit_key key = key_of_row(row);
    if (key.entry.id == UINT64_MAX)
        return 0;
    int err = take_policy(taking->ring, row, &key);
    return err < 0 ? err : pst_edit_add(taking->edit, &key);
}

static int put_row(const struct pst_key_row *row, void *arg)
{
    struct taking *taking = arg;
    struct pst_edit_key key = key_of_row(row);
    pst_debug("auth", "key " PST_STR_FMT " changed", PST_STR_ARG(row->id));
    if (key.entry.id == UINT64_MAX)
        return 0;
    if (row->state == PST_KEY_STATE_DELETED)
        return pst_edit_remove(taking->edit, key.entry.id);
    int err = take_policy(taking->ring, row, &key);
    return err < 0 ? err : pst_edit_put(taking->edit, &key);
}

/* Readers that still see what was retired at `epoch`? Each has either entered since, or is idle. */
static bool all_past(struct pst_keyring *ring, uint64_t epoch)
{
    for (unsigned i = 0; i < ring->n_readers; i++) {
        if (atomic_load(&ring->readers[i].epoch) < epoch)
            return false;
    }
    return true;
}

static void reclaim(struct pst_keyring *ring)
{
    struct pst_retired **at = &ring->retired;
    while (*at != NULL && !all_past(ring, (*at)->epoch))
        at = &(*at)->next;
    while (*at != NULL) { /* what is older than a free one is free too */
        struct pst_retired *next = (*at)->next;
        pst_retired_free(*at);
        *at = next;
    }
}

static void publish(struct pst_keyring *ring, struct pst_snapshot *next, struct pst_retired *retired)
{
    atomic_store(&ring->current, next);
    retired->epoch = atomic_fetch_add(&ring->epoch, 1) + 1;
    retired->next = ring->retired;
    ring->retired = retired;
}

/* They are few: when one of them changed, all are read. */
static int take_approvals(struct pst_keyring *ring, struct pst_edit *edit, bool anew)
{
    const struct pst_approvals *now = atomic_load(&ring->current)->approvals;
    struct pst_approvals *next = NULL;
    int64_t seq = 0;
    int err = pst_client_certificates_seq(ring->store, &seq);
    if (err < 0 || (!anew && (now != NULL ? now->seq : 0) == seq))
        return err;
    err = pst_approvals_load(ring->store, &next);
    if (err == 0)
        pst_edit_set_approvals(edit, next);
    return err;
}

static int load_all(struct pst_keyring *ring)
{
    struct pst_edit *edit = pst_edit_new(atomic_load(&ring->current), true);
    if (edit == NULL)
        return -PST_ENOMEM;
    struct pst_snapshot *next = NULL;
    struct pst_retired *retired = NULL;
    struct taking taking = {ring, edit};
    uint64_t seq = 0;
    int err = pst_keys_load(ring->store, add_row, &taking, &seq);
    if (err == 0)
        err = take_approvals(ring, edit, true);
    if (err == 0)
        err = pst_edit_finish(edit, &next, &retired);
    if (err < 0) {
        pst_edit_drop(edit);
        return err;
    }
    ring->seq = seq;
    publish(ring, next, retired);
    return 0;
}

static int take_changes(struct pst_keyring *ring)
{
    struct pst_edit *edit = pst_edit_new(atomic_load(&ring->current), false);
    if (edit == NULL)
        return -PST_ENOMEM;
    struct pst_snapshot *next = NULL;
    struct pst_retired *retired = NULL;
    uint64_t seq = ring->seq;
    struct taking taking = {ring, edit};
    int err = pst_keys_changes(ring->store, ring->seq, put_row, &taking, &seq);
    if (err == 0)
        err = take_approvals(ring, edit, false);
    if (err == 0)
        err = pst_edit_finish(edit, &next, &retired);
    if (err < 0) {
        pst_edit_drop(edit);
        return err;
    }
    ring->seq = seq;
    publish(ring, next, retired);
    pst_debug("auth", "the changed keys are in effect");
    if (next->keys > 0)
        pst_keys_note_made(ring->data_dir);
    return 1;
}

/* Life */

static int open_store(struct pst_keyring *ring, const char *data_dir)
{
    struct pst_db_why why;
    struct pst_why missed;
    int err = pst_pepper_before_store(data_dir, &missed);
    if (err < 0) {
        pst_error("auth", "%s", missed.text);
        return err;
    }
    err = pst_keys_open(data_dir, PST_DB_WRITE, &ring->store, &why);
    if (err < 0)
        pst_error("auth", "%s", why.text);
    return err;
}

static int load_pepper(struct pst_keyring *ring, const char *data_dir)
{
    struct pst_pepper pepper;
    struct pst_why why;
    int err = pst_pepper_of_store(ring->store, data_dir, true, &pepper, &why);
    if (err < 0) {
        pst_error("auth", "%s", why.text);
        return err;
    }
    pst_pepper_derive(&pepper, PST_KEY_DIGEST_PURPOSE, &ring->hmac);
    pst_pepper_done(&pepper);
    return 0;
}

int pst_keyring_open(struct pst_keyring **ret, const char *data_dir, unsigned n_readers)
{
    if (n_readers > PST_KEYRING_MAX_READERS)
        return -PST_EINVAL;
    struct pst_keyring *ring = calloc(1, sizeof(*ring));
    if (ring == NULL)
        return -PST_ENOMEM;
    ring->n_readers = n_readers;
    pst_buf_init(&ring->policy, PST_POLICY_BYTES_MAX);
    ring->until_purge = PURGE_EVERY;
    ring->readers = aligned_alloc(64, (n_readers + 1) * sizeof(*ring->readers));
    struct pst_snapshot *empty = pst_snapshot_new();
    atomic_init(&ring->current, empty);
    atomic_init(&ring->epoch, 1);
    int err = ring->readers != NULL && empty != NULL ? 0 : -PST_ENOMEM;
    for (unsigned i = 0; err == 0 && i < n_readers; i++)
        atomic_init(&ring->readers[i].epoch, IDLE);
    pst_str_clip(pst_str_of(data_dir), ring->data_dir, sizeof(ring->data_dir));
    if (err == 0)
        err = open_store(ring, data_dir);
    if (err == 0)
        err = load_pepper(ring, data_dir);
    if (err == 0)
        err = load_all(ring);
    if (err < 0) {
        pst_keyring_free(ring);
        return err;
    }
    reclaim(ring);
#ifdef __GLIBC__
    malloc_trim(0); /* shards grew while they were filled: at a million keys that leaves 40 MB of holes */
#endif
    *ret = ring;
    return 0;
}

void pst_keyring_free(struct pst_keyring *ring)
{
    if (ring == NULL)
        return;
    while (ring->retired != NULL) {
        struct pst_retired *next = ring->retired->next;
        pst_retired_free(ring->retired);
        ring->retired = next;
    }
    pst_snapshot_free(atomic_load(&ring->current));
    if (ring->store != NULL)
        pst_keys_close(ring->store);
    pst_hmac_key_done(&ring->hmac);
    pst_buf_done(&ring->policy);
    free(ring->readers);
    free(ring);
}

static void purge_now_and_then(struct pst_keyring *ring)
{
    if (--ring->until_purge > 0)
        return;
    ring->until_purge = PURGE_EVERY;
    if (pst_keys_purge(ring->store, pst_clock_real_us()) < 0)
        pst_debug("auth", "old keys could not be removed: %s", pst_keys_why(ring->store));
}

static void note_result(struct pst_keyring *ring, int err)
{
    bool ours = err == -PST_ENOMEM || err == -PST_ELIMIT; /* the store may have nothing to say of it */
    if (err < 0)
        ring->refresh_errors++;
    if (err < 0 && !ring->stale)
        pst_error("auth", "key changes cannot be read, the last known keys stay in effect: %s",
                  ours ? pst_strerror(err) : pst_keys_why(ring->store));
    if (err >= 0 && ring->stale)
        pst_info("auth", "key changes can be read again");
    ring->stale = err < 0;
}

/* An older copy was restored into the database: what it does not have, no change tells of. */
static int load_again(struct pst_keyring *ring)
{
    int err = load_all(ring);
    if (err == 0)
        pst_info("auth", "an older copy of the keys was restored; all of them were loaded again");
    return err < 0 ? err : 1;
}

int pst_keyring_refresh(struct pst_keyring *ring)
{
    int err = pst_keys_changed(ring->store, ring->seq);
    if (err == 1)
        err = take_changes(ring);
    else if (err > 1)
        err = load_again(ring);
    note_result(ring, err);
    if (ring->retired != NULL)
        reclaim(ring);
    if (err >= 0)
        purge_now_and_then(ring);
    return err;
}

void pst_keyring_stats(const struct pst_keyring *ring, struct pst_keyring_stats *ret)
{
    const struct pst_snapshot *snapshot = atomic_load(&ring->current);
    *ret = (struct pst_keyring_stats){
        .keys = snapshot->keys,
        .bytes = snapshot->bytes,
        .refresh_errors = ring->refresh_errors,
        .stale = ring->stale,
    };
}

/* Readers */

void pst_keyring_reader_enter(struct pst_keyring *ring, unsigned reader)
{
    atomic_store(&ring->readers[reader].epoch, atomic_load(&ring->epoch));
}

void pst_keyring_reader_idle(struct pst_keyring *ring, unsigned reader)
{
    atomic_store(&ring->readers[reader].epoch, IDLE);
}

static enum pst_key_verdict verdict_of(const struct pst_key_entry *entry, int64_t now_us)
{
    if ((entry->flags & PST_ENTRY_DISABLED) != 0)
        return PST_KEY_DISABLED;
    if (entry->expires_us > 0 && now_us >= entry->expires_us)
        return PST_KEY_EXPIRED;
    if (entry->not_before_us > 0 && now_us < entry->not_before_us)
        return PST_KEY_NOT_YET;
    return PST_KEY_OK;
}

/* Tells secrets apart, for still_valid(). */
static uint64_t generation_of(const uint8_t digest[static PST_DIGEST_BYTES])
{
    uint64_t generation;
    memcpy(&generation, digest + 8, sizeof(generation));
    return generation;
}

struct found {
    const struct pst_key_entry *entry;
    uint8_t slot;
    const struct pst_old_secret *old;
};

/* Always four comparisons, whichever fits and however many secrets the key has (none, when nobody was found),
 * so that time tells nothing. */
static bool match_entry(const struct pst_id_shard *shard, const struct pst_key_entry *entry,
                        const uint8_t digest[static PST_DIGEST_BYTES], struct found *ret)
{
    static const uint8_t no_digest[PST_DIGEST_BYTES];
    bool matched = false;
    for (int slot = 1; slot <= 2; slot++) {
        bool set = (entry->flags & (PST_ENTRY_SLOT1 << (slot - 1))) != 0;
        if (pst_ct_equal(entry->digest[slot - 1], digest, PST_DIGEST_BYTES) && set) {
            *ret = (struct found){entry, (uint8_t)slot, NULL};
            matched = true;
        }
        const struct pst_old_secret *old = pst_entry_old(shard, entry, slot);
        bool is_old = pst_ct_equal(old != NULL ? old->digest : no_digest, digest, PST_DIGEST_BYTES);
        bool longer =
            !matched || (ret->old != NULL && old != NULL && ret->old->valid_until_us < old->valid_until_us);
        if (is_old && old != NULL && longer) {
            *ret = (struct found){entry, (uint8_t)slot, old};
            matched = true;
        }
    }
    return matched;
}

static void fill(const struct found *found, const uint8_t digest[static PST_DIGEST_BYTES],
                 struct pst_key_match *ret)
{
    pst_key_id_text(found->entry->id, ret->id);
    ret->number = found->entry->id;
    ret->secret_slot = found->slot;
    ret->old_secret = found->old != NULL;
    ret->has_policy = (found->entry->flags & PST_ENTRY_POLICY) != 0;
    ret->generation = generation_of(digest);
}

enum pst_key_verdict pst_keyring_check(struct pst_keyring *ring, unsigned reader, struct pst_str presented,
                                       int64_t now_real_us, struct pst_key_match *ret)
{
    (void)reader;
    *ret = (struct pst_key_match){0};
    struct pst_str id;
    enum pst_key_kind kind = pst_key_classify(presented, &id);
    if (kind == PST_KEY_KIND_NONE)
        return PST_KEY_MALFORMED;
    /* Hashed before anything is looked up: an unknown id costs what a wrong secret costs. */
    uint8_t digest[PST_DIGEST_BYTES];
    pst_hmac_sha256(&ring->hmac, presented, digest);
    const struct pst_snapshot *snapshot = atomic_load(&ring->current);
    static const struct pst_key_entry nobody = {.id = UINT64_MAX};
    const struct pst_id_shard *shard = NULL;
    const struct pst_key_entry *entry = kind == PST_KEY_KIND_GENERATED
                                            ? pst_snapshot_by_id(snapshot, pst_key_id_number(id), &shard)
                                            : pst_snapshot_by_digest(snapshot, digest, &shard);
    struct found found = {0};
    enum pst_key_verdict verdict = PST_KEY_UNKNOWN;
    if (match_entry(shard, entry != NULL ? entry : &nobody, digest, &found)) {
        fill(&found, digest, ret);
        verdict = verdict_of(found.entry, now_real_us);
        if (verdict == PST_KEY_OK && found.old != NULL && now_real_us >= found.old->valid_until_us)
            verdict = PST_KEY_EXPIRED;
    }
    pst_wipe(digest, sizeof(digest));
    return verdict;
}

enum pst_key_verdict pst_keyring_check_id(struct pst_keyring *ring, unsigned reader, struct pst_str id,
                                          int64_t now_real_us, struct pst_key_match *ret)
{
    (void)reader;
    *ret = (struct pst_key_match){0};
    const struct pst_id_shard *shard;
    uint64_t number = pst_key_is_id(id) ? pst_key_id_number(id) : UINT64_MAX;
    const struct pst_key_entry *entry =
        number != UINT64_MAX ? pst_snapshot_by_id(atomic_load(&ring->current), number, &shard) : NULL;
    if (entry == NULL)
        return PST_KEY_UNKNOWN;
    pst_key_id_text(entry->id, ret->id);
    ret->number = entry->id;
    ret->has_policy = (entry->flags & PST_ENTRY_POLICY) != 0;
    return verdict_of(entry, now_real_us);
}

enum pst_certificate_standing pst_keyring_certificate(struct pst_keyring *ring, unsigned reader,
                                                      const uint8_t sha256[static 32],
                                                      const uint8_t key_sha256[static 32],
                                                      char key_id[static PST_KEY_ID_SIZE])
{
    (void)reader;
    const struct pst_approvals *approvals = atomic_load(&ring->current)->approvals;
    const struct pst_approval *own = pst_approvals_find(approvals, sha256, false);
    const struct pst_approval *of_key = pst_approvals_find(approvals, key_sha256, true);
    const struct pst_approval *found = own != NULL ? own : of_key;
    key_id[0] = '\0';
    if (found == NULL)
        return PST_CERTIFICATE_UNKNOWN;
    if (found->revoked || (of_key != NULL && of_key->revoked))
        return PST_CERTIFICATE_REVOKED;
    if (found->key != UINT64_MAX)
        pst_key_id_text(found->key, key_id);
    return PST_CERTIFICATE_APPROVED;
}

enum pst_key_verdict pst_keyring_permits(struct pst_keyring *ring, unsigned reader,
                                         const struct pst_key_match *match, struct pst_str method,
                                         struct pst_str path, const uint8_t client[static 16])
{
    (void)reader;
    const struct pst_id_shard *shard;
    const struct pst_key_entry *entry =
        pst_snapshot_by_id(atomic_load(&ring->current), pst_key_id_number(pst_str_of(match->id)), &shard);
    if (entry == NULL)
        return PST_KEY_UNKNOWN;
    size_t len = 0;
    const uint8_t *policy = pst_entry_policy(shard, entry, &len);
    return policy == NULL ? PST_KEY_OK : pst_policy_judge(policy, len, method, path, client);
}

enum pst_key_verdict pst_keyring_still_valid(struct pst_keyring *ring, unsigned reader,
                                             const struct pst_key_match *match, int64_t now_real_us)
{
    (void)reader;
    const struct pst_snapshot *snapshot = atomic_load(&ring->current);
    const struct pst_id_shard *shard = NULL;
    const struct pst_key_entry *entry =
        pst_snapshot_by_id(snapshot, pst_key_id_number(pst_str_of(match->id)), &shard);
    if (entry == NULL || match->secret_slot > 2)
        return PST_KEY_UNKNOWN;
    if (match->secret_slot == 0)
        return verdict_of(entry, now_real_us);
    int slot = match->secret_slot;
    bool set = (entry->flags & (PST_ENTRY_SLOT1 << (slot - 1))) != 0;
    if (set && generation_of(entry->digest[slot - 1]) == match->generation)
        return verdict_of(entry, now_real_us);
    const struct pst_old_secret *old = pst_entry_old(shard, entry, slot);
    if (old == NULL || generation_of(old->digest) != match->generation)
        return PST_KEY_UNKNOWN;
    if (now_real_us >= old->valid_until_us)
        return PST_KEY_EXPIRED;
    return verdict_of(entry, now_real_us);
}

const char *pst_key_verdict_text(enum pst_key_verdict verdict)
{
    switch (verdict) {
    case PST_KEY_OK:
        return "ok";
    case PST_KEY_MALFORMED:
        return "malformed";
    case PST_KEY_UNKNOWN:
        return "unknown";
    case PST_KEY_DISABLED:
        return "disabled";
    case PST_KEY_EXPIRED:
        return "expired";
    case PST_KEY_NOT_YET:
        return "not_yet";
    case PST_KEY_SCOPE:
        return "scope";
    case PST_KEY_SPELLING:
        return "spelling";
    case PST_KEY_NETWORK:
        return "network";
    }
    return "unknown";
}
