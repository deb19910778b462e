/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate.h"

#include "internal.h"
#include "postern/auth/certificate_rules.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"
#include "postern/base/num.h"
#include "postern/db/client_certificates.h"
#include "postern/tls/seam.h"

#include <stdio.h>
#include <string.h>

#define LOOK_US 1000000
/* Of the SHA-256, to tell certificates apart in the audit trail; the log has all of it. */
#define ID_DIGITS 16

/* What is trusted */

int admin_certificates_open(struct pst_admin *admin)
{
    const struct pst_settings *s = admin->parts.settings;
    struct pst_why why = {.text = ""};
    if (s->admin_client_ca[0] == '\0')
        return 0;
    int err = pst_certificate_rules_parse(PST_CERTIFICATE_RULES_OF_ROLES, s->admin_client_certificates,
                                          s->n_admin_client_certificates, &admin->roles, &why);
    if (err < 0)
        pst_error("admin", "%s: %s", PST_CERTIFICATE_ROLES_SETTING, why.text);
    return err;
}

void admin_certificates_close(struct pst_admin *admin)
{
    pst_certificate_rules_free(admin->roles);
}

/* There is no setting that takes an expired list: who is locked out here has a token besides. */
static int load(const struct admin_listener *listener, struct pst_client_trust **ret, struct pst_tls_why *why)
{
    const struct pst_settings *s = listener->admin->parts.settings;
    const struct pst_client_trust_options options = {
        .ca = s->admin_client_ca,
        .crl = s->admin_client_crl,
        .max_depth = (unsigned)s->client_certificate_depth,
    };
    return pst_client_trust_load(&options, ret, why);
}

/* Takes `trust` over, also when it fails. */
static int use(struct admin_listener *listener, struct pst_client_trust *trust)
{
    int err = pst_tls_context_trust(listener->tls, trust, false);
    if (err < 0) {
        pst_client_trust_unref(trust);
        return err;
    }
    pst_client_trust_unref(listener->trust);
    listener->trust = trust;
    return 0;
}

static void warn_of_left_out(const struct admin_listener *listener)
{
    const char *text = pst_client_trust_left_out(listener->trust);
    if (text[0] != '\0')
        pst_warn("admin", "admin_client_ca: %s", text);
}

int admin_certificates_ask(struct admin_listener *listener)
{
    struct pst_tls_why why = {.text = "does not fit into memory"};
    struct pst_client_trust *trust = NULL;
    if (listener->admin->roles == NULL)
        return 0;
    int err = load(listener, &trust, &why);
    if (err == 0)
        err = use(listener, trust);
    if (err < 0)
        pst_error("admin", "admin_client_ca: %s", why.text);
    else
        warn_of_left_out(listener);
    return err;
}

void admin_certificates_refresh(struct admin_listener *listener)
{
    struct pst_tls_why why = {.text = "does not fit into memory"};
    struct pst_client_trust *trust = NULL;
    uint64_t now_us = pst_clock_mono_us();
    if (listener->trust == NULL || now_us < listener->next_look_us)
        return;
    listener->next_look_us = now_us + LOOK_US;
    if (pst_client_trust_is_current(listener->trust))
        return;
    if (load(listener, &trust, &why) < 0 || use(listener, trust) < 0) {
        if (!listener->trust_failed) /* logged once per outage */
            pst_warn("admin", "admin_client_ca: %s; the previous files stay in effect", why.text);
        listener->trust_failed = true;
        return;
    }
    listener->trust_failed = false;
    warn_of_left_out(listener);
    pst_info("admin", "%s: admin_client_ca or admin_client_crl changed and was read again", listener->text);
}

/* Who shows one */

static void refuse(struct admin_request *r, const struct pst_client_identity *id, const char *reason,
                   const char *code, const char *message)
{
    char sha256[2 * sizeof(id->sha256) + 1];
    pst_hex_encode(id->sha256, sizeof(id->sha256), sha256);
    pst_info("admin", "request %s from %s refused: certificate sha256=%s (" PST_STR_FMT ") %s", r->request_id,
             r->caller.address, sha256, PST_STR_ARG(id->subject), reason);
    admin_fail(r, 403, code, "%s", message);
}

static enum MHD_Result find_browser(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                    const char *value, size_t value_size)
{
    bool *found = arg;
    const struct pst_str field = {name, name_size};
    (void)kind, (void)value, (void)value_size;
    *found = pst_str_ieq(field, PST_STR("Origin")) || pst_str_istarts(field, PST_STR("Sec-Fetch-"));
    return *found ? MHD_NO : MHD_YES;
}

/* A browser shows its certificate with whatever request any page has it make. Programs send none of these
 * fields, and a page cannot leave them out. */
static bool is_browser(const struct admin_request *r)
{
    bool found = false;
    MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, find_browser, &found);
    return found;
}

static void become(struct admin_request *r, const struct pst_client_identity *id, struct pst_str role)
{
    char sha256[2 * sizeof(id->sha256) + 1];
    pst_hex_encode(id->sha256, sizeof(id->sha256), sha256);
    r->caller.kind = CALLER_CERTIFICATE;
    r->caller.role = pst_str_eq(role, PST_STR("admin")) ? PST_ADMIN_ADMIN : PST_ADMIN_VIEWER;
    pst_str_clip((struct pst_str){sha256, ID_DIGITS}, r->caller.id, sizeof(r->caller.id));
    pst_str_clip(id->subject.len > 0 ? id->subject : pst_str_of(r->caller.id), r->caller.name,
                 sizeof(r->caller.name));
}

/* By `postern client-cert revoke`, as on the data plane; what is approved there gives no role here. False:
 * the answer has been made. */
static bool is_unrevoked(struct admin_request *r, const struct pst_client_identity *id)
{
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    bool revoked;
    int err = pst_client_certificates_is_revoked(store, id->sha256, id->key_sha256, &revoked);
    if (err < 0)
        admin_fail_err(r, err, NULL, pst_keys_why(store));
    else if (revoked)
        refuse(r, id, "was revoked (postern client-cert)", "ClientCertificateInvalid",
               "The client certificate was revoked.");
    return err == 0 && !revoked;
}

static void judge(struct admin_request *r, const struct pst_client_identity *id, bool changes_something)
{
    if (!id->valid) {
        refuse(r, id, id->problem, "ClientCertificateInvalid",
               "The client certificate is not valid here; which check it failed is in the gateway's log. An "
               "admin token works beside it.");
        return;
    }
    if (!is_unrevoked(r, id))
        return;
    struct pst_str role = pst_certificate_rules_find(r->admin->roles, id);
    if (role.len == 0)
        refuse(r, id, "fits no rule of " PST_CERTIFICATE_ROLES_SETTING, "ClientCertificateNotApproved",
               "The client certificate is valid, but no rule of " PST_CERTIFICATE_ROLES_SETTING
               " gives it a role; add one, for example: viewer sha256=… with the digest that stands in the "
               "gateway's log.");
    else if (changes_something && is_browser(r))
        refuse(r, id, "alone changes nothing from a browser", "SessionRequired",
               "A change from a browser needs a session: sign in on the page with an admin token. A client "
               "certificate alone is enough for programs, whose requests carry no Origin and no Sec-Fetch-… "
               "fields.");
    else
        become(r, id, role);
}

bool admin_certificate_take(struct admin_request *r, bool changes_something)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    const struct pst_client_identity *id = NULL;
    if (r->admin->roles == NULL || info == NULL)
        return false;
    if (pst_seam_client_identity(info->tls_session, pst_clock_real_us(), &id) < 0) {
        admin_fail(r, 503, "OutOfMemory", "Out of memory; try again.");
        return true;
    }
    if (id != NULL)
        judge(r, id, changes_something);
    return id != NULL;
}
