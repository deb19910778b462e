/* SPDX-License-Identifier: Apache-2.0 */
#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void findings_add(void *arg, bool warning, const char *text)
{
    struct findings *findings = arg;
    char *copy = findings->n < FINDINGS_MAX ? strdup(text) : NULL;
    findings->problems += !warning;
    findings->warnings += warning;
    if (copy == NULL)
        return;
    findings->at[findings->n].text = copy;
    findings->at[findings->n++].warning = warning;
}

void findings_about(struct findings *findings, bool warning, const struct pst_settings *settings,
                    const char *setting, const char *fmt, ...)
{
    char place[PST_SETTING_PLACE_SIZE], sentence[1024], text[PST_SETTING_PLACE_SIZE + sizeof(sentence) + 2];
    va_list args;
    pst_setting_place(settings, pst_setting_find(setting), place, sizeof(place));
    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);
    snprintf(text, sizeof(text), "%s: %s", place, sentence);
    findings_add(findings, warning, text);
}

void findings_print(const struct findings *findings)
{
    for (size_t i = 0; i < findings->n; i++)
        fprintf(stderr, "%s%s\n", findings->at[i].warning ? "warning: " : "", findings->at[i].text);
    if (findings->problems > 0)
        fprintf(stderr, "%u problem%s found\n", findings->problems, findings->problems > 1 ? "s" : "");
}

json_t *findings_json(const struct findings *findings)
{
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < findings->n; i++)
        json_array_append_new(
            array, json_pack("{s:b, s:s}", "warning", findings->at[i].warning, "text", findings->at[i].text));
    return array;
}

void findings_done(struct findings *findings)
{
    for (size_t i = 0; i < findings->n; i++)
        free(findings->at[i].text);
    findings->n = 0;
}
