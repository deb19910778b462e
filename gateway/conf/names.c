/* SPDX-License-Identifier: Apache-2.0 */
/* A setting's name in its three spellings: max_headers, POSTERN_MAX_HEADERS, --max-headers. */
#include "postern/base/str.h"
#include "postern/conf/nearest.h"
#include "postern/conf/settings.h"

static bool same_name(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        char ca = *a == '-' ? '_' : pst_ascii_lower(*a), cb = *b == '-' ? '_' : pst_ascii_lower(*b);
        if (ca != cb)
            return false;
    }
    return *a == *b;
}

const struct pst_setting_def *pst_setting_find(const char *name)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        if (same_name(defs[i].name, name))
            return &defs[i];
    }
    return NULL;
}

const struct pst_setting_def *pst_setting_nearest(const char *name)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    struct pst_nearest nearest;
    pst_nearest_begin(&nearest, name);
    for (size_t i = 0; i < n; i++)
        pst_nearest_offer(&nearest, defs[i].name);
    return nearest.best != NULL ? pst_setting_find(nearest.best) : NULL;
}

void pst_setting_variable(const struct pst_setting_def *def, char text[static PST_SETTING_NAME_SIZE])
{
    size_t len = pst_str_clip(PST_STR("POSTERN_"), text, PST_SETTING_NAME_SIZE);
    pst_str_clip(pst_str_of(def->name), text + len, PST_SETTING_NAME_SIZE - len);
    for (char *c = text + len; *c != '\0'; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - ('a' - 'A'));
    }
}

void pst_setting_flag_name(const struct pst_setting_def *def, char text[static PST_SETTING_NAME_SIZE])
{
    size_t len = pst_str_clip(PST_STR("--"), text, PST_SETTING_NAME_SIZE);
    pst_str_clip(pst_str_of(def->name), text + len, PST_SETTING_NAME_SIZE - len);
    for (char *c = text + len; *c != '\0'; c++) {
        if (*c == '_')
            *c = '-';
    }
}
