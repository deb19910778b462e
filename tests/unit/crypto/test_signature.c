/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures: the examples of RFC 7515 (appendix A) and RFC 8037, Wycheproof's for RSA, which keys are
 * refused, and signing. */
#include "postern/crypto/signature.h"

#include "postern/base/num.h"
#include "postern/crypto/base64.h"
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

struct bytes {
    uint8_t at[2048];
    size_t len;
};

static struct pst_str decode(const char *text, struct bytes *out)
{
    int n = pst_base64_decode(PST_BASE64URL, pst_str_of(text), out->at, sizeof(out->at));
    assert_true(n >= 0);
    out->len = (size_t)n;
    return (struct pst_str){(const char *)out->at, out->len};
}

static const char claims_part[] =
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
static const char rsa_n[] = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
                            "4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-"
                            "pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
                            "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapH"
                            "g665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
                            "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4F"
                            "RWyuXpoQ";
static const char rsa_signature[] =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
    "O8W2Fp5jujGbds9uJdbF9CUAr7t"
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_"
    "dO--xi12j"
    "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"
    "IoypGlUPQ"
    "Ge77Rw";
static const char ec_x[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
static const char ec_y[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
static const char ec_d[] = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
static const char ec_signature[] =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
static const char ed_x[] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
static const char ed_signature[] =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

static struct pst_verify_key *rsa_key(void)
{
    struct bytes n, e;
    struct pst_verify_key *key = NULL;
    const char *reason;
    assert_int_equal(pst_verify_key_rsa(decode(rsa_n, &n), decode("AQAB", &e), &key, &reason), 0);
    return key;
}

static struct pst_verify_key *ec_key(void)
{
    struct bytes x, y;
    struct pst_verify_key *key = NULL;
    const char *reason;
    assert_int_equal(pst_verify_key_ec(PST_CURVE_P256, decode(ec_x, &x), decode(ec_y, &y), &key, &reason), 0);
    return key;
}

static struct pst_verify_key *ed_key(void)
{
    struct bytes x;
    struct pst_verify_key *key = NULL;
    const char *reason;
    assert_int_equal(pst_verify_key_ed25519(decode(ed_x, &x), &key, &reason), 0);
    return key;
}

/* Good as it is; then each bit of the signature's ends, its length, the message and the algorithm changed. */
static void expect_only(struct pst_verify_key *key, enum pst_signature_alg alg, const char *message,
                        const char *signature_text)
{
    struct bytes signature;
    struct pst_str is = decode(signature_text, &signature);
    struct pst_str input = pst_str_of(message);
    assert_true(pst_verify(key, alg, input, is));
    for (size_t bit = 0; bit < 8; bit++) {
        for (size_t at = 0; at < is.len; at += is.len - 1) {
            signature.at[at] ^= (uint8_t)(1 << bit);
            assert_false(pst_verify(key, alg, input, is));
            signature.at[at] ^= (uint8_t)(1 << bit);
        }
    }
    signature.at[is.len] = 0;
    assert_false(pst_verify(key, alg, input, (struct pst_str){is.p, is.len + 1}));
    assert_false(pst_verify(key, alg, input, (struct pst_str){is.p, is.len - 1}));
    assert_false(pst_verify(key, alg, input, (struct pst_str){is.p, 0}));
    assert_false(pst_verify(key, alg, (struct pst_str){input.p, input.len - 1}, is));
    for (int other = PST_ALG_UNKNOWN; other <= PST_ALG_MAX; other++)
        assert_true(pst_verify(key, (enum pst_signature_alg)other, input, is) == (other == (int)alg));
    pst_verify_key_free(key);
}

static void test_rfc7515_rs256(void **state)
{
    (void)state;
    char message[256] = "eyJhbGciOiJSUzI1NiJ9";
    strcat(message, claims_part);
    expect_only(rsa_key(), PST_ALG_RS256, message, rsa_signature);
}

static void test_rfc7515_es256(void **state)
{
    (void)state;
    char message[256] = "eyJhbGciOiJFUzI1NiJ9";
    strcat(message, claims_part);
    expect_only(ec_key(), PST_ALG_ES256, message, ec_signature);
}

static struct pst_verify_key *large_ec_key(enum pst_curve curve, const char *x_text, const char *y_text)
{
    struct bytes x, y;
    struct pst_verify_key *key = NULL;
    const char *reason;
    assert_int_equal(pst_verify_key_ec(curve, decode(x_text, &x), decode(y_text, &y), &key, &reason), 0);
    return key;
}

static void test_rfc7515_es512(void **state)
{
    (void)state;
    struct pst_verify_key *key = large_ec_key(
        PST_CURVE_P521,
        "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2");
    expect_only(key, PST_ALG_ES512, "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
                "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_"
                "7XdtAG8GaSwFKdCAPZgoXD2Y"
                "BJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn");
}

/* RFC 7515 has no example of it; this one is OpenSSL's. */
static void test_es384(void **state)
{
    (void)state;
    struct pst_verify_key *key =
        large_ec_key(PST_CURVE_P384, "hcxA5cnYlA54Af4bmhsIGoJWVrxc8Gn0aZGrpTez53w_5JgPso-xULdj5aTPUCee",
                     "Qcq9AqD_wGze9_Q2j_j7HFxC_n04xqJJckkGhtYLo4BWyjxsH6EhoLCzLcUmOZ86");
    expect_only(key, PST_ALG_ES384, "eyJhbGciOiJFUzM4NCJ9.UGF5bG9hZA",
                "sylipSscn7voAR3V1hDwov-0C4l8FA6PsBD4rQX3WsIvYoHUTXFdA_5pQfEPfbn5"
                "Vy-NAYrSOb9IzBgtX9HqKeB8MRaDHUONiglmzM1jAZmYUm4gtxbPlhvxQ6_jL_ZX");
}

static void test_rfc8037_eddsa(void **state)
{
    (void)state;
    expect_only(ed_key(), PST_ALG_EDDSA, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                ed_signature);
}

static void test_names(void **state)
{
    (void)state;
    for (int alg = PST_ALG_UNKNOWN + 1; alg < PST_ALG_MAX; alg++)
        assert_int_equal(
            pst_signature_alg_of(pst_str_of(pst_signature_alg_text((enum pst_signature_alg)alg))), alg);
    static const char *const unknown[] = {"",       "none", "None",     "HS256",   "rs256",  "ES521",
                                          "ES256K", "RS1",  "Ed25519 ", "unknown", "EdDSA\n"};
    for (size_t i = 0; i < N_OF(unknown); i++)
        assert_int_equal(pst_signature_alg_of(pst_str_of(unknown[i])), PST_ALG_UNKNOWN);
    assert_string_equal(pst_signature_alg_text(PST_ALG_MAX), "unknown");
}

static void expect_bad_rsa(size_t bits, uint8_t last, const char *exponent_hex, const char *reason)
{
    uint8_t n[1100], e[16];
    size_t bytes = (bits + 7) / 8, e_len = strlen(exponent_hex) / 2;
    memset(n, 0xff, sizeof(n));
    n[0] = (uint8_t)(0xff >> (bytes * 8 - bits));
    n[bytes - 1] = last;
    assert_int_equal(pst_hex_decode(pst_str_of(exponent_hex), e, e_len), 0);
    struct pst_verify_key *key = NULL;
    const char *said = NULL;
    int err = pst_verify_key_rsa((struct pst_str){(char *)n, bytes}, (struct pst_str){(char *)e, e_len}, &key,
                                 &said);
    if (!reason) {
        assert_int_equal(err, 0);
        assert_false(pst_verify(key, PST_ALG_RS256, PST_STR("x"), (struct pst_str){(char *)n, bytes}));
        pst_verify_key_free(key);
        return;
    }
    assert_int_equal(err, -PST_EINVAL);
    assert_null(key);
    assert_non_null(strstr(said, reason));
}

static void test_weak_rsa(void **state)
{
    (void)state;
    expect_bad_rsa(1024, 0xff, "010001", "fewer than 2048");
    expect_bad_rsa(2047, 0xff, "010001", "fewer than 2048");
    expect_bad_rsa(2048, 0xff, "010001", NULL);
    expect_bad_rsa(8192, 0xff, "010001", NULL);
    expect_bad_rsa(8193, 0xff, "010001", "more than 8192");
    expect_bad_rsa(8800, 0xff, "010001", "more than 8192");
    expect_bad_rsa(2048, 0xfe, "010001", "even modulus");
    expect_bad_rsa(2048, 0xff, "01", "even or below 3");
    expect_bad_rsa(2048, 0xff, "", "even or below 3");
    expect_bad_rsa(2048, 0xff, "010000", "even or below 3");
    expect_bad_rsa(2048, 0xff, "03", NULL);
    expect_bad_rsa(2048, 0xff, "010000000000000001", "more than 64 bits");
}

static void test_bad_points(void **state)
{
    (void)state;
    struct bytes x, y;
    struct pst_str at_x = decode(ec_x, &x), at_y = decode(ec_y, &y);
    struct pst_verify_key *key = NULL;
    const char *reason = NULL;
    assert_int_equal(pst_verify_key_ec(PST_CURVE_P384, at_x, at_y, &key, &reason), -PST_EINVAL);
    assert_non_null(strstr(reason, "length"));
    assert_int_equal(pst_verify_key_ec(PST_CURVE_P256, (struct pst_str){at_x.p, 31}, at_y, &key, &reason),
                     -PST_EINVAL);
    y.at[31] ^= 1;
    assert_int_equal(pst_verify_key_ec(PST_CURVE_P256, at_x, at_y, &key, &reason), -PST_EINVAL);
    assert_non_null(strstr(reason, "point"));
    memset(x.at, 0xff, 32); /* above the field's prime */
    assert_int_equal(pst_verify_key_ec(PST_CURVE_P256, at_x, at_y, &key, &reason), -PST_EINVAL);
    memset(x.at, 0, 32);
    memset(y.at, 0, 32);
    assert_int_equal(pst_verify_key_ec(PST_CURVE_P256, at_x, at_y, &key, &reason), -PST_EINVAL);
    assert_null(key);
}

static void test_weak_ed25519(void **state)
{
    (void)state;
    static const char *const weak[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    };
    uint8_t x[33] = {0};
    struct pst_verify_key *key = NULL;
    const char *reason = NULL;
    for (size_t i = 0; i < N_OF(weak); i++) {
        assert_int_equal(pst_hex_decode(pst_str_of(weak[i]), x, 32), 0);
        assert_int_equal(pst_verify_key_ed25519((struct pst_str){(char *)x, 32}, &key, &reason), -PST_EINVAL);
        assert_non_null(strstr(reason, "small order"));
    }
    assert_int_equal(pst_verify_key_ed25519((struct pst_str){(char *)x, 31}, &key, &reason), -PST_EINVAL);
    assert_int_equal(pst_verify_key_ed25519((struct pst_str){(char *)x, 33}, &key, &reason), -PST_EINVAL);
    assert_null(key);
}

static struct pst_verify_key *public_of(const struct pst_sign_key *key)
{
    uint8_t x[PST_SIGN_COORD_BYTES], y[PST_SIGN_COORD_BYTES];
    struct pst_verify_key *public = NULL;
    const char *reason;
    pst_sign_key_public(key, x, y);
    assert_int_equal(pst_verify_key_ec(PST_CURVE_P256, (struct pst_str){(char *)x, sizeof(x)},
                                       (struct pst_str){(char *)y, sizeof(y)}, &public, &reason),
                     0);
    return public;
}

static void expect_signs(const struct pst_sign_key *key, const struct pst_verify_key *public)
{
    uint8_t first[PST_SIGN_BYTES], second[PST_SIGN_BYTES];
    struct pst_str message = PST_STR("a message");
    assert_int_equal(pst_sign(key, message, first), 0);
    assert_int_equal(pst_sign(key, message, second), 0);
    assert_memory_not_equal(first, second, sizeof(first)); /* a new nonce each time */
    assert_true(pst_verify(public, PST_ALG_ES256, message, (struct pst_str){(char *)first, sizeof(first)}));
    assert_true(pst_verify(public, PST_ALG_ES256, message, (struct pst_str){(char *)second, sizeof(second)}));
    first[10] ^= 1;
    assert_false(pst_verify(public, PST_ALG_ES256, message, (struct pst_str){(char *)first, sizeof(first)}));
}

static void test_sign(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct pst_sign_key *key = NULL, *again = NULL;
        uint8_t secret[PST_SIGN_KEY_BYTES], same[PST_SIGN_KEY_BYTES];
        assert_int_equal(pst_sign_key_make(&key), 0);
        struct pst_verify_key *public = public_of(key);
        expect_signs(key, public);
        pst_sign_key_save(key, secret);
        assert_int_equal(pst_sign_key_load(secret, &again), 0);
        pst_sign_key_save(again, same);
        assert_memory_equal(secret, same, sizeof(secret));
        expect_signs(again, public);
        pst_verify_key_free(public);
        pst_sign_key_free(key);
        pst_sign_key_free(again);
    }
    pst_sign_key_free(NULL);
    pst_verify_key_free(NULL);
}

/* The key of RFC 7515 A.3: its public half, and the order of P-256 as the first number that is none. */
static void test_load(void **state)
{
    (void)state;
    struct bytes d, x;
    uint8_t is_x[PST_SIGN_COORD_BYTES], is_y[PST_SIGN_COORD_BYTES], order[PST_SIGN_KEY_BYTES];
    struct pst_sign_key *key = NULL, *none = NULL;
    decode(ec_d, &d);
    decode(ec_x, &x);
    assert_int_equal(pst_sign_key_load(d.at, &key), 0);
    pst_sign_key_public(key, is_x, is_y);
    assert_memory_equal(is_x, x.at, sizeof(is_x));
    pst_sign_key_free(key);
    assert_int_equal(
        pst_hex_decode(PST_STR("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"), order,
                       sizeof(order)),
        0);
    assert_int_equal(pst_sign_key_load(order, &none), -PST_EINVAL);
    memset(order, 0, sizeof(order));
    assert_int_equal(pst_sign_key_load(order, &none), -PST_EINVAL);
    assert_null(none);
}

/* Wycheproof calls a DigestInfo without its NULL "acceptable"; RFC 8017 (section 9.2) wants it, and so does
 * this. */
static void visit_rsa(const json_t *group, const json_t *test, const char *result)
{
    const json_t *jwk = json_object_get(group, "keyJwk");
    struct bytes n, e;
    struct pst_verify_key *key = NULL;
    const char *reason;
    size_t message_len, signature_len;
    uint8_t *message = vectors_bytes(test, "msg", &message_len);
    uint8_t *signature = vectors_bytes(test, "sig", &signature_len);
    assert_int_equal(pst_verify_key_rsa(decode(vectors_text(jwk, "n"), &n),
                                        decode(vectors_text(jwk, "e"), &e), &key, &reason),
                     0);
    bool accepted = pst_verify(key, PST_ALG_RS256, (struct pst_str){(const char *)message, message_len},
                               (struct pst_str){(const char *)signature, signature_len});
    if (accepted != (strcmp(result, "valid") == 0))
        vectors_fail(test, accepted ? "was accepted" : "was rejected");
    pst_verify_key_free(key);
    free(message), free(signature);
}

static void test_wycheproof_rsa(void **state)
{
    (void)state;
    vectors_each("rsa_signature_2048_sha256.json", visit_rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc7515_rs256), cmocka_unit_test(test_rfc7515_es256),
        cmocka_unit_test(test_rfc7515_es512), cmocka_unit_test(test_es384),
        cmocka_unit_test(test_rfc8037_eddsa), cmocka_unit_test(test_names),
        cmocka_unit_test(test_weak_rsa),      cmocka_unit_test(test_bad_points),
        cmocka_unit_test(test_weak_ed25519),  cmocka_unit_test(test_sign),
        cmocka_unit_test(test_load),          cmocka_unit_test(test_wycheproof_rsa),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
