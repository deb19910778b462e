/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/issuer_keys.h"

#include "json_strict.h"

#include "postern/base/fd.h"
#include "postern/fetch/fetch.h"
#include "postern/fetch/url.h"

/* {"keys": …} is not read here; the configuration of an issuer is flat, but for some lists. */
#define CONFIGURATION_DEPTH 8

static int read_file(const struct pst_issuer *issuer, struct pst_buf *text, struct pst_why *why)
{
    int err = pst_file_read(issuer->jwks, PST_JWKS_BYTES_MAX, text);
    return err < 0 ? pst_why_set(why, err, NULL, "%s: %s", issuer->jwks, pst_strerror(err)) : 0;
}

/* GET of one JSON document; 0 means status 200. */
static int get(const struct pst_issuer *issuer, const struct pst_issuer_keys_options *options,
               const char *url, struct pst_fetch_answer *ret, struct pst_why *why)
{
    struct pst_fetch_why fetch_why;
    const struct pst_fetch_options fetch = {
        .timeout_ms = options->timeout_ms,
        .max_bytes = PST_JWKS_BYTES_MAX,
        .ca_file = issuer->ca_file ? issuer->ca_file : options->ca_file,
        .proxy = options->proxy,
        .accept = "application/json",
    };
    int err = pst_fetch_get(url, &fetch, ret, &fetch_why);
    if (err < 0)
        return pst_why_set(why, err, NULL, "%s", fetch_why.text);
    if (ret->status == 200)
        return 0;
    unsigned status = ret->status;
    pst_fetch_answer_done(ret);
    return pst_why_set(why, -PST_EPROTO, NULL, "%s returned status %u", url, status);
}

/* OpenID Connect Discovery 1.0, section 4: the document has to be of the issuer that it was asked about. */
static int read_configuration(const struct pst_issuer *issuer, struct pst_str text, char *url, size_t size,
                              struct pst_why *why)
{
    json_t *document = pst_json_strict(text, CONFIGURATION_DEPTH, NULL);
    struct pst_str name = pst_json_text(document, "issuer"), uri = pst_json_text(document, "jwks_uri");
    struct pst_url parsed;
    const char *reason;
    int err = 0;
    if (!document)
        err = pst_why_set(why, -PST_EPARSE, NULL, "%s is not valid JSON", issuer->jwks);
    else if (!pst_str_eq(name, issuer->name))
        err = pst_why_set(why, -PST_EPROTO, NULL, "%s is for another issuer, \"%.200s\"", issuer->jwks,
                          name.p ? name.p : "");
    else if (!uri.p || pst_url_parse(uri, &parsed, &reason) < 0 || !parsed.https ||
             pst_str_copy(uri, url, size) < 0)
        err = pst_why_set(why, -PST_EPROTO, NULL, "%s has no https:// jwks_uri", issuer->jwks);
    json_decref(document);
    return err;
}

static int discover(const struct pst_issuer *issuer, const struct pst_issuer_keys_options *options, char *url,
                    size_t size, struct pst_why *why)
{
    struct pst_fetch_answer answer;
    int err = get(issuer, options, issuer->jwks, &answer, why);
    if (err < 0)
        return err;
    err = read_configuration(issuer, pst_buf_str(&answer.body), url, size, why);
    pst_fetch_answer_done(&answer);
    return err;
}

int pst_issuer_keys_read(const struct pst_issuer *issuer, const struct pst_issuer_keys_options *options,
                         struct pst_buf *text, int64_t *ret_max_age_s, struct pst_why *why)
{
    char discovered[PST_URL_TARGET_SIZE];
    const char *url = issuer->jwks;
    struct pst_fetch_answer answer;
    int err = 0;
    *ret_max_age_s = -1;
    if (issuer->source == PST_JWKS_FILE)
        return read_file(issuer, text, why);
    if (issuer->source == PST_JWKS_DISCOVERED) {
        err = discover(issuer, options, discovered, sizeof(discovered), why);
        url = discovered;
    }
    if (err == 0)
        err = get(issuer, options, url, &answer, why);
    if (err < 0)
        return err;
    err = pst_buf_add_str(text, pst_buf_str(&answer.body));
    if (err < 0)
        (void)pst_why_set(why, err, NULL, "out of memory");
    *ret_max_age_s = answer.max_age_s;
    pst_fetch_answer_done(&answer);
    return err;
}

int pst_issuer_keys_get(const struct pst_issuer *issuer, const struct pst_issuer_keys_options *options,
                        struct pst_jwks **ret, struct pst_why *why)
{
    struct pst_buf text;
    int64_t max_age_s;
    pst_buf_init(&text, PST_JWKS_BYTES_MAX + 1);
    int err = pst_issuer_keys_read(issuer, options, &text, &max_age_s, why);
    if (err == 0)
        err = pst_jwks_parse(pst_str_strip_file(pst_buf_str(&text)), &issuer->algorithms, ret, why);
    pst_buf_done(&text);
    return err;
}
