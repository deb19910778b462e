/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/chunk.h"

#include "names.h"

/* A reader that never looks beyond what is there. */
struct reader {
    const char *at, *end;
};

static char peek(const struct reader *r)
{
    return r->at < r->end ? *r->at : '\0';
}

/* Blanks that the grammar allows only because they were sent in the past (RFC 9110 section 5.6.3). */
static void skip_blanks(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t')
        r->at++;
}

/* Whether something was read whole, is malformed, or ends with what is there. */
enum found { MALFORMED = -1, MORE, WHOLE };

static enum found missing(const struct reader *r)
{
    return r->at == r->end ? MORE : MALFORMED;
}

static enum found take_token(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && (http_bytes[(unsigned char)*r->at] & HTTP_TCHAR) != 0)
        r->at++;
    return r->at > start ? WHOLE : missing(r);
}

/* RFC 9110 section 5.6.4; HTTP_VALUE has what may stand in it. */
static enum found take_quoted(struct reader *r)
{
    for (r->at++; r->at < r->end; r->at++) {
        if (*r->at == '"') {
            r->at++;
            return WHOLE;
        }
        if (*r->at == '\\' && r->at + 1 < r->end)
            r->at++;
        if ((http_bytes[(unsigned char)*r->at] & HTTP_VALUE) == 0)
            return MALFORMED;
    }
    return MORE;
}

/* BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] */
static enum found take_extension(struct reader *r)
{
    skip_blanks(r);
    if (peek(r) != ';')
        return missing(r);
    r->at++;
    skip_blanks(r);
    enum found name = take_token(r);
    if (name != WHOLE)
        return name;
    struct reader behind = *r;
    skip_blanks(&behind);
    if (peek(&behind) != '=')
        return WHOLE;
    *r = behind;
    r->at++;
    skip_blanks(r);
    return peek(r) == '"' ? take_quoted(r) : take_token(r);
}

/* All of the line, with its CRLF. */
static enum found take_line(struct reader *r)
{
    enum found found = WHOLE;
    while (found == WHOLE && peek(r) != '\r')
        found = take_extension(r);
    if (found != WHOLE)
        return found;
    r->at++;
    if (peek(r) != '\n')
        return missing(r);
    r->at++;
    return WHOLE;
}

ssize_t pst_chunk_extensions(const char *line, size_t len, size_t *seen)
{
    struct reader r = {line, line + (len < PST_CHUNK_LINE_MAX ? len : PST_CHUNK_LINE_MAX)};
    enum found found = take_line(&r);
    size_t n = (size_t)(r.at - line);
    if (found == MORE && len < PST_CHUNK_LINE_MAX)
        return 0;
    if (found != WHOLE || n > PST_CHUNK_EXTENSIONS_MAX - *seen)
        return -1;
    *seen += n;
    return (ssize_t)n;
}
