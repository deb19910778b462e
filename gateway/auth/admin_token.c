/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/admin_token.h"

#include "change.h"
#include "key_fields.h"
#include "keys_private.h"
#include "postern/base/clock.h"
#include "postern/crypto/checksum.h"
#include "postern/crypto/hash.h"
#include "postern/crypto/random.h"

#include <stdio.h>
#include <string.h>

#define CHECKED_LEN  (PST_KEY_TEXT_LEN - PST_KEY_CHECKSUM_LEN - 1)
#define USED_STEP_US (INT64_C(60) * 1000000)

static int store_failed(struct pst_keys *keys, int err, struct pst_why *why)
{
    return pst_why_set(why, err, NULL, "%s", pst_keys_why(pst_keys_service_store(keys)));
}

/* The text */

static int make_text(const char *id, struct pst_secret *ret)
{
    char text[PST_KEY_TEXT_LEN + 1];
    int n = snprintf(text, sizeof(text), PST_ADMIN_TOKEN_PREFIX "%s_", id);
    int err = pst_random_text(text + n, PST_KEY_SECRET_LEN, pst_base62_alphabet, 62);
    text[CHECKED_LEN] = '_';
    pst_base62_u32(pst_crc32(text, CHECKED_LEN), text + CHECKED_LEN + 1);
    if (err == 0)
        err = pst_secret_set(ret, (struct pst_str){text, PST_KEY_TEXT_LEN});
    pst_wipe(text, sizeof(text));
    return err;
}

struct pst_str pst_admin_token_id(struct pst_str text)
{
    const struct pst_str none = {NULL, 0};
    if (text.len != PST_KEY_TEXT_LEN || !pst_str_starts(text, PST_STR(PST_ADMIN_TOKEN_PREFIX)))
        return none;
    struct pst_str id = {text.p + sizeof(PST_ADMIN_TOKEN_PREFIX) - 1, PST_KEY_ID_LEN};
    char checksum[PST_BASE62_CRC_LEN];
    pst_base62_u32(pst_crc32(text.p, CHECKED_LEN), checksum);
    bool good = pst_key_is_id(id) && id.p[PST_KEY_ID_LEN] == '_' && text.p[CHECKED_LEN] == '_' &&
                pst_ct_equal(text.p + CHECKED_LEN + 1, checksum, sizeof(checksum));
    return good ? id : none;
}

/* Making */

static json_t *json_of(const struct pst_admin_token_row *row)
{
    char expires[PST_TIME_TEXT_SIZE];
    if (row->expires_us != 0)
        pst_time_format(row->expires_us, expires);
    return json_pack("{s:s, s:s, s:s?}", "name", row->name, "role",
                     row->role == PST_ADMIN_ADMIN ? "admin" : "viewer", "expires_at",
                     row->expires_us != 0 ? expires : NULL);
}

static int add(struct pst_keys *keys, const struct pst_admin_token_row *row, struct pst_why *why)
{
    const struct pst_str no_key = {NULL, 0};
    struct pst_change change;
    int err = pst_change_begin(&change, keys, "admin_token.create", no_key, why);
    if (err < 0)
        return err;
    err = pst_admin_tokens_add(pst_keys_service_store(keys), row);
    err = err < 0 ? store_failed(keys, err, why) : pst_keys_note_pepper(keys, why);
    return pst_change_end_with(&change, err, pst_str_of(row->id), json_of(row), why);
}

int pst_admin_token_make(struct pst_keys *keys, struct pst_str name, enum pst_admin_role role,
                         int64_t expires_us, struct pst_admin_token_made *ret, struct pst_why *why)
{
    struct pst_admin_token_made made = {.created_us = pst_clock_real_us()};
    const struct pst_key_row fields = {.name = name, .expires_us = expires_us};
    int err = pst_key_fields_check(&fields, PST_KEYS_SET_NAME | PST_KEYS_SET_EXPIRES, made.created_us, why);
    if (err < 0)
        return err;
    struct pst_admin_token_row row = {.role = role, .created_us = made.created_us, .expires_us = expires_us};
    if (pst_key_make_id(made.id) < 0 || make_text(made.id, &made.token) < 0)
        return pst_why_set(why, -PST_EIO, NULL, "the kernel returned no random bytes");
    pst_str_clip(pst_str_of(made.id), row.id, sizeof(row.id));
    pst_str_clip(name, row.name, sizeof(row.name));
    err = pst_keys_token_digest(keys, pst_secret_str(&made.token), row.digest, why);
    if (err == 0)
        err = add(keys, &row, why);
    if (err == 0)
        *ret = made;
    pst_wipe(&made, sizeof(made));
    return err;
}

int pst_admin_token_take(struct pst_keys *keys, struct pst_str text, struct pst_str name,
                         enum pst_admin_role role, struct pst_why *why)
{
    struct pst_str id = pst_admin_token_id(text);
    struct pst_admin_token_row row = {.role = role, .created_us = pst_clock_real_us()};
    if (id.len == 0)
        return pst_why_set(why, -PST_EINVAL, "token", "that is not an admin token");
    pst_str_clip(id, row.id, sizeof(row.id));
    pst_str_clip(name, row.name, sizeof(row.name));
    int err = pst_keys_token_digest(keys, text, row.digest, why);
    return err == 0 ? add(keys, &row, why) : err;
}

int pst_admin_token_check(struct pst_keys *keys, struct pst_str presented, int64_t now_us,
                          struct pst_admin_token_row *ret, struct pst_why *why)
{
    struct pst_admin_token_row row = {0};
    uint8_t digest[PST_SHA256_BYTES];
    struct pst_str id = pst_admin_token_id(presented);
    if (id.len == 0)
        return pst_why_set(why, -PST_EACCES, NULL, "this is not an admin token");
    int err = pst_keys_token_digest(keys, presented, digest, why);
    if (err < 0)
        return err;
    err = pst_admin_tokens_get(pst_keys_service_store(keys), id, &row);
    if (err < 0 && err != -PST_ENOENT)
        return store_failed(keys, err, why);
    bool right = pst_ct_equal(digest, row.digest, sizeof(digest)) && err == 0;
    pst_wipe(digest, sizeof(digest));
    if (!right)
        return pst_why_set(why, -PST_EACCES, NULL, "an unknown or wrong admin token");
    if (row.revoked_us != 0)
        return pst_why_set(why, -PST_EACCES, NULL, "the admin token %s was revoked", row.id);
    if (row.expires_us != 0 && now_us >= row.expires_us)
        return pst_why_set(why, -PST_EACCES, NULL, "the admin token %s has expired", row.id);
    if (now_us - row.used_us >= USED_STEP_US) {
        err = pst_admin_tokens_set_used(pst_keys_service_store(keys), pst_str_of(row.id), now_us);
        if (err == 0)
            row.used_us = now_us; /* a busy database is no reason to turn somebody away */
    }
    *ret = row;
    return 0;
}

/* 1 when it was revoked before. */
static int revoke_token(struct pst_keys *keys, struct pst_str id, struct pst_why *why)
{
    struct pst_keys_store *store = pst_keys_service_store(keys);
    struct pst_admin_token_row row;
    int err = pst_admin_tokens_get(store, id, &row);
    if (err == 0 && row.revoked_us != 0)
        return 1;
    if (err == 0)
        err = pst_admin_tokens_revoke(store, id, pst_clock_real_us());
    if (err == -PST_ENOENT)
        return pst_why_set(why, err, "id", "there is no such admin token; see `postern admin-token list`");
    return err < 0 ? store_failed(keys, err, why) : 0;
}

int pst_admin_token_revoke(struct pst_keys *keys, struct pst_str id, struct pst_why *why)
{
    const struct pst_str no_key = {NULL, 0};
    struct pst_change change;
    int err = pst_change_begin(&change, keys, "admin_token.revoke", no_key, why);
    if (err < 0)
        return err;
    err = revoke_token(keys, id, why);
    if (err > 0)
        return pst_change_drop(&change);
    change.before = json_pack("{s:b}", "revoked", 0);
    return pst_change_end_with(&change, err, id, json_pack("{s:b}", "revoked", 1), why);
}
