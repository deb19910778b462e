/* SPDX-License-Identifier: Apache-2.0 */
/* postern audit list, verify. */
#include "postern/auth/audit.h"
#include "postern/base/clock.h"
#include "postern/base/num.h"

#include "key_internal.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT "100"
#define HASH_TEXT_LEN (2 * PST_AUDIT_HASH_BYTES)

static bool as_json;
static const char *from, *to, *action, *target, *actor, *limit = LIMIT_DEFAULT, *noted;

#define JSON_OPTION                                                                                          \
    {                                                                                                        \
        "json", NULL, "print JSON", NULL, &as_json                                                           \
    }

static const struct pst_option list_options[] = {
    {"from", "TIME", "from this time on: 2026-11-30, 2026-11-30T12:00:00Z, or how long ago (7d, 12h)", &from,
     NULL},
    {"to", "TIME", "up to this time", &to, NULL},
    {"action", "ACTION", "only this action (key.rotate), or all that begin so (key.)", &action, NULL},
    {"target", "ID", "only changes to the key or token with this id, or to the key with this name", &target,
     NULL},
    {"actor", "WHO", "only changes by the user or token with this id or name", &actor, NULL},
    {"limit", "N", "the newest N (default 100; 0: all)", &limit, NULL},
    JSON_OPTION,
};

static const struct pst_usage list_usage = {
    .synopsis = "audit list [--from TIME] [--to TIME] [--action ACTION] [--target ID] [--actor WHO] "
                "[--limit N] [--json]",
    .about = "Lists who changed which key or token, when and from where, newest first. --json adds the "
             "values before and "
             "after each change.",
    .options = list_options,
    .n_options = sizeof(list_options) / sizeof(list_options[0]),
    .takes_settings = true,
};

static const struct pst_option verify_options[] = {
    {"noted", "HASH", "a hash printed by an earlier run, which must still be in the trail", &noted, NULL},
    JSON_OPTION,
};

static const struct pst_usage verify_usage = {
    .synopsis = "audit verify [--noted HASH] [--json]",
    .about = "Verifies the chain of hashes from the first row to the last, and prints the last hash. Anyone "
             "who can write the "
             "file could build a whole new chain, so keep that hash somewhere else and pass it with --noted "
             "next time. Exits "
             "with 1 when a row was altered or is missing.",
    .options = verify_options,
    .n_options = sizeof(verify_options) / sizeof(verify_options[0]),
    .takes_settings = true,
};

/* list */

static json_t *parsed(struct pst_str text)
{
    json_t *value = text.len > 0 ? json_loadb(text.p, text.len, 0, NULL) : NULL;
    return value != NULL ? value : json_null();
}

static json_t *row_json(const struct pst_audit_row *row)
{
    json_t *who = json_pack("{s:s%, s:s%, s:s%, s:s%}", "kind", row->actor_kind.p, row->actor_kind.len, "id",
                            row->actor_id.p, row->actor_id.len, "name", row->actor_name.p,
                            row->actor_name.len, "address", row->address.p, row->address.len);
    return json_pack("{s:I, s:o, s:o, s:s%, s:s%, s:o, s:o}", "id", (json_int_t)row->n, "time",
                     key_json_time(row->time_us), "actor", who, "action", row->action.p, row->action.len,
                     "target", row->target.p, row->target.len, "before", parsed(row->before), "after",
                     parsed(row->after));
}

/* One object after another: the trail may be long. */
static int print_element(const struct pst_audit_row *row, void *arg)
{
    bool *first = arg;
    json_t *object = row_json(row);
    if (object == NULL)
        return -PST_ENOMEM;
    fputs(*first ? "\n" : ",\n", stdout);
    *first = false;
    json_dumpf(object, stdout, JSON_INDENT(2));
    json_decref(object);
    return 0;
}

static int print_array(struct key_session *session, const struct pst_audit_filter *filter)
{
    bool first = true;
    putchar('[');
    int err = pst_audit_list(pst_keys_service_store(session->keys), filter, print_element, &first);
    puts(first ? "]" : "\n]");
    return err < 0 ? key_store_failed(session) : pst_cmd_finish();
}

static void add_cell(struct pst_table *table, struct pst_str value)
{
    char text[300];
    pst_str_clip(value.len > 0 ? value : PST_STR("-"), text, sizeof(text));
    pst_table_cell(table, text);
}

static int add_row(const struct pst_audit_row *row, void *arg)
{
    struct pst_table *table = arg;
    char time[PST_TIME_TEXT_SIZE];
    pst_time_format(row->time_us, time);
    pst_table_cell_u64(table, row->n);
    pst_table_cell(table, time);
    add_cell(table, row->actor_kind);
    add_cell(table, row->actor_name.len > 0 ? row->actor_name : row->actor_id);
    add_cell(table, row->address);
    add_cell(table, row->action);
    add_cell(table, row->target);
    return 0;
}

static int print_table(struct key_session *session, const struct pst_audit_filter *filter)
{
    static const char *const columns[] = {">N", "TIME", "BY", "WHO", "FROM", "ACTION", "TARGET"};
    struct pst_table *table = pst_table_new(columns, sizeof(columns) / sizeof(columns[0]));
    if (table == NULL) {
        pst_cmd_error("out of memory");
        return PST_EXIT_FAILED;
    }
    int err = pst_audit_list(pst_keys_service_store(session->keys), filter, add_row, table);
    pst_table_print(table, stdout);
    return err < 0 ? key_store_failed(session) : pst_cmd_finish();
}

static int take_filter(struct pst_audit_filter *filter)
{
    *filter = (struct pst_audit_filter){
        .action = pst_str_of(action),
        .target = pst_str_of(target),
        .actor = pst_str_of(actor),
    };
    if (pst_num_u64(pst_str_of(limit), &filter->limit) < 0)
        return pst_cmd_wrong_usage(&list_usage, "--limit \"%s\" is not a number", limit);
    int done = pst_cmd_take_time(&list_usage, "from", from, PST_CMD_AGO, &filter->from_us);
    return done < 0 ? pst_cmd_take_time(&list_usage, "to", to, PST_CMD_AGO, &filter->to_us) : done;
}

/* A key may be named; an id may also be that of a deleted key or of a token. */
static int find_target(struct key_session *session, struct pst_audit_filter *filter)
{
    int err = target != NULL ? key_find_in(pst_keys_service_store(session->keys), target, session->id)
                             : -PST_ENOENT;
    if (err == 0)
        filter->target = pst_str_of(session->id);
    if (err == 0 || err == -PST_ENOENT)
        return -1;
    return err == -PST_EEXIST ? PST_EXIT_FAILED : key_store_failed(session);
}

static int list(int argc, char **argv)
{
    struct key_session session;
    struct pst_audit_filter filter;
    int done = pst_cmd_parse(&list_usage, argc, argv, &session.args);
    if (done < 0)
        done = take_filter(&filter);
    if (done < 0)
        done = key_session_open(&session, false);
    if (done >= 0)
        return done;
    done = find_target(&session, &filter);
    if (done < 0)
        done = as_json ? print_array(&session, &filter) : print_table(&session, &filter);
    key_session_close(&session);
    return done;
}

/* verify */

static const char *trouble(const struct pst_audit_verdict *verdict)
{
    if (verdict->broken != 0)
        return verdict->missing ? "earlier rows are missing" : "it was altered";
    return noted != NULL && !verdict->noted_found ? "the hash given with --noted is not in the trail" : NULL;
}

static int print_verdict_json(const struct pst_audit_verdict *verdict, const char *hash)
{
    const char *wrong = trouble(verdict);
    json_t *broken = verdict->broken != 0 ? json_integer((json_int_t)verdict->broken) : json_null();
    int done = pst_cmd_print_json(json_pack("{s:b, s:s?, s:o, s:I, s:I, s:I, s:s}", "whole", wrong == NULL,
                                            "trouble", wrong, "broken", broken, "rows",
                                            (json_int_t)verdict->rows, "first", (json_int_t)verdict->first,
                                            "last", (json_int_t)verdict->last, "hash", hash));
    return wrong != NULL ? PST_EXIT_FAILED : done;
}

static int print_verdict(const struct pst_audit_verdict *verdict)
{
    char hash[HASH_TEXT_LEN + 1] = "";
    pst_hex_encode(verdict->hash, sizeof(verdict->hash), hash);
    hash[HASH_TEXT_LEN] = '\0';
    if (as_json)
        return print_verdict_json(verdict, hash);
    if (verdict->broken != 0) {
        pst_cmd_error("row %llu does not match the chain: %s", (unsigned long long)verdict->broken,
                      trouble(verdict));
        return PST_EXIT_FAILED;
    }
    if (trouble(verdict) != NULL) {
        pst_cmd_error("%s: the trail was truncated or rewritten, or that row is past its retention",
                      trouble(verdict));
        return PST_EXIT_FAILED;
    }
    printf("The audit trail is intact: %llu rows, %llu to %llu.\nhash  %s\n",
           (unsigned long long)verdict->rows,
           (unsigned long long)(verdict->rows > 0 ? verdict->first : verdict->last),
           (unsigned long long)verdict->last, hash);
    return pst_cmd_finish();
}

static int verify(int argc, char **argv)
{
    struct key_session session;
    struct pst_audit_verdict verdict;
    uint8_t hash[PST_AUDIT_HASH_BYTES];
    int done = pst_cmd_parse(&verify_usage, argc, argv, &session.args);
    if (done < 0 && noted != NULL && pst_hex_decode(pst_str_of(noted), hash, sizeof(hash)) < 0)
        done = pst_cmd_wrong_usage(&verify_usage, "--noted is not a hash of %d hex digits", HASH_TEXT_LEN);
    if (done < 0)
        done = key_session_open(&session, false);
    if (done >= 0)
        return done;
    int err = pst_audit_verify(pst_keys_service_store(session.keys), noted != NULL ? hash : NULL, &verdict);
    done = err < 0 ? key_store_failed(&session) : print_verdict(&verdict);
    key_session_close(&session);
    return done;
}

static const struct pst_command commands[] = {
    {"list", "list changes: who, what, when and from where", list},
    {"verify", "verify that no row was altered or is missing", verify},
};

static const struct pst_command_set set = {
    .name = "audit ",
    .about = "Shows the audit trail of keys and admin tokens.",
    .commands = commands,
    .n = sizeof(commands) / sizeof(commands[0]),
};

int pst_cmd_audit(int argc, char **argv)
{
    return pst_cmd_choose(&set, argc, argv);
}
