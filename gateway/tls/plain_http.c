/* SPDX-License-Identifier: Apache-2.0 */
/* Plain HTTP on a port of TLS: http:// was written for https://. Browsers and curl show what the server says,
 * while of an alert they show noise; so the response is plain HTTP, too, and the connection is closed. */
#include "internal.h"

#include <string.h>

/* What a TLS record can never begin with: its first byte is below 64. */
#define HEAD_BYTES 5

#define BODY                                                                                                 \
    "{\"error\":{\"code\":\"HttpsRequired\",\"message\":\"This port expects HTTPS, and the request is "      \
    "plain HTTP. "                                                                                           \
    "Use https:// instead of http://.\"}}"
#define HEAD                                                                                                 \
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"              \
    "Content-Length: 135\r\nConnection: close\r\n\r\n"
_Static_assert(sizeof(BODY) - 1 == 135, "the Content-Length");

static const char *const beginnings[] = {"GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET",
                                         "OPTIO", "TRACE", "CONNE", "PRI *", "GET h", "PUT h"};

bool tls_plain_http(const struct tls_intake *intake)
{
    if (intake->open || intake->head == NULL || intake->fruitless != HEAD_BYTES)
        return false;
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        if (memcmp(intake->head, beginnings[i], HEAD_BYTES) == 0)
            return true;
    }
    return false;
}

struct pst_str tls_plain_http_response(const struct tls_intake *intake)
{
    bool to_head = memcmp(intake->head, "HEAD ", HEAD_BYTES) == 0;
    return to_head ? PST_STR(HEAD) : PST_STR(HEAD BODY);
}
