/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in text: the one place where integers, sizes, durations and hex are parsed. The whole slice
 * must be the number: no sign where none is asked for, no blanks, no overflow. Any thread. */
#ifndef POSTERN_BASE_NUM_H
#define POSTERN_BASE_NUM_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdint.h>

/* 0, -PST_EPARSE (not a number) or -PST_ELIMIT (more than 64 bits). */
int pst_num_u64(struct pst_str s, uint64_t *ret_value) PST_MUSTCHECK;
int pst_num_i64(struct pst_str s, int64_t *ret_value) PST_MUSTCHECK;
/* Hexadecimal without prefix, at most 16 digits. */
int pst_num_hex64(struct pst_str s, uint64_t *ret_value) PST_MUSTCHECK;
/* Bytes: a number with an optional unit B, K, KiB, M, MiB, G, GiB (powers of 1024, any case). */
int pst_num_bytes(struct pst_str s, uint64_t *ret_bytes) PST_MUSTCHECK;
/* A duration: a number with unit ms, s, m, h or d; a bare number counts as `bare_unit_ms` ms each. */
int pst_num_duration_ms(struct pst_str s, uint64_t bare_unit_ms, uint64_t *ret_ms) PST_MUSTCHECK;
/* Lower-case hex of `len` bytes into out[2 * len + 1], terminated. */
void pst_hex_encode(const uint8_t *data, size_t len, char *out);
/* Decodes exactly `len` bytes: 0 or -PST_EPARSE. */
int pst_hex_decode(struct pst_str s, uint8_t *out, size_t len) PST_MUSTCHECK;
/* Decimal digits of `value` into out (not terminated); returns their count. */
#define PST_U64_TEXT_MAX 20
size_t pst_u64_format(uint64_t value, char out[static PST_U64_TEXT_MAX]);

#endif
