/* SPDX-License-Identifier: Apache-2.0 */
#include "wrong.h"

#include "postern/crypto/hash.h"
#include "request.h"

/* Whom it is from, and every credential in it. */
static void digest_credentials(const struct exchange *x, uint8_t digest[static PST_SHA256_BYTES])
{
    const struct pst_key_sources *sources = &x->all->parts.settings->key_sources;
    struct pst_buf text;
    uint8_t address[16];
    pst_buf_init(&text, (size_t)256 * 1024);
    request_client_address(x, address);
    pst_buf_add(&text, address, sizeof(address));
    PST_FIELDS_EACH(field, &x->request.fields)
    {
        if (pst_credential_is_field(sources, field))
            pst_buf_add_str(&text, field->value);
    }
    if (x->identity.query_counts)
        pst_buf_add_str(&text, x->request.target.query);
    struct pst_str whole = pst_buf_str(&text);
    pst_sha256(whole.p != NULL ? whole.p : "", whole.len, digest);
    pst_buf_wipe(&text);
}

static void count_wrong(const struct exchange *x)
{
    struct pst_exchanges *all = x->all;
    uint8_t digest[PST_SHA256_BYTES];
    digest_credentials(x, digest);
    if (pst_wrong_credentials_add(&all->wrong, digest, (int64_t)now_us(all)))
        count(&all->parts.stats->wrong_credentials);
}

static bool is_wrong(enum pst_error_id id)
{
    switch (id) {
    case PST_ERROR_KEY_WRONG:
    case PST_ERROR_KEY_EXPIRED:
    case PST_ERROR_KEY_NOT_YET:
    case PST_ERROR_KEY_DISABLED:
    case PST_ERROR_TOKEN_WRONG:
        return true;
    default:
        return false;
    }
}

enum pst_step wrong_or_next(const struct exchange *x, enum pst_error_id id, enum pst_error_id *ret_error)
{
    if (id == PST_ERROR_NONE)
        return PST_NEXT;
    if (is_wrong(id))
        count_wrong(x);
    *ret_error = id;
    return PST_RESPOND;
}

enum pst_error_id wrong_of_verdict(enum pst_key_verdict verdict)
{
    switch (verdict) {
    case PST_KEY_OK:
        return PST_ERROR_NONE;
    case PST_KEY_SCOPE:
        return PST_ERROR_KEY_SCOPE;
    case PST_KEY_SPELLING:
        return PST_ERROR_KEY_SPELLING;
    case PST_KEY_NETWORK:
        return PST_ERROR_KEY_NETWORK;
    case PST_KEY_EXPIRED:
        return PST_ERROR_KEY_EXPIRED;
    case PST_KEY_NOT_YET:
        return PST_ERROR_KEY_NOT_YET;
    case PST_KEY_DISABLED:
        return PST_ERROR_KEY_DISABLED;
    default:
        return PST_ERROR_KEY_WRONG;
    }
}
