/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/server/certificate_settings.h"

#include "postern/auth/certificate_rules.h"

#include <stdio.h>
#include <string.h>

#define LISTENERS "client_certificate_listeners"

struct saying {
    const struct pst_settings *s;
    void (*say)(void *arg, const char *setting, const char *problem);
    void *arg;
    int err; /* the first */
};

static void problem(struct saying *saying, int err, const char *setting, const char *text)
{
    saying->say(saying->arg, setting, text);
    if (saying->err == 0)
        saying->err = err;
}

static bool is_address(struct pst_str text, const struct pst_addr *listen)
{
    struct pst_addr addr;
    return pst_addr_parse(text, &addr) == 0 && addr.len == listen->len &&
           memcmp(&addr.sa, &listen->sa, addr.len) == 0;
}

static bool parse_mode(struct pst_str text, enum pst_certificate_mode *ret)
{
    static const char *const names[] = {"off", "optional", "required"};
    for (int i = 0; i < 3; i++) {
        *ret = (enum pst_certificate_mode)i;
        if (pst_str_eq(text, pst_str_of(names[i])))
            return true;
    }
    return false;
}

enum pst_certificate_mode pst_certificate_mode_of(const struct pst_settings *s, const struct pst_addr *listen)
{
    enum pst_certificate_mode mode;
    struct pst_str rest;
    for (size_t i = 0; i < s->n_client_certificate_listeners; i++) {
        struct pst_str address =
            pst_str_cut(pst_str_trim(pst_str_of(s->client_certificate_listeners[i])), ' ', &rest);
        if (is_address(address, listen) && parse_mode(pst_str_trim(rest), &mode))
            return mode;
    }
    return (enum pst_certificate_mode)s->client_certificate;
}

bool pst_certificates_asked(const struct pst_settings *s)
{
    bool asked = false;
    for (size_t i = 0; i < s->n_listen; i++)
        asked = asked || pst_certificate_mode_of(s, &s->listen[i]) != PST_CERTIFICATE_OFF;
    return asked;
}

static void check_listener(struct saying *saying, const char *item)
{
    const struct pst_settings *s = saying->s;
    enum pst_certificate_mode mode;
    struct pst_str rest;
    char text[256];
    struct pst_str address = pst_str_cut(pst_str_trim(pst_str_of(item)), ' ', &rest);
    bool found = false;
    for (size_t i = 0; i < s->n_listen; i++)
        found = found || is_address(address, &s->listen[i]);
    if (!found) {
        snprintf(text, sizeof(text), "\"" PST_STR_FMT "\" is none of the addresses of listen",
                 PST_STR_ARG(address));
        problem(saying, -PST_EINVAL, LISTENERS, text);
    } else if (!parse_mode(pst_str_trim(rest), &mode)) {
        snprintf(text, sizeof(text), "\"%s\": behind the address stands off, optional or required", item);
        problem(saying, -PST_EINVAL, LISTENERS, text);
    }
}

int pst_routes_of_settings(const struct pst_settings *s, struct pst_routes **ret, struct pst_why *why)
{
    const struct pst_route rest = {
        .path = PST_STR(""),
        .credentials = (enum pst_front_credentials)s->credentials,
        .certificate = PST_CERTIFICATE_OPTIONAL, /* what the listener asks for was decided in the handshake */
        .websocket_refusal = (enum pst_websocket_refusal)s->websocket_refusal,
    };
    return pst_routes_parse(s->routes, s->n_routes, &rest, ret, why);
}

static void check_routes(struct saying *saying)
{
    const struct pst_settings *s = saying->s;
    struct pst_routes *routes = NULL;
    struct pst_why why = {.text = ""};
    int err = pst_routes_of_settings(s, &routes, &why);
    if (err < 0)
        problem(saying, err, PST_ROUTES_SETTING, why.text);
    else if (!pst_certificates_asked(s) && s->credentials >= PST_CREDENTIALS_CERTIFICATE)
        problem(saying, -PST_EINVAL, "credentials",
                "asks for client certificates, but client_certificate is off");
    else if (!pst_certificates_asked(s) && pst_routes_need_certificates(routes))
        problem(saying, -PST_EINVAL, PST_ROUTES_SETTING,
                "asks for client certificates, but client_certificate is off");
    pst_routes_free(routes);
}

static void check_rules(struct saying *saying, enum pst_certificate_rules_of of, const char *setting,
                        char *const *items, size_t n)
{
    struct pst_certificate_rules *rules = NULL;
    struct pst_why why = {.text = ""};
    int err = pst_certificate_rules_parse(of, items, n, &rules, &why);
    if (err < 0)
        problem(saying, err, setting, why.text);
    pst_certificate_rules_free(rules);
}

/* Rules or a list without CAs would let nobody in, and their author believes they do. */
static void check_admin(struct saying *saying)
{
    const struct pst_settings *s = saying->s;
    static const char needs[] = "needs admin_client_ca, the CAs to trust";
    check_rules(saying, PST_CERTIFICATE_RULES_OF_ROLES, PST_CERTIFICATE_ROLES_SETTING,
                s->admin_client_certificates, s->n_admin_client_certificates);
    if (s->admin_client_ca[0] != '\0')
        return;
    if (s->n_admin_client_certificates > 0)
        problem(saying, -PST_EINVAL, PST_CERTIFICATE_ROLES_SETTING, needs);
    if (s->admin_client_crl[0] != '\0')
        problem(saying, -PST_EINVAL, "admin_client_crl", needs);
}

int pst_certificate_settings_check(const struct pst_settings *s,
                                   void (*say)(void *arg, const char *setting, const char *problem),
                                   void *arg)
{
    struct saying saying = {s, say, arg, 0};
    for (size_t i = 0; i < s->n_client_certificate_listeners; i++)
        check_listener(&saying, s->client_certificate_listeners[i]);
    if (pst_certificates_asked(s) && s->client_ca[0] == '\0')
        problem(&saying, -PST_EINVAL, "client_certificate", "needs client_ca, the CAs to trust");
    check_rules(&saying, PST_CERTIFICATE_RULES_OF_KEYS, PST_CERTIFICATE_RULES_SETTING,
                s->client_certificate_keys, s->n_client_certificate_keys);
    check_routes(&saying);
    check_admin(&saying);
    return saying.err;
}
