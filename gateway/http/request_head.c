/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/request_head.h"

#include "postern/base/num.h"

#include "names.h"

/* Field names that Connection may name beside the hop-by-hop ones; more is no honest request. */
#define MAX_NAMED 32
/* Everything that is written around the client's own bytes: names of the added fields, quotes, a length in
 * digits. Each added value is counted by itself in size_bound(). */
#define FIXED_BYTES 512

/* Writes into room that was reserved before; no bound is looked at again. */
struct writer {
    char *at;
};

static inline void put(struct writer *w, struct pst_str s)
{
    if (s.len > 0)
        memcpy(w->at, s.p, s.len);
    w->at += s.len;
}

#define put_literal(w, literal) put((w), PST_STR(literal))

static inline void put_field(struct writer *w, struct pst_str name, struct pst_str value)
{
    put(w, name);
    *w->at++ = ':';
    *w->at++ = ' ';
    put(w, value);
    *w->at++ = '\r';
    *w->at++ = '\n';
}

/* What the walk over the client's fields finds out for the fields that are added behind them. */
struct walk {
    const struct pst_request_head *head;
    struct pst_str named[MAX_NAMED]; /* by Connection */
    size_t n_named;
    bool has_forwarded_for; /* of a trusted peer */
    bool has_forwarded;
    bool has_proto;
    bool has_host;
};

bool pst_request_method_forwards(struct pst_str method)
{
    return pst_http_is_token(method) && !pst_str_eq(method, PST_STR("CONNECT")) &&
           !pst_str_eq(method, PST_STR("TRACE"));
}

static bool is_plain_option(struct pst_str option)
{
    return pst_str_ieq(option, PST_STR("keep-alive")) || pst_str_ieq(option, PST_STR("close"));
}

/* Gathers the names in Connection. False when there are too many. */
static bool gather_named(struct walk *walk)
{
    PST_FIELDS_EACH(field, walk->head->fields)
    {
        if (http_name_id(field->name) != NAME_CONNECTION)
            continue;
        struct pst_str rest = field->value;
        struct pst_str option;
        while (pst_field_list_next(&rest, &option)) {
            if (is_plain_option(option))
                continue;
            if (walk->n_named == MAX_NAMED)
                return false;
            walk->named[walk->n_named++] = option;
        }
    }
    return true;
}

static bool is_any_of(struct pst_str name, const struct pst_str *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (pst_str_ieq(name, names[i]))
            return true;
    }
    return false;
}

/* The client's X-Forwarded-* and kin: kept as they are, or for the two lists noted for later, when the peer
 * is trusted. */
static bool forwarding_field_stays(struct walk *walk, enum name_id id)
{
    if (!walk->head->peer_trusted)
        return false;
    switch (id) {
    case NAME_X_FORWARDED_FOR:
        walk->has_forwarded_for = true;
        return false;
    case NAME_FORWARDED:
        walk->has_forwarded = true;
        return false;
    case NAME_X_FORWARDED_PROTO:
        walk->has_proto = true;
        return true;
    case NAME_X_FORWARDED_HOST:
        walk->has_host = true;
        return true;
    default:
        return true;
    }
}

static bool field_stays(struct walk *walk, struct pst_str name)
{
    if (is_any_of(name, walk->head->credential_names, walk->head->n_credential_names) ||
        is_any_of(name, walk->named, walk->n_named))
        return false;
    for (size_t i = 0; i < walk->head->n_added; i++) {
        if (pst_str_ieq(name, walk->head->added[i].name))
            return false;
    }
    enum name_id id = http_name_id(name);
    switch (id) {
    case NAME_OTHER:
    case NAME_ALT_SVC:
        return true;
    case NAME_FORWARDED:
    case NAME_X_FORWARDED_FOR:
    case NAME_X_FORWARDED_HOST:
    case NAME_X_FORWARDED_PROTO:
    case NAME_X_FORWARDED_OTHER:
    case NAME_X_ORIGINAL:
    case NAME_X_REAL_IP:
    case NAME_X_REWRITE_URL:
        return forwarding_field_stays(walk, id);
    default:
        return false; /* hop by hop, written anew, or nobody's to send */
    }
}

static enum pst_error_id put_client_fields(struct writer *w, struct walk *walk)
{
    PST_FIELDS_EACH(field, walk->head->fields)
    {
        unsigned bytes = http_common(field->name, HTTP_TCHAR | HTTP_NO_UNDERSCORE);
        if ((bytes & HTTP_TCHAR) == 0 || field->name.len == 0)
            return PST_ERROR_FIELD_NAME;
        if (!http_all(field->value, HTTP_VALUE))
            return PST_ERROR_FIELD_VALUE;
        if ((bytes & HTTP_NO_UNDERSCORE) != 0 && field_stays(walk, field->name))
            put_field(w, field->name, field->value);
    }
    return PST_ERROR_NONE;
}

static void put_framing(struct writer *w, struct pst_framing framing)
{
    if (framing.kind == PST_BODY_CHUNKED) {
        put_literal(w, "Transfer-Encoding: chunked\r\n");
    } else if (framing.kind == PST_BODY_LENGTH) {
        put_literal(w, "Content-Length: ");
        w->at += pst_u64_format(framing.length, w->at);
        put_literal(w, "\r\n");
    }
}

/* The values of all the peer's fields of that kind, as one list that more is appended to. */
static void put_list_so_far(struct writer *w, const struct pst_fields *fields, enum name_id id)
{
    PST_FIELDS_EACH(field, fields)
    {
        if (http_name_id(field->name) == id && field->value.len > 0) {
            put(w, field->value);
            put_literal(w, ", ");
        }
    }
}

static void put_forwarded_for(struct writer *w, const struct walk *walk)
{
    put_literal(w, "X-Forwarded-For: ");
    if (walk->has_forwarded_for)
        put_list_so_far(w, walk->head->fields, NAME_X_FORWARDED_FOR);
    put(w, walk->head->client_address);
    put_literal(w, "\r\n");
}

/* RFC 7239 section 4: a value that is no token, such as "[v6]" or "host:port", is quoted. */
static void put_forwarded(struct writer *w, const struct walk *walk)
{
    const struct pst_request_head *head = walk->head;
    bool is_ipv6 = pst_str_find(head->client_address, ':') >= 0;
    put_literal(w, "Forwarded: ");
    if (walk->has_forwarded)
        put_list_so_far(w, head->fields, NAME_FORWARDED);
    put_literal(w, "for=");
    put(w, is_ipv6 ? PST_STR("\"[") : PST_STR(""));
    put(w, head->client_address);
    put(w, is_ipv6 ? PST_STR("]\"") : PST_STR(""));
    if (head->client_host.len > 0) {
        struct pst_str quote = pst_http_is_token(head->client_host) ? PST_STR("") : PST_STR("\"");
        put_literal(w, ";host=");
        put(w, quote);
        put(w, head->client_host);
        put(w, quote);
    }
    put_literal(w, ";proto=");
    put(w, head->client_proto);
    put_literal(w, "\r\n");
}

static void put_added_fields(struct writer *w, const struct walk *walk)
{
    const struct pst_request_head *head = walk->head;
    put_framing(w, head->framing);
    put_forwarded_for(w, walk);
    if (!walk->has_proto)
        put_field(w, PST_STR("X-Forwarded-Proto"), head->client_proto);
    if (!walk->has_host && head->client_host.len > 0)
        put_field(w, PST_STR("X-Forwarded-Host"), head->client_host);
    put_forwarded(w, walk);
    put_field(w, PST_STR("X-Request-Id"), head->request_id);
    if (head->key_id.len > 0)
        put_field(w, PST_STR("X-Postern-Key-Id"), head->key_id);
    for (size_t i = 0; i < head->n_added; i++)
        put_field(w, head->added[i].name, head->added[i].value);
    if (head->upgrade.len > 0) {
        put_literal(w, "Connection: Upgrade\r\n");
        put_field(w, PST_STR("Upgrade"), head->upgrade);
    }
    put_literal(w, "\r\n");
}

static void put_start(struct writer *w, const struct pst_request_head *head)
{
    put(w, head->method);
    *w->at++ = ' ';
    put(w, head->target->path);
    if (head->target->has_query) {
        *w->at++ = '?';
        put(w, head->target->query);
    }
    put_literal(w, " HTTP/1.1\r\n");
    put_field(w, PST_STR("Host"), head->host);
}

/* At least what the head can take; client_host and client_address stand in it twice. */
static size_t size_bound(const struct pst_request_head *head)
{
    size_t bound = FIXED_BYTES + head->method.len + head->target->path.len + head->target->query.len +
                   head->host.len +
                   2 * (head->client_host.len + head->client_address.len + head->client_proto.len) +
                   head->key_id.len + head->request_id.len + head->upgrade.len;
    for (size_t i = 0; i < head->n_added; i++)
        bound += head->added[i].name.len + head->added[i].value.len + 4;
    PST_FIELDS_EACH(field, head->fields)
    bound += field->name.len + field->value.len + 4;
    return bound;
}

/* The parts that are not the client's come from this process, but a value from a setting or another parser
 * must not be able to add a line either. */
static bool parts_are_clean(const struct pst_request_head *head)
{
    for (size_t i = 0; i < head->n_added; i++) {
        if (!http_all(head->added[i].value, HTTP_VALUE))
            return false;
    }
    return http_all(head->target->path, HTTP_TARGET) && http_all(head->target->query, HTTP_TARGET) &&
           http_all(head->host, HTTP_VALUE) &&
           (head->client_host.len == 0 || pst_authority_is_valid(head->client_host)) &&
           http_all(head->client_address, HTTP_VALUE) && http_all(head->client_proto, HTTP_VALUE) &&
           http_all(head->key_id, HTTP_VALUE) && http_all(head->request_id, HTTP_VALUE) &&
           http_all(head->upgrade, HTTP_VALUE);
}

enum pst_error_id pst_request_head_write(const struct pst_request_head *head, struct pst_buf *out)
{
    struct walk walk;
    walk.head = head;
    walk.n_named = 0;
    walk.has_forwarded_for = walk.has_forwarded = walk.has_proto = walk.has_host = false;
    if (!pst_request_method_forwards(head->method))
        return PST_ERROR_METHOD;
    if (!parts_are_clean(head) || !gather_named(&walk))
        return PST_ERROR_MALFORMED;
    int err = pst_buf_reserve(out, size_bound(head));
    if (err < 0)
        return err == -PST_ELIMIT ? PST_ERROR_HEAD_TOO_LARGE : PST_ERROR_INTERNAL;
    struct writer writer = {out->data + out->end};
    put_start(&writer, head);
    enum pst_error_id error = put_client_fields(&writer, &walk);
    if (error != PST_ERROR_NONE)
        return error;
    put_added_fields(&writer, &walk);
    out->end = (size_t)(writer.at - out->data);
    return PST_ERROR_NONE;
}
