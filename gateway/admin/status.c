/* SPDX-License-Identifier: Apache-2.0 */
/* About the gateway itself: its state, its settings, the document of this interface. */
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"
#include "postern/crypto/engine.h"

void admin_openapi_get(struct admin_request *r)
{
    r->status = 200;
    r->literal = (struct pst_str){(const char *)admin_openapi, admin_openapi_len};
}

static json_t *time_or_null(int64_t time_us)
{
    return time_us > 0 ? admin_time(time_us) : json_null();
}

/* What the last response to GET /status said, whoever asked. */
static json_t *api_status_json(const struct pst_reach_sum *upstream)
{
    static const char *const grades[] = {
        [PST_API_SERVES] = "serves", [PST_API_UNSURE] = "unsure", [PST_API_REFUSES] = "refuses"};
    const struct pst_api_status *api = upstream->api;
    if (api == NULL)
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:o}", "value", api->name, "grade", grades[api->grade], "meaning",
                     api->meaning, "seen", admin_time(upstream->api_us));
}

static json_t *failure_json(const struct pst_reach_sum *upstream)
{
    if (upstream->failed_us == 0)
        return json_null();
    return json_pack("{s:s, s:s}", "error", pst_error_def(upstream->error)->name, "reason",
                     pst_reach_reason(upstream->error));
}

static json_t *outage_json(const struct pst_reach_sum *upstream)
{
    if (upstream->state != PST_REACH_DOWN)
        return json_null();
    return json_pack("{s:o, s:I}", "since", time_or_null(upstream->down_since_us), "failed_requests",
                     (json_int_t)upstream->failed_since);
}

/* By the last request: Postern asks the container nothing of its own accord. */
static json_t *upstream_json(const struct pst_reach_sum *upstream, const char *url)
{
    static const char *const states[] = {
        [PST_REACH_UNKNOWN] = "unknown", [PST_REACH_UP] = "up", [PST_REACH_DOWN] = "down"};
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "url", url, "state", states[upstream->state],
                     "last_request", time_or_null(upstream->asked_us), "last_answer",
                     time_or_null(upstream->answered_us), "last_failure", time_or_null(upstream->failed_us),
                     "failure", failure_json(upstream), "outage", outage_json(upstream), "api_status",
                     api_status_json(upstream));
}

static json_t *egress_json(const struct pst_admin_egress *egress)
{
    if (!egress->on)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:{s:o, s:i, s:b}}", "tunnels",
                     (json_int_t)egress->open,                                                       //
                     "opened", (json_int_t)egress->opened, "refused", (json_int_t)egress->refused,   //
                     "failed", (json_int_t)egress->failed, "bytes_up", (json_int_t)egress->bytes_up, //
                     "bytes_down", (json_int_t)egress->bytes_down, "metering", "last",               //
                     time_or_null(egress->metering_us), "failures", (int)egress->failures, "silent", //
                     egress->silent);
}

static json_t *certificate_json(const struct pst_admin_certificate *certificate)
{
    if (certificate->path == NULL)
        return json_null();
    return json_pack("{s:s, s:b, s:s, s:o, s:o, s:s}", "path", certificate->path, "self_signed",
                     certificate->self_signed, "state", certificate->state, "not_before",
                     admin_time(certificate->not_before_us), "not_after",
                     admin_time(certificate->not_after_us), "sha256", certificate->sha256);
}

/* Whether usage.db can be read; a change is logged. */
static bool read_losses(struct pst_admin *admin, uint64_t *ret_lost)
{
    bool failing = pst_usage_store_losses(admin->usage, ret_lost) < 0;
    if (failing && !admin->usage_unread)
        pst_error("admin", "usage cannot be read: %s", pst_usage_store_why(admin->usage));
    else if (!failing && admin->usage_unread)
        pst_info("admin", "usage can be read again");
    admin->usage_unread = failing;
    return !failing;
}

static json_t *journal_json(const struct pst_admin_status *s, bool known, uint64_t lost)
{
    return json_pack("{s:I, s:o, s:I, s:I}", "waiting", (json_int_t)s->journal_waiting, "lost",
                     known ? json_integer((json_int_t)lost) : json_null(), "lost_since_start",
                     (json_int_t)s->journal_lost, "unreadable", (json_int_t)s->journals_unreadable);
}

void admin_status_get(struct admin_request *r)
{
    struct pst_admin *admin = r->admin;
    struct pst_admin_status s = {0};
    uint64_t lost = 0, n_keys = 0;
    admin->parts.status(admin->parts.arg, &s);
    bool usage_known = read_losses(admin, &lost);
    bool usage_ok = usage_known && !s.usage_failing;
    struct pst_keys_store *keys = pst_keys_service_store(admin->keys);
    bool keys_ok = pst_keys_changed(keys, 0) >= 0 && pst_keys_count(keys, NULL, &n_keys) == 0;
    int64_t uptime_us = pst_clock_real_us() - admin->started_us;
    r->status = 200;
    const char *keys_text = !keys_ok ? "failing" : n_keys > 0 ? "ok" : "empty";
    r->output = json_pack(
        "{s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:{s:s, s:s}, s:o, s:{s:I, s:I}, s:o, s:o, s:s}", //
        "version", admin->parts.version, "started", admin_time(admin->started_us),             //
        "uptime_seconds", (json_int_t)(uptime_us > 0 ? uptime_us / 1000000 : 0),               //
        "workers", (json_int_t)s.workers, "connections", (json_int_t)s.connections,            //
        "upstream", upstream_json(&s.upstream, admin->parts.settings->upstream),               //
        "egress", egress_json(&s.egress),                                                      //
        "stores", "keys", keys_text, "usage", usage_ok ? "ok" : "failing",                     //
        "journal", journal_json(&s, usage_known, lost),                                        //
        "rows_without_key", "max", (json_int_t)admin->parts.settings->usage_rows_without_key, "dropped",
        (json_int_t)s.keyless_dropped,                   //
        "certificate", certificate_json(&s.certificate), //
        "admin_certificate", certificate_json(&s.admin_certificate), "crypto", pst_crypto_describe());
}

static json_t *setting_json(const struct pst_settings *settings, const struct pst_setting_def *def)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "name", def->name, "value",
                     pst_setting_shown(settings, def), "source",
                     pst_setting_source_text(pst_setting_source(settings, def)), "type",
                     pst_setting_type_name(def), "default", def->default_text, "reloadable", def->reloadable,
                     "help", def->help);
}

void admin_settings_get(struct admin_request *r)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    json_t *items = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(items, setting_json(r->admin->parts.settings, &defs[i]));
    r->status = 200;
    r->output = json_pack("{s:o}", "items", items);
}
