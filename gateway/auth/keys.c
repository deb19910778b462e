/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/keys.h"

#include "change.h"
#include "key_fields.h"
#include "keys_private.h"
#include "pepper_of_store.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/db/data_dir.h"
#include "postern/db/keys_made.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Two ids never meet; a second try is for the one time in 10^18 that they do. */
#define ID_TRIES             3
#define TOKEN_DIGEST_PURPOSE "postern admin token digest 1"
/* A key's texts at their longest. */
#define ROW_BYTES_MAX ((size_t)512 * 1024)

struct pst_keys {
    struct pst_keys_store *store;
    struct pst_hmac_key token_hmac;         /* as hmac, for admin tokens */
    struct pst_hmac_key hmac;               /* once has_hmac: only who makes secrets needs it */
    uint8_t pepper_check[PST_SHA256_BYTES]; /* with hmac: what the pepper is told by */
    bool has_hmac;
    bool may_make;
    bool bulk;
    struct pst_actor actor; /* in whose name changes are written down */
    char data_dir[PATH_MAX];
};

static int fail_store(const struct pst_keys *keys, int err, struct pst_why *why)
{
    return pst_why_set(why, err, NULL, "%s", pst_keys_why(keys->store));
}

static int no_such_key(struct pst_str id, struct pst_why *why)
{
    return pst_why_set(why, -PST_ENOENT, "id", "there is no key \"" PST_STR_FMT "\"; see `postern key list`",
                       PST_STR_ARG(id));
}

static int change_result(const struct pst_keys *keys, int err, struct pst_str id, struct pst_why *why)
{
    if (err == -PST_ENOENT)
        return no_such_key(id, why);
    return err < 0 ? fail_store(keys, err, why) : 0;
}

/* Opening */

/* Who may write there could put keys and a pepper of their own in. */
static int settle_data_dir(const char *data_dir, bool make, struct pst_why *why)
{
    struct pst_access_why access_why;
    char text[PST_ACCESS_TEXT_SIZE];
    int err = make ? pst_data_dir_ensure(data_dir, &access_why) : pst_data_dir_settle(data_dir, &access_why);
    if (err == 0 || (err == -PST_ENOENT && !make))
        return 0; /* that it is missing, looking for the database says */
    pst_access_text(&access_why, text);
    return pst_why_set(why, err, "data_dir", "%s", text);
}

static int check_there(const char *data_dir, struct pst_why *why)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", data_dir, PST_KEYS_FILE);
    if (n < 0 || (size_t)n >= sizeof(path) || access(path, F_OK) == 0 || errno != ENOENT)
        return 0; /* whatever else is wrong with it, opening it says */
    return pst_why_set(why, -PST_ENOENT, "data_dir",
                       "there are no keys in %s yet; create the first with `postern key create`, or choose "
                       "another directory "
                       "with --data-dir",
                       data_dir);
}

static int open_store(struct pst_keys *keys, struct pst_why *why)
{
    struct pst_db_why db_why = {""};
    int err = settle_data_dir(keys->data_dir, keys->may_make, why);
    if (err == 0)
        err = pst_pepper_before_store(keys->data_dir, why);
    if (err == 0 && !keys->may_make)
        err = check_there(keys->data_dir, why);
    if (err < 0)
        return err;
    err = pst_keys_open(keys->data_dir, PST_DB_WRITE, &keys->store, &db_why);
    return err < 0 ? pst_why_set(why, err, "data_dir", "%s", db_why.text) : 0;
}

static int load_pepper(struct pst_keys *keys, struct pst_why *why)
{
    if (keys->has_hmac)
        return 0;
    struct pst_pepper pepper;
    int err = pst_pepper_of_store(keys->store, keys->data_dir, keys->may_make, &pepper, why);
    if (err < 0)
        return err;
    pst_pepper_derive(&pepper, PST_KEY_DIGEST_PURPOSE, &keys->hmac);
    pst_pepper_derive(&pepper, TOKEN_DIGEST_PURPOSE, &keys->token_hmac);
    pst_pepper_check_digest(&pepper, keys->pepper_check);
    pst_pepper_done(&pepper);
    keys->has_hmac = true;
    return 0;
}

int pst_keys_service_open(const char *data_dir, bool make, struct pst_keys **ret, struct pst_why *why)
{
    struct pst_keys *keys = calloc(1, sizeof(*keys));
    if (keys == NULL)
        return pst_why_set(why, -PST_ENOMEM, NULL, "out of memory");
    keys->may_make = make;
    int err = pst_str_copy(pst_str_of(data_dir), keys->data_dir, sizeof(keys->data_dir));
    if (err < 0)
        err = pst_why_set(why, -PST_EINVAL, "data_dir", "the path of the data directory is too long");
    else
        err = open_store(keys, why);
    if (err == 0 && make)
        err = load_pepper(keys, why);
    if (err < 0) {
        pst_keys_service_close(keys);
        return err;
    }
    *ret = keys;
    return 0;
}

void pst_keys_service_close(struct pst_keys *keys)
{
    if (keys == NULL)
        return;
    if (keys->store != NULL)
        pst_keys_close(keys->store);
    pst_hmac_key_done(&keys->hmac);
    pst_hmac_key_done(&keys->token_hmac);
    free(keys);
}

struct pst_keys_store *pst_keys_service_store(struct pst_keys *keys)
{
    return keys->store;
}

void pst_keys_set_actor(struct pst_keys *keys, const struct pst_actor *actor)
{
    keys->actor = *actor;
}

void pst_keys_set_bulk(struct pst_keys *keys, bool bulk)
{
    keys->bulk = bulk;
}

bool pst_keys_is_bulk(const struct pst_keys *keys)
{
    return keys->bulk;
}

const struct pst_actor *pst_keys_actor(const struct pst_keys *keys)
{
    return &keys->actor;
}

int pst_keys_token_digest(struct pst_keys *keys, struct pst_str text, uint8_t digest[static PST_SHA256_BYTES],
                          struct pst_why *why)
{
    int err = load_pepper(keys, why);
    if (err == 0)
        pst_hmac_sha256(&keys->token_hmac, text, digest);
    return err;
}

int pst_keys_note_pepper(struct pst_keys *keys, struct pst_why *why)
{
    return pst_pepper_note(keys->store, keys->pepper_check, why);
}

/* Checking */

int pst_keys_check_import(struct pst_str secret, struct pst_why *why)
{
    if (pst_key_classify(secret, NULL) == PST_KEY_KIND_IMPORTED)
        return 0;
    return pst_why_set(
        why, -PST_EINVAL, "secret",
        "an imported secret must have %d to %d printable ASCII characters without blanks, and must not begin "
        "with \"" PST_KEY_PREFIX "\"",
        PST_KEY_IMPORT_MIN, PST_KEY_IMPORT_MAX);
}

/* Making */

/* What is stored of a secret; `shown` is room for the parts that may be printed. */
struct shown {
    char prefix[PST_KEY_SHOWN_PREFIX_SIZE];
    char last4[PST_KEY_LAST4_SIZE];
};

static struct pst_key_slot slot_of(const struct pst_keys *keys, struct pst_str secret, bool imported,
                                   int64_t now_us, struct shown *shown)
{
    struct pst_key_slot slot = {.digest.set = true, .created_us = now_us, .imported = imported};
    pst_hmac_sha256(&keys->hmac, secret, slot.digest.bytes);
    pst_key_shown_parts(secret, shown->prefix, shown->last4);
    slot.prefix = pst_str_of(shown->prefix);
    slot.last4 = pst_str_of(shown->last4);
    return slot;
}

static bool is_import(const struct pst_key_new *request)
{
    return request->imports[0].len > 0 || request->imports[1].len > 0;
}

static int fill_slots(const struct pst_keys *keys, const struct pst_key_new *request,
                      struct pst_key_made *made, struct pst_key_row *row, struct shown shown[2],
                      struct pst_why *why)
{
    bool importing = is_import(request);
    for (int i = 0; i < 2; i++) {
        struct pst_str secret = request->imports[i];
        if (importing && secret.len == 0)
            continue;
        int err =
            importing ? pst_keys_check_import(secret, why) : pst_key_make_secret(made->id, &made->secrets[i]);
        if (err < 0)
            return importing ? err : pst_why_set(why, err, NULL, "the kernel returned no random bytes");
        if (!importing)
            secret = pst_secret_str(&made->secrets[i]);
        row->slot[i] = slot_of(keys, secret, importing, made->created_us, &shown[i]);
    }
    return 0;
}

/* An empty list or object is no rule. */
static struct pst_str rule(struct pst_str text)
{
    bool empty = pst_str_eq(text, PST_STR("[]")) || pst_str_eq(text, PST_STR("{}"));
    return empty ? (struct pst_str){NULL, 0} : text;
}

static struct pst_key_row row_of(const struct pst_key_new *request)
{
    return (struct pst_key_row){
        .name = request->name,
        .note = request->note,
        .tags = rule(request->tags),
        .state = PST_KEY_STATE_ACTIVE,
        .expires_us = request->expires_us,
        .not_before_us = request->not_before_us,
        .scopes = rule(request->scopes),
        .networks = rule(request->networks),
        .limits = rule(request->limits),
    };
}

int pst_keys_check(const struct pst_key_row *fields, unsigned what, struct pst_why *why)
{
    struct pst_key_row row = *fields;
    row.tags = rule(row.tags);
    row.scopes = rule(row.scopes);
    row.networks = rule(row.networks);
    row.limits = rule(row.limits);
    return pst_key_fields_check(&row, what, pst_clock_real_us(), why);
}

static int check_new(const struct pst_key_new *request, int64_t now_us, struct pst_why *why)
{
    struct pst_key_row row = row_of(request);
    if (request->id.len > 0 && !pst_key_is_id(request->id))
        return pst_why_set(why, -PST_EINVAL, "id", "an id must have %d characters 0-9a-z", PST_KEY_ID_LEN);
    return pst_key_fields_check(&row, ~0u, now_us, why);
}

static int make_once(struct pst_keys *keys, const struct pst_key_new *request, struct pst_key_made *made,
                     struct pst_why *why)
{
    struct shown shown[2];
    if (request->id.len > 0)
        pst_str_clip(request->id, made->id, sizeof(made->id));
    else if (pst_key_make_id(made->id) < 0)
        return pst_why_set(why, -PST_EIO, NULL, "the kernel returned no random bytes");
    struct pst_key_row row = row_of(request);
    row.id = pst_str_of(made->id);
    row.created_us = made->created_us;
    int err = fill_slots(keys, request, made, &row, shown, why);
    if (err < 0)
        return err;
    err = pst_keys_create(keys->store, &row);
    return err < 0 ? fail_store(keys, err, why) : pst_keys_note_pepper(keys, why);
}

/* An id that was made up and is taken is made up again. */
static int make_tries(struct pst_keys *keys, const struct pst_key_new *request, struct pst_key_made *made,
                      struct pst_why *why)
{
    int err = make_once(keys, request, made, why);
    for (int i = 1; i < ID_TRIES && err == -PST_EEXIST; i++) {
        if (request->id.len > 0 || is_import(request))
            break;
        err = make_once(keys, request, made, why);
    }
    return err;
}

int pst_keys_make(struct pst_keys *keys, const struct pst_key_new *request, struct pst_key_made *ret_made,
                  struct pst_why *why)
{
    struct pst_key_made made = {.created_us = pst_clock_real_us()};
    const struct pst_str no_id = {NULL, 0};
    struct pst_change change;
    int err = check_new(request, made.created_us, why);
    if (err == 0)
        err = load_pepper(keys, why);
    if (err == 0 && request->imports[0].len > 0 && pst_str_eq(request->imports[0], request->imports[1]))
        err = pst_why_set(why, -PST_EINVAL, "secret", "the two secrets are the same");
    if (err == 0)
        err = pst_change_begin(&change, keys, is_import(request) ? "key.import" : "key.create", no_id, why);
    if (err < 0)
        return err;
    err = make_tries(keys, request, &made, why);
    err = pst_change_end(&change, err, pst_str_of(made.id), why);
    if (err == 0 &&
        !keys->bulk) /* of many that are made at once it is not sure yet; the next who opens them notes it */
        pst_keys_note_made(keys->data_dir);
    if (err == 0)
        *ret_made = made;
    pst_wipe(&made, sizeof(made));
    return err;
}

/* Expiry and beginning are checked against each other, whichever of them changes. */
static int take_other_time(struct pst_keys *keys, struct pst_key_row *row, unsigned what, struct pst_why *why)
{
    bool expires = (what & PST_KEYS_SET_EXPIRES) != 0, begins = (what & PST_KEYS_SET_NOT_BEFORE) != 0;
    if (expires == begins)
        return 0;
    struct pst_arena arena;
    struct pst_key_row now;
    pst_arena_init(&arena, 4096, ROW_BYTES_MAX);
    int err = change_result(keys, pst_keys_get(keys->store, row->id, &arena, &now), row->id, why);
    if (err == 0 && expires)
        row->not_before_us = now.not_before_us;
    if (err == 0 && begins)
        row->expires_us = now.expires_us;
    pst_arena_done(&arena);
    return err;
}

static int change_fields(struct pst_keys *keys, struct pst_key_row *row, unsigned what, uint64_t if_seq,
                         struct pst_why *why)
{
    int64_t now_us = pst_clock_real_us();
    int err = take_other_time(keys, row, what, why);
    if (err == 0)
        err = pst_key_fields_check(row, what, now_us, why);
    if (err < 0)
        return err;
    return change_result(keys, pst_keys_update(keys->store, row, what, if_seq, now_us), row->id, why);
}

int pst_keys_change(struct pst_keys *keys, const struct pst_key_row *fields, unsigned what, uint64_t if_seq,
                    struct pst_why *why)
{
    struct pst_key_row row = *fields;
    struct pst_change change;
    if (!pst_key_is_id(row.id))
        return no_such_key(row.id, why);
    row.tags = rule(row.tags);
    row.scopes = rule(row.scopes);
    row.networks = rule(row.networks);
    row.limits = rule(row.limits);
    int err = pst_change_begin(&change, keys, "key.update", row.id, why);
    if (err < 0)
        return err;
    err = change_fields(keys, &row, what, if_seq, why);
    return pst_change_end(&change, err, row.id, why);
}

static int rotate_to(struct pst_keys *keys, struct pst_str id, int slot, int64_t grace_us,
                     const struct pst_secret *secret, struct pst_why *why)
{
    struct shown shown;
    struct pst_change change;
    int err = pst_change_begin(&change, keys, "key.rotate", id, why);
    if (err < 0)
        return err;
    int64_t now_us = pst_clock_real_us(); /* others were waited for: the grace period begins now */
    struct pst_key_slot made = slot_of(keys, pst_secret_str(secret), false, now_us, &shown);
    err = pst_keys_set_slot(keys->store, id, slot, &made, grace_us > 0 ? now_us + grace_us : 0, now_us);
    err = err < 0 ? change_result(keys, err, id, why) : pst_keys_note_pepper(keys, why);
    return pst_change_end(&change, err, id, why);
}

int pst_keys_rotate(struct pst_keys *keys, struct pst_str id, int slot, int64_t grace_us,
                    struct pst_secret *ret_secret, struct pst_why *why)
{
    if (grace_us < 0 || grace_us > PST_KEY_GRACE_MAX_US)
        return pst_why_set(why, -PST_EINVAL, "grace", "the grace period is at most 30 days");
    if (!pst_key_is_id(id))
        return no_such_key(id, why);
    int err = load_pepper(keys, why);
    if (err < 0)
        return err;
    char id_text[PST_KEY_ID_SIZE];
    pst_str_clip(id, id_text, sizeof(id_text));
    PST_SECRET_SCOPE secret = {0};
    if (pst_key_make_secret(id_text, &secret) < 0)
        return pst_why_set(why, -PST_EIO, NULL, "the kernel returned no random bytes");
    err = rotate_to(keys, id, slot, grace_us, &secret, why);
    if (err == 0)
        *ret_secret = secret;
    return err;
}

int pst_keys_revoke(struct pst_keys *keys, struct pst_str id, int slot, struct pst_why *why)
{
    struct pst_change change;
    int err = pst_change_begin(&change, keys, "key.revoke_secret", id, why);
    if (err < 0)
        return err;
    err = pst_keys_clear_slot(keys->store, id, slot, pst_clock_real_us());
    return pst_change_end(&change, change_result(keys, err, id, why), id, why);
}

int pst_keys_enable(struct pst_keys *keys, struct pst_str id, bool enabled, struct pst_why *why)
{
    enum pst_key_state state = enabled ? PST_KEY_STATE_ACTIVE : PST_KEY_STATE_DISABLED;
    struct pst_change change;
    int err = pst_change_begin(&change, keys, enabled ? "key.enable" : "key.disable", id, why);
    if (err < 0)
        return err;
    err = pst_keys_set_state(keys->store, id, state, pst_clock_real_us());
    return pst_change_end(&change, change_result(keys, err, id, why), id, why);
}

int pst_keys_remove(struct pst_keys *keys, struct pst_str id, struct pst_why *why)
{
    struct pst_change change;
    int err = pst_change_begin(&change, keys, "key.delete", id, why);
    if (err < 0)
        return err;
    err = pst_keys_delete(keys->store, id, pst_clock_real_us());
    return pst_change_end(&change, change_result(keys, err, id, why), id, why);
}

static const char *const shown_texts[] = {
    [PST_KEY_SHOWN_ACTIVE] = "active",
    [PST_KEY_SHOWN_DISABLED] = "disabled",
    [PST_KEY_SHOWN_EXPIRED] = "expired",
    [PST_KEY_SHOWN_NOT_YET] = "not_yet",
};

const char *pst_key_row_state(const struct pst_key_row *row, int64_t now_us)
{
    if (row->state == PST_KEY_STATE_DISABLED)
        return shown_texts[PST_KEY_SHOWN_DISABLED];
    if (row->expires_us > 0 && now_us >= row->expires_us)
        return shown_texts[PST_KEY_SHOWN_EXPIRED];
    bool early = row->not_before_us > 0 && now_us < row->not_before_us;
    return shown_texts[early ? PST_KEY_SHOWN_NOT_YET : PST_KEY_SHOWN_ACTIVE];
}

int pst_key_shown_of(struct pst_str text)
{
    for (size_t i = 0; i < sizeof(shown_texts) / sizeof(shown_texts[0]); i++) {
        if (pst_str_eq(text, pst_str_of(shown_texts[i])))
            return (int)i;
    }
    return -1;
}

int pst_keys_order_of(struct pst_str text, enum pst_keys_order *ret_order, bool *ret_descending)
{
    static const char *const texts[PST_KEYS_ORDERS] = {
        [PST_KEYS_BY_CREATED] = "created", [PST_KEYS_BY_ID] = "id",
        [PST_KEYS_BY_NAME] = "name",       [PST_KEYS_BY_EXPIRES] = "expires",
        [PST_KEYS_BY_UPDATED] = "updated", [PST_KEYS_BY_LAST_USED] = "last_used",
    };
    bool descending = pst_str_starts(text, PST_STR("-"));
    for (size_t i = 0; i < PST_KEYS_ORDERS; i++) {
        if (!pst_str_eq(descending ? pst_str_skip(text, 1) : text, pst_str_of(texts[i])))
            continue;
        *ret_order = (enum pst_keys_order)i;
        *ret_descending = descending;
        return 0;
    }
    return -PST_EINVAL;
}
