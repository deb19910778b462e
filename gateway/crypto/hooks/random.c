/* SPDX-License-Identifier: Apache-2.0 */
/* PSA's randomness: the kernel's, with no state and no lock between threads. */
#include "postern/crypto/random.h"

#include <psa/crypto.h>

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context, uint8_t *output,
                                             size_t output_size, size_t *output_length)
{
    (void)context;
    if (pst_random_bytes(output, output_size) < 0)
        return PSA_ERROR_INSUFFICIENT_ENTROPY;
    *output_length = output_size;
    return PSA_SUCCESS;
}
