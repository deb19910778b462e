/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 and base62, for the checksum at the end of a key: they find typing errors, they protect
 * nothing. Any thread. */
#ifndef POSTERN_CRYPTO_CHECKSUM_H
#define POSTERN_CRYPTO_CHECKSUM_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* "0-9A-Za-z": 62 characters in ASCII order, so that numbers of one width sort as their texts do. */
extern const char pst_base62_alphabet[62];

/* CRC-32 as in zlib, PNG and Ethernet (polynomial 0x04c11db7, reflected). What it runs over may be secret:
 * each look-up stays within one cache line, so which lines were touched says nothing about it. */
uint32_t pst_crc32(const void *data, size_t len);

#define PST_BASE62_CRC_LEN 6 /* 62^6 > 2^32 */

/* The number in base62, most significant digit first, padded with '0'; not terminated. */
void pst_base62_u32(uint32_t value, char text[static PST_BASE62_CRC_LEN]);
bool pst_base62_is_digit(char c);

#endif
