/* SPDX-License-Identifier: Apache-2.0 */
/* Refused upgrades. The Speech SDK in browsers and on Node 22 cannot see the status of a refused upgrade and
 * waits for ever; a WebSocket that is accepted and closed with 4000 ends it at once, and tells it why. No
 * cheaper way to hold a connection than any other refusal: both frames go out in one piece, and the session
 * closes behind them with the limits of every closing session (session.h). */
#include "websocket.h"

#include <microhttpd.h>

/* Where the Speech services take WebSockets. */
static const struct pst_str closing[] = {PST_STR("/speech/"), PST_STR("/stt/"), PST_STR("/tts/")};

bool websocket_refusal_closes(const struct exchange *x)
{
    for (size_t i = 0; x->upgrade && i < sizeof(closing) / sizeof(closing[0]); i++) {
        if (pst_str_istarts(x->target.path, closing[i]))
            return true;
    }
    return false;
}

int websocket_refuse(struct exchange *x, enum pst_error_id id)
{
    struct client *client = x->client;
    char frame[PST_WEBSOCKET_CLOSE_MAX];
    const struct pst_error_def *def = pst_error_def(id);
    size_t len = pst_websocket_close_frame(WEBSOCKET_REFUSED, pst_str_of(def->message), frame);
    raw_upgrade_head(x, NULL);
    pst_buf_add(&x->around, frame, len);
    struct pst_str out = pst_buf_str(&x->around);
    if (pst_buf_failed(&x->around) || pst_session_write(client->session, out.p, out.len) < 0)
        client->cut = true;
    x->status = def->status;
    x->end = note_end_of_error(id);
    x->bytes_out = len;
    x->state = EXCHANGE_DEAD;
    count(&client->front->parts.stats->errors[id]);
    client->detached = client->end_of_mhd = true;
    client->state = CLIENT_ENDING;
    return MHD_NO;
}
