/* SPDX-License-Identifier: Apache-2.0 */
#include "token_rig.h"

#include "postern/crypto/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

void token_rig_open(struct token_rig *rig)
{
    struct pst_alg_list allowed = {{PST_ALG_ES256}};
    struct pst_buf set;
    struct pst_why why;
    assert_int_equal(pst_sign_key_make(&rig->key), 0);
    pst_buf_init(&set, 4096);
    pst_buf_add_cstr(&set, "{\"keys\":[");
    assert_int_equal(pst_jwk_write(rig->key, PST_STR("one"), &set), 0);
    pst_buf_add_cstr(&set, "]}");
    assert_int_equal(pst_jwks_parse(pst_buf_str(&set), &allowed, &rig->jwks, &why), 0);
    pst_buf_done(&set);
}

void token_rig_close(struct token_rig *rig)
{
    pst_jwks_free(rig->jwks);
    pst_sign_key_free(rig->key);
}

struct pst_str token_sign(const struct token_rig *rig, const char *header, const char *claims)
{
    static char tokens[8][3 * PST_JWT_MAX];
    static unsigned next;
    char *token = tokens[next++ % 8];
    uint8_t signature[PST_SIGN_BYTES];
    assert_true(PST_BASE64_SIZE(strlen(header)) + PST_BASE64_SIZE(strlen(claims)) + 100 < sizeof(tokens[0]));
    size_t n = pst_base64_encode(PST_BASE64URL, header, strlen(header), token);
    token[n++] = '.';
    n += pst_base64_encode(PST_BASE64URL, claims, strlen(claims), token + n);
    assert_int_equal(pst_sign(rig->key, (struct pst_str){token, n}, signature), 0);
    token[n++] = '.';
    n += pst_base64_encode(PST_BASE64URL, signature, sizeof(signature), token + n);
    return (struct pst_str){token, n};
}
