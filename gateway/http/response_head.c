/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/response_head.h"

#include "postern/base/num.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Everything around the fields but the reason phrase and the name of an upgrade: the start line, Date,
 * Content-Length or Transfer-Encoding, Connection, the blank line. */
#define FIXED_BYTES 256

static const struct {
    uint16_t status;
    struct pst_str text;
} reasons[] = {
    {101, PST_STR("Switching Protocols")},
    {200, PST_STR("OK")},
    {201, PST_STR("Created")},
    {202, PST_STR("Accepted")},
    {204, PST_STR("No Content")},
    {304, PST_STR("Not Modified")},
    {400, PST_STR("Bad Request")},
    {401, PST_STR("Unauthorized")},
    {403, PST_STR("Forbidden")},
    {404, PST_STR("Not Found")},
    {405, PST_STR("Method Not Allowed")},
    {406, PST_STR("Not Acceptable")},
    {408, PST_STR("Request Timeout")},
    {409, PST_STR("Conflict")},
    {411, PST_STR("Length Required")},
    {412, PST_STR("Precondition Failed")},
    {413, PST_STR("Content Too Large")},
    {414, PST_STR("URI Too Long")},
    {415, PST_STR("Unsupported Media Type")},
    {417, PST_STR("Expectation Failed")},
    {421, PST_STR("Misdirected Request")},
    {426, PST_STR("Upgrade Required")},
    {429, PST_STR("Too Many Requests")},
    {431, PST_STR("Request Header Fields Too Large")},
    {500, PST_STR("Internal Server Error")},
    {501, PST_STR("Not Implemented")},
    {502, PST_STR("Bad Gateway")},
    {503, PST_STR("Service Unavailable")},
    {504, PST_STR("Gateway Timeout")},
    {505, PST_STR("HTTP Version Not Supported")},
};

struct pst_str pst_response_reason(uint16_t status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].text;
    }
    return PST_STR("");
}

bool pst_response_is_bodiless(uint16_t status, bool to_head)
{
    return to_head || status < 200 || status == 204 || status == 304;
}

void pst_response_date(int64_t seconds, char out[static PST_RESPONSE_DATE_BYTES])
{
    char text[64];
    struct tm tm;
    time_t at = (time_t)seconds;
    /* The C locale is the process's: names of days and months are English. */
    if (gmtime_r(&at, &tm) == NULL ||
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) != PST_RESPONSE_DATE_BYTES)
        memcpy(text, "Thu, 01 Jan 1970 00:00:00 GMT", PST_RESPONSE_DATE_BYTES);
    memcpy(out, text, PST_RESPONSE_DATE_BYTES);
}

struct pst_response_framing pst_response_frame(const struct pst_response *response,
                                               const struct pst_response_wire *wire)
{
    bool open = response->body == PST_RESPONSE_OPEN;
    return (struct pst_response_framing){
        .chunked = open && !wire->to_http_1_0,
        .close = !wire->keep_alive || response->last || (open && wire->to_http_1_0),
    };
}

/* Writes into room that was reserved; no bound is looked at again. */
static char *put(char *at, struct pst_str s)
{
    if (s.len > 0)
        memcpy(at, s.p, s.len);
    return at + s.len;
}

#define put_literal(at, literal) put((at), PST_STR(literal))

static char *put_field(char *at, struct pst_str name, struct pst_str value)
{
    at = put(at, name);
    *at++ = ':';
    *at++ = ' ';
    at = put(at, value);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static char *put_number(char *at, uint64_t value)
{
    return at + pst_u64_format(value, at);
}

static char *put_start(char *at, const struct pst_response *response, struct pst_str reason)
{
    at = put_literal(at, "HTTP/1.1 ");
    at = put_number(at, response->status);
    *at++ = ' ';
    at = put(at, reason);
    return put_literal(at, "\r\n");
}

static char *put_connection(char *at, const struct pst_response *response,
                            const struct pst_response_wire *wire, bool close)
{
    if (response->upgrade.len > 0) {
        bool ends = close && response->status != 101;
        at = put_field(at, PST_STR("Connection"), ends ? PST_STR("close, Upgrade") : PST_STR("Upgrade"));
        return put_field(at, PST_STR("Upgrade"), response->upgrade);
    }
    if (close)
        return put_literal(at, "Connection: close\r\n");
    return wire->to_http_1_0 ? put_literal(at, "Connection: Keep-Alive\r\n") : at;
}

/* The lengths alone rule out nearly all names. */
struct has {
    bool date, length;
};

static char *put_fields(char *at, const struct pst_response *response, struct has *has)
{
    PST_FIELDS_EACH(field, &response->fields)
    {
        if (field->name.len == 4)
            has->date = has->date || pst_str_ieq(field->name, PST_STR("Date"));
        else if (field->name.len == 14)
            has->length = has->length || pst_str_ieq(field->name, PST_STR("Content-Length"));
        at = put_field(at, field->name, field->value);
    }
    return at;
}

static size_t size_bound(const struct pst_response *response, struct pst_str reason,
                         const struct pst_response_wire *wire)
{
    size_t bound = FIXED_BYTES + reason.len + response->upgrade.len + wire->date.len;
    PST_FIELDS_EACH(field, &response->fields)
    bound += field->name.len + field->value.len + 4;
    return bound;
}

int pst_response_head_write(const struct pst_response *response, const struct pst_response_wire *wire,
                            struct pst_buf *out)
{
    struct pst_str reason =
        response->reason.p != NULL ? response->reason : pst_response_reason(response->status);
    struct pst_response_framing framing = pst_response_frame(response, wire);
    struct has has = {false, false};
    int err = pst_buf_reserve(out, size_bound(response, reason, wire));
    if (err < 0)
        return err;
    char *at = put_start(out->data + out->end, response, reason);
    at = put_fields(at, response, &has);
    if (!has.date && wire->date.len > 0)
        at = put_field(at, PST_STR("Date"), wire->date);
    if (framing.chunked) {
        at = put_literal(at, "Transfer-Encoding: chunked\r\n");
    } else if (response->body == PST_RESPONSE_LENGTH && !has.length) {
        at = put_literal(at, "Content-Length: ");
        at = put_number(at, response->length);
        at = put_literal(at, "\r\n");
    }
    at = put_connection(at, response, wire, framing.close);
    at = put_literal(at, "\r\n");
    out->end = (size_t)(at - out->data);
    return 0;
}
