/* SPDX-License-Identifier: Apache-2.0 */
/* P-256, P-384 and X25519 by hogweed: points, scalars and signatures of any kind are taken or refused as
 * mbedTLS's own arithmetic does it, with the same results. */
#include "../../gateway/crypto/hooks/ecc.h"
#include "../unit/crypto/hooks/reference.h"
#include "postern/crypto/engine.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_x25519(const uint8_t *data, size_t size)
{
    uint8_t mine[X25519_BYTES], theirs[X25519_BYTES];
    if (size < 2 * X25519_BYTES)
        return;
    bool ok = x25519_shared(data, data + X25519_BYTES, mine);
    CHECK(ok == (ref_shared(255, data, data + X25519_BYTES, theirs) == 0));
    CHECK(!ok || memcmp(mine, theirs, sizeof(mine)) == 0);
}

/* A point that somebody sent, and the one of our scalar. */
static void try_shared(unsigned bits, const struct ecc_curve *curve, const uint8_t *data, size_t size)
{
    size_t n = bits / 8;
    uint8_t mine[ECC_POINT_MAX], theirs[ECC_POINT_MAX], x[ECC_MAX_BYTES], their_x[ECC_MAX_BYTES];
    if (size < 3 * n)
        return;
    bool ok = ecc_shared_of(curve, data, data + n, x) == 0;
    CHECK(ok == (ref_shared(bits, data, data + n, their_x) == 0));
    CHECK(!ok || memcmp(x, their_x, n) == 0);
    CHECK(!ok || (ecc_scalar_is_valid(curve, data) && ecc_point_is_valid(curve, data + n)));
    ok = ecc_public_of(curve, data, mine) == 0;
    CHECK(ok == (ref_public(bits, data, theirs) == 0));
    CHECK(!ok || memcmp(mine, theirs, 2 * n) == 0);
}

static void try_verify(unsigned bits, const struct ecc_curve *curve, const uint8_t *data, size_t size)
{
    size_t n = bits / 8, hash_len = data[0] % 65;
    data++, size--;
    if (size < 4 * n + hash_len)
        return;
    const uint8_t *hash = data + 4 * n;
    bool good = ecc_verify(curve, data, hash, hash_len, data + 2 * n);
    CHECK(good == (ref_verify(bits, data, hash, hash_len, data + 2 * n) == 0));
}

/* Random bytes are on no curve: a scalar makes the key, and its signature is bent by what comes behind. */
static int draw(void *arg, unsigned char *out, size_t len)
{
    const uint8_t *seed = arg;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(seed[i % 16] + i);
    out[0] &= 0x7f;
    return 0;
}

static void try_signature(unsigned bits, const struct ecc_curve *curve, const uint8_t *data, size_t size)
{
    size_t n = bits / 8;
    uint8_t point[ECC_POINT_MAX], signature[ECC_POINT_MAX], nonce[16];
    if (size < n + 32 + 16 + 2 || ecc_public_of(curve, data, point) != 0)
        return;
    const uint8_t *hash = data + n, *bend = hash + 32 + 16;
    memcpy(nonce, hash + 32, sizeof(nonce));
    if (ecc_sign(curve, data, hash, 32, draw, nonce, signature) != 0)
        return;
    CHECK(ecc_verify(curve, point, hash, 32, signature));
    CHECK(ref_verify(bits, point, hash, 32, signature) == 0);
    signature[bend[0] % (2 * n)] ^= bend[1];
    CHECK(ecc_verify(curve, point, hash, 32, signature) ==
          (ref_verify(bits, point, hash, 32, signature) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CHECK(pst_crypto_init() == 0);
    if (size < 2)
        return 0;
    unsigned bits = (data[0] & 4) != 0 ? 384 : 256;
    const struct ecc_curve *curve =
        ecc_curve_of(bits == 384 ? MBEDTLS_ECP_DP_SECP384R1 : MBEDTLS_ECP_DP_SECP256R1);
    switch (data[0] & 3) {
    case 0:
        try_x25519(data + 1, size - 1);
        break;
    case 1:
        try_shared(bits, curve, data + 1, size - 1);
        break;
    case 2:
        try_verify(bits, curve, data + 1, size - 1);
        break;
    default:
        try_signature(bits, curve, data + 1, size - 1);
        break;
    }
    return 0;
}
