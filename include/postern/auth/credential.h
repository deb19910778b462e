/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the key in a request, and says what must not be forwarded.
 *
 * The sources are an ordered list: a header's name (its whole value is the key), or
 * "Authorization: <scheme>" (what follows the scheme is the key), and optionally one query parameter.
 *
 * - All sources are looked at, every repeat of a header too. One key, however often: ONE. Two different
 *   keys anywhere: CONFLICT, because whatever we chose, somebody else might choose the other.
 * - A source that is there with nothing in it is EMPTY when there is no key elsewhere (the cloud words that
 *   as a wrong key, not as a missing one).
 * - Every field that is a source is to be removed, whichever matched, and the query parameter wherever it
 *   stands. `Authorization` with a scheme that is not in the list (Basic, say) is no business of ours: it is
 *   neither read nor removed.
 *
 * Parsed once, then read-only: any thread. */
#ifndef POSTERN_AUTH_CREDENTIAL_H
#define POSTERN_AUTH_CREDENTIAL_H

#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/crypto/secret.h"
#include "postern/http/field.h"

#include <stdbool.h>
#include <stddef.h>

#define PST_KEY_SOURCES_MAX     16
#define PST_KEY_SOURCE_NAME_MAX 63
/* PST_KEY_SOURCE_QUERY as pst_credential.source: it came in the query. */
#define PST_KEY_SOURCE_QUERY (-1)

struct pst_key_source {
    char header[PST_KEY_SOURCE_NAME_MAX + 1];
    char scheme[PST_KEY_SOURCE_NAME_MAX + 1]; /* empty: the whole value is the key */
    size_t header_len;
    size_t scheme_len;
};

struct pst_key_sources {
    struct pst_key_source at[PST_KEY_SOURCES_MAX];
    size_t n;
    char query[PST_KEY_SOURCE_NAME_MAX + 1]; /* empty: the query is not looked at */
    size_t query_len;
};

enum pst_credential_result {
    PST_CREDENTIAL_NONE,
    PST_CREDENTIAL_ONE,
    PST_CREDENTIAL_EMPTY,
    PST_CREDENTIAL_CONFLICT,
};

struct pst_credential {
    enum pst_credential_result result;
    struct pst_secret value; /* ONE: the key as presented; cut to its limit when longer, see too_long */
    bool too_long;           /* longer than any key: it will be refused, but counts as presented */
    int source;              /* index of the first source that had it, or PST_KEY_SOURCE_QUERY */
};

void pst_key_sources_init(struct pst_key_sources *sources);
/* Adds a source: "Ocp-Apim-Subscription-Key", "Authorization: Bearer", "Authorization:ApiKey".
 * 0, -PST_EPARSE (no header name, or no scheme behind the colon), -PST_EINVAL (a scheme for another header
 * than Authorization, or a header that frames the message or names the host), -PST_EEXIST, or -PST_ELIMIT
 * (too many, too long). */
int pst_key_sources_add(struct pst_key_sources *sources, struct pst_str text) PST_MUSTCHECK;
/* Sets the query parameter's name; empty switches it off. 0, -PST_EPARSE (characters that a query would
 * have to escape) or -PST_ELIMIT. */
int pst_key_sources_set_query(struct pst_key_sources *sources, struct pst_str name) PST_MUSTCHECK;

/* Whether "Authorization: Bearer" is among them, where tokens of issuers come. */
bool pst_key_sources_take_bearer(const struct pst_key_sources *sources);

/* `query` is the raw text between '?' and '#', empty when there is none. In it the parameter of the sources
 * is looked for, and with `cloud_names` those that the cloud and its SDKs use, too:
 * Ocp-Apim-Subscription-Key, Subscription-Key, api-key, and Authorization ("Bearer ..."). Always fills `ret`;
 * pst_credential_done() wipes it. */
void pst_credential_find(const struct pst_key_sources *sources, const struct pst_fields *fields,
                         struct pst_str query, bool cloud_names, struct pst_credential *ret);
void pst_credential_done(struct pst_credential *credential);

/* Whether this field carries a credential of the list and must not be forwarded. */
bool pst_credential_is_field(const struct pst_key_sources *sources, const struct pst_field *field);
/* The names of parameters that are looked for, which are those to be removed. Returns how many. */
#define PST_CREDENTIAL_QUERY_NAMES_MAX 5
size_t pst_credential_query_names(const struct pst_key_sources *sources, bool cloud_names,
                                  struct pst_str names[static PST_CREDENTIAL_QUERY_NAMES_MAX]);

#endif
