/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket (RFC 6455) as far as a gateway must know it: who asks for it, whether the container agreed, where
 * one frame ends and the next begins, and a close frame of our own. Payloads are never looked at. Pure
 * functions, any thread; a scanner belongs to its stream. */
#ifndef POSTERN_HTTP_WEBSOCKET_H
#define POSTERN_HTTP_WEBSOCKET_H

#include "postern/base/str.h"
#include "postern/http/answer.h"
#include "postern/http/field.h"
#include "postern/http/framing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pst_websocket_ask {
    /* No upgrade, one to something else, or one in HTTP/1.0, where it must be ignored (RFC 9110 section 7.8):
     * an ordinary request. */
    PST_WEBSOCKET_NOT_ASKED,
    PST_WEBSOCKET_ASKED,
    PST_WEBSOCKET_VERSION_UNKNOWN, /* not version 13: 426, which names that one (section 4.4) */
    PST_WEBSOCKET_MALFORMED,       /* an upgrade to websocket that section 4.2.1 does not allow */
};

#define PST_WEBSOCKET_VERSION "13"

/* Reads a request's opening handshake (section 4.2.1). */
enum pst_websocket_ask pst_websocket_asked(const struct pst_fields *fields, struct pst_str method,
                                           bool http_1_0, struct pst_framing framing);

#define PST_WEBSOCKET_ACCEPT_SIZE 29
/* The Sec-WebSocket-Accept that answers `key` (section 4.2.2), terminated. */
void pst_websocket_accept(struct pst_str key, char accept[static PST_WEBSOCKET_ACCEPT_SIZE]);
/* Whether a 101 is an agreement to this handshake and to nothing else. */
bool pst_websocket_agreed(const struct pst_answer *answer, const char *accept);

/* Follows the frames of one direction; all zero at its beginning. */
struct pst_websocket_scan {
    uint64_t payload_left;
    uint8_t head[14];
    uint8_t head_len; /* bytes of the next frame's head so far */
    bool close_seen;  /* a close frame was begun: no frame may follow it */
};
void pst_websocket_scan(struct pst_websocket_scan *scan, const char *data, size_t len);
/* Whether a frame of our own may stand here. */
bool pst_websocket_between_frames(const struct pst_websocket_scan *scan);

#define PST_WEBSOCKET_CLOSE_MAX 127
/* Writes an unmasked close frame; a reason that is longer than a control frame may be (123 bytes, section
 * 5.5) ends at its last whole sentence that fits. Returns its length. */
size_t pst_websocket_close_frame(uint16_t code, struct pst_str reason,
                                 char frame[static PST_WEBSOCKET_CLOSE_MAX]);

#endif
