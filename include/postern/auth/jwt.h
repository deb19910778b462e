/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Tokens (RFC 7519) in the compact form of JWS (RFC 7515), read as RFC 8725 advises: strictly, and
 * with nothing decided by the token that the key or the configuration has to decide. To check one:
 *
 *     pst_jwt_parse()            what it says, nothing of it proved
 *     → choose the key           by issuer and kid; the key says which algorithm is its
 *     → pst_jws_verify()         the signature
 *     → pst_jwt_check_times(), pst_jwt_is_for(), the issuer
 *
 * Refused: more than 8 KiB; anything but three parts of canonical base64url; names that come twice, JSON that
 * is nested deeply; "none", HMAC and unknown algorithms; crit, b64, cty, enc, zip (extensions, nested and
 * encrypted tokens); a typ of another kind of token; a token that never expires. Ignored: jku, x5u, jwk, x5c
 * - a token does not bring its own key.
 *
 * Any thread; a parsed token belongs to one. */
#ifndef POSTERN_AUTH_JWT_H
#define POSTERN_AUTH_JWT_H

#include "postern/base/buf.h"
#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/crypto/signature.h"

#include <stdbool.h>
#include <stdint.h>

struct json_t; /* jansson's */

/* Characters of a token. Entra ID puts up to 200 groups into one, which makes 11.6 KB with its other claims.
 */
#define PST_JWT_MAX     16384
#define PST_JWT_KID_MAX 128

enum pst_jwt_verdict {
    PST_JWT_OK,
    PST_JWT_TOO_LONG,
    PST_JWT_PARTS,     /* not three parts */
    PST_JWT_BASE64,    /* a part is not canonical base64url */
    PST_JWT_HEADER,    /* the header is not a JSON object as it should be */
    PST_JWT_ALG,       /* no algorithm, or none that is known */
    PST_JWT_EXTENSION, /* crit or b64 */
    PST_JWT_NESTED,    /* cty, enc or zip */
    PST_JWT_TYPE,      /* another kind of token */
    PST_JWT_KID,       /* a kid that is no text of 1 to 128 characters */
    PST_JWT_CLAIMS,    /* the claims are not a JSON object as it should be */
    PST_JWT_CLAIM,     /* iss, sub, aud, exp, nbf or iat of the wrong type; no exp */
    PST_JWT_NO_KEY,    /* no key of that kid, or several without one */
    PST_JWT_KEY_ALG,   /* its algorithm is not the key's */
    PST_JWT_SIGNATURE,
    PST_JWT_EXPIRED,
    PST_JWT_NOT_YET, /* nbf or iat are in the future */
    PST_JWT_ISSUER,
    PST_JWT_AUDIENCE,
    PST_JWT_NO_KEYS_YET, /* these two of pst_oidc_check() only: its issuer's keys could not be had so far */
    PST_JWT_NO_RULE,     /* it is good, but no rule says which key it stands for */
    PST_JWT_VERDICTS
};

/* A sentence for the log, which begins with "the token". Static. */
const char *pst_jwt_verdict_text(enum pst_jwt_verdict verdict);

/* What is signed (RFC 7515), its signature, and the header's part of it. */
struct pst_jws {
    enum pst_signature_alg alg;
    struct pst_str kid;    /* empty: none; in `header` */
    struct pst_str input;  /* the bytes that are signed; a slice of the token */
    struct json_t *header; /* owned */
    size_t payload_len;
    size_t signature_len;
    uint8_t payload[PST_JWT_MAX * 3 / 4];
    uint8_t signature[PST_SIGNATURE_MAX];
};

struct pst_jwt {
    struct pst_jws jws;
    struct json_t *claims; /* owned */
    struct pst_str issuer; /* these two in `claims`; empty when not there */
    struct pst_str subject;
    int64_t expires_s;    /* since 1970, rounded to the stricter second; always there */
    int64_t not_before_s; /* INT64_MIN: not there, as for the next */
    int64_t issued_s;
};

/* Takes a JWS apart without asking what its payload is. On OK done() ends it, and it points into `text`;
 * otherwise nothing in `ret` is to be used. */
enum pst_jwt_verdict pst_jws_parse(struct pst_str text, struct pst_jws *ret) PST_MUSTCHECK;
void pst_jws_done(struct pst_jws *jws);
/* OK, KEY_ALG or SIGNATURE. `alg` is the algorithm of the key, from wherever the key is from. */
enum pst_jwt_verdict pst_jws_verify(const struct pst_jws *jws, enum pst_signature_alg alg,
                                    const struct pst_verify_key *key) PST_MUSTCHECK;

/* The same with a payload of claims. Nothing is proved by it. */
enum pst_jwt_verdict pst_jwt_parse(struct pst_str text, struct pst_jwt *ret) PST_MUSTCHECK;
void pst_jwt_done(struct pst_jwt *jwt);
/* OK, EXPIRED or NOT_YET, with so much tolerance of clocks that differ. */
enum pst_jwt_verdict pst_jwt_check_times(const struct pst_jwt *jwt, int64_t now_s,
                                         int64_t leeway_s) PST_MUSTCHECK;
/* Whether `audience` is, byte for byte, its aud or one of them. */
bool pst_jwt_is_for(const struct pst_jwt *jwt, struct pst_str audience);

/* Whether a credential has a token's shape: three parts of base64url, the first of which begins as a JSON
 * object does. To tell tokens from keys; says nothing about its worth. */
bool pst_jwt_is_shaped(struct pst_str text);

/* Makes a signed token: {"alg":"ES256","typ":"JWT","kid":…} and `claims`, which are the caller's, appended to
 * `out`. 0, -PST_EIO (no random bytes), -PST_ENOMEM, -PST_ELIMIT (longer than PST_JWT_MAX, or `out` is full).
 */
int pst_jwt_make(const struct pst_sign_key *key, struct pst_str kid, const struct json_t *claims,
                 struct pst_buf *out) PST_MUSTCHECK;

#endif
