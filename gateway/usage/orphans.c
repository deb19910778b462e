/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of an earlier run: renamed at once, so that this run's get their names, drained like the others, and
 * removed when empty. */
#include "ledger_private.h"
#include "postern/base/log.h"
#include "postern/base/num.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_aside(struct pst_ledger *ledger, const char *path, int err)
{
    char aside[600];
    snprintf(aside, sizeof(aside), "%s.unreadable", path);
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size == 0)
        pst_warn("usage",
                 "%s is empty: its records cannot be counted (unless an earlier version was killed "
                 "while creating the file: then it had none); kept as %s",
                 path, aside);
    else
        pst_warn("usage", "%s cannot be read (%s): its records cannot be counted; kept as %s", path,
                 err == -PST_EVERSION ? "a later version of Postern created it" : "its head is damaged",
                 aside);
    if (rename(path, aside) < 0)
        pst_warn("usage", "%s cannot be renamed; remove it", path);
    atomic_fetch_add(&ledger->set_aside, 1);
}

static int take_ring(struct pst_ledger *ledger, const char *dir, const char *name)
{
    char path[512], own_name[512], hex[2 * PST_JOURNAL_UUID_BYTES + 1];
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
        return 0;
    struct pst_journal *journal = NULL;
    int err = journal_map(path, &journal);
    if (err == -PST_ENOMEM)
        return err;
    if (err < 0) {
        set_aside(ledger, path, err);
        return 0;
    }
    pst_hex_encode(journal->head->uuid, PST_JOURNAL_UUID_BYTES, hex);
    if (snprintf(own_name, sizeof(own_name), "%s/left-%s.ring", dir, hex) < (int)sizeof(own_name) &&
        rename(path, own_name) == 0)
        pst_str_clip(pst_str_of(own_name), journal->path, sizeof(journal->path));
    err = pst_ledger_add(ledger, journal);
    if (err < 0) {
        journal_unmap(journal);
        return err;
    }
    ledger->sources[ledger->n_sources - 1].orphan = true;
    return 0;
}

static void drop_unbegun(const char *dir, const char *name)
{
    char path[800];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (unlink(path) < 0)
        pst_warn("usage", "%s cannot be removed", path);
}

int ledger_find_orphans(struct pst_ledger *ledger)
{
    char dir[512];
    snprintf(dir, sizeof(dir), "%s/" PST_JOURNAL_DIR, ledger->options.data_dir);
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, NULL, alphasort);
    int err = 0;
    for (int i = 0; i < n; i++) {
        struct pst_str name = pst_str_of(entries[i]->d_name);
        if (err == 0 && pst_str_ends(name, PST_STR(".ring")))
            err = take_ring(ledger, dir, name.p);
        else if (pst_str_ends(name, PST_STR(".ring" JOURNAL_UNBEGUN)))
            drop_unbegun(dir, name.p);
        free(entries[i]);
    }
    free(entries);
    return err;
}

void ledger_drop_orphans(struct pst_ledger *ledger)
{
    for (size_t i = 0; i < ledger->n_sources;) {
        struct source *source = &ledger->sources[i];
        if (!source->orphan || !source->known || source->drained < journal_head(source->journal)) {
            i++;
            continue;
        }
        /* Its place in usage.db stays until the next start: a crash between the two removals must leave
         * a place without a ring, never a ring without its place. */
        pst_access_log_flush(ledger->log);
        pst_access_log_forget(ledger->log, source->journal);
        unlink(source->journal->path);
        journal_unmap(source->journal);
        *source = ledger->sources[--ledger->n_sources];
    }
}

static bool is_here(void *arg, const uint8_t uuid[static PST_USAGE_UUID_BYTES])
{
    const struct pst_ledger *ledger = arg;
    for (size_t i = 0; i < ledger->n_sources; i++) {
        if (memcmp(ledger->sources[i].journal->head->uuid, uuid, PST_USAGE_UUID_BYTES) == 0)
            return true;
    }
    return false;
}

void ledger_forget_gone(struct pst_ledger *ledger)
{
    if (pst_usage_store_keep_cursors(ledger->store, is_here, ledger) < 0)
        pst_debug("usage", "%s", pst_usage_store_why(ledger->store));
}
