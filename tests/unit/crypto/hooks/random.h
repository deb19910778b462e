/* SPDX-License-Identifier: Apache-2.0 */
/* Random inputs that can be had again: xorshift64*, its seed printed at the start and taken from
 * POSTERN_SEED. */
#ifndef POSTERN_TEST_CRYPTO_RANDOM_H
#define POSTERN_TEST_CRYPTO_RANDOM_H

#include "postern/base/num.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t random_state;

static inline void random_seed(void)
{
    const char *given = getenv("POSTERN_SEED");
    random_state = (uint64_t)time(NULL);
    if (given != NULL && pst_num_u64(pst_str_of(given), &random_state) < 0)
        abort();
    printf("# POSTERN_SEED=%llu\n", (unsigned long long)random_state);
    random_state = (random_state ^ UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

static inline uint64_t random_next(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline size_t random_below(size_t n)
{
    return (size_t)(random_next() >> 16) % n;
}

static inline void random_fill(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = random_next();
        memcpy(out + i, &word, len - i < 8 ? len - i : 8);
    }
}

/* How often a comparison is made: a hundredth under a sanitizer or valgrind (POSTERN_SLOW), which look for
 * other things. */
static inline size_t random_rounds(size_t rounds)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return rounds / 100;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return rounds / 100;
#else
    return getenv("POSTERN_SLOW") != NULL ? rounds / 1000 : rounds;
#endif
#else
    return getenv("POSTERN_SLOW") != NULL ? rounds / 1000 : rounds;
#endif
}

#endif
