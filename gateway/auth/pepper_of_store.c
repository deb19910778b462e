/* SPDX-License-Identifier: Apache-2.0 */
#include "pepper_of_store.h"

#include "postern/base/log.h"
#include "postern/crypto/secret.h"
#include "postern/db/examine.h"
#include "postern/db/keys_made.h"
#include "postern/db/pepper_check.h"

#define CHECK_PURPOSE "postern pepper check 1"

static int fail_store(struct pst_keys_store *store, int err, struct pst_why *why)
{
    return pst_why_set(why, err, NULL, "%s", pst_keys_why(store));
}

void pst_pepper_check_digest(const struct pst_pepper *pepper, uint8_t ret[static PST_SHA256_BYTES])
{
    struct pst_hmac_key key;
    pst_pepper_derive(pepper, CHECK_PURPOSE, &key);
    pst_hmac_sha256(&key, PST_STR(CHECK_PURPOSE), ret);
    pst_hmac_key_done(&key);
}

static int refuse(struct pst_why *why, const struct pst_access_why *found)
{
    char text[PST_ACCESS_TEXT_SIZE];
    pst_access_text(found, text);
    return pst_why_set(why, -PST_EDB, "data_dir", "%s", text);
}

int pst_pepper_before_store(const char *data_dir, struct pst_why *why)
{
    struct pst_access_why found;
    enum pst_keys_found there = pst_keys_look(data_dir, &found);
    if (there == PST_KEYS_MISSED)
        return refuse(why, &found);
    if (there == PST_KEYS_ANEW)
        pst_warn("auth", "%s: %s", found.seen, found.todo);
    return 0;
}

/* Of keys alone: whose last admin token is lost may begin anew. */
static int note_keys(struct pst_keys_store *store, const char *data_dir, struct pst_why *why)
{
    uint64_t n = 0;
    int err = pst_keys_count(store, NULL, &n);
    if (err < 0)
        return fail_store(store, err, why);
    if (n > 0)
        pst_keys_note_made(data_dir);
    return 0;
}

/* Whether it is the one that the digests there were made under, as far as that was noted (`ret_noted`). */
static int compare(struct pst_keys_store *store, const struct pst_pepper *pepper, bool *ret_noted,
                   bool *ret_same, struct pst_why *why)
{
    uint8_t noted[PST_SHA256_BYTES], digest[PST_SHA256_BYTES];
    int err = pst_pepper_check_get(store, noted);
    if (err < 0)
        return fail_store(store, err, why);
    pst_pepper_check_digest(pepper, digest);
    *ret_noted = err > 0;
    *ret_same = err == 0 || pst_ct_equal(digest, noted, sizeof(noted));
    return 0;
}

/* Whether nothing speaks against this pepper for this database. */
static int judge(struct pst_keys_store *store, const char *data_dir, const struct pst_pepper *pepper,
                 bool needed, struct pst_why *why)
{
    struct pst_access_why found;
    bool same = true, noted = true;
    int err = compare(store, pepper, &noted, &same, why);
    if (err < 0)
        return err;
    if (!needed && !noted && pst_keys_were_made(data_dir, &found))
        return refuse(why, &found);
    if (needed && !same)
        return pst_why_set(why, -PST_EACCES, NULL,
                           "%s/" PST_PEPPER_FILE " is not the pepper that the keys in %s/" PST_KEYS_FILE
                           " were made with, so none of them would work: restore both from the same backup",
                           data_dir, data_dir);
    return 0;
}

int pst_pepper_of_store(struct pst_keys_store *store, const char *data_dir, bool may_make,
                        struct pst_pepper *ret, struct pst_why *why)
{
    struct pst_pepper pepper;
    bool needed = true;
    int err = pst_pepper_is_needed(store, &needed);
    if (err < 0)
        return fail_store(store, err, why);
    err = pst_pepper_load(data_dir, may_make && !needed, &pepper, why);
    if (err < 0)
        return err;
    err = judge(store, data_dir, &pepper, needed, why);
    if (err == 0 && needed)
        err = note_keys(store, data_dir, why);
    if (err == 0)
        *ret = pepper;
    pst_pepper_done(&pepper);
    return err;
}

static int examine(struct pst_keys_store *store, const char *data_dir, struct pst_why *why)
{
    struct pst_pepper pepper;
    bool needed = false;
    int err = store != NULL ? pst_pepper_is_needed(store, &needed) : 0;
    if (err < 0)
        return fail_store(store, err, why);
    err = pst_pepper_look(data_dir, &pepper, why);
    if (err == -PST_ENOENT && !needed)
        return 0; /* a start makes it */
    if (err < 0)
        return err;
    if (store != NULL)
        err = judge(store, data_dir, &pepper, needed, why);
    pst_pepper_done(&pepper);
    return err;
}

int pst_pepper_examine(const char *data_dir, struct pst_why *why)
{
    struct pst_keys_store *store = NULL;
    struct pst_db_why unreadable;
    int err = pst_keys_open_unchanged(data_dir, &store, &unreadable);
    if (err < 0 && err != -PST_ENOENT)
        return 0;
    err = examine(store, data_dir, why);
    pst_keys_close(store);
    return err;
}

int pst_pepper_note(struct pst_keys_store *store, const uint8_t digest[static PST_SHA256_BYTES],
                    struct pst_why *why)
{
    int err = pst_pepper_check_note(store, digest);
    return err < 0 ? fail_store(store, err, why) : 0;
}
