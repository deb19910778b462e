/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/wrong_credentials.h"

#include <string.h>

bool pst_wrong_credentials_add(struct pst_wrong_credentials *table,
                               const uint8_t digest[static PST_SHA256_BYTES], int64_t now_us)
{
    uint32_t place;
    memcpy(&place, digest, sizeof(place));
    place %= PST_WRONG_PLACES;
    bool repeats = table->at[place].n > 0 && table->at[place].n < PST_WRONG_REPEATS &&
                   now_us - table->at[place].last_us <= PST_WRONG_TOGETHER_US &&
                   memcmp(table->at[place].digest, digest, PST_SHA256_BYTES) == 0;
    if (!repeats)
        memcpy(table->at[place].digest, digest, PST_SHA256_BYTES);
    table->at[place].n = repeats ? table->at[place].n + 1 : 1;
    table->at[place].last_us = now_us;
    return !repeats;
}
