/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/credential.h"

#include "postern/http/target.h"

#include <string.h>

void pst_key_sources_init(struct pst_key_sources *sources)
{
    memset(sources, 0, sizeof(*sources));
}

/* Fields that say where the message goes or where it ends are never a place for a key. */
static bool is_structural(struct pst_str name)
{
    static const struct pst_str names[] = {
        PST_STR("Host"),    PST_STR("Content-Length"), PST_STR("Transfer-Encoding"), PST_STR("Connection"),
        PST_STR("Upgrade"), PST_STR("Expect"),         PST_STR("Content-Type"),
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (pst_str_ieq(names[i], name))
            return true;
    }
    return false;
}

int pst_key_sources_add(struct pst_key_sources *sources, struct pst_str text)
{
    struct pst_str scheme;
    struct pst_str header = pst_str_trim(pst_str_cut(text, ':', &scheme));
    bool has_scheme = scheme.p != NULL;
    scheme = pst_str_trim(scheme);
    if (!pst_http_is_token(header) || (has_scheme && !pst_http_is_token(scheme)))
        return -PST_EPARSE;
    bool is_authorization = pst_str_ieq(header, PST_STR("Authorization"));
    if (is_structural(header) || (has_scheme && !is_authorization))
        return -PST_EINVAL;
    if (is_authorization && !has_scheme)
        return -PST_EPARSE;
    if (sources->n == PST_KEY_SOURCES_MAX || header.len > PST_KEY_SOURCE_NAME_MAX ||
        scheme.len > PST_KEY_SOURCE_NAME_MAX)
        return -PST_ELIMIT;
    for (size_t i = 0; i < sources->n; i++) {
        const struct pst_key_source *at = &sources->at[i];
        if (pst_str_ieq((struct pst_str){at->header, at->header_len}, header) &&
            pst_str_ieq((struct pst_str){at->scheme, at->scheme_len}, scheme))
            return -PST_EEXIST;
    }
    struct pst_key_source *source = &sources->at[sources->n++];
    source->header_len = pst_str_clip(header, source->header, sizeof(source->header));
    source->scheme_len = pst_str_clip(scheme, source->scheme, sizeof(source->scheme));
    return 0;
}

bool pst_key_sources_take_bearer(const struct pst_key_sources *sources)
{
    for (size_t i = 0; i < sources->n; i++) {
        if (pst_str_ieq((struct pst_str){sources->at[i].scheme, sources->at[i].scheme_len},
                        PST_STR("Bearer")))
            return true;
    }
    return false;
}

/* Characters that stand in a query as they are (RFC 3986 section 2.3). */
static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int pst_key_sources_set_query(struct pst_key_sources *sources, struct pst_str name)
{
    if (name.len > PST_KEY_SOURCE_NAME_MAX)
        return -PST_ELIMIT;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_unreserved(name.p[i]))
            return -PST_EPARSE;
    }
    sources->query_len = pst_str_clip(name, sources->query, sizeof(sources->query));
    return 0;
}

/* The key in a field: its value, or what follows the scheme (RFC 9110 section 11.4: scheme, blanks, token).
 * False when the field is not this source. */
static bool value_of(const struct pst_key_source *source, const struct pst_field *field,
                     struct pst_str *ret_value)
{
    if (!pst_str_ieq(field->name, (struct pst_str){source->header, source->header_len}))
        return false;
    struct pst_str value = pst_str_trim(field->value);
    if (source->scheme_len > 0) {
        struct pst_str scheme = {source->scheme, source->scheme_len};
        bool is_scheme =
            pst_str_istarts(value, scheme) &&
            (value.len == scheme.len || value.p[scheme.len] == ' ' || value.p[scheme.len] == '\t');
        if (!is_scheme)
            return false;
        value = pst_str_trim(pst_str_skip(value, scheme.len));
    }
    *ret_value = value;
    return true;
}

/* One more place that had something. Remembers the first key, and whether another one differs from it. */
static void take(struct pst_credential *credential, struct pst_str value, int source)
{
    bool too_long = value.len > PST_SECRET_MAX;
    struct pst_str kept = {value.p, too_long ? PST_SECRET_MAX : value.len};
    if (value.len == 0) {
        if (credential->result == PST_CREDENTIAL_NONE)
            credential->result = PST_CREDENTIAL_EMPTY;
        return;
    }
    if (credential->result == PST_CREDENTIAL_ONE || credential->result == PST_CREDENTIAL_CONFLICT) {
        if (too_long != credential->too_long || !pst_str_eq(kept, pst_secret_str(&credential->value)))
            credential->result = PST_CREDENTIAL_CONFLICT;
        return;
    }
    if (pst_secret_set(&credential->value, kept) < 0)
        return; /* cannot be: it was cut to fit */
    credential->result = PST_CREDENTIAL_ONE;
    credential->too_long = too_long;
    credential->source = source;
}

static const struct pst_str cloud_query_names[] = {
    PST_STR("Ocp-Apim-Subscription-Key"),
    PST_STR("Subscription-Key"),
    PST_STR("api-key"),
    PST_STR("Authorization"),
};

size_t pst_credential_query_names(const struct pst_key_sources *sources, bool cloud_names,
                                  struct pst_str names[static PST_CREDENTIAL_QUERY_NAMES_MAX])
{
    size_t n = 0;
    if (sources->query_len > 0)
        names[n++] = (struct pst_str){sources->query, sources->query_len};
    for (size_t i = 0; cloud_names && i < sizeof(cloud_query_names) / sizeof(cloud_query_names[0]); i++)
        names[n++] = cloud_query_names[i];
    return n;
}

/* "Bearer x" is x, in a parameter as in the field. */
static struct pst_str without_scheme(struct pst_str name, struct pst_str value)
{
    if (!pst_query_name_is(name, PST_STR("Authorization")) || !pst_str_istarts(value, PST_STR("Bearer ")))
        return value;
    return pst_str_trim(pst_str_skip(value, 7));
}

static void take_param(const struct pst_query_param *param, struct pst_credential *credential)
{
    char decoded[PST_SECRET_MAX + 16]; /* more than a key may have, so that too long shows */
    int len = pst_percent_decode(param->value, true, decoded, sizeof(decoded));
    struct pst_str value = {decoded, len < 0 ? 0 : (size_t)len};
    if (len == -PST_ELIMIT)
        value.len = sizeof(decoded) - 1; /* what fits of it */
    take(credential, without_scheme(param->name, value), PST_KEY_SOURCE_QUERY);
    pst_wipe(decoded, sizeof(decoded));
}

static void find_in_query(const struct pst_key_sources *sources, struct pst_str query, bool cloud_names,
                          struct pst_credential *credential)
{
    struct pst_str names[PST_CREDENTIAL_QUERY_NAMES_MAX];
    size_t n = pst_credential_query_names(sources, cloud_names, names);
    struct pst_query_param param;
    while (n > 0 && pst_query_next(&query, &param)) {
        bool named = false;
        for (size_t i = 0; i < n; i++)
            named = named || pst_query_name_is(param.name, names[i]);
        if (named)
            take_param(&param, credential);
    }
}

void pst_credential_find(const struct pst_key_sources *sources, const struct pst_fields *fields,
                         struct pst_str query, bool cloud_names, struct pst_credential *ret)
{
    ret->result = PST_CREDENTIAL_NONE;
    ret->too_long = false;
    ret->source = 0;
    ret->value.len = 0;
    ret->value.text[0] = '\0';
    for (size_t i = 0; i < sources->n; i++) {
        PST_FIELDS_EACH(field, fields)
        {
            struct pst_str value;
            if (value_of(&sources->at[i], field, &value))
                take(ret, value, (int)i);
        }
    }
    if (query.len > 0)
        find_in_query(sources, query, cloud_names, ret);
}

void pst_credential_done(struct pst_credential *credential)
{
    pst_secret_done(&credential->value);
}

bool pst_credential_is_field(const struct pst_key_sources *sources, const struct pst_field *field)
{
    for (size_t i = 0; i < sources->n; i++) {
        struct pst_str value;
        if (value_of(&sources->at[i], field, &value))
            return true;
    }
    return false;
}
