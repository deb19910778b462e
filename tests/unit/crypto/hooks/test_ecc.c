/* SPDX-License-Identifier: Apache-2.0 */
/* P-256, P-384 and X25519 where mbedTLS comes for them: PSA (the handshake of TLS 1.3), ECDH (TLS 1.2), ECDSA
 * (certificates). RFC 7748's values, Wycheproof, mbedTLS's unhooked functions on random keys, and what is no
 * key, no point and no signature. */
#include "../vectors.h"
#include "postern/crypto/engine.h"
#include "postern/crypto/hash.h"
#include "random.h"
#include "reference.h"

#include <mbedtls/ecdh.h>
#include <mbedtls/ecdsa.h>
#include <psa/crypto.h>
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

static psa_key_attributes_t attributes_of(unsigned bits, bool is_public, psa_algorithm_t alg)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_ecc_family_t family = bits == 255 ? PSA_ECC_FAMILY_MONTGOMERY : PSA_ECC_FAMILY_SECP_R1;
    psa_set_key_type(&attributes,
                     is_public ? PSA_KEY_TYPE_ECC_PUBLIC_KEY(family) : PSA_KEY_TYPE_ECC_KEY_PAIR(family));
    psa_set_key_bits(&attributes, bits);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_DERIVE | PSA_KEY_USAGE_EXPORT |
                                             PSA_KEY_USAGE_SIGN_HASH | PSA_KEY_USAGE_VERIFY_HASH);
    psa_set_key_algorithm(&attributes, alg);
    return attributes;
}

/* By PSA. `point` as it is on the wire. */
static psa_status_t psa_shared(unsigned bits, const uint8_t *scalar, size_t scalar_len, const uint8_t *point,
                               size_t point_len, uint8_t *x, size_t *x_len)
{
    psa_key_attributes_t attributes = attributes_of(bits, false, PSA_ALG_ECDH);
    psa_key_id_t id;
    psa_status_t status = psa_import_key(&attributes, scalar, scalar_len, &id);
    if (status != PSA_SUCCESS)
        return status;
    status = psa_raw_key_agreement(PSA_ALG_ECDH, id, point, point_len, x, 48, x_len);
    psa_destroy_key(id);
    return status;
}

static psa_status_t psa_public(unsigned bits, const uint8_t *scalar, size_t len, uint8_t *point,
                               size_t *point_len)
{
    psa_key_attributes_t attributes = attributes_of(bits, false, PSA_ALG_ECDH);
    psa_key_id_t id;
    psa_status_t status = psa_import_key(&attributes, scalar, len, &id);
    if (status != PSA_SUCCESS)
        return status;
    status = psa_export_public_key(id, point, 97, point_len);
    psa_destroy_key(id);
    return status;
}

/* By ECDH, as TLS 1.2 uses it. */
static mbedtls_ecp_group_id group_of(unsigned bits)
{
    return bits == 256   ? MBEDTLS_ECP_DP_SECP256R1
           : bits == 384 ? MBEDTLS_ECP_DP_SECP384R1
                         : MBEDTLS_ECP_DP_CURVE25519;
}

/* Agrees between a fresh pair and the reference's. */
static void agree(unsigned bits, const uint8_t *ref_scalar, const uint8_t *ref_point)
{
    mbedtls_ecp_group grp;
    mbedtls_ecp_point Q, theirs;
    mbedtls_mpi d, z;
    uint8_t wire[97] = {4}, mine[97], x[48], ref_x[48];
    size_t n = (bits + 7) / 8, len, head = bits == 255 ? 0 : 1;
    mbedtls_ecp_group_init(&grp);
    mbedtls_ecp_point_init(&Q);
    mbedtls_ecp_point_init(&theirs);
    mbedtls_mpi_init(&d);
    mbedtls_mpi_init(&z);
    assert_int_equal(mbedtls_ecp_group_load(&grp, group_of(bits)), 0);
    assert_int_equal(mbedtls_ecdh_gen_public(&grp, &d, &Q, no_draw, NULL), MBEDTLS_ERR_ECP_RANDOM_FAILED);
    assert_int_equal(mbedtls_ecdh_gen_public(&grp, &d, &Q, draw, NULL), 0);
    assert_int_equal(mbedtls_ecp_check_pub_priv(&(mbedtls_ecp_keypair){grp, d, Q},
                                                &(mbedtls_ecp_keypair){grp, d, Q}, draw, NULL),
                     0);
    memcpy(wire + head, ref_point, head == 0 ? n : 2 * n);
    assert_int_equal(mbedtls_ecp_point_read_binary(&grp, &theirs, wire, head == 0 ? n : 1 + 2 * n), 0);
    assert_int_equal(mbedtls_ecdh_compute_shared(&grp, &z, &theirs, &d, draw, NULL), 0);
    assert_int_equal(head == 0 ? mbedtls_mpi_write_binary_le(&z, x, n) : mbedtls_mpi_write_binary(&z, x, n),
                     0);
    assert_int_equal(
        mbedtls_ecp_point_write_binary(&grp, &Q, MBEDTLS_ECP_PF_UNCOMPRESSED, &len, mine, sizeof(mine)), 0);
    assert_int_equal(ref_shared(bits, ref_scalar, mine + head, ref_x), 0);
    assert_memory_equal(x, ref_x, n);
    mbedtls_ecp_point_free(&Q);
    mbedtls_ecp_point_free(&theirs);
    mbedtls_mpi_free(&d);
    mbedtls_mpi_free(&z);
    mbedtls_ecp_group_free(&grp);
}

static void make_scalar(unsigned bits, uint8_t *scalar)
{
    random_fill(scalar, (bits + 7) / 8);
    if (bits != 255)
        scalar[0] &= 0x7f; /* below the order */
    switch (random_below(16)) {
    case 0: /* small, with leading zeros */
        memset(scalar, 0, (bits + 7) / 8 - 1 - random_below(8));
        break;
    case 1: /* long runs of ones */
        memset(scalar + 8, 0xff, 16);
        break;
    default:
        break;
    }
    scalar[(bits + 7) / 8 - 1] |= 1;
}

static void test_agreement(void **state)
{
    (void)state;
    static const struct {
        unsigned bits;
        size_t rounds;
    } each[] = {{256, 2000}, {384, 300}, {255, 2000}};
    for (size_t i = 0; i < 3; i++) {
        unsigned bits = each[i].bits;
        size_t n = (bits + 7) / 8, head = bits == 255 ? 0 : 1;
        for (size_t round = random_rounds(each[i].rounds) + 3; round > 0; round--) {
            uint8_t scalar[48], other[48], point[97], wire[97] = {4}, mine[97], x[48], ref_x[48];
            size_t len;
            make_scalar(bits, scalar);
            make_scalar(bits, other);
            assert_int_equal(ref_public(bits, scalar, point), 0);
            assert_int_equal(psa_public(bits, scalar, n, mine, &len), PSA_SUCCESS);
            assert_int_equal(len, head == 0 ? n : 1 + 2 * n);
            assert_memory_equal(mine + head, point, len - head);
            assert_int_equal(ref_public(bits, other, wire + head), 0);
            assert_int_equal(ref_shared(bits, scalar, wire + head, ref_x), 0);
            assert_int_equal(psa_shared(bits, scalar, n, wire, len, x, &len), PSA_SUCCESS);
            assert_int_equal(len, n);
            assert_memory_equal(x, ref_x, n);
            agree(bits, scalar, point);
        }
    }
}

/* Signatures */

static int check_mpi(unsigned bits, const uint8_t *point, const uint8_t *hash, size_t hash_len,
                     const uint8_t *signature)
{
    mbedtls_ecp_group grp;
    mbedtls_ecp_point Q;
    mbedtls_mpi r, s;
    uint8_t wire[97] = {4};
    size_t n = bits / 8;
    mbedtls_ecp_group_init(&grp);
    mbedtls_ecp_point_init(&Q);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    memcpy(wire + 1, point, 2 * n);
    assert_int_equal(mbedtls_ecp_group_load(&grp, group_of(bits)), 0);
    assert_int_equal(mbedtls_ecp_point_read_binary(&grp, &Q, wire, 1 + 2 * n), 0);
    assert_int_equal(mbedtls_mpi_read_binary(&r, signature, n), 0);
    assert_int_equal(mbedtls_mpi_read_binary(&s, signature + n, n), 0);
    int ret = mbedtls_ecdsa_verify(&grp, hash, hash_len, &Q, &r, &s);
    mbedtls_ecp_group_free(&grp);
    mbedtls_ecp_point_free(&Q);
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    return ret;
}

static int sign_mpi(unsigned bits, const uint8_t *scalar, const uint8_t *hash, size_t hash_len,
                    mbedtls_f_rng_t *f_rng, uint8_t *signature)
{
    mbedtls_ecp_group grp;
    mbedtls_mpi d, r, s;
    size_t n = bits / 8;
    mbedtls_ecp_group_init(&grp);
    mbedtls_mpi_init(&d);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    assert_int_equal(mbedtls_ecp_group_load(&grp, group_of(bits)), 0);
    assert_int_equal(mbedtls_mpi_read_binary(&d, scalar, n), 0);
    int ret = mbedtls_ecdsa_sign(&grp, &r, &s, &d, hash, hash_len, f_rng, NULL);
    if (ret == 0) {
        assert_int_equal(mbedtls_mpi_write_binary(&r, signature, n), 0);
        assert_int_equal(mbedtls_mpi_write_binary(&s, signature + n, n), 0);
    }
    mbedtls_ecp_group_free(&grp);
    mbedtls_mpi_free(&d);
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    return ret;
}

static void test_signatures(void **state)
{
    (void)state;
    static const size_t hash_lens[] = {32, 48, 64, 20, 1};
    for (size_t round = random_rounds(1000) + 6; round > 0; round--) {
        unsigned bits = round % 8 == 0 ? 384 : 256;
        uint8_t scalar[48], point[96], hash[64], signature[96];
        size_t hash_len = hash_lens[random_below(5)];
        make_scalar(bits, scalar);
        random_fill(hash, sizeof(hash));
        if (random_below(8) == 0)
            memset(hash, random_below(2) == 0 ? 0 : 0xff, sizeof(hash));
        assert_int_equal(ref_public(bits, scalar, point), 0);
        assert_int_equal(sign_mpi(bits, scalar, hash, hash_len, draw, signature), 0);
        assert_int_equal(ref_verify(bits, point, hash, hash_len, signature), 0);
        assert_int_equal(ref_sign(bits, scalar, hash, hash_len, signature), 0);
        assert_int_equal(check_mpi(bits, point, hash, hash_len, signature), 0);
        signature[random_below(bits / 4)] ^= (uint8_t)(1 << random_below(8));
        assert_int_equal(check_mpi(bits, point, hash, hash_len, signature), MBEDTLS_ERR_ECP_VERIFY_FAILED);
        assert_int_equal(sign_mpi(bits, scalar, hash, hash_len, no_draw, signature),
                         MBEDTLS_ERR_ECP_RANDOM_FAILED);
    }
}

static void test_psa_signatures(void **state)
{
    (void)state;
    psa_key_attributes_t attributes = attributes_of(256, false, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
    uint8_t hash[32], signature[64], point[65];
    size_t len;
    psa_key_id_t id;
    random_fill(hash, sizeof(hash));
    assert_int_equal(psa_generate_key(&attributes, &id), PSA_SUCCESS);
    assert_int_equal(psa_sign_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, 32, signature, 64, &len),
                     PSA_SUCCESS);
    assert_int_equal(len, 64);
    assert_int_equal(psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, 32, signature, 64),
                     PSA_SUCCESS);
    assert_int_equal(psa_export_public_key(id, point, 65, &len), PSA_SUCCESS);
    assert_int_equal(ref_verify(256, point + 1, hash, 32, signature), 0);
    signature[5] ^= 1;
    assert_int_equal(psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, 32, signature, 64),
                     PSA_ERROR_INVALID_SIGNATURE);
    psa_destroy_key(id);
}

/* What is no key and no point */

static const char order256[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

static void test_bad_keys(void **state)
{
    (void)state;
    uint8_t scalar[32] = {0}, good[65] = {4}, x[48], mine[97];
    size_t len;
    uint8_t one[32] = {0};
    one[31] = 1;
    assert_int_equal(ref_public(256, one, good + 1), 0);
    assert_int_equal(psa_public(256, scalar, 32, mine, &len), PSA_ERROR_INVALID_ARGUMENT); /* 0 */
    assert_int_equal(pst_hex_decode(pst_str_of(order256), scalar, 32), 0);
    assert_int_equal(psa_public(256, scalar, 32, mine, &len), PSA_ERROR_INVALID_ARGUMENT); /* the order */
    scalar[31] -= 1;
    assert_int_equal(psa_public(256, scalar, 32, mine, &len), PSA_SUCCESS);
    memset(scalar, 0xff, 32);
    assert_int_equal(psa_public(256, scalar, 32, mine, &len), PSA_ERROR_INVALID_ARGUMENT);
    assert_int_equal(psa_public(256, one, 31, mine, &len), PSA_ERROR_INVALID_ARGUMENT);
    for (size_t bit = 8; bit < 8 * 65; bit += 3) { /* off the curve */
        uint8_t point[65];
        memcpy(point, good, 65);
        point[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        assert_int_equal(psa_shared(256, one, 32, point, 65, x, &len), PSA_ERROR_INVALID_ARGUMENT);
    }
    uint8_t infinity[65] = {4};
    assert_int_equal(psa_shared(256, one, 32, infinity, 65, x, &len), PSA_ERROR_INVALID_ARGUMENT);
    assert_int_equal(psa_shared(256, one, 32, infinity, 1, x, &len), PSA_ERROR_INVALID_ARGUMENT);
    good[0] = 6; /* the hybrid form */
    assert_int_equal(psa_shared(256, one, 32, good, 65, x, &len), PSA_ERROR_INVALID_ARGUMENT);
}

/* RFC 7748 */

static void from_hex(const char *hex, uint8_t *out)
{
    assert_int_equal(pst_hex_decode(pst_str_of(hex), out, strlen(hex) / 2), 0);
}

static void test_rfc7748(void **state)
{
    (void)state;
    uint8_t a[32], b[32], a_public[32], b_public[32], expected[32], x[48], mine[97];
    size_t len;
    from_hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", a);
    from_hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", a_public);
    from_hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", b);
    from_hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", b_public);
    from_hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", expected);
    assert_int_equal(psa_public(255, a, 32, mine, &len), PSA_SUCCESS);
    assert_memory_equal(mine, a_public, 32);
    assert_int_equal(psa_public(255, b, 32, mine, &len), PSA_SUCCESS);
    assert_memory_equal(mine, b_public, 32);
    assert_int_equal(psa_shared(255, a, 32, b_public, 32, x, &len), PSA_SUCCESS);
    assert_memory_equal(x, expected, 32);
    assert_int_equal(psa_shared(255, b, 32, a_public, 32, x, &len), PSA_SUCCESS);
    assert_memory_equal(x, expected, 32);
    /* Section 5.2: 1,000 times, each result the next scalar. */
    uint8_t k[32] = {9}, u[32] = {9};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(psa_shared(255, k, 32, u, 32, x, &len), PSA_SUCCESS);
        memcpy(u, k, 32);
        memcpy(k, x, 32);
    }
    from_hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", expected);
    assert_memory_equal(k, expected, 32);
    /* Section 6.1: points of small order give zero, which is refused. */
    uint8_t zero[32] = {0};
    assert_int_equal(psa_shared(255, a, 32, zero, 32, x, &len), PSA_ERROR_INVALID_ARGUMENT);
    zero[0] = 1;
    assert_int_equal(psa_shared(255, a, 32, zero, 32, x, &len), PSA_ERROR_INVALID_ARGUMENT);
    assert_int_equal(psa_shared(255, a, 32, a_public, 31, x, &len), PSA_ERROR_INVALID_ARGUMENT);
}

/* Wycheproof */

static void visit_x25519(const json_t *group, const json_t *test, const char *result)
{
    size_t n, point_len, shared_len, len;
    uint8_t x[48], *scalar = vectors_bytes(test, "private", &n);
    uint8_t *point = vectors_bytes(test, "public", &point_len);
    uint8_t *shared = vectors_bytes(test, "shared", &shared_len);
    (void)group, (void)result; /* "acceptable" is a zero secret, which is refused, or an odd spelling */
    bool zero = true;
    for (size_t i = 0; i < shared_len; i++)
        zero = zero && shared[i] == 0;
    psa_status_t status = psa_shared(255, scalar, n, point, point_len, x, &len);
    if ((status == PSA_SUCCESS) == zero)
        vectors_fail(test, zero ? "a zero secret was given out" : "was refused");
    if (!zero && memcmp(x, shared, 32) != 0)
        vectors_fail(test, "another secret");
    free(scalar), free(point), free(shared);
}

static void test_wycheproof_x25519(void **state)
{
    (void)state;
    vectors_each("x25519.json", visit_x25519);
}

/* A private number of any length, as 32 bytes. False when it does not fit. */
static bool fit_scalar(const uint8_t *bytes, size_t n, uint8_t scalar[static 32])
{
    for (; n > 32; n--, bytes++) {
        if (bytes[0] != 0)
            return false;
    }
    memset(scalar, 0, 32);
    memcpy(scalar + 32 - n, bytes, n);
    return true;
}

static void visit_ecdh(const json_t *group, const json_t *test, const char *result)
{
    size_t n, point_len, shared_len, len;
    uint8_t x[48], scalar[32], *bytes = vectors_bytes(test, "private", &n);
    uint8_t *point = vectors_bytes(test, "public", &point_len);
    uint8_t *shared = vectors_bytes(test, "shared", &shared_len);
    (void)group;
    psa_status_t status = PSA_ERROR_INVALID_ARGUMENT;
    if (fit_scalar(bytes, n, scalar))
        status = psa_shared(256, scalar, 32, point, point_len, x, &len);
    bool compressed = point_len == 33; /* "acceptable": TLS has no such points */
    if (status == PSA_SUCCESS && (strcmp(result, "invalid") == 0 || memcmp(x, shared, 32) != 0))
        vectors_fail(test, "was taken, or gave another secret");
    if (status != PSA_SUCCESS && strcmp(result, "valid") == 0 && !compressed)
        vectors_fail(test, "was refused");
    free(bytes), free(point), free(shared);
}

static void test_wycheproof_ecdh(void **state)
{
    (void)state;
    vectors_each("ecdh_secp256r1_ecpoint.json", visit_ecdh);
}

static mbedtls_ecdsa_context *ecdsa_of(const json_t *group)
{
    static mbedtls_ecdsa_context ctx;
    size_t len;
    uint8_t *point = vectors_bytes(group, "uncompressed", &len);
    mbedtls_ecdsa_init(&ctx);
    assert_int_equal(mbedtls_ecp_group_load(&ctx.private_grp, MBEDTLS_ECP_DP_SECP256R1), 0);
    assert_int_equal(mbedtls_ecp_point_read_binary(&ctx.private_grp, &ctx.private_Q, point, len), 0);
    free(point);
    return &ctx;
}

static bool has_flag(const json_t *test, const char *name)
{
    size_t i;
    const json_t *flag;
    json_array_foreach(json_object_get(test, "flags"), i, flag)
    {
        if (strcmp(json_string_value(flag), name) == 0)
            return true;
    }
    return false;
}

/* The wrapping is read by mbedTLS, which is lenient with lengths and leading zeros: the same numbers, another
 * spelling. */
static void visit_der(const json_t *group, const json_t *test, const char *result)
{
    size_t msg_len, sig_len;
    uint8_t digest[32], *msg = vectors_bytes(test, "msg", &msg_len);
    uint8_t *sig = vectors_bytes(test, "sig", &sig_len);
    mbedtls_ecdsa_context *ctx = ecdsa_of(group);
    pst_sha256(msg, msg_len, digest);
    bool taken = mbedtls_ecdsa_read_signature(ctx, digest, sizeof(digest), sig, sig_len) == 0;
    bool lenient = has_flag(test, "MissingZero") || has_flag(test, "BerEncodedSignature") ||
                   has_flag(test, "InvalidEncoding");
    if (!lenient && taken != (strcmp(result, "valid") == 0))
        vectors_fail(test, taken ? "was taken" : "was refused");
    mbedtls_ecdsa_free(ctx);
    free(msg), free(sig);
}

static void visit_p1363(const json_t *group, const json_t *test, const char *result)
{
    size_t msg_len, sig_len, len;
    uint8_t digest[32], *msg = vectors_bytes(test, "msg", &msg_len);
    uint8_t *sig = vectors_bytes(test, "sig", &sig_len);
    uint8_t *point = vectors_bytes(group, "uncompressed", &len);
    psa_key_attributes_t attributes = attributes_of(256, true, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
    psa_key_id_t id;
    assert_int_equal(psa_import_key(&attributes, point, len, &id), PSA_SUCCESS);
    pst_sha256(msg, msg_len, digest);
    bool taken = psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), digest, 32, sig, sig_len) == PSA_SUCCESS;
    if (taken != (strcmp(result, "valid") == 0))
        vectors_fail(test, taken ? "was taken" : "was refused");
    psa_destroy_key(id);
    free(msg), free(sig), free(point);
}

static void test_wycheproof_der(void **state)
{
    (void)state;
    vectors_each("ecdsa_secp256r1_sha256.json", visit_der);
}

static void test_wycheproof_p1363(void **state)
{
    (void)state;
    vectors_each("ecdsa_secp256r1_sha256_p1363.json", visit_p1363);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc7748),          cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_signatures),       cmocka_unit_test(test_psa_signatures),
        cmocka_unit_test(test_bad_keys),         cmocka_unit_test(test_wycheproof_x25519),
        cmocka_unit_test(test_wycheproof_ecdh),  cmocka_unit_test(test_wycheproof_der),
        cmocka_unit_test(test_wycheproof_p1363),
    };
    random_seed();
    if (pst_crypto_init() < 0 || psa_crypto_init() != PSA_SUCCESS)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
