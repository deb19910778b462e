/* SPDX-License-Identifier: Apache-2.0 */
/* RSA's private operation behind mbedTLS's interface: signatures with it pass the library's own verification,
 * and faults are not given out. */
#include "postern/crypto/engine.h"
#include "random.h"

#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <nettle/rsa.h>
#include <setjmp.h>
#include <stdbool.h>

#include <cmocka.h>

static int draw(void *arg, unsigned char *out, size_t len)
{
    (void)arg;
    random_fill(out, len);
    return 0;
}

static int no_draw(void *arg, unsigned char *out, size_t len)
{
    (void)arg, (void)out, (void)len;
    return -1;
}

static void draw_nettle(void *arg, size_t len, uint8_t *out)
{
    (void)arg;
    random_fill(out, len);
}

static void set(mbedtls_mpi *to, const mpz_t from)
{
    uint8_t bytes[1024];
    nettle_mpz_get_str_256(sizeof(bytes), bytes, from);
    assert_int_equal(mbedtls_mpi_read_binary(to, bytes, sizeof(bytes)), 0);
}

/* A new key pair in mbedTLS's context. */
static void make_key(mbedtls_rsa_context *rsa, unsigned bits)
{
    struct rsa_public_key pub;
    struct rsa_private_key key;
    mbedtls_mpi p, q, e;
    rsa_public_key_init(&pub);
    rsa_private_key_init(&key);
    mbedtls_mpi_init(&p);
    mbedtls_mpi_init(&q);
    mbedtls_mpi_init(&e);
    mpz_set_ui(pub.e, 65537);
    assert_int_equal(rsa_generate_keypair(&pub, &key, NULL, draw_nettle, NULL, NULL, bits, 0), 1);
    set(&p, key.p);
    set(&q, key.q);
    set(&e, pub.e);
    mbedtls_rsa_init(rsa);
    assert_int_equal(mbedtls_rsa_import(rsa, NULL, &p, &q, NULL, &e), 0);
    assert_int_equal(mbedtls_rsa_complete(rsa), 0);
    mbedtls_mpi_free(&p);
    mbedtls_mpi_free(&q);
    mbedtls_mpi_free(&e);
    rsa_public_key_clear(&pub);
    rsa_private_key_clear(&key);
}

static void test_signs(void **state)
{
    (void)state;
    static const unsigned sizes[] = {2048, 3072, 2056};
    for (size_t i = 0; i < 3; i++) {
        mbedtls_rsa_context rsa;
        make_key(&rsa, sizes[i]);
        for (size_t round = random_rounds(100) + 2; round > 0; round--) {
            uint8_t hash[32], signature[512];
            random_fill(hash, sizeof(hash));
            assert_int_equal(mbedtls_rsa_set_padding(&rsa, MBEDTLS_RSA_PKCS_V15, MBEDTLS_MD_NONE), 0);
            assert_int_equal(mbedtls_rsa_pkcs1_sign(&rsa, draw, NULL, MBEDTLS_MD_SHA256, 32, hash, signature),
                             0);
            assert_int_equal(mbedtls_rsa_pkcs1_verify(&rsa, MBEDTLS_MD_SHA256, 32, hash, signature), 0);
            assert_int_equal(mbedtls_rsa_set_padding(&rsa, MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256), 0);
            assert_int_equal(
                mbedtls_rsa_rsassa_pss_sign(&rsa, draw, NULL, MBEDTLS_MD_SHA256, 32, hash, signature), 0);
            assert_int_equal(mbedtls_rsa_rsassa_pss_verify(&rsa, MBEDTLS_MD_SHA256, 32, hash, signature), 0);
        }
        mbedtls_rsa_free(&rsa);
    }
}

/* Against the public operation, for numbers at the edges. */
static void test_raw(void **state)
{
    (void)state;
    mbedtls_rsa_context rsa;
    uint8_t in[256], made[256], back[256], modulus[256];
    make_key(&rsa, 2048);
    assert_int_equal(mbedtls_rsa_export_raw(&rsa, modulus, 256, NULL, 0, NULL, 0, NULL, 0, NULL, 0), 0);
    for (int i = 0; i < 4; i++) {
        memset(in, 0, sizeof(in));
        if (i == 1)
            in[255] = 1;
        if (i == 2) {
            memcpy(in, modulus, sizeof(in));
            in[255] -= 1; /* odd, so there is no borrow */
        }
        if (i == 3)
            random_fill(in + 1, sizeof(in) - 1);
        assert_int_equal(mbedtls_rsa_private(&rsa, draw, NULL, in, made), 0);
        assert_int_equal(mbedtls_rsa_public(&rsa, made, back), 0);
        assert_memory_equal(back, in, sizeof(in));
    }
    assert_int_not_equal(mbedtls_rsa_private(&rsa, draw, NULL, modulus, made), 0);
    assert_int_not_equal(mbedtls_rsa_private(&rsa, NULL, NULL, in, made), 0);
    assert_int_equal(mbedtls_rsa_private(&rsa, no_draw, NULL, in, made), MBEDTLS_ERR_RSA_RNG_FAILED);
    mbedtls_rsa_free(&rsa);
}

/* A key whose parts do not belong together gives no signature: one wrong half would give its primes away. */
static void test_fault(void **state)
{
    (void)state;
    mbedtls_rsa_context rsa;
    uint8_t in[256] = {0}, made[256] = {0};
    make_key(&rsa, 2048);
    random_fill(in + 1, sizeof(in) - 1);
    assert_int_equal(mbedtls_mpi_add_int(&rsa.private_DP, &rsa.private_DP, 2), 0);
    assert_int_not_equal(mbedtls_rsa_private(&rsa, draw, NULL, in, made), 0);
    for (size_t i = 0; i < sizeof(made); i++)
        assert_int_equal(made[i], 0);
    mbedtls_rsa_free(&rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs),
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_fault),
    };
    random_seed();
    if (pst_crypto_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
