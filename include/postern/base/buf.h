/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer with a hard bound: bytes are appended at the end and consumed at the front.
 * An append that fails (bound or memory) leaves the content as it was and marks the buffer, so that
 * a run of appends can be checked once, with pst_buf_failed(). Not shared between threads. */
#ifndef POSTERN_BASE_BUF_H
#define POSTERN_BASE_BUF_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pst_buf {
    char *data;
    size_t start; /* first byte not consumed */
    size_t end;   /* one past the last byte */
    size_t cap;
    size_t max; /* bound of `end - start`, bytes */
    bool failed;
};

/* `max_bytes` bounds what the buffer holds at a time. Allocates nothing. */
void pst_buf_init(struct pst_buf *buf, size_t max_bytes);
/* Frees the memory; the buffer can be used again. */
void pst_buf_done(struct pst_buf *buf);
/* Empties it, keeps its memory, clears the failed mark. */
void pst_buf_reset(struct pst_buf *buf);
/* Wipes what it ever held, then pst_buf_done(). For secrets. */
void pst_buf_wipe(struct pst_buf *buf);

static inline size_t pst_buf_len(const struct pst_buf *buf)
{
    return buf->end - buf->start;
}
/* NULL when nothing was ever appended. */
static inline const char *pst_buf_front(const struct pst_buf *buf)
{
    return buf->data != NULL ? buf->data + buf->start : NULL;
}
static inline bool pst_buf_failed(const struct pst_buf *buf)
{
    return buf->failed;
}
static inline struct pst_str pst_buf_str(const struct pst_buf *buf)
{
    return (struct pst_str){pst_buf_front(buf), buf->end - buf->start};
}

/* Makes room for `n` more bytes behind `end`: 0, -PST_ELIMIT or -PST_ENOMEM. */
int pst_buf_reserve(struct pst_buf *buf, size_t n) PST_MUSTCHECK;
/* All return 0, -PST_ELIMIT or -PST_ENOMEM, and mark the buffer on failure. */
int pst_buf_add(struct pst_buf *buf, const void *data, size_t len);
int pst_buf_add_str(struct pst_buf *buf, struct pst_str s);
int pst_buf_add_cstr(struct pst_buf *buf, const char *s);
int pst_buf_add_char(struct pst_buf *buf, char c);
int pst_buf_add_u64(struct pst_buf *buf, uint64_t value);
int pst_buf_printf(struct pst_buf *buf, const char *fmt, ...) PST_PRINTF(2, 3);
int pst_buf_vprintf(struct pst_buf *buf, const char *fmt, va_list args) PST_PRINTF(2, 0);
/* Appends `s` as the inside of a JSON string (RFC 8259 section 7), without the quotes. Bytes that are
 * not valid UTF-8 become U+FFFD; control characters are escaped, those of U+0080 to U+009F too, which some
 * terminals obey. */
int pst_buf_add_json(struct pst_buf *buf, struct pst_str s);
/* Appends `s` as the end of a line of text for people: as above, but quotes stay, since nothing around the
 * text gives them a meaning. Backslashes are escaped, so that escapes can be told from what was there. */
int pst_buf_add_line(struct pst_buf *buf, struct pst_str s);
/* Adds a NUL behind the content without counting it; returns the content as a C string, or NULL. */
char *pst_buf_cstr(struct pst_buf *buf);
/* Takes `n` bytes (at most what is there) off the front. */
void pst_buf_consume(struct pst_buf *buf, size_t n);

#endif
