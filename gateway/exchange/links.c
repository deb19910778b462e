/* SPDX-License-Identifier: Apache-2.0 */
/* Links to the next page in the container's JSON: rewritten like Location, on the paths that have them, while
 * the body streams by. Its length is not known then, so such a response goes out in chunks. */
#include "links.h"

#include "postern/http/next_link.h"
#include "rewrite.h"

#include <jansson.h>

struct links {
    struct pst_next_link scan;
};

/* In JSON, in quotes. */
static bool rewrite(void *arg, struct pst_str quoted, struct pst_buf *out)
{
    struct exchange *x = arg;
    json_t *text = json_loadb(quoted.p, quoted.len, JSON_DECODE_ANY, NULL);
    if (text == NULL)
        return false;
    struct pst_str url = {json_string_value(text), json_string_length(text)};
    struct pst_str value = rewrite_url(x, url);
    bool changed = value.p != url.p;
    if (changed) {
        pst_buf_add(out, "\"", 1);
        pst_buf_add_json(out, value);
        pst_buf_add(out, "\"", 1);
    }
    json_decref(text);
    return changed;
}

static bool is_json(const struct pst_answer *answer)
{
    const struct pst_field *type = pst_fields_find(&answer->fields, PST_STR("Content-Type"));
    return type != NULL && pst_str_istarts(type->value, PST_STR("application/json")) &&
           pst_fields_find(&answer->fields, PST_STR("Content-Encoding")) == NULL;
}

/* Whether the response's body may have such links; of a HEAD: whether a GET's would. */
static bool is_expected(const struct exchange *x, const struct pst_answer *answer)
{
    return answer->status == 200 && (x->request.is_head || pst_str_eq(x->request.method, PST_STR("GET"))) &&
           pst_next_link_is_route(x->request.target.path) && is_json(answer);
}

static void drop_length(struct pst_fields *fields)
{
    size_t kept = 0;
    for (size_t i = 0; i < fields->n; i++) {
        if (!pst_str_ieq(fields->at[i].name, PST_STR("Content-Length")))
            fields->at[kept++] = fields->at[i];
    }
    fields->n = kept;
}

/* The body's length is not known then, and a HEAD never names another than a GET (RFC 9110 section 8.6). */
static void response_head(struct exchange *x, const struct pst_answer *theirs, struct pst_response *response)
{
    if (theirs == NULL || !is_expected(x, theirs))
        return;
    if (response->body != PST_RESPONSE_NO_BODY) {
        x->response.links = pst_arena_alloc(&x->arena, sizeof(*x->response.links));
        if (x->response.links == NULL)
            return;
        pst_next_link_init(&x->response.links->scan, rewrite, x);
        x->response.filter = &links_filter;
        response->body = PST_RESPONSE_OPEN;
    }
    drop_length(&response->fields);
}

static int response_body(struct exchange *x, struct pst_str piece, struct pst_buf *out)
{
    if (piece.len > 0)
        pst_next_link_feed(&x->response.links->scan, piece, out);
    else
        pst_next_link_end(&x->response.links->scan, out);
    return pst_buf_failed(out) ? -PST_ENOMEM : 0;
}

const struct filter links_filter = {
    .name = "links", .response_head = response_head, .response_body = response_body};
