/* SPDX-License-Identifier: Apache-2.0 */
/* The rewritten request head. Input: a byte of choices, then strings with a 0xFF behind each: method, target,
 * Host, the client's host, and names and values of fields in turn. Held: what is written is read by llhttp,
 * strictly, as exactly one request with that method, target and framing, and without any field that must not
 * go on. */
#include "postern/http/framing.h"
#include "postern/http/request_head.h"

#include <llhttp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

#define MAX_FIELDS 64
#define MAX_SEEN   128

/* What llhttp found. */
struct seen {
    struct pst_buf text;
    size_t name_len[MAX_SEEN], value_len[MAX_SEEN];
    struct pst_field fields[MAX_SEEN];
    size_t n;
    struct pst_buf target;
    size_t n_messages;
    uint64_t body_bytes;
};

static struct seen *seen_of(llhttp_t *parser)
{
    return parser->data;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    return pst_buf_add(&seen_of(parser)->target, at, len);
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
    struct seen *seen = seen_of(parser);
    HOLD(seen->n < MAX_SEEN);
    seen->name_len[seen->n] += len;
    return pst_buf_add(&seen->text, at, len);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct seen *seen = seen_of(parser);
    seen->value_len[seen->n] += len;
    return pst_buf_add(&seen->text, at, len);
}

static int on_value_complete(llhttp_t *parser)
{
    seen_of(parser)->n++;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    (void)at;
    seen_of(parser)->body_bytes += len;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    seen_of(parser)->n_messages++;
    return 0;
}

static const struct pst_str credentials[] = {
    {"ocp-apim-subscription-key", 25}, {"api-key", 7}, {"authorization", 13}};

static bool forbidden(struct pst_str name)
{
    static const char *const names[] = {"keep-alive",
                                        "proxy-connection",
                                        "proxy-authorization",
                                        "proxy-authenticate",
                                        "te",
                                        "trailer",
                                        "expect",
                                        "proxy",
                                        "http2-settings",
                                        "ocp-apim-subscription-key",
                                        "api-key",
                                        "authorization"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (pst_str_ieq(name, pst_str_of(names[i])))
            return true;
    }
    return pst_str_find(name, '_') >= 0;
}

static size_t count(const struct pst_fields *fields, const char *name)
{
    size_t n = 0;
    const struct pst_field *field = NULL;
    while ((field = pst_fields_next(fields, pst_str_of(name), field)) != NULL)
        n++;
    return n;
}

static void hold_fields(const struct pst_request_head *head, const struct pst_fields *fields)
{
    PST_FIELDS_EACH(field, fields)
    {
        HOLD(!forbidden(field->name));
        if (pst_str_istarts(field->name, PST_STR("x-postern-")))
            HOLD(pst_str_eq(field->name, PST_STR("X-Postern-Key-Id")));
        if (!head->peer_trusted && pst_str_istarts(field->name, PST_STR("x-forwarded-")))
            HOLD(pst_str_eq(field->name, PST_STR("X-Forwarded-For")) ||
                 pst_str_eq(field->name, PST_STR("X-Forwarded-Proto")) ||
                 pst_str_eq(field->name, PST_STR("X-Forwarded-Host")));
    }
    bool upgrades = head->upgrade.len > 0;
    HOLD(count(fields, "host") == 1);
    HOLD(pst_str_eq(pst_fields_value(fields, PST_STR("host")), pst_str_trim(head->host)));
    HOLD(count(fields, "content-length") == (head->framing.kind == PST_BODY_LENGTH));
    HOLD(count(fields, "transfer-encoding") == (head->framing.kind == PST_BODY_CHUNKED));
    HOLD(count(fields, "connection") == upgrades && count(fields, "upgrade") == upgrades);
    HOLD(count(fields, "x-forwarded-for") == 1 && count(fields, "forwarded") == 1);
    HOLD(count(fields, "x-request-id") == 1 && count(fields, "x-postern-key-id") == (head->key_id.len > 0));
    HOLD(head->peer_trusted || count(fields, "x-forwarded-proto") == 1);
}

/* Appends a body that fits the framing; false when it is too long to be tried. */
static bool add_body(const struct pst_request_head *head, struct pst_buf *out)
{
    if (head->framing.kind == PST_BODY_CHUNKED)
        return pst_buf_add_cstr(out, "3\r\nGET\r\n0\r\n\r\n") == 0;
    if (head->framing.kind == PST_BODY_LENGTH && head->framing.length > 1000)
        return false;
    for (uint64_t i = 0; i < head->framing.length; i++)
        pst_buf_add_char(out, 'G');
    return true;
}

static void hold_output(const struct pst_request_head *head, struct pst_buf *out)
{
    struct seen seen;
    llhttp_settings_t settings;
    llhttp_t parser;
    memset(&seen, 0, sizeof(seen));
    pst_buf_init(&seen.text, 1 << 20);
    pst_buf_init(&seen.target, 1 << 20);
    llhttp_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_header_field = on_name;
    settings.on_header_value = on_value;
    settings.on_header_value_complete = on_value_complete;
    settings.on_body = on_body;
    settings.on_message_complete = on_message_complete;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &seen;
    bool whole = add_body(head, out);
    llhttp_errno_t result = llhttp_execute(&parser, pst_buf_front(out), pst_buf_len(out));
    HOLD(result == (head->upgrade.len > 0 && whole ? HPE_PAUSED_UPGRADE : HPE_OK));
    HOLD(seen.n_messages == whole);
    struct pst_fields fields;
    const char *at = pst_buf_front(&seen.text);
    pst_fields_init(&fields, seen.fields, MAX_SEEN);
    for (size_t i = 0; i < seen.n; i++) {
        struct pst_str name = {at, seen.name_len[i]};
        struct pst_str value = {at + seen.name_len[i], seen.value_len[i]};
        HOLD(pst_fields_add(&fields, name, pst_str_trim(value)) == 0);
        at = value.p + value.len;
    }
    hold_fields(head, &fields);
    struct pst_str target = pst_buf_str(&seen.target);
    HOLD(pst_str_starts(target, head->target->path));
    HOLD(target.len == head->target->path.len + (head->target->has_query ? head->target->query.len + 1 : 0));
    pst_buf_done(&seen.text);
    pst_buf_done(&seen.target);
}

static struct pst_str next_string(struct pst_str *rest)
{
    return pst_str_cut(*rest, '\xff', rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "POST", "OPTIONS", "PUT"};
    struct pst_field storage[MAX_FIELDS];
    struct pst_fields fields;
    struct pst_target target;
    struct pst_buf out;
    if (size < 1 || size > 64 * 1024)
        return 0;
    uint8_t choices = data[0];
    struct pst_str rest = {(const char *)data + 1, size - 1};
    struct pst_str method = next_string(&rest);
    struct pst_str raw_target = next_string(&rest);
    struct pst_request_head head = {
        .method = method,
        .target = &target,
        .fields = &fields,
        .host = next_string(&rest),
        .client_host = next_string(&rest),
        .credential_names = credentials,
        .n_credential_names = 3,
        .client_address = choices & 1 ? PST_STR("2001:db8::1") : PST_STR("192.0.2.1"),
        .client_proto = PST_STR("https"),
        .peer_trusted = (choices & 2) != 0,
        .key_id = choices & 4 ? PST_STR("k1") : PST_STR(""),
        .request_id = PST_STR("r1"),
    };
    pst_fields_init(&fields, storage, MAX_FIELDS);
    while (rest.len > 0) {
        struct pst_str name = next_string(&rest);
        if (pst_fields_add(&fields, name, pst_str_trim(next_string(&rest))) < 0)
            return 0;
    }
    /* llhttp knows only the methods it knows; any other is written, but cannot be held against it. */
    bool known = (choices & 0x40) == 0;
    if (known)
        head.method = pst_str_of(methods[(choices >> 3) & 3]);
    if (pst_target_parse(raw_target, head.method, &target) != PST_ERROR_NONE ||
        pst_framing_of_request(&fields, false, &head.framing) != PST_ERROR_NONE)
        return 0;
    if ((choices & 0x20) != 0 && head.framing.kind == PST_BODY_NONE)
        head.upgrade = PST_STR("websocket");
    pst_buf_init(&out, 1 << 20);
    if (pst_request_head_write(&head, &out) == PST_ERROR_NONE && known)
        hold_output(&head, &out);
    pst_buf_done(&out);
    return 0;
}
