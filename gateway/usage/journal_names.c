/* SPDX-License-Identifier: Apache-2.0 */
/* The names in a ring's head. They are written before the first record that refers to them, and a record's
 * number becomes visible with a release: who reads a record sees its names. */
#include "journal_private.h"
#include "postern/base/log.h"

#include <string.h>

/* In front of each name; what it is worth when the file was damaged. FNV-1a, folded. */
#define CHECK_BYTES 2

static uint16_t check_of(struct pst_str text)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * 16777619u;
    return (uint16_t)(hash ^ hash >> 16);
}

static uint16_t find(const struct pst_journal *journal, size_t used, struct pst_str name)
{
    for (size_t at = CHECK_BYTES; at < used;) {
        struct pst_str is = pst_str_of(journal->names + at);
        if (pst_str_eq(is, name))
            return (uint16_t)at;
        at += is.len + 1 + CHECK_BYTES;
    }
    return 0;
}

uint16_t pst_journal_name(struct pst_journal *journal, struct pst_str name)
{
    atomic_uint *names_used = &journal->head->names_used;
    size_t used = atomic_load_explicit(names_used, memory_order_relaxed);
    name.len = name.len < PST_JOURNAL_NAME_MAX ? name.len : PST_JOURNAL_NAME_MAX;
    uint16_t number = name.len > 0 ? find(journal, used, name) : 0;
    if (name.len == 0 || number > 0)
        return number;
    if (used + CHECK_BYTES + name.len + 1 > JOURNAL_NAMES_SIZE) {
        pst_warn("usage", "the journal has no more room for names: \"" PST_STR_FMT "\" will not be in usage",
                 PST_STR_ARG(name));
        return 0;
    }
    uint16_t check = check_of(name);
    memcpy(journal->names + used, &check, sizeof(check));
    number = (uint16_t)(used + CHECK_BYTES);
    memcpy(journal->names + number, name.p, name.len);
    journal->names[number + name.len] = '\0';
    atomic_store_explicit(names_used, (unsigned)(number + name.len + 1), memory_order_release);
    return number;
}

struct pst_str journal_name(const struct pst_journal *journal, uint16_t number)
{
    const struct pst_str unknown = PST_STR("unknown");
    if (number == 0 || journal->names == NULL)
        return PST_STR("");
    if (number < CHECK_BYTES || number >= JOURNAL_NAMES_SIZE)
        return unknown;
    const char *text = journal->names + number;
    size_t room = JOURNAL_NAMES_SIZE - (size_t)number;
    struct pst_str name = {text, strnlen(text, room)};
    uint16_t check;
    memcpy(&check, text - CHECK_BYTES, sizeof(check));
    bool whole = name.len < room && name.len <= PST_JOURNAL_NAME_MAX && check == check_of(name);
    return whole && name.len > 0 ? name : unknown;
}

struct pst_usage_names journal_names(const struct pst_journal *journal, const struct pst_usage_record *record)
{
    return (struct pst_usage_names){
        .error = journal_name(journal, record->error),
        .rule = journal_name(journal, record->rule),
        .endpoint = journal_name(journal, record->endpoint),
    };
}
