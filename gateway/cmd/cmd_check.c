/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that `serve` would stumble over, said at once and with its place. Changes nothing. */
#include "postern/admin/admin.h"
#include "postern/auth/credential.h"
#include "postern/auth/issuer_keys.h"
#include "postern/auth/pepper.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/cmd/command.h"
#include "postern/conf/open_files.h"
#include "postern/db/data_dir.h"
#include "postern/db/examine.h"
#include "postern/db/keys_made.h"
#include "postern/fetch/url.h"
#include "postern/http/cors.h"
#include "postern/http/location.h"
#include "postern/http1/front.h"
#include "postern/server/certificate_settings.h"
#include "postern/server/egress_settings.h"
#include "postern/tls/client.h"
#include "postern/tls/context.h"
#include "postern/tls/material.h"
#include "postern/upstream/origin.h"

#include "findings.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A keys.db of millions of keys is looked at for this long. */
#define KEYS_LOOK_US 3000000

static bool print_all, as_json;

static const struct pst_option options[] = {
    {"print", NULL, "also print every setting with its value and source", NULL, &print_all},
    {"json", NULL, "print problems and settings as a JSON object", NULL, &as_json},
};

static const struct pst_usage usage = {
    .synopsis = "check [--print] [--json] [--config FILE] [--SETTING VALUE]...",
    .about = "Reports every problem in the settings and the files they refer to, and where it is. Exits with "
             "0 when `postern "
             "serve` would start. It changes nothing and does not disturb a running gateway.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .takes_settings = true,
};

/* One check's view. */
struct check {
    const struct pst_settings *s;
    struct findings *found;
};

#define PROBLEM(check, ...) findings_about((check)->found, false, (check)->s, __VA_ARGS__)
#define WARNING(check, ...) findings_about((check)->found, true, (check)->s, __VA_ARGS__)

static void check_upstream(const struct check *check)
{
    struct pst_upstream upstream;
    struct pst_origin *origin = NULL;
    const char *reason = "";
    if (pst_upstream_parse(pst_str_of(check->s->upstream), &upstream, &reason) < 0) {
        PROBLEM(check, "upstream", "\"%s\": %s", check->s->upstream, reason);
        return;
    }
    /* The container may come later, and its name with it. */
    if (upstream.is_unix) {
        if (access(upstream.path, F_OK) < 0)
            WARNING(check, "upstream", "%s: %s", upstream.path, strerror(errno));
    } else if (pst_origin_resolve(&upstream, &origin) < 0) {
        WARNING(check, "upstream", "the name \"%s\" cannot be resolved at the moment", upstream.host);
    }
    pst_origin_unref(origin);
}

static const char *key_source_problem(int err)
{
    switch (err) {
    case -PST_EEXIST:
        return "is listed twice";
    case -PST_ELIMIT:
        return "is too long, or there are too many";
    case -PST_EINVAL:
        return "cannot carry a key: only Authorization takes a scheme, and headers for framing or for the "
               "host "
               "cannot be used";
    default:
        return "is neither a header name nor \"Authorization: Scheme\"";
    }
}

static void check_key_sources(const struct check *check)
{
    const struct pst_settings *s = check->s;
    struct pst_key_sources sources;
    pst_key_sources_init(&sources);
    for (size_t i = 0; i < s->n_key_sources; i++) {
        int err = pst_key_sources_add(&sources, pst_str_of(s->key_sources[i]));
        if (err < 0)
            PROBLEM(check, "key_sources", "\"%s\" %s", s->key_sources[i], key_source_problem(err));
    }
    if (pst_key_sources_set_query(&sources, pst_str_of(s->key_query_parameter)) < 0)
        PROBLEM(check, "key_query_parameter", "\"%s\" is not a valid parameter name", s->key_query_parameter);
}

static void check_public_url(const struct check *check)
{
    struct pst_public_base base;
    const char *text = check->s->public_url;
    if (text[0] != '\0' && pst_public_base_parse(pst_str_of(text), &base) < 0)
        PROBLEM(check, "public_url", "\"%s\" is not https://host[:port][/prefix]", text);
}

static void say_problem(void *arg, const char *setting, const char *problem)
{
    PROBLEM((const struct check *)arg, setting, "%s", problem);
}

/* Of the bundle, and of the list beside it; what is wrong names the file. */
static void check_client_trust(const struct check *check, const char *setting, const char *ca,
                               const char *crl)
{
    struct pst_client_trust *trust = NULL;
    struct pst_tls_why why = {.text = ""};
    const struct pst_client_trust_options trusted = {.ca = ca, .crl = crl, .max_depth = 1};
    if (ca[0] != '\0' && pst_client_trust_load(&trusted, &trust, &why) < 0)
        PROBLEM(check, setting, "%s", why.text);
    else if (trust != NULL && pst_client_trust_left_out(trust)[0] != '\0')
        WARNING(check, setting, "%s", pst_client_trust_left_out(trust));
    pst_client_trust_unref(trust);
}

static void check_client_certificates(const struct check *check)
{
    const struct pst_settings *s = check->s;
    (void)!pst_certificate_settings_check(s, say_problem, (void *)(uintptr_t)check);
    if (pst_certificates_asked(s))
        check_client_trust(check, "client_ca", s->client_ca, s->client_crl);
    check_client_trust(check, "admin_client_ca", s->admin_client_ca, s->admin_client_crl);
}

static void check_cors(const struct check *check)
{
    const struct pst_settings *s = check->s;
    bool credentials = s->cors_allow_credentials == PST_SETTING_ON;
    for (size_t i = 0; i < s->n_cors_allow_origins; i++) {
        const char *origin = s->cors_allow_origins[i];
        if (pst_cors_origin_check(pst_str_of(origin)) < 0)
            PROBLEM(
                check, "cors_allow_origins",
                "\"%s\" is not an origin; use https://host[:port], https://*.domain or *, in lower case and "
                "without a path",
                origin);
        else if (credentials && strcmp(origin, "*") == 0)
            WARNING(check, "cors_allow_origins",
                    "* together with cors_allow_credentials lets any web page call with the user's "
                    "credentials; list "
                    "the allowed origins");
    }
}

static void check_egress(const struct check *check)
{
    struct pst_egress_settings egress;
    if (check->s->n_egress_listen > 0)
        (void)!pst_egress_settings_read(check->s, &egress, say_problem, (void *)(uintptr_t)check);
    explicit_bzero(&egress, sizeof(egress));
}

static void check_data_dir(const struct check *check)
{
    struct pst_access_why why;
    char text[PST_ACCESS_TEXT_SIZE];
    if (pst_data_dir_look(check->s->data_dir, &why) == 0)
        return;
    pst_access_text(&why, text);
    PROBLEM(check, "data_dir", "%s", text);
}

/* Whether a start can read keys.db, and takes the pepper for it. */
static void check_stored_keys(const struct check *check)
{
    struct pst_db_examination found;
    struct pst_db_why db_why;
    struct pst_why why;
    int err = pst_db_examine(check->s->data_dir, PST_KEYS_FILE, pst_clock_mono_us() + KEYS_LOOK_US, &found,
                             &db_why);
    if (err < 0 && err != -PST_ENOENT)
        PROBLEM(check, "data_dir", "%s", db_why.text);
    else if (pst_pepper_examine(check->s->data_dir, &why) < 0)
        PROBLEM(check, "data_dir", "%s", why.text);
}

/* Whether the keys are where they were. */
static void check_keys(const struct check *check)
{
    struct pst_access_why why;
    char text[PST_ACCESS_TEXT_SIZE];
    enum pst_keys_found found = pst_keys_look(check->s->data_dir, &why);
    if (found == PST_KEYS_MISSED || found == PST_KEYS_ANEW) {
        pst_access_text(&why, text);
        findings_about(check->found, found == PST_KEYS_ANEW, check->s, "data_dir", "%s", text);
    }
    if (found != PST_KEYS_MISSED)
        check_stored_keys(check);
}

static void say_access(void *arg, const char *setting, const struct pst_access_why *why)
{
    char text[PST_ACCESS_TEXT_SIZE];
    pst_access_text(why, text);
    WARNING((const struct check *)arg, setting, "%s", text);
}

static void check_listen(const struct check *check)
{
    const struct pst_settings *s = check->s;
    for (size_t i = 0; i < s->n_listen; i++) {
        char text[PST_ADDR_TEXT_SIZE];
        int why = pst_addr_bind_error(&s->listen[i]);
        bool no_ipv6 = s->listen[i].sa.ss_family == AF_INET6 && (why == EAFNOSUPPORT || why == EADDRNOTAVAIL);
        pst_addr_format((const struct sockaddr *)&s->listen[i].sa, text, sizeof(text));
        if (why == 0)
            continue;
        if (no_ipv6 && s->listen_is_default)
            WARNING(check, "listen", "%s is skipped: this machine has no IPv6", text);
        else if (why == EADDRINUSE) /* most often by the gateway that these settings are for */
            WARNING(check, "listen", "%s is in use at the moment", text);
        else
            PROBLEM(check, "listen", "%s: %s%s", text, strerror(why),
                    why == EADDRNOTAVAIL ? "; no interface of this machine has this address" : "");
    }
}

/* By this process's hard limit, to which `serve` raises its own. */
static void check_open_files(const struct check *check)
{
    const struct pst_open_files need = pst_open_files_of(check->s);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < need.least)
        PROBLEM(check, "workers", "the limit of open files is %llu, and these settings need at least %llu",
                (unsigned long long)limit.rlim_max, (unsigned long long)need.least);
}

static void check_tls(const struct check *check)
{
    const struct pst_tls_files files = {
        .certificate = check->s->tls_certificate,
        .key = check->s->tls_key,
        .certificate_dir = check->s->tls_certificate_dir,
        .data_dir = check->s->data_dir,
    };
    if (pst_tls_init() < 0)
        findings_add(check->found, false, "TLS cannot be set up on this machine");
    else
        (void)!pst_tls_material_check(&files, findings_add, check->found);
}

static void check_admin(const struct check *check)
{
    const struct pst_settings *s = check->s;
    const struct pst_tls_files files = {
        .certificate = s->admin_tls_certificate, .key = s->admin_tls_key, .data_dir = s->data_dir};
    bool off = s->n_admin_listen == 1 && strcmp(s->admin_listen[0], "off") == 0;
    for (size_t i = 0; !off && i < s->n_admin_listen; i++) {
        if (!pst_admin_listen_is_valid(s->admin_listen[i]))
            PROBLEM(check, "admin_listen",
                    "\"%s\" is neither address:port nor unix:/path/of/socket; off must be the only value",
                    s->admin_listen[i]);
    }
    if (s->admin_tls_certificate[0] != '\0' || s->admin_tls_key[0] != '\0')
        (void)!pst_tls_material_check(&files, findings_add, check->found);
}

/* `prefix` stands before what is said of the file. */
static void check_roots(const struct check *check, const char *setting, const char *prefix, const char *file)
{
    struct pst_tls_roots *roots = NULL;
    struct pst_tls_why why;
    if (pst_tls_roots_load(file, &roots, &why) < 0)
        PROBLEM(check, setting, "%s%s", prefix, why.text);
    else if (pst_tls_roots_left_out(roots)[0] != '\0')
        WARNING(check, setting, "%s%s", prefix, pst_tls_roots_left_out(roots));
    pst_tls_roots_free(roots);
}

static void check_ca_file(const struct check *check)
{
    if (check->s->ca_file[0] != '\0')
        check_roots(check, "ca_file", "", check->s->ca_file);
}

static void oidc_problem(void *arg, const char *setting, const char *problem)
{
    PROBLEM((struct check *)arg, setting, "%s", problem);
}

/* Keys in files can be looked at; others may not be reachable from where the check runs. */
static void check_key_set(const struct check *check, const struct pst_issuer *issuer)
{
    struct pst_jwks *jwks = NULL;
    struct pst_why why = {.text = ""};
    if (issuer->source != PST_JWKS_FILE)
        return;
    if (pst_issuer_keys_get(issuer, &(struct pst_issuer_keys_options){.ca_file = NULL}, &jwks, &why) < 0)
        PROBLEM(check, PST_ISSUERS_SETTING, "%s", why.text);
    else if (why.text[0] != '\0')
        WARNING(check, PST_ISSUERS_SETTING, "%s: left out: %s", issuer->jwks, why.text);
    pst_jwks_free(jwks);
}

static void check_issuer_ca(const struct check *check, const struct pst_issuer *issuer)
{
    if (issuer->ca_file != NULL)
        check_roots(check, PST_ISSUERS_SETTING, "ca_file=", issuer->ca_file);
}

static void check_takes_bearer(const struct check *check)
{
    const struct pst_settings *s = check->s;
    struct pst_key_sources sources;
    bool readable = true;
    pst_key_sources_init(&sources);
    for (size_t i = 0; i < s->n_key_sources; i++)
        readable = pst_key_sources_add(&sources, pst_str_of(s->key_sources[i])) == 0 && readable;
    if (readable && s->n_oidc_issuers > 0 && !pst_key_sources_take_bearer(&sources))
        PROBLEM(check, PST_ISSUERS_SETTING,
                "tokens are sent in \"Authorization: Bearer\", which key_sources lacks; add it");
}

static void check_oidc(const struct check *check)
{
    const struct pst_settings *s = check->s;
    struct check self = *check;
    struct pst_issuers *issuers = NULL;
    struct pst_proxy proxy;
    const char *reason = "";
    if (s->oidc_proxy[0] != '\0' && pst_proxy_parse(pst_str_of(s->oidc_proxy), &proxy, &reason) < 0)
        PROBLEM(check, "oidc_proxy", "%s", reason);
    if (pst_issuers_parse(s->oidc_issuers, s->n_oidc_issuers, s->oidc_keys, s->n_oidc_keys, oidc_problem,
                          &self, &issuers) < 0)
        return;
    check_takes_bearer(check);
    for (size_t i = 0; i < issuers->n; i++) {
        check_key_set(check, &issuers->at[i]);
        check_issuer_ca(check, &issuers->at[i]);
    }
    pst_issuers_free(issuers);
}

/* What was wrong in the settings themselves was told while they were read, and is not looked at again. */
static void check_all(const struct check *check)
{
    const struct pst_settings *s = check->s;
    if (!pst_setting_is_bad(s, "upstream"))
        check_upstream(check);
    if (!pst_setting_is_bad(s, "key_sources") && !pst_setting_is_bad(s, "key_query_parameter"))
        check_key_sources(check);
    check_public_url(check);
    check_cors(check);
    if (!pst_setting_is_bad(s, "data_dir"))
        check_data_dir(check);
    if (!pst_setting_is_bad(s, "data_dir"))
        check_keys(check);
    pst_settings_check_files(s, say_access, (void *)(uintptr_t)check);
    if (!pst_setting_is_bad(s, "listen"))
        check_listen(check);
    if (!pst_setting_is_bad(s, "listen") && !pst_setting_is_bad(s, "workers"))
        check_open_files(check);
    if (!pst_setting_is_bad(s, "tls_certificate") && !pst_setting_is_bad(s, "tls_key"))
        check_tls(check);
    check_client_certificates(check);
    check_egress(check);
    if (!pst_setting_is_bad(s, "ca_file"))
        check_ca_file(check);
    check_admin(check);
    if (!pst_setting_is_bad(s, PST_ISSUERS_SETTING) && !pst_setting_is_bad(s, PST_TOKEN_RULES_SETTING))
        check_oidc(check);
}

/* The value; of `workers` also what 0 comes to. */
static void value_text(const struct pst_settings *s, const struct pst_setting_def *def, char *text,
                       size_t size)
{
    const char *shown = pst_setting_shown(s, def);
    if (strcmp(def->name, "workers") == 0 && strcmp(shown, "0") == 0)
        snprintf(text, size, "0 (here: %llu)", (unsigned long long)s->workers);
    else
        pst_str_clip(pst_str_of(shown[0] != '\0' ? shown : "-"), text, size);
}

/* "postern.yaml:12", so that it can be found; otherwise "default" and the like. */
static void from_text(const struct pst_settings *s, const struct pst_setting_def *def, char *text,
                      size_t size)
{
    enum pst_setting_source source = pst_setting_source(s, def);
    if (source == PST_FROM_DEFAULT) {
        pst_str_clip(pst_str_of(pst_setting_source_text(source)), text, size);
        return;
    }
    pst_setting_place(s, def, text, size);
    char *name = source == PST_FROM_FILE ? strstr(text, ": ") : NULL;
    if (name != NULL)
        *name = '\0';
}

static void print_settings(const struct pst_settings *s)
{
    static const char *const columns[] = {"SETTING", "FROM", "VALUE"};
    struct pst_table *table = pst_table_new(columns, 3);
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; table != NULL && i < n; i++) {
        char value[1024], from[PST_SETTING_PLACE_SIZE];
        value_text(s, &defs[i], value, sizeof(value));
        from_text(s, &defs[i], from, sizeof(from));
        pst_table_cell(table, defs[i].name);
        pst_table_cell(table, from);
        pst_table_cell(table, value); /* last: some are long */
    }
    if (table != NULL)
        pst_table_print(table, stdout);
}

static json_t *settings_json(const struct pst_settings *s)
{
    json_t *object = json_object();
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        char from[PST_SETTING_PLACE_SIZE];
        from_text(s, &defs[i], from, sizeof(from));
        json_object_set_new(object, defs[i].name,
                            json_pack("{s:s, s:s, s:s}", "value", pst_setting_shown(s, &defs[i]), "source",
                                      pst_setting_source_text(pst_setting_source(s, &defs[i])), "from",
                                      from));
    }
    return object;
}

static int print_json(const struct pst_settings *s, const struct findings *found)
{
    int code = pst_cmd_print_json(json_pack("{s:b, s:o, s:o}", "ok", found->problems == 0, "findings",
                                            findings_json(found), "settings", settings_json(s)));
    return found->problems > 0 ? PST_EXIT_FAILED : code;
}

static int print_lines(const struct pst_settings *s, const struct findings *found)
{
    if (print_all)
        print_settings(s);
    if (found->problems == 0)
        printf("%sNo problems found%s%s.\n", print_all ? "\n" : "", s->config != NULL ? ": " : "",
               s->config != NULL ? s->config : "");
    int code = pst_cmd_finish(); /* before the findings, which go to standard error */
    findings_print(found);
    return found->problems > 0 ? PST_EXIT_FAILED : code;
}

int pst_cmd_check(int argc, char **argv)
{
    struct pst_args args;
    struct pst_settings settings;
    struct findings found = {.n = 0};
    int done = pst_cmd_parse(&usage, argc, argv, &args);
    if (done >= 0)
        return done;
    const struct pst_settings_input input = pst_cmd_settings_input(&args);
    if (pst_settings_collect(&input, findings_add, &found, &settings) < 0) {
        findings_done(&found);
        pst_cmd_error("out of memory");
        return PST_EXIT_FAILED;
    }
    pst_cmd_find_data(&settings);
    check_all(&(struct check){&settings, &found});
    int code = as_json ? print_json(&settings, &found) : print_lines(&settings, &found);
    findings_done(&found);
    pst_settings_done(&settings);
    return code;
}
