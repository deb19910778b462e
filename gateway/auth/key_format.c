/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/key_format.h"

#include "postern/crypto/checksum.h"
#include "postern/crypto/random.h"

static const char id_alphabet[36] = {"0123456789abcdefghijklmnopqrstuvwxyz"};

#define ID_AT       (sizeof(PST_KEY_PREFIX) - 1)
#define SECRET_AT   (ID_AT + PST_KEY_ID_LEN + 1)
#define CHECKSUM_AT (SECRET_AT + PST_KEY_SECRET_LEN + 1)

static bool is_id_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

bool pst_key_is_id(struct pst_str id)
{
    if (id.len != PST_KEY_ID_LEN)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        if (!is_id_digit(id.p[i]))
            return false;
    }
    return true;
}

static bool is_base62(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!pst_base62_is_digit(text[i]))
            return false;
    }
    return true;
}

static bool is_generated(struct pst_str text)
{
    if (text.len != PST_KEY_TEXT_LEN || text.p[SECRET_AT - 1] != '_' || text.p[CHECKSUM_AT - 1] != '_' ||
        !pst_key_is_id((struct pst_str){text.p + ID_AT, PST_KEY_ID_LEN}) ||
        !is_base62(text.p + SECRET_AT, PST_KEY_SECRET_LEN))
        return false;
    char checksum[PST_KEY_CHECKSUM_LEN];
    pst_base62_u32(pst_crc32(text.p, CHECKSUM_AT - 1), checksum);
    return memcmp(checksum, text.p + CHECKSUM_AT, sizeof(checksum)) == 0;
}

static bool is_importable(struct pst_str text)
{
    if (text.len < PST_KEY_IMPORT_MIN || text.len > PST_KEY_IMPORT_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    }
    return true;
}

enum pst_key_kind pst_key_classify(struct pst_str text, struct pst_str *ret_id)
{
    /* Nothing else begins like our keys, so a mistyped one of ours is never looked up as an imported one. */
    if (!pst_str_starts(text, PST_STR(PST_KEY_PREFIX)))
        return is_importable(text) ? PST_KEY_KIND_IMPORTED : PST_KEY_KIND_NONE;
    if (!is_generated(text))
        return PST_KEY_KIND_NONE;
    if (ret_id)
        *ret_id = (struct pst_str){text.p + ID_AT, PST_KEY_ID_LEN};
    return PST_KEY_KIND_GENERATED;
}

int pst_key_make_id(char id[static PST_KEY_ID_SIZE])
{
    int err = pst_random_text(id, PST_KEY_ID_LEN, id_alphabet, sizeof(id_alphabet));
    id[err < 0 ? 0 : PST_KEY_ID_LEN] = '\0';
    return err;
}

int pst_key_make_secret(const char *id, struct pst_secret *ret_secret)
{
    if (!pst_key_is_id(pst_str_of(id)))
        return -PST_EINVAL;
    PST_SECRET_SCOPE made = {.len = PST_KEY_TEXT_LEN};
    memcpy(made.text, PST_KEY_PREFIX, ID_AT);
    memcpy(made.text + ID_AT, id, PST_KEY_ID_LEN);
    made.text[SECRET_AT - 1] = '_';
    int err = pst_random_text(made.text + SECRET_AT, PST_KEY_SECRET_LEN, pst_base62_alphabet,
                              sizeof(pst_base62_alphabet));
    if (err < 0)
        return err;
    pst_base62_u32(pst_crc32(made.text, CHECKSUM_AT - 1), made.text + CHECKSUM_AT);
    made.text[CHECKSUM_AT - 1] = '_';
    *ret_secret = made;
    return 0;
}

uint64_t pst_key_id_number(struct pst_str id)
{
    if (id.len != PST_KEY_ID_LEN)
        return UINT64_MAX;
    uint64_t number = 0;
    for (size_t i = 0; i < PST_KEY_ID_LEN; i++) {
        char c = id.p[i];
        if (!is_id_digit(c))
            return UINT64_MAX;
        number = number * 36 + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return number;
}

void pst_key_id_text(uint64_t number, char id[static PST_KEY_ID_SIZE])
{
    for (int i = PST_KEY_ID_LEN - 1; i >= 0; i--) {
        id[i] = id_alphabet[number % 36];
        number /= 36;
    }
    id[PST_KEY_ID_LEN] = '\0';
}

void pst_key_shown_parts(struct pst_str text, char prefix[static PST_KEY_SHOWN_PREFIX_SIZE],
                         char last4[static PST_KEY_LAST4_SIZE])
{
    struct pst_str public_part = {text.p, 0};
    if (pst_str_starts(text, PST_STR(PST_KEY_PREFIX)) && text.len >= SECRET_AT)
        public_part.len = SECRET_AT;
    pst_str_clip(public_part, prefix, PST_KEY_SHOWN_PREFIX_SIZE);
    pst_str_clip(pst_str_skip(text, text.len < 4 ? 0 : text.len - 4), last4, PST_KEY_LAST4_SIZE);
}
