/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and may he: the credential is found, proved, held against its key's rules, and left out of what
 * goes on to the container. The order, and what is refused with which words: docs/authentication.md. */
#include "internal.h"
#include "postern/base/log.h"
#include "postern/base/net.h"
#include "postern/http/forwarded.h"
#include "postern/http/path.h"

#include <stdio.h>
#include <string.h>

/* An open path that ends with a star: what is below it, but not itself. */
static bool is_in_tree(struct pst_str path, struct pst_str open)
{
    struct pst_str top = {open.p, open.len - 2};
    return pst_path_is_spelled_below(path, top) && path.len > top.len && pst_path_is_plain(path);
}

/* In the setting's own spelling only: any other needs a key, and is the container's to read. */
static bool path_is_open(const struct exchange *x)
{
    const struct pst_front_settings *settings = x->client->front->parts.settings;
    for (size_t i = 0; i < settings->n_open_paths; i++) {
        struct pst_str open = settings->open_paths[i];
        bool tree = pst_str_ends(open, PST_STR("/*"));
        if (tree ? is_in_tree(x->target.path, open) : pst_str_eq(open, x->target.path))
            return true;
    }
    return false;
}

static bool needs_no_key(const struct exchange *x)
{
    return path_is_open(x) || cors_leaves(x);
}

void find_client_address(const struct exchange *x, uint8_t address[static 16])
{
    const struct pst_front_settings *settings = x->client->front->parts.settings;
    pst_forwarded_client(&x->fields, x->client->address, settings->trusted_proxies,
                         settings->n_trusted_proxies, address);
}

enum pst_error_id error_of_verdict(enum pst_key_verdict verdict)
{
    switch (verdict) {
    case PST_KEY_OK:
        return PST_ERROR_NONE;
    case PST_KEY_SCOPE:
        return PST_ERROR_KEY_SCOPE;
    case PST_KEY_SPELLING:
        return PST_ERROR_KEY_SPELLING;
    case PST_KEY_NETWORK:
        return PST_ERROR_KEY_NETWORK;
    case PST_KEY_EXPIRED:
        return PST_ERROR_KEY_EXPIRED;
    case PST_KEY_NOT_YET:
        return PST_ERROR_KEY_NOT_YET;
    case PST_KEY_DISABLED:
        return PST_ERROR_KEY_DISABLED;
    default:
        return PST_ERROR_KEY_WRONG;
    }
}

/* With the address that the key was held against: behind proxies clients may think that it is another one. */
static void say_network(struct exchange *x, const uint8_t address[static 16])
{
    char text[PST_ADDR_TEXT_SIZE], message[192];
    pst_addr_format_v6(address, text, sizeof(text));
    int n = snprintf(
        message, sizeof(message),
        "Access denied: this key may not be used from %s. Ask an administrator to allow that network.", text);
    x->refusal_message = pst_arena_strdup(&x->arena, (struct pst_str){message, (size_t)n});
}

/* Is it permitted to the key that was found? */
static enum pst_error_id check_permitted(struct exchange *x)
{
    const struct pst_front *front = x->client->front;
    uint8_t address[16];
    x->keyed = true;
    if (!x->key.has_policy)
        return PST_ERROR_NONE;
    find_client_address(x, address);
    enum pst_key_verdict verdict = pst_keyring_permits(front->parts.keyring, front->parts.reader, &x->key,
                                                       x->method, x->target.path, address);
    /* A token is bound to the scopes when it is used. */
    bool in_question =
        x->local != LOCAL_ISSUE_TOKEN || (verdict != PST_KEY_SCOPE && verdict != PST_KEY_SPELLING);
    if (verdict == PST_KEY_OK || !in_question)
        return PST_ERROR_NONE;
    x->keyed = false;
    if (verdict == PST_KEY_NETWORK)
        say_network(x, address);
    pst_debug("auth", "request %s from %s refused: key %s, %s", x->request_id, x->client->address_text,
              x->key.id, pst_key_verdict_text(verdict));
    return error_of_verdict(verdict);
}

/* The cloud's tokens are of a region, and so are its keys: who names another one has the wrong door. */
static bool is_of_region(const struct exchange *x)
{
    struct pst_str region = x->client->front->parts.settings->region;
    struct pst_query_param param;
    if (region.len == 0)
        return true;
    const struct pst_field *field = pst_fields_find(&x->fields, PST_STR("ocp-apim-subscription-region"));
    if (field != NULL && !pst_str_ieq(pst_str_trim(field->value), region))
        return false;
    bool named =
        x->query_counts && (pst_query_find(x->target.query, PST_STR("Subscription-Region"), &param) ||
                            pst_query_find(x->target.query, PST_STR("Ocp-Apim-Subscription-Region"), &param));
    return !named || pst_str_ieq(param.value, region);
}

/* What is longer than any key may be a token. */
static enum pst_error_id check_token(struct exchange *x)
{
    enum pst_error_id id = bearer_check(x);
    return id == PST_ERROR_NONE ? check_permitted(x) : id;
}

static enum pst_error_id check_key(struct exchange *x, struct pst_str presented)
{
    struct pst_front *front = x->client->front;
    if (front->parts.settings->keys_off)
        return PST_ERROR_KEY_OFF;
    enum pst_key_verdict verdict = pst_keyring_check(front->parts.keyring, front->parts.reader, presented,
                                                     pst_loop_real_us(front->parts.loop), &x->key);
    if (verdict == PST_KEY_OK)
        return check_permitted(x);
    pst_debug("auth", "request %s from %s refused: key %s is %s", x->request_id, x->client->address_text,
              x->key.id[0] != '\0' ? x->key.id : "(not known)", pst_key_verdict_text(verdict));
    return error_of_verdict(verdict); /* tells what a key's state is only who has its secret */
}

static enum pst_error_id judge(struct exchange *x, const struct pst_credential *credential)
{
    switch (credential->result) {
    case PST_CREDENTIAL_CONFLICT:
        return PST_ERROR_KEY_CONFLICT;
    case PST_CREDENTIAL_ONE:
        if (credential->too_long)
            return needs_no_key(x) ? PST_ERROR_NONE : check_token(x);
        break;
    case PST_CREDENTIAL_EMPTY:
        return needs_no_key(x) ? PST_ERROR_NONE : PST_ERROR_KEY_WRONG;
    case PST_CREDENTIAL_NONE:
        return needs_no_key(x) ? PST_ERROR_NONE : PST_ERROR_KEY_MISSING;
    }
    enum pst_error_id id = check_key(x, pst_secret_str(&credential->value));
    return needs_no_key(x) ? PST_ERROR_NONE : id;
}

/* The certificate, beside what the request itself brought: `id` is what was found about that. */
static enum pst_error_id judge_certificate(struct exchange *x, const struct pst_credential *credential,
                                           enum pst_error_id id)
{
    enum pst_front_credentials wanted = x->route->credentials;
    bool brought = credential->result != PST_CREDENTIAL_NONE;
    struct pst_key_match match = {0};
    if (needs_no_key(x))
        return id;
    if (brought && id != PST_ERROR_NONE) /* a wrong key is not made good by a certificate */
        return id;
    enum pst_error_id shown =
        x->route->certificate == PST_CERTIFICATE_REQUIRED ? certificate_is_valid(x) : PST_ERROR_NONE;
    if (shown != PST_ERROR_NONE)
        return shown;
    if (wanted == PST_CREDENTIALS_KEY)
        return id;
    if (!brought && wanted == PST_CREDENTIALS_BOTH)
        return id;
    if (wanted == PST_CREDENTIALS_ANY && !certificate_is_shown(x))
        return id;
    enum pst_error_id found = certificate_check(x, &match);
    if (brought && wanted == PST_CREDENTIALS_ANY && found == PST_ERROR_CERTIFICATE_DENIED)
        return id; /* it stands for nobody: the key alone counts */
    if (found != PST_ERROR_NONE)
        return found;
    x->by_certificate = true;
    if (brought)
        return strcmp(match.id, x->key.id) == 0 ? PST_ERROR_NONE : PST_ERROR_KEY_CONFLICT;
    x->key = match;
    x->good_until_us = x->client->certificate->not_after_us;
    return check_permitted(x);
}

/* Whether the certificate has any say in it. */
static bool asks_for_certificate(const struct exchange *x)
{
    return certificate_is_shown(x) || x->route->credentials >= PST_CREDENTIALS_CERTIFICATE ||
           x->route->certificate == PST_CERTIFICATE_REQUIRED;
}

/* What goes on is everything but the credentials. */
static enum pst_error_id leave_credentials_out(struct exchange *x)
{
    const struct pst_key_sources *sources = &x->client->front->parts.settings->key_sources;
    struct pst_field *storage = pst_arena_alloc(&x->arena, x->fields.n * sizeof(*storage));
    if (storage == NULL && x->fields.n > 0)
        return PST_ERROR_INTERNAL;
    pst_fields_init(&x->forward, storage, x->fields.n);
    PST_FIELDS_EACH(field, &x->fields)
    {
        if (!pst_credential_is_field(sources, field) &&
            pst_fields_add(&x->forward, field->name, field->value) < 0)
            return PST_ERROR_INTERNAL;
    }
    struct pst_str names[PST_CREDENTIAL_QUERY_NAMES_MAX];
    size_t n = pst_credential_query_names(sources, x->query_counts, names);
    if (n == 0 || !x->target.has_query)
        return PST_ERROR_NONE;
    return pst_target_remove_params(&x->target, names, n, &x->arena) < 0 ? PST_ERROR_INTERNAL
                                                                         : PST_ERROR_NONE;
}

/* Whom it is from, and every credential in it. */
static void digest_credentials(const struct exchange *x, uint8_t digest[static PST_SHA256_BYTES])
{
    const struct pst_key_sources *sources = &x->client->front->parts.settings->key_sources;
    struct pst_buf text;
    uint8_t address[16];
    pst_buf_init(&text, (size_t)256 * 1024);
    find_client_address(x, address);
    pst_buf_add(&text, address, sizeof(address));
    PST_FIELDS_EACH(field, &x->fields)
    {
        if (pst_credential_is_field(sources, field))
            pst_buf_add_str(&text, field->value);
    }
    if (x->query_counts)
        pst_buf_add_str(&text, x->target.query);
    struct pst_str whole = pst_buf_str(&text);
    pst_sha256(whole.p != NULL ? whole.p : "", whole.len, digest);
    pst_buf_wipe(&text);
}

static void count_wrong(const struct exchange *x)
{
    struct pst_front *front = x->client->front;
    uint8_t digest[PST_SHA256_BYTES];
    digest_credentials(x, digest);
    if (pst_wrong_credentials_add(&front->wrong, digest, (int64_t)now_us(front)))
        count(&front->parts.stats->wrong_credentials);
}

static bool is_wrong(enum pst_error_id id)
{
    switch (id) {
    case PST_ERROR_KEY_WRONG:
    case PST_ERROR_KEY_EXPIRED:
    case PST_ERROR_KEY_NOT_YET:
    case PST_ERROR_KEY_DISABLED:
    case PST_ERROR_TOKEN_WRONG:
        return true;
    default:
        return false;
    }
}

enum pst_error_id request_authenticate(struct exchange *x)
{
    const struct pst_key_sources *sources = &x->client->front->parts.settings->key_sources;
    struct pst_credential credential;
    /* Browsers' WebSockets have no fields to put it in; elsewhere URLs end up in logs. */
    x->query_counts = x->upgrade || x->local == LOCAL_ISSUE_TOKEN;
    if (x->target.query_is_loose && (x->query_counts || sources->query_len > 0))
        return PST_ERROR_QUERY_ESCAPE;
    pst_credential_find(sources, &x->fields, x->target.query, x->query_counts, &credential);
    enum pst_error_id id = judge(x, &credential);
    if (asks_for_certificate(x))
        id = judge_certificate(x, &credential, id);
    pst_credential_done(&credential);
    if (id == PST_ERROR_NONE && !is_of_region(x))
        id = PST_ERROR_KEY_WRONG;
    if (id == PST_ERROR_NONE && x->keyed)
        place_keep(x->client);
    if (id == PST_ERROR_NONE && !cors_leaves(x)) /* a preflight asks what may be asked, not for the job */
        id = jobs_check(x);
    if (is_wrong(id))
        count_wrong(x);
    return id == PST_ERROR_NONE ? leave_credentials_out(x) : id;
}
