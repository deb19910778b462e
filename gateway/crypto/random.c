/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/crypto/random.h"

#include "postern/crypto/secret.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

int pst_random_bytes(void *out, size_t len)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -PST_EIO;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int pst_random_text(char *out, size_t len, const char *alphabet, size_t n_letters)
{
    if (n_letters < 2 || n_letters > 256)
        return -PST_EINVAL;
    /* The largest multiple of n_letters that fits a byte: below it every letter has as many byte values as
     * every other, above it the values are thrown away. */
    unsigned limit = 256 - 256 % (unsigned)n_letters;
    uint8_t pool[64];
    size_t done = 0;
    int err = 0;
    while (done < len && err == 0) {
        err = pst_random_bytes(pool, sizeof(pool));
        for (size_t i = 0; err == 0 && i < sizeof(pool) && done < len; i++) {
            if (pool[i] < limit)
                out[done++] = alphabet[pool[i] % n_letters];
        }
    }
    pst_wipe(pool, sizeof(pool));
    return err;
}
