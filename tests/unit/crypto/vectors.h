/* SPDX-License-Identifier: Apache-2.0 */
/* Wycheproof's test vectors, as they are in tests/vectors. A file that is missing or cannot be parsed fails
 * the test. */
#ifndef POSTERN_TEST_CRYPTO_VECTORS_H
#define POSTERN_TEST_CRYPTO_VECTORS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* One vector; `result` is "valid", "acceptable" or "invalid". */
typedef void vectors_visit(const json_t *group, const json_t *test, const char *result);

/* A whole file: "testGroups", each with its "tests". Never NULL; to be released with json_decref(). */
json_t *vectors_load(const char *file);

/* Visits every case of a file, and fails when there are fewer than the file says. */
void vectors_each(const char *file, vectors_visit *visit);

const char *vectors_text(const json_t *object, const char *name);
/* Hexadecimal digits of a field, in memory of its own, exactly as large (so that a sanitizer sees each step
 * outside); never NULL. To be freed. */
uint8_t *vectors_bytes(const json_t *object, const char *name, size_t *ret_len);
/* Fails naming the vector. */
void vectors_fail(const json_t *test, const char *what);

#endif
