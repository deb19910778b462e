/* SPDX-License-Identifier: Apache-2.0 */
/* Single requests: /admin/v1/requests. */
#include "internal.h"
#include "postern/base/num.h"
#include "postern/usage/record.h"

#include <arpa/inet.h>
#include <stdio.h>

static json_t *address(const struct pst_usage_row *row)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (row->client_len == 4 || row->client_len == 16)
        inet_ntop(row->client_len == 4 ? AF_INET : AF_INET6, row->client, text, sizeof(text));
    return json_string(text);
}

static json_t *request_id(const struct pst_usage_row *row)
{
    char hex[33] = "";
    if (row->request_id_is_text)
        return admin_text((struct pst_str){row->request_id, row->request_id_len});
    if (row->request_id_len == 16)
        pst_hex_encode(row->request_id, 16, hex);
    return json_string(hex);
}

static int add_request(const struct pst_usage_request *request, void *arg)
{
    const struct pst_usage_row *row = &request->row;
    json_t *item = json_pack(
        "{s:o, s:o, s:o, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:s, s:o, s:o, s:o, s:I}", "time",
        admin_time(row->time_us),                                                            //
        "request_id", request_id(row), "key", admin_text(request->key),                      //
        "secret", admin_secret_name((uint32_t)(row->what >> 16 & 3)),                        //
        "method", pst_usage_method_text((unsigned)(row->what >> 10 & 15)),                   //
        "route", admin_text(request->route), "status", (json_int_t)(row->what & 1023),       //
        "bytes_in", (json_int_t)row->bytes_in, "bytes_out", (json_int_t)row->bytes_out,      //
        "duration_us", (json_int_t)row->duration_us, "ttfb_us", (json_int_t)row->ttfb_us,    //
        "client", address(row), "end", pst_usage_end_text((unsigned)(row->what >> 18 & 15)), //
        "error", admin_text(request->error), "rule", admin_text(request->rule),              //
        "endpoint", admin_text(request->endpoint), "attempts", (json_int_t)(row->what >> 48 & 255));
    return item != NULL && json_array_append_new(arg, item) == 0 ? 0 : -PST_ENOMEM;
}

void admin_requests_list(struct admin_request *r)
{
    struct pst_usage_request_query query = {.key = pst_str_of(admin_query(r, "key")),
                                            .route = pst_str_of(admin_query(r, "route")),
                                            .error = pst_str_of(admin_query(r, "error")),
                                            .limit = 50};
    uint64_t status = 0, next = 0;
    if (!admin_query_time(r, "from", &query.from_us) || !admin_query_time(r, "to", &query.to_us) ||
        !admin_query_number(r, "status", 100, 599, &status) ||
        !admin_query_number(r, "limit", 1, 500, &query.limit) ||
        !admin_query_number(r, "cursor", 1, INT64_MAX, &query.before))
        return;
    query.status = (uint32_t)status;
    json_t *items = json_array();
    int err = pst_usage_store_requests(r->usage, &query, add_request, items, &next);
    if (err < 0) {
        json_decref(items);
        admin_fail_err(r, err, NULL, pst_usage_store_why(r->usage));
        return;
    }
    char cursor[PST_U64_TEXT_MAX + 1];
    snprintf(cursor, sizeof(cursor), "%llu", (unsigned long long)next);
    r->status = 200;
    r->output = json_pack("{s:o, s:s?}", "items", items, "next_cursor", next > 0 ? cursor : NULL);
}
