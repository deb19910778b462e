/* SPDX-License-Identifier: Apache-2.0 */
/* What the server showed, and what is wrong with it, in words. */
#include "certificate.h"
#include "client_private.h"
#include "postern/base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    uint32_t flag;
    unsigned fault;
} faults[] = {
    {MBEDTLS_X509_BADCERT_CN_MISMATCH, PST_TLS_FAULT_HOST},
    {MBEDTLS_X509_BADCERT_EXPIRED, PST_TLS_FAULT_EXPIRED},
    {MBEDTLS_X509_BADCERT_FUTURE, PST_TLS_FAULT_EARLY},
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, PST_TLS_FAULT_UNTRUSTED},
    {MBEDTLS_X509_BADCERT_BAD_MD, PST_TLS_FAULT_WEAK},
    {MBEDTLS_X509_BADCERT_BAD_PK, PST_TLS_FAULT_WEAK},
    {MBEDTLS_X509_BADCERT_BAD_KEY, PST_TLS_FAULT_WEAK},
};

unsigned tls_peer_faults(uint32_t flags)
{
    unsigned found = 0;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if ((flags & faults[i].flag) != 0)
            found |= faults[i].fault;
        flags &= ~faults[i].flag;
    }
    return flags != 0 ? found | PST_TLS_FAULT_OTHER : found;
}

/* Called for each certificate of the way that was found, the highest first. */
int tls_peer_note(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    struct pst_tls_peer *peer = arg;
    peer->faults |= tls_peer_faults(*flags);
    if (depth < 0 || depth >= PST_TLS_CHAIN_MAX)
        return 0;
    tls_certificate_fill(crt, &peer->chain[depth]);
    if ((size_t)depth + 1 > peer->n_chain)
        peer->n_chain = (size_t)depth + 1;
    return 0;
}

static void PST_PRINTF(2, 3) say(struct pst_tls_why *why, const char *fmt, ...)
{
    size_t len = strlen(why->text);
    if (len > 0)
        len += pst_str_clip(PST_STR("; "), why->text + len, sizeof(why->text) - len);
    va_list args;
    va_start(args, fmt);
    vsnprintf(why->text + len, sizeof(why->text) - len, fmt, args);
    va_end(args);
}

static void say_dates(const struct pst_tls_peer *peer, struct pst_tls_why *why)
{
    int64_t now = pst_clock_real_us();
    char when[PST_TIME_TEXT_SIZE];
    for (size_t i = 0; i < peer->n_chain; i++) {
        const struct pst_tls_certificate *c = &peer->chain[i];
        const char *whose = i == 0 ? "its certificate" : c->subject;
        if (c->not_after_us < now) {
            pst_time_format(c->not_after_us, when);
            say(why, "%s expired at %s", whose, when);
        } else if (c->not_before_us > now) {
            pst_time_format(c->not_before_us, when);
            say(why, "%s is not valid before %s (is this machine's clock right?)", whose, when);
        }
    }
}

static void say_untrusted(const struct pst_tls_peer *peer, struct pst_tls_why *why)
{
    const struct pst_tls_certificate *top = peer->n_chain > 0 ? &peer->chain[peer->n_chain - 1] : NULL;
    if (top == NULL)
        say(why, "it showed no certificate");
    else if (!top->self_issued)
        say(why, "%s is signed by \"%s\", which is neither a trusted root nor among the certificates it sent",
            peer->n_chain == 1 ? "its certificate" : top->subject, top->issuer);
    else if (peer->n_chain == 1)
        say(why, "its certificate is self-signed and not trusted");
    else
        say(why, "its chain ends in \"%s\", which is no trusted root", top->subject);
}

void pst_tls_peer_describe(const struct pst_tls_peer *peer, const char *server_name,
                           struct pst_tls_why *ret_why)
{
    ret_why->text[0] = '\0';
    if ((peer->faults & PST_TLS_FAULT_UNTRUSTED) != 0)
        say_untrusted(peer, ret_why);
    if ((peer->faults & PST_TLS_FAULT_HOST) != 0)
        say(ret_why, "its certificate is not for %s but for %s", server_name,
            peer->n_chain > 0 && peer->chain[0].names[0] != '\0' ? peer->chain[0].names
            : peer->n_chain > 0                                  ? peer->chain[0].subject
                                                                 : "no name");
    if ((peer->faults & (PST_TLS_FAULT_EXPIRED | PST_TLS_FAULT_EARLY)) != 0)
        say_dates(peer, ret_why);
    if ((peer->faults & PST_TLS_FAULT_WEAK) != 0)
        say(ret_why, "a key or a signature of its certificates is too weak");
    if ((peer->faults & PST_TLS_FAULT_OTHER) != 0)
        say(ret_why, "its certificate is not one for servers, or is damaged");
}
