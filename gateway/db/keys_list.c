/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of keys for people: filtered, in an order, page by page. */
#include "keys_private.h"
#include "postern/base/buf.h"
#include "postern/base/num.h"
#include "postern/db/usage_store.h"

#include <stdio.h>

#define STATES_LISTED (1u << PST_KEY_STATE_ACTIVE | 1u << PST_KEY_STATE_DISABLED)
#define SQL_MAX       8192

/* The parameters, by number: those a statement does not name are not bound. */
enum {
    AT_STATES = 1,
    AT_NAME,
    AT_TEXT,
    AT_TAG,
    AT_EXPIRES,
    AT_UNUSED,
    AT_SHOWN,
    AT_NOW,
    AT_LIMIT,
    AT_VALUE,
    AT_ROW,
    AT_IDS
};

/* What a list is sorted by: an SQL expression that is never NULL, so that a place in the order can be
 * compared with. Rows are numbered as they are created, so that the creation's order needs no sorting. */
static const struct order {
    const char *up;
    const char *down; /* NULL: the same */
    char letter;      /* in cursors */
    bool text;
} orders[PST_KEYS_ORDERS] = {
    [PST_KEYS_BY_CREATED] = {"rowid", NULL, 'c', false},
    [PST_KEYS_BY_ID] = {"id", NULL, 'i', true},
    [PST_KEYS_BY_NAME] = {"name COLLATE NOCASE", NULL, 'n', true},
    [PST_KEYS_BY_EXPIRES] = {"coalesce(expires_us, 9223372036854775807)", "coalesce(expires_us, 0)", 'e',
                             false},
    [PST_KEYS_BY_UPDATED] = {"updated_us", NULL, 'u', false},
    [PST_KEYS_BY_LAST_USED] = {"last_used(id)", NULL, 'l', false},
};

static const struct order *order_of(const struct pst_keys_filter *filter)
{
    return &orders[(size_t)filter->order < PST_KEYS_ORDERS ? filter->order : PST_KEYS_BY_CREATED];
}

static const char *order_sql(const struct pst_keys_filter *filter)
{
    const struct order *order = order_of(filter);
    return filter->descending && order->down != NULL ? order->down : order->up;
}

/* Cursors: the order's letter, the row's number, and the hex of what it is sorted by. */

/* The other way: in upper case. */
static char letter_of(const struct pst_keys_filter *filter)
{
    char letter = order_of(filter)->letter;
    return filter->descending ? (char)(letter - 'a' + 'A') : letter;
}

struct place {
    int64_t row;
    int64_t number;
    uint8_t text[PST_KEYS_NAME_MAX];
    size_t text_len;
};

static int64_t number_of(const struct pst_keys_filter *filter, const struct pst_key_row *row)
{
    switch (filter->order) {
    case PST_KEYS_BY_EXPIRES:
        return row->expires_us != 0 ? row->expires_us : filter->descending ? 0 : INT64_MAX;
    case PST_KEYS_BY_UPDATED:
        return row->updated_us;
    case PST_KEYS_BY_LAST_USED:
        return row->last_used_us;
    default:
        return row->number;
    }
}

void pst_keys_cursor(const struct pst_keys_filter *filter, const struct pst_key_row *row,
                     char cursor[static PST_KEYS_CURSOR_SIZE])
{
    const struct order *order = order_of(filter);
    int n =
        snprintf(cursor, PST_KEYS_CURSOR_SIZE, "%c%llx-", letter_of(filter), (unsigned long long)row->number);
    struct pst_str text = filter->order == PST_KEYS_BY_NAME ? row->name : row->id;
    if (!order->text) {
        snprintf(cursor + n, PST_KEYS_CURSOR_SIZE - (size_t)n, "%llx",
                 (unsigned long long)number_of(filter, row));
        return;
    }
    text.len = text.len < PST_KEYS_NAME_MAX ? text.len : PST_KEYS_NAME_MAX;
    pst_hex_encode((const uint8_t *)text.p, text.len, cursor + n);
    cursor[(size_t)n + 2 * text.len] = '\0';
}

static bool take_number(struct pst_str text, int64_t *ret)
{
    uint64_t value;
    if (pst_num_hex64(text, &value) < 0 || value > INT64_MAX)
        return false;
    *ret = (int64_t)value;
    return true;
}

static int parse_cursor(struct pst_keys_store *store, const struct pst_keys_filter *filter, struct place *ret)
{
    const struct order *order = order_of(filter);
    struct pst_str rest = filter->after;
    bool good = rest.len > 0 && rest.p[0] == letter_of(filter);
    struct pst_str row = good ? pst_str_cut(pst_str_skip(rest, 1), '-', &rest) : rest;
    *ret = (struct place){.text_len = rest.len / 2};
    good = good && take_number(row, &ret->row);
    if (good && order->text)
        good = ret->text_len <= sizeof(ret->text) && pst_hex_decode(rest, ret->text, ret->text_len) == 0;
    else if (good)
        good = take_number(rest, &ret->number);
    return good ? 0
                : pst_db_refuse(&store->db, -PST_EPARSE,
                                "that is no place in this list: a cursor belongs to the filter and order of "
                                "the page that it came with");
}

/* SQL */

static void add_conditions(struct pst_buf *sql, const struct pst_keys_filter *filter)
{
    const struct {
        bool wanted;
        const char *sql;
    } conditions[] = {
        {filter->name.len > 0, "name = ?2"},
        {filter->ids.len > 0, "instr(',' || ?12 || ',', ',' || id || ',')"},
        {filter->text.len > 0, "(instr(lower(id), lower(?3)) OR instr(lower(name), lower(?3))"
                               " OR instr(lower(note), lower(?3)) OR instr(lower(tags), lower(?3))"
                               " OR instr(lower(prefix1), lower(?3)) OR instr(lower(prefix2), lower(?3)))"},
        {filter->tag.len > 0, "CASE WHEN json_valid(tags) THEN "
                              "EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?4) ELSE 0 END"},
        {filter->expires_before_us != 0, "expires_us < ?5"},
        {filter->unused_since_us != 0, "created_us < ?6 AND last_used(id) < ?6"},
        {filter->shown != 0, "(?7 >> CASE WHEN state = 1 THEN 1 WHEN expires_us <= ?8 THEN 2 "
                             "WHEN not_before_us > ?8 THEN 3 ELSE 0 END) & 1"},
    };
    pst_buf_add_cstr(sql, " FROM key WHERE (?1 >> state) & 1");
    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        if (conditions[i].wanted)
            pst_buf_printf(sql, " AND %s", conditions[i].sql);
    }
}

static void add_page(struct pst_buf *sql, const struct pst_keys_filter *filter)
{
    const char *value = order_sql(filter), *way = filter->descending ? " DESC" : "";
    if (filter->after.len > 0)
        pst_buf_printf(sql, " AND (%s, rowid) %s (?10, ?11)", value, filter->descending ? "<" : ">");
    if (filter->order == PST_KEYS_BY_CREATED)
        pst_buf_printf(sql, " ORDER BY rowid%s LIMIT ?9", way);
    else
        pst_buf_printf(sql, " ORDER BY %s%s, rowid%s LIMIT ?9", value, way, way);
}

/* Those that a statement does not have are passed over by SQLite. */
static void bind_filter(sqlite3_stmt *stmt, const struct pst_keys_filter *filter, const struct place *place)
{
    bool all = filter->limit == 0 || filter->limit > INT64_MAX;
    sqlite3_bind_int64(stmt, AT_STATES, filter->states != 0 ? filter->states : STATES_LISTED);
    pst_db_bind_text(stmt, AT_NAME, filter->name);
    pst_db_bind_text(stmt, AT_IDS, filter->ids);
    pst_db_bind_text(stmt, AT_TEXT, filter->text);
    pst_db_bind_text(stmt, AT_TAG, filter->tag);
    sqlite3_bind_int64(stmt, AT_EXPIRES, filter->expires_before_us);
    sqlite3_bind_int64(stmt, AT_UNUSED, filter->unused_since_us);
    sqlite3_bind_int64(stmt, AT_SHOWN, filter->shown);
    sqlite3_bind_int64(stmt, AT_NOW, filter->now_us);
    sqlite3_bind_int64(stmt, AT_LIMIT, all ? -1 : (int64_t)filter->limit);
    if (order_of(filter)->text)
        sqlite3_bind_text(stmt, AT_VALUE, (const char *)place->text, (int)place->text_len, SQLITE_STATIC);
    else
        sqlite3_bind_int64(stmt, AT_VALUE, filter->order == PST_KEYS_BY_CREATED ? place->row : place->number);
    sqlite3_bind_int64(stmt, AT_ROW, place->row);
}

/* SQL's last_used(id): the other store is asked. A key is listed as never used rather than not at all. */
static void last_used(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct pst_usage_store *usage = sqlite3_user_data(context);
    struct pst_str id = {(const char *)sqlite3_value_text(values[0]), (size_t)sqlite3_value_bytes(values[0])};
    struct pst_usage_last used = {0};
    (void)n;
    if (usage != NULL && id.p != NULL && pst_usage_store_last_used(usage, id, &used) < 0)
        used.any_us = 0;
    sqlite3_result_int64(context, used.any_us);
}

static int prepare(struct pst_keys_store *store, const struct pst_keys_filter *filter, struct pst_buf *sql,
                   sqlite3_stmt **ret)
{
    int rc = sqlite3_create_function_v2(store->db.handle, "last_used", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                        filter->usage, last_used, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return pst_db_fail(&store->db, rc, "preparing a list");
    const char *text = pst_buf_cstr(sql);
    if (text == NULL)
        return pst_db_refuse(&store->db, -PST_ENOMEM, "no memory for the query");
    return pst_db_prepare(&store->db, ret, text);
}

static const struct pst_keys_filter everything;

int pst_keys_list(struct pst_keys_store *store, const struct pst_keys_filter *filter, pst_keys_row_fn *fn,
                  void *arg)
{
    struct pst_buf sql;
    struct place place = {0};
    sqlite3_stmt *stmt = NULL;
    bool stopped = false;
    filter = filter != NULL ? filter : &everything;
    int err = filter->after.len > 0 ? parse_cursor(store, filter, &place) : 0;
    if (err < 0)
        return err;
    bool used = filter->usage != NULL;
    pst_buf_init(&sql, SQL_MAX);
    pst_buf_printf(&sql, "SELECT " KEYS_ALL_COLUMNS ", rowid, %s", used ? "last_used(id)" : "0");
    add_conditions(&sql, filter);
    add_page(&sql, filter);
    err = prepare(store, filter, &sql, &stmt);
    if (err == 0) {
        bind_filter(stmt, filter, &place);
        err = pst_keys_each(store, stmt, KEYS_LISTED, fn, arg, &stopped);
    }
    sqlite3_finalize(stmt);
    pst_buf_done(&sql);
    return err;
}

int pst_keys_count(struct pst_keys_store *store, const struct pst_keys_filter *filter, uint64_t *ret)
{
    struct pst_buf sql;
    const struct place nowhere = {0};
    sqlite3_stmt *stmt = NULL;
    filter = filter != NULL ? filter : &everything;
    pst_buf_init(&sql, SQL_MAX);
    pst_buf_add_cstr(&sql, "SELECT count(*)");
    add_conditions(&sql, filter);
    int err = prepare(store, filter, &sql, &stmt);
    if (err == 0) {
        bind_filter(stmt, filter, &nowhere);
        err = pst_db_step(&store->db, stmt, "counting keys");
    }
    if (err == 1)
        *ret = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    pst_buf_done(&sql);
    return err < 0 ? err : 0;
}
