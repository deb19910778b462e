/* SPDX-License-Identifier: Apache-2.0 */
/* -Dcrypto=stock: nothing is hooked. */
#include "postern/crypto/engine.h"

int pst_crypto_init(void)
{
    return 0;
}

void pst_crypto_portable(void)
{
}

const char *pst_crypto_describe(void)
{
    return "all by mbedTLS (built with -Dcrypto=stock)";
}
