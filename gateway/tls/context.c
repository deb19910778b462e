/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/tls/context.h"

#include "internal.h"
#include "postern/base/log.h"
#include "postern/crypto/engine.h"

#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/version.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* RFC 8446 section 4.6.1. */
#define TICKET_LIFETIME_MAX_S 604800

/* AEAD with forward secrecy and nothing else. AES-128 first: it is the fastest, and strong enough. */
static const int ciphersuites[] = {
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

/* A client that offers ALPN without it gets no_application_protocol (RFC 7301 section 3.2). */
static const char *alpn[] = {"http/1.1", NULL};

const char *tls_error_text(int mbedtls_error, char *text, size_t size)
{
    mbedtls_strerror(mbedtls_error, text, size);
    return text;
}

const char *pst_tls_library_version(void)
{
    return MBEDTLS_VERSION_STRING_FULL;
}

int pst_tls_init(void)
{
    tls_memory_init();
    return pst_crypto_init() == 0 && psa_crypto_init() == PSA_SUCCESS ? 0 : -PST_ETLS;
}

/* What mbedTLS does after a handshake of TLS 1.2, and after one of TLS 1.3 leaves until the connection ends:
 * the transcript, keys and ciphers of the handshake, 4 KiB of secrets that are not needed again. A function
 * of the library's that its own files call; the parameters are set to NULL in it, as its code expects once a
 * handshake is over. */
void mbedtls_ssl_handshake_wrapup_free_hs_transform(mbedtls_ssl_context *ssl);

void tls_forget_handshake(mbedtls_ssl_context *ssl)
{
    if (mbedtls_ssl_get_version_number(ssl) == MBEDTLS_SSL_VERSION_TLS1_3)
        mbedtls_ssl_handshake_wrapup_free_hs_transform(ssl);
}

/* Once it has sent its Finished, a server of TLS 1.3 speaks with its application keys (RFC 8446 appendix
 * A.2). mbedTLS does so when the client's Finished has come; an alert before that, about the client's
 * certificate mostly, nobody could open. Its next change of keys begins the count of records anew, so nothing
 * but a fatal alert may be sent in between; mbedTLS sends nothing else there. This function, too, is one that
 * the library's own files call. */
void mbedtls_ssl_set_outbound_transform(mbedtls_ssl_context *ssl, mbedtls_ssl_transform *transform);

void tls_choose_keys(mbedtls_ssl_context *ssl)
{
    mbedtls_ssl_transform *application = ssl->MBEDTLS_PRIVATE(transform_application);
    if (application != NULL && ssl->MBEDTLS_PRIVATE(transform_out) != application)
        mbedtls_ssl_set_outbound_transform(ssl, application);
}

struct tls_block *tls_block_get(struct pst_tls_context *context)
{
    struct tls_block *block = context->free_blocks;
    if (block == NULL)
        return malloc(sizeof(*block));
    context->free_blocks = block->next;
    context->n_free_blocks--;
    return block;
}

void tls_block_put(struct pst_tls_context *context, struct tls_block *block)
{
    if (context->n_free_blocks >= MAX_FREE_BLOCKS) {
        free(block);
        return;
    }
    block->next = context->free_blocks;
    context->free_blocks = block;
    context->n_free_blocks++;
}

static int configure(struct pst_tls_context *context, enum pst_tls_profile profile)
{
    mbedtls_ssl_config *config = &context->config;
    int ret = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT);
    if (ret != 0)
        return ret;
    mbedtls_ssl_conf_min_tls_version(config, profile == PST_TLS_MODERN ? MBEDTLS_SSL_VERSION_TLS1_3
                                                                       : MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_ciphersuites(config, ciphersuites);
    mbedtls_ssl_conf_groups(config, groups);
    mbedtls_ssl_conf_tls13_key_exchange_modes(config, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ALL);
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &context->drbg);
    mbedtls_ssl_conf_cert_cb(config, tls_choose_certificate);
    mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    mbedtls_ssl_conf_session_tickets_cb(config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse,
                                        &context->tickets);
    mbedtls_ssl_conf_new_session_tickets(config, 1);
    return mbedtls_ssl_conf_alpn_protocols(config, alpn);
}

static int seed(struct pst_tls_context *context)
{
    static const unsigned char personal[] = "postern tls";
    return mbedtls_ctr_drbg_seed(&context->drbg, mbedtls_entropy_func, &context->entropy, personal,
                                 sizeof(personal) - 1);
}

/* A first key of its own; the server replaces it by the one all workers share. */
static int set_up_tickets(struct pst_tls_context *context)
{
    return mbedtls_ssl_ticket_setup(&context->tickets, mbedtls_ctr_drbg_random, &context->drbg,
                                    MBEDTLS_CIPHER_AES_256_GCM, 43200);
}

static int parse_pairs(struct pst_tls_context *context)
{
    struct tls_pair **tail = &context->pairs;
    for (const struct tls_pem_pair *pem = context->material->pairs; pem != NULL; pem = pem->next) {
        struct tls_pair_why why;
        int err = tls_pair_parse(pem, tail, NULL, &why);
        if (err < 0) {
            pst_error("tls", "%s", why.key.text[0] != '\0' ? why.key.text : why.certificate.text);
            return err;
        }
        tail = &(*tail)->next;
    }
    return 0;
}

int pst_tls_context_new(enum pst_tls_profile profile, struct pst_tls_material *material,
                        struct pst_tls_context **ret_context)
{
    struct pst_tls_context *context = calloc(1, sizeof(*context));
    if (context == NULL)
        return -PST_ENOMEM;
    context->material = pst_tls_material_ref(material);
    pst_list_init(&context->touched);
    pst_list_init(&context->shaking);
    mbedtls_ssl_config_init(&context->config);
    mbedtls_entropy_init(&context->entropy);
    mbedtls_ctr_drbg_init(&context->drbg);
    mbedtls_ssl_ticket_init(&context->tickets);
    int err = parse_pairs(context);
    int ret = err < 0 ? 0 : seed(context);
    if (err == 0 && ret == 0)
        ret = set_up_tickets(context);
    if (err == 0 && ret == 0)
        ret = configure(context, profile);
    if (ret != 0) {
        char text[128];
        pst_error("tls", "cannot set up TLS: %s", tls_error_text(ret, text, sizeof(text)));
        err = -PST_ETLS;
    }
    if (err < 0) {
        pst_tls_context_free(context);
        return err;
    }
    *ret_context = context;
    return 0;
}

void pst_tls_context_free(struct pst_tls_context *context)
{
    if (context == NULL)
        return;
    mbedtls_ssl_config_free(&context->config);
    mbedtls_ssl_ticket_free(&context->tickets);
    mbedtls_ctr_drbg_free(&context->drbg);
    mbedtls_entropy_free(&context->entropy);
    tls_pairs_free(context->pairs);
    if (context->trust != NULL)
        tls_trust_done(context->trust);
    free(context->trust);
    pst_client_trust_unref(context->client_trust);
    while (context->free_blocks != NULL) {
        struct tls_block *next = context->free_blocks->next;
        free(context->free_blocks);
        context->free_blocks = next;
    }
    pst_tls_material_unref(context->material);
    free(context);
}

/* Longer than a key is in use: mbedTLS changes a key that has reached its lifetime by itself, with a
 * handshake, to one that no other worker knows, and the next rotation would drop the one that clients'
 * tickets are sealed with. */
int pst_ticket_key_make(struct pst_ticket_key *ret_key, uint32_t period_s)
{
    uint32_t lifetime_s = period_s < TICKET_LIFETIME_MAX_S / 2 ? 2 * period_s : TICKET_LIFETIME_MAX_S;
    struct pst_ticket_key key = {.lifetime_s = lifetime_s};
    if (getrandom(key.name, sizeof(key.name), 0) != (ssize_t)sizeof(key.name) ||
        getrandom(key.key, sizeof(key.key), 0) != (ssize_t)sizeof(key.key))
        return -PST_EIO;
    *ret_key = key;
    mbedtls_platform_zeroize(&key, sizeof(key));
    return 0;
}

int pst_tls_context_rotate(struct pst_tls_context *context, const struct pst_ticket_key *key)
{
    int ret = mbedtls_ssl_ticket_rotate(&context->tickets, key->name, sizeof(key->name), key->key,
                                        sizeof(key->key), key->lifetime_s);
    return ret == 0 ? 0 : -PST_ETLS;
}
