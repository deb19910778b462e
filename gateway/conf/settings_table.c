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
     .help = "Addresses to serve HTTPS on. The default IPv6 address is skipped on a machine without IPv6."},
    {URL(upstream), .required = true, .default_text = "http://127.0.0.1:5000",
     .help =
         "The container: http://host:port or unix:/path/of/socket. The connection stays inside the pod and "
         "does not use TLS. A base path is not supported: paths are forwarded as the client sent them."},
    {LIST(STRINGS, admin_listen), .required = true, .default_text = "127.0.0.1:8444",
     .help = "Where to serve the admin page and API: address:port (HTTPS, for anyone with an admin token), "
             "unix:/path/of/socket (plain HTTP, mode 0600, for root and the gateway's own user), or off."},
    {LIST(STRINGS, admin_hosts), .default_text = "",
     .help = "Host names of the admin page and API, in addition to localhost and IP addresses. Requests for "
             "any other name are rejected, so that no web page can reach it under a name of its own."},
    {PATH(admin_tls_certificate), .file = PST_SETTING_FILE, .default_text = "",
     .help = "PEM certificate chain of the admin page and API. Empty: use the gateway's own certificate."},
    {PATH(admin_tls_key), .file = PST_SETTING_SECRET, .default_text = "",
     .help = "PEM private key of admin_tls_certificate."},
    {PATH(admin_client_ca), .file = PST_SETTING_FILE, .default_text = "",
     .help = "PEM bundle of CAs. Their client certificates give access to the admin page and API as "
             "admin_client_certificates says. Clients are then asked for a certificate, but need not have "
             "one. Read again when it changes. Empty: none."},
    {PATH(admin_client_crl), .file = PST_SETTING_FILE, .default_text = "",
     .help = "PEM file with certificate revocation lists (CRLs) of those CAs. Read again when it changes, "
             "and applied to open connections, too. When a CRL has expired, its CA's certificates are "
             "rejected. Empty: none."},
    {LIST(STRINGS, admin_client_certificates), .default_text = "",
     .help = "What a certificate of admin_client_ca may do: admin or viewer, followed by dns=, uri=, cn=, "
             "subject=, sha256=, key-sha256=, or * for any certificate of these CAs. The first matching rule "
             "decides; a certificate that matches none is rejected (docs/admin.md)."},
    {PATH(data_dir), .required = true, .default_text = "/var/lib/postern",
     .help = "Directory, usually a volume, for keys, usage, journals and the self-signed certificate. When "
             "it does not belong to the gateway's user, a private subdirectory holds them (docs/files.md)."},
    {INT(workers), .min = 0, .max = 256, .default_text = "0",
     .help = "Worker threads. 0: as many as the CPUs this process may use (affinity and cgroup quota)."},
    {DURATION(shutdown_timeout), .min = 0, .max = H, .default_text = "30s",
     .help = "After SIGTERM, how long requests in progress may take to complete."},
    {LIST(ADDRESSES, egress_listen), .group = "Outbound traffic (egress)", .default_text = "",
     .help =
         "Addresses of the CONNECT proxy, to be the container's HTTPS_PROXY (127.0.0.1:3128). Empty: none."},
    {LIST(STRINGS, egress_allow), .default_text = "*.cognitive.microsoft.com, *.cognitiveservices.azure.com",
     .help = "Hosts the container may reach: a name, or *.domain for all names below a domain, but not the "
             "domain itself."},
    {PATH(egress_allow_file), .file = PST_SETTING_FILE, .default_text = "",
     .help = "File with more allowed hosts, one per line; # begins a comment. Read again when it changes; "
             "open tunnels are kept."},
    {LIST(NETWORKS, egress_allow_networks), .default_text = "",
     .help = "Networks in which an allowed host may have its address although they are not public. All other "
             "private, loopback, link-local, multicast and reserved addresses are rejected."},
    {LIST(STRINGS, egress_ports), .required = true, .default_text = "443",
     .help = "Ports the container may reach."},
    {LIST(STRINGS, egress_resolve), .default_text = "",
     .help = "Fixed addresses of hosts, instead of resolving their names: host:port:address."},
    {CHOICE(egress_mode, egress_modes), .default_text = "enforce",
     .help = "enforce: reject what is not allowed. observe: let it pass, and log what would be rejected."},
    {CHOICE(egress_sni, egress_snis), .default_text = "warn",
     .help = "What to do when the server name (SNI) inside a tunnel differs from the requested host: refuse "
             "closes the tunnel, warn logs it, off does not look. The bytes are forwarded unchanged."},
    {TEXT(egress_parent), .default_text = "",
     .help = "Upstream proxy for egress: http://host:port. It resolves the names itself."},
    {PATH(egress_parent_credentials_file), .file = PST_SETTING_SECRET, .default_text = "",
     .help = "File with user:password for egress_parent."},
    {PATH(egress_credentials_file), .file = PST_SETTING_SECRET, .default_text = "",
     .help = "File with the user:password that the container must present (HTTP_PROXY_CREDS). Empty: none "
             "required."},
    {DURATION(egress_connect_timeout), .min = 100, .max = 10 * M, .default_text = "10s",
     .help = "Time limit from accepting the container's connection to an open tunnel."},
    {DURATION(egress_idle_timeout), .min = S, .max = D, .default_text = "10m",
     .help = "Close a tunnel that has carried no byte for this long."},
    {DURATION(egress_max_duration), .min = S, .max = 365 * D, .default_text = "1d",
     .help = "Close a tunnel after this time."},
    {INT(egress_max_tunnels), .min = 1, .max = 100000, .default_text = "256",
     .help = "Maximum number of open tunnels; each has its own thread. Further ones get 503."},
    {DURATION(egress_metering_silence), .min = 0, .max = 30 * D, .default_text = "30m",
     .help = "Warn when the container has not reached a billing host for this long. It reports every 10 to "
             "15 minutes, and stops serving after ten failures. 0: never."},
    {PATH(tls_certificate), .file = PST_SETTING_FILE, .group = "TLS", .default_text = "",
     .help = "PEM file with the server certificate and its intermediates, in any order. Without it and "
             "without tls_certificate_dir, a self-signed certificate is created in data_dir."},
    {PATH(tls_key), .file = PST_SETTING_SECRET, .default_text = "",
     .help = "PEM file with the private key of tls_certificate, EC or RSA."},
    {PATH(tls_certificate_dir), .file = PST_SETTING_KEYS_DIRECTORY, .default_text = "",
     .help = "Directory with more certificates, selected by the name the client asks for (SNI): NAME.crt "
             "with NAME.key, or SUBDIR/tls.crt with SUBDIR/tls.key."},
    {CHOICE(tls_profile, profiles), .default_text = "intermediate",
     .help = "intermediate: TLS 1.2 and 1.3. modern: TLS 1.3 only. Both use only AEAD ciphers with forward "
             "secrecy."},
    {DURATION(tls_ticket_rotation), .min = M, .max = 6 * D, .default_text = "12h",
     .help = "How often the key for session tickets is replaced. A client can resume a session for one to "
             "two such periods, and for at most 7 days."},
    {DURATION(tls_handshake_timeout), .min = 100, .max = 10 * M, .default_text = "10s",
     .help = "Abort a TLS handshake that takes longer. While more than half of tls_max_handshakes are in "
             "progress, new ones get an eighth of this time."},
    {INT(tls_max_handshakes), .min = 1, .max = 65536, .default_text = "256",
     .help = "Maximum number of handshakes in progress per worker; further connections wait in the listen "
             "queue."},
    {PATH(ca_file), .file = PST_SETTING_FILE, .default_text = "",
     .help = "PEM file with root certificates to trust in addition to the system's, when Postern itself "
             "makes HTTPS requests (postern doctor, keys of an identity provider). It has no effect on "
             "client certificates."},
    {CHOICE(client_certificate, certificate_modes), .group = "Client certificates", .default_text = "off",
     .help = "optional: clients are asked for a certificate, but need not have one. required: a handshake "
             "without a valid certificate fails. With either, TLS sessions are not resumed: each connection "
             "presents its certificate."},
    {LIST(STRINGS, client_certificate_listeners), .default_text = "",
     .help = "Addresses of listen for which client_certificate differs: 0.0.0.0:9443 required."},
    {PATH(client_ca), .file = PST_SETTING_FILE, .default_text = "",
     .help = "PEM bundle of the CAs whose client certificates are trusted. Read again when it changes."},
    {PATH(client_crl), .file = PST_SETTING_FILE, .default_text = "",
     .help = "PEM file with certificate revocation lists (CRLs) of those CAs; certificates of a CA without a "
             "CRL are not checked for revocation. Read again when it changes, and applied to open "
             "connections, too. Empty: none."},
    {CHOICE(client_crl_expired, crl_expired), .default_text = "refuse",
     .help = "Whether a CA's certificates are still accepted when its CRL in client_crl has expired."},
    {INT(client_certificate_depth), .min = 1, .max = 8, .default_text = "3",
     .help = "Maximum number of certificates above a client's in its chain, including the CA's own."},
    {LIST(STRINGS, client_certificate_keys), .default_text = "",
     .help = "Which key a certificate stands for: the key's id, followed by dns=, uri=, cn=, subject=, "
             "sha256=, key-sha256=, or * for any certificate of these CAs. The first matching rule decides; "
             "a certificate that matches none is not approved (docs/client-certificates.md)."},
    {CHOICE(client_certificate_forward, switches), .default_text = "off",
     .help = "Send the client's certificate to the container in X-Forwarded-Client-Cert, in Envoy's format."},
    {CHOICE(credentials, credentials_kinds), .group = "Keys", .default_text = "any",
     .help = "What a request must present: any (a key, a token or an approved client certificate), key, "
             "certificate, or both, for the same key."},
    {CHOICE(key_authentication, switches), .default_text = "on",
     .help = "off: keys are rejected (403), also for obtaining access tokens from Postern. Tokens of "
             "oidc_issuers and client certificates are still accepted."},
    {LIST(STRINGS, key_sources), .default_text = "Ocp-Apim-Subscription-Key, api-key, Authorization: Bearer",
     .help = "Where a request may carry its key: header names, or \"Authorization: Scheme\". All are "
             "checked; two different keys in one request are rejected."},
    {TEXT(key_query_parameter), .default_text = "",
     .help = "A query parameter that may also carry the key. Empty: none, because URLs end up in logs."},
    {TEXT(region), .default_text = "",
     .help =
         "The cloud region this gateway stands for (westeurope). Access tokens name it, and a request whose "
         "Ocp-Apim-Subscription-Region names another region is rejected. Empty: any region is accepted."},
    {DURATION(token_lifetime), .min = 2 * S, .max = H, .default_text = "10m",
     .help =
         "How long an access token from /sts/v1.0/issueToken is valid, unless the secret it was issued for "
         "ends earlier. The cloud's are valid for ten minutes, and clients reuse them for eight or nine."},
    {DURATION(token_key_period), .min = 2 * S, .max = 365 * D, .default_text = "1d",
     .help = "How often the key that signs access tokens is replaced. Tokens signed with the previous key "
             "are accepted for one more period. At least token_lifetime."},
    {LIST(STRINGS, oidc_issuers), .default_text = "",
     .help = "Trusted issuers of access tokens: the issuer (iss), followed by jwks=URL or jwks=/path "
             "(default: as the issuer's OpenID configuration says), audience=, algorithm=, leeway=, "
             "refresh=, ca_file= (docs/oidc.md)."},
    {LIST(STRINGS, oidc_keys), .default_text = "",
     .help = "Which key a token stands for: the key's id, followed by claim=value for each claim the token "
             "must have, or * for all tokens of the issuer; and issuer= when there are several issuers. The "
             "first matching rule decides."},
    {TEXT(oidc_proxy), .secret = true, .default_text = "",
     .help =
         "Proxy for fetching the issuers' keys: http://[user:password@]host:port. Empty: connect directly."},
    {LIST(STRINGS, open_paths), .item_start = "/", .default_text = "/status, /ready",
     .help = "Paths of the container that need no key, compared byte for byte; a trailing /* includes "
             "everything below: /swagger, /swagger/*."},
    {LIST(STRINGS, routes), .item_start = "/", .default_text = "",
     .help =
         "Options for a path and everything below it: the path, followed by credentials=, "
         "client_certificate= (off, optional, or required: 403 without a valid one) or websocket_refusal=. "
         "The first matching route decides: /speech credentials=both (docs/authentication.md)."},
    {CHOICE(error_shape, error_shapes), .default_text = "object",
     .help = "Format of Postern's own errors: object {\"error\": {\"code\", \"message\"}}, or flat "
             "{\"statusCode\", \"message\"}, as some of the cloud's services use."},
    {CHOICE(host_header, host_headers), .group = "Forwarding", .default_text = "upstream",
     .help = "Host header sent to the container: the container's own address, or the one the client sent."},
    {TEXT(public_url), .default_text = "",
     .help = "URL at which clients reach the gateway: https://host[:port][/prefix]. Operation-Location, "
             "Location, Content-Location and azure-asyncoperation are rewritten to it when they name the "
             "container's own address. Empty: use the client's Host, or X-Forwarded-Host, -Proto and -Prefix "
             "from a trusted proxy."},
    {LIST(STRINGS, upstream_names), .default_text = "",
     .help = "Names (host or host:port) that the container uses for itself in such URLs, its pod's name for "
             "example. The address of upstream, and localhost with its port, are always included."},
    {CHOICE(job_ownership, switches), .default_text = "on",
     .help = "Whether a job (202 with Operation-Location) belongs to the key that created it; other keys get "
             "404."},
    {DURATION(job_lifetime), .min = S, .max = 30 * D, .default_text = "48h",
     .help = "How long a job's owner is remembered. The containers keep results for 24 hours."},
    {INT(job_table_size), .min = 64, .max = 1u << 24, .default_text = "65536",
     .help = "Maximum number of jobs whose owner is remembered, 48 bytes each in data_dir. Beyond it the "
             "oldest are forgotten, and any key may read them."},
    {LIST(STRINGS, cors_allow_origins), .group = "Browsers", .default_text = "",
     .help =
         "Origins whose pages may call the gateway from a browser: https://app.example, "
         "https://*.app.example, or * for all. The gateway then answers preflights itself, without a key, "
         "and drops the container's own Access-Control headers. Empty: CORS is left to the container."},
    {LIST(STRINGS, cors_allow_methods), .default_text = "GET, HEAD, POST, PUT, PATCH, DELETE",
     .help = "Methods these pages may use."},
    {LIST(STRINGS, cors_allow_headers), .default_text = "",
     .help = "Request headers these pages may send. Empty: all."},
    {LIST(STRINGS, cors_expose_headers),
     .default_text = "Operation-Location, Location, Retry-After, apim-request-id, X-Request-Id, "
                     "x-envoy-upstream-service-time, csp-billing-usage, x-metered-usage",
     .help = "Response headers these pages may read."},
    {DURATION(cors_max_age), .min = 0, .max = D, .default_text = "1h",
     .help = "How long a browser may cache a preflight response."},
    {CHOICE(cors_allow_credentials, switches), .default_text = "off",
     .help = "Whether these pages may send cookies and client certificates with their requests."},
    {LIST(NETWORKS, trusted_proxies), .default_text = "",
     .help =
         "Networks of proxies in front of Postern whose X-Forwarded-* and Forwarded headers are trusted."},
    {INT(upstream_max_connections), .min = 1, .max = 65536, .default_text = "256",
     .help = "Maximum number of connections to the container per worker, busy and idle."},
    {INT(upstream_max_waiting), .min = 0, .max = 1000000, .default_text = "1024",
     .help = "Maximum number of requests per worker that wait for a connection to the container; further "
             "ones get 503."},
    {INT(upstream_key_share), .min = 1, .max = 100, .default_text = "75",
     .help = "Maximum share of the connections to the container that one key may hold, in percent of those "
             "not held by others; the same applies to places in the queue and to max_websockets. Another key "
             "can therefore always get one. Rounded up; per worker (docs/http.md). 100: no limit."},
    {INT(upstream_keyless_share), .min = 1, .max = 100, .default_text = "25",
     .help = "The same for all requests without a key together (open_paths, and preflights left to the "
             "container)."},
    {DURATION(upstream_wait_timeout), .min = 1, .max = H, .default_text = "10s",
     .help = "How long a request may wait for a connection to the container; then 503."},
    {DURATION(upstream_connect_timeout), .min = 1, .max = 10 * M, .default_text = "5s",
     .help = "Time limit for connecting to the container; then 504."},
    {DURATION(upstream_idle_timeout), .min = 100, .max = D, .default_text = "60s",
     .help = "Close a connection to the container that has been idle for this long; keep it below the "
             "container's own limit."},
    {DURATION(upstream_first_byte_timeout), .min = 10, .max = D, .default_text = "600s",
     .help = "Time limit for the container from the end of a request to the head of its response; then 504."},
    {DURATION(upstream_read_timeout), .min = 10, .max = D, .default_text = "60s",
     .help = "Longest pause between two pieces of a response; then the connection is aborted."},
    {DURATION(client_head_timeout), .group = "Clients", .min = 10, .max = H, .default_text = "10s",
     .help = "Time limit for the client from the first byte of a request to the end of its head; then 408."},
    {DURATION(client_idle_timeout), .min = 100, .max = D, .default_text = "75s",
     .help = "Close a client connection without a request after this time."},
    {DURATION(client_send_timeout), .min = 10, .max = D, .default_text = "60s",
     .help = "Disconnect a client that has not read any of its response for this long."},
    {BYTES(client_min_rate), .min = 0, .max = GIB, .default_text = "1KiB",
     .help = "Minimum rate of a request body in bytes per second; below it 408. Time in which the container "
             "accepts nothing does not count. 0: no limit."},
    {DURATION(client_min_rate_grace), .min = 10, .max = H, .default_text = "10s",
     .help = "How long after the start of a body its rate is first checked."},
    {BYTES(max_head_size), .group = "Limits", .min = 2 * KIB, .max = 1024 * KIB, .default_text = "32KiB",
     .help = "Maximum size of a request line and its headers together; beyond it 431. A connection may hold "
             "this much in memory."},
    {INT(max_headers), .min = 8, .max = 1000, .default_text = "100",
     .help = "Maximum number of headers in a request; beyond it 431."},
    {BYTES(max_target_size), .min = 256, .max = 512 * KIB, .default_text = "8KiB",
     .help = "Maximum length of a request's path and query; beyond it 414."},
    {BYTES(max_body_size), .min = 0, .max = PIB, .default_text = "1GiB",
     .help = "Maximum size of a request body; beyond it 413. 0: no limit."},
    {BYTES(keyless_max_body_size), .min = 0, .max = 256 * KIB, .default_text = "16KiB",
     .help = "Maximum body size of a request without a key (open_paths); beyond it 413. The body is held in "
             "memory and forwarded when it is complete. 0: it is streamed, with the limits for requests with "
             "a key."},
    {DURATION(keyless_body_timeout), .min = 10, .max = H, .default_text = "10s",
     .help = "Time limit for such a body, from the end of the head; then 408."},
    {INT(max_connections), .min = 1, .max = 1000000, .default_text = "4096",
     .help = "Maximum number of client connections per worker. When all are in use, a new one replaces the "
             "one that has been open longest, for at least a second, without an accepted key. When there is "
             "none, a few more are accepted and answered with 503; the rest wait in the listen queue."},
    {INT(max_websockets), .group = "WebSocket", .min = 0, .max = 1000000, .default_text = "2048",
     .help = "Maximum number of WebSocket streams per worker; further ones get 503. Each counts towards "
             "max_connections, and has a connection to the container that does not count towards "
             "upstream_max_connections. 0: none."},
    {CHOICE(websocket_refusal, refusals), .default_text = "auto",
     .help = "How a WebSocket upgrade is rejected. http: with an HTTP status. close: accepted and closed "
             "with 4000, for clients that cannot see the status. auto: close on the paths of the Speech "
             "services, http elsewhere."},
    {DURATION(websocket_idle_timeout), .min = 100, .max = 30 * D, .default_text = "10m",
     .help =
         "Close a stream (1000) when no byte, pings included, has passed in either direction for this long."},
    {DURATION(websocket_max_duration), .min = 0, .max = 365 * D, .default_text = "24h",
     .help = "Close a stream (1000) that lasts longer. 0: no limit."},
    {DURATION(websocket_usage_interval), .min = 100, .max = D, .default_text = "60s",
     .help = "How often a stream's usage is recorded while it is open; also at its end."},
    {INT(usage_journal_records), .group = "Usage", .min = 64, .max = 4194304, .default_text = "32768",
     .help = "Maximum number of finished requests per worker that wait to be written to usage.db (384 bytes "
             "each)."},
    {DURATION(usage_retention), .min = 0, .max = 36500 * D, .default_text = "7d",
     .help = "How long single requests are kept. 0: forever."},
    {INT(usage_rows_without_key), .min = 0, .max = 10000000, .default_text = "2000",
     .help = "How many single requests without a valid key are kept, the newest ones: anyone can send them. "
             "Usage totals include all of them."},
    {DURATION(usage_hourly_retention), .min = 0, .max = 36500 * D, .default_text = "90d",
     .help = "How long hourly totals are kept. 0: forever."},
    {DURATION(usage_daily_retention), .min = 0, .max = 36500 * D, .default_text = "730d",
     .help = "How long daily totals are kept. 0: forever."},
    {CHOICE(access_log, access_logs), .group = "Logs", .default_text = "json",
     .help = "Format of the access log on standard output, one line per request. It never contains a key or "
             "a query string."},
    {CHOICE(log_format, log_formats), .default_text = "text",
     .help = "Format of messages on standard error."},
    {CHOICE(log_level, log_levels), .default_text = "info", .help = "The least severe messages to log."},
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
