/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "postern/base/log.h"
#include "postern/tls/client.h"

static void log_problem(void *arg, const char *setting, const char *problem)
{
    (void)arg;
    pst_error("server", "%s: %s", setting, problem);
}

/* Each look at the keys reads the file anew and says when it cannot; what is left out is said here, once. */
static void warn_of_left_out(const char *setting, const char *file)
{
    struct pst_tls_roots *roots = NULL;
    struct pst_tls_why why;
    if (file == NULL || file[0] == '\0')
        return;
    if (pst_tls_roots_load(file, &roots, &why) < 0)
        pst_warn("oidc", "%s: %s", setting, why.text);
    else if (pst_tls_roots_left_out(roots)[0] != '\0')
        pst_warn("oidc", "%s: %s", setting, pst_tls_roots_left_out(roots));
    pst_tls_roots_free(roots);
}

static void warn_of_issuers(const struct pst_server *server)
{
    warn_of_left_out("ca_file", server->settings->ca_file);
    for (size_t i = 0; i < server->issuers->n; i++)
        warn_of_left_out(PST_ISSUERS_SETTING ": ca_file", server->issuers->at[i].ca_file);
}

int oidc_open(struct pst_server *server)
{
    const struct pst_settings *s = server->settings;
    if (s->n_oidc_issuers == 0 && s->n_oidc_keys == 0)
        return 0;
    if (!pst_key_sources_take_bearer(&server->front.key_sources)) {
        pst_error("server",
                  PST_ISSUERS_SETTING ": key_sources lacks \"Authorization: Bearer\", which carries the "
                                      "tokens; add it");
        return -PST_EINVAL;
    }
    int err = pst_issuers_parse(s->oidc_issuers, s->n_oidc_issuers, s->oidc_keys, s->n_oidc_keys, log_problem,
                                NULL, &server->issuers);
    if (err < 0)
        return err;
    warn_of_issuers(server);
    const struct pst_oidc_options options = {
        .issuers = server->issuers,
        .ca_file = s->ca_file,
        .proxy = s->oidc_proxy,
        .n_readers = server->n_workers,
    };
    return pst_oidc_open(&options, &server->oidc);
}

void oidc_close(struct pst_server *server)
{
    pst_oidc_close(server->oidc);
    pst_issuers_free(server->issuers);
}
