/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a request that is sent again, because its
 * answer was lost, makes nothing twice. Secrets are not kept, so the answer cannot be given again: the second
 * time is told what the first one made. */
#include "postern/db/idempotency.h"

#include "internal.h"
#include "postern/base/clock.h"
#include "postern/crypto/hash.h"

#include <stdio.h>
#include <string.h>

#define KEY_MAX     128
#define LIFETIME_US (INT64_C(24) * 3600 * 1000000)

static bool is_printable(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < ' ' || text.p[i] > '~')
            return false;
    }
    return text.len > 0 && text.len <= KEY_MAX;
}

static void digest(struct admin_request *r, struct pst_str key, struct pst_idempotency_row *row)
{
    char text[KEY_MAX + sizeof(r->caller.id) + 2];
    int len = snprintf(text, sizeof(text), "%s\n" PST_STR_FMT, r->caller.id, PST_STR_ARG(key));
    struct pst_str body = pst_buf_str(&r->body);
    pst_sha256(text, (size_t)len, row->asked);
    pst_sha256(body.p, body.len, row->body);
    row->time_us = pst_clock_real_us();
}

static void answer_again(struct admin_request *r, const struct pst_idempotency_row *before,
                         const struct pst_idempotency_row *now)
{
    char when[PST_TIME_TEXT_SIZE];
    pst_time_format(before->time_us, when);
    if (memcmp(before->body, now->body, sizeof(now->body)) != 0) {
        admin_fail(
            r, 422, "IdempotencyKeyReused",
            "This Idempotency-Key was used at %s with a different body. Use a new one for each request.",
            when);
    } else {
        snprintf(r->location, sizeof(r->location), "/admin/v1/keys/%s", before->key_id);
        admin_fail(
            r, 409, "AlreadyMade",
            "This request created the key %s at %s. Its secrets are not stored: rotate one to get a new one.",
            before->key_id, when);
    }
}

/* 1: a key was made, and that is noted; 0: none was, and the answer says why. */
static int look_and_make(struct admin_request *r, struct pst_idempotency_row *row,
                         void (*make)(struct admin_request *r))
{
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    struct pst_idempotency_row before;
    int64_t since_us = row->time_us - LIFETIME_US;
    int err = pst_idempotency_find(store, row->asked, since_us, &before);
    if (err > 0)
        answer_again(r, &before, row);
    if (err != 0)
        return err < 0 ? err : 0;
    make(r);
    if (r->status != 201)
        return 0;
    pst_str_clip(pst_str_of(json_string_value(json_object_get(r->output, "id"))), row->key_id,
                 sizeof(row->key_id));
    err = pst_idempotency_add(store, row, since_us);
    return err < 0 ? err : 1;
}

/* The key and the note that it was made are one transaction: whatever breaks off, both are there or neither.
 */
void admin_idempotent(struct admin_request *r, struct pst_str key, void (*make)(struct admin_request *r))
{
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    struct pst_idempotency_row row = {.key_id = ""};
    if (!is_printable(key)) {
        admin_fail(r, 400, "BadHeader", "Idempotency-Key must be 1 to %d printable ASCII characters.",
                   KEY_MAX);
        return;
    }
    digest(r, key, &row);
    int err = pst_keys_begin(store);
    if (err == 0)
        err = look_and_make(r, &row, make);
    if (err > 0)
        err = pst_keys_commit(store);
    else
        pst_keys_rollback(store);
    if (err < 0) {
        r->location[0] = r->etag[0] = '\0';
        admin_fail_err(r, err, NULL, pst_keys_why(store));
    }
}
