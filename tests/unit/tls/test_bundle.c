/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys in files of every kind: what is taken, in which order it is sent, and what is said of
 * the rest. */
#include "bundle.h"

#include "certs.h"
#include "postern/base/fd.h"
#include "postern/tls/client_trust.h"
#include "postern/tls/context.h"
#include "postern/tls/inspect.h"
#include "postern/tls/material.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_BYTES (8 * CERTS_PEM_BYTES)

static char dir[64];
static struct cert leaf, middle, top; /* a chain */
static struct cert middle_by_other, other_top;
static struct cert stranger;

static int set_up_group(void **state)
{
    (void)state;
    cert_make(&(struct cert_spec){.cn = "Top", .ca = true}, &top);
    cert_make(&(struct cert_spec){.cn = "Other Top", .ca = true}, &other_top);
    cert_make(&(struct cert_spec){.cn = "Middle", .ca = true, .issuer = &top}, &middle);
    cert_make(&(struct cert_spec){.cn = "Middle", .ca = true, .issuer = &other_top, .twin = &middle},
              &middle_by_other);
    cert_make(&(struct cert_spec){.cn = "leaf", .dns = {"leaf.example"}, .issuer = &middle}, &leaf);
    cert_make(&(struct cert_spec){.cn = "Stranger", .ca = true}, &stranger);
    certs_dir_make(dir);
    return pst_tls_init();
}

static int tear_down_group(void **state)
{
    struct cert *const all[] = {&leaf, &middle, &top, &middle_by_other, &other_top, &stranger};
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        cert_done(all[i]);
    certs_dir_remove(dir);
    return 0;
}

static void read_back(const char *path, char text[static CERTS_PEM_BYTES])
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, CERTS_PEM_BYTES - 1, file);
    fclose(file);
    assert_true(n > 0 && n < CERTS_PEM_BYTES - 1);
    text[n] = '\0';
}

static void path_in_dir(const char *name, char path[static 128])
{
    snprintf(path, 128, "%s/%s", dir, name);
}

/* A certificate that openssl makes with a key of such a kind. */
static void make_odd(const char *const *key_words, char certificate[static CERTS_PEM_BYTES],
                     char key[static CERTS_PEM_BYTES])
{
    char certificate_path[128], key_path[128];
    const char *words[24] = {"req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=Odd One", NULL};
    size_t n = 7;
    path_in_dir("odd.crt", certificate_path);
    path_in_dir("odd.key", key_path);
    for (; *key_words != NULL; key_words++)
        words[n++] = *key_words;
    words[n++] = "-keyout";
    words[n++] = key_path;
    words[n++] = "-out";
    words[n++] = certificate_path;
    words[n] = NULL;
    certs_openssl(words);
    read_back(certificate_path, certificate);
    read_back(key_path, key);
}

static int add(const char *text, bool cas, struct tls_left_out *left_out, struct pst_tls_why *why)
{
    mbedtls_x509_crt chain;
    mbedtls_x509_crt_init(&chain);
    *left_out = (struct tls_left_out){.n = 0};
    why->text[0] = '\0';
    int err = tls_bundle_add("b.pem", pst_str_of(text), cas, &chain, left_out, why);
    mbedtls_x509_crt_free(&chain);
    return err;
}

static int read_key(const char *text, struct pst_tls_why *why)
{
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    why->text[0] = '\0';
    int err = tls_key_read("k.pem", pst_str_of(text), &key, why);
    mbedtls_pk_free(&key);
    return err;
}

#define assert_says(text, words)                                                                             \
    do {                                                                                                     \
        if (strstr((text), (words)) == NULL)                                                                 \
            fail_msg("not \"%s\" in: %s", (words), (text));                                                  \
    } while (0)

/* Beside good ones they are left out and named; alone their kind is the reason. */
static void test_unsupported_kinds(void **state)
{
    (void)state;
    char parameters[128];
    path_in_dir("dsa.pem", parameters);
    certs_openssl((const char *const[]){"genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt",
                                        "dsa_paramgen_bits:1024", "-out", parameters, NULL});
    char dsa[160];
    snprintf(dsa, sizeof(dsa), "dsa:%s", parameters);
    const struct {
        const char *words[6];
        const char *kind;
    } cases[] = {
        {{"-newkey", "ed25519"}, "(Ed25519)"},
        {{"-newkey", "ed448"}, "(Ed448)"},
        {{"-newkey", dsa}, "(DSA)"},
        {{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"}, "(EC P-521)"},
        {{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"}, "(EC secp256k1)"},
        {{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}, "(EC brainpoolP256r1)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static char odd[CERTS_PEM_BYTES], key[CERTS_PEM_BYTES], both[TEXT_BYTES];
        struct tls_left_out left_out;
        struct pst_tls_why why;
        char told[1024];
        make_odd(cases[i].words, odd, key);
        assert_int_equal(add(odd, false, &left_out, &why), -PST_EPARSE);
        assert_says(
            why.text,
            "b.pem: no certificate in it can be used: line 1 (Odd One) is of an unsupported key type");
        assert_says(why.text, cases[i].kind);
        assert_int_equal(read_key(key, &why), -PST_EPARSE);
        assert_says(why.text, "k.pem: the private key is of an unsupported key type");
        assert_says(why.text, cases[i].kind);
        for (int cas = 0; cas < 2; cas++) {
            snprintf(both, sizeof(both), "%s%s", top.certificate, odd);
            assert_int_equal(add(both, cas == 1, &left_out, &why), 0);
            assert_int_equal(left_out.n, 1);
            tls_left_out_describe("b.pem", &left_out, told, sizeof(told));
            assert_says(told, "b.pem: 1 certificate is left out: line ");
            assert_says(told, "(Odd One) is of an unsupported key type");
        }
    }
}

static void test_key_of_sec1_names_its_curve(void **state)
{
    (void)state;
    char path[128], text[CERTS_PEM_BYTES];
    struct pst_tls_why why;
    path_in_dir("sec1.key", path);
    certs_openssl((const char *const[]){"ecparam", "-name", "secp521r1", "-genkey", "-out", path, NULL});
    read_back(path, text);
    assert_says(text, "BEGIN EC PRIVATE KEY");
    assert_int_equal(read_key(text, &why), -PST_EPARSE);
    assert_says(why.text, "unsupported key type (EC P-521)");
}

/* A certificate whose key would do and whose signature would not. */
static void test_unsupported_signature(void **state)
{
    (void)state;
    char odd[CERTS_PEM_BYTES], key[CERTS_PEM_BYTES], request[128], key_path[128], out[128], ca[128],
        ca_key[128];
    struct tls_left_out left_out;
    struct pst_tls_why why;
    make_odd((const char *const[]){"-newkey", "ed25519", NULL}, odd, key);
    certs_write(dir, "ed.crt", odd, ca);
    certs_write(dir, "ed.key", key, ca_key);
    certs_write(dir, "by-ed.key", leaf.key, key_path);
    path_in_dir("by-ed.csr", request);
    path_in_dir("by-ed.crt", out);
    certs_openssl(
        (const char *const[]){"req", "-new", "-key", key_path, "-subj", "/CN=by ed", "-out", request, NULL});
    certs_openssl((const char *const[]){"x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key,
                                        "-set_serial", "7", "-out", out, NULL});
    read_back(out, odd);
    assert_int_equal(add(odd, false, &left_out, &why), -PST_EPARSE);
    assert_says(why.text, "line 1 (by ed) is signed with an unsupported algorithm (Ed25519)");
}

/* More than are named are counted. */
static void test_many_left_out(void **state)
{
    (void)state;
    static char text[TEXT_BYTES];
    struct tls_left_out left_out;
    struct pst_tls_why why;
    char told[1024];
    size_t n = (size_t)snprintf(text, sizeof(text), "%s%s", top.certificate, leaf.certificate);
    for (int i = 0; i < 4; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", "-----BEGIN CERTIFICATE-----\n",
                              i % 2 == 0 ? "AAAA\n" : "!\n", "-----END CERTIFICATE-----\n");
    assert_int_equal(add(text, true, &left_out, &why), 0);
    assert_int_equal(left_out.n, 5);
    tls_left_out_describe("b.pem", &left_out, told, sizeof(told));
    assert_says(told, "b.pem: 5 certificates are left out: line ");
    assert_says(told, "(leaf) is not a CA's; line ");
    assert_says(told, "is no certificate; line ");
    assert_says(told, "is not valid base64; and 2 more");
    /* one that is cut off may have been followed by others */
    assert_int_equal(add("-----BEGIN CERTIFICATE-----\nAAAA\n", true, &left_out, &why), -PST_EPARSE);
    assert_says(why.text,
                "b.pem: the certificate that begins in line 1 has no END line: the file is cut off");
}

/* The same text with its lines written another way. */
static void rewrite(const char *text, const char *before, const char *prefix, const char *end, char *out,
                    size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%s", before);
    while (*text != '\0') {
        const char *newline = strchr(text, '\n');
        int len = newline != NULL ? (int)(newline - text) : (int)strlen(text);
        n += (size_t)snprintf(out + n, size - n, "%s%.*s%s", prefix, len, text, end);
        assert_true(n < size);
        text += len + (newline != NULL);
    }
}

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *before, *prefix, *end;
    } forms[] = {
        {"", "", "\n"},
        {"", "", "\r\n"},
        {"", "", "\r"},
        {"\xEF\xBB\xBF", "", "\n"},
        {"\xEF\xBB\xBF", "", " \r\n"},
        {"", "", " \t\n"},
        {"", "    ", "\n"},
        {"", "\t", " \n"},
        {"", "", "\n\n"},
        {"subject=CN = leaf\nissuer=CN = Middle\n-----\n----- BEGIN\n", "", "\n"},
        {"Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n", "", "\n"},
    };
    static char text[4 * CERTS_PEM_BYTES], key[4 * CERTS_PEM_BYTES];
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tls_left_out left_out;
        struct pst_tls_why why;
        rewrite(top.certificate, forms[i].before, forms[i].prefix, forms[i].end, text, sizeof(text));
        if (add(text, true, &left_out, &why) != 0)
            fail_msg("form %zu: %s", i, why.text);
        assert_int_equal(left_out.n, 0);
        rewrite(leaf.key, forms[i].before, forms[i].prefix, forms[i].end, key, sizeof(key));
        if (read_key(key, &why) != 0)
            fail_msg("form %zu: %s", i, why.text);
        key[strlen(key) - strlen(forms[i].end)] = '\0'; /* no end of the last line */
        assert_int_equal(read_key(key, &why), 0);
    }
}

/* Files that hold something else: what it is, and what to do. */
static void test_not_pem(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *certificate, *key;
    } cases[] = {
#define TEXT(s) s, sizeof(s) - 1
        {TEXT(""), "b.pem is empty", "k.pem is empty"},
        {TEXT("\n\n"), "b.pem is not PEM: it has no -----BEGIN line",
         "k.pem is not PEM: it has no -----BEGIN line"},
        {TEXT("\xFF\xFE-\0-\0"), "b.pem is UTF-16 text", "k.pem is UTF-16 text"},
        {TEXT("\xFE\xED\xFE\xED\0\0\0\2"), "b.pem is a Java key store", "k.pem is a Java key store"},
        {TEXT("-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n"),
         "b.pem is not PEM: it has \"\\n\" written out", "k.pem is not PEM: it has \"\\n\" written out"},
        {TEXT("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"),
         "b.pem holds a certificate request, but no certificate", "but no private key"},
        {TEXT("-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n"), "openssl pkcs7 -print_certs",
         "PKCS#7 bundle"},
        {TEXT("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
         "b.pem holds a public key, but no", "k.pem holds a public key, but no private key"},
        {TEXT("-----BEGIN ODD THING-----\nAAAA\n-----END ODD THING-----\n"),
         "holds a PEM block \"ODD THING\"", "holds a PEM block \"ODD THING\""},
        {TEXT("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"),
         "b.pem holds a private key, but no certificate", "ssh-keygen -p -m PEM"},
        {TEXT("-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n"),
         "holds a private key", "unsupported key type (DSA)"},
        {TEXT("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n"
              "-----END RSA PRIVATE KEY-----\n"),
         "holds a private key", "the private key is encrypted"},
        {TEXT("-----BEGIN PRIVATE KEY-----\nAAAA\n"), "holds a private key",
         "has no END line: the file is cut off"},
        {TEXT("-----BEGIN PRIVATE KEY-----\nA?AA\n-----END PRIVATE KEY-----\n"), "holds a private key",
         "the private key is not valid base64"},
        {TEXT("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "holds a private key",
         "the private key cannot be read ("},
#undef TEXT
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pst_str text = {cases[i].bytes, cases[i].len};
        struct tls_left_out left_out;
        struct pst_tls_why why;
        mbedtls_x509_crt chain;
        mbedtls_pk_context key;
        mbedtls_x509_crt_init(&chain);
        mbedtls_pk_init(&key);
        assert_int_equal(tls_bundle_add("b.pem", text, false, &chain, &left_out, &why), -PST_EPARSE);
        assert_says(why.text, cases[i].certificate);
        assert_int_equal(tls_chain_read("b.pem", text, NULL, &chain, &left_out, &why), -PST_EPARSE);
        assert_says(why.text, cases[i].certificate);
        assert_int_equal(tls_key_read("k.pem", text, &key, &why), -PST_EPARSE);
        assert_says(why.text, cases[i].key);
        mbedtls_x509_crt_free(&chain);
        mbedtls_pk_free(&key);
    }
}

/* What openssl writes in other forms. */
static void test_other_forms(void **state)
{
    (void)state;
    char certificate[128], key[128], out[128];
    static const struct {
        const char *words[12]; /* with CRT, KEY and OUT for the paths */
        const char *of_certificate, *of_key;
    } cases[] = {
        {{"x509", "-in", "CRT", "-outform", "der", "-out", "OUT"},
         "is a certificate in DER form, not PEM; convert it with openssl x509 -inform der",
         "is a certificate in DER"},
        {{"pkey", "-in", "KEY", "-outform", "der", "-out", "OUT"},
         "is a private key in DER form",
         "is a private key in DER form, not PEM; convert it with openssl pkey -inform der"},
        {{"ec", "-in", "KEY", "-outform", "der", "-out", "OUT"},
         "is a private key in DER form",
         "in DER form"},
        {{"pkcs12", "-export", "-in", "CRT", "-inkey", "KEY", "-passout", "pass:x", "-out", "OUT"},
         "is a PKCS#12 archive (.pfx, .p12), not PEM",
         "openssl pkcs12 -nodes"},
        {{"crl2pkcs7", "-nocrl", "-certfile", "CRT", "-outform", "der", "-out", "OUT"},
         "is a PKCS#7 bundle (.p7b) in DER form",
         "is a PKCS#7 bundle"},
        {{"pkcs8", "-topk8", "-in", "KEY", "-passout", "pass:x", "-out", "OUT"},
         "holds a private key, but no",
         "the private key is encrypted"},
        {{"ec", "-in", "KEY", "-aes128", "-passout", "pass:x", "-out", "OUT"},
         "holds a private key, but no",
         "the private key is encrypted"},
    };
    certs_write(dir, "form.crt", leaf.certificate, certificate);
    certs_write(dir, "form.key", leaf.key, key);
    path_in_dir("form.out", out);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *words[12] = {NULL};
        struct tls_left_out left_out;
        struct pst_tls_why why;
        struct pst_buf text;
        mbedtls_x509_crt chain;
        mbedtls_pk_context pk;
        for (size_t w = 0; cases[i].words[w] != NULL; w++) {
            const char *word = cases[i].words[w];
            words[w] = strcmp(word, "CRT") == 0   ? certificate
                       : strcmp(word, "KEY") == 0 ? key
                       : strcmp(word, "OUT") == 0 ? out
                                                  : word;
        }
        certs_openssl(words);
        mbedtls_x509_crt_init(&chain);
        mbedtls_pk_init(&pk);
        assert_int_equal(pst_file_read(out, TEXT_BYTES, &text), 0);
        assert_int_equal(tls_bundle_add("b", pst_buf_str(&text), false, &chain, &left_out, &why),
                         -PST_EPARSE);
        assert_says(why.text, cases[i].of_certificate);
        assert_int_equal(tls_key_read("k", pst_buf_str(&text), &pk, &why), -PST_EPARSE);
        assert_says(why.text, cases[i].of_key);
        pst_buf_done(&text);
        mbedtls_x509_crt_free(&chain);
        mbedtls_pk_free(&pk);
    }
}

/* Chains */

/* Reads the parts in that order for the leaf's key (or none), and says in which order they are sent: the
 * names' first letters, and of Middle who signed it. */
static int order_of(const struct cert *const *parts, const struct cert *owner, char *ret_order, size_t size,
                    struct tls_left_out *left_out, struct pst_tls_why *why)
{
    static char text[TEXT_BYTES];
    size_t n = 0, used = 0;
    mbedtls_x509_crt chain;
    mbedtls_x509_crt_init(&chain);
    *left_out = (struct tls_left_out){.n = 0};
    why->text[0] = ret_order[0] = text[0] = '\0';
    for (; *parts != NULL; parts++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", (*parts)->certificate);
    int err =
        tls_chain_read("c.pem", pst_str_of(text), owner != NULL ? &owner->pk : NULL, &chain, left_out, why);
    for (const mbedtls_x509_crt *it = &chain; err == 0 && it != NULL; it = it->next) {
        char subject[128], issuer[128];
        assert_true(mbedtls_x509_dn_gets(subject, sizeof(subject), &it->subject) > 0);
        assert_true(mbedtls_x509_dn_gets(issuer, sizeof(issuer), &it->issuer) > 0);
        used += (size_t)snprintf(ret_order + used, size - used, "%s%s<%s", used > 0 ? " " : "", subject + 3,
                                 issuer + 3);
    }
    mbedtls_x509_crt_free(&chain);
    return err;
}

static void test_chain_in_any_order(void **state)
{
    (void)state;
    const struct cert *const parts[] = {&leaf, &middle, &top};
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < 6; i++) {
        const struct cert *const permuted[] = {parts[orders[i][0]], parts[orders[i][1]], parts[orders[i][2]],
                                               parts[orders[i][0]], NULL}; /* one is there twice */
        for (int with_key = 0; with_key < 2; with_key++) {
            char order[256];
            struct tls_left_out left_out;
            struct pst_tls_why why;
            assert_int_equal(
                order_of(permuted, with_key ? &leaf : NULL, order, sizeof(order), &left_out, &why), 0);
            assert_string_equal(order, "leaf<Middle Middle<Top Top<Top");
            assert_int_equal(left_out.n, 0);
        }
    }
}

static void test_cross_signed(void **state)
{
    (void)state;
    char order[256];
    struct tls_left_out left_out;
    struct pst_tls_why why;
    const struct cert *const parts[] = {&other_top, &middle_by_other, &stranger, &top, &middle, &leaf, NULL};
    assert_int_equal(order_of(parts, &leaf, order, sizeof(order), &left_out, &why), 0);
    assert_string_equal(order, "leaf<Middle Middle<Other Top Other Top<Other Top Middle<Top Top<Top");
    assert_int_equal(left_out.n, 1);
    assert_says(left_out.text, "(Stranger) does not belong to the chain");
}

/* Of a root, the certificate that another root made for it comes first. */
static void test_cross_signed_root(void **state)
{
    (void)state;
    struct cert crossed;
    char order[256];
    struct tls_left_out left_out;
    struct pst_tls_why why;
    cert_make(&(struct cert_spec){.cn = "Top", .ca = true, .issuer = &other_top, .twin = &top}, &crossed);
    const struct cert *const parts[] = {&top, &crossed, &other_top, &middle, &leaf, NULL};
    assert_int_equal(order_of(parts, &leaf, order, sizeof(order), &left_out, &why), 0);
    assert_string_equal(order, "leaf<Middle Middle<Top Top<Other Top Other Top<Other Top Top<Top");
    assert_int_equal(left_out.n, 0);
    cert_done(&crossed);
}

/* A CA that kept its name when it changed its key: the key identifiers tell which one signed. */
static void test_ca_with_two_keys(void **state)
{
    (void)state;
    struct cert renamed;
    char order[256];
    struct tls_left_out left_out;
    struct pst_tls_why why;
    cert_make(&(struct cert_spec){.cn = "Middle", .ca = true, .issuer = &other_top}, &renamed);
    const struct cert *const parts[] = {&leaf, &renamed, &middle, NULL};
    assert_int_equal(order_of(parts, &leaf, order, sizeof(order), &left_out, &why), 0);
    assert_string_equal(order, "leaf<Middle Middle<Top");
    assert_int_equal(left_out.n, 1);
    cert_done(&renamed);
}

static void test_key_chooses(void **state)
{
    (void)state;
    struct cert old, now;
    char order[256];
    struct tls_left_out left_out;
    struct pst_tls_why why;
    cert_make(
        &(struct cert_spec){.cn = "old", .issuer = &middle, .from_s = -9 * CERTS_DAY, .to_s = -CERTS_DAY},
        &old);
    cert_make(&(struct cert_spec){.cn = "now", .issuer = &middle, .twin = &old}, &now);
    const struct cert *const renewed[] = {&old, &leaf, &now, &middle, NULL};
    assert_int_equal(order_of(renewed, &now, order, sizeof(order), &left_out, &why), 0);
    assert_string_equal(order, "now<Middle Middle<Top");
    assert_int_equal(left_out.n, 2);
    const struct cert *const without[] = {&middle, &top, NULL};
    assert_int_equal(order_of(without, &leaf, order, sizeof(order), &left_out, &why), -PST_EINVAL);
    assert_string_equal(why.text, "c.pem holds no certificate that the key belongs to");
    cert_done(&old);
    cert_done(&now);
}

/* An intermediate that mbedTLS cannot read is sent all the same: clients may know what to do with it. */
static void test_unread_intermediate(void **state)
{
    (void)state;
    static char text[TEXT_BYTES], ca_text[CERTS_PEM_BYTES], key[CERTS_PEM_BYTES], own[CERTS_PEM_BYTES];
    char request[128], key_path[128], out[128], ca[128], ca_key[128];
    struct tls_left_out left_out;
    struct pst_tls_why why;
    mbedtls_x509_crt chain;
    make_odd((const char *const[]){"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521", NULL}, ca_text,
             key);
    certs_write(dir, "odd-ca.crt", ca_text, ca);
    certs_write(dir, "odd-ca.key", key, ca_key);
    certs_write(dir, "by-odd.key", leaf.key, key_path);
    path_in_dir("by-odd.csr", request);
    path_in_dir("by-odd.crt", out);
    certs_openssl(
        (const char *const[]){"req", "-new", "-key", key_path, "-subj", "/CN=by odd", "-out", request, NULL});
    certs_openssl((const char *const[]){"x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key,
                                        "-set_serial", "7", "-out", out, NULL});
    read_back(out, own);
    snprintf(text, sizeof(text), "%s%s%s", ca_text, stranger.certificate, own);
    mbedtls_x509_crt_init(&chain);
    assert_int_equal(tls_chain_read("c.pem", pst_str_of(text), &leaf.pk, &chain, &left_out, &why), 0);
    assert_true(tls_chain_is_read(&chain));
    assert_non_null(chain.next);
    assert_false(tls_chain_is_read(chain.next));
    assert_true(chain.next->raw.len > 100);
    assert_null(chain.next->next);
    assert_int_equal(left_out.n, 1);
    mbedtls_x509_crt_free(&chain);

    /* As doctor sees it. */
    static struct pst_tls_inspection seen;
    certs_write(dir, "c.pem", text, out);
    assert_int_equal(pst_tls_inspect_file(out, NULL, &seen, &why), 0);
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.chain[0].subject, "CN=by odd");
    assert_string_equal(seen.chain[1].subject, "Odd One");
    assert_true(seen.all_signed && seen.reaches && !seen.weak);
}

static void test_inspection(void **state)
{
    (void)state;
    static char text[TEXT_BYTES];
    static struct pst_tls_inspection seen;
    struct pst_tls_why why;
    struct cert impostor;
    char path[128];
    snprintf(text, sizeof(text), "%s%s%s", middle_by_other.certificate, middle.certificate, leaf.certificate);
    certs_write(dir, "i.pem", text, path);
    assert_int_equal(pst_tls_inspect_file(path, NULL, &seen, &why), 0);
    assert_int_equal(seen.n, 3);
    assert_string_equal(seen.chain[0].subject, "CN=leaf");
    assert_string_equal(seen.chain[seen.last].issuer, "CN=Other Top");
    assert_true(seen.all_signed && !seen.reaches);

    /* It has the name, and where there are no key identifiers nothing else tells, and did not sign. */
    cert_make(&(struct cert_spec){.cn = "Middle", .ca = true, .no_key_ids = true}, &impostor);
    snprintf(text, sizeof(text), "%s%s", leaf.certificate, impostor.certificate);
    certs_write(dir, "i.pem", text, path);
    assert_int_equal(pst_tls_inspect_file(path, NULL, &seen, &why), 0);
    assert_false(seen.all_signed);
    assert_int_equal(seen.strange, 1);
    cert_done(&impostor);

    snprintf(text, sizeof(text), "%s%s%s", top.certificate, stranger.certificate, other_top.certificate);
    certs_write(dir, "i.pem", text, path);
    assert_int_equal(pst_tls_inspect_bundle(path, &seen, &why), 0);
    assert_int_equal(seen.n, 3);
}

/* Lists and bundles behind the public face */

static void test_client_trust(void **state)
{
    (void)state;
    static char text[TEXT_BYTES], odd[CERTS_PEM_BYTES], key[CERTS_PEM_BYTES];
    char ca[128], crl[128];
    struct pst_client_trust *trust = NULL;
    struct pst_tls_why why;
    make_odd((const char *const[]){"-newkey", "ed25519", NULL}, odd, key);
    snprintf(text, sizeof(text), "%s%s%s", odd, top.certificate, leaf.certificate);
    certs_write(dir, "ca.pem", text, ca);
    struct pst_client_trust_options options = {.ca = ca, .crl = "", .max_depth = 2};
    assert_int_equal(pst_client_trust_load(&options, &trust, &why), 0);
    assert_says(pst_client_trust_left_out(trust),
                "ca.pem: 2 certificates are left out: line 1 (Odd One) is of an");
    assert_says(pst_client_trust_left_out(trust), "(leaf) is not a CA's");
    pst_client_trust_unref(trust);

    static const struct {
        const char *text, *words;
    } lists[] = {
        {"", "crl.pem is empty"},
        {"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
         "the revocation list in line 1 cannot be used ("},
        {"-----BEGIN X509 CRL-----\nAAAA\n", "in line 1 has no END line"},
        {"-----BEGIN X509 CRL-----\n?\n-----END X509 CRL-----\n", "in line 1 is not valid base64"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
         "crl.pem holds a certificate, but no certificate revocation list"},
    };
    options.crl = crl;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        certs_write(dir, "crl.pem", lists[i].text, crl);
        assert_int_equal(pst_client_trust_load(&options, &trust, &why), -PST_EPARSE);
        assert_says(why.text, lists[i].words);
    }
}

static void test_roots(void **state)
{
    (void)state;
    static char text[TEXT_BYTES], odd[CERTS_PEM_BYTES], key[CERTS_PEM_BYTES];
    char path[128];
    struct pst_tls_roots *roots = NULL;
    struct pst_tls_why why;
    make_odd((const char *const[]){"-newkey", "ed448", NULL}, odd, key);
    snprintf(text, sizeof(text), "%s%s", odd, top.certificate);
    certs_write(dir, "roots.pem", text, path);
    assert_int_equal(pst_tls_roots_load(path, &roots, &why), 0);
    assert_says(pst_tls_roots_left_out(roots),
                "roots.pem: 1 certificate is left out: line 1 (Odd One) is of an");
    pst_tls_roots_free(roots);
    certs_write(dir, "roots.pem", odd, path);
    assert_int_equal(pst_tls_roots_load(path, &roots, &why), -PST_EINVAL);
    assert_says(why.text,
                "no certificate in it can be used: line 1 (Odd One) is of an unsupported key type (Ed448)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unsupported_kinds),
        cmocka_unit_test(test_key_of_sec1_names_its_curve),
        cmocka_unit_test(test_unsupported_signature),
        cmocka_unit_test(test_many_left_out),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_not_pem),
        cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_chain_in_any_order),
        cmocka_unit_test(test_cross_signed),
        cmocka_unit_test(test_cross_signed_root),
        cmocka_unit_test(test_ca_with_two_keys),
        cmocka_unit_test(test_key_chooses),
        cmocka_unit_test(test_unread_intermediate),
        cmocka_unit_test(test_inspection),
        cmocka_unit_test(test_client_trust),
        cmocka_unit_test(test_roots),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
