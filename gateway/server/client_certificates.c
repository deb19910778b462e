/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "postern/base/log.h"

#define LOOK_US 1000000

static void say(void *arg, const char *setting, const char *problem)
{
    (void)arg;
    pst_error("server", "%s: %s", setting, problem);
}

static void warn_of_left_out(const struct pst_client_trust *trust)
{
    const char *text = pst_client_trust_left_out(trust);
    if (text[0] != '\0')
        pst_warn("tls", "client_ca: %s", text);
}

int client_certificates_open(struct pst_server *server)
{
    const struct pst_settings *s = server->settings;
    struct pst_tls_why why = {.text = ""};
    struct pst_why rule;
    int err = pst_certificate_settings_check(s, say, NULL);
    if (err < 0 || !pst_certificates_asked(s))
        return err;
    server->keeper.trust_options = (struct pst_client_trust_options){
        .ca = s->client_ca,
        .crl = s->client_crl,
        .expired_crl_will_do = s->client_crl_expired == 1,
        .max_depth = (unsigned)s->client_certificate_depth,
    };
    err = pst_certificate_rules_parse(PST_CERTIFICATE_RULES_OF_KEYS, s->client_certificate_keys,
                                      s->n_client_certificate_keys, &server->certificates, &rule);
    if (err == 0)
        err = pst_client_trust_load(&server->keeper.trust_options, &server->trust, &why);
    if (err < 0 && why.text[0] != '\0')
        pst_error("server", "client certificates: %s", why.text);
    server->keeper.trust = pst_client_trust_ref(server->trust);
    if (err == 0)
        warn_of_left_out(server->trust);
    return err;
}

void client_certificates_close(struct pst_server *server)
{
    pst_client_trust_unref(server->trust);
    pst_client_trust_unref(server->keeper.trust);
    pst_certificate_rules_free(server->certificates);
}

/* Logged once per outage. */
static void note_failure(struct keeper *keeper, const char *why)
{
    if (!keeper->trust_failed)
        pst_warn("tls", "client certificates: %s; the previous files stay in effect", why);
    keeper->trust_failed = true;
}

/* A worker that could not be told is told again the next time; twice does no harm. */
static void tell_workers(struct keeper *keeper)
{
    keeper->trust_untold = false;
    for (unsigned i = 0; i < keeper->n_workers; i++) {
        if (pst_worker_set_trust(keeper->workers[i], keeper->trust) < 0)
            keeper->trust_untold = true;
    }
}

void client_certificates_refresh(struct keeper *keeper, uint64_t now_us)
{
    struct pst_tls_why why = {.text = ""};
    struct pst_client_trust *trust = NULL;
    if (keeper->trust == NULL || now_us < keeper->next_trust_us)
        return;
    keeper->next_trust_us = now_us + LOOK_US;
    if (keeper->trust_untold)
        tell_workers(keeper);
    if (pst_client_trust_is_current(keeper->trust))
        return;
    if (pst_client_trust_load(&keeper->trust_options, &trust, &why) < 0) {
        note_failure(keeper, why.text);
        return;
    }
    pst_info("tls", "client_ca or client_crl changed and was read again");
    warn_of_left_out(trust);
    keeper->trust_failed = false;
    pst_client_trust_unref(keeper->trust);
    keeper->trust = trust;
    tell_workers(keeper);
}
