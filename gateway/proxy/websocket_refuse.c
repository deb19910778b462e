/* SPDX-License-Identifier: Apache-2.0 */
/* Refused upgrades. The Speech SDK in browsers and on Node 22 cannot see the status of a refused upgrade and
 * waits for ever; a WebSocket that is accepted and closed with 4000 ends it at once, and tells it why. The
 * SDK on Node 20 must have sent its first messages before it is closed, or it reports that it could not send:
 * so the close frame follows after a moment. So that this is no cheaper way to hold connections, few may be
 * in that moment, and nothing is read of them; the others are closed without it. */
#include "websocket.h"

#define MAX_REFUSALS 64 /* per worker */
#define MOMENT_US    150000

/* Where the Speech services take WebSockets. */
static const struct pst_str closing[] = {PST_STR("/speech/"), PST_STR("/stt/"), PST_STR("/tts/")};

bool websocket_refusal_closes(const struct exchange *x)
{
    if (x->route->websocket_refusal != PST_REFUSAL_AUTO)
        return x->upgrade && x->route->websocket_refusal == PST_REFUSAL_CLOSE;
    for (size_t i = 0; x->upgrade && i < sizeof(closing) / sizeof(closing[0]); i++) {
        if (pst_str_istarts(x->target.path, closing[i]))
            return true;
    }
    return false;
}

/* Both frames in one piece, and the end. */
static void refuse_now(struct exchange *x, const struct pst_error_def *def)
{
    struct client *client = x->client;
    char frame[PST_WEBSOCKET_CLOSE_MAX];
    size_t len = pst_websocket_close_frame(WEBSOCKET_REFUSED, pst_str_of(def->message), frame);
    pst_buf_add(&x->around, frame, len);
    struct pst_str out = pst_buf_str(&x->around);
    if (pst_buf_failed(&x->around) || pst_session_write(client->session, out.p, out.len) < 0)
        client->cut = true;
    x->state = EXCHANGE_DEAD;
    client_end(client);
}

void websocket_refuse(struct exchange *x, enum pst_error_id id)
{
    struct pst_front *front = x->client->front;
    const struct pst_error_def *def = pst_error_def(id);
    x->status = def->status;
    note_end(x, id, note_end_of_error(id));
    count(&front->parts.stats->errors[id]);
    respond_upgrade(x, NULL);
    if (front->n_refusals >= MAX_REFUSALS || front->stopping || websocket_open(x) == NULL) {
        refuse_now(x, def);
        return;
    }
    front->n_refusals++;
    x->websocket->refused = id;
    x->websocket->refuse_at_us = now_us(front) + MOMENT_US;
    stream_hold(x->client);
    websocket_pump(x);
}
