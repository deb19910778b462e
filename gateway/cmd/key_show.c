/* SPDX-License-Identifier: Apache-2.0 */
/* postern key list, show: never a secret. */
#include "postern/base/clock.h"

#include "key_internal.h"

static bool as_json;

static const struct pst_option options[] = {
    {"json", NULL, "as JSON", NULL, &as_json},
};

static const struct pst_usage list_usage = {
    .synopsis = "key list [--json]",
    .about = "Lists all keys in the order of their creation. Of a secret only the end is shown.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .takes_settings = true,
};

static const struct pst_usage show_usage = {
    .synopsis = "key show ID [--json]",
    .about = "Shows one key, without its secrets.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .takes_settings = true,
    .min_args = 1,
    .max_args = 1,
};

static void add_time(struct pst_table *table, int64_t time_us)
{
    char text[PST_TIME_TEXT_SIZE] = "-";
    if (time_us != 0)
        pst_time_format(time_us, text);
    pst_table_cell(table, text);
}

static int add_row(const struct pst_key_row *row, void *arg)
{
    struct pst_table *table = arg;
    char text[PST_KEYS_NAME_MAX + 1];
    pst_str_clip(row->id, text, sizeof(text));
    pst_table_cell(table, text);
    pst_str_clip(row->name, text, sizeof(text));
    pst_table_cell(table, text);
    pst_table_cell(table, pst_key_row_state(row, pst_clock_real_us()));
    add_time(table, row->created_us);
    add_time(table, row->expires_us);
    for (int i = 0; i < 2; i++) {
        char shown[PST_KEY_SHOWN_TEXT_SIZE];
        key_shown_text(row->slot[i].prefix, row->slot[i].last4, shown);
        pst_table_cell(table, shown[0] != '\0' ? shown : "-");
    }
    return 0;
}

static int print_table(struct key_session *session)
{
    static const char *const columns[] = {"ID", "NAME", "STATE", "CREATED", "EXPIRES", "KEY1", "KEY2"};
    struct pst_table *table = pst_table_new(columns, sizeof(columns) / sizeof(columns[0]));
    if (table == NULL) {
        pst_cmd_error("out of memory");
        return PST_EXIT_FAILED;
    }
    int err = pst_keys_list(pst_keys_service_store(session->keys), NULL, add_row, table);
    pst_table_print(table, stdout);
    return err < 0 ? key_store_failed(session) : pst_cmd_finish();
}

/* One object after another: a million keys need no more memory than one. */
static int print_element(const struct pst_key_row *row, void *arg)
{
    bool *first = arg;
    json_t *object = key_json(row, NULL);
    if (object == NULL)
        return -PST_ENOMEM;
    fputs(*first ? "\n" : ",\n", stdout);
    *first = false;
    json_dumpf(object, stdout, JSON_INDENT(2));
    json_decref(object);
    return 0;
}

static int print_array(struct key_session *session)
{
    bool first = true;
    putchar('[');
    int err = pst_keys_list(pst_keys_service_store(session->keys), NULL, print_element, &first);
    puts(first ? "]" : "\n]");
    return err < 0 ? key_store_failed(session) : pst_cmd_finish();
}

int key_list(int argc, char **argv)
{
    struct key_session session;
    int done = pst_cmd_parse(&list_usage, argc, argv, &session.args);
    if (done < 0)
        done = key_session_open(&session, false);
    if (done >= 0)
        return done;
    done = as_json ? print_array(&session) : print_table(&session);
    key_session_close(&session);
    return done;
}

int key_show(int argc, char **argv)
{
    struct key_session session;
    struct pst_str id;
    int done = pst_cmd_parse(&show_usage, argc, argv, &session.args);
    if (done < 0)
        done = key_take_id(session.args.words[0], &id);
    if (done < 0)
        done = key_session_open(&session, false);
    if (done >= 0)
        return done;
    done = key_print(&session, id, as_json);
    key_session_close(&session);
    return done;
}
