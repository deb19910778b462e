/* SPDX-License-Identifier: Apache-2.0 */
/* postern key update: what was not given stays as it is. */
#include "key_internal.h"

#include <string.h>

static bool as_json;
static struct key_rules rules;
static const char *name, *note, *expires, *not_before;

static const struct pst_option options[] = {
    {"name", "NAME", "a name people will recognise: the team or app", &name, NULL},
    {"note", "TEXT", "free text for your own reference", &note, NULL},
    {"expires", "TIME", "when it expires: a time, how long from now (90d), or never", &expires, NULL},
    {"not-before", "TIME", "when it becomes valid: a time, how long from now, or now", &not_before, NULL},
    KEY_RULES_OPTIONS(rules),
    {"json", NULL, "print the key as JSON", NULL, &as_json},
};

static const struct pst_usage usage = {
    .synopsis =
        "key update KEY [--name NAME] [--note TEXT] [--expires TIME] [--not-before TIME] [--tag TAGS] "
        "[--scope RULES] [--network CIDRS] [--limit LIMITS] [--json]",
    .about = "Changes a key, named by id or name; its secrets stay the same. Options that are not given are "
             "left unchanged, and "
             "an empty value (--scope \"\") removes a restriction.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .takes_settings = true,
    .min_args = 1,
    .max_args = 1,
};

static int take_time(const char *option, const char *text, const char *unset, int64_t *ret_us)
{
    if (text != NULL && strcmp(text, unset) == 0)
        return -1;
    return pst_cmd_take_time(&usage, option, text, PST_CMD_FROM_NOW, ret_us);
}

static int take(struct pst_key_row *row, unsigned *ret_what)
{
    const struct {
        const char *given;
        unsigned bit;
    } fields[] = {
        {name, PST_KEYS_SET_NAME},
        {note, PST_KEYS_SET_NOTE},
        {expires, PST_KEYS_SET_EXPIRES},
        {not_before, PST_KEYS_SET_NOT_BEFORE},
        {rules.given.tag, PST_KEYS_SET_TAGS},
        {rules.given.scope, PST_KEYS_SET_SCOPES},
        {rules.given.network, PST_KEYS_SET_NETWORKS},
        {rules.given.limit, PST_KEYS_SET_LIMITS},
    };
    *ret_what = 0;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        *ret_what |= fields[i].given != NULL ? fields[i].bit : 0;
    if (*ret_what == 0)
        return pst_cmd_wrong_usage(&usage, "nothing to change: give at least one option");
    row->name = pst_str_of(name);
    row->note = pst_str_of(note);
    int done = take_time("expires", expires, "never", &row->expires_us);
    if (done < 0)
        done = take_time("not-before", not_before, "now", &row->not_before_us);
    if (done < 0)
        done = key_rules_take(&rules, &usage);
    row->tags = rules.tags;
    row->scopes = rules.scopes;
    row->networks = rules.networks;
    row->limits = rules.limits;
    return done;
}

static int update_in(struct key_session *session, const struct pst_key_row *row, unsigned what)
{
    int err = pst_keys_change(session->keys, row, what, 0, &session->why);
    return err < 0 ? key_failed(session, &usage, err) : key_print(session, row->id, as_json);
}

int key_update(int argc, char **argv)
{
    struct key_session session;
    struct pst_key_row row = {0};
    unsigned what = 0;
    int done = pst_cmd_parse(&usage, argc, argv, &session.args);
    if (done < 0)
        done = take(&row, &what);
    if (done >= 0)
        return done;
    done = key_session_open(&session, false);
    if (done < 0) {
        done = key_find(&session, session.args.words[0], &row.id);
        if (done < 0)
            done = update_in(&session, &row, what);
        key_session_close(&session);
    }
    key_rules_done(&rules);
    return done;
}
