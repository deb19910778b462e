/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody without a key can hold a connection to the container by sending slowly. */
#include "gather.h"

#include "request.h"

bool gather_wanted(const struct exchange *x)
{
    return x->request.has_body && !x->identity.keyed && x->all->parts.settings->keyless_max_body_bytes > 0;
}

enum pst_error_id gather_begin(struct exchange *x)
{
    const struct pst_front_settings *settings = x->all->parts.settings;
    const struct pst_framing *framing = &x->request.framing;
    if (framing->kind == PST_BODY_LENGTH && framing->length > settings->keyless_max_body_bytes)
        return PST_ERROR_KEYLESS_BODY_TOO_LARGE;
    x->state = EXCHANGE_GATHER;
    x->attempt.gathered = true;
    exchange_set_timer(x, settings->keyless_body_timeout_us);
    return PST_ERROR_NONE;
}

enum pst_error_id gather_body(struct exchange *x, struct pst_str piece)
{
    if (x->record.bytes_in + piece.len > x->all->parts.settings->keyless_max_body_bytes)
        return PST_ERROR_KEYLESS_BODY_TOO_LARGE;
    if (pst_buf_add_str(&x->attempt.output, piece) < 0)
        return PST_ERROR_INTERNAL;
    x->record.bytes_in += piece.len;
    return PST_ERROR_NONE;
}

enum pst_error_id gather_end(struct exchange *x)
{
    exchange_clear_timer(x);
    x->request.framing = (struct pst_framing){.kind = PST_BODY_LENGTH, .length = x->record.bytes_in};
    return request_write_head(x);
}
