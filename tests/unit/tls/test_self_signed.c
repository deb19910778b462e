/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate that is made when there is none. */
#include "certs.h"
#include "postern/tls/context.h"
#include "postern/tls/material.h"

#include <mbedtls/x509_crt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static char certificate_path[128], key_path[128];
static char last_problem[1024];

static void tell(void *arg, bool warning, const char *problem)
{
    (void)arg, (void)warning;
    snprintf(last_problem, sizeof(last_problem), "%s", problem);
}

static int set_up(void **state)
{
    (void)state;
    certs_dir_make(dir);
    snprintf(certificate_path, sizeof(certificate_path), "%s/tls/self-signed.crt", dir);
    snprintf(key_path, sizeof(key_path), "%s/tls/self-signed.key", dir);
    return pst_tls_init();
}

static int tear_down(void **state)
{
    (void)state;
    certs_dir_remove(dir);
    return 0;
}

/* Loads; the fingerprint tells whether it is the same certificate as before. */
static void load(char fingerprint[static PST_TLS_FINGERPRINT_TEXT])
{
    const struct pst_tls_files files = {.data_dir = dir};
    struct pst_tls_material *material = NULL;
    last_problem[0] = '\0';
    int err = pst_tls_material_load(&files, tell, NULL, &material);
    assert_string_equal(last_problem, "");
    assert_int_equal(err, 0);
    assert_true(pst_tls_material_self_signed(material));
    assert_string_equal(pst_tls_material_path(material), certificate_path);
    snprintf(fingerprint, PST_TLS_FINGERPRINT_TEXT, "%s", pst_tls_material_fingerprint(material));
    pst_tls_material_unref(material);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_made_once(void **state)
{
    (void)state;
    char first[PST_TLS_FINGERPRINT_TEXT], second[PST_TLS_FINGERPRINT_TEXT];
    load(first);
    assert_int_equal(mode_of(key_path), 0600);
    assert_int_equal(mode_of(certificate_path), 0644);
    load(second);
    assert_string_equal(first, second);
}

static void test_made_anew(void **state)
{
    (void)state;
    struct cert expired, foreign;
    char before[PST_TLS_FINGERPRINT_TEXT], after[PST_TLS_FINGERPRINT_TEXT], path[128];
    cert_make(&(struct cert_spec){.cn = "expired", .from_s = -2 * CERTS_DAY, .to_s = -60}, &expired);
    cert_make(&(struct cert_spec){.cn = "foreign"}, &foreign);
    for (int i = 0; i < 7; i++) {
        load(before);
        switch (i) {
        case 0:
            assert_int_equal(unlink(key_path), 0);
            break;
        case 1:
            assert_int_equal(unlink(certificate_path), 0);
            break;
        case 2: /* expired */
            certs_write(dir, "tls/self-signed.crt", expired.certificate, path);
            certs_write(dir, "tls/self-signed.key", expired.key, path);
            break;
        case 3: /* a start that was killed between the two files, or half a copy */
            certs_write(dir, "tls/self-signed.key", foreign.key, path);
            break;
        case 4:
            certs_write(dir, "tls/self-signed.key", "", path);
            break;
        case 5:
            certs_write(dir, "tls/self-signed.crt", "garbage", path);
            break;
        default:
            certs_write(dir, "tls/self-signed.crt", "", path);
        }
        load(after);
        assert_string_not_equal(before, after);
        assert_int_equal(mode_of(key_path), 0600);
    }
    cert_done(&expired);
    cert_done(&foreign);
}

static bool has_san(const mbedtls_x509_crt *crt, int type, const void *bytes, size_t len)
{
    for (const mbedtls_x509_sequence *san = &crt->subject_alt_names; san != NULL; san = san->next) {
        mbedtls_x509_subject_alternative_name parsed;
        assert_int_equal(mbedtls_x509_parse_subject_alt_name(&san->buf, &parsed), 0);
        bool same = parsed.type == type && parsed.san.unstructured_name.len == len &&
                    memcmp(parsed.san.unstructured_name.p, bytes, len) == 0;
        mbedtls_x509_free_subject_alt_name(&parsed);
        if (same)
            return true;
    }
    return false;
}

static void test_what_it_says(void **state)
{
    (void)state;
    static const unsigned char v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
    char fingerprint[PST_TLS_FINGERPRINT_TEXT], host[256] = "";
    mbedtls_x509_crt crt;
    mbedtls_x509_crt_init(&crt);
    load(fingerprint);
    assert_int_equal(mbedtls_x509_crt_parse_file(&crt, certificate_path), 0);
    assert_true(has_san(&crt, MBEDTLS_X509_SAN_DNS_NAME, "localhost", 9));
    assert_true(has_san(&crt, MBEDTLS_X509_SAN_IP_ADDRESS, v4, sizeof(v4)));
    assert_true(has_san(&crt, MBEDTLS_X509_SAN_IP_ADDRESS, v6, sizeof(v6)));
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    assert_true(has_san(&crt, MBEDTLS_X509_SAN_DNS_NAME, host, strlen(host)));
    assert_false(has_san(&crt, MBEDTLS_X509_SAN_DNS_NAME, "example.com", 11));
    assert_int_equal(crt.version, 3);
    assert_false(mbedtls_x509_time_is_future(&crt.valid_from));
    assert_false(mbedtls_x509_time_is_past(&crt.valid_to));
    assert_int_equal(crt.valid_to.year - crt.valid_from.year, 3);
    assert_true(mbedtls_pk_can_do(&crt.pk, MBEDTLS_PK_ECKEY));
    assert_int_equal(mbedtls_pk_get_bitlen(&crt.pk), 256);
    assert_int_equal(mbedtls_x509_crt_get_ca_istrue(&crt), 0);
    /* a client that was given this file trusts it */
    uint32_t flags = 0;
    assert_int_equal(mbedtls_x509_crt_verify(&crt, &crt, NULL, "localhost", &flags, NULL, NULL), 0);
    assert_true(mbedtls_x509_crt_verify(&crt, &crt, NULL, "example.com", &flags, NULL, NULL) != 0);
    mbedtls_x509_crt_free(&crt);
}

static void test_check_makes_nothing(void **state)
{
    (void)state;
    const struct pst_tls_files files = {.data_dir = dir};
    assert_int_equal(pst_tls_material_check(&files, tell, NULL), 0);
    assert_int_equal(access(certificate_path, F_OK), -1);
}

static void test_no_place_to_write(void **state)
{
    (void)state;
    struct pst_tls_material *material = NULL;
    const struct pst_tls_files nowhere = {.data_dir = "/nowhere/at/all"};
    assert_int_equal(pst_tls_material_load(&nowhere, tell, NULL, &material), -PST_EINVAL);
    assert_non_null(
        strstr(last_problem, "cannot write the self-signed certificate into /nowhere/at/all/tls"));
    char path[128];
    certs_write(dir, "tls", "a file where the directory should be", path);
    const struct pst_tls_files files = {.data_dir = dir};
    assert_int_equal(pst_tls_material_load(&files, tell, NULL, &material), -PST_EINVAL);
    assert_null(material);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_it_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_check_makes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_place_to_write, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
