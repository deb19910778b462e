/* SPDX-License-Identifier: Apache-2.0 */
#include "routes.h"

#include "postern/base/clock.h"
#include "postern/base/num.h"

#include <stdio.h>

#define SERVICE "postern-demo"

typedef void handler(struct demo_conn *conn, const struct demo_request *request);

static void on_home(struct demo_conn *conn, const struct demo_request *request)
{
    (void)request;
    demo_conn_reply(conn, 200, "text/plain; charset=utf-8",
                    PST_STR("Postern's sample container.\n\n"
                            "GET  /status   is the container's own key valid\n"
                            "GET  /ready    can it take a query\n"
                            "POST /text/analytics/v3.1/languages   which language is it\n"
                            "POST /text/analytics/v3.1/sentiment   which mood is it in\n"
                            "POST /echo     the body back\n"
                            "GET  /stream?chunks=10&delay_ms=300   server-sent events, slowly\n"));
}

static void on_status(struct demo_conn *conn, const struct demo_request *request)
{
    (void)request;
    demo_conn_reply(conn, 200, "application/json; charset=utf-8",
                    PST_STR("{\"service\":\"" SERVICE "\",\"apiStatus\":\"Valid\","
                            "\"apiStatusMessage\":\"Api Key is valid, no action needed.\"}"));
}

static void on_ready(struct demo_conn *conn, const struct demo_request *request)
{
    (void)request;
    demo_conn_reply(conn, 200, "application/json; charset=utf-8",
                    PST_STR("{\"service\":\"" SERVICE "\",\"ready\":\"ready\"}"));
}

void demo_on_echo(struct demo_conn *conn, const struct demo_request *request)
{
    struct pst_str type = request->content_type;
    struct pst_str piece;
    /* The first piece comes before the answer's head: a client may wait for 100 (Continue). */
    int n = demo_conn_read_body(conn, &piece);
    if (n < 0 || demo_conn_begin(conn, 200, type.len ? type : PST_STR("application/octet-stream")) < 0)
        return;
    while (n > 0) {
        if (demo_conn_piece(conn, piece) < 0)
            return;
        n = demo_conn_read_body(conn, &piece);
    }
    /* After a body that broke off the answer breaks off too: it must not look whole. */
    if (n == 0)
        (void)!demo_conn_end(conn);
}

/* A number of the query: 0, or -PST_EINVAL when it is there and not within [0, max]. */
static int query_number(struct pst_str query, struct pst_str name, uint64_t max, uint64_t *value)
{
    while (query.len) {
        struct pst_str text;
        struct pst_str key = pst_str_cut(pst_str_cut(query, '&', &query), '=', &text);
        if (!pst_str_eq(key, name))
            continue;
        uint64_t number;
        if (pst_num_u64(text, &number) < 0 || number > max)
            return -PST_EINVAL;
        *value = number;
    }
    return 0;
}

void demo_on_stream(struct demo_conn *conn, const struct demo_request *request)
{
    uint64_t chunks = 10;
    uint64_t delay_ms = 300;
    if (query_number(request->query, PST_STR("chunks"), 1000, &chunks) < 0 ||
        query_number(request->query, PST_STR("delay_ms"), 10000, &delay_ms) < 0) {
        demo_conn_error(conn, 400, "InvalidArgument", "chunks is at most 1000, delay_ms at most 10000.");
        return;
    }
    if (demo_conn_begin(conn, 200, PST_STR("text/event-stream")) < 0)
        return;
    for (uint64_t i = 1; i <= chunks; i++) {
        char now[PST_TIME_TEXT_SIZE];
        char event[160];
        pst_time_format(pst_clock_real_us(), now);
        int len =
            snprintf(event, sizeof event, "id: %llu\ndata: {\"chunk\":%llu,\"of\":%llu,\"time\":\"%s\"}\n\n",
                     (unsigned long long)i, (unsigned long long)i, (unsigned long long)chunks, now);
        if (demo_conn_piece(conn, (struct pst_str){event, (size_t)len}) < 0)
            return;
        if (i < chunks && demo_conn_sleep(conn, (unsigned)delay_ms) < 0)
            return;
    }
    (void)!demo_conn_end(conn);
}

static const struct {
    const char *path;
    const char *method;
    handler *handle;
} routes[] = {
    {"/", "GET", on_home},
    {"/status", "GET", on_status},
    {"/ready", "GET", on_ready},
    {"/text/analytics/v3.1/languages", "POST", demo_on_languages},
    {"/text/analytics/v3.1/sentiment", "POST", demo_on_sentiment},
    {"/echo", "POST", demo_on_echo},
    {"/echo", "PUT", demo_on_echo},
    {"/stream", "GET", demo_on_stream},
};

/* HEAD asks what GET would; the connection leaves the body out. */
static bool method_fits(struct pst_str method, const char *wanted)
{
    struct pst_str name = pst_str_of(wanted);
    return pst_str_eq(method, name) ||
           (pst_str_eq(method, PST_STR("HEAD")) && pst_str_eq(name, PST_STR("GET")));
}

void demo_route(struct demo_conn *conn, const struct demo_request *request)
{
    const char *allow = NULL;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!pst_str_eq(request->path, pst_str_of(routes[i].path)))
            continue;
        allow = strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD"
                : routes[i].handle == demo_on_echo   ? "POST, PUT"
                                                     : "POST";
        if (method_fits(request->method, routes[i].method)) {
            routes[i].handle(conn, request);
            return;
        }
    }
    if (allow)
        demo_conn_not_allowed(conn, allow);
    else
        demo_conn_error(conn, 404, "404", "Resource not found");
}
