/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation of the keys store, alone and with another process writing. */
#include "postern/base/clock.h"
#include "postern/db/keys_store.h"
#include "scratch.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define NOW INT64_C(1800000000000000)

static struct pst_keys_store *open_store(void **state)
{
    struct pst_keys_store *store = NULL;
    struct pst_db_why why = {""};
    int err = pst_keys_open(*state, PST_DB_WRITE, &store, &why);
    if (err < 0)
        fail_msg("open: %d %s", err, why.text);
    return store;
}

static struct pst_key_digest digest_of(unsigned n)
{
    struct pst_key_digest digest = {.set = true};
    memset(digest.bytes, 0xAB, sizeof(digest.bytes));
    memcpy(digest.bytes, &n, sizeof(n));
    return digest;
}

/* A key with two secrets; `text` must outlive the row. */
static struct pst_key_row row_of(char text[static 24], unsigned n)
{
    snprintf(text, 24, "k%011u", n);
    return (struct pst_key_row){
        .id = {text, 12},
        .name = PST_STR("a name"),
        .created_us = NOW + n,
        .slot = {{.digest = digest_of(2 * n), .prefix = PST_STR("ps_x_"), .last4 = PST_STR("1234")},
                 {.digest = digest_of(2 * n + 1)}},
    };
}

static void create(struct pst_keys_store *store, unsigned n)
{
    char text[24];
    struct pst_key_row row = row_of(text, n);
    if (pst_keys_create(store, &row) < 0)
        fail_msg("create: %s", pst_keys_why(store));
}

/* The row; its strings live in a static arena until the next call. */
static int get(struct pst_keys_store *store, const char *id, struct pst_key_row *ret)
{
    static struct pst_arena arena;
    if (arena.block_bytes == 0)
        pst_arena_init(&arena, 4096, 1 << 20);
    pst_arena_reset(&arena);
    return pst_keys_get(store, pst_str_of(id), &arena, ret);
}

static void assert_str(struct pst_str s, const char *expected)
{
    char text[512];
    pst_str_clip(s, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void test_file_is_private(void **state)
{
    char path[128];
    struct stat st;
    scratch_path(path, sizeof(path), state, PST_KEYS_FILE);
    struct pst_keys_store *store = open_store(state);
    create(store, 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    scratch_path(path, sizeof(path), state, PST_KEYS_FILE "-wal");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    pst_keys_close(store);
    pst_keys_close(NULL);
}

static void test_every_field_comes_back(void **state)
{
    struct pst_keys_store *store = open_store(state);
    struct pst_key_row row = {
        .id = PST_STR("abc123abc123"),
        .name = PST_STR("n\xc3\xa4me"),
        .note = PST_STR("note"),
        .tags = PST_STR("[\"a\"]"),
        .state = PST_KEY_STATE_DISABLED,
        .created_us = NOW,
        .expires_us = NOW + 5,
        .not_before_us = NOW - 5,
        .scopes = PST_STR("[1]"),
        .networks = PST_STR("[2]"),
        .limits = PST_STR("{}"),
        .slot = {{.digest = digest_of(1),
                  .prefix = PST_STR("ps_"),
                  .last4 = PST_STR("wxyz"),
                  .created_us = NOW - 9},
                 {.digest = digest_of(2), .imported = true}},
    };
    assert_int_equal(pst_keys_create(store, &row), 0);
    pst_keys_close(store);
    store = open_store(state);
    struct pst_key_row back;
    assert_int_equal(get(store, "abc123abc123", &back), 0);
    assert_str(back.id, "abc123abc123");
    assert_str(back.name, "n\xc3\xa4me");
    assert_str(back.note, "note");
    assert_str(back.tags, "[\"a\"]");
    assert_str(back.scopes, "[1]");
    assert_str(back.networks, "[2]");
    assert_str(back.limits, "{}");
    assert_int_equal(back.state, PST_KEY_STATE_DISABLED);
    assert_int_equal(back.created_us, NOW);
    assert_int_equal(back.updated_us, NOW);
    assert_int_equal(back.expires_us, NOW + 5);
    assert_int_equal(back.not_before_us, NOW - 5);
    assert_true(back.slot[0].digest.set && back.slot[1].digest.set);
    assert_memory_equal(back.slot[0].digest.bytes, digest_of(1).bytes, PST_KEYS_DIGEST_BYTES);
    assert_memory_equal(back.slot[1].digest.bytes, digest_of(2).bytes, PST_KEYS_DIGEST_BYTES);
    assert_str(back.slot[0].prefix, "ps_");
    assert_str(back.slot[0].last4, "wxyz");
    assert_str(back.slot[1].last4, "");
    assert_int_equal(back.slot[0].created_us, NOW - 9);
    assert_int_equal(back.slot[1].created_us, NOW);
    assert_false(back.slot[0].imported);
    assert_true(back.slot[1].imported);
    assert_false(back.slot[0].old_digest.set);
    assert_true(back.change_seq > 0);
    assert_int_equal(get(store, "nobody", &back), -PST_ENOENT);
    assert_non_null(strstr(pst_keys_why(store), "nobody"));
    pst_keys_close(store);
}

static void test_refused_keys(void **state)
{
    struct pst_keys_store *store = open_store(state);
    char text[24], other[24], long_name[PST_KEYS_NAME_MAX + 2];
    create(store, 1);
    struct pst_key_row row = row_of(text, 1);
    assert_int_equal(pst_keys_create(store, &row), -PST_EEXIST);
    assert_non_null(strstr(pst_keys_why(store), "k00000000001"));
    row = row_of(other, 2);
    row.name.len = 0;
    assert_int_equal(pst_keys_create(store, &row), -PST_EINVAL);
    row = row_of(other, 2);
    row.slot[0].digest.set = row.slot[1].digest.set = false;
    assert_int_equal(pst_keys_create(store, &row), -PST_EINVAL);
    row = row_of(other, 2);
    row.state = PST_KEY_STATE_DELETED;
    assert_int_equal(pst_keys_create(store, &row), -PST_EINVAL);
    memset(long_name, 'x', sizeof(long_name));
    row = row_of(other, 2);
    row.name = (struct pst_str){long_name, PST_KEYS_NAME_MAX + 1};
    assert_int_equal(pst_keys_create(store, &row), -PST_EINVAL);
    row.name.len--;
    assert_int_equal(pst_keys_create(store, &row), 0);
    uint64_t n = 0;
    assert_int_equal(pst_keys_count(store, NULL, &n), 0);
    assert_int_equal(n, 2);
    pst_keys_close(store);
}

static void test_imported_secrets_belong_to_one_key(void **state)
{
    struct pst_keys_store *store = open_store(state);
    char text[24];
    struct pst_key_row row = row_of(text, 1);
    row.slot[0].imported = true;
    assert_int_equal(pst_keys_create(store, &row), 0);
    struct pst_key_slot taken = {.digest = row.slot[0].digest, .imported = true};
    row = row_of(text, 2);
    row.slot[1] = taken; /* in the other slot */
    assert_int_equal(pst_keys_create(store, &row), -PST_EEXIST);
    assert_non_null(strstr(pst_keys_why(store), "k00000000001"));
    create(store, 2);
    assert_int_equal(pst_keys_set_slot(store, PST_STR("k00000000002"), 1, &taken, 0, NOW), -PST_EEXIST);
    /* Rotated away with grace it is still taken, and free when the grace is over or the key deleted. */
    struct pst_key_slot fresh = {.digest = digest_of(900)};
    assert_int_equal(pst_keys_set_slot(store, PST_STR("k00000000001"), 1, &fresh, NOW + 100, NOW), 0);
    assert_int_equal(pst_keys_set_slot(store, PST_STR("k00000000002"), 1, &taken, 0, NOW + 99), -PST_EEXIST);
    assert_int_equal(pst_keys_set_slot(store, PST_STR("k00000000002"), 1, &taken, 0, NOW + 100), 0);
    assert_int_equal(pst_keys_delete(store, PST_STR("k00000000002"), NOW + 200), 0);
    assert_int_equal(pst_keys_set_slot(store, PST_STR("k00000000001"), 2, &taken, 0, NOW + 201), 0);
    row = row_of(text, 3);
    row.slot[0].imported = row.slot[1].imported = true;
    row.slot[1].digest = row.slot[0].digest;
    assert_int_equal(pst_keys_create(store, &row), -PST_EEXIST);
    pst_keys_close(store);
}

static void test_update(void **state)
{
    struct pst_keys_store *store = open_store(state);
    create(store, 1);
    struct pst_key_row back, change = {
                                 .id = PST_STR("k00000000001"),
                                 .name = PST_STR("new"),
                                 .note = PST_STR("why"),
                                 .expires_us = NOW + 77,
                                 .state = PST_KEY_STATE_DISABLED,
                             };
    assert_int_equal(get(store, "k00000000001", &back), 0);
    uint64_t seq = back.change_seq;
    assert_int_equal(pst_keys_update(store, &change, PST_KEYS_SET_NAME | PST_KEYS_SET_EXPIRES, seq, NOW + 9),
                     0);
    assert_int_equal(get(store, "k00000000001", &back), 0);
    assert_str(back.name, "new");
    assert_str(back.note, "");
    assert_int_equal(back.expires_us, NOW + 77);
    assert_int_equal(back.state, PST_KEY_STATE_ACTIVE);
    assert_int_equal(back.updated_us, NOW + 9);
    assert_true(back.change_seq > seq);
    assert_int_equal(pst_keys_update(store, &change, PST_KEYS_SET_NOTE, seq, NOW), -PST_EAGAIN);
    assert_int_equal(pst_keys_update(store, &change, PST_KEYS_SET_NOTE | PST_KEYS_SET_STATE, 0, NOW), 0);
    change.note.len = 0;
    change.expires_us = 0;
    assert_int_equal(pst_keys_update(store, &change, PST_KEYS_SET_NOTE | PST_KEYS_SET_EXPIRES, 0, NOW), 0);
    assert_int_equal(get(store, "k00000000001", &back), 0);
    assert_str(back.note, "");
    assert_int_equal(back.expires_us, 0);
    assert_int_equal(back.state, PST_KEY_STATE_DISABLED);
    assert_int_equal(pst_keys_set_state(store, PST_STR("k00000000001"), PST_KEY_STATE_ACTIVE, NOW), 0);
    assert_int_equal(pst_keys_set_state(store, PST_STR("k00000000001"), PST_KEY_STATE_DELETED, NOW),
                     -PST_EINVAL);
    assert_int_equal(pst_keys_set_state(store, PST_STR("k9"), PST_KEY_STATE_ACTIVE, NOW), -PST_ENOENT);
    assert_int_equal(pst_keys_update(store, &change, 0, 0, NOW), -PST_EINVAL);
    change.name.len = 0;
    assert_int_equal(pst_keys_update(store, &change, PST_KEYS_SET_NAME, 0, NOW), -PST_EINVAL);
    pst_keys_close(store);
}

static void test_slots(void **state)
{
    struct pst_keys_store *store = open_store(state);
    const struct pst_str id = PST_STR("k00000000001");
    struct pst_key_row back;
    create(store, 1);
    struct pst_key_slot fresh = {.digest = digest_of(50), .prefix = PST_STR("p"), .last4 = PST_STR("5050")};
    assert_int_equal(pst_keys_set_slot(store, id, 1, &fresh, NOW + 1000, NOW), 0);
    assert_int_equal(get(store, "k00000000001", &back), 0);
    assert_memory_equal(back.slot[0].digest.bytes, digest_of(50).bytes, PST_KEYS_DIGEST_BYTES);
    assert_true(back.slot[0].old_digest.set);
    assert_memory_equal(back.slot[0].old_digest.bytes, digest_of(2).bytes, PST_KEYS_DIGEST_BYTES);
    assert_str(back.slot[0].old_last4, "1234");
    assert_str(back.slot[0].last4, "5050");
    assert_int_equal(back.slot[0].old_valid_until_us, NOW + 1000);
    assert_int_equal(back.slot[0].created_us, NOW);
    assert_memory_equal(back.slot[1].digest.bytes, digest_of(3).bytes, PST_KEYS_DIGEST_BYTES);
    fresh.digest = digest_of(51); /* at once: no grace, and the one before is gone too */
    assert_int_equal(pst_keys_set_slot(store, id, 1, &fresh, NOW, NOW), 0);
    assert_int_equal(get(store, "k00000000001", &back), 0);
    assert_false(back.slot[0].old_digest.set);
    assert_int_equal(back.slot[0].old_valid_until_us, 0);
    assert_int_equal(pst_keys_set_slot(store, id, 2, &fresh, NOW + 5, NOW), 0);
    assert_int_equal(pst_keys_clear_slot(store, id, 2, NOW), 0);
    assert_int_equal(get(store, "k00000000001", &back), 0);
    assert_false(back.slot[1].digest.set);
    assert_false(back.slot[1].old_digest.set);
    assert_true(back.slot[0].digest.set);
    assert_int_equal(pst_keys_set_slot(store, id, 2, &fresh, NOW + 5, NOW), 0);
    assert_int_equal(get(store, "k00000000001", &back), 0);
    assert_int_equal(back.slot[1].old_valid_until_us, 0); /* there was none to be graceful to */
    assert_int_equal(pst_keys_set_slot(store, id, 3, &fresh, 0, NOW), -PST_EINVAL);
    assert_int_equal(pst_keys_clear_slot(store, id, 0, NOW), -PST_EINVAL);
    fresh.digest.set = false;
    assert_int_equal(pst_keys_set_slot(store, id, 1, &fresh, 0, NOW), -PST_EINVAL);
    assert_int_equal(pst_keys_clear_slot(store, PST_STR("k9"), 1, NOW), -PST_ENOENT);
    pst_keys_close(store);
}

struct seen {
    unsigned n, deleted, with_digest, stop_at;
    uint64_t last_seq;
    char first[24], last[24];
};

static int see(const struct pst_key_row *row, void *arg)
{
    struct seen *seen = arg;
    if (seen->n++ == 0)
        pst_str_clip(row->id, seen->first, sizeof(seen->first));
    pst_str_clip(row->id, seen->last, sizeof(seen->last));
    seen->deleted += row->state == PST_KEY_STATE_DELETED;
    seen->with_digest += row->slot[0].digest.set || row->slot[1].digest.set;
    assert_true(row->change_seq >= seen->last_seq || seen->last_seq == UINT64_MAX);
    if (seen->last_seq != UINT64_MAX)
        seen->last_seq = row->change_seq;
    return seen->stop_at > 0 && seen->n >= seen->stop_at ? 1 : 0;
}

static void test_deletion_leaves_a_tombstone(void **state)
{
    struct pst_keys_store *store = open_store(state);
    struct pst_key_row back;
    char text[24];
    create(store, 1);
    create(store, 2);
    uint64_t seq = 0, after = 0;
    struct seen all = {.last_seq = UINT64_MAX};
    assert_int_equal(pst_keys_load(store, see, &all, &seq), 0);
    assert_int_equal(all.n, 2);
    assert_int_equal(pst_keys_delete(store, PST_STR("k00000000001"), NOW), 0);
    assert_int_equal(pst_keys_delete(store, PST_STR("k00000000001"), NOW), -PST_ENOENT);
    assert_int_equal(get(store, "k00000000001", &back), -PST_ENOENT);
    struct seen changed = {0};
    assert_int_equal(pst_keys_changes(store, seq, see, &changed, &after), 0);
    assert_int_equal(changed.n, 1);
    assert_int_equal(changed.deleted, 1);
    assert_int_equal(changed.with_digest, 0);
    struct pst_key_row row = row_of(text, 1);
    assert_int_equal(pst_keys_create(store, &row), -PST_EEXIST);
    assert_int_equal(pst_keys_purge(store, NOW + PST_KEYS_TOMBSTONE_US), 0);
    assert_int_equal(pst_keys_purge(store, NOW + PST_KEYS_TOMBSTONE_US + 1), 1);
    assert_int_equal(pst_keys_changed(store, after), 0); /* what goes had no effect any more */
    assert_int_equal(pst_keys_create(store, &row), 0);
    assert_int_equal(pst_keys_changed(store, after), 1); /* and the number did not go back */
    pst_keys_close(store);
}

static void test_purge_ends_grace(void **state)
{
    struct pst_keys_store *store = open_store(state);
    struct pst_key_row back;
    struct pst_key_slot fresh = {.digest = digest_of(50)};
    create(store, 1);
    assert_int_equal(pst_keys_set_slot(store, PST_STR("k00000000001"), 2, &fresh, NOW + 10, NOW), 0);
    assert_int_equal(pst_keys_purge(store, NOW + 9), 0);
    assert_int_equal(pst_keys_purge(store, NOW + 10), 1);
    assert_int_equal(get(store, "k00000000001", &back), 0);
    assert_false(back.slot[1].old_digest.set);
    assert_true(back.slot[1].digest.set);
    pst_keys_close(store);
}

static unsigned list(struct pst_keys_store *store, struct pst_keys_filter filter, struct seen *ret)
{
    *ret = (struct seen){.last_seq = UINT64_MAX};
    assert_int_equal(pst_keys_list(store, &filter, see, ret), 0);
    uint64_t n = 0;
    assert_int_equal(pst_keys_count(store, &filter, &n), 0);
    if (filter.limit == 0 && filter.after.len == 0)
        assert_int_equal(n, ret->n);
    return ret->n;
}

static void test_lists(void **state)
{
    static const char *const names[] = {"delta", "Alpha", "charlie", "Bravo"};
    struct pst_keys_store *store = open_store(state);
    struct seen seen;
    for (unsigned i = 0; i < 4; i++) {
        char text[24];
        struct pst_key_row row = row_of(text, 4 - i);
        row.name = pst_str_of(names[i]);
        row.note = i == 2 ? PST_STR("for The Lab") : PST_STR("");
        row.expires_us = i < 2 ? NOW + 100 - i : 0;
        row.state = i == 3 ? PST_KEY_STATE_DISABLED : PST_KEY_STATE_ACTIVE;
        assert_int_equal(pst_keys_create(store, &row), 0);
    }
    assert_int_equal(list(store, (struct pst_keys_filter){0}, &seen), 4);
    assert_string_equal(seen.first, "k00000000004");
    list(store, (struct pst_keys_filter){.descending = true}, &seen);
    assert_string_equal(seen.first, "k00000000001");
    list(store, (struct pst_keys_filter){.order = PST_KEYS_BY_ID}, &seen);
    assert_string_equal(seen.first, "k00000000001");
    list(store, (struct pst_keys_filter){.order = PST_KEYS_BY_NAME}, &seen);
    assert_string_equal(seen.first, "k00000000003");
    assert_string_equal(seen.last, "k00000000004");
    list(store, (struct pst_keys_filter){.order = PST_KEYS_BY_EXPIRES}, &seen);
    assert_string_equal(seen.first, "k00000000003");
    list(store, (struct pst_keys_filter){.order = PST_KEYS_BY_UPDATED, .descending = true}, &seen);
    assert_string_equal(seen.first, "k00000000004");
    assert_int_equal(list(store, (struct pst_keys_filter){.limit = 2}, &seen), 2);
    assert_string_equal(seen.last, "k00000000003");
    assert_int_equal(list(store, (struct pst_keys_filter){.name = PST_STR("Alpha")}, &seen), 1);
    assert_int_equal(list(store, (struct pst_keys_filter){.name = PST_STR("alpha")}, &seen), 0);
    assert_int_equal(list(store, (struct pst_keys_filter){.text = PST_STR("the lab")}, &seen), 1);
    assert_int_equal(list(store, (struct pst_keys_filter){.text = PST_STR("%")}, &seen), 0);
    assert_int_equal(list(store, (struct pst_keys_filter){.text = PST_STR("K0000")}, &seen), 4);
    assert_int_equal(list(store, (struct pst_keys_filter){.states = 1 << PST_KEY_STATE_DISABLED}, &seen), 1);
    assert_int_equal(list(store, (struct pst_keys_filter){.expires_before_us = NOW + 100}, &seen), 1);
    assert_int_equal(pst_keys_delete(store, PST_STR("k00000000004"), NOW), 0);
    assert_int_equal(list(store, (struct pst_keys_filter){0}, &seen), 3);
    assert_int_equal(list(store, (struct pst_keys_filter){.states = 7}, &seen), 4);
    seen = (struct seen){.last_seq = UINT64_MAX, .stop_at = 2};
    assert_int_equal(pst_keys_list(store, NULL, see, &seen), 0);
    assert_int_equal(seen.n, 2);
    pst_keys_close(store);
}

/* Every page of a list, two rows each, is the whole list in one piece, whatever it is sorted by. */
struct pages {
    const struct pst_keys_filter *filter;
    char ids[64][24];
    unsigned n;
    char cursor[PST_KEYS_CURSOR_SIZE];
};

static int take_page(const struct pst_key_row *row, void *arg)
{
    struct pages *pages = arg;
    pst_str_clip(row->id, pages->ids[pages->n++ % 64], sizeof(pages->ids[0]));
    pst_keys_cursor(pages->filter, row, pages->cursor);
    return 0;
}

static void assert_pages(struct pst_keys_store *store, struct pst_keys_filter filter)
{
    struct pages whole = {.filter = &filter}, paged = {.filter = &filter};
    assert_int_equal(pst_keys_list(store, &filter, take_page, &whole), 0);
    assert_true(whole.n > 2 && whole.n < 64);
    filter.limit = 2;
    for (unsigned before = 1; before != paged.n && paged.n < 64;) {
        before = paged.n;
        assert_int_equal(pst_keys_list(store, &filter, take_page, &paged), 0);
        filter.after = pst_str_of(paged.cursor);
    }
    assert_int_equal(paged.n, whole.n);
    for (unsigned i = 0; i < whole.n; i++)
        assert_string_equal(paged.ids[i], whole.ids[i]);
}

static void create_many(struct pst_keys_store *store)
{
    static const char *const names[] = {"b", "B", "a", "\xc3\xa4", "same", "same", "same", "Same", "z", "A"};
    for (unsigned i = 0; i < 20; i++) {
        char text[24];
        struct pst_key_row row = row_of(text, i + 1);
        row.name = pst_str_of(names[i % 10]);
        row.expires_us = i % 3 == 0 ? 0 : NOW + (i % 4) * 100 + 1;
        row.not_before_us = i % 5 == 4 ? NOW + 50 : 0;
        row.tags = i % 2 == 0 ? PST_STR("[\"a\",\"b c\"]") : PST_STR("");
        row.state = i == 7 ? PST_KEY_STATE_DISABLED : PST_KEY_STATE_ACTIVE;
        row.created_us = NOW - i / 3;
        assert_int_equal(pst_keys_create(store, &row), 0);
    }
}

static void test_pages(void **state)
{
    struct pst_keys_store *store = open_store(state);
    create_many(store);
    for (int order = 0; order < PST_KEYS_ORDERS; order++) {
        for (int down = 0; down < 2; down++) {
            assert_pages(store,
                         (struct pst_keys_filter){.order = (enum pst_keys_order)order, .descending = down});
            assert_pages(store, (struct pst_keys_filter){.order = (enum pst_keys_order)order,
                                                         .descending = down,
                                                         .tag = PST_STR("a")});
        }
    }
    pst_keys_close(store);
}

/* Rows that come and go between two pages: the others are met once each. */
static void test_pages_of_what_changes(void **state)
{
    struct pst_keys_store *store = open_store(state);
    struct pst_keys_filter filter = {.order = PST_KEYS_BY_NAME, .limit = 8};
    struct pages pages = {.filter = &filter};
    create_many(store);
    assert_int_equal(pst_keys_list(store, &filter, take_page, &pages), 0);
    assert_int_equal(pst_keys_delete(store, pst_str_of(pages.ids[0]), NOW), 0);
    assert_int_equal(pst_keys_delete(store, pst_str_of(pages.ids[7]), NOW), 0);
    char text[24];
    struct pst_key_row early = row_of(text, 99);
    early.name = PST_STR("0");
    assert_int_equal(pst_keys_create(store, &early), 0);
    filter.after = pst_str_of(pages.cursor);
    filter.limit = 0;
    assert_int_equal(pst_keys_list(store, &filter, take_page, &pages), 0);
    assert_int_equal(pages.n, 20);
    for (unsigned i = 0; i < 20; i++) {
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(pages.ids[i], pages.ids[k]);
    }
    pst_keys_close(store);
}

static void test_wrong_cursors(void **state)
{
    static const char *const wrong[] = {"x",     "n",      "n-",     "N1-61",       "c1-1-1",
                                        "nz-61", "n1-6",   "n1-zz",  "e1-61",       "n11111111111111111-61",
                                        "1",     "n 1-61", "n-1-61", "n1-61' OR 1", "nffffffffffffffff-61"};
    struct pst_keys_store *store = open_store(state);
    struct seen seen = {.last_seq = UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct pst_keys_filter filter = {.order = PST_KEYS_BY_NAME, .after = pst_str_of(wrong[i])};
        if (pst_keys_list(store, &filter, see, &seen) != -PST_EPARSE)
            fail_msg("%s was taken", wrong[i]);
    }
    /* One byte more than any name has. */
    char text[2 * PST_KEYS_NAME_MAX + 16] = "n1-";
    memset(text + 3, '6', 2 * (PST_KEYS_NAME_MAX + 1));
    const struct pst_keys_filter filter = {.order = PST_KEYS_BY_NAME, .after = pst_str_of(text)};
    assert_int_equal(pst_keys_list(store, &filter, see, &seen), -PST_EPARSE);
    pst_keys_close(store);
}

static void test_filters(void **state)
{
    struct pst_keys_store *store = open_store(state);
    struct seen seen;
    create_many(store);
    const struct pst_keys_filter base = {.now_us = NOW + 1};
    unsigned counted[4] = {0};
    for (unsigned i = 0; i < 20; i++) {
        bool expired = i % 3 != 0 && (i % 4) * 100 + 1 <= 1, early = i % 5 == 4;
        counted[i == 7 ? 1 : expired ? 2 : early ? 3 : 0]++;
    }
    for (unsigned shown = 0; shown < 4; shown++) {
        struct pst_keys_filter filter = base;
        filter.shown = 1u << shown;
        assert_true(counted[shown] > 0);
        assert_int_equal(list(store, filter, &seen), counted[shown]);
    }
    assert_int_equal(list(store, (struct pst_keys_filter){.tag = PST_STR("b c")}, &seen), 10);
    assert_int_equal(list(store, (struct pst_keys_filter){.tag = PST_STR("b")}, &seen), 0);
    assert_int_equal(list(store, (struct pst_keys_filter){.tag = PST_STR("A")}, &seen), 0);
    /* Nobody counts here: nothing was ever used, so those that were there are unused since. */
    assert_int_equal(list(store, (struct pst_keys_filter){.unused_since_us = NOW}, &seen), 17);
    assert_int_equal(list(store, (struct pst_keys_filter){.unused_since_us = NOW - 6}, &seen), 0);
    pst_keys_close(store);
}

static void test_transactions(void **state)
{
    struct pst_keys_store *store = open_store(state);
    uint64_t n = 0, seq = 0;
    assert_int_equal(pst_keys_begin(store), 0);
    assert_int_equal(pst_keys_begin(store), -PST_EINVAL);
    create(store, 1);
    char text[24];
    struct pst_key_row row = row_of(text, 1);
    assert_int_equal(pst_keys_create(store, &row), -PST_EEXIST); /* undoes itself alone */
    create(store, 2);
    assert_int_equal(pst_keys_commit(store), 0);
    assert_int_equal(pst_keys_commit(store), -PST_EINVAL);
    assert_int_equal(pst_keys_count(store, NULL, &n), 0);
    assert_int_equal(n, 2);
    struct seen seen = {0};
    assert_int_equal(pst_keys_changes(store, 0, see, &seen, &seq), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(pst_keys_begin(store), 0);
    create(store, 3);
    pst_keys_rollback(store);
    assert_int_equal(pst_keys_count(store, NULL, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(pst_keys_changed(store, seq), 0);
    pst_keys_close(store);
}

static void test_changes_come_once(void **state)
{
    struct pst_keys_store *store = open_store(state);
    uint64_t seq = 0;
    assert_int_equal(pst_keys_changed(store, 0), 0);
    create(store, 1);
    create(store, 2);
    create(store, 3);
    struct seen seen = {0};
    assert_int_equal(pst_keys_changes(store, 0, see, &seen, &seq), 0);
    assert_int_equal(seen.n, 3);
    assert_int_equal(pst_keys_set_state(store, PST_STR("k00000000002"), PST_KEY_STATE_DISABLED, NOW), 0);
    assert_int_equal(pst_keys_set_state(store, PST_STR("k00000000002"), PST_KEY_STATE_ACTIVE, NOW), 0);
    assert_int_equal(pst_keys_changed(store, seq), 1);
    seen = (struct seen){0};
    assert_int_equal(pst_keys_changes(store, seq, see, &seen, &seq), 0);
    assert_int_equal(seen.n, 1);
    seen = (struct seen){.stop_at = 1};
    uint64_t untouched = 77;
    assert_int_equal(pst_keys_changes(store, 0, see, &seen, &untouched), 0);
    assert_int_equal(untouched, 77);
    pst_keys_close(store);
}

/* Another process creates, changes and deletes keys while this one follows: what it has in the end is what
 * there is. */
enum { WRITTEN = 300 };

static void write_in_child(const char *dir)
{
    struct pst_keys_store *store = NULL;
    char id[24];
    if (pst_keys_open(dir, PST_DB_WRITE, &store, NULL) < 0)
        _exit(2);
    for (unsigned i = 0; i < WRITTEN; i++) {
        struct pst_key_row row = row_of(id, i);
        if (pst_keys_create(store, &row) < 0 ||
            (i % 3 == 0 && pst_keys_set_state(store, row.id, PST_KEY_STATE_DISABLED, NOW) < 0) ||
            (i % 5 == 0 && pst_keys_delete(store, row.id, NOW) < 0))
            _exit(3);
    }
    pst_keys_close(store);
    _exit(0);
}

static int follow(const struct pst_key_row *row, void *arg)
{
    int *states = arg;
    states[strtoul(row->id.p + 1, NULL, 10)] = (int)row->state;
    return 0;
}

static void test_follows_another_process(void **state)
{
    struct pst_keys_store *store = open_store(state);
    int states[WRITTEN], status = -1;
    memset(states, -1, sizeof(states));
    uint64_t seq = 0;
    pid_t child = fork();
    if (child == 0)
        write_in_child(*state);
    bool done = false;
    while (true) {
        int changed = pst_keys_changed(store, seq);
        assert_in_range(changed, 0, 1);
        if (changed == 0 && done)
            break;
        if (changed > 0)
            assert_int_equal(pst_keys_changes(store, seq, follow, states, &seq), 0);
        assert_int_equal(pst_keys_purge(store, NOW), 0); /* the keeper writes too, but not without a pause: */
        usleep(1000);                                    /* who waits for the database is in no queue */
        if (!done && waitpid(child, &status, WNOHANG) == child)
            done = true;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (int i = 0; i < WRITTEN; i++)
        assert_int_equal(states[i], i % 5 == 0   ? PST_KEY_STATE_DELETED
                                    : i % 3 == 0 ? PST_KEY_STATE_DISABLED
                                                 : PST_KEY_STATE_ACTIVE);
    pst_keys_close(store);
}

/* A writer that holds the database makes another wait, then fail with a word about it; readers go on. */
static void test_busy(void **state)
{
    struct pst_keys_store *holder = open_store(state), *other = open_store(state);
    char text[24];
    uint64_t n = 1;
    assert_int_equal(pst_keys_begin(holder), 0);
    create(holder, 1);
    uint64_t begin = pst_clock_mono_us();
    struct pst_key_row row = row_of(text, 2);
    assert_int_equal(pst_keys_count(other, NULL, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(pst_keys_create(other, &row), -PST_EBUSY);
    assert_in_range(pst_clock_mono_us() - begin, PST_DB_BUSY_MS * 900u, PST_DB_BUSY_MS * 3000u);
    assert_non_null(strstr(pst_keys_why(other), "busy"));
    assert_int_equal(pst_keys_commit(holder), 0);
    assert_int_equal(pst_keys_create(other, &row), 0);
    pst_keys_close(holder);
    pst_keys_close(other);
}

/* As on a file system that is mounted read-only: the directory is named, and what is wrong with it. */
static void test_directory_is_read_only(void **state)
{
    const char *dir = *state;
    struct pst_keys_store *store = NULL;
    struct pst_db_why why = {""};
    bool root = geteuid() == 0; /* who may write everywhere */
    if (root)
        assert_int_equal(chown(dir, 65534, 65534), 0);
    assert_int_equal(chmod(dir, 0500), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    int err = pst_keys_open(dir, PST_DB_WRITE, &store, &why);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(err, -PST_EACCES);
    assert_non_null(strstr(why.text, "may not write in /tmp/postern-test-"));
    assert_non_null(strstr(why.text, "mode 0500): chmod u+rwx it"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(test_file_is_private),
        scratch_test(test_every_field_comes_back),
        scratch_test(test_refused_keys),
        scratch_test(test_imported_secrets_belong_to_one_key),
        scratch_test(test_update),
        scratch_test(test_slots),
        scratch_test(test_deletion_leaves_a_tombstone),
        scratch_test(test_purge_ends_grace),
        scratch_test(test_lists),
        scratch_test(test_pages),
        scratch_test(test_pages_of_what_changes),
        scratch_test(test_wrong_cursors),
        scratch_test(test_filters),
        scratch_test(test_transactions),
        scratch_test(test_changes_come_once),
        scratch_test(test_follows_another_process),
        scratch_test(test_busy),
        scratch_test(test_directory_is_read_only),
    };
    return cmocka_run_group_tests_name("keys store", tests, NULL, NULL);
}
