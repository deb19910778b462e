/* SPDX-License-Identifier: Apache-2.0 */
/* May who asks do that? Once, for whatever credential it was: the key's rules, and the region. What goes on
 * to the container is everything but the credentials. */
#include "phases.h"
#include "postern/base/log.h"
#include "postern/base/net.h"
#include "request.h"
#include "wrong.h"

#include <stdio.h>

/* With the address that the key was held against: behind proxies clients may think that it is another one. */
static void say_network(struct exchange *x, const uint8_t address[static 16])
{
    char text[PST_ADDR_TEXT_SIZE], message[192];
    pst_addr_format_v6(address, text, sizeof(text));
    int n = snprintf(
        message, sizeof(message),
        "Access denied: this key may not be used from %s. Ask an administrator to allow that network.", text);
    x->response.message = pst_arena_strdup(&x->arena, (struct pst_str){message, (size_t)n});
}

/* Is it permitted to the key that was found? */
static enum pst_error_id check_permitted(struct exchange *x)
{
    const struct pst_exchange_parts *parts = &x->all->parts;
    const struct pst_key_match *key = &x->identity.key;
    uint8_t address[16];
    x->identity.keyed = true;
    if (!key->has_policy)
        return PST_ERROR_NONE;
    request_client_address(x, address);
    enum pst_key_verdict verdict = pst_keyring_permits(parts->keyring, parts->reader, key, x->request.method,
                                                       x->request.target.path, address);
    /* A token is bound to the scopes when it is used. */
    bool in_question =
        x->request.local != LOCAL_ISSUE_TOKEN || (verdict != PST_KEY_SCOPE && verdict != PST_KEY_SPELLING);
    if (verdict == PST_KEY_OK || !in_question)
        return PST_ERROR_NONE;
    x->identity.keyed = false;
    if (verdict == PST_KEY_NETWORK)
        say_network(x, address);
    pst_debug("auth", "request %s from %s refused: key %s, %s", x->request.id, x->stream->peer->address_text,
              key->id, pst_key_verdict_text(verdict));
    return wrong_of_verdict(verdict);
}

/* The cloud's tokens are of a region, and so are its keys: who names another one has the wrong door. */
static bool is_of_region(const struct exchange *x)
{
    struct pst_str region = x->all->parts.settings->region;
    struct pst_query_param param;
    if (region.len == 0)
        return true;
    const struct pst_field *field =
        pst_fields_find(&x->request.fields, PST_STR("ocp-apim-subscription-region"));
    if (field != NULL && !pst_str_ieq(pst_str_trim(field->value), region))
        return false;
    bool named = x->identity.query_counts &&
                 (pst_query_find(x->request.target.query, PST_STR("Subscription-Region"), &param) ||
                  pst_query_find(x->request.target.query, PST_STR("Ocp-Apim-Subscription-Region"), &param));
    return !named || pst_str_ieq(param.value, region);
}

enum pst_step phase_authorize(struct exchange *x, enum pst_error_id *ret_error)
{
    enum pst_error_id id = x->identity.found ? check_permitted(x) : PST_ERROR_NONE;
    if (x->identity.open)
        id = PST_ERROR_NONE;
    if (id == PST_ERROR_NONE && !is_of_region(x))
        id = PST_ERROR_KEY_WRONG;
    if (id == PST_ERROR_NONE && x->identity.keyed)
        x->stream->ops->accepted(x->stream);
    return wrong_or_next(x, id, ret_error);
}
