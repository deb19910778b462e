/* SPDX-License-Identifier: Apache-2.0 */
/* The answer parser. Input: flags, the number of cuts, the cuts (each the length of a piece), the wire.
 * Held: nothing is read twice or skipped; what a head says is clean and unambiguous; and fed whole or in
 * pieces, the same answer comes out. */
#include "postern/http/answer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

struct outcome {
    int err;
    enum pst_answer_state state;
    size_t taken;
    char *body;
    size_t body_len;
    struct pst_answer_parser *parser;
};

/* One piece, in the state the parser is in; false when it wants no more. */
static bool feed_piece(struct outcome *out, char *piece, size_t len)
{
    ssize_t n = 0;
    size_t body = 0;
    switch (pst_answer_state(out->parser)) {
    case PST_ANSWER_HEAD:
        n = pst_answer_feed_head(out->parser, piece, len);
        HOLD(n < 0 || (size_t)n == len || pst_answer_state(out->parser) != PST_ANSWER_HEAD);
        break;
    case PST_ANSWER_CHUNKS:
        n = pst_answer_feed_chunks(out->parser, piece, len, piece, &body);
        HOLD(n < 0 || body <= (size_t)n);
        HOLD(n < 0 || (size_t)n == len || pst_answer_state(out->parser) == PST_ANSWER_DONE);
        if (n >= 0) {
            memcpy(out->body + out->body_len, piece, body);
            out->body_len += body;
        }
        break;
    default:
        return false;
    }
    if (n < 0) {
        HOLD(pst_answer_state(out->parser) == PST_ANSWER_FAULT && pst_answer_fault(out->parser)[0] != '\0');
        out->err = (int)n;
        return false;
    }
    HOLD((size_t)n <= len);
    out->taken += (size_t)n;
    return true;
}

static void run(struct outcome *out, unsigned flags, const uint8_t *wire, size_t len, const uint8_t *cuts,
                size_t n_cuts)
{
    size_t cut = 0;
    *out = (struct outcome){.body = malloc(len + 1)};
    HOLD(out->body != NULL && pst_answer_parser_new(&out->parser) == 0);
    pst_answer_begin(out->parser, flags);
    while (out->taken < len) {
        size_t n = len - out->taken;
        if (cut < n_cuts && cuts[cut] > 0 && cuts[cut] < n)
            n = cuts[cut];
        cut++;
        /* A block of its own size, so that reading past a piece shows. */
        char *piece = malloc(n);
        HOLD(piece != NULL);
        memcpy(piece, wire + out->taken, n);
        bool more = feed_piece(out, piece, n);
        free(piece);
        if (!more)
            break;
    }
    out->state = pst_answer_state(out->parser);
}

static void hold_head(const struct pst_answer *answer, unsigned flags)
{
    size_t n_lengths = 0;
    size_t n_codings = 0;
    HOLD(answer->status >= 101 && answer->status <= 999);
    HOLD(answer->status >= 200 || (answer->upgraded && (flags & PST_ANSWER_MAY_UPGRADE) != 0));
    HOLD(answer->framing.kind != PST_BODY_UNTIL_CLOSE || !answer->keep_alive);
    HOLD(answer->reason.p == NULL || answer->reason.p[answer->reason.len] == '\0');
    PST_FIELDS_EACH(field, &answer->fields)
    {
        HOLD(pst_http_is_token(field->name));
        HOLD(pst_http_is_field_value(field->value));
        HOLD(strlen(field->name.p) == field->name.len && strlen(field->value.p) == field->value.len);
        HOLD(pst_str_eq(field->value, pst_str_trim(field->value)));
        n_lengths += pst_str_ieq(field->name, PST_STR("content-length"));
        n_codings += pst_str_ieq(field->name, PST_STR("transfer-encoding"));
        (void)pst_answer_field_forwards(answer, field->name);
    }
    HOLD(n_lengths + n_codings <= 1);
    HOLD(answer->has_content_length == (n_lengths == 1));
    HOLD(answer->framing.kind != PST_BODY_CHUNKED || n_codings == 1);
    HOLD(answer->framing.kind != PST_BODY_LENGTH || n_lengths == 1);
    HOLD((flags & PST_ANSWER_TO_HEAD) == 0 || answer->upgraded || answer->framing.kind == PST_BODY_NONE);
}

static void hold_same(const struct outcome *a, const struct outcome *b)
{
    /* How long a run without body is, is counted piece by piece. */
    if (a->err == -PST_ELIMIT || b->err == -PST_ELIMIT)
        return;
    HOLD(a->err == b->err && a->state == b->state);
    if (a->err < 0)
        return;
    HOLD(a->taken == b->taken && a->body_len == b->body_len && memcmp(a->body, b->body, a->body_len) == 0);
    const struct pst_answer *x = pst_answer_head(a->parser);
    const struct pst_answer *y = pst_answer_head(b->parser);
    HOLD((x == NULL) == (y == NULL));
    if (x == NULL)
        return;
    HOLD(x->status == y->status && x->keep_alive == y->keep_alive && x->fields.n == y->fields.n);
    HOLD(x->framing.kind == y->framing.kind && x->framing.length == y->framing.length);
    HOLD(pst_str_eq(x->reason, y->reason));
    for (size_t i = 0; i < x->fields.n; i++)
        HOLD(pst_str_eq(x->fields.at[i].name, y->fields.at[i].name) &&
             pst_str_eq(x->fields.at[i].value, y->fields.at[i].value));
}

static void done(struct outcome *out)
{
    pst_answer_parser_free(out->parser);
    free(out->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 256 * 1024)
        return 0;
    unsigned flags = data[0] & (PST_ANSWER_TO_HEAD | PST_ANSWER_MAY_UPGRADE);
    size_t n_cuts = data[1] < size - 2 ? data[1] : size - 2;
    const uint8_t *wire = data + 2 + n_cuts;
    size_t len = size - 2 - n_cuts;
    struct outcome whole;
    struct outcome cut;
    run(&whole, flags, wire, len, NULL, 0);
    run(&cut, flags, wire, len, data + 2, n_cuts);
    if (pst_answer_head(whole.parser) != NULL)
        hold_head(pst_answer_head(whole.parser), flags);
    if (pst_answer_head(cut.parser) != NULL)
        hold_head(pst_answer_head(cut.parser), flags);
    hold_same(&whole, &cut);
    done(&whole);
    done(&cut);
    return 0;
}
