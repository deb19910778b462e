/* SPDX-License-Identifier: Apache-2.0 */
/* What `postern check` found, gathered so that it can be told as lines or as JSON. Private to cmd. */
#ifndef POSTERN_CMD_FINDINGS_H
#define POSTERN_CMD_FINDINGS_H

#include "postern/conf/settings.h"

#include <jansson.h>

/* More are counted, but not kept. */
#define FINDINGS_MAX 256

struct findings {
    struct {
        char *text;
        bool warning;
    } at[FINDINGS_MAX];
    size_t n;
    unsigned problems;
    unsigned warnings;
};

/* Copies `text`. Has the form of pst_settings_problem_cb, `arg` is the findings. */
void findings_add(void *arg, bool warning, const char *text);
/* About a setting's value, with its place in front. */
void findings_about(struct findings *findings, bool warning, const struct pst_settings *settings,
                    const char *setting, const char *fmt, ...) PST_PRINTF(5, 6);
/* One a line on standard error, then how many. */
void findings_print(const struct findings *findings);
/* An array; NULL without memory. */
json_t *findings_json(const struct findings *findings);
void findings_done(struct findings *findings);

#endif
