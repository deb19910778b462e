/* SPDX-License-Identifier: Apache-2.0 */
/* What one operation of TLS's primitives costs, by the engines behind mbedTLS's hooks and by mbedTLS's own
 * code, in turns: CPU time of this thread, the least of several rounds. `ninja -C build
 * tests/unit/crypto/bench_primitives` makes it; docs/performance.md has what it printed. */
#include "../gateway/crypto/hooks/ecc.h"
#include "../tests/unit/crypto/hooks/reference.h"
#include "postern/crypto/engine.h"
#include "postern/crypto/random.h"

#include <gmp.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>
#include <mbedtls/rsa.h>
#include <mbedtls/sha256.h>
#include <nettle/curve25519.h>
#include <nettle/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS        7
#define ROUND_NS      10000000
#define RECORD        16384
#define RSA_MAX_BYTES 512

int pst_stock_rsa_private(mbedtls_rsa_context *ctx, mbedtls_f_rng_t *f_rng, void *p_rng,
                          const unsigned char *input, unsigned char *output);

static uint8_t text[RECORD], sealed[RECORD + 16], scalar[48], point[96], hash[32], signature[96], result[96];
static uint8_t key[32], iv[12], ad[13], tag[16];
static const struct ecc_curve *p256;
static mbedtls_gcm_context gcm;
static mbedtls_chachapoly_context chacha;
static mbedtls_rsa_context rsa[2]; /* 2048 and 3072 bits */
static uint8_t rsa_in[RSA_MAX_BYTES], rsa_out[RSA_MAX_BYTES];

static int draw(void *arg, unsigned char *out, size_t len)
{
    (void)arg;
    return pst_random_bytes(out, len) == 0 ? 0 : -1;
}

static void draw_nettle(void *arg, size_t len, uint8_t *out)
{
    if (draw(arg, out, len) != 0)
        abort();
}

static struct ref_message message(size_t len, unsigned bits)
{
    return (struct ref_message){key, bits, iv, sizeof(iv), ad, sizeof(ad), text, len};
}

#define MUST(x)                                                                                              \
    do {                                                                                                     \
        if ((x) != 0)                                                                                        \
            abort();                                                                                         \
    } while (0)

/* The engine's way, then mbedTLS's own. */
static void gcm_large(void)
{
    MUST(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, RECORD, iv, 12, ad, 13, text, sealed, 16, tag));
}
static void gcm_large_stock(void)
{
    const struct ref_message m = message(RECORD, 128);
    MUST(ref_gcm_seal(&m, sealed, tag));
}
static void gcm_small(void)
{
    MUST(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, 256, iv, 12, ad, 13, text, sealed, 16, tag));
}
static void gcm_small_stock(void)
{
    const struct ref_message m = message(256, 128);
    MUST(ref_gcm_seal(&m, sealed, tag));
}
static void chacha_large(void)
{
    MUST(mbedtls_chachapoly_encrypt_and_tag(&chacha, RECORD, iv, ad, 13, text, sealed, tag));
}
static void chacha_large_stock(void)
{
    const struct ref_message m = message(RECORD, 256);
    MUST(ref_chachapoly_seal(&m, sealed, tag));
}
static void sha(void)
{
    MUST(mbedtls_sha256(text, 1024, hash, 0));
}
static void sha_stock(void)
{
    MUST(ref_sha256(text, 1024, hash));
}
static void x25519_key(void)
{
    curve25519_mul_g(result, scalar);
}
static void x25519_key_stock(void)
{
    MUST(ref_public(255, scalar, result));
}
static void x25519_agree(void)
{
    static const uint8_t base[32] = {9};
    MUST(!x25519_shared(scalar, base, result));
}
static void x25519_agree_stock(void)
{
    static const uint8_t base[32] = {9};
    MUST(ref_shared(255, scalar, base, result));
}
static void p256_key(void)
{
    MUST(ecc_public_of(p256, scalar, result));
}
static void p256_key_stock(void)
{
    MUST(ref_public(256, scalar, result));
}
static void p256_agree(void)
{
    MUST(ecc_shared_of(p256, scalar, point, result));
}
static void p256_agree_stock(void)
{
    MUST(ref_shared(256, scalar, point, result));
}
static void p256_sign(void)
{
    MUST(ecc_sign(p256, scalar, hash, 32, draw, NULL, result));
}
static void p256_sign_stock(void)
{
    MUST(ref_sign(256, scalar, hash, 32, result));
}
static void p256_verify(void)
{
    MUST(!ecc_verify(p256, point, hash, 32, signature));
}
static void p256_verify_stock(void)
{
    MUST(ref_verify(256, point, hash, 32, signature));
}
static void rsa_2048(void)
{
    MUST(mbedtls_rsa_private(&rsa[0], draw, NULL, rsa_in, rsa_out));
}
static void rsa_2048_stock(void)
{
    MUST(pst_stock_rsa_private(&rsa[0], draw, NULL, rsa_in, rsa_out));
}
static void rsa_3072(void)
{
    MUST(mbedtls_rsa_private(&rsa[1], draw, NULL, rsa_in, rsa_out));
}
static void rsa_3072_stock(void)
{
    MUST(pst_stock_rsa_private(&rsa[1], draw, NULL, rsa_in, rsa_out));
}

static const struct {
    const char *name;
    void (*engine)(void), (*stock)(void);
} operations[] = {
    {"AES-128-GCM, 16 KiB", gcm_large, gcm_large_stock},
    {"AES-128-GCM, 256 bytes (mbedTLS: with its key set-up)", gcm_small, gcm_small_stock},
    {"ChaCha20-Poly1305, 16 KiB", chacha_large, chacha_large_stock},
    {"SHA-256, 1 KiB", sha, sha_stock},
    {"X25519, public key", x25519_key, x25519_key_stock},
    {"X25519, agree", x25519_agree, x25519_agree_stock},
    {"P-256, public key", p256_key, p256_key_stock},
    {"P-256, agree", p256_agree, p256_agree_stock},
    {"ECDSA P-256, sign", p256_sign, p256_sign_stock},
    {"ECDSA P-256, verify", p256_verify, p256_verify_stock},
    {"RSA-2048, sign", rsa_2048, rsa_2048_stock},
    {"RSA-3072, sign", rsa_3072, rsa_3072_stock},
};

static double cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* The clock is a system call: it is read once for as many runs as take a while. */
static double round_us(void (*run)(void))
{
    for (unsigned n = 1;; n *= 2) {
        double start = cpu_ns();
        for (unsigned i = 0; i < n; i++)
            run();
        double spent = cpu_ns() - start;
        if (spent > ROUND_NS)
            return spent / 1000 / n;
    }
}

static void make_rsa(mbedtls_rsa_context *context, unsigned bits)
{
    struct rsa_public_key pub;
    struct rsa_private_key private;
    uint8_t bytes[RSA_MAX_BYTES];
    mbedtls_mpi p, q, e;
    const mpz_t *from[] = {&private.p, &private.q, &pub.e};
    mbedtls_mpi *to[] = {&p, &q, &e};
    rsa_public_key_init(&pub);
    rsa_private_key_init(&private);
    mpz_set_ui(pub.e, 65537);
    if (rsa_generate_keypair(&pub, &private, NULL, draw_nettle, NULL, NULL, bits, 0) != 1)
        abort();
    mbedtls_rsa_init(context);
    for (size_t i = 0; i < 3; i++) {
        size_t n = 0;
        mbedtls_mpi_init(to[i]);
        mpz_export(bytes, &n, 1, 1, 1, 0, *from[i]);
        MUST(mbedtls_mpi_read_binary(to[i], bytes, n));
    }
    MUST(mbedtls_rsa_import(context, NULL, &p, &q, NULL, &e));
    MUST(mbedtls_rsa_complete(context));
    for (size_t i = 0; i < 3; i++)
        mbedtls_mpi_free(to[i]);
    rsa_public_key_clear(&pub);
    rsa_private_key_clear(&private);
}

static void set_up(void)
{
    MUST(pst_crypto_init());
    draw(NULL, key, sizeof(key));
    draw(NULL, text, sizeof(text));
    draw(NULL, scalar, sizeof(scalar));
    scalar[0] &= 0x7f;
    memset(rsa_in, 0x42, sizeof(rsa_in));
    rsa_in[0] = 0; /* below the modulus */
    p256 = ecc_curve_of(MBEDTLS_ECP_DP_SECP256R1);
    MUST(ecc_public_of(p256, scalar, point));
    memset(hash, 7, sizeof(hash));
    MUST(ecc_sign(p256, scalar, hash, 32, draw, NULL, signature));
    mbedtls_gcm_init(&gcm);
    MUST(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 128));
    mbedtls_chachapoly_init(&chacha);
    MUST(mbedtls_chachapoly_setkey(&chacha, key));
    make_rsa(&rsa[0], 2048);
    make_rsa(&rsa[1], 3072);
}

int main(void)
{
    set_up();
    printf("%s\n| us an operation | here | mbedTLS's own | times as fast |\n|---|--:|--:|--:|\n",
           pst_crypto_describe());
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        double here = 1e12, stock = 1e12;
        memset(hash, 7, sizeof(hash)); /* SHA-256's rounds wrote into it */
        for (int round = 0; round < ROUNDS; round++) {
            double a = round_us(operations[i].engine), b = round_us(operations[i].stock);
            here = a < here ? a : here;
            stock = b < stock ? b : stock;
        }
        printf("| %s | %.2f | %.2f | %.1f |\n", operations[i].name, here, stock, stock / here);
    }
    return 0;
}
