/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as clients present them: what classify says is held against a second reading of the grammar, and a key
 * of ours, once broken anywhere, is none any more. And credentials in fields and queries made of the same
 * bytes: what is found fits, what was a source is named as one. */
#include "postern/auth/credential.h"
#include "postern/auth/key_format.h"
#include "postern/crypto/checksum.h"
#include "postern/http/target.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool all_in(struct pst_str s, const char *letters)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\0' || strchr(letters, s.p[i]) == NULL)
            return false;
    }
    return true;
}

#define LOWER "0123456789abcdefghijklmnopqrstuvwxyz"
#define ALL   LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* The grammar once more, by splitting at underscores. */
static bool looks_generated(struct pst_str text, struct pst_str *ret_id)
{
    struct pst_str rest, secret, checksum;
    struct pst_str first = pst_str_cut(text, '_', &rest);
    *ret_id = pst_str_cut(rest, '_', &rest);
    secret = pst_str_cut(rest, '_', &checksum);
    if (!pst_str_eq(first, PST_STR("ps")) || ret_id->len != 12 || secret.len != 26 || checksum.len != 6 ||
        !all_in(*ret_id, LOWER) || !all_in(secret, ALL) || !all_in(checksum, ALL))
        return false;
    char expected[PST_BASE62_CRC_LEN];
    pst_base62_u32(pst_crc32(text.p, text.len - 7), expected);
    return memcmp(expected, checksum.p, 6) == 0;
}

static void check_parts(struct pst_str text, struct pst_str id)
{
    char back[PST_KEY_ID_SIZE], prefix[PST_KEY_SHOWN_PREFIX_SIZE], last4[PST_KEY_LAST4_SIZE];
    CHECK(pst_key_is_id(id));
    pst_key_id_text(pst_key_id_number(id), back);
    CHECK(pst_str_eq(id, pst_str_of(back)));
    pst_key_shown_parts(text, prefix, last4);
    CHECK(strlen(prefix) == 16 && strlen(last4) == 4);
}

static void check_classify(struct pst_str text)
{
    struct pst_str id = {0}, expected_id = {0};
    bool generated = looks_generated(text, &expected_id);
    enum pst_key_kind kind = pst_key_classify(text, &id);
    CHECK((kind == PST_KEY_KIND_GENERATED) == generated);
    if (generated) {
        CHECK(id.p == expected_id.p && id.len == expected_id.len);
        check_parts(text, id);
    } else if (kind == PST_KEY_KIND_IMPORTED) {
        char prefix[PST_KEY_SHOWN_PREFIX_SIZE], last4[PST_KEY_LAST4_SIZE];
        CHECK(text.len >= PST_KEY_IMPORT_MIN && text.len <= PST_KEY_IMPORT_MAX);
        CHECK(!pst_str_starts(text, PST_STR("ps_")));
        pst_key_shown_parts(text, prefix, last4);
        CHECK(prefix[0] == '\0' && strlen(last4) == 4);
    }
}

/* A key that is right, changed in the place and to the byte that the input names. */
static void check_broken(const uint8_t *data, size_t size)
{
    char id[PST_KEY_ID_SIZE], text[PST_KEY_TEXT_LEN];
    if (size < 10)
        return;
    uint64_t number;
    memcpy(&number, data, sizeof(number));
    pst_key_id_text(number % UINT64_C(4738381338321616896), id);
    memcpy(text, "ps_", 3);
    memcpy(text + 3, id, PST_KEY_ID_LEN);
    text[15] = '_';
    for (size_t i = 0; i < PST_KEY_SECRET_LEN; i++)
        text[16 + i] = pst_base62_alphabet[data[i % size] % 62];
    text[42] = '_';
    pst_base62_u32(pst_crc32(text, 42), text + 43);
    struct pst_str whole = {text, sizeof(text)};
    CHECK(pst_key_classify(whole, NULL) == PST_KEY_KIND_GENERATED);
    check_classify(whole);
    size_t at = data[8] % sizeof(text);
    if (text[at] == (char)data[9])
        return;
    text[at] = (char)data[9];
    CHECK(pst_key_classify(whole, NULL) != PST_KEY_KIND_GENERATED);
    check_classify(whole);
}

/* The input's lines, by turns, as values of fields that are sources and fields that are not, the last as the
 * query. */
static void check_credentials(struct pst_str input)
{
    static const char *const names[] = {"Ocp-Apim-Subscription-Key", "authorization", "api-key", "accept"};
    struct pst_key_sources sources;
    struct pst_field storage[8];
    struct pst_fields fields;
    struct pst_credential found;
    pst_key_sources_init(&sources);
    CHECK(pst_key_sources_add(&sources, PST_STR("ocp-apim-subscription-key")) == 0);
    CHECK(pst_key_sources_add(&sources, PST_STR("api-key")) == 0);
    CHECK(pst_key_sources_add(&sources, PST_STR("Authorization: Bearer")) == 0);
    CHECK(pst_key_sources_set_query(&sources, PST_STR("subscription-key")) == 0);
    pst_fields_init(&fields, storage, 8);
    bool any = false;
    for (size_t i = 0; i < 8 && input.p != NULL && pst_str_find(input, '\n') >= 0; i++) {
        struct pst_str value = pst_str_cut(input, '\n', &input);
        if (pst_fields_add(&fields, pst_str_of(names[i % 4]), value) < 0)
            break;
        any = pst_credential_is_field(&sources, &storage[fields.n - 1]) || any;
    }
    pst_credential_find(&sources, &fields, input, (input.len & 1) != 0, &found);
    struct pst_query_param param;
    bool in_query = pst_query_find(input, PST_STR("subscription-key"), &param);
    CHECK((found.result != PST_CREDENTIAL_NONE) == (any || in_query));
    CHECK(found.value.len <= PST_SECRET_MAX);
    if (found.result == PST_CREDENTIAL_ONE) {
        CHECK(found.value.len > 0 && (!found.too_long || found.value.len == PST_SECRET_MAX));
        check_classify(pst_secret_str(&found.value));
    }
    pst_credential_done(&found);
    CHECK(found.value.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_str input = {(const char *)data, size};
    check_classify(input);
    check_broken(data, size);
    check_credentials(input);
    return 0;
}
