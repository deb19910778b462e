/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "postern/crypto/cpu.h"
#include "postern/crypto/engine.h"

#include <gmp.h>
#include <nettle/version.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char described[256] = "not chosen yet";

static void *gmp_alloc(size_t size)
{
    void *p = malloc(size);
    if (p == NULL)
        abort(); /* GMP's own way: it has no other */
    return p;
}

static void gmp_wipe(void *p, size_t size)
{
    explicit_bzero(p, size);
    free(p);
}

static void *gmp_resize(void *p, size_t old_size, size_t new_size)
{
    void *to = gmp_alloc(new_size);
    memcpy(to, p, old_size < new_size ? old_size : new_size);
    gmp_wipe(p, old_size);
    return to;
}

static void describe(const char *aead)
{
    snprintf(described, sizeof(described),
             "AEAD by %s; P-256, P-384, X25519, RSA by hogweed %d.%d and GMP %s; SHA-2 by nettle %d.%d", aead,
             NETTLE_VERSION_MAJOR, NETTLE_VERSION_MINOR, gmp_version, nettle_version_major(),
             nettle_version_minor());
}

/* nettle chooses by the processor, too, each time it is loaded; only its own variable leads it elsewhere. */
static void describe_portable(void)
{
    char aead[128];
    const char *names, *forced = secure_getenv("NETTLE_FAT_OVERRIDE");
    bool has_aes = pst_cpu_has_aes(&names);
    snprintf(aead, sizeof(aead), "nettle %d.%d (%s%.40s)", nettle_version_major(), nettle_version_minor(),
             forced != NULL ? "NETTLE_FAT_OVERRIDE="
             : has_aes      ? names
                            : "no AES instructions: AES-GCM by table look-ups",
             forced != NULL ? forced : "");
    describe(aead);
}

#if defined(POSTERN_HAVE_IPSEC_MB)
IMB_MGR *engine_ipsec_mb;

static const char *arch_text(IMB_ARCH arch, uint64_t features)
{
    switch (arch) {
    case IMB_ARCH_AVX512:
        return (features & IMB_FEATURE_VAES) != 0 ? "VAES, AVX-512" : "AVX-512";
    case IMB_ARCH_AVX2:
        return "AVX2";
    case IMB_ARCH_SSE:
        return "SSE";
    default:
        return "AVX"; /* which version 2 has no name for any more */
    }
}

/* Without AES-NI its functions are slower than others'. */
static bool start_ipsec_mb(void)
{
    IMB_ARCH arch;
    IMB_MGR *manager = alloc_mb_mgr(0);
    if (manager == NULL)
        return false;
    init_mb_mgr_auto(manager, &arch);
    if (imb_get_errno(manager) != 0 || (manager->features & IMB_FEATURE_AESNI) == 0 ||
        (manager->features & IMB_FEATURE_PCLMULQDQ) == 0) {
        free_mb_mgr(manager);
        return false;
    }
    char aead[64];
    snprintf(aead, sizeof(aead), "libipsec-mb %s (%s)", imb_get_version_str(),
             arch_text(arch, manager->features));
    describe(aead);
    engine_ipsec_mb = manager;
    return true;
}

void pst_crypto_portable(void)
{
    if (engine_ipsec_mb != NULL)
        free_mb_mgr(engine_ipsec_mb);
    engine_ipsec_mb = NULL;
    describe_portable();
}
#else
static bool start_ipsec_mb(void)
{
    return false;
}

void pst_crypto_portable(void)
{
    describe_portable();
}
#endif

int pst_crypto_init(void)
{
    static bool done;
    if (done)
        return 0;
    done = true;
    mp_set_memory_functions(gmp_alloc, gmp_resize, gmp_wipe);
    if (!start_ipsec_mb())
        describe_portable();
    return 0;
}

const char *pst_crypto_describe(void)
{
    return described;
}
