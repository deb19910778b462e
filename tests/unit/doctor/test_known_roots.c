/* SPDX-License-Identifier: Apache-2.0 */
/* The table of known roots against the certificates themselves, as this system has them. */
#include "private.h"

#include <mbedtls/sha256.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char bundle[] = "/etc/ssl/certs/ca-certificates.crt";

static const char *const names[] = {
    "CN=Baltimore CyberTrust Root",
    "CN=DigiCert Global Root CA",
    "CN=DigiCert Global Root G2",
    "CN=DigiCert Global Root G3",
    "CN=DigiCert TLS ECC P384 Root G5",
    "CN=DigiCert TLS RSA4096 Root G5",
    "CN=Entrust Root Certification Authority - G2",
    "CN=Microsoft ECC Root Certificate Authority 2017",
    "CN=Microsoft RSA Root Certificate Authority 2017",
};

static bool is_named(const char *subject)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t n = strlen(subject), m = strlen(names[i]);
        if (n >= m && strcmp(subject + n - m, names[i]) == 0)
            return true;
    }
    return false;
}

static void test_table(void **state)
{
    (void)state;
    mbedtls_x509_crt roots;
    size_t known = 0, others = 0;
    assert_int_equal(psa_crypto_init(), PSA_SUCCESS);
    mbedtls_x509_crt_init(&roots);
    if (mbedtls_x509_crt_parse_file(&roots, bundle) < 0)
        skip(); /* no package ca-certificates here */
    for (const mbedtls_x509_crt *it = &roots; it != NULL && it->raw.p != NULL; it = it->next) {
        uint8_t digest[32];
        char subject[512];
        assert_true(mbedtls_x509_dn_gets(subject, sizeof(subject), &it->subject) > 0);
        assert_int_equal(mbedtls_sha256(it->pk_raw.p, it->pk_raw.len, digest, 0), 0);
        if (doctor_knows_root(digest) != is_named(subject))
            fail_msg("%s", subject);
        known += is_named(subject);
        others += !is_named(subject);
    }
    mbedtls_x509_crt_free(&roots);
    assert_true(known >= 5);
    assert_true(others > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
