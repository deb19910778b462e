/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104) and comparison without a tell-tale. nettle does the
 * arithmetic, with the processor's SHA instructions where it has them. Any thread. */
#ifndef POSTERN_CRYPTO_HASH_H
#define POSTERN_CRYPTO_HASH_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PST_SHA256_BYTES 32

/* FIPS 180-4. For WebSocket's handshake (RFC 6455 section 4.2.2), which asks for it; never for secrets. */
#define PST_SHA1_BYTES 20
void pst_sha1(const void *data, size_t len, uint8_t digest[static PST_SHA1_BYTES]);

void pst_sha256(const void *data, size_t len, uint8_t digest[static PST_SHA256_BYTES]);

/* A key that has already been taken in: the states behind its inner and outer pad. A message of up to
 * 55 bytes then costs two compressions instead of four. Read-only after init, so threads may share one;
 * it is as secret as the key itself. */
struct pst_hmac_key {
    struct sha256_ctx inner;
    struct sha256_ctx outer;
};

void pst_hmac_key_init(struct pst_hmac_key *key, const void *secret, size_t len);
/* Wipes it. */
void pst_hmac_key_done(struct pst_hmac_key *key);
void pst_hmac_sha256(const struct pst_hmac_key *key, struct pst_str message,
                     uint8_t digest[static PST_SHA256_BYTES]);

/* Whether two equally long areas hold the same bytes, in a time that depends on `len` alone. */
bool pst_ct_equal(const void *a, const void *b, size_t len);

#endif
