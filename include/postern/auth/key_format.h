/* SPDX-License-Identifier: Apache-2.0 */
/* What a key looks like.
 *
 *     ps_<id>_<secret>_<checksum>
 *     ps_4k1x0c9qz7mt_AbCdEfGhIjKlMnOpQrStUvWxYz_0aZ9bQ      (an example; its checksum is wrong)
 *
 * id: 12 characters 0-9a-z, random (62 bits), public: it may be logged and shown, and finds the key without
 * touching the secret. secret: 26 base62 characters from the kernel's generator, 154 bits; so more than 128
 * stay unknown where the last four characters of a key are shown. checksum: CRC-32 of everything before its
 * underscore, base62: a typo is refused without a look-up, and a secret scanner can tell a key from noise.
 * 49 characters in all, so that HMAC-SHA-256 takes the whole text in one block.
 *
 * Imported keys (Azure's 32 hex digits, its newer 84 characters, ...) are any 16 to 128 printable ASCII
 * characters without blanks that do not begin with "ps_". Any thread. */
#ifndef POSTERN_AUTH_KEY_FORMAT_H
#define POSTERN_AUTH_KEY_FORMAT_H

#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/crypto/secret.h"

#include <stdbool.h>
#include <stdint.h>

#define PST_KEY_PREFIX       "ps_"
#define PST_KEY_ID_LEN       12
#define PST_KEY_ID_SIZE      (PST_KEY_ID_LEN + 1) /* with its NUL */
#define PST_KEY_SECRET_LEN   26
#define PST_KEY_CHECKSUM_LEN 6
#define PST_KEY_TEXT_LEN     (3 + PST_KEY_ID_LEN + 1 + PST_KEY_SECRET_LEN + 1 + PST_KEY_CHECKSUM_LEN)
#define PST_KEY_IMPORT_MIN   16
#define PST_KEY_IMPORT_MAX   PST_SECRET_MAX
/* What list and show may print of a secret: "ps_<id>_" (nothing of an imported key, which has no public part)
 * and its last four characters. */
#define PST_KEY_SHOWN_PREFIX_SIZE (3 + PST_KEY_ID_LEN + 2)
#define PST_KEY_LAST4_SIZE        5

enum pst_key_kind {
    PST_KEY_KIND_NONE,      /* cannot be a key: length, characters, grammar or checksum */
    PST_KEY_KIND_GENERATED, /* ours; the id is inside */
    PST_KEY_KIND_IMPORTED,  /* anything else, found by its digest */
};

/* Tells what `text` is; never reads outside it. `ret_id` is a slice of `text`, set for generated keys only,
 * and may be NULL. */
enum pst_key_kind pst_key_classify(struct pst_str text, struct pst_str *ret_id);

/* A new public id, terminated. 0 or -PST_EIO. */
int pst_key_make_id(char id[static PST_KEY_ID_SIZE]) PST_MUSTCHECK;
/* A new secret of the key `id`. 0, -PST_EINVAL (not an id) or -PST_EIO. */
int pst_key_make_secret(const char *id, struct pst_secret *ret_secret) PST_MUSTCHECK;
/* Twelve characters 0-9a-z. */
bool pst_key_is_id(struct pst_str id);
/* An id as a number below 36^12 < 2^63 (two ids are equal when their numbers are), or UINT64_MAX when it is
 * not an id. */
uint64_t pst_key_id_number(struct pst_str id);
void pst_key_id_text(uint64_t number, char id[static PST_KEY_ID_SIZE]);
/* What may be shown of a secret that pst_key_classify() took; both terminated. */
void pst_key_shown_parts(struct pst_str text, char prefix[static PST_KEY_SHOWN_PREFIX_SIZE],
                         char last4[static PST_KEY_LAST4_SIZE]);

#endif
