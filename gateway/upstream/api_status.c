/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/upstream/api_status.h"

#include <string.h>

static const struct pst_api_status statuses[] = {
    {"Valid", PST_API_SERVES, "its ApiKey is valid and it may serve", NULL},
    {"Invalid", PST_API_REFUSES, "the ApiKey it was started with is not valid: it serves no queries",
     "Start it with a key of the resource that Billing names (portal: Keys and Endpoint)."},
    {"Mismatch", PST_API_REFUSES,
     "ApiKey and Billing are of different resources, or the resource is of another kind",
     "Start it with Billing and ApiKey of one and the same resource, of the kind this container is for."},
    {"CouldNotConnect", PST_API_REFUSES, "it cannot reach its billing endpoint",
     "See the checks of outbound traffic: the container needs it, too, and its HTTP_PROXY is a setting of "
     "its "
     "own."},
    {"OutOfQuota", PST_API_REFUSES, "the resource's quota is used up",
     "Raise the quota or the resource's tier."},
    {"BillingEndpointBusy", PST_API_UNSURE, "the billing endpoint is busy; the container tries again",
     "Wait some minutes; if it stays, contact Azure support."},
    {"ContainerUseUnauthorized", PST_API_REFUSES, "this resource is not approved for containers",
     "Apply for access to the container, or use a resource that has it."},
    {"Unknown", PST_API_UNSURE, "it does not know yet whether it may serve",
     "Wait a minute and look again; then see the container's log."},
};

#define N_STATUSES (sizeof(statuses) / sizeof(statuses[0]))

const struct pst_api_status *pst_api_statuses(size_t *ret_n)
{
    *ret_n = N_STATUSES;
    return statuses;
}

const struct pst_api_status *pst_api_status_find(struct pst_str name)
{
    for (size_t i = 0; i < N_STATUSES; i++) {
        if (pst_str_eq(name, pst_str_of(statuses[i].name)))
            return &statuses[i];
    }
    return NULL;
}

static struct pst_str skip_space(struct pst_str s)
{
    while (s.len > 0 && (*s.p == ' ' || *s.p == '\t' || *s.p == '\r' || *s.p == '\n'))
        s = pst_str_skip(s, 1);
    return s;
}

/* Whether `s` begins with `c`, which is then left out of *ret. */
static bool take(struct pst_str s, char c, struct pst_str *ret)
{
    s = skip_space(s);
    if (s.len == 0 || *s.p != c)
        return false;
    *ret = pst_str_skip(s, 1);
    return true;
}

const struct pst_api_status *pst_api_status_in(struct pst_str body)
{
    static const char name[] = "\"apiStatus\"";
    const char *at = body.len > 0 ? memmem(body.p, body.len, name, sizeof(name) - 1) : NULL;
    struct pst_str rest;
    if (at == NULL)
        return NULL;
    rest = pst_str_skip(body, (size_t)(at - body.p) + sizeof(name) - 1);
    if (!take(rest, ':', &rest) || !take(rest, '"', &rest))
        return NULL;
    ptrdiff_t end = pst_str_find(rest, '"');
    return end > 0 ? pst_api_status_find((struct pst_str){rest.p, (size_t)end}) : NULL;
}
