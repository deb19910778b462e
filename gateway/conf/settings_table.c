/* SPDX-License-Identifier: Apache-2.0 */
/* The table. A setting is added here and in struct pst_settings, and nowhere else. */
#include "postern/conf/settings.h"

#include "postern/base/str.h"

#include <stdio.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define GIB (KIB * KIB * KIB)
#define PIB (GIB * KIB * KIB)
#define S   UINT64_C(1000)
#define M   (60 * S)
#define H   (60 * M)
#define D   (24 * H)

static const char *const profiles[] = {"intermediate", "modern", NULL};
static const char *const certificate_modes[] = {"off", "optional", "required", NULL};
static const char *const crl_expired[] = {"refuse", "accept", NULL};
static const char *const credentials_kinds[] = {"any", "key", "certificate", "both", NULL};
static const char *const refusals[] = {"auto", "http", "close", NULL};
static const char *const error_shapes[] = {"object", "flat", NULL};
static const char *const switches[] = {"off", "on", NULL};
static const char *const host_headers[] = {"upstream", "keep", NULL};
static const char *const access_logs[] = {"json", "text", "off", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const egress_modes[] = {"enforce", "observe", NULL};
static const char *const egress_snis[] = {"off", "warn", "refuse", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

#define AT(field)        offsetof(struct pst_settings, field)
#define TEXT(field)      .name = #field, .type = PST_SETTING_STRING, .offset = AT(field)
#define PATH(field)      .name = #field, .type = PST_SETTING_PATH, .offset = AT(field)
#define URL(field)       .name = #field, .type = PST_SETTING_URL, .offset = AT(field)
#define INT(field)       .name = #field, .type = PST_SETTING_INT, .offset = AT(field)
#define BYTES(field)     .name = #field, .type = PST_SETTING_BYTES, .offset = AT(field##_bytes)
#define DURATION(field)  .name = #field, .type = PST_SETTING_DURATION, .offset = AT(field##_ms)
#define CHOICE(field, c) .name = #field, .type = PST_SETTING_ENUM, .choices = (c), .offset = AT(field)
#define LIST(kind, field)                                                                                    \
    .name = #field, .type = PST_SETTING_##kind, .offset = AT(field), .count_offset = AT(n_##field)

static const struct pst_setting_def defs[] = {
    {LIST(ADDRESSES, listen), .group = "Main", .required = true, .default_text = "0.0.0.0:8443, [::]:8443",
     .help = "Addresses to serve HTTPS on. Without IPv6 on the machine the default one for it is skipped."},
    {URL(upstream), .required = true, .default_text = "http://127.0.0.1:5000",
     .help = "The container: http://host:port or unix:/path/of/socket. It is reached inside the pod, so "
             "without TLS; a base path is not taken, because paths go on as the client sent them."},
    {LIST(STRINGS, admin_listen), .required = true, .default_text = "127.0.0.1:8444",
     .help = "Where the admin side listens, REST and page: host:port (HTTPS, for who has an admin token), "
             "unix:/path/of/socket (plain HTTP, mode 0600, for root and the gateway's own user), or off."},
    {LIST(STRINGS, admin_hosts), .default_text = "",
     .help = "Host names under which the admin side is reached, beside localhost and IP addresses: a request "
             "for another name is refused, so that no web page can reach it by a name of its own."},
    {PATH(admin_tls_certificate), .default_text = "",
     .help = "PEM certificate chain of the admin side. Empty: the gateway's own."},
    {PATH(admin_tls_key), .default_text = "", .help = "PEM private key of admin_tls_certificate."},
    {PATH(admin_client_ca), .default_text = "",
     .help = "PEM bundle of the CAs whose client certificates open the admin side, as "
             "admin_client_certificates says. Clients are asked for one then, and may have none. Read again "
             "when it changes. Empty: none."},
    {PATH(admin_client_crl), .default_text = "",
     .help = "PEM file of what those CAs revoked. Read again when it changes, also for open connections; a "
             "list that is out of date closes its CA's certificates out. Empty: none."},
    {LIST(STRINGS, admin_client_certificates), .default_text = "",
     .help = "What a certificate of admin_client_ca may do: admin or viewer, then dns=, uri=, cn=, subject=, "
             "sha256=, key-sha256=, or * for any of the CAs. The first that fits decides; without one the "
             "certificate is refused (docs/admin.md)."},
    {PATH(data_dir), .required = true, .default_text = "/var/lib/postern",
     .help =
         "Directory, most often a volume, for keys, usage, journals and the self-made certificate. When it "
         "is "
         "not the gateway user's own, they lie in a directory of its own below it, private (docs/files.md)."},
    {INT(workers), .min = 0, .max = 256, .default_text = "0",
     .help = "Worker threads. 0: as many as the CPUs this process may use (affinity and cgroup quota)."},
    {DURATION(shutdown_timeout), .min = 0, .max = H, .default_text = "30s",
     .help = "After SIGTERM, requests under way may take this long to finish."},
    {LIST(ADDRESSES, egress_listen), .group = "The way out", .default_text = "",
     .help = "Addresses of the CONNECT proxy for the container's HTTPS_PROXY (127.0.0.1:3128). Empty: none."},
    {LIST(STRINGS, egress_allow), .default_text = "*.cognitive.microsoft.com, *.cognitiveservices.azure.com",
     .help = "Hosts that the container may reach: names, or *.domain for every name below it (not the domain "
             "itself)."},
    {PATH(egress_allow_file), .default_text = "",
     .help = "A file with more of them, one in a line, # before remarks. Read again when it changes; open "
             "tunnels "
             "stay open."},
    {LIST(NETWORKS, egress_allow_networks), .default_text = "",
     .help =
         "Networks that allowed hosts may have addresses in though they are not public: private, loopback, "
         "link-local, multicast and reserved addresses are refused else."},
    {LIST(STRINGS, egress_ports), .required = true, .default_text = "443",
     .help = "Ports that may be reached."},
    {LIST(STRINGS, egress_resolve), .default_text = "",
     .help = "Addresses of hosts that are not to be looked up: host:port:address."},
    {CHOICE(egress_mode, egress_modes), .default_text = "enforce",
     .help = "enforce refuses what is not allowed; observe lets it pass and logs what would be refused."},
    {CHOICE(egress_sni, egress_snis), .default_text = "warn",
     .help = "What to do when the server name of the TLS inside is not the host that was asked for. It is "
             "read without "
             "touching a byte; off does not look."},
    {TEXT(egress_parent), .default_text = "",
     .help = "Proxy through which the way out goes on: http://host:port. It looks names up itself."},
    {PATH(egress_parent_credentials_file), .default_text = "",
     .help = "File with user:password for egress_parent."},
    {PATH(egress_credentials_file), .default_text = "",
     .help = "File with user:password that the container must show (HTTP_PROXY_CREDS). Empty: none needed."},
    {DURATION(egress_connect_timeout), .min = 100, .max = 10 * M, .default_text = "10s",
     .help = "From the container's connection to an open tunnel."},
    {DURATION(egress_idle_timeout), .min = S, .max = D, .default_text = "10m",
     .help = "A tunnel without a byte for so long is closed."},
    {DURATION(egress_max_duration), .min = S, .max = 365 * D, .default_text = "1d",
     .help = "A tunnel is closed after this."},
    {INT(egress_max_tunnels), .min = 1, .max = 100000, .default_text = "256",
     .help = "Tunnels at once; each has a thread. One more is answered with 503."},
    {DURATION(egress_metering_silence), .min = 0, .max = 30 * D, .default_text = "30m",
     .help = "Warn when the container has not reached a billing host for so long: it reports every 10 to 15 "
             "minutes, "
             "and stops serving after ten failures. 0: never."},
    {PATH(tls_certificate), .group = "TLS", .default_text = "",
     .help = "PEM file with the server's certificate and its intermediates, in any order. Without it (and "
             "without tls_certificate_dir) a self-signed one is made in data_dir."},
    {PATH(tls_key), .default_text = "",
     .help = "PEM file with the private key of tls_certificate, EC or RSA."},
    {PATH(tls_certificate_dir), .default_text = "",
     .help = "Directory with more certificates, chosen by the name the client asks for: NAME.crt with "
             "NAME.key, or SUBDIR/tls.crt with SUBDIR/tls.key."},
    {CHOICE(tls_profile, profiles), .default_text = "intermediate",
     .help =
         "intermediate: TLS 1.2 and 1.3; modern: TLS 1.3 only. AEAD ciphers with forward secrecy in both."},
    {DURATION(tls_ticket_rotation), .min = M, .max = 6 * D, .default_text = "12h",
     .help =
         "A new key for session tickets this often; a client can resume for one to two periods, for 7 days "
         "at most."},
    {DURATION(tls_handshake_timeout), .min = 100, .max = 10 * M, .default_text = "10s",
     .help = "A TLS handshake that takes longer is broken off; one that begins while more than half of "
             "tls_max_handshakes "
             "are in progress, after an eighth of it."},
    {INT(tls_max_handshakes), .min = 1, .max = 65536, .default_text = "256",
     .help = "Handshakes in progress per worker; beyond it new connections wait in the listen queue."},
    {PATH(ca_file), .default_text = "",
     .help =
         "PEM file with root certificates to trust besides the system's, when Postern itself asks others "
         "over "
         "HTTPS (postern doctor, keys of an identity provider). Clients' certificates are not judged by it."},
    {CHOICE(client_certificate, certificate_modes), .group = "Client certificates", .default_text = "off",
     .help =
         "optional: clients are asked for a certificate, and may have none. required: a handshake without "
         "a valid one fails. TLS sessions are not resumed then: each connection proves its own."},
    {LIST(STRINGS, client_certificate_listeners), .default_text = "",
     .help = "Addresses of listen where it is another: 0.0.0.0:9443 required."},
    {PATH(client_ca), .default_text = "",
     .help = "PEM bundle of the CAs whose client certificates are trusted. Read again when it changes."},
    {PATH(client_crl), .default_text = "",
     .help =
         "PEM file of what those CAs revoked; CAs without a list in it are not looked up. Read again when "
         "it changes, also for open connections. Empty: none."},
    {CHOICE(client_crl_expired, crl_expired), .default_text = "refuse",
     .help = "Whether a CA's certificates are still taken when its list in client_crl is out of date."},
    {INT(client_certificate_depth), .min = 1, .max = 8, .default_text = "3",
     .help = "How many certificates may stand above a client's, the CA's own included."},
    {LIST(STRINGS, client_certificate_keys), .default_text = "",
     .help = "Which key a certificate stands for: the key's id, then dns=, uri=, cn=, subject=, sha256=, "
             "key-sha256=, or * for any of the CAs. The first that fits decides; without one the certificate "
             "is not approved (docs/client-certificates.md)."},
    {CHOICE(client_certificate_forward, switches), .default_text = "off",
     .help = "Tell the container of the client's certificate in X-Forwarded-Client-Cert, in Envoy's format."},
    {CHOICE(credentials, credentials_kinds), .group = "Keys", .default_text = "any",
     .help =
         "What a request needs: any (a key or token, or an approved client certificate), key, certificate, "
         "or both, of the same key."},
    {CHOICE(key_authentication, switches), .default_text = "on",
     .help =
         "off: keys are refused (403), also for access tokens of Postern's own; what is left are tokens of "
         "oidc_issuers and client certificates."},
    {LIST(STRINGS, key_sources), .default_text = "Ocp-Apim-Subscription-Key, api-key, Authorization: Bearer",
     .help = "Where a request may carry its key: header names, or \"Authorization: Scheme\". All are looked "
             "at; two different keys in one request are refused."},
    {TEXT(key_query_parameter), .default_text = "",
     .help = "A query parameter that may carry the key too. Empty: none, because URLs end up in logs."},
    {TEXT(region), .default_text = "",
     .help =
         "The cloud's region that this gateway stands for (westeurope). Access tokens name it, and a request "
         "whose Ocp-Apim-Subscription-Region names another one is refused. Empty: any will do."},
    {DURATION(token_lifetime), .min = 2 * S, .max = H, .default_text = "10m",
     .help =
         "How long an access token from /sts/v1.0/issueToken works, if its key's secret does not end before. "
         "The cloud's work for ten minutes, and clients reuse them for eight or nine."},
    {DURATION(token_key_period), .min = 2 * S, .max = 365 * D, .default_text = "1d",
     .help =
         "How long a key signs access tokens before the next one takes over; tokens of the one before are "
         "taken until then. At least token_lifetime."},
    {LIST(STRINGS, oidc_issuers), .default_text = "",
     .help = "Who may issue access tokens: the issuer (iss), then jwks=URL or /path (else the issuer's "
             "OpenID configuration is asked), audience=, algorithm=, leeway=, refresh=, ca_file= "
             "(docs/oidc.md)."},
    {LIST(STRINGS, oidc_keys), .default_text = "",
     .help =
         "Which key a token stands for: the key's id, then claim=value for each claim that the token must "
         "have, or * for all tokens of the issuer; issuer= when there are several. The first that fits "
         "decides."},
    {TEXT(oidc_proxy), .secret = true, .default_text = "",
     .help = "Proxy through which issuers' keys are fetched: http://[user:password@]host:port. Empty: "
             "directly."},
    {LIST(STRINGS, open_paths), .item_start = "/", .default_text = "/status, /ready",
     .help =
         "Paths of the container that need no key, compared byte for byte; with /* at its end all below it: "
         "/swagger, /swagger/*."},
    {LIST(STRINGS, routes), .item_start = "/", .default_text = "",
     .help =
         "What differs from path to path: a path, for it and all below it, then credentials=, "
         "client_certificate= (off, optional, required: without a valid one 403) or websocket_refusal=. The "
         "first that fits decides: /speech credentials=both (docs/authentication.md)."},
    {CHOICE(error_shape, error_shapes), .default_text = "object",
     .help = "How Postern's own refusals look: object {\"error\": {\"code\", \"message\"}}, or flat "
             "{\"statusCode\", \"message\"}, as some services of the cloud have it."},
    {CHOICE(host_header, host_headers), .group = "Forwarding", .default_text = "upstream",
     .help = "Host header for the container: its own address, or the one the client sent."},
    {TEXT(public_url), .default_text = "",
     .help =
         "Where clients reach the gateway, https://host[:port][/prefix]: what Operation-Location, Location, "
         "Content-Location and azure-asyncoperation of the container's own address are rewritten to. Empty: "
         "the Host that the client sent, or X-Forwarded-Host, -Proto and -Prefix of a trusted proxy."},
    {LIST(STRINGS, upstream_names), .default_text = "",
     .help = "Names (host or host:port) that the container gives itself in such URLs, its pod's for example. "
             "The upstream's own address, and localhost at its port, are known."},
    {CHOICE(job_ownership, switches), .default_text = "on",
     .help = "Whether a job (202 with Operation-Location) is its key's alone: for other keys it is 404."},
    {DURATION(job_lifetime), .min = S, .max = 30 * D, .default_text = "48h",
     .help = "How long a job's owner is known. The containers keep results for 24 hours."},
    {INT(job_table_size), .min = 64, .max = 1u << 24, .default_text = "65536",
     .help = "Jobs whose owner is known at a time, 48 bytes each in data_dir; beyond it the oldest are "
             "forgotten, and any key may read them."},
    {LIST(STRINGS, cors_allow_origins), .group = "Browsers", .default_text = "",
     .help = "Pages that may call the gateway from a browser: https://app.example, https://*.app.example, or "
             "* for all. Preflights are answered without a key then, and the container's own "
             "Access-Control fields are left out. Empty: CORS is left to the container."},
    {LIST(STRINGS, cors_allow_methods), .default_text = "GET, HEAD, POST, PUT, PATCH, DELETE",
     .help = "Methods that such pages may use."},
    {LIST(STRINGS, cors_allow_headers), .default_text = "",
     .help = "Header fields that such pages may send. Empty: all."},
    {LIST(STRINGS, cors_expose_headers),
     .default_text = "Operation-Location, Location, Retry-After, apim-request-id, X-Request-Id, "
                     "x-envoy-upstream-service-time, csp-billing-usage, x-metered-usage",
     .help = "Header fields of answers that such pages may read."},
    {DURATION(cors_max_age), .min = 0, .max = D, .default_text = "1h",
     .help = "How long a browser may keep the answer to a preflight."},
    {CHOICE(cors_allow_credentials, switches), .default_text = "off",
     .help = "Whether such pages may send cookies and client certificates with their requests."},
    {LIST(NETWORKS, trusted_proxies), .default_text = "",
     .help =
         "Networks of proxies in front of Postern whose X-Forwarded-* and Forwarded headers are believed."},
    {INT(upstream_max_connections), .min = 1, .max = 65536, .default_text = "256",
     .help = "Connections to the container per worker, used and idle."},
    {INT(upstream_max_waiting), .min = 0, .max = 1000000, .default_text = "1024",
     .help = "Requests per worker that may wait for a connection to the container; beyond it 503."},
    {INT(upstream_key_share), .min = 1, .max = 100, .default_text = "75",
     .help =
         "Percentage of the connections to the container that one key may hold of those that others leave, "
         "and likewise of the places in the queue: alone at most so much, and the next key always finds "
         "some. Rounded up; per worker (docs/http.md). 100: all."},
    {INT(upstream_keyless_share), .min = 1, .max = 100, .default_text = "25",
     .help =
         "The same for all requests without a key together (open_paths, preflights left to the container)."},
    {DURATION(upstream_wait_timeout), .min = 1, .max = H, .default_text = "10s",
     .help = "A request waits at most this long for a connection; then 503."},
    {DURATION(upstream_connect_timeout), .min = 1, .max = 10 * M, .default_text = "5s",
     .help = "Connecting to the container may take this long; then 504."},
    {DURATION(upstream_idle_timeout), .min = 100, .max = D, .default_text = "60s",
     .help = "An idle connection to the container is closed after this; keep it below the container's own "
             "limit."},
    {DURATION(upstream_first_byte_timeout), .min = 10, .max = D, .default_text = "600s",
     .help = "The container's time from the end of a request to the head of its answer; then 504."},
    {DURATION(upstream_read_timeout), .min = 10, .max = D, .default_text = "60s",
     .help = "The longest pause between two pieces of an answer; then it is broken off."},
    {DURATION(client_head_timeout), .group = "Clients", .min = 10, .max = H, .default_text = "10s",
     .help = "The client's time from the first byte of a request to the end of its head; then 408."},
    {DURATION(client_idle_timeout), .min = 100, .max = D, .default_text = "75s",
     .help = "A connection without a request is closed after this."},
    {DURATION(client_send_timeout), .min = 10, .max = D, .default_text = "60s",
     .help = "A client that takes nothing of its answer for this long is cut off."},
    {BYTES(client_min_rate), .min = 0, .max = GIB, .default_text = "1KiB",
     .help = "Bytes per second that a request's body must keep up; then 408. 0: no such limit. Time in which "
             "the container takes nothing does not count."},
    {DURATION(client_min_rate_grace), .min = 10, .max = H, .default_text = "10s",
     .help = "The body's rate is first looked at after this."},
    {BYTES(max_head_size), .group = "Limits", .min = 2 * KIB, .max = 1024 * KIB, .default_text = "32KiB",
     .help = "Size of a request's first line and header fields together; beyond it 431. A connection may "
             "hold as much in memory."},
    {INT(max_headers), .min = 8, .max = 1000, .default_text = "100",
     .help = "Header fields that a request may have; beyond it 431."},
    {BYTES(max_target_size), .min = 256, .max = 512 * KIB, .default_text = "8KiB",
     .help = "Length of a request's path and query; beyond it 414."},
    {BYTES(max_body_size), .min = 0, .max = PIB, .default_text = "1GiB",
     .help = "Size of a request's body; beyond it 413. 0: no limit."},
    {BYTES(keyless_max_body_size), .min = 0, .max = 256 * KIB, .default_text = "16KiB",
     .help =
         "Size of the body of a request without a key (open_paths); beyond it 413. It is held in memory, and "
         "goes to the container when it is whole. 0: it is streamed, with the limits of one with a key."},
    {DURATION(keyless_body_timeout), .min = 10, .max = H, .default_text = "10s",
     .help = "Such a body must be whole within this time from the end of the head; then 408."},
    {INT(max_connections), .min = 1, .max = 1000000, .default_text = "4096",
     .help =
         "Client connections per worker. When all are in use, a new one takes the place of the one that has "
         "been open longest (and for a second) without a key having been accepted on it. When there is none, "
         "a few more are accepted and answered with 503; the rest wait in the listen queue."},
    {INT(max_websockets), .group = "WebSocket", .min = 0, .max = 1000000, .default_text = "2048",
     .help = "WebSocket streams per worker; beyond it 503. Each is one of max_connections, and has a "
             "connection to the container that does not count in upstream_max_connections. 0: none."},
    {CHOICE(websocket_refusal, refusals), .default_text = "auto",
     .help = "How an upgrade is refused: http by its status; close accepts it and closes it with 4000, for "
             "clients that cannot see the status; auto is close on the paths of the Speech services."},
    {DURATION(websocket_idle_timeout), .min = 100, .max = 30 * D, .default_text = "10m",
     .help = "A stream without a byte either way for this long, pings included, is closed (1000)."},
    {DURATION(websocket_max_duration), .min = 0, .max = 365 * D, .default_text = "24h",
     .help = "A stream that lasts longer is closed (1000). 0: no limit."},
    {DURATION(websocket_usage_interval), .min = 100, .max = D, .default_text = "60s",
     .help = "What a stream used is noted this often and at its end."},
    {INT(usage_journal_records), .group = "Usage", .min = 64, .max = 4194304, .default_text = "32768",
     .help = "Finished requests per worker that can wait to be written down (384 bytes each)."},
    {DURATION(usage_retention), .min = 0, .max = 36500 * D, .default_text = "7d",
     .help = "Single requests are kept this long. 0: for ever."},
    {DURATION(usage_hourly_retention), .min = 0, .max = 36500 * D, .default_text = "90d",
     .help = "Sums by hour are kept this long. 0: for ever."},
    {DURATION(usage_daily_retention), .min = 0, .max = 36500 * D, .default_text = "730d",
     .help = "Sums by day are kept this long. 0: for ever."},
    {CHOICE(access_log, access_logs), .group = "Logs", .default_text = "json",
     .help = "A line per request on standard output. It never holds a key or a query string."},
    {CHOICE(log_format, log_formats), .default_text = "text", .help = "How messages on standard error look."},
    {CHOICE(log_level, log_levels), .default_text = "info",
     .help = "The least important messages that are written."},
};

_Static_assert(sizeof(defs) / sizeof(defs[0]) <= PST_SETTINGS_MAX, "raise PST_SETTINGS_MAX");

const struct pst_setting_def *pst_setting_defs(size_t *ret_n)
{
    *ret_n = sizeof(defs) / sizeof(defs[0]);
    return defs;
}

bool pst_setting_is_list(const struct pst_setting_def *def)
{
    return def->type == PST_SETTING_STRINGS || def->type == PST_SETTING_ADDRESSES ||
           def->type == PST_SETTING_NETWORKS;
}

const char *pst_setting_type_text(const struct pst_setting_def *def)
{
    static const char *const texts[] = {
        [PST_SETTING_STRING] = "text",
        [PST_SETTING_PATH] = "path",
        [PST_SETTING_URL] = "URL",
        [PST_SETTING_INT] = "number",
        [PST_SETTING_BYTES] = "size (B, KiB, MiB, GiB)",
        [PST_SETTING_DURATION] = "duration (ms, s, m, h, d)",
        [PST_SETTING_ENUM] = "one of",
        [PST_SETTING_STRINGS] = "list",
        [PST_SETTING_ADDRESSES] = "list of address:port",
        [PST_SETTING_NETWORKS] = "list of networks",
    };
    return texts[def->type];
}

const char *pst_setting_type_name(const struct pst_setting_def *def)
{
    static const char *const names[] = {
        [PST_SETTING_STRING] = "string",     [PST_SETTING_PATH] = "path",
        [PST_SETTING_URL] = "url",           [PST_SETTING_INT] = "int",
        [PST_SETTING_BYTES] = "bytes",       [PST_SETTING_DURATION] = "duration",
        [PST_SETTING_ENUM] = "enum",         [PST_SETTING_STRINGS] = "string",
        [PST_SETTING_ADDRESSES] = "address", [PST_SETTING_NETWORKS] = "network",
    };
    return names[def->type];
}

/* A bound as people write it: 10s, 32KiB. */
static void format_bound(const struct pst_setting_def *def, uint64_t value, char *text, size_t size)
{
    static const struct {
        uint64_t factor;
        const char *name;
    } units[] = {{D, "d"},     {H, "h"},           {M, "m"},     {S, "s"}, {1, "ms"},
                 {GIB, "GiB"}, {KIB * KIB, "MiB"}, {KIB, "KiB"}, {1, "B"}};
    size_t i = def->type == PST_SETTING_BYTES ? 5 : 0;
    if (def->type == PST_SETTING_INT || value == 0) {
        snprintf(text, size, "%llu", (unsigned long long)value);
        return;
    }
    while (value % units[i].factor != 0)
        i++; /* ends at ms or B */
    snprintf(text, size, "%llu%s", (unsigned long long)(value / units[i].factor), units[i].name);
}

void pst_setting_allowed(const struct pst_setting_def *def, char *text, size_t size)
{
    char min[32], max[32];
    size_t len = 0;
    pst_str_clip(pst_str_of(pst_setting_type_text(def)), text, size);
    switch (def->type) {
    case PST_SETTING_ENUM:
        for (size_t i = 0; def->choices[i] != NULL; i++) {
            len = strlen(text);
            snprintf(text + len, size - len, "%s%s", i > 0 ? ", " : " ", def->choices[i]);
        }
        break;
    case PST_SETTING_INT:
    case PST_SETTING_BYTES:
    case PST_SETTING_DURATION:
        format_bound(def, def->min, min, sizeof(min));
        format_bound(def, def->max, max, sizeof(max));
        len = strlen(text);
        snprintf(text + len, size - len, " from %s to %s", min, max);
        break;
    default:
        break;
    }
}

const char *pst_setting_source_text(enum pst_setting_source source)
{
    static const char *const texts[] = {"default", "file", "environment", "flag"};
    return texts[source];
}
