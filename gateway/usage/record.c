/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/usage/record.h"

#include <string.h>

void pst_usage_set_key_id(struct pst_usage_record *record, struct pst_str id)
{
    pst_str_clip(id, record->key_id, sizeof(record->key_id));
}

void pst_usage_set_request_id(struct pst_usage_record *record, struct pst_str id)
{
    size_t len = id.len < sizeof(record->request_id) ? id.len : sizeof(record->request_id);
    if (len > 0)
        memcpy(record->request_id, id.p, len);
    record->request_id_len = (uint8_t)len;
}

void pst_usage_set_path(struct pst_usage_record *record, struct pst_str path)
{
    struct pst_str query;
    path = pst_str_cut(path, '?', &query);
    size_t len = path.len < sizeof(record->path) ? path.len : sizeof(record->path);
    if (len < path.len)
        record->flags |= PST_USAGE_PATH_CUT;
    if (len > 0)
        memcpy(record->path, path.p, len);
    record->path_len = (uint8_t)len;
}

void pst_usage_set_ipv4(struct pst_usage_record *record, const uint8_t address[static 4])
{
    memset(record->client, 0, 10);
    memset(record->client + 10, 0xff, 2);
    memcpy(record->client + 12, address, 4);
}

static const char *const methods[PST_USAGE_METHODS] = {
    [PST_USAGE_OTHER] = "OTHER",     [PST_USAGE_GET] = "GET",         [PST_USAGE_HEAD] = "HEAD",
    [PST_USAGE_POST] = "POST",       [PST_USAGE_PUT] = "PUT",         [PST_USAGE_PATCH] = "PATCH",
    [PST_USAGE_DELETE] = "DELETE",   [PST_USAGE_OPTIONS] = "OPTIONS", [PST_USAGE_TRACE] = "TRACE",
    [PST_USAGE_CONNECT] = "CONNECT",
};

enum pst_usage_method pst_usage_method_of(struct pst_str name)
{
    for (unsigned i = 1; i < PST_USAGE_METHODS; i++) {
        if (pst_str_eq(pst_str_of(methods[i]), name))
            return (enum pst_usage_method)i;
    }
    return PST_USAGE_OTHER;
}

const char *pst_usage_method_text(unsigned method)
{
    return methods[method < PST_USAGE_METHODS ? method : PST_USAGE_OTHER];
}

const char *pst_usage_end_text(unsigned end)
{
    static const char *const texts[PST_USAGE_ENDS] = {
        [PST_END_OK] = "ok",
        [PST_END_REFUSED] = "refused",
        [PST_END_BAD_REQUEST] = "bad_request",
        [PST_END_LIMIT] = "limit",
        [PST_END_CLIENT_LEFT] = "client_left",
        [PST_END_CLIENT_TIMEOUT] = "client_timeout",
        [PST_END_UPSTREAM_REFUSED] = "upstream_refused",
        [PST_END_UPSTREAM_TIMEOUT] = "upstream_timeout",
        [PST_END_UPSTREAM_BROKE] = "upstream_broke",
        [PST_END_SHUTDOWN] = "shutdown",
        [PST_END_INTERNAL] = "internal",
    };
    return end < PST_USAGE_ENDS ? texts[end] : "unknown";
}

const char *pst_usage_tls_text(unsigned tls)
{
    return tls == PST_USAGE_TLS_13 ? "TLSv1.3" : tls == PST_USAGE_TLS_12 ? "TLSv1.2" : "";
}

const char *pst_usage_http_text(unsigned http)
{
    return http == PST_USAGE_HTTP_11 ? "HTTP/1.1" : http == PST_USAGE_HTTP_10 ? "HTTP/1.0" : "";
}

const char *pst_usage_class_text(unsigned status_class)
{
    static const char *const texts[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    return texts[status_class < sizeof(texts) / sizeof(texts[0]) ? status_class : 0];
}
