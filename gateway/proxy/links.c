/* SPDX-License-Identifier: Apache-2.0 */
/* Links to the next page in the container's JSON: rewritten like Location, on the paths that have them, while
 * the body streams by. Its length is not known then, so such an answer is chunked. */
#include "internal.h"
#include "postern/http/next_link.h"

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

bool links_expected(const struct exchange *x, const struct pst_answer *answer)
{
    return answer->status == 200 && (x->is_head || pst_str_eq(x->method, PST_STR("GET"))) &&
           pst_next_link_is_route(x->target.path) && is_json(answer);
}

bool links_look(struct exchange *x, const struct pst_answer *answer)
{
    if (x->is_head || !links_expected(x, answer))
        return false;
    x->links = pst_arena_alloc(&x->arena, sizeof(*x->links));
    if (x->links == NULL)
        return false;
    pst_next_link_init(&x->links->scan, rewrite, x);
    pst_buf_reset(&x->around);
    return true;
}

int links_feed(struct exchange *x, struct pst_str piece)
{
    pst_buf_reset(&x->around);
    if (piece.len > 0)
        pst_next_link_feed(&x->links->scan, piece, &x->around);
    else
        pst_next_link_end(&x->links->scan, &x->around);
    return pst_buf_failed(&x->around) ? -PST_ENOMEM : 0;
}
