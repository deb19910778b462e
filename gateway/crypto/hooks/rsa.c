/* SPDX-License-Identifier: Apache-2.0 */
/* RSA's private operation (RFC 8017 section 5.1.2), which is what a server with an RSA certificate signs
 * with. mbedTLS has no hook for it but the whole module; so its function bears another name (tools/deps), and
 * this one takes its place. Secret: the key, and for decryption, which nothing here uses, the result.
 * hogweed's root is silent to side channels, blinded with random numbers, and checked by the public operation
 * before it is given out, so that a fault cannot leak a prime. */
#include <mbedtls/error.h>
#include <mbedtls/rsa.h>
#include <nettle/bignum.h>
#include <nettle/rsa.h>
#include <stdbool.h>
#include <string.h>

#define MAX_BYTES 1024 /* MBEDTLS_MPI_MAX_SIZE */

int pst_stock_rsa_private(mbedtls_rsa_context *ctx, mbedtls_f_rng_t *f_rng, void *p_rng,
                          const unsigned char *input, unsigned char *output);

static bool take(mpz_t to, const mbedtls_mpi *from)
{
    uint8_t bytes[MAX_BYTES];
    size_t n = mbedtls_mpi_size(from);
    bool ok = n <= sizeof(bytes) && mbedtls_mpi_write_binary(from, bytes, n) == 0;
    if (ok)
        nettle_mpz_set_str_256_u(to, n, bytes);
    explicit_bzero(bytes, ok ? n : sizeof(bytes));
    return ok;
}

/* False when it is no whole private key. */
static bool take_key(mbedtls_rsa_context *ctx, struct rsa_public_key *pub, struct rsa_private_key *key)
{
    mbedtls_mpi part[7];
    mpz_t *to[7] = {&pub->n, &key->p, &key->q, &pub->e, &key->a, &key->b, &key->c};
    for (size_t i = 0; i < 7; i++)
        mbedtls_mpi_init(&part[i]);
    bool ok = mbedtls_rsa_export(ctx, &part[0], &part[1], &part[2], NULL, &part[3]) == 0 &&
              mbedtls_rsa_export_crt(ctx, &part[4], &part[5], &part[6]) == 0;
    for (size_t i = 0; i < 7; i++) {
        ok = ok && take(*to[i], &part[i]);
        mbedtls_mpi_free(&part[i]);
    }
    return ok && rsa_public_key_prepare(pub) != 0 && rsa_private_key_prepare(key) != 0;
}

struct source {
    mbedtls_f_rng_t *f_rng;
    void *p_rng;
    bool failed;
};

/* nettle's cannot fail: what was made with this instead is thrown away. */
static void draw_surely(void *arg, size_t len, uint8_t *out)
{
    struct source *source = arg;
    if (source->failed || source->f_rng(source->p_rng, out, len) != 0) {
        source->failed = true;
        memset(out, 1, len);
    }
}

static int root(struct rsa_public_key *pub, struct rsa_private_key *key, struct source *source,
                const unsigned char *input, unsigned char *output)
{
    int ret = 0;
    mpz_t x, m;
    mpz_init(x);
    nettle_mpz_init_set_str_256_u(m, pub->size, input);
    if (mpz_cmp(m, pub->n) >= 0)
        ret = MBEDTLS_ERR_RSA_BAD_INPUT_DATA;
    else if (rsa_compute_root_tr(pub, key, source, draw_surely, x, m) == 0)
        ret = MBEDTLS_ERR_RSA_VERIFY_FAILED;
    else if (source->failed)
        ret = MBEDTLS_ERR_RSA_RNG_FAILED;
    else
        nettle_mpz_get_str_256(pub->size, output, x);
    mpz_clear(x);
    mpz_clear(m);
    return ret;
}

int mbedtls_rsa_private(mbedtls_rsa_context *ctx, mbedtls_f_rng_t *f_rng, void *p_rng,
                        const unsigned char *input, unsigned char *output)
{
    struct rsa_public_key pub;
    struct rsa_private_key key;
    struct source source = {.f_rng = f_rng, .p_rng = p_rng};
    if (f_rng == NULL)
        return MBEDTLS_ERR_RSA_BAD_INPUT_DATA;
    rsa_public_key_init(&pub);
    rsa_private_key_init(&key);
    bool whole = take_key(ctx, &pub, &key);
    int ret = whole ? root(&pub, &key, &source, input, output) : 0;
    rsa_public_key_clear(&pub);
    rsa_private_key_clear(&key);
    return whole ? ret : pst_stock_rsa_private(ctx, f_rng, p_rng, input, output);
}
