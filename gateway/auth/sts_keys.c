/* SPDX-License-Identifier: Apache-2.0 */
#include "sts_keys.h"

#include "postern/auth/jwks.h"
#include "postern/auth/sts.h"
#include "postern/base/access.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/base/num.h"
#include "postern/crypto/base64.h"
#include "postern/crypto/random.h"
#include "postern/crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX   1024
#define MASK_LABEL "postern access token generation"

static void key_done(struct sts_key *key)
{
    pst_sign_key_free(key->sign);
    pst_verify_key_free(key->verify);
    pst_hmac_key_done(&key->mask);
}

void sts_keys_free(struct sts_keys *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys->n; i++)
        key_done(&keys->at[i]);
    free(keys);
}

/* By making one. */
static int key_learn_header(struct sts_key *key)
{
    struct pst_buf sample;
    json_t *claims = json_object();
    pst_buf_init(&sample, PST_JWT_MAX + 1);
    int err = claims != NULL ? pst_jwt_make(key->sign, pst_str_of(key->kid), claims, &sample) : -PST_ENOMEM;
    if (err == 0) {
        struct pst_str rest, text = pst_buf_str(&sample);
        struct pst_str header = {text.p, pst_str_cut(text, '.', &rest).len + 1};
        err = pst_str_copy(header, key->header, sizeof(key->header)) < 0 ? -PST_ELIMIT : 0;
    }
    json_decref(claims);
    pst_buf_done(&sample);
    return err;
}

/* Everything that follows from the secret number. */
static int key_set(struct sts_key *key, const uint8_t secret[static PST_SIGN_KEY_BYTES])
{
    uint8_t x[PST_SIGN_COORD_BYTES], y[PST_SIGN_COORD_BYTES], mask[PST_SHA256_BYTES];
    const char *reason;
    struct pst_hmac_key derive;
    int err = pst_sign_key_load(secret, &key->sign);
    if (err < 0)
        return err;
    pst_sign_key_public(key->sign, x, y);
    err = pst_verify_key_ec(PST_CURVE_P256, (struct pst_str){(const char *)x, sizeof(x)},
                            (struct pst_str){(const char *)y, sizeof(y)}, &key->verify, &reason);
    pst_hmac_key_init(&derive, secret, PST_SIGN_KEY_BYTES);
    pst_hmac_sha256(&derive, PST_STR(MASK_LABEL), mask);
    pst_hmac_key_init(&key->mask, mask, sizeof(mask));
    pst_hmac_key_done(&derive);
    pst_wipe(mask, sizeof(mask));
    return err < 0 ? err : key_learn_header(key);
}

static int key_copy(const struct sts_key *from, struct sts_key *to)
{
    uint8_t secret[PST_SIGN_KEY_BYTES];
    memcpy(to->kid, from->kid, sizeof(to->kid));
    to->made_s = from->made_s;
    pst_sign_key_save(from->sign, secret);
    int err = key_set(to, secret);
    pst_wipe(secret, sizeof(secret));
    return err;
}

static int key_make(struct sts_key *key)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct pst_sign_key *made;
    uint8_t secret[PST_SIGN_KEY_BYTES];
    int err = pst_random_text(key->kid, STS_KID_LEN, letters, sizeof(letters) - 1);
    if (err == 0)
        err = pst_sign_key_make(&made);
    if (err < 0)
        return err;
    pst_sign_key_save(made, secret);
    pst_sign_key_free(made);
    key->made_s = pst_clock_real_us() / 1000000;
    err = key_set(key, secret);
    pst_wipe(secret, sizeof(secret));
    return err;
}

/* The file */

static bool path_of(const char *data_dir, const char *suffix, char path[static PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/%s%s", data_dir, PST_STS_FILE, suffix);
    return n > 0 && n < PATH_MAX;
}

static int write_text(int fd, const struct sts_keys *keys)
{
    char line[256];
    for (size_t i = 0; i < keys->n; i++) {
        uint8_t secret[PST_SIGN_KEY_BYTES];
        char text[PST_BASE64_SIZE(PST_SIGN_KEY_BYTES)];
        pst_sign_key_save(keys->at[i].sign, secret);
        pst_base64_encode(PST_BASE64URL, secret, sizeof(secret), text);
        int n = snprintf(line, sizeof(line), "%s %lld %s\n", keys->at[i].kid, (long long)keys->at[i].made_s,
                         text);
        int err = pst_fd_write_all(fd, line, (size_t)n);
        pst_wipe(secret, sizeof(secret));
        pst_wipe(text, sizeof(text));
        pst_wipe(line, sizeof(line));
        if (err < 0)
            return err;
    }
    return fsync(fd) == 0 ? 0 : pst_err_from_errno(errno);
}

/* Whole or not at all. */
static int save(const struct sts_keys *keys, const char *data_dir)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    if (!path_of(data_dir, "", path) || !path_of(data_dir, ".new", temporary))
        return -PST_EINVAL;
    (void)unlink(temporary);
    PST_FD fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int err = fd >= 0 ? write_text(fd, keys) : pst_err_from_errno(errno);
    if (err == 0 && rename(temporary, path) < 0)
        err = pst_err_from_errno(errno);
    if (err < 0) {
        pst_error("auth", "the signing keys for access tokens cannot be written to %s: %s", path,
                  pst_strerror(err));
        (void)unlink(temporary);
    }
    return err;
}

static bool read_line(struct pst_str line, struct sts_key *key)
{
    struct pst_str made, secret_text;
    uint8_t secret[PST_SIGN_KEY_BYTES];
    uint64_t made_s;
    struct pst_str kid = pst_str_cut(line, ' ', &made);
    made = pst_str_cut(made, ' ', &secret_text);
    bool ok = kid.len == STS_KID_LEN && pst_num_u64(made, &made_s) == 0 &&
              pst_base64_decode(PST_BASE64URL, secret_text, secret, sizeof(secret)) == PST_SIGN_KEY_BYTES;
    if (ok) {
        pst_str_clip(kid, key->kid, sizeof(key->kid));
        key->made_s = (int64_t)made_s;
        ok = key_set(key, secret) == 0;
    }
    pst_wipe(secret, sizeof(secret));
    return ok;
}

static int read_text(struct pst_str text, struct sts_keys *keys)
{
    text = pst_str_strip_file(text);
    while (text.len > 0 && keys->n < STS_KEYS) {
        struct pst_str line = pst_str_strip(pst_str_cut(text, '\n', &text));
        if (!read_line(line, &keys->at[keys->n++]))
            return -PST_EPARSE;
    }
    return keys->n > 0 && text.len == 0 ? 0 : -PST_EPARSE;
}

/* -PST_ENOENT is for the caller; the rest is logged. */
static int read_file(const char *path, struct sts_keys *keys)
{
    char text[FILE_MAX];
    struct stat st;
    struct pst_access_why why;
    (void)!pst_access_settle(path, PST_ACCESS_SECRET,
                             &why); /* what others can do is judged when it is open */
    PST_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return -PST_ENOENT;
    if (fd < 0 || fstat(fd, &st) < 0) {
        pst_error("auth", "%s: %s", path, strerror(errno));
        return -PST_EIO;
    }
    if (pst_access_judge(path, &st, PST_ACCESS_SECRET, &why) < 0) {
        pst_error(
            "auth",
            "%s: %s; it signs access tokens: if it may have been copied, remove it, which invalidates all "
            "tokens issued so far",
            why.seen, why.todo);
        return -PST_EACCES;
    }
    ssize_t n = read(fd, text, sizeof(text));
    int err = n >= 0 ? read_text((struct pst_str){text, (size_t)n}, keys) : -PST_EIO;
    pst_wipe(text, sizeof(text));
    if (err < 0)
        pst_error("auth",
                  "%s is damaged; restore it, or remove it, which invalidates all tokens issued so far",
                  path);
    return err;
}

int sts_keys_load(const char *data_dir, struct sts_keys **ret)
{
    char path[PATH_MAX];
    struct sts_keys *keys = calloc(1, sizeof(*keys));
    if (keys == NULL)
        return -PST_ENOMEM;
    int err = path_of(data_dir, "", path) ? read_file(path, keys) : -PST_EINVAL;
    if (err == -PST_ENOENT) {
        keys->n = 1;
        err = key_make(&keys->at[0]);
        if (err == 0)
            err = save(keys, data_dir);
    }
    if (err < 0)
        sts_keys_free(keys);
    else
        *ret = keys;
    return err;
}

int sts_keys_next(const struct sts_keys *keys, const char *data_dir, struct sts_keys **ret)
{
    struct sts_keys *next = calloc(1, sizeof(*next));
    if (next == NULL)
        return -PST_ENOMEM;
    next->n = 2;
    int err = key_make(&next->at[0]);
    if (err == 0)
        err = key_copy(&keys->at[0], &next->at[1]);
    if (err == 0)
        err = save(next, data_dir);
    if (err < 0)
        sts_keys_free(next);
    else
        *ret = next;
    return err;
}

const struct sts_key *sts_keys_find(const struct sts_keys *keys, struct pst_str token)
{
    for (size_t i = 0; i < keys->n; i++) {
        if (pst_str_starts(token, pst_str_of(keys->at[i].header)))
            return &keys->at[i];
    }
    return NULL;
}

int sts_keys_publish(const struct sts_keys *keys, struct pst_buf *out)
{
    pst_buf_add_cstr(out, "{\"keys\":[");
    int err = 0;
    for (size_t i = 0; err == 0 && i < keys->n; i++) {
        if (i > 0)
            pst_buf_add_cstr(out, ",");
        err = pst_jwk_write(keys->at[i].sign, pst_str_of(keys->at[i].kid), out);
    }
    pst_buf_add_cstr(out, "]}");
    return err == 0 && pst_buf_failed(out) ? -PST_ENOMEM : err;
}
