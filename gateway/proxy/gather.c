/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request without a key: read whole, within a bound and a time of its own, before a connection
 * to the container is leased. Nobody without a key can hold one by sending slowly. */
#include "internal.h"

bool gather_wanted(const struct exchange *x)
{
    return x->has_body && !x->keyed && x->client->front->parts.settings->keyless_max_body_bytes > 0;
}

enum pst_error_id gather_begin(struct exchange *x)
{
    const struct pst_front_settings *settings = x->client->front->parts.settings;
    if (x->framing.kind == PST_BODY_LENGTH && x->framing.length > settings->keyless_max_body_bytes)
        return PST_ERROR_KEYLESS_BODY_TOO_LARGE;
    x->state = EXCHANGE_GATHER;
    x->gathered = true;
    exchange_set_timer(x, settings->keyless_body_timeout_us);
    return PST_ERROR_NONE;
}

void gather_body(struct exchange *x, const char *data, size_t *size)
{
    if (x->bytes_in + *size > x->client->front->parts.settings->keyless_max_body_bytes) {
        exchange_fail(x, PST_ERROR_KEYLESS_BODY_TOO_LARGE, PST_END_LIMIT);
        return;
    }
    if (pst_buf_add(&x->output, data, *size) < 0) {
        exchange_fail(x, PST_ERROR_INTERNAL, PST_END_INTERNAL);
        return;
    }
    x->bytes_in += *size;
    *size = 0;
}

void gather_late(struct exchange *x)
{
    exchange_fail(x, PST_ERROR_KEYLESS_BODY_TOO_SLOW, PST_END_CLIENT_TIMEOUT);
}

/* The container is told the length, which is known now, however the client framed it. */
void gather_end(struct exchange *x)
{
    pst_timer_clear(x->client->front->parts.loop, &x->timer);
    x->framing = (struct pst_framing){.kind = PST_BODY_LENGTH, .length = x->bytes_in};
    enum pst_error_id id = request_write_head(x);
    if (id != PST_ERROR_NONE)
        exchange_fail(x, id, note_end_of_error(id));
    else
        forward_lease(x, 0);
}
