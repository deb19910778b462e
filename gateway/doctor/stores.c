/* SPDX-License-Identifier: Apache-2.0 */
#include "private.h"

#include <ctype.h>
#include <stdio.h>

#include "postern/auth/pepper.h"
#include "postern/db/examine.h"
#include "postern/db/keys_made.h"
#include "postern/db/keys_store.h"
#include "postern/db/usage_store.h"

/* Of a usage database of gigabytes the beginning must do. */
#define LOOK_MS 6000

static void tell_found(struct visit *visit, const char *check, const struct pst_db_examination *found)
{
    double mib = (double)found->bytes / 1048576;
    const char *part =
        found->to_the_end ? "" : "; too large to check all of it in time, intact as far as checked";
    if (found->version == 0)
        visit_note(visit, check, PST_DOCTOR_OK, NULL, "empty so far");
    else if (found->version < found->newest)
        visit_note(visit, check, PST_DOCTOR_OK, NULL,
                   "intact, %.1f MiB, schema %lld%s; the next start upgrades it to %lld", mib,
                   (long long)found->version, part, (long long)found->newest);
    else
        visit_note(visit, check, PST_DOCTOR_OK, NULL, "intact, %.1f MiB, schema %lld%s", mib,
                   (long long)found->version, part);
}

static void check_store(struct visit *visit, const char *check, const char *file, const char *todo)
{
    struct pst_db_examination found;
    struct pst_db_why why;
    if (pst_setting_is_bad(visit->settings, "data_dir")) {
        visit_note(visit, check, PST_DOCTOR_SKIPPED, NULL, "the setting data_dir is invalid");
        return;
    }
    int err = pst_db_examine(visit->settings->data_dir, file, visit_until(visit, LOOK_MS), &found, &why);
    if (err == -PST_ENOENT)
        visit_note(visit, check, PST_DOCTOR_SKIPPED, NULL, "does not exist yet; the first start creates it");
    else if (err == -PST_EACCES)
        visit_note(
            visit, check, PST_DOCTOR_FAILED,
            "Run the doctor as the gateway's user; if this is that user, restore the file as this user.",
            "%s", why.text);
    else if (err == -PST_EVERSION)
        visit_note(
            visit, check, PST_DOCTOR_FAILED,
            "Run the version of Postern that created it, or a newer one; or restore a copy from before the "
            "upgrade.",
            "%s", why.text);
    else if (err < 0)
        visit_note(visit, check, PST_DOCTOR_FAILED, todo, "%s", why.text);
    else
        tell_found(visit, check, &found);
}

/* Whether it is where it was. */
static bool note_missed(struct visit *visit)
{
    struct pst_access_why why;
    char todo[sizeof(why.todo) + 2];
    enum pst_keys_found found = pst_setting_is_bad(visit->settings, "data_dir")
                                    ? PST_KEYS_NEW
                                    : pst_keys_look(visit->settings->data_dir, &why);
    if (found != PST_KEYS_MISSED && found != PST_KEYS_ANEW)
        return false;
    snprintf(todo, sizeof(todo), "%s.", why.todo);
    todo[0] = (char)toupper((unsigned char)todo[0]);
    visit_note(visit, CHECK_KEYS, found == PST_KEYS_MISSED ? PST_DOCTOR_FAILED : PST_DOCTOR_WARNING, todo,
               "%s", why.seen);
    return true;
}

/* Without their pepper no start succeeds, however whole keys.db is. */
static bool note_pepper(struct visit *visit)
{
    struct pst_why why;
    if (pst_setting_is_bad(visit->settings, "data_dir") ||
        pst_pepper_examine(visit->settings->data_dir, &why) == 0)
        return false;
    visit_note(visit, CHECK_KEYS, PST_DOCTOR_FAILED,
               "Restore keys.db and pepper from the same backup: without their pepper no key works, and the "
               "gateway does not start.",
               "%s", why.text);
    return true;
}

void check_keys_db(struct visit *visit)
{
    if (note_missed(visit) || note_pepper(visit))
        return;
    check_store(
        visit, CHECK_KEYS, PST_KEYS_FILE,
        "Stop the gateway, keep a copy of the file, and restore keys.db from a backup (without its -wal and "
        "-shm files), or try sqlite3's .recover.");
}

void check_usage_db(struct visit *visit)
{
    check_store(visit, CHECK_USAGE, PST_USAGE_FILE,
                "Keys are not affected. Stop the gateway and move usage.db (and its -wal and -shm "
                "files) away: a "
                "new one is created, and the old data can be extracted with sqlite3's .recover.");
}
