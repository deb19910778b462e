/* SPDX-License-Identifier: Apache-2.0 */
/* How many wrong credentials were tried, each counted once: an SDK that is refused repeats its call up to
 * five times by itself, with the same credential, and that is one mistake and not five. For counters now, for
 * locking somebody out later.
 *
 * Of fixed size: what is pushed out by others is counted again. Belongs to one worker. */
#ifndef POSTERN_AUTH_WRONG_CREDENTIALS_H
#define POSTERN_AUTH_WRONG_CREDENTIALS_H

#include "postern/crypto/hash.h"

#include <stdbool.h>
#include <stdint.h>

#define PST_WRONG_PLACES      512
#define PST_WRONG_REPEATS     5                       /* the first call and its repeats */
#define PST_WRONG_TOGETHER_US (INT64_C(60) * 1000000) /* between one and the next */

struct pst_wrong_credentials {
    struct {
        uint8_t digest[PST_SHA256_BYTES];
        int64_t last_us;
        unsigned n; /* 0: free */
    } at[PST_WRONG_PLACES];
};

/* One more that was refused. `digest` is of who tried what: address and credential. True when it counts,
 * false when it repeats one that was counted. `now_us` on the monotonic clock. */
bool pst_wrong_credentials_add(struct pst_wrong_credentials *table,
                               const uint8_t digest[static PST_SHA256_BYTES], int64_t now_us) PST_MUSTCHECK;

#endif
