/* SPDX-License-Identifier: Apache-2.0 */
#include "outline.h"

#include <mbedtls/asn1.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509.h>
#include <stdio.h>

#define OID_TEXT 96
/* Context-specific tag [0]: a certificate's version, a SEC 1 key's parameters. */
#define EXPLICIT_0 (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED)

/* Algorithms and curves that are met and not supported; any other is told by its number. */
static const struct {
    const char *oid, *name;
} kinds[] = {
    {"1.3.101.112", "Ed25519"},
    {"1.3.101.113", "Ed448"},
    {"1.3.101.110", "X25519"},
    {"1.3.101.111", "X448"},
    {"1.2.840.10040.4.1", "DSA"},
    {"1.2.840.10040.4.3", "DSA with SHA-1"},
    {"2.16.840.1.101.3.4.3.1", "DSA with SHA-224"},
    {"2.16.840.1.101.3.4.3.2", "DSA with SHA-256"},
    {"1.2.840.113549.1.1.4", "RSA with MD5"},
    {"1.2.840.113549.1.1.10", "RSA-PSS"},
    {"2.16.840.1.101.3.4.3.17", "ML-DSA-44"},
    {"2.16.840.1.101.3.4.3.18", "ML-DSA-65"},
    {"2.16.840.1.101.3.4.3.19", "ML-DSA-87"},
    {"1.3.132.0.35", "EC P-521"},
    {"1.3.132.0.33", "EC P-224"},
    {"1.3.132.0.10", "EC secp256k1"},
    {"1.2.840.10045.3.1.1", "EC P-192"},
    {"1.3.36.3.3.2.8.1.1.7", "EC brainpoolP256r1"},
    {"1.3.36.3.3.2.8.1.1.11", "EC brainpoolP384r1"},
    {"1.3.36.3.3.2.8.1.1.13", "EC brainpoolP512r1"},
    {"1.2.156.10197.1.301", "SM2"},
};

static const char *const supported_keys[] = {"1.2.840.113549.1.1.1", "1.2.840.10045.2.1"};
static const char *const supported_curves[] = {"1.2.840.10045.3.1.7", "1.3.132.0.34"};
#define EC_KEY "1.2.840.10045.2.1"

/* A place in DER, moved on by what is taken. */
struct cursor {
    unsigned char *p, *end;
};

static struct cursor cursor_of(struct pst_str der)
{
    unsigned char *p = (unsigned char *)(uintptr_t)der.p;
    return (struct cursor){p, p != NULL ? p + der.len : NULL};
}

static bool take(struct cursor *at, int tag, struct cursor *ret_inside)
{
    size_t len = 0;
    if (at->p == NULL || mbedtls_asn1_get_tag(&at->p, at->end, &len, tag) != 0)
        return false;
    *ret_inside = (struct cursor){at->p, at->p + len};
    at->p += len;
    return true;
}

static bool take_sequence(struct cursor *at, struct cursor *ret_inside)
{
    return take(at, MBEDTLS_ASN1_SEQUENCE | MBEDTLS_ASN1_CONSTRUCTED, ret_inside);
}

static struct pst_str inside_of(struct cursor at)
{
    return (struct pst_str){(const char *)at.p, (size_t)(at.end - at.p)};
}

/* An AlgorithmIdentifier; its parameters where they are an object identifier. */
static bool take_algorithm(struct cursor *at, struct pst_str *ret_oid, struct pst_str *ret_parameters)
{
    struct cursor algorithm, oid, parameters;
    if (!take_sequence(at, &algorithm) || !take(&algorithm, MBEDTLS_ASN1_OID, &oid))
        return false;
    *ret_oid = inside_of(oid);
    *ret_parameters = take(&algorithm, MBEDTLS_ASN1_OID, &parameters) ? inside_of(parameters) : PST_STR("");
    return true;
}

/* With its head, as it is compared. */
static bool take_name(struct cursor *at, struct pst_str *ret_name)
{
    struct cursor inside;
    const char *begin = (const char *)at->p;
    if (!take_sequence(at, &inside))
        return false;
    *ret_name = (struct pst_str){begin, (size_t)((const char *)inside.end - begin)};
    return true;
}

int tls_outline_read(struct pst_str der, struct tls_outline *ret_outline)
{
    struct cursor at = cursor_of(der), certificate, tbs, skipped, key;
    struct tls_outline outline;
    struct pst_str none;
    if (!take_sequence(&at, &certificate) || !take_sequence(&certificate, &tbs))
        return -PST_EPARSE;
    (void)take(&tbs, EXPLICIT_0, &skipped); /* the version: not there in the first */
    bool whole = take(&tbs, MBEDTLS_ASN1_INTEGER, &skipped) &&
                 take_algorithm(&tbs, &outline.signature, &none) && take_name(&tbs, &outline.issuer) &&
                 take_sequence(&tbs, &skipped) && take_name(&tbs, &outline.subject) &&
                 take_sequence(&tbs, &key) && take_algorithm(&key, &outline.key, &outline.curve);
    if (!whole)
        return -PST_EPARSE;
    *ret_outline = outline;
    return 0;
}

static void clip_printable(struct pst_str value, char *text, size_t size)
{
    pst_str_clip(value, text, size);
    for (char *p = text; *p != '\0'; p++)
        *p = *p < ' ' || *p > '~' ? '?' : *p;
}

void tls_outline_name(const struct tls_outline *outline, char *ret_text, size_t size)
{
    struct cursor at = cursor_of(outline->subject), name, set, pair, oid;
    pst_str_clip(PST_STR("?"), ret_text, size);
    if (!take_sequence(&at, &name))
        return;
    while (take(&name, MBEDTLS_ASN1_SET | MBEDTLS_ASN1_CONSTRUCTED, &set)) {
        size_t len = 0;
        if (!take_sequence(&set, &pair) || !take(&pair, MBEDTLS_ASN1_OID, &oid) || pair.p >= pair.end)
            continue;
        pair.p++; /* whichever string it is */
        if (mbedtls_asn1_get_len(&pair.p, pair.end, &len) != 0)
            continue;
        clip_printable((struct pst_str){(const char *)pair.p, len}, ret_text, size);
        if (pst_str_eq(inside_of(oid), PST_STR(MBEDTLS_OID_AT_CN)))
            return;
    }
}

static void oid_text(struct pst_str oid, char text[static OID_TEXT])
{
    const mbedtls_asn1_buf buf = {
        .tag = MBEDTLS_ASN1_OID, .len = oid.len, .p = (unsigned char *)(uintptr_t)oid.p};
    if (oid.len == 0 || mbedtls_oid_get_numeric_string(text, OID_TEXT, &buf) < 0)
        pst_str_clip(PST_STR("unknown"), text, OID_TEXT);
}

static void kind_of(const char *oid, char *text, size_t size)
{
    const char *name = oid;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].oid, oid) == 0)
            name = kinds[i].name;
    }
    pst_str_clip(pst_str_of(name), text, size);
}

static bool is_among(const char *const *list, size_t n, const char *oid)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], oid) == 0)
            return true;
    }
    return false;
}

#define IS_AMONG(list, oid) is_among(list, sizeof(list) / sizeof((list)[0]), oid)

/* Of a key's algorithm and curve. EC keys may have their curve written out instead of named: that is for
 * mbedTLS to judge. */
static bool is_unsupported_key(struct pst_str key, struct pst_str curve, char *kind, size_t size)
{
    char oid[OID_TEXT];
    oid_text(key, oid);
    bool is_ec = strcmp(oid, EC_KEY) == 0;
    if (!IS_AMONG(supported_keys, oid)) {
        kind_of(oid, kind, size);
        return true;
    }
    if (!is_ec || curve.len == 0)
        return false;
    oid_text(curve, oid);
    kind_of(oid, kind, size);
    return !IS_AMONG(supported_curves, oid);
}

/* What mbedTLS cannot put a name to is an error whose upper part says so. */
static bool is_error(int mbedtls_error, int kind)
{
    return -(-mbedtls_error & 0xff80) == kind;
}

void tls_outline_problem(const struct tls_outline *outline, int mbedtls_error, char *ret_text, size_t size)
{
    char kind[OID_TEXT], oid[OID_TEXT], why[128];
    if (is_unsupported_key(outline->key, outline->curve, kind, sizeof(kind))) {
        snprintf(ret_text, size, "is of an unsupported key type (%s)", kind);
        return;
    }
    if (is_error(mbedtls_error, MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG)) {
        oid_text(outline->signature, oid);
        kind_of(oid, kind, sizeof(kind));
        snprintf(ret_text, size, "is signed with an unsupported algorithm (%s)", kind);
        return;
    }
    if (is_error(mbedtls_error, MBEDTLS_ERR_X509_INVALID_EXTENSIONS)) {
        snprintf(ret_text, size, "has an extension that is not supported, or not valid");
        return;
    }
    mbedtls_strerror(mbedtls_error, why, sizeof(why));
    snprintf(ret_text, size, "cannot be used (%s)", why);
}

/* RFC 5958: version, algorithm, key. RFC 5915: version 1, key, [0] the curve. */
bool tls_private_key_is_unsupported(struct pst_str der, char *ret_kind, size_t size)
{
    struct cursor at = cursor_of(der), key, skipped, parameters, oid;
    struct pst_str algorithm, curve = PST_STR("");
    if (!take_sequence(&at, &key) || !take(&key, MBEDTLS_ASN1_INTEGER, &skipped))
        return false;
    struct cursor sec1 = key;
    if (take_algorithm(&key, &algorithm, &curve))
        return is_unsupported_key(algorithm, curve, ret_kind, size);
    if (!take(&sec1, MBEDTLS_ASN1_OCTET_STRING, &skipped) || !take(&sec1, EXPLICIT_0, &parameters) ||
        !take(&parameters, MBEDTLS_ASN1_OID, &oid))
        return false;
    return is_unsupported_key(PST_STR(MBEDTLS_OID_EC_ALG_UNRESTRICTED), inside_of(oid), ret_kind, size);
}

/* A PFX is version 3, then a ContentInfo; a certificate collection is a ContentInfo alone. */
enum tls_der tls_der_kind(struct pst_str file)
{
    struct cursor at = cursor_of(file), whole, inside, part;
    struct tls_outline outline;
    struct pst_str oid, none;
    if (!take_sequence(&at, &whole))
        return TLS_DER_NONE;
    if (tls_outline_read(file, &outline) == 0)
        return TLS_DER_CERTIFICATE;
    inside = whole;
    if (take(&inside, MBEDTLS_ASN1_OID, &part))
        return TLS_DER_PKCS7;
    if (!take(&inside, MBEDTLS_ASN1_INTEGER, &part))
        return TLS_DER_OTHER;
    struct cursor algorithm = inside;
    if (part.end - part.p == 1 && part.p[0] == 3 && take_algorithm(&algorithm, &oid, &none))
        return TLS_DER_PKCS12;
    bool is_key = take(&inside, MBEDTLS_ASN1_OCTET_STRING, &part) || take_algorithm(&inside, &oid, &none) ||
                  take(&inside, MBEDTLS_ASN1_INTEGER, &part);
    return is_key ? TLS_DER_PRIVATE_KEY : TLS_DER_OTHER;
}
