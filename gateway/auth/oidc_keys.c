/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the issuers' keys fresh, on a thread of its own: fetching may take seconds. */
#include "oidc_private.h"

#include "postern/auth/issuer_keys.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"

#include <stdlib.h>

#define TICK_US 250000
/* A kid that is not known has new keys fetched no more often than this: a token signed with a new key may
 * have to wait as long, and somebody who makes kids up cannot make more of us than this. */
#define WANTED_US 10000000
/* After a failure: 2 s, 4 s, 8 s … 5 minutes. */
#define RETRY_FIRST_US 2000000
#define RETRY_LAST_US  300000000
#define FILE_LOOK_US   1000000
#define S_US           UINT64_C(1000000)
/* Of one document; the end of the gateway waits for no longer than two of them. */
#define FETCH_TIMEOUT_MS 5000

/* Old sets */

static bool is_read(const struct pst_oidc *oidc, const struct keyset *set)
{
    for (unsigned i = 0; i < oidc->options.n_readers; i++) {
        if (atomic_load(&oidc->readers[i].reads) == set)
            return true;
    }
    return false;
}

static void free_set(struct keyset *set)
{
    if (set)
        pst_jwks_free(set->jwks);
    free(set);
}

static void free_retired(struct pst_oidc *oidc)
{
    for (struct keyset **at = &oidc->retired; *at;) {
        struct keyset *set = *at;
        if (is_read(oidc, set)) {
            at = &set->next_retired;
            continue;
        }
        *at = set->next_retired;
        free_set(set);
    }
}

/* New sets */

static void publish(struct pst_oidc *oidc, struct key_source *source, struct keyset *set)
{
    set->generation = atomic_load(&source->generation) + 1;
    struct keyset *old = atomic_exchange(&source->set, set);
    atomic_store(&source->generation, set->generation);
    if (old) {
        old->next_retired = oidc->retired;
        oidc->retired = old;
    }
}

/* Takes in a set's text, which may be the one that is known. */
static int adopt(struct pst_oidc *oidc, struct key_source *source, struct pst_str text, struct pst_why *why)
{
    const struct keyset *known = atomic_load(&source->set);
    struct keyset *set = calloc(1, sizeof(*set));
    if (!set)
        return pst_why_set(why, -PST_ENOMEM, NULL, "out of memory");
    pst_sha256(text.p, text.len, set->digest);
    if (known && memcmp(known->digest, set->digest, sizeof(set->digest)) == 0) {
        free(set);
        return 0;
    }
    int err = pst_jwks_parse(text, &source->issuer->algorithms, &set->jwks, why);
    if (err < 0) {
        free(set);
        return err;
    }
    pst_info("auth", "issuer " PST_STR_FMT ": %zu key(s) from %s%s%s", PST_STR_ARG(source->issuer->name),
             set->jwks->n, source->issuer->jwks, set->jwks->n_skipped > 0 ? "; left out: " : "", why->text);
    publish(oidc, source, set);
    return 0;
}

/* How long what was fetched is good for: what the issuer says, within our own bounds. */
static uint64_t fresh_us(const struct key_source *source, int64_t max_age_s)
{
    uint64_t most_s = source->issuer->refresh_s, least_s = 60;
    if (max_age_s < 0 || (uint64_t)max_age_s > most_s)
        return most_s * S_US;
    return ((uint64_t)max_age_s < least_s ? least_s : (uint64_t)max_age_s) * S_US;
}

/* Reads them anew. */
static int renew(struct pst_oidc *oidc, struct key_source *source, uint64_t *ret_fresh_us,
                 struct pst_why *why)
{
    const struct pst_issuer_keys_options options = {
        .ca_file = oidc->options.ca_file,
        .proxy = oidc->options.proxy,
        .timeout_ms = FETCH_TIMEOUT_MS,
    };
    struct pst_buf text;
    int64_t max_age_s;
    pst_buf_init(&text, PST_JWKS_BYTES_MAX + 1);
    int err = pst_issuer_keys_read(source->issuer, &options, &text, &max_age_s, why);
    if (err == 0) {
        err = adopt(oidc, source, pst_buf_str(&text), why);
        *ret_fresh_us = fresh_us(source, max_age_s);
    }
    pst_buf_done(&text);
    return err;
}

/* When */

static uint64_t retry_us(unsigned failures)
{
    uint64_t wait = RETRY_FIRST_US;
    while (failures-- > 1 && wait < RETRY_LAST_US)
        wait *= 2;
    return wait < RETRY_LAST_US ? wait : RETRY_LAST_US;
}

/* The first failure of a row is told, and the recovery. */
static void note_outcome(struct key_source *source, int err, const struct pst_why *why)
{
    struct pst_str name = source->issuer->name;
    const char *known =
        atomic_load(&source->set) ? "those known stay in use" : "its tokens cannot be checked";
    if (err < 0 && source->failures++ == 0)
        pst_warn("auth", "issuer " PST_STR_FMT ": no new keys (%s); %s", PST_STR_ARG(name), why->text, known);
    else if (err < 0)
        pst_debug("auth", "issuer " PST_STR_FMT ": no new keys (%s)", PST_STR_ARG(name), why->text);
    else if (source->failures > 0)
        pst_info("auth", "issuer " PST_STR_FMT ": keys can be fetched again", PST_STR_ARG(name));
    if (err == 0)
        source->failures = 0;
}

static bool file_is_as_read(struct key_source *source)
{
    struct stat now;
    if (stat(source->issuer->jwks, &now) < 0)
        return false;
    bool same = now.st_mtim.tv_sec == source->file.st_mtim.tv_sec &&
                now.st_mtim.tv_nsec == source->file.st_mtim.tv_nsec && now.st_ino == source->file.st_ino &&
                now.st_size == source->file.st_size;
    source->file = now;
    return same;
}

static void refresh_file(struct pst_oidc *oidc, struct key_source *source, uint64_t now)
{
    struct pst_why why = {.text = ""};
    uint64_t fresh;
    if (source->next_us > now)
        return;
    source->next_us = now + FILE_LOOK_US;
    if (file_is_as_read(source))
        return;
    note_outcome(source, renew(oidc, source, &fresh, &why), &why);
}

static bool is_due(struct key_source *source, uint64_t now)
{
    if (now >= source->next_us)
        return true;
    bool wanted = atomic_load_explicit(&source->wanted, memory_order_relaxed);
    return wanted && source->failures == 0 && now - source->last_us >= WANTED_US;
}

static void refresh_url(struct pst_oidc *oidc, struct key_source *source, uint64_t now)
{
    struct pst_why why = {.text = ""};
    uint64_t fresh = 0;
    if (!is_due(source, now))
        return;
    source->last_us = now;
    atomic_store_explicit(&source->wanted, false, memory_order_relaxed);
    int err = renew(oidc, source, &fresh, &why);
    note_outcome(source, err, &why);
    source->next_us = pst_clock_mono_us() + (err < 0 ? retry_us(source->failures) : fresh);
}

void oidc_keys_refresh(struct pst_oidc *oidc, bool files_only)
{
    for (size_t i = 0; i < oidc->options.issuers->n; i++) {
        struct key_source *source = &oidc->sources[i];
        uint64_t now = pst_clock_mono_us();
        if (source->issuer->source == PST_JWKS_FILE)
            refresh_file(oidc, source, now);
        else if (!files_only && !pst_ticker_stopping(&oidc->ticker))
            refresh_url(oidc, source, now);
    }
    free_retired(oidc);
}

static void turn(void *oidc)
{
    oidc_keys_refresh(oidc, false);
}

int oidc_keys_start(struct pst_oidc *oidc)
{
    return pst_ticker_start(&oidc->ticker, "issuers", TICK_US, turn, oidc);
}

void oidc_keys_free(struct pst_oidc *oidc)
{
    for (size_t i = 0; oidc->sources && i < oidc->options.issuers->n; i++) {
        struct keyset *set = atomic_exchange(&oidc->sources[i].set, NULL);
        free_set(set);
    }
    while (oidc->retired) {
        struct keyset *next = oidc->retired->next_retired;
        free_set(oidc->retired);
        oidc->retired = next;
    }
}
