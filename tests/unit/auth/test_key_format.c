/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/key_format.h"

#include "postern/base/buf.h"
#include "postern/base/fd.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What docs/keys.md tells secret scanners to look for. */
#define SCANNER_REGEX "ps_[0-9a-z]{12}_[0-9A-Za-z]{26}_[0-9A-Za-z]{6}"

/* Checksums by Python's zlib.crc32: keys that were given out must stay keys. */
static const char *const known[] = {
    "ps_4k1x0c9qz7mt_AbCdEfGhIjKlMnOpQrStUvWxYz_48ivvd",
    "ps_000000000000_00000000000000000000000000_2TZjVB",
    "ps_zzzzzzzzzzzz_zzzzzzzzzzzzzzzzzzzzzzzzzz_2mYz1Z",
};
#define N_KNOWN (sizeof(known) / sizeof(known[0]))

static void test_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_KNOWN; i++) {
        struct pst_str id = {0};
        assert_int_equal(strlen(known[i]), PST_KEY_TEXT_LEN);
        assert_int_equal(pst_key_classify(pst_str_of(known[i]), &id), PST_KEY_KIND_GENERATED);
        assert_ptr_equal(id.p, known[i] + 3);
        assert_int_equal(id.len, PST_KEY_ID_LEN);
        assert_int_equal(pst_key_classify(pst_str_of(known[i]), NULL), PST_KEY_KIND_GENERATED);
    }
}

static void test_made(void **state)
{
    (void)state;
    regex_t regex;
    assert_int_equal(regcomp(&regex, "^" SCANNER_REGEX "$", REG_EXTENDED | REG_NOSUB), 0);
    char previous[PST_SECRET_MAX + 1] = "";
    for (int i = 0; i < 1000; i++) {
        char id[PST_KEY_ID_SIZE];
        PST_SECRET_SCOPE secret = {0};
        struct pst_str found;
        assert_int_equal(pst_key_make_id(id), 0);
        assert_true(pst_key_is_id(pst_str_of(id)));
        assert_int_equal(pst_key_make_secret(id, &secret), 0);
        assert_int_equal(secret.len, PST_KEY_TEXT_LEN);
        assert_int_equal(regexec(&regex, secret.text, 0, NULL, 0), 0);
        assert_int_equal(pst_key_classify(pst_secret_str(&secret), &found), PST_KEY_KIND_GENERATED);
        assert_true(pst_str_eq(found, pst_str_of(id)));
        assert_string_not_equal(secret.text, previous);
        memcpy(previous, secret.text, sizeof(previous));
    }
    regfree(&regex);
}

static void test_documented(void **state)
{
    (void)state;
    struct pst_buf page;
    pst_buf_init(&page, 1 << 20);
    assert_int_equal(pst_file_read(POSTERN_SOURCE_ROOT "/docs/keys.md", 1 << 20, &page), 0);
    const char *text = pst_buf_cstr(&page);
    assert_non_null(text);
    assert_non_null(strstr(text, SCANNER_REGEX));
    pst_buf_done(&page);
}

/* Two secrets of one key share nothing but the id. */
static void test_secrets_differ(void **state)
{
    (void)state;
    PST_SECRET_SCOPE a = {0};
    PST_SECRET_SCOPE b = {0};
    assert_int_equal(pst_key_make_secret("4k1x0c9qz7mt", &a), 0);
    assert_int_equal(pst_key_make_secret("4k1x0c9qz7mt", &b), 0);
    assert_memory_equal(a.text, b.text, 16);
    assert_string_not_equal(a.text + 16, b.text + 16);
    static const char *const not_ids[] = {"", "4k1x0c9qz7m", "4k1x0c9qz7mtt", "4K1x0c9qz7mt", "4k1x0c9qz7m_"};
    for (size_t i = 0; i < sizeof(not_ids) / sizeof(not_ids[0]); i++) {
        PST_SECRET_SCOPE none = {0};
        assert_int_equal(pst_key_make_secret(not_ids[i], &none), -PST_EINVAL);
        assert_int_equal(none.len, 0);
    }
}

/* Any one character that is mistyped is noticed, whatever it became. */
static void test_typos(void **state)
{
    (void)state;
    char text[PST_KEY_TEXT_LEN + 1];
    for (size_t at = 0; at < PST_KEY_TEXT_LEN; at++) {
        for (int c = 0; c < 256; c++) {
            memcpy(text, known[0], sizeof(text));
            if ((char)c == text[at])
                continue;
            text[at] = (char)c;
            enum pst_key_kind kind = pst_key_classify((struct pst_str){text, PST_KEY_TEXT_LEN}, NULL);
            if (at < 3) /* does not begin like ours: might be anybody's */
                assert_int_equal(kind, c > ' ' && c <= '~' ? PST_KEY_KIND_IMPORTED : PST_KEY_KIND_NONE);
            else
                assert_int_equal(kind, PST_KEY_KIND_NONE);
        }
    }
}

static void test_swapped_and_cut(void **state)
{
    (void)state;
    char text[PST_KEY_TEXT_LEN + 2];
    for (size_t at = 0; at + 1 < PST_KEY_TEXT_LEN; at++) {
        memcpy(text, known[0], PST_KEY_TEXT_LEN);
        if (at < 2 || text[at] == text[at + 1])
            continue;
        text[at] = known[0][at + 1];
        text[at + 1] = known[0][at];
        assert_int_not_equal(pst_key_classify((struct pst_str){text, PST_KEY_TEXT_LEN}, NULL),
                             PST_KEY_KIND_GENERATED);
    }
    for (size_t len = 0; len < PST_KEY_TEXT_LEN; len++) {
        /* In memory of exactly this size, so that a read past the end shows. */
        char *cut = malloc(len + 1);
        assert_non_null(cut);
        memcpy(cut, known[0], len);
        cut = realloc(cut, len > 0 ? len : 1);
        assert_int_equal(pst_key_classify((struct pst_str){cut, len}, NULL), PST_KEY_KIND_NONE);
        free(cut);
    }
    memcpy(text, known[0], PST_KEY_TEXT_LEN);
    text[PST_KEY_TEXT_LEN] = 'x';
    assert_int_equal(pst_key_classify((struct pst_str){text, PST_KEY_TEXT_LEN + 1}, NULL), PST_KEY_KIND_NONE);
}

static void test_importable(void **state)
{
    (void)state;
    char text[PST_KEY_IMPORT_MAX + 1];
    memset(text, '~', sizeof(text));
    for (size_t len = 0; len <= sizeof(text); len++) {
        bool fits = len >= PST_KEY_IMPORT_MIN && len <= PST_KEY_IMPORT_MAX;
        assert_int_equal(pst_key_classify((struct pst_str){text, len}, NULL),
                         fits ? PST_KEY_KIND_IMPORTED : PST_KEY_KIND_NONE);
    }
    for (int c = 0; c < 256; c++) {
        text[7] = (char)c;
        assert_int_equal(pst_key_classify((struct pst_str){text, 32}, NULL),
                         c > 0x20 && c < 0x7F ? PST_KEY_KIND_IMPORTED : PST_KEY_KIND_NONE);
    }
    assert_int_equal(pst_key_classify((struct pst_str){NULL, 0}, NULL), PST_KEY_KIND_NONE);
    assert_int_equal(pst_key_classify(PST_STR("ps_a_secret_that_is_not_ours"), NULL), PST_KEY_KIND_NONE);
    assert_int_equal(pst_key_classify(PST_STR("PS_a_secret_that_is_not_ours"), NULL), PST_KEY_KIND_IMPORTED);
}

static void test_id_numbers(void **state)
{
    (void)state;
    char id[PST_KEY_ID_SIZE];
    assert_true(pst_key_id_number(PST_STR("000000000000")) == 0);
    assert_true(pst_key_id_number(PST_STR("00000000000z")) == 35);
    assert_true(pst_key_id_number(PST_STR("zzzzzzzzzzzz")) == UINT64_C(4738381338321616895));
    for (int i = 0; i < 1000; i++) {
        char back[PST_KEY_ID_SIZE];
        assert_int_equal(pst_key_make_id(id), 0);
        pst_key_id_text(pst_key_id_number(pst_str_of(id)), back);
        assert_string_equal(id, back);
    }
    static const char *const not_ids[] = {
        "", "0", "00000000000", "0000000000000", "00000000000Z", "-00000000000"};
    for (size_t i = 0; i < sizeof(not_ids) / sizeof(not_ids[0]); i++)
        assert_true(pst_key_id_number(pst_str_of(not_ids[i])) == UINT64_MAX);
}

static void test_shown(void **state)
{
    (void)state;
    char prefix[PST_KEY_SHOWN_PREFIX_SIZE], last4[PST_KEY_LAST4_SIZE];
    pst_key_shown_parts(pst_str_of(known[0]), prefix, last4);
    assert_string_equal(prefix, "ps_4k1x0c9qz7mt_");
    assert_string_equal(last4, known[0] + PST_KEY_TEXT_LEN - 4);
    pst_key_shown_parts(PST_STR("0f1e2d3c4b5a69788796a5b4c3d2e1f0"), prefix, last4);
    assert_string_equal(prefix, "");
    assert_string_equal(last4, "e1f0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),      cmocka_unit_test(test_made),
        cmocka_unit_test(test_documented), cmocka_unit_test(test_secrets_differ),
        cmocka_unit_test(test_typos),      cmocka_unit_test(test_swapped_and_cut),
        cmocka_unit_test(test_importable), cmocka_unit_test(test_id_numbers),
        cmocka_unit_test(test_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
