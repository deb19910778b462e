/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics, for Prometheus: its text format 0.0.4. Counters are since the start; names end in their unit.
 */
#include "internal.h"
#include "postern/base/clock.h"

#include <inttypes.h>

#define METRICS_MAX_BYTES (256 * 1024)

static void head(struct pst_buf *out, const char *name, const char *type, const char *help)
{
    pst_buf_printf(out, "# HELP postern_%s %s\n# TYPE postern_%s %s\n", name, help, name, type);
}

static void number(struct pst_buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, name, type, help);
    pst_buf_printf(out, "postern_%s %" PRIu64 "\n", name, value);
}

#define COUNTER(out, name, help, value) number(out, name, "counter", help, value)
#define GAUGE(out, name, help, value)   number(out, name, "gauge", help, value)

static void print_seconds(struct pst_buf *out, uint64_t us)
{
    pst_buf_printf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

/* A moment; left out when it has not been. */
static void moment(struct pst_buf *out, const char *name, const char *help, int64_t real_us)
{
    if (real_us <= 0)
        return;
    head(out, name, "gauge", help);
    pst_buf_printf(out, "postern_%s ", name);
    print_seconds(out, (uint64_t)real_us);
    pst_buf_add_cstr(out, "\n");
}

static void add_answers(struct pst_buf *out, const struct pst_traffic_sums *traffic)
{
    static const char *const classes[PST_TRAFFIC_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    head(out, "requests_total", "counter",
         "Requests by class of the response status; none: the client left before a response.");
    for (size_t i = 0; i < PST_TRAFFIC_CLASSES; i++)
        pst_buf_printf(out, "postern_requests_total{class=\"%s\"} %" PRIu64 "\n", classes[i],
                       traffic->answers[i]);
    COUNTER(out, "received_bytes_total", "Bytes received in request bodies and WebSocket streams.",
            traffic->bytes_in);
    COUNTER(out, "sent_bytes_total", "Bytes sent in response bodies and WebSocket streams.",
            traffic->bytes_out);
}

static void add_durations(struct pst_buf *out, const struct pst_traffic_sums *traffic)
{
    static const char name[] = "postern_request_duration_seconds";
    uint64_t n = 0;
    head(out, "request_duration_seconds", "histogram",
         "Time from the first byte of the request to the last of the response, without WebSocket streams.");
    for (size_t i = 0; i < PST_TRAFFIC_BOUNDS; i++) {
        n += traffic->durations[i];
        pst_buf_printf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
                       (double)pst_traffic_bounds_us[i] / 1e6, n);
    }
    n += traffic->durations[PST_TRAFFIC_BOUNDS];
    pst_buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", name, n, name);
    print_seconds(out, traffic->duration_us);
    pst_buf_printf(out, "\n%s_count %" PRIu64 "\n", name, n);
}

static void add_errors(struct pst_buf *out, const struct pst_admin_traffic *traffic)
{
    head(out, "errors_total", "counter",
         "Responses of Postern's own, by the name of the error (docs/http.md).");
    for (size_t i = PST_ERROR_NONE + 1; i < PST_ERROR_MAX; i++)
        pst_buf_printf(out, "postern_errors_total{error=\"%s\"} %" PRIu64 "\n",
                       pst_error_def((enum pst_error_id)i)->name, traffic->errors[i]);
    COUNTER(out, "wrong_credentials_total", "Wrong credentials; repeated attempts of one call count once.",
            traffic->wrong_credentials);
    COUNTER(out, "upstream_waits_total", "Requests that waited for a connection to the container.",
            traffic->upstream_waits);
    COUNTER(out, "upstream_share_waits_total",
            "Of those: a connection was free, but the key, or the requests without one, had its full share.",
            traffic->upstream_share_waits);
    COUNTER(out, "answers_cut_total", "Responses that were cut off in the middle.", traffic->answers_cut);
    COUNTER(out, "clients_left_total", "Clients that left before their response was complete.",
            traffic->clients_left);
}

static void add_connections(struct pst_buf *out, const struct pst_admin_status *s)
{
    const struct pst_admin_traffic *traffic = &s->traffic;
    GAUGE(out, "connections_open", "Open client connections.", s->connections);
    COUNTER(out, "connections_accepted_total", "Client connections accepted.", traffic->accepted);
    COUNTER(out, "connections_refused_total",
            "Connections closed without a response: far above max_connections.", traffic->refused);
    COUNTER(out, "connections_displaced_total",
            "Connections closed to make room for new ones: no key had been accepted on them.",
            traffic->displaced);
    GAUGE(out, "handshakes_open", "TLS handshakes in progress.", traffic->handshakes_open);
    COUNTER(out, "handshakes_failed_total", "TLS handshakes that failed.", traffic->handshakes_failed);
    COUNTER(out, "handshakes_timed_out_total", "TLS handshakes that took longer than tls_handshake_timeout.",
            traffic->handshakes_timed_out);
}

static void add_stores(struct pst_buf *out, const struct pst_admin_status *s)
{
    GAUGE(out, "journal_waiting", "Requests served and not yet in usage.db.", s->journal_waiting);
    COUNTER(out, "journal_lost_total", "Requests not recorded because the journal was full.",
            s->traffic.records_lost);
    COUNTER(out, "usage_lost_total",
            "Requests served and not counted: the journal was full, or what it held was damaged.",
            s->journal_lost);
    GAUGE(out, "journals_unreadable", "Journals of earlier runs that could not be read.",
          s->journals_unreadable);
    COUNTER(out, "usage_rows_without_key_dropped_total",
            "Single requests without a key that are in usage totals only: more than usage_rows_without_key.",
            s->keyless_dropped);
    COUNTER(out, "access_log_dropped_total", "Lines of the access log that were not taken in time.",
            s->log_dropped);
    GAUGE(out, "usage_store_failing", "1: usage.db could not be written the last time.", s->usage_failing);
    moment(out, "certificate_expiry_timestamp_seconds", "When the first of the certificates expires.",
           s->certificate.not_after_us);
}

static void add_upstream(struct pst_buf *out, const struct pst_reach_sum *upstream)
{
    GAUGE(out, "upstream_down", "1: the last request forwarded to the container failed.",
          upstream->state == PST_REACH_DOWN);
    COUNTER(out, "upstream_failures_total", "Requests to which the container gave no complete response.",
            upstream->failed);
    moment(out, "upstream_last_request_timestamp_seconds", "When a request was forwarded last.",
           upstream->asked_us);
    moment(out, "upstream_last_answer_timestamp_seconds", "When the container responded last.",
           upstream->answered_us);
    moment(out, "upstream_last_failure_timestamp_seconds",
           "When the container last could not be reached or gave no complete response.", upstream->failed_us);
}

static void add_egress(struct pst_buf *out, const struct pst_admin_egress *egress)
{
    if (!egress->on)
        return;
    GAUGE(out, "egress_tunnels_open", "Open egress tunnels.", egress->open);
    COUNTER(out, "egress_tunnels_total", "Egress tunnels opened.", egress->opened);
    COUNTER(out, "egress_refused_total", "Egress requests refused by the rules.", egress->refused);
    COUNTER(out, "egress_failed_total", "Egress connections that failed.", egress->failed);
    head(out, "egress_bytes_total", "counter", "Bytes through egress tunnels; up is from the container.");
    pst_buf_printf(out,
                   "postern_egress_bytes_total{direction=\"up\"} %" PRIu64 "\n"
                   "postern_egress_bytes_total{direction=\"down\"} %" PRIu64 "\n",
                   egress->bytes_up, egress->bytes_down);
    moment(out, "metering_last_report_timestamp_seconds", "When the container last reached a billing host.",
           egress->metering_us);
    GAUGE(out, "metering_failures", "Failed attempts to reach a billing host since then.", egress->failures);
    GAUGE(out, "metering_silent", "1: the container has not reported for too long and may stop serving.",
          egress->silent);
}

void admin_metrics_get(struct admin_request *r)
{
    struct pst_admin *admin = r->admin;
    struct pst_admin_status s = {0};
    struct pst_buf *out = &r->text;
    admin->parts.status(admin->parts.arg, &s);
    pst_buf_init(out, METRICS_MAX_BYTES);
    head(out, "build_info", "gauge", "1, with the version.");
    pst_buf_printf(out, "postern_build_info{version=\"%s\"} 1\n", admin->parts.version);
    moment(out, "start_time_seconds", "When the gateway was started.", admin->started_us);
    GAUGE(out, "workers", "Worker threads.", s.workers);
    add_answers(out, &s.traffic.sums);
    add_durations(out, &s.traffic.sums);
    add_errors(out, &s.traffic);
    add_connections(out, &s);
    add_stores(out, &s);
    add_upstream(out, &s.upstream);
    add_egress(out, &s.egress);
    if (pst_buf_failed(out)) {
        admin_fail(r, 503, "OutOfMemory", "Out of memory; try again.");
        return;
    }
    r->status = 200;
    r->type = "text/plain; version=0.0.4; charset=utf-8";
}
