/* SPDX-License-Identifier: Apache-2.0 */
/* The extensions behind a chunk's size (RFC 9112 section 7.1.1), which a recipient must ignore. They are read
 * by their grammar, strictly: where a line ends must not depend on who reads it. Pure functions, any thread.
 */
#ifndef POSTERN_HTTP_CHUNK_H
#define POSTERN_HTTP_CHUNK_H

#include <stddef.h>
#include <sys/types.h>

/* Bytes of extensions behind one size, and in all of one request's body: nobody needs more. */
#define PST_CHUNK_LINE_MAX       4096
#define PST_CHUNK_EXTENSIONS_MAX 65536

/* Reads what follows a chunk size's digits, `len` bytes so far: extensions and the CRLF that ends the line.
 * Returns their length, 0 when more must come to tell, or -1 when the line is malformed or too long. *seen is
 * how much of extensions the body had so far; it is counted up when the line is whole.
 *
 * libmicrohttpd calls it (tools/patches), so its prototype stands there, too. */
ssize_t pst_chunk_extensions(const char *line, size_t len, size_t *seen);

#endif
