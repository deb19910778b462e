/* SPDX-License-Identifier: Apache-2.0 */
/* Following a WebSocket's frames, and close frames of our own. Held: in whatever pieces the bytes come, the
 * place in the frames is the same; a frame of ours is one that the scanner follows to its end. Input: the
 * length of a piece, then the bytes. */
#include "postern/http/websocket.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct pst_websocket_scan *scan, const char *bytes, size_t len, size_t step)
{
    while (len > 0) {
        size_t n = step < len ? step : len;
        pst_websocket_scan(scan, bytes, n);
        HOLD(scan->head_len <= sizeof(scan->head));
        bytes += n;
        len -= n;
    }
}

static void try_close(const uint8_t *data, size_t size)
{
    char frame[PST_WEBSOCKET_CLOSE_MAX];
    struct pst_websocket_scan scan = {0};
    size_t len = pst_websocket_close_frame(4000, (struct pst_str){(const char *)data, size}, frame);
    HOLD(len >= 4 && len <= sizeof(frame) && (size_t)(uint8_t)frame[1] + 2 == len);
    pst_websocket_scan(&scan, frame, len);
    HOLD(scan.close_seen && scan.payload_left == 0 && scan.head_len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct pst_websocket_scan whole = {0}, cut = {0};
    feed(&whole, (const char *)data + 1, size - 1, SIZE_MAX);
    feed(&cut, (const char *)data + 1, size - 1, (size_t)data[0] + 1);
    HOLD(whole.payload_left == cut.payload_left && whole.head_len == cut.head_len &&
         whole.close_seen == cut.close_seen &&
         pst_websocket_between_frames(&whole) == pst_websocket_between_frames(&cut));
    try_close(data + 1, size - 1);
    return 0;
}
