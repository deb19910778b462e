/* SPDX-License-Identifier: Apache-2.0 */
/* The diagnostic log on standard error, one line per event, as text or JSON. What a peer sent is
 * escaped; secrets never come here. Any thread; a line is written with one write(2). The access log is
 * another thing (usage/access_log.h). */
#ifndef POSTERN_BASE_LOG_H
#define POSTERN_BASE_LOG_H

#include "postern/base/err.h"

#include <stdbool.h>

enum pst_log_level { PST_LOG_ERROR, PST_LOG_WARNING, PST_LOG_INFO, PST_LOG_DEBUG };
enum pst_log_format { PST_LOG_TEXT, PST_LOG_JSON };

/* Before threads start, or at any time later: both are single atomic stores. */
void pst_log_setup(enum pst_log_level level, enum pst_log_format format);
bool pst_log_wants(enum pst_log_level level);
/* `module` is the folder or file speaking ("tls", "usage"); the text has no newline at its end. */
void pst_log(enum pst_log_level level, const char *module, const char *fmt, ...) PST_PRINTF(3, 4);

#define pst_error(module, ...) pst_log(PST_LOG_ERROR, module, __VA_ARGS__)
#define pst_warn(module, ...)  pst_log(PST_LOG_WARNING, module, __VA_ARGS__)
#define pst_info(module, ...)  pst_log(PST_LOG_INFO, module, __VA_ARGS__)
#define pst_debug(module, ...)                                                                               \
    do {                                                                                                     \
        if (pst_log_wants(PST_LOG_DEBUG))                                                                    \
            pst_log(PST_LOG_DEBUG, module, __VA_ARGS__);                                                     \
    } while (0)

#endif
