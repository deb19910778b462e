/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: the credentials are found, each is resolved to a key, and the route says which must be there.
 * What the key may do is the next phase's question. The order, and what is refused with which words:
 * docs/authentication.md. */
#include "bearer.h"
#include "certificate.h"
#include "phases.h"
#include "postern/base/log.h"
#include "postern/tls/client_identity.h"
#include "wrong.h"

#include <string.h>

static enum pst_error_id check_key(struct exchange *x, struct pst_str presented)
{
    const struct pst_exchange_parts *parts = &x->all->parts;
    struct pst_key_match *key = &x->identity.key;
    if (parts->settings->keys_off)
        return PST_ERROR_KEY_OFF;
    enum pst_key_verdict verdict =
        pst_keyring_check(parts->keyring, parts->reader, presented, pst_loop_real_us(parts->loop), key);
    if (verdict == PST_KEY_OK)
        return PST_ERROR_NONE;
    pst_debug("auth", "request %s from %s refused: key %s is %s", x->request.id,
              x->stream->peer->address_text, key->id[0] != '\0' ? key->id : "(not known)",
              pst_key_verdict_text(verdict));
    return wrong_of_verdict(verdict); /* tells what a key's state is only who has its secret */
}

/* What the request itself brought. On an open path tokens are not even looked at. */
static enum pst_error_id resolve_brought(struct exchange *x, const struct pst_credential *credential)
{
    switch (credential->result) {
    case PST_CREDENTIAL_CONFLICT:
        return PST_ERROR_KEY_CONFLICT;
    case PST_CREDENTIAL_EMPTY:
        return PST_ERROR_KEY_WRONG;
    case PST_CREDENTIAL_NONE:
        return PST_ERROR_KEY_MISSING;
    case PST_CREDENTIAL_ONE:
        break;
    }
    if (credential->too_long && x->identity.open)
        return PST_ERROR_KEY_WRONG;
    /* What is longer than any key may be a token. */
    enum pst_error_id id =
        credential->too_long ? bearer_check(x) : check_key(x, pst_secret_str(&credential->value));
    x->identity.found = id == PST_ERROR_NONE;
    return id;
}

/* The certificate alone, or beside a key that was found. */
static enum pst_error_id resolve_certificate(struct exchange *x, bool brought, bool must)
{
    struct pst_key_match match = {0};
    enum pst_error_id id = certificate_check(x, &match);
    if (id == PST_ERROR_CERTIFICATE_DENIED && brought && !must)
        return PST_ERROR_NONE; /* it stands for nobody: the key alone counts */
    if (id != PST_ERROR_NONE)
        return id;
    x->identity.by_certificate = true;
    if (brought)
        return strcmp(match.id, x->identity.key.id) == 0 ? PST_ERROR_NONE : PST_ERROR_KEY_CONFLICT;
    x->identity.key = match;
    x->identity.found = true;
    x->identity.good_until_us = x->stream->peer->certificate->not_after_us;
    return PST_ERROR_NONE;
}

/* The route's rule: which of the two must be there, and count. `id` is what the request itself brought. */
static enum pst_error_id apply_rule(struct exchange *x, bool brought, enum pst_error_id id)
{
    const struct pst_route *route = x->route;
    if (brought && id != PST_ERROR_NONE) /* a wrong key is not made good by a certificate */
        return id;
    enum pst_error_id shown =
        route->certificate == PST_CERTIFICATE_REQUIRED ? certificate_is_valid(x) : PST_ERROR_NONE;
    if (shown != PST_ERROR_NONE)
        return shown;
    switch (route->credentials) {
    case PST_CREDENTIALS_KEY:
        return id;
    case PST_CREDENTIALS_BOTH:
        return brought ? resolve_certificate(x, brought, true) : id;
    case PST_CREDENTIALS_ANY:
        return certificate_is_shown(x) ? resolve_certificate(x, brought, false) : id;
    default:
        return resolve_certificate(x, brought, true);
    }
}

enum pst_step phase_authenticate(struct exchange *x, enum pst_error_id *ret_error)
{
    const struct pst_key_sources *sources = &x->all->parts.settings->key_sources;
    struct pst_credential credential;
    /* Browsers' WebSockets have no fields to put it in; elsewhere URLs end up in logs. */
    x->identity.query_counts = x->request.upgrade || x->request.local == LOCAL_ISSUE_TOKEN;
    if (x->request.target.query_is_loose && (x->identity.query_counts || sources->query_len > 0)) {
        *ret_error = PST_ERROR_QUERY_ESCAPE;
        return PST_RESPOND;
    }
    pst_credential_find(sources, &x->request.fields, x->request.target.query, x->identity.query_counts,
                        &credential);
    enum pst_error_id id = resolve_brought(x, &credential);
    bool brought = credential.result != PST_CREDENTIAL_NONE;
    pst_credential_done(&credential);
    if (!x->identity.open)
        id = apply_rule(x, brought, id);
    else if (id != PST_ERROR_KEY_CONFLICT)
        id = PST_ERROR_NONE;
    return wrong_or_next(x, id, ret_error);
}
