/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/websocket.h"

#include "postern/crypto/base64.h"
#include "postern/crypto/hash.h"

#include <ctype.h>

#define KEY_LEN    24 /* 16 bytes in base64 */
#define GUID       "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define REASON_MAX 123
#define OPCODE     0x0f
#define CLOSE      0x08
#define FIN        0x80
#define MASKED     0x80
#define LENGTH     0x7f

/* The shape is asked for, and not that the last digit's four unused bits are zero: servers do not ask for it
 * either. */
static bool is_key(struct pst_str key)
{
    if (key.len != KEY_LEN || key.p[22] != '=' || key.p[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        if (!isalnum((unsigned char)key.p[i]) && key.p[i] != '+' && key.p[i] != '/')
            return false;
    }
    return true;
}

/* The value of a field that must stand there once; the empty slice otherwise. */
static struct pst_str only(const struct pst_fields *fields, struct pst_str name)
{
    const struct pst_field *field = pst_fields_find(fields, name);
    if (field == NULL || pst_fields_next(fields, name, field) != NULL)
        return (struct pst_str){NULL, 0};
    return field->value;
}

enum pst_websocket_ask pst_websocket_asked(const struct pst_fields *fields, struct pst_str method,
                                           bool http_1_0, struct pst_framing framing)
{
    if (http_1_0 || !pst_fields_list_has(fields, PST_STR("upgrade"), PST_STR("websocket")) ||
        !pst_fields_list_has(fields, PST_STR("connection"), PST_STR("upgrade")))
        return PST_WEBSOCKET_NOT_ASKED;
    bool has_body =
        framing.kind == PST_BODY_CHUNKED || (framing.kind == PST_BODY_LENGTH && framing.length > 0);
    if (has_body || !pst_str_eq(method, PST_STR("GET")))
        return PST_WEBSOCKET_MALFORMED;
    /* First: what else another version has in its handshake is not known. */
    if (!pst_str_eq(only(fields, PST_STR("sec-websocket-version")), PST_STR(PST_WEBSOCKET_VERSION)))
        return PST_WEBSOCKET_VERSION_UNKNOWN;
    return is_key(only(fields, PST_STR("sec-websocket-key"))) ? PST_WEBSOCKET_ASKED : PST_WEBSOCKET_MALFORMED;
}

void pst_websocket_accept(struct pst_str key, char accept[static PST_WEBSOCKET_ACCEPT_SIZE])
{
    char text[KEY_LEN + sizeof(GUID) - 1] = {0};
    uint8_t digest[PST_SHA1_BYTES];
    memcpy(text, key.p, key.len < KEY_LEN ? key.len : KEY_LEN);
    memcpy(text + KEY_LEN, GUID, sizeof(GUID) - 1);
    pst_sha1(text, sizeof(text), digest);
    pst_base64_encode(PST_BASE64, digest, sizeof(digest), accept);
}

bool pst_websocket_agreed(const struct pst_answer *answer, const char *accept)
{
    const struct pst_fields *fields = &answer->fields;
    return answer->upgraded && pst_str_ieq(only(fields, PST_STR("upgrade")), PST_STR("websocket")) &&
           pst_fields_list_has(fields, PST_STR("connection"), PST_STR("upgrade")) &&
           pst_str_eq(only(fields, PST_STR("sec-websocket-accept")), pst_str_of(accept));
}

/* Length of the head that begins with head[0..1] (section 5.2). */
static size_t head_length(const uint8_t head[static 2])
{
    size_t length = head[1] & LENGTH;
    size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    return 2 + extended + ((head[1] & MASKED) != 0 ? 4 : 0);
}

static uint64_t payload_length(const uint8_t head[static 10])
{
    size_t length = head[1] & LENGTH;
    size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    uint64_t value = extended == 0 ? length : 0;
    for (size_t i = 0; i < extended; i++)
        value = value << 8 | head[2 + i];
    return value;
}

static void take_head_byte(struct pst_websocket_scan *scan, uint8_t byte)
{
    scan->head[scan->head_len++] = byte;
    if (scan->head_len < 2 || scan->head_len < head_length(scan->head))
        return;
    scan->payload_left = payload_length(scan->head);
    scan->close_seen = scan->close_seen || (scan->head[0] & OPCODE) == CLOSE;
    scan->head_len = 0;
}

void pst_websocket_scan(struct pst_websocket_scan *scan, const char *data, size_t len)
{
    while (len > 0) {
        if (scan->payload_left == 0) {
            take_head_byte(scan, (uint8_t)*data++);
            len--;
            continue;
        }
        size_t n = scan->payload_left < len ? (size_t)scan->payload_left : len;
        scan->payload_left -= n;
        data += n;
        len -= n;
    }
}

bool pst_websocket_between_frames(const struct pst_websocket_scan *scan)
{
    return scan->head_len == 0 && scan->payload_left == 0 && !scan->close_seen;
}

static size_t reason_length(struct pst_str reason)
{
    if (reason.len <= REASON_MAX)
        return reason.len;
    for (size_t n = REASON_MAX; n > 0; n--) {
        if (reason.p[n - 1] == '.')
            return n;
    }
    return REASON_MAX;
}

size_t pst_websocket_close_frame(uint16_t code, struct pst_str reason,
                                 char frame[static PST_WEBSOCKET_CLOSE_MAX])
{
    size_t n = reason_length(reason);
    frame[0] = (char)(FIN | CLOSE);
    frame[1] = (char)(2 + n);
    frame[2] = (char)(code >> 8);
    frame[3] = (char)(code & 0xff);
    if (n > 0)
        memcpy(frame + 4, reason.p, n);
    return 4 + n;
}
