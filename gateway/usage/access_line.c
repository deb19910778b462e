/* SPDX-License-Identifier: Apache-2.0 */
/* How a line of the access log looks. By hand, because a line is made for every request: printf alone would
 * cost more than SQLite. */
#include "access_line.h"

#include "postern/base/num.h"

#include <arpa/inet.h>
#include <string.h>

static void add_time(struct access_line *line, int64_t time_us)
{
    int64_t second = time_us / 1000000;
    if (second != line->second) {
        pst_time_format(second * 1000000, line->second_text);
        line->second = second;
    }
    unsigned ms = (unsigned)(time_us / 1000 % 1000);
    char tail[4] = {(char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z'};
    pst_buf_add(line->buf, line->second_text, 20); /* up to and with the dot */
    pst_buf_add(line->buf, tail, sizeof(tail));
}

static void add_ms(struct pst_buf *buf, uint64_t us)
{
    char decimals[4] = {'.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10), (char)('0' + us % 10)};
    pst_buf_add_u64(buf, us / 1000);
    pst_buf_add(buf, decimals, sizeof(decimals));
}

static void add_client(struct pst_buf *buf, const uint8_t client[static 16])
{
    static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(client, v4_prefix, sizeof(v4_prefix)) == 0) {
        for (int i = 12; i < 16; i++) {
            pst_buf_add_u64(buf, client[i]);
            if (i < 15)
                pst_buf_add_char(buf, '.');
        }
        return;
    }
    char text[INET6_ADDRSTRLEN];
    pst_buf_add_cstr(buf, inet_ntop(AF_INET6, client, text, sizeof(text)) != NULL ? text : "unknown");
}

#define ADD(buf, literal) pst_buf_add((buf), (literal), sizeof(literal) - 1)

static void add_quoted(struct pst_buf *buf, struct pst_str s)
{
    pst_buf_add_char(buf, '"');
    pst_buf_add_json(buf, s);
    pst_buf_add_char(buf, '"');
}

static void add_or_null(struct pst_buf *buf, struct pst_str s)
{
    if (s.len == 0)
        ADD(buf, "null");
    else
        add_quoted(buf, s);
}

static void add_outcome(struct pst_buf *buf, const struct pst_usage_record *r,
                        const struct pst_usage_names *names)
{
    ADD(buf, ",\"end\":\"");
    pst_buf_add_cstr(buf, pst_usage_end_text(r->end));
    ADD(buf, "\",\"error\":");
    add_or_null(buf, names->error);
    ADD(buf, ",\"rule\":");
    add_or_null(buf, names->rule);
    ADD(buf, ",\"endpoint\":");
    add_or_null(buf, names->endpoint);
    ADD(buf, ",\"attempts\":");
    pst_buf_add_u64(buf, r->attempts);
}

static void add_json_line(struct access_line *line, const struct pst_usage_record *r,
                          const struct pst_usage_names *names)
{
    struct pst_buf *buf = line->buf;
    ADD(buf, "{\"time\":\"");
    add_time(line, r->time_us);
    ADD(buf, "\",\"request_id\":");
    add_or_null(buf, (struct pst_str){r->request_id, r->request_id_len});
    ADD(buf, ",\"client\":\"");
    add_client(buf, r->client);
    ADD(buf, "\",\"key_id\":");
    add_or_null(buf, pst_str_of(r->key_id));
    ADD(buf, ",\"secret\":");
    pst_buf_add_cstr(buf, r->secret_slot == 1 ? "\"key1\"" : r->secret_slot == 2 ? "\"key2\"" : "null");
    ADD(buf, ",\"method\":\"");
    pst_buf_add_cstr(buf, pst_usage_method_text(r->method));
    ADD(buf, "\",\"path\":");
    add_or_null(buf, (struct pst_str){r->path, r->path_len});
    ADD(buf, ",\"status\":");
    if (r->status > 0)
        pst_buf_add_u64(buf, r->status);
    else
        ADD(buf, "null");
    ADD(buf, ",\"bytes_in\":");
    pst_buf_add_u64(buf, r->bytes_in);
    ADD(buf, ",\"bytes_out\":");
    pst_buf_add_u64(buf, r->bytes_out);
    ADD(buf, ",\"duration_ms\":");
    add_ms(buf, r->duration_us);
    ADD(buf, ",\"ttfb_ms\":");
    if (r->ttfb_us > 0)
        add_ms(buf, r->ttfb_us);
    else
        ADD(buf, "null");
    add_outcome(buf, r, names);
    ADD(buf, ",\"tls\":");
    add_or_null(buf, pst_str_of(pst_usage_tls_text(r->tls)));
    if ((r->flags & PST_USAGE_STREAM) != 0)
        pst_buf_add_cstr(buf, (r->flags & PST_USAGE_GOES_ON) != 0 ? ",\"stream\":\"goes_on\""
                                                                  : ",\"stream\":\"ended\"");
    ADD(buf, "}\n");
}

static void add_or_dash(struct pst_buf *buf, struct pst_str s)
{
    if (s.len == 0)
        ADD(buf, "-");
    else
        pst_buf_add_json(buf, s); /* the same escapes keep a line a line */
}

static void add_text_line(struct access_line *line, const struct pst_usage_record *r,
                          const struct pst_usage_names *names)
{
    struct pst_buf *buf = line->buf;
    add_client(buf, r->client);
    ADD(buf, " - ");
    add_or_dash(buf, pst_str_of(r->key_id));
    ADD(buf, " [");
    add_time(line, r->time_us);
    ADD(buf, "] \"");
    pst_buf_add_cstr(buf, pst_usage_method_text(r->method));
    ADD(buf, " ");
    add_or_dash(buf, (struct pst_str){r->path, r->path_len});
    ADD(buf, " ");
    add_or_dash(buf, pst_str_of(pst_usage_http_text(r->http)));
    ADD(buf, "\" ");
    pst_buf_add_u64(buf, r->status);
    ADD(buf, " ");
    pst_buf_add_u64(buf, r->bytes_out);
    ADD(buf, " ");
    add_or_dash(buf, (struct pst_str){r->request_id, r->request_id_len});
    ADD(buf, " ");
    pst_buf_add_cstr(buf, r->secret_slot == 1 ? "key1" : r->secret_slot == 2 ? "key2" : "-");
    ADD(buf, " ");
    add_ms(buf, r->duration_us);
    ADD(buf, " ");
    pst_buf_add_cstr(buf, (r->flags & PST_USAGE_GOES_ON) != 0 ? "goes_on" : pst_usage_end_text(r->end));
    ADD(buf, " ");
    add_or_dash(buf, names->error);
    ADD(buf, " ");
    add_or_dash(buf, names->endpoint);
    ADD(buf, "\n");
}

void access_line_add(struct access_line *line, enum pst_access_format format,
                     const struct pst_usage_record *record, const struct pst_usage_names *names)
{
    if (format == PST_ACCESS_JSON)
        add_json_line(line, record, names);
    else
        add_text_line(line, record, names);
}
