/* SPDX-License-Identifier: Apache-2.0 */
/* postern admin-token create, list, revoke. */
#include "postern/auth/admin_token.h"
#include "postern/base/clock.h"

#include "key_internal.h"

#include <string.h>
#include <unistd.h>

static bool as_json;
static const char *name, *role = "admin", *expires;

#define JSON_OPTION                                                                                          \
    {                                                                                                        \
        "json", NULL, "print JSON", NULL, &as_json                                                           \
    }

static const struct pst_option create_options[] = {
    {"name", "NAME", "who or what this token is for (required)", &name, NULL},
    {"role", "admin|viewer", "its role (default admin; a viewer cannot change anything)", &role, NULL},
    {"expires", "TIME", "when it expires: 2027-01-31, 2027-01-31T12:00:00Z, or how long from now (90d)",
     &expires, NULL},
    JSON_OPTION,
};
static const struct pst_option json_options[] = {JSON_OPTION};

static const struct pst_usage create_usage = {
    .synopsis = "admin-token create --name NAME [--role admin|viewer] [--expires TIME] [--json]",
    .about = "Creates a token for the admin page and API and prints it once: only its digest is stored.",
    .options = create_options,
    .n_options = sizeof(create_options) / sizeof(create_options[0]),
    .takes_settings = true,
};
static const struct pst_usage list_usage = {
    .synopsis = "admin-token list [--json]",
    .about = "Lists all admin tokens, including revoked and expired ones.",
    .options = json_options,
    .n_options = 1,
    .takes_settings = true,
};
static const struct pst_usage revoke_usage = {
    .synopsis = "admin-token revoke TOKEN [--json]",
    .about =
        "Permanently revokes a token, named by its id, or by its name when no other token in use has it.",
    .options = json_options,
    .n_options = 1,
    .takes_settings = true,
    .min_args = 1,
    .max_args = 1,
};

static const char *role_text(enum pst_admin_role value)
{
    return value == PST_ADMIN_ADMIN ? "admin" : "viewer";
}

/* create */

static int print_made(const struct pst_admin_token_made *made, int64_t expires_us)
{
    char line[320], time[PST_TIME_TEXT_SIZE];
    pst_time_format(expires_us, time);
    const char *quote = as_json && expires_us != 0 ? "\"" : "";
    const char *expiry = expires_us != 0 ? time : as_json ? "null" : "never";
    int n =
        snprintf(line, sizeof(line),
                 as_json ? "{\"id\": \"%s\", \"role\": \"%s\", \"token\": \"%s\", \"expires_at\": %s%s%s}\n"
                         : "id       %s\nrole     %s\ntoken    %s\nexpires  %s%s%s\n",
                 made->id, role, made->token.text, quote, expiry, quote);
    /* Past stdio, whose buffer nobody wipes. */
    bool whole = write(STDOUT_FILENO, line, (size_t)n) == n;
    pst_wipe(line, sizeof(line));
    if (whole) {
        fputs("postern: save the token now: Postern stores only a digest and cannot show it again\n", stderr);
        return PST_EXIT_OK;
    }
    pst_cmd_error("cannot write to standard output, so the token is lost: revoke %s", made->id);
    return PST_EXIT_FAILED;
}

static int create(int argc, char **argv)
{
    struct key_session session;
    int64_t expires_us = 0;
    int done = pst_cmd_parse(&create_usage, argc, argv, &session.args);
    if (done < 0 && name == NULL)
        return pst_cmd_wrong_usage(&create_usage, "--name is required: who or what this token is for");
    bool viewer = strcmp(role, "viewer") == 0;
    if (done < 0 && !viewer && strcmp(role, "admin") != 0)
        return pst_cmd_wrong_usage(&create_usage, "--role \"%s\" is not one of admin, viewer", role);
    if (done < 0)
        done = pst_cmd_take_time(&create_usage, "expires", expires, PST_CMD_FROM_NOW, &expires_us);
    if (done < 0)
        done = key_session_open(&session, true);
    if (done >= 0)
        return done;
    struct pst_admin_token_made made = {0};
    int err =
        pst_admin_token_make(session.keys, pst_str_of(name), viewer ? PST_ADMIN_VIEWER : PST_ADMIN_ADMIN,
                             expires_us, &made, &session.why);
    done = err < 0 ? key_failed(&session, &create_usage, err) : print_made(&made, expires_us);
    pst_wipe(&made, sizeof(made));
    key_session_close(&session);
    return done;
}

/* list */

static const char *state_of(const struct pst_admin_token_row *row)
{
    if (row->revoked_us != 0)
        return "revoked";
    return row->expires_us != 0 && pst_clock_real_us() >= row->expires_us ? "expired" : "active";
}

static int add_json(const struct pst_admin_token_row *row, void *arg)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id", row->id, "name", row->name, "role",
                  role_text(row->role), "state", state_of(row), "created_at", key_json_time(row->created_us),
                  "expires_at", key_json_time(row->expires_us), "revoked_at", key_json_time(row->revoked_us),
                  "last_used_at", key_json_time(row->used_us));
    return json_array_append_new(arg, object) < 0 ? -PST_ENOMEM : 0;
}

static int add_row(const struct pst_admin_token_row *row, void *arg)
{
    struct pst_table *table = arg;
    pst_table_cell(table, row->id);
    pst_table_cell(table, row->name);
    pst_table_cell(table, role_text(row->role));
    pst_table_cell(table, state_of(row));
    key_table_time(table, row->created_us);
    key_table_time(table, row->expires_us);
    key_table_time(table, row->used_us);
    return 0;
}

static int add_all(struct pst_keys_store *store, json_t *array, struct pst_table *table)
{
    return array != NULL ? pst_admin_tokens_list(store, add_json, array)
                         : pst_admin_tokens_list(store, add_row, table);
}

static int list(int argc, char **argv)
{
    static const char *const columns[] = {"ID", "NAME", "ROLE", "STATE", "CREATED", "EXPIRES", "LAST USED"};
    static const struct key_listing listing = {&list_usage, columns, sizeof(columns) / sizeof(columns[0]),
                                               add_all};
    return key_listing_run(&listing, &as_json, argc, argv);
}

/* revoke */

/* Tokens in use that have a name, or the one with this id. */
struct search {
    const char *word;
    size_t n;
    char ids[2][PST_KEYS_ID_MAX + 1];
    bool by_id;
};

static int look(const struct pst_admin_token_row *row, void *arg)
{
    struct search *search = arg;
    search->by_id = strcmp(row->id, search->word) == 0;
    if (search->by_id) {
        search->n = 1;
        memcpy(search->ids[0], row->id, sizeof(row->id));
        return 1;
    }
    if (row->revoked_us == 0 && strcmp(row->name, search->word) == 0 && search->n++ < 2)
        memcpy(search->ids[search->n - 1], row->id, sizeof(row->id));
    return 0;
}

/* -1 or the exit code. */
static int find(struct key_session *session, struct search *search)
{
    if (pst_admin_tokens_list(pst_keys_service_store(session->keys), look, search) < 0)
        return key_store_failed(session);
    if (search->n == 1)
        return -1;
    if (search->n > 1)
        pst_cmd_error("%zu tokens in use are named \"%s\": use an id: %s, %s%s", search->n, search->word,
                      search->ids[0], search->ids[1], search->n > 2 ? ", ..." : "");
    else
        pst_cmd_error("there is no admin token with this id or name; `postern admin-token list` lists them. "
                      "If that was "
                      "a token, revoke it: others on this machine can see arguments");
    return PST_EXIT_FAILED;
}

static int revoke_in(struct key_session *session, const char *id)
{
    int err = pst_admin_token_revoke(session->keys, pst_str_of(id), &session->why);
    if (err < 0)
        return key_failed(session, &revoke_usage, err);
    if (as_json)
        return pst_cmd_print_json(json_pack("{s:s, s:b}", "id", id, "revoked", 1));
    printf("The admin token %s is revoked.\n", id);
    return pst_cmd_finish();
}

static int revoke_token(int argc, char **argv)
{
    struct key_session session;
    int done = pst_cmd_parse(&revoke_usage, argc, argv, &session.args);
    if (done < 0)
        done = key_session_open(&session, false);
    if (done >= 0)
        return done;
    struct search search = {.word = session.args.words[0]};
    done = find(&session, &search);
    if (done < 0)
        done = revoke_in(&session, search.ids[0]);
    key_session_close(&session);
    return done;
}

static const struct pst_command commands[] = {
    {"create", "create a token and print it once", create},
    {"list", "list tokens, without their secrets", list},
    {"revoke", "revoke a token", revoke_token},
};

static const struct pst_command_set set = {
    .name = "admin-token ",
    .about = "Manages the tokens that give access to the admin page and API.",
    .commands = commands,
    .n = sizeof(commands) / sizeof(commands[0]),
};

int pst_cmd_admin_token(int argc, char **argv)
{
    return pst_cmd_choose(&set, argc, argv);
}
