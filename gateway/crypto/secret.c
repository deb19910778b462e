/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/crypto/secret.h"

#include <string.h>

int pst_secret_set(struct pst_secret *secret, struct pst_str text)
{
    pst_secret_done(secret);
    if (text.len > PST_SECRET_MAX)
        return -PST_ELIMIT;
    if (text.len > 0)
        memcpy(secret->text, text.p, text.len);
    secret->len = text.len;
    return 0;
}

struct pst_str pst_secret_str(const struct pst_secret *secret)
{
    return (struct pst_str){secret->text, secret->len};
}

void pst_secret_done(struct pst_secret *secret)
{
    if (secret)
        pst_wipe(secret, sizeof(*secret));
}

void pst_wipe(void *memory, size_t len)
{
    explicit_bzero(memory, len);
}
