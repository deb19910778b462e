/* SPDX-License-Identifier: Apache-2.0 */
/* The vector engine, as the hooks see it. */
#ifndef POSTERN_CRYPTO_HOOKS_ENGINE_H
#define POSTERN_CRYPTO_HOOKS_ENGINE_H

#if defined(POSTERN_HAVE_IPSEC_MB)
#include <intel-ipsec-mb.h>
/* NULL when the processor is not for it. Only its direct functions are used, which read it and write nothing
 * of it but an error number nobody looks at: so threads share one. */
extern IMB_MGR *engine_ipsec_mb;
#endif

#endif
