/* SPDX-License-Identifier: Apache-2.0 */
/* Slices: a pointer and a length, not owned, not NUL-terminated. They live as long as what they
 * point into. Any thread. */
#ifndef POSTERN_BASE_STR_H
#define POSTERN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct pst_str {
    const char *p;
    size_t len;
};

#define PST_STR(literal) ((struct pst_str){(literal), sizeof(literal) - 1})
#define PST_STR_FMT      "%.*s"
#define PST_STR_ARG(s)   (int)(s).len, (s).p

/* NULL becomes the empty slice. */
struct pst_str pst_str_of(const char *cstr);
bool pst_str_eq(struct pst_str a, struct pst_str b);
/* ASCII letters compare without case; other bytes as they are. */
bool pst_str_ieq(struct pst_str a, struct pst_str b);
bool pst_str_starts(struct pst_str s, struct pst_str prefix);
bool pst_str_istarts(struct pst_str s, struct pst_str prefix);
bool pst_str_ends(struct pst_str s, struct pst_str suffix);
bool pst_str_iends(struct pst_str s, struct pst_str suffix);
/* The slice without `n` bytes at its front (all of them when it is shorter). */
struct pst_str pst_str_skip(struct pst_str s, size_t n);
/* Without spaces and tabs at both ends (RFC 9110 section 5.6.3, OWS). */
struct pst_str pst_str_trim(struct pst_str s);
/* Without white space at both ends, ends of lines included: what people and tools leave around a value. */
struct pst_str pst_str_strip(struct pst_str s);
/* Likewise for the content of a text file, which may begin with a byte order mark. */
struct pst_str pst_str_strip_file(struct pst_str s);
/* Splits at the first `sep`: the part before is returned, `*rest` is set to what follows it.
 * Without a separator all is returned and *rest is empty with a NULL pointer. */
struct pst_str pst_str_cut(struct pst_str s, char sep, struct pst_str *rest);
/* Index of the first `c`, or -1. */
ptrdiff_t pst_str_find(struct pst_str s, char c);
/* Copies into dst and terminates it. Returns the length, or -PST_ELIMIT when it does not fit
 * (dst is then the empty string). */
int pst_str_copy(struct pst_str s, char *dst, size_t dst_size);
/* Copies what fits and always terminates; returns the length copied. For logs and fixed fields. */
size_t pst_str_clip(struct pst_str s, char *dst, size_t dst_size);
/* Lower-case ASCII. */
char pst_ascii_lower(char c);

#endif
