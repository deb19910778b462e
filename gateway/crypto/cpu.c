/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/crypto/cpu.h"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

bool pst_cpu_has_aes(const char **ret_names)
{
#if defined(__x86_64__)
    *ret_names = "AES-NI, PCLMULQDQ";
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
    *ret_names = "AES, PMULL";
    unsigned long caps = getauxval(AT_HWCAP);
    return (caps & HWCAP_AES) != 0 && (caps & HWCAP_PMULL) != 0;
#else
    *ret_names = "instructions for AES";
    return false;
#endif
}
