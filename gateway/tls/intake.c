/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds on what a client sends. mbedTLS goes on taking records until one brings something, and drops
 * warnings, empty records, the change_cipher_spec of TLS 1.3 and what asks for another handshake on the way:
 * a client that sends such things as fast as they are read would never let the thread go. */
#include "internal.h"

/* A record's head: what it is, a version, how long it is (RFC 8446 section 5.1). */
#define RECORD_HEAD_BYTES 5
/* A handshake is two hellos, certificates and a signature at most; cut into records of single bytes that is
 * more, and nobody does so. */
#define HANDSHAKE_BYTES 131072
/* Four full records: later it is plaintext that counts. mbedTLS itself takes three empty ones in a row. */
#define FRUITLESS_BYTES (4 * (16384 + 261))

void tls_intake_begin(struct tls_intake *intake)
{
    intake->handed = 0;
    intake->alerted = false;
}

int tls_intake_check(struct tls_intake *intake, const unsigned char *data)
{
    if (intake->head == NULL)
        intake->head = data;
    /* RFC 8446 section 5: after the client's Finished it is an error. mbedTLS drops it. */
    bool late_ccs = intake->open && data == intake->head + RECORD_HEAD_BYTES &&
                    intake->head[0] == MBEDTLS_SSL_MSG_CHANGE_CIPHER_SPEC;
    if (late_ccs || intake->fruitless >= (intake->open ? FRUITLESS_BYTES : HANDSHAKE_BYTES))
        return MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE;
    return 0;
}

void tls_intake_hand(struct tls_intake *intake, size_t n)
{
    intake->handed += n;
    intake->fruitless += n;
}

void tls_intake_open(struct tls_intake *intake)
{
    intake->open = true;
    intake->fruitless = 0;
}
