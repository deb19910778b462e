/* SPDX-License-Identifier: Apache-2.0 */
/* Four bytes of a word are worked on at a time, with the same steps whatever they are. It takes one or two
 * microseconds a key, and a handshake has some six keys. */
#include "aes_key.h"

#define EACH(byte) (UINT32_C(0x01010101) * (byte))
#define REDUCTION  0x1b /* x^8 is x^4 + x^3 + x + 1 */

/* The products of four pairs of elements of GF(2^8) (section 4.2). */
static uint32_t times(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (int i = 0; i < 8; i++) {
        product ^= (b >> i & EACH(1)) * 0xff & a;
        a = (a & EACH(0x7f)) << 1 ^ (a >> 7 & EACH(1)) * REDUCTION;
    }
    return product;
}

/* The square of a sum is the sum of the squares: of x^0, x^1, … x^7. */
static uint32_t square(uint32_t a)
{
    static const uint8_t squares[] = {0x01, 0x04, 0x10, 0x40, 0x1b, 0x6c, 0xab, 0x9a};
    uint32_t sum = 0;
    for (unsigned i = 0; i < sizeof(squares); i++)
        sum ^= (a >> i & EACH(1)) * squares[i];
    return sum;
}

/* Their inverses, and 0 of 0: the 254th powers. */
static uint32_t invert(uint32_t a)
{
    uint32_t a2 = square(a), a3 = times(a2, a);
    uint32_t a12 = square(square(a3)), a15 = times(a12, a3);
    uint32_t a240 = square(square(square(square(a15))));
    return times(times(a240, a12), a2);
}

static uint32_t rotate_bytes(uint32_t a, unsigned n)
{
    return (a << n & EACH(0xffu << n & 0xff)) | (a >> (8 - n) & EACH(0xffu >> (8 - n)));
}

/* SubWord(): the S-box of each byte (section 5.1.1). */
static uint32_t substitute(uint32_t a)
{
    uint32_t b = invert(a);
    return b ^ rotate_bytes(b, 1) ^ rotate_bytes(b, 2) ^ rotate_bytes(b, 3) ^ rotate_bytes(b, 4) ^ EACH(0x63);
}

static uint32_t take_word(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void aes_expand_key(const uint8_t *key, size_t key_bytes, uint32_t *words)
{
    size_t n = key_bytes / 4, n_words = 4 * (n + 7);
    uint32_t round = 1;
    for (size_t i = 0; i < n; i++)
        words[i] = take_word(key + 4 * i);
    for (size_t i = n; i < n_words; i++) {
        uint32_t word = words[i - 1];
        if (i % n == 0) {
            word = substitute(word >> 8 | word << 24) ^ round;
            round = times(round, 2);
        } else if (n == 8 && i % n == 4) {
            word = substitute(word);
        }
        words[i] = words[i - n] ^ word;
    }
}
