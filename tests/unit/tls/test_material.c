/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/tls/material.h"

#include "certs.h"
#include "postern/base/clock.h"
#include "postern/tls/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct told {
    char text[8192];
    unsigned n, n_warnings;
};

static void tell(void *arg, bool warning, const char *problem)
{
    struct told *told = arg;
    told->n_warnings += warning;
    size_t len = strlen(told->text);
    snprintf(told->text + len, sizeof(told->text) - len, "%s\n", problem);
    told->n++;
}

static char dir[64];
static struct cert ec, rsa, other;

static int set_up_group(void **state)
{
    (void)state;
    cert_make(&(struct cert_spec){.cn = "ec", .dns = {"ec.example"}}, &ec);
    cert_make(&(struct cert_spec){.cn = "rsa", .dns = {"rsa.example"}, .kind = CERTS_RSA}, &rsa);
    cert_make(&(struct cert_spec){.cn = "other", .kind = CERTS_P384}, &other);
    return pst_tls_init();
}

static int tear_down_group(void **state)
{
    (void)state;
    cert_done(&ec);
    cert_done(&rsa);
    cert_done(&other);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    certs_dir_make(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    certs_dir_remove(dir);
    return 0;
}

/* Loads and checks, which must agree; what load made is kept in *ret_material, or freed when that is NULL. */
static int load(const struct pst_tls_files *files, struct told *told, struct pst_tls_material **ret_material)
{
    struct told checked = {.n = 0};
    struct pst_tls_material *material = NULL;
    *told = (struct told){.n = 0};
    int err = pst_tls_material_load(files, tell, told, &material);
    assert_int_equal(pst_tls_material_check(files, tell, &checked), err);
    assert_string_equal(checked.text, told->text);
    assert_true(err == 0 || (err == -PST_EINVAL && told->n >= 1 && material == NULL));
    if (ret_material != NULL)
        *ret_material = material;
    else
        pst_tls_material_unref(material);
    return err;
}

static int load_pair(const char *certificate, const char *key, struct told *told,
                     struct pst_tls_material **ret_material)
{
    char certificate_path[128], key_path[128];
    certs_write(dir, "a.pem", certificate, certificate_path);
    certs_write(dir, "k.pem", key, key_path);
    return load(&(struct pst_tls_files){.certificate = certificate_path, .key = key_path}, told,
                ret_material);
}

static void test_good_pairs(void **state)
{
    (void)state;
    const struct cert *certs[] = {&ec, &rsa, &other};
    for (size_t i = 0; i < 3; i++) {
        struct told told;
        struct pst_tls_material *material;
        struct pst_tls_context *context;
        assert_int_equal(load_pair(certs[i]->certificate, certs[i]->key, &told, &material), 0);
        assert_string_equal(told.text, "");
        assert_false(pst_tls_material_self_signed(material));
        assert_true(strstr(pst_tls_material_path(material), "/a.pem") != NULL);
        int64_t left = pst_tls_material_not_after_us(material) - pst_clock_real_us();
        assert_true(left > 89 * CERTS_DAY * 1000000 && left <= 90 * CERTS_DAY * 1000000);
        assert_int_equal(pst_tls_context_new(PST_TLS_INTERMEDIATE, material, &context), 0);
        pst_tls_material_unref(material); /* the context has its own reference */
        pst_tls_context_free(context);
    }
}

static void test_fingerprint_is_openssl_s(void **state)
{
    (void)state;
    struct told told;
    struct pst_tls_material *material;
    char in[128], out[128], line[256] = "";
    assert_int_equal(load_pair(ec.certificate, ec.key, &told, &material), 0);
    certs_write(dir, "in", ec.certificate, in);
    certs_write(dir, "out", "", out);
    certs_openssl(
        (const char *const[]){"x509", "-in", in, "-noout", "-fingerprint", "-sha256", "-out", out, NULL});
    FILE *file = fopen(out, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    const char *equals = strchr(line, '=');
    assert_non_null(equals);
    assert_int_equal(strlen(pst_tls_material_fingerprint(material)), 95);
    assert_memory_equal(equals + 1, pst_tls_material_fingerprint(material), 95);
    pst_tls_material_unref(material);
}

static void test_bad_pairs(void **state)
{
    (void)state;
    char encrypted[CERTS_PEM_BYTES] = "", plain_path[128], encrypted_path[128], half[CERTS_PEM_BYTES];
    certs_write(dir, "plain", ec.key, plain_path);
    certs_write(dir, "encrypted", "", encrypted_path);
    certs_openssl((const char *const[]){"pkcs8", "-topk8", "-in", plain_path, "-out", encrypted_path,
                                        "-passout", "pass:x", NULL});
    FILE *file = fopen(encrypted_path, "r");
    assert_non_null(file);
    assert_true(fread(encrypted, 1, sizeof(encrypted) - 1, file) > 100);
    fclose(file);
    snprintf(half, sizeof(half), "%.*s", 200, ec.certificate);
    const struct {
        const char *certificate, *key, *words;
    } cases[] = {
        {ec.certificate, other.key, "a.pem holds no certificate that the key belongs to"},
        {ec.certificate, rsa.key, "a.pem holds no certificate that the key belongs to"},
        {rsa.certificate, ec.key, "a.pem holds no certificate that the key belongs to"},
        {ec.certificate, encrypted, "k.pem: the private key is encrypted"},
        {ec.certificate, "", "k.pem is empty"},
        {ec.certificate, "garbage\n", "k.pem is not PEM"},
        {ec.certificate, ec.certificate, "k.pem holds a certificate, but no private key"},
        {"", ec.key, "a.pem is empty"},
        {"garbage\n", ec.key, "a.pem is not PEM"},
        {half, ec.key, "a.pem: the certificate that begins in line 1 has no END line"},
        {ec.key, ec.key, "a.pem holds a private key, but no certificate"},
        {ec.key, ec.certificate, "the two are swapped"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct told told;
        assert_int_equal(load_pair(cases[i].certificate, cases[i].key, &told, NULL), -PST_EINVAL);
        if (strstr(told.text, cases[i].words) == NULL || told.n != 1)
            fail_msg("%zu said: %s", i, told.text);
        assert_null(strstr(told.text, "PRIVATE KEY-----"));
    }
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        int64_t from_s, to_s;
        enum pst_tls_dates dates;
        const char *words;
    } cases[] = {
        {-3600, 90 * CERTS_DAY, PST_TLS_DATES_GOOD, ""},
        {-3600, 14 * CERTS_DAY + 60, PST_TLS_DATES_GOOD, ""},
        {-3600, 14 * CERTS_DAY - 60, PST_TLS_DATES_SOON, "expires soon, at 20"},
        {-3600, 60, PST_TLS_DATES_SOON, "expires soon, at 20"},
        {-3600, -60, PST_TLS_DATES_EXPIRED, "and clients reject it; renew it"},
        {-100 * CERTS_DAY, -10 * CERTS_DAY, PST_TLS_DATES_EXPIRED, "expired at 20"},
        {60, 90 * CERTS_DAY, PST_TLS_DATES_EARLY, "is not valid before 20"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct told told;
        struct cert cert;
        struct pst_tls_material *material;
        cert_make(&(struct cert_spec){.cn = "dated", .from_s = cases[i].from_s, .to_s = cases[i].to_s},
                  &cert);
        assert_int_equal(load_pair(cert.certificate, cert.key, &told, &material),
                         0); /* served, all of them */
        assert_int_equal(told.n, cases[i].words[0] != '\0');
        assert_int_equal(told.n_warnings, told.n);
        assert_non_null(strstr(told.text, cases[i].words));
        assert_int_equal(pst_tls_material_dates(material, pst_clock_real_us()), cases[i].dates);
        pst_tls_material_unref(material);
        cert_done(&cert);
    }
}

struct changes {
    enum pst_tls_dates last;
    unsigned n;
    char text[512];
};

static void on_change(void *arg, enum pst_tls_dates dates, const char *text)
{
    struct changes *changes = arg;
    changes->last = dates;
    changes->n++;
    snprintf(changes->text, sizeof(changes->text), "%s", text);
}

/* Each step in a certificate's life is told once, whichever moments are compared. */
static void test_dates_change(void **state)
{
    (void)state;
    static const struct {
        int64_t before_s, now_s;
        unsigned n;
        enum pst_tls_dates last;
        const char *words;
    } cases[] = {
        {0, 600, 0, 0, ""},
        {0, 3600 + 60, 1, PST_TLS_DATES_GOOD, "a.pem: the certificate is valid now, until 20"},
        {3700, 5000, 0, 0, ""},
        {3700, 20 * CERTS_DAY, 1, PST_TLS_DATES_SOON, "expires soon"},
        {20 * CERTS_DAY, 29 * CERTS_DAY, 0, 0, ""},
        {20 * CERTS_DAY, 31 * CERTS_DAY, 1, PST_TLS_DATES_EXPIRED, "expired at 20"},
        {31 * CERTS_DAY, 60 * CERTS_DAY, 0, 0, ""},
        {60 * CERTS_DAY, 5000, 1, PST_TLS_DATES_GOOD, "is valid now"}, /* the clock was set right */
    };
    struct told told;
    struct cert cert;
    struct pst_tls_material *material;
    int64_t at_us = pst_clock_real_us();
    cert_make(&(struct cert_spec){.cn = "dated", .from_s = 3600, .to_s = 30 * CERTS_DAY}, &cert);
    assert_int_equal(load_pair(cert.certificate, cert.key, &told, &material), 0);
    assert_true(pst_tls_material_not_before_us(material) > at_us);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct changes changes = {.n = 0, .text = ""};
        pst_tls_material_tell_dates(material, at_us + cases[i].before_s * 1000000,
                                    at_us + cases[i].now_s * 1000000, on_change, &changes);
        assert_int_equal(changes.n, cases[i].n);
        assert_non_null(strstr(changes.text, cases[i].words));
        assert_true(changes.n == 0 || changes.last == cases[i].last);
    }
    pst_tls_material_unref(material);
    cert_done(&cert);
}

/* In any order, with text between; what does not belong there is said, and no failure. */
static void test_chain_order(void **state)
{
    (void)state;
    struct told told;
    struct cert ca, leaf;
    char chain[3 * CERTS_PEM_BYTES + 64];
    cert_make(&(struct cert_spec){.cn = "ca"}, &ca);
    cert_make(&(struct cert_spec){.cn = "leaf", .issuer = &ca}, &leaf);
    snprintf(chain, sizeof(chain), "%s%s", leaf.certificate, ca.certificate);
    assert_int_equal(load_pair(chain, leaf.key, &told, NULL), 0);
    snprintf(chain, sizeof(chain), "a comment\n%s\nand another\n%s", leaf.certificate, ca.certificate);
    assert_int_equal(load_pair(chain, leaf.key, &told, NULL), 0);
    snprintf(chain, sizeof(chain), "%s%s%s", ca.certificate, leaf.key, leaf.certificate);
    assert_int_equal(load_pair(chain, chain, &told, NULL), 0); /* all in one file */
    assert_int_equal(told.n, 0);
    snprintf(chain, sizeof(chain), "%s%s", ec.certificate, leaf.certificate);
    assert_int_equal(load_pair(chain, leaf.key, &told, NULL), 0);
    assert_int_equal(told.n, 1);
    assert_non_null(strstr(told.text, "a.pem: 1 certificate is left out: line 1 (ec) does not belong to"));
    snprintf(chain, sizeof(chain), "%s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
             leaf.certificate);
    assert_int_equal(load_pair(chain, leaf.key, &told, NULL), -PST_EINVAL);
    assert_non_null(strstr(told.text, "calls a certificate is none"));
    cert_done(&ca);
    cert_done(&leaf);
}

/* Both files are spoken of, when both must be replaced. */
static void test_unsupported_pair(void **state)
{
    (void)state;
    struct told told;
    char certificate[128], key[128];
    certs_write(dir, "ed.pem", "", certificate);
    certs_write(dir, "ed.key", "", key);
    certs_openssl((const char *const[]){"req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=ed",
                                        "-keyout", key, "-out", certificate, NULL});
    assert_int_equal(load(&(struct pst_tls_files){.certificate = certificate, .key = key}, &told, NULL),
                     -PST_EINVAL);
    assert_int_equal(told.n, 2);
    assert_non_null(
        strstr(told.text, "ed.pem: the certificate in line 1 (ed) is of an unsupported key type (Ed25519)"));
    assert_non_null(strstr(told.text, "ed.key: the private key is of an unsupported key type (Ed25519)"));
}

static void test_what_belongs_together(void **state)
{
    (void)state;
    struct told told;
    char path[128];
    certs_write(dir, "a.pem", ec.certificate, path);
    assert_int_equal(load(&(struct pst_tls_files){.certificate = path}, &told, NULL), -PST_EINVAL);
    assert_non_null(strstr(told.text, "tls_key is missing"));
    assert_int_equal(load(&(struct pst_tls_files){.key = path, .certificate = ""}, &told, NULL), -PST_EINVAL);
    assert_non_null(strstr(told.text, "tls_certificate is missing"));
    assert_int_equal(load(&(struct pst_tls_files){.certificate = path, .key = "/nowhere/k"}, &told, NULL),
                     -PST_EINVAL);
    assert_string_equal(told.text, "/nowhere/k: cannot be read: not found\n");
}

static void test_directory(void **state)
{
    (void)state;
    struct told told;
    struct pst_tls_material *material;
    char path[128];
    const struct pst_tls_files files = {.certificate_dir = dir};
    assert_int_equal(load(&files, &told, NULL), -PST_EINVAL);
    assert_non_null(strstr(told.text, "contains no certificate"));

    certs_write(dir, "b.example.crt", ec.certificate, path);
    certs_write(dir, "b.example.key", ec.key, path);
    certs_write(dir, "README", "not looked at", path);
    certs_mkdir(dir, "a.example");
    certs_write(dir, "a.example/tls.crt", rsa.certificate, path);
    certs_write(dir, "a.example/tls.key", rsa.key, path);
    certs_mkdir(dir, "..data"); /* as Kubernetes mounts a secret */
    certs_write(dir, ".hidden.crt", "not looked at", path);
    assert_int_equal(load(&files, &told, &material), 0);
    assert_string_equal(told.text, "");
    assert_non_null(strstr(pst_tls_material_path(material), "/a.example/tls.crt")); /* the first by name */
    pst_tls_material_unref(material);

    certs_write(dir, "c.crt", "garbage", path);
    certs_write(dir, "c.key", ec.key, path);
    certs_write(dir, "d.crt", other.certificate, path); /* and no key */
    certs_mkdir(dir, "e");
    assert_int_equal(load(&files, &told, NULL), -PST_EINVAL);
    assert_non_null(strstr(told.text, "/c.crt is not PEM"));
    assert_non_null(strstr(told.text, "/d.key: cannot be read: not found"));
    assert_non_null(strstr(told.text, "/e/tls.crt: cannot be read: not found"));
    assert_non_null(strstr(told.text, "/e/tls.key: cannot be read: not found"));
    assert_int_equal(told.n, 4);

    assert_int_equal(load(&(struct pst_tls_files){.certificate_dir = "/nowhere"}, &told, NULL), -PST_EINVAL);
}

static void test_pair_goes_before_directory(void **state)
{
    (void)state;
    struct told told;
    struct pst_tls_material *material;
    char certificate[128], key[128], path[128], more[64];
    struct cert soon;
    cert_make(&(struct cert_spec){.cn = "soon", .from_s = -60, .to_s = 3600}, &soon);
    certs_dir_make(more);
    certs_write(dir, "z.pem", ec.certificate, certificate);
    certs_write(dir, "z.key", ec.key, key);
    certs_write(more, "a.crt", soon.certificate, path);
    certs_write(more, "a.key", soon.key, path);
    const struct pst_tls_files files = {.certificate = certificate, .key = key, .certificate_dir = more};
    assert_int_equal(load(&files, &told, &material), 0);
    assert_non_null(strstr(told.text, "/a.crt: the certificate expires soon"));
    assert_string_equal(pst_tls_material_path(material), certificate);
    /* the first of all to expire, not the default's own */
    assert_true(pst_tls_material_not_after_us(material) - pst_clock_real_us() <= INT64_C(3600) * 1000000);
    pst_tls_material_unref(material);
    certs_dir_remove(more);
    cert_done(&soon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good_pairs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fingerprint_is_openssl_s, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_pairs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dates_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_chain_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unsupported_pair, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_belongs_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pair_goes_before_directory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
