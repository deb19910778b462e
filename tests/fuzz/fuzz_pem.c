/* SPDX-License-Identifier: Apache-2.0 */
/* Files of certificates and keys: blocks lie within the file, every failure has its sentence, and what was
 * taken for certificates is taken again. */
#include "../../gateway/tls/bundle.h"
#include "../../gateway/tls/pem.h"

#include "postern/tls/context.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_blocks(struct pst_str text)
{
    struct tls_pem_reader reader = {.rest = text};
    struct tls_pem_block block;
    size_t line = 0;
    while (tls_pem_next(&reader, &block)) {
        struct pst_buf der;
        CHECK(block.line > line && block.label.len > 0);
        CHECK(block.body.len == 0 ||
              (block.body.p >= text.p && block.body.p + block.body.len <= text.p + text.len));
        line = block.line;
        if (tls_pem_decode(&block, &der) == 0) {
            CHECK(block.whole && pst_buf_len(&der) > 0);
            pst_buf_wipe(&der);
        }
    }
}

static void try_certificates(struct pst_str text)
{
    mbedtls_x509_crt bundle, chain;
    struct tls_left_out left_out;
    struct pst_tls_why why = {.text = ""};
    char told[PST_TLS_LEFT_OUT_TEXT];
    mbedtls_x509_crt_init(&bundle);
    mbedtls_x509_crt_init(&chain);
    int err = tls_bundle_add("file", text, false, &bundle, &left_out, &why);
    CHECK(err == 0 ? bundle.raw.p != NULL : why.text[0] != '\0');
    if (err == 0) {
        tls_left_out_describe("file", &left_out, told, sizeof(told));
        CHECK((told[0] != '\0') == (left_out.n > 0));
    }
    why.text[0] = '\0';
    err = tls_chain_read("file", text, NULL, &chain, &left_out, &why);
    CHECK(err == 0 ? tls_chain_is_read(&chain) : why.text[0] != '\0');
    mbedtls_x509_crt_free(&bundle);
    mbedtls_x509_crt_free(&chain);
}

static void try_others(struct pst_str text)
{
    mbedtls_pk_context key;
    mbedtls_x509_crl crls;
    struct pst_tls_why why = {.text = ""};
    mbedtls_pk_init(&key);
    mbedtls_x509_crl_init(&crls);
    CHECK(tls_key_read("file", text, &key, &why) == 0 || why.text[0] != '\0');
    why.text[0] = '\0';
    CHECK(tls_crls_read("file", text, &crls, &why) == 0 || why.text[0] != '\0');
    mbedtls_pk_free(&key);
    mbedtls_x509_crl_free(&crls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_up;
    const struct pst_str text = {(const char *)data, size};
    if (!is_up)
        CHECK(pst_tls_init() == 0);
    is_up = true;
    try_blocks(text);
    try_certificates(text);
    try_others(text);
    return 0;
}
