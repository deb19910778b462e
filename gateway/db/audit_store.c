/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/audit_store.h"

#include "keys_private.h"
#include "postern/base/buf.h"
#include "postern/crypto/hash.h"

#include <string.h>

_Static_assert(PST_AUDIT_HASH_BYTES == PST_SHA256_BYTES, "rows are chained by SHA-256");

#define COLUMNS       "n, time_us, actor_kind, actor_id, actor_name, address, action, target, before, after, hash"
#define ACTION_MAX    64
#define TARGET_MAX    128
#define ROW_BYTES_MAX ((size_t)2 * PST_AUDIT_JSON_MAX + 4096)

const char *pst_actor_kind_text(unsigned kind)
{
    static const char *const texts[PST_ACTOR_KINDS] = {
        [PST_ACTOR_SYSTEM] = "system",   [PST_ACTOR_CLI] = "cli",
        [PST_ACTOR_SOCKET] = "socket",   [PST_ACTOR_TOKEN] = "token",
        [PST_ACTOR_SESSION] = "session", [PST_ACTOR_CERTIFICATE] = "certificate",
    };
    return kind < PST_ACTOR_KINDS ? texts[kind] : "unknown";
}

/* The chain */

static void add_u64(struct pst_buf *buf, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    pst_buf_add(buf, bytes, sizeof(bytes));
}

/* Numbers in 8 bytes, texts behind their length, so that no two rows are written alike. */
static int hash_row(struct pst_keys_store *store, const uint8_t previous[static PST_AUDIT_HASH_BYTES],
                    const struct pst_audit_row *row, uint8_t ret[static PST_AUDIT_HASH_BYTES])
{
    const struct pst_str texts[] = {row->actor_kind, row->actor_id, row->actor_name, row->address,
                                    row->action,     row->target,   row->before,     row->after};
    struct pst_buf buf;
    pst_buf_init(&buf, ROW_BYTES_MAX);
    pst_buf_add(&buf, previous, PST_AUDIT_HASH_BYTES);
    add_u64(&buf, row->n);
    add_u64(&buf, (uint64_t)row->time_us);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        add_u64(&buf, texts[i].len);
        pst_buf_add_str(&buf, texts[i]);
    }
    bool failed = pst_buf_failed(&buf);
    if (!failed)
        pst_sha256(pst_buf_front(&buf), pst_buf_len(&buf), ret);
    pst_buf_done(&buf);
    return failed ? pst_db_refuse(&store->db, -PST_ENOMEM, "no memory for the audit trail") : 0;
}

static int take_hash(struct pst_keys_store *store, sqlite3_stmt *stmt, int column,
                     uint8_t ret[static PST_AUDIT_HASH_BYTES])
{
    const void *bytes = sqlite3_column_blob(stmt, column);
    if (bytes == NULL || sqlite3_column_bytes(stmt, column) != PST_AUDIT_HASH_BYTES)
        return pst_db_refuse(&store->db, -PST_EDB, "a hash of the audit trail is damaged");
    memcpy(ret, bytes, PST_AUDIT_HASH_BYTES);
    return 0;
}

/* The number and hash that the first column of `sql` and the second have. */
static int read_link(struct pst_keys_store *store, const char *sql, uint64_t *ret_n,
                     uint8_t ret_hash[static PST_AUDIT_HASH_BYTES])
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, sql);
    if (err == 0)
        err = pst_db_step(&store->db, stmt, "reading the audit trail");
    if (err == 0)
        err = pst_db_refuse(&store->db, -PST_EDB, "the beginning of the audit trail is missing");
    if (err > 0) {
        *ret_n = (uint64_t)sqlite3_column_int64(stmt, 0);
        err = take_hash(store, stmt, 1, ret_hash);
    }
    sqlite3_finalize(stmt);
    return err;
}

/* Adding */

static int check_event(struct pst_keys_store *store, const struct pst_audit_event *event)
{
    if (event->action.len == 0 || event->action.len > ACTION_MAX || event->target.len > TARGET_MAX)
        return pst_db_refuse(&store->db, -PST_EINVAL, "an audit event needs an action, of %d bytes at most",
                             ACTION_MAX);
    if (event->before.len > PST_AUDIT_JSON_MAX || event->after.len > PST_AUDIT_JSON_MAX)
        return pst_db_refuse(&store->db, -PST_EINVAL, "an audit event says more than %d bytes",
                             PST_AUDIT_JSON_MAX);
    return 0;
}

static struct pst_audit_row row_of(const struct pst_audit_event *event)
{
    return (struct pst_audit_row){
        .time_us = event->time_us,
        .actor_kind = pst_str_of(pst_actor_kind_text(event->actor->kind)),
        .actor_id = pst_str_of(event->actor->id),
        .actor_name = pst_str_of(event->actor->name),
        .address = pst_str_of(event->actor->address),
        .action = event->action,
        .target = event->target,
        .before = event->before,
        .after = event->after,
    };
}

/* Unlike pst_db_bind_text() it leaves what is empty empty: those columns are NOT NULL. */
static void bind_text(sqlite3_stmt *stmt, int index, struct pst_str text)
{
    sqlite3_bind_text(stmt, index, text.len > 0 ? text.p : "", (int)text.len, SQLITE_STATIC);
}

static int insert(struct pst_keys_store *store, const struct pst_audit_row *row)
{
    sqlite3_stmt *stmt;
    int err = pst_keys_stmt(
        store, KEYS_AUDIT_ADD,
        "INSERT INTO audit (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)", &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, (int64_t)row->n);
    sqlite3_bind_int64(stmt, 2, row->time_us);
    bind_text(stmt, 3, row->actor_kind);
    bind_text(stmt, 4, row->actor_id);
    bind_text(stmt, 5, row->actor_name);
    bind_text(stmt, 6, row->address);
    bind_text(stmt, 7, row->action);
    bind_text(stmt, 8, row->target);
    pst_db_bind_text(stmt, 9, row->before);
    pst_db_bind_text(stmt, 10, row->after);
    sqlite3_bind_blob(stmt, 11, row->hash, PST_AUDIT_HASH_BYTES, SQLITE_STATIC);
    return pst_db_run(&store->db, stmt, "adding to the audit trail");
}

static int append(struct pst_keys_store *store, const struct pst_audit_event *event)
{
    /* Two branches of one index look-up each. */
    static const char last_sql[] = "SELECT n, hash FROM (SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1) "
                                   "UNION ALL SELECT n, hash FROM audit_start ORDER BY n DESC LIMIT 1";
    struct pst_audit_row row = row_of(event);
    uint8_t previous[PST_AUDIT_HASH_BYTES];
    int err = check_event(store, event);
    if (err == 0)
        err = read_link(store, last_sql, &row.n, previous);
    if (err < 0)
        return err;
    row.n++;
    err = hash_row(store, previous, &row, row.hash);
    return err < 0 ? err : insert(store, &row);
}

int pst_audit_append(struct pst_keys_store *store, const struct pst_audit_event *event)
{
    bool own;
    int err = pst_keys_change_begin(store, &own);
    return err < 0 ? err : pst_keys_change_end(store, own, append(store, event));
}

/* Reading */

static int decode(struct pst_keys_store *store, sqlite3_stmt *stmt, struct pst_audit_row *ret)
{
    *ret = (struct pst_audit_row){
        .n = (uint64_t)sqlite3_column_int64(stmt, 0),
        .time_us = sqlite3_column_int64(stmt, 1),
        .actor_kind = pst_db_text(stmt, 2),
        .actor_id = pst_db_text(stmt, 3),
        .actor_name = pst_db_text(stmt, 4),
        .address = pst_db_text(stmt, 5),
        .action = pst_db_text(stmt, 6),
        .target = pst_db_text(stmt, 7),
        .before = pst_db_text(stmt, 8),
        .after = pst_db_text(stmt, 9),
    };
    return take_hash(store, stmt, 10, ret->hash);
}

/* Runs `stmt` to its end, or until fn stops it. */
static int each_row(struct pst_keys_store *store, sqlite3_stmt *stmt, pst_audit_row_fn *fn, void *arg)
{
    int err;
    while ((err = pst_db_step(&store->db, stmt, "reading the audit trail")) > 0) {
        struct pst_audit_row row;
        err = decode(store, stmt, &row);
        if (err == 0)
            err = fn(&row, arg);
        if (err != 0)
            break;
    }
    return err < 0 ? err : 0;
}

static void add_conditions(struct pst_buf *sql, const struct pst_audit_filter *filter)
{
    pst_buf_add_cstr(sql, " FROM audit WHERE time_us >= ?1 AND time_us < ?2");
    if (filter->action.len > 0)
        pst_buf_add_cstr(sql, pst_str_ends(filter->action, PST_STR("."))
                                  ? " AND substr(action, 1, length(?3)) = ?3"
                                  : " AND action = ?3");
    if (filter->target.len > 0)
        pst_buf_add_cstr(sql, " AND target = ?4");
    if (filter->actor.len > 0)
        pst_buf_add_cstr(sql, " AND (actor_id = ?5 OR actor_name = ?5)");
}

static int prepare(struct pst_keys_store *store, struct pst_buf *sql, const struct pst_audit_filter *filter,
                   sqlite3_stmt **ret)
{
    const char *text = pst_buf_cstr(sql);
    if (text == NULL)
        return pst_db_refuse(&store->db, -PST_ENOMEM, "no memory for the query");
    int err = pst_db_prepare(&store->db, ret, text);
    if (err < 0)
        return err;
    bool all = filter->limit == 0 || filter->limit > INT64_MAX;
    sqlite3_bind_int64(*ret, 1, filter->from_us);
    sqlite3_bind_int64(*ret, 2, filter->to_us != 0 ? filter->to_us : INT64_MAX);
    pst_db_bind_text(*ret, 3, filter->action);
    pst_db_bind_text(*ret, 4, filter->target);
    pst_db_bind_text(*ret, 5, filter->actor);
    sqlite3_bind_int64(*ret, 6, all ? -1 : (int64_t)filter->limit);
    sqlite3_bind_int64(*ret, 7, filter->before_n > INT64_MAX ? INT64_MAX : (int64_t)filter->before_n);
    return 0;
}

int pst_audit_list(struct pst_keys_store *store, const struct pst_audit_filter *filter, pst_audit_row_fn *fn,
                   void *arg)
{
    struct pst_buf sql;
    sqlite3_stmt *stmt = NULL;
    pst_buf_init(&sql, 2048);
    pst_buf_add_cstr(&sql, "SELECT " COLUMNS);
    add_conditions(&sql, filter);
    pst_buf_add_cstr(&sql, filter->before_n != 0 ? " AND n < ?7" : "");
    pst_buf_add_cstr(&sql, " ORDER BY n DESC LIMIT ?6");
    int err = prepare(store, &sql, filter, &stmt);
    if (err == 0)
        err = each_row(store, stmt, fn, arg);
    sqlite3_finalize(stmt);
    pst_buf_done(&sql);
    return err;
}

int pst_audit_count(struct pst_keys_store *store, const struct pst_audit_filter *filter, uint64_t *ret)
{
    struct pst_buf sql;
    sqlite3_stmt *stmt = NULL;
    pst_buf_init(&sql, 2048);
    pst_buf_add_cstr(&sql, "SELECT count(*)");
    add_conditions(&sql, filter);
    int err = prepare(store, &sql, filter, &stmt);
    if (err == 0)
        err = pst_db_step(&store->db, stmt, "counting the audit trail");
    if (err > 0)
        *ret = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    pst_buf_done(&sql);
    return err < 0 ? err : 0;
}

/* Verifying */

struct verifying {
    struct pst_keys_store *store;
    const uint8_t *noted;
    struct pst_audit_verdict *verdict;
};

static bool is_noted(const struct verifying *verifying, const uint8_t hash[static PST_AUDIT_HASH_BYTES])
{
    return verifying->noted != NULL && memcmp(verifying->noted, hash, PST_AUDIT_HASH_BYTES) == 0;
}

static int verify_row(const struct pst_audit_row *row, void *arg)
{
    struct verifying *verifying = arg;
    struct pst_audit_verdict *verdict = verifying->verdict;
    uint8_t hash[PST_AUDIT_HASH_BYTES];
    verdict->rows++;
    int err = hash_row(verifying->store, verdict->hash, row, hash);
    if (err < 0)
        return err;
    verdict->missing = row->n != verdict->last + 1;
    if (verdict->missing || memcmp(hash, row->hash, sizeof(hash)) != 0) {
        verdict->broken = row->n;
        return 1;
    }
    memcpy(verdict->hash, hash, sizeof(hash));
    verdict->last = row->n;
    verdict->noted_found |= is_noted(verifying, hash);
    return 0;
}

int pst_audit_verify(struct pst_keys_store *store, const uint8_t *noted, struct pst_audit_verdict *ret)
{
    struct pst_audit_verdict verdict = {0};
    struct verifying verifying = {store, noted, &verdict};
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_exec(&store->db, "BEGIN", "reading the audit trail"); /* one state of it */
    if (err < 0)
        return err;
    err = read_link(store, "SELECT n, hash FROM audit_start", &verdict.last, verdict.hash);
    verdict.first = verdict.last + 1;
    verdict.noted_found = is_noted(&verifying, verdict.hash);
    if (err == 0)
        err = pst_db_prepare(&store->db, &stmt, "SELECT " COLUMNS " FROM audit ORDER BY n");
    if (err == 0)
        err = each_row(store, stmt, verify_row, &verifying);
    sqlite3_finalize(stmt);
    pst_db_rollback(&store->db); /* nothing was written */
    if (err == 0)
        *ret = verdict;
    return err;
}

/* Forgetting */

static int run_bound(struct pst_keys_store *store, const char *sql, int64_t first, int64_t second)
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, sql);
    if (err == 0) {
        sqlite3_bind_int64(stmt, 1, first);
        sqlite3_bind_int64(stmt, 2, second);
        err = pst_db_run(&store->db, stmt, "forgetting the old audit trail");
    }
    sqlite3_finalize(stmt);
    return err < 0 ? err : sqlite3_changes(store->db.handle);
}

/* The beginning moves to the last of the first `max` rows before the first that is young enough. */
static int forget(struct pst_keys_store *store, int64_t before_us, unsigned max)
{
    int moved = run_bound(
        store,
        "UPDATE audit_start SET (n, hash) = (SELECT n, hash FROM (SELECT n, hash, time_us FROM audit ORDER "
        "BY n "
        "LIMIT ?2) WHERE n < coalesce((SELECT n FROM audit WHERE time_us >= ?1 ORDER BY n LIMIT 1), "
        "9223372036854775807) ORDER BY n DESC LIMIT 1) WHERE (SELECT time_us FROM audit ORDER BY n LIMIT 1) "
        "< ?1",
        before_us, max);
    return moved <= 0 ? moved
                      : run_bound(store, "DELETE FROM audit WHERE n <= (SELECT n FROM audit_start)", 0, 0);
}

int pst_audit_forget(struct pst_keys_store *store, int64_t before_us, unsigned max)
{
    /* Most of the time there is nothing to forget, and then nothing is locked. */
    int64_t oldest_us = 0;
    int err =
        pst_db_number(&store->db, "SELECT time_us FROM audit ORDER BY n LIMIT 1", INT64_MAX, &oldest_us);
    bool own;
    if (err < 0 || oldest_us >= before_us)
        return err;
    err = pst_keys_change_begin(store, &own);
    if (err < 0)
        return err;
    int n = forget(store, before_us, max);
    err = pst_keys_change_end(store, own, n < 0 ? n : 0);
    return err < 0 ? err : n;
}
