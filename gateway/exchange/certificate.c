/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate that a connection's client showed: whose it is, and what the container is told of it. */
#include "certificate.h"

#include "postern/auth/certificate_rules.h"
#include "postern/base/log.h"
#include "postern/base/num.h"
#include "postern/tls/client_identity.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_MAX_BYTES 8192

static void fingerprint(const struct exchange *x, char text[static 65])
{
    pst_hex_encode(x->stream->peer->certificate->sha256, sizeof(x->stream->peer->certificate->sha256), text);
}

static enum pst_error_id refuse(const struct exchange *x, enum pst_error_id id, const char *reason)
{
    char text[65];
    fingerprint(x, text);
    /* Only who has a certificate of one of our CAs gets so far: worth a line at any level. */
    if (id == PST_ERROR_CERTIFICATE_DENIED)
        pst_info("auth", "request %s from %s refused: certificate sha256=%s (" PST_STR_FMT ") %s",
                 x->request.id, x->stream->peer->address_text, text,
                 PST_STR_ARG(x->stream->peer->certificate->subject), reason);
    else
        pst_debug("auth", "request %s from %s refused: certificate sha256=%s: %s", x->request.id,
                  x->stream->peer->address_text, text, reason);
    return id;
}

/* What was said of it by itself stands before the rules. `key_id` is the key it stands for, or empty. */
static enum pst_certificate_standing standing(const struct exchange *x, char key_id[static PST_KEY_ID_SIZE])
{
    const struct pst_exchange_parts *parts = &x->all->parts;
    const struct pst_peer *peer = x->stream->peer;
    const struct pst_client_identity *id = peer->certificate;
    enum pst_certificate_standing said =
        pst_keyring_certificate(parts->keyring, parts->reader, id->sha256, id->key_sha256, key_id);
    if (said == PST_CERTIFICATE_UNKNOWN)
        pst_str_clip(peer->certificate_key, key_id, PST_KEY_ID_SIZE);
    return said;
}

static bool holds(const struct exchange *x, char key_id[static PST_KEY_ID_SIZE])
{
    struct pst_peer *peer = x->stream->peer;
    bool valid = peer->certificate_holds(peer, pst_loop_real_us(x->all->parts.loop));
    return standing(x, key_id) != PST_CERTIFICATE_REVOKED && valid;
}

bool certificate_still_holds(const struct exchange *x)
{
    char key_id[PST_KEY_ID_SIZE];
    return !x->identity.by_certificate || (holds(x, key_id) && strcmp(key_id, x->identity.key.id) == 0);
}

bool certificate_is_shown(const struct exchange *x)
{
    return x->stream->peer->certificate != NULL && x->route->certificate != PST_CERTIFICATE_OFF;
}

enum pst_error_id certificate_is_valid(struct exchange *x)
{
    if (!certificate_is_shown(x))
        return PST_ERROR_CERTIFICATE_MISSING;
    char key_id[PST_KEY_ID_SIZE];
    if (holds(x, key_id))
        return PST_ERROR_NONE;
    const struct pst_client_identity *id = x->stream->peer->certificate;
    return refuse(x, PST_ERROR_CERTIFICATE_WRONG,
                  id->valid ? "the client's certificate was revoked (postern client-cert)" : id->problem);
}

enum pst_error_id certificate_check(struct exchange *x, struct pst_key_match *ret)
{
    const struct pst_exchange_parts *parts = &x->all->parts;
    int64_t now_us = pst_loop_real_us(parts->loop);
    enum pst_error_id id = certificate_is_valid(x);
    if (id != PST_ERROR_NONE)
        return id;
    char key_id[PST_KEY_ID_SIZE];
    (void)!standing(x, key_id);
    if (key_id[0] == '\0')
        return refuse(x, PST_ERROR_CERTIFICATE_DENIED,
                      "was not approved (postern client-cert approve), and fits no rule "
                      "of " PST_CERTIFICATE_RULES_SETTING);
    enum pst_key_verdict verdict =
        pst_keyring_check_id(parts->keyring, parts->reader, pst_str_of(key_id), now_us, ret);
    if (verdict != PST_KEY_OK)
        return refuse(x, PST_ERROR_CERTIFICATE_DENIED, pst_key_verdict_text(verdict));
    return PST_ERROR_NONE;
}

/* In a list without quotes: such a name could pass for two. */
static bool is_ambiguous(struct pst_str name)
{
    return pst_str_find(name, ',') >= 0 || pst_str_find(name, ' ') >= 0;
}

static void add_plain(struct pst_buf *out, const struct pst_client_name *name)
{
    if (!is_ambiguous(name->text))
        pst_buf_printf(out, "%s%s:" PST_STR_FMT, pst_buf_len(out) > 0 ? ", " : "",
                       name->is_uri ? "URI" : "DNS", PST_STR_ARG(name->text));
}

/* Envoy's rules for X-Forwarded-Client-Cert: what has , ; or = is in double quotes, those within escaped. */
static void add_quoted(struct pst_buf *out, const char *name, struct pst_str value)
{
    pst_buf_printf(out, ";%s=\"", name);
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] == '"' || value.p[i] == '\\')
            pst_buf_add(out, "\\", 1);
        pst_buf_add(out, &value.p[i], 1);
    }
    pst_buf_add(out, "\"", 1);
}

static void add_names(struct pst_buf *out, const struct pst_client_identity *id, bool xfcc)
{
    for (size_t i = 0; i < id->n_names; i++) {
        const struct pst_client_name *name = &id->names[i];
        if (xfcc)
            add_quoted(out, name->is_uri ? "URI" : "DNS", name->text);
        else
            add_plain(out, name);
    }
}

static struct pst_str kept(struct exchange *x, struct pst_buf *text)
{
    struct pst_str value =
        pst_buf_failed(text) ? PST_STR("") : pst_arena_strdup(&x->arena, pst_buf_str(text));
    pst_buf_done(text);
    return value;
}

size_t certificate_fields(struct exchange *x, struct pst_field fields[static CERTIFICATE_FIELDS_MAX])
{
    const struct pst_client_identity *id = x->stream->peer->certificate;
    char hash[65];
    struct pst_buf text;
    size_t n = 0;
    char key_id[PST_KEY_ID_SIZE];
    if (!certificate_is_shown(x) || !holds(x, key_id))
        return 0;
    fingerprint(x, hash);
    fields[n++] = (struct pst_field){PST_STR("X-Postern-Client-Sha256"),
                                     pst_arena_strdup(&x->arena, (struct pst_str){hash, 64})};
    if (id->subject.len > 0)
        fields[n++] = (struct pst_field){PST_STR("X-Postern-Client-Subject"), id->subject};
    pst_buf_init(&text, FIELD_MAX_BYTES);
    add_names(&text, id, false);
    struct pst_str names = kept(x, &text);
    if (names.len > 0)
        fields[n++] = (struct pst_field){PST_STR("X-Postern-Client-San"), names};
    if (!x->all->parts.settings->forward_certificate)
        return n;
    pst_buf_init(&text, FIELD_MAX_BYTES);
    pst_buf_printf(&text, "Hash=%s", hash);
    if (id->subject.len > 0)
        add_quoted(&text, "Subject", id->subject);
    add_names(&text, id, true);
    fields[n++] = (struct pst_field){PST_STR("X-Forwarded-Client-Cert"), kept(x, &text)};
    return n;
}
