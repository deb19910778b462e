/* SPDX-License-Identifier: Apache-2.0 */
/* postern key list, show: never a secret. */
#include "postern/base/clock.h"
#include "postern/base/num.h"
#include "postern/db/usage_store.h"

#include "key_internal.h"

static bool as_json;
static const char *state, *text, *tag, *expires_before, *unused_since, *sort = "created", *limit = "0";

static const struct pst_option list_options[] = {
    {"state", "STATE", "only keys that are active, disabled, expired or not_yet valid", &state, NULL},
    {"text", "TEXT", "only keys with this text in id, name, note, tags or the visible part of a secret",
     &text, NULL},
    {"tag", "TAG", "only keys with this tag", &tag, NULL},
    {"expires-before", "TIME", "only keys that expire before this time or within this duration (30d)",
     &expires_before, NULL},
    {"unused-since", "TIME",
     "only keys created before this time and not used since: a date, or how long ago (90d)", &unused_since,
     NULL},
    {"sort", "ORDER",
     "by created, id, name, expires, updated or last_used; with a minus (-name) in descending order", &sort,
     NULL},
    {"limit", "N", "at most N keys (default: all)", &limit, NULL},
    {"json", NULL, "print JSON", NULL, &as_json},
};

static const struct pst_usage list_usage = {
    .synopsis = "key list [--state STATE] [--text TEXT] [--tag TAG] [--expires-before TIME] "
                "[--unused-since TIME] [--sort ORDER] [--limit N] [--json]",
    .about = "Lists keys; without options all of them, oldest first. Only the last characters of a secret "
             "are shown.",
    .options = list_options,
    .n_options = sizeof(list_options) / sizeof(list_options[0]),
    .takes_settings = true,
};

static const struct pst_option options[] = {
    {"json", NULL, "print JSON", NULL, &as_json},
};

static const struct pst_usage show_usage = {
    .synopsis = "key show KEY [--json]",
    .about = "Shows one key, named by id or name, without its secrets.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .takes_settings = true,
    .min_args = 1,
    .max_args = 1,
};

static void add_time(struct pst_table *table, int64_t time_us)
{
    char cell[PST_TIME_TEXT_SIZE] = "-";
    if (time_us != 0)
        pst_time_format(time_us, cell);
    pst_table_cell(table, cell);
}

static int add_row(const struct pst_key_row *row, void *arg)
{
    struct pst_table *table = arg;
    char cell[PST_KEYS_NAME_MAX + 1];
    pst_str_clip(row->id, cell, sizeof(cell));
    pst_table_cell(table, cell);
    pst_str_clip(row->name, cell, sizeof(cell));
    pst_table_cell(table, cell);
    pst_table_cell(table, pst_key_row_state(row, pst_clock_real_us()));
    add_time(table, row->created_us);
    add_time(table, row->expires_us);
    add_time(table, row->last_used_us);
    for (int i = 0; i < 2; i++) {
        char shown[PST_KEY_SHOWN_TEXT_SIZE];
        key_shown_text(row->slot[i].prefix, row->slot[i].last4, shown);
        pst_table_cell(table, shown[0] != '\0' ? shown : "-");
    }
    return 0;
}

static int print_table(struct key_session *session, const struct pst_keys_filter *filter)
{
    static const char *const columns[] = {"ID",      "NAME",      "STATE", "CREATED",
                                          "EXPIRES", "LAST USED", "KEY1",  "KEY2"};
    struct pst_table *table = pst_table_new(columns, sizeof(columns) / sizeof(columns[0]));
    if (table == NULL) {
        pst_cmd_error("out of memory");
        return PST_EXIT_FAILED;
    }
    int err = pst_keys_list(pst_keys_service_store(session->keys), filter, add_row, table);
    pst_table_print(table, stdout);
    return err < 0 ? key_store_failed(session) : pst_cmd_finish();
}

struct printing {
    struct pst_usage_store *usage;
    bool began;
};

/* One object after another: a million keys need no more memory than one. */
static int print_element(const struct pst_key_row *row, void *arg)
{
    struct printing *printing = arg;
    struct key_use use;
    bool counted = key_read_use(printing->usage, row, &use);
    json_t *object = key_json(row, counted ? &use : NULL);
    if (object == NULL)
        return -PST_ENOMEM;
    fputs(printing->began ? ",\n" : "\n", stdout);
    printing->began = true;
    json_dumpf(object, stdout, JSON_INDENT(2));
    json_decref(object);
    return 0;
}

static int print_array(struct key_session *session, const struct pst_keys_filter *filter)
{
    struct printing printing = {.usage = filter->usage};
    putchar('[');
    int err = pst_keys_list(pst_keys_service_store(session->keys), filter, print_element, &printing);
    puts(printing.began ? "\n]" : "]");
    return err < 0 ? key_store_failed(session) : pst_cmd_finish();
}

static int take_sort(struct pst_keys_filter *filter)
{
    if (pst_keys_order_of(pst_str_of(sort), &filter->order, &filter->descending) == 0)
        return -1;
    return pst_cmd_wrong_usage(&list_usage,
                               "--sort \"%s\" is not one of " PST_KEYS_ORDER_TEXTS
                               ", each also with a minus (-created) for descending order",
                               sort);
}

static int take_filter(struct pst_keys_filter *filter)
{
    int shown = state != NULL ? pst_key_shown_of(pst_str_of(state)) : 0;
    if (shown < 0)
        return pst_cmd_wrong_usage(&list_usage,
                                   "--state \"%s\" is not one of active, disabled, expired, not_yet", state);
    *filter = (struct pst_keys_filter){
        .shown = state != NULL ? 1u << shown : 0,
        .now_us = pst_clock_real_us(),
        .text = pst_str_of(text),
        .tag = pst_str_of(tag),
    };
    if (pst_num_u64(pst_str_of(limit), &filter->limit) < 0)
        return pst_cmd_wrong_usage(&list_usage, "--limit \"%s\" is not a number", limit);
    int done = take_sort(filter);
    if (done < 0)
        done = pst_cmd_take_time(&list_usage, "expires-before", expires_before, PST_CMD_FROM_NOW,
                                 &filter->expires_before_us);
    if (done < 0)
        done = pst_cmd_take_time(&list_usage, "unused-since", unused_since, PST_CMD_AGO,
                                 &filter->unused_since_us);
    return done;
}

int key_list(int argc, char **argv)
{
    struct key_session session;
    struct pst_keys_filter filter;
    int done = pst_cmd_parse(&list_usage, argc, argv, &session.args);
    if (done < 0)
        done = take_filter(&filter);
    if (done < 0)
        done = key_session_open(&session, false);
    if (done >= 0)
        return done;
    /* Where nothing was counted yet, nothing was used. */
    if (pst_usage_store_open(session.settings.data_dir, PST_DB_READ, &filter.usage, NULL) < 0)
        filter.usage = NULL;
    done = as_json ? print_array(&session, &filter) : print_table(&session, &filter);
    pst_usage_store_close(filter.usage);
    key_session_close(&session);
    return done;
}

int key_show(int argc, char **argv)
{
    struct key_session session;
    struct pst_str id;
    int done = pst_cmd_parse(&show_usage, argc, argv, &session.args);
    if (done < 0)
        done = key_session_open(&session, false);
    if (done >= 0)
        return done;
    done = key_find(&session, session.args.words[0], &id);
    if (done < 0)
        done = key_print(&session, id, as_json);
    key_session_close(&session);
    return done;
}
