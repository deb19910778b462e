/* SPDX-License-Identifier: Apache-2.0 */
/* Refused upgrades. The Speech SDK in browsers and on Node 22 cannot see the status of a refused upgrade and
 * waits for ever; a WebSocket that is accepted and closed with 4000 ends it at once, and tells it why. The
 * SDK on Node 20 must have sent its first messages before it is closed, or it reports that it could not send:
 * so the close frame follows after a moment. So that this is no cheaper way to hold connections, few may be
 * in that moment, and nothing is read of them; the others are closed without it. */
#include "websocket_refuse.h"

#include "note.h"
#include "websocket.h"

#define MAX_REFUSALS 64 /* per worker */
#define MOMENT_US    150000

/* Where the Speech services take WebSockets. */
static const struct pst_str closing[] = {PST_STR("/speech/"), PST_STR("/stt/"), PST_STR("/tts/")};

bool websocket_refusal_closes(const struct exchange *x)
{
    if (x->route->websocket_refusal != PST_REFUSAL_AUTO)
        return x->request.upgrade && x->route->websocket_refusal == PST_REFUSAL_CLOSE;
    for (size_t i = 0; x->request.upgrade && i < sizeof(closing) / sizeof(closing[0]); i++) {
        if (pst_str_istarts(x->request.target.path, closing[i]))
            return true;
    }
    return false;
}

static void end_now(struct exchange *x, const struct pst_error_def *def)
{
    char frame[PST_WEBSOCKET_CLOSE_MAX];
    struct pst_stream *stream = x->stream;
    size_t len = pst_websocket_close_frame(WEBSOCKET_REFUSED, pst_str_of(def->message), frame);
    ssize_t n = x->websocket->bytes->write(stream, frame, len);
    x->state = EXCHANGE_DEAD;
    if (n == (ssize_t)len)
        stream->ops->end(stream);
    else
        stream->ops->reset(stream);
}

void websocket_refuse(struct exchange *x, enum pst_error_id id)
{
    struct pst_exchanges *all = x->all;
    const struct pst_error_def *def = pst_error_def(id);
    bool crowded = all->n_refusals >= MAX_REFUSALS || all->stopping;
    x->record.status = def->status;
    note_end(x, id, note_end_of_error(id));
    count(&all->parts.stats->errors[id]);
    if (websocket_open(x, NULL) == NULL) {
        x->state = EXCHANGE_DEAD;
        x->stream->ops->reset(x->stream);
        return;
    }
    all->n_refusals++;
    x->websocket->refused = id;
    x->websocket->refuse_at_us = now_us(all) + MOMENT_US;
    if (crowded)
        end_now(x, def);
}
