/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd responds to what it cannot parse by itself, with a page of HTML. Clients get our own response
 * instead, in the shape of all others. What exactly was wrong stands only in the page, which its log repeats
 * just before it is sent; it is picked up there. Where its wording is not known the status decides. */
#include "mhd_error.h"

#include "link.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *words;
    enum pst_error_id id;
} complaints[] = {
    {"both Transfer-Encoding", PST_ERROR_LENGTH_AND_CHUNKED},
    {"wrong value for <b>Content-Length", PST_ERROR_LENGTH_VALUE},
    {"too large value for <b>Content-Length", PST_ERROR_BODY_TOO_LARGE},
    {"Transfer-Encoding used in request is not supported", PST_ERROR_CODING_UNKNOWN},
    {"without <b>&quot;Host", PST_ERROR_HOST},
    {"empty header name", PST_ERROR_FIELD_NAME},
    {"before the first colon", PST_ERROR_FIELD_NAME},
    {"the chunk size line", PST_ERROR_BODY_MALFORMED},
};

void mhd_error_note(struct pst_front *front, const char *text)
{
    const char *body = strstr(text, "<body>");
    if (strncmp(text, "Error processing request", 24) != 0 || body == NULL)
        return;
    body += strlen("<body>");
    const char *end = strstr(body, "</body>");
    size_t len = end != NULL ? (size_t)(end - body) : strlen(body);
    pst_str_clip((struct pst_str){body, len}, front->mhd_complaint, sizeof(front->mhd_complaint));
    /* Having read too much, it decides to respond while it settles what to wait for, and then waits for an
     * event of its socket that a virtual socket does not have by itself. */
    if (front->reading != NULL)
        client_wake(front->reading);
}

static enum pst_error_id id_of(const struct client *client, unsigned status)
{
    for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
        if (strstr(client->front->mhd_complaint, complaints[i].words) != NULL)
            return complaints[i].id;
    }
    bool in_body = client->began;
    switch (status) {
    case 400:
        return in_body ? PST_ERROR_BODY_MALFORMED : PST_ERROR_MALFORMED;
    case 413:
        return PST_ERROR_BODY_TOO_LARGE;
    case 414:
        return PST_ERROR_TARGET_TOO_LONG;
    case 431:
        return PST_ERROR_HEAD_TOO_LARGE;
    case 501:
        return PST_ERROR_CODING_UNKNOWN;
    case 505:
        return PST_ERROR_HTTP_VERSION;
    default:
        return PST_ERROR_INTERNAL;
    }
}

/* The sentence of libmicrohttpd's that says what was malformed, unless it has markup in it. */
static struct pst_str detail_of(const struct pst_front *front, enum pst_error_id id)
{
    bool general = id == PST_ERROR_MALFORMED || id == PST_ERROR_BODY_MALFORMED;
    bool plain = strpbrk(front->mhd_complaint, "<>&") == NULL;
    return general && plain ? pst_str_of(front->mhd_complaint) : (struct pst_str){NULL, 0};
}

/* "HTTP/1.1 400 ..." */
static unsigned status_of(const char *data, size_t len)
{
    if (len < 12 || memcmp(data, "HTTP/1.", 7) != 0)
        return 0;
    return (unsigned)(data[9] - '0') * 100 + (unsigned)(data[10] - '0') * 10 + (unsigned)(data[11] - '0');
}

bool mhd_error_is_continue(const char *data, size_t len)
{
    return status_of(data, len) == 100;
}

enum pst_error_id mhd_error_take(struct client *client, const char *data, size_t len,
                                 struct pst_str *ret_detail)
{
    enum pst_error_id id = id_of(client, data != NULL ? status_of(data, len) : 400);
    *ret_detail = detail_of(client->front, id);
    return id;
}
