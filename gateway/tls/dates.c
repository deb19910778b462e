/* SPDX-License-Identifier: Apache-2.0 */
/* What the dates of our own certificates mean. They are served whatever they say. */
#include "internal.h"
#include "postern/base/clock.h"

#include <stdio.h>

#define SOON_US (INT64_C(86400) * 1000000 * PST_TLS_SOON_DAYS)

static const char *const names[] = {
    [PST_TLS_DATES_GOOD] = "valid",
    [PST_TLS_DATES_SOON] = "expires_soon",
    [PST_TLS_DATES_EARLY] = "not_yet_valid",
    [PST_TLS_DATES_EXPIRED] = "expired",
};

const char *pst_tls_dates_name(enum pst_tls_dates dates)
{
    return names[dates];
}

enum pst_tls_dates pst_tls_dates_at(int64_t not_before_us, int64_t not_after_us, int64_t now_us)
{
    if (not_after_us <= now_us)
        return PST_TLS_DATES_EXPIRED;
    if (not_before_us > now_us)
        return PST_TLS_DATES_EARLY;
    return not_after_us - now_us < SOON_US ? PST_TLS_DATES_SOON : PST_TLS_DATES_GOOD;
}

void tls_dates_text(const struct tls_pem_pair *pem, enum pst_tls_dates dates, char *text, size_t size)
{
    static const struct {
        const char *before_when, *after_when;
    } words[] = {
        [PST_TLS_DATES_GOOD] = {"is valid now, until", ""},
        [PST_TLS_DATES_SOON] = {"expires soon, at", "; renew it"},
        [PST_TLS_DATES_EARLY] = {"is not valid before", ", and clients reject it until then; is this "
                                                        "machine's clock right?"},
        [PST_TLS_DATES_EXPIRED] = {"expired at", ", and clients reject it; renew it"},
    };
    char when[PST_TIME_TEXT_SIZE];
    pst_time_format(dates == PST_TLS_DATES_EARLY ? pem->not_before_us : pem->not_after_us, when);
    snprintf(text, size, "%s: the certificate %s %s%s", pem->certificate_path, words[dates].before_when, when,
             words[dates].after_when);
}

enum pst_tls_dates pst_tls_material_dates(const struct pst_tls_material *material, int64_t now_us)
{
    enum pst_tls_dates worst = PST_TLS_DATES_GOOD;
    for (const struct tls_pem_pair *pem = material->pairs; pem != NULL; pem = pem->next) {
        enum pst_tls_dates dates = pst_tls_dates_at(pem->not_before_us, pem->not_after_us, now_us);
        worst = dates > worst ? dates : worst;
    }
    return worst;
}

int64_t pst_tls_material_not_after_us(const struct pst_tls_material *material)
{
    int64_t first = INT64_MAX;
    for (const struct tls_pem_pair *pem = material->pairs; pem != NULL; pem = pem->next)
        first = pem->not_after_us < first ? pem->not_after_us : first;
    return first;
}

int64_t pst_tls_material_not_before_us(const struct pst_tls_material *material)
{
    int64_t last = INT64_MIN;
    for (const struct tls_pem_pair *pem = material->pairs; pem != NULL; pem = pem->next)
        last = pem->not_before_us > last ? pem->not_before_us : last;
    return last;
}

void pst_tls_material_tell_dates(const struct pst_tls_material *material, int64_t before_us, int64_t now_us,
                                 pst_tls_dates_cb *tell, void *arg)
{
    for (const struct tls_pem_pair *pem = material->pairs; pem != NULL; pem = pem->next) {
        enum pst_tls_dates was = pst_tls_dates_at(pem->not_before_us, pem->not_after_us, before_us);
        enum pst_tls_dates is = pst_tls_dates_at(pem->not_before_us, pem->not_after_us, now_us);
        char text[1024];
        if (was == is)
            continue;
        tls_dates_text(pem, is, text, sizeof(text));
        tell(arg, is, text);
    }
}
