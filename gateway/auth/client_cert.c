/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/client_cert.h"

#include "change.h"
#include "postern/base/clock.h"
#include "postern/base/num.h"

#include <string.h>

static int store_failed(struct pst_keys *keys, int err, struct pst_why *why)
{
    return pst_why_set(why, err, NULL, "%s", pst_keys_why(pst_keys_service_store(keys)));
}

/* Its own secrets are known to nobody, and are taken away again: a key must be made with some. */
static int make_key(struct pst_keys *keys, struct pst_str name, char *id, size_t size, struct pst_why *why)
{
    const struct pst_key_new request = {.name = name};
    struct pst_key_made made = {0};
    int err = pst_keys_make(keys, &request, &made, why);
    for (int slot = 1; err == 0 && slot <= 2; slot++)
        err = pst_keys_revoke(keys, pst_str_of(made.id), slot, why);
    pst_str_clip(pst_str_of(made.id), id, size);
    pst_wipe(&made, sizeof(made));
    return err;
}

static int check_key(struct pst_keys *keys, const char *id, struct pst_why *why)
{
    struct pst_keys_store *store = pst_keys_service_store(keys);
    struct pst_arena arena;
    struct pst_key_row row;
    pst_arena_init(&arena, 4096, (size_t)512 * 1024);
    int err = pst_keys_get(store, pst_str_of(id), &arena, &row);
    pst_arena_done(&arena);
    if (err == -PST_ENOENT)
        return pst_why_set(why, err, "id", "there is no key \"%s\"; see `postern key list`", id);
    return err < 0 ? store_failed(keys, err, why) : 0;
}

/* The row into the store, and into the trail. */
static int put(struct pst_keys *keys, const struct pst_client_certificate_row *row, const char *action,
               struct pst_why *why)
{
    const struct pst_str no_key = {NULL, 0};
    struct pst_change change;
    char digest[2 * PST_KEYS_DIGEST_BYTES + 1];
    int err = pst_change_begin(&change, keys, action, no_key, why);
    if (err < 0)
        return err;
    pst_hex_encode(row->digest, sizeof(row->digest), digest);
    err = pst_client_certificates_put(pst_keys_service_store(keys), row);
    if (err < 0)
        err = store_failed(keys, err, why);
    json_t *after = json_pack("{s:s, s:s, s:s, s:b}", "key", row->key_id, "of",
                              row->of_key ? "public key" : "certificate", "subject", row->subject, "revoked",
                              row->revoked_us != 0);
    return pst_change_end_with(&change, err, pst_str_of(digest), after, why);
}

static int approve(struct pst_keys *keys, struct pst_client_certificate_row *row, struct pst_str new_name,
                   struct pst_why *why)
{
    int err = row->key_id[0] == '\0' ? make_key(keys, new_name, row->key_id, sizeof(row->key_id), why)
                                     : check_key(keys, row->key_id, why);
    return err < 0 ? err : put(keys, row, "client_cert.approve", why);
}

int pst_client_cert_approve(struct pst_keys *keys, struct pst_client_certificate_row *row,
                            struct pst_str new_name, struct pst_why *why)
{
    struct pst_keys_store *store = pst_keys_service_store(keys);
    row->created_us = pst_clock_real_us();
    row->revoked_us = 0;
    int err = pst_keys_begin(store); /* with a key that is made for it, or not at all */
    if (err < 0)
        return store_failed(keys, err, why);
    err = approve(keys, row, new_name, why);
    if (err < 0) {
        pst_keys_rollback(store);
        return err;
    }
    err = pst_keys_commit(store);
    return err < 0 ? store_failed(keys, err, why) : 0;
}

int pst_client_cert_revoke(struct pst_keys *keys, const struct pst_client_certificate_row *row,
                           struct pst_why *why)
{
    struct pst_client_certificate_row revoked = *row;
    revoked.revoked_us = pst_clock_real_us();
    if (revoked.created_us == 0)
        revoked.created_us = revoked.revoked_us;
    return put(keys, &revoked, "client_cert.revoke", why);
}
