/* SPDX-License-Identifier: Apache-2.0 */
/* postern key enable, disable, delete. */
#include "key_internal.h"

#include <unistd.h>

static bool as_json;

static const struct pst_option options[] = {
    {"json", NULL, "print the key as JSON", NULL, &as_json},
};

static bool yes;

static const struct pst_option delete_options[] = {
    {"yes", NULL, "do not ask for confirmation; required when standard input is not a terminal", NULL, &yes},
    {"json", NULL, "print the key as JSON", NULL, &as_json},
};

#define USAGE(text, words, list)                                                                             \
    {                                                                                                        \
        .synopsis = text, .about = words, .options = list, .n_options = sizeof(list) / sizeof(list[0]),      \
        .takes_settings = true, .min_args = 1, .max_args = 1,                                                \
    }

static const struct pst_usage enable_usage =
    USAGE("key enable KEY [--json]", "Re-enables a disabled key, named by id or name.", options);
static const struct pst_usage disable_usage = USAGE(
    "key disable KEY [--json]",
    "Disables a key, named by id or name: both of its secrets are rejected until it is re-enabled. Requests "
    "in progress are completed.",
    options);
static const struct pst_usage delete_usage =
    USAGE("key delete KEY [--yes] [--json]",
          "Permanently deletes a key, named by id or name, and its secrets. Its usage stays in the totals.",
          delete_options);

static int open_for(const struct pst_usage *usage, int argc, char **argv, struct key_session *session,
                    struct pst_str *ret_id)
{
    int done = pst_cmd_parse(usage, argc, argv, &session->args);
    if (done < 0)
        done = key_session_open(session, false);
    if (done >= 0)
        return done;
    done = key_find(session, session->args.words[0], ret_id);
    if (done >= 0)
        key_session_close(session);
    return done;
}

static int set_enabled(const struct pst_usage *usage, int argc, char **argv, bool enabled)
{
    struct key_session session;
    struct pst_str id;
    int done = open_for(usage, argc, argv, &session, &id);
    if (done >= 0)
        return done;
    int err = pst_keys_enable(session.keys, id, enabled, &session.why);
    if (err < 0) {
        done = key_failed(&session, usage, err);
    } else if (as_json) {
        done = key_print(&session, id, true);
    } else {
        printf("The key " PST_STR_FMT " is %s.\n", PST_STR_ARG(id), enabled ? "enabled" : "disabled");
        done = pst_cmd_finish();
    }
    key_session_close(&session);
    return done;
}

int key_enable(int argc, char **argv)
{
    return set_enabled(&enable_usage, argc, argv, true);
}

int key_disable(int argc, char **argv)
{
    return set_enabled(&disable_usage, argc, argv, false);
}

/* Asks whoever sits at the terminal; -1: go on. */
static int confirm(struct key_session *session, struct pst_str id)
{
    struct pst_arena arena;
    struct pst_key_row row;
    if (yes)
        return -1;
    if (!isatty(STDIN_FILENO))
        return pst_cmd_wrong_usage(&delete_usage,
                                   "standard input is not a terminal, so there is no one to ask: add "
                                   "--yes to delete the key");
    pst_arena_init(&arena, 4096, PST_KEY_ROW_BYTES_MAX);
    int done = key_read(session, id, &arena, &row);
    if (done < 0) {
        char answer[8] = "";
        fprintf(stderr, "Permanently delete the key \"" PST_STR_FMT "\" (" PST_STR_FMT ")? [y/N] ",
                PST_STR_ARG(row.name), PST_STR_ARG(row.id));
        bool agreed = fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
        if (!agreed) {
            fputs("Nothing was deleted.\n", stderr);
            done = PST_EXIT_FAILED;
        }
    }
    pst_arena_done(&arena);
    return done;
}

static int delete_in(struct key_session *session, struct pst_str id)
{
    int done = confirm(session, id);
    if (done >= 0)
        return done;
    int err = pst_keys_remove(session->keys, id, &session->why);
    if (err < 0)
        return key_failed(session, &delete_usage, err);
    if (as_json)
        return pst_cmd_print_json(json_pack("{s:s%, s:b}", "id", id.p, id.len, "deleted", 1));
    printf("The key " PST_STR_FMT " is deleted.\n", PST_STR_ARG(id));
    return pst_cmd_finish();
}

int key_delete(int argc, char **argv)
{
    struct key_session session;
    struct pst_str id;
    int done = open_for(&delete_usage, argc, argv, &session, &id);
    if (done >= 0)
        return done;
    done = delete_in(&session, id);
    key_session_close(&session);
    return done;
}
