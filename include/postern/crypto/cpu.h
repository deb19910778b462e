/* SPDX-License-Identifier: Apache-2.0 */
/* What the processor has for the primitives. Any thread. */
#ifndef POSTERN_CRYPTO_CPU_H
#define POSTERN_CRYPTO_CPU_H

#include <stdbool.h>

/* Whether it has instructions for both halves of AES-GCM. Where it has not, tables are looked up by secrets.
 * *ret_names: what they are called there, static; written in either case. */
bool pst_cpu_has_aes(const char **ret_names);

#endif
