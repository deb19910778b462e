/* SPDX-License-Identifier: Apache-2.0 */
/* The fatal alerts that mbedTLS leaves out. For most of its errors it sends one; for others (a point that is
 * not on its curve, records too long or of no known type, all it finds after the handshake) it returns and
 * leaves the connection to its caller. Without an alert a client cannot tell a refusal from a broken line,
 * and RFC 8446 asks for one at each of these places (section 6.2). */
#include "internal.h"

#include <mbedtls/ecp.h>
#include <mbedtls/rsa.h>

/* What a record may hold in clear and sealed (RFC 8446 section 5.2): its content, the byte that says what it
 * is, the tag. A longer one may be padded; when something is wrong with it that is its length. */
#define CLEAR_MAX_BYTES  16384
#define SEALED_MAX_BYTES (CLEAR_MAX_BYTES + 1 + 16)

static const struct {
    int error;
    unsigned char alert;
} alerts[] = {
    {MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE},
    {MBEDTLS_ERR_SSL_INVALID_RECORD, MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE},
    {MBEDTLS_ERR_SSL_INVALID_MAC, MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC},
    {MBEDTLS_ERR_SSL_DECODE_ERROR, MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR},
    {MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER, MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER},
    /* What the key agreement has against the client's share. */
    {MBEDTLS_ERR_SSL_BAD_INPUT_DATA, MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER},
    {MBEDTLS_ERR_ECP_BAD_INPUT_DATA, MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER},
    {MBEDTLS_ERR_ECP_INVALID_KEY, MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER},
    /* What is wrong with the signature of a client's certificate. */
    {MBEDTLS_ERR_ECP_VERIFY_FAILED, MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR},
    {MBEDTLS_ERR_RSA_VERIFY_FAILED, MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR},
    {MBEDTLS_ERR_RSA_INVALID_PADDING, MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR},
    {MBEDTLS_ERR_PK_SIG_LEN_MISMATCH, MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR},
    {MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE, MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE},
    /* In TLS 1.2 (RFC 5246 section 7.4.6); 1.3 has a better one, which mbedTLS sends. */
    {MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE, MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE},
    {MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION, MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION},
    {MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION, MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_EXT},
    {MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL, MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL},
};

/* An alert would reach nobody. */
static bool is_end(int error)
{
    return error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE || error == MBEDTLS_ERR_SSL_CONN_EOF ||
           error == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY;
}

static bool is_too_long(const unsigned char *head)
{
    bool sealed = head[0] == MBEDTLS_SSL_MSG_APPLICATION_DATA;
    return (head[3] << 8 | head[4]) > (sealed ? SEALED_MAX_BYTES : CLEAR_MAX_BYTES);
}

/* `record_head`: the 5 bytes that the client's last record began with, or NULL. */
static int alert_of(int error, const unsigned char *record_head)
{
    if (is_end(error))
        return -1;
    bool about_a_record = error == MBEDTLS_ERR_SSL_INVALID_RECORD || error == MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
    if (record_head != NULL && about_a_record && is_too_long(record_head))
        return MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW;
    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
        if (alerts[i].error == error)
            return alerts[i].alert;
    }
    return MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR;
}

/* TLS 1.3 hides what a record is; of what may go out while a client's message is taken in no other is so
 * short, for mbedTLS pads to 16 bytes. */
static bool is_alert(const unsigned char *record, size_t len)
{
    enum { HEAD = 5, PADDED = 16, TAG = 16 };
    return record[0] == MBEDTLS_SSL_MSG_ALERT ||
           (record[0] == MBEDTLS_SSL_MSG_APPLICATION_DATA && len == HEAD + PADDED + TAG);
}

void tls_alert_note(struct tls_intake *intake, const unsigned char *record, size_t len)
{
    intake->alerted |= is_alert(record, len);
}

void tls_alert_send(mbedtls_ssl_context *ssl, const struct tls_intake *intake, int error)
{
    int alert = alert_of(error, intake->head);
    /* When a message of the handshake waits to be sent, mbedTLS sends that instead. */
    for (int i = 0; i < 2 && alert >= 0 && !intake->alerted; i++)
        (void)mbedtls_ssl_send_alert_message(ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, (unsigned char)alert);
}
