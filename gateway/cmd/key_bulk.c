/* SPDX-License-Identifier: Apache-2.0 */
/* postern key import --bulk: keys from elsewhere, one JSON object a line, all of them or none.
 *
 * What comes in are secrets: it is read into memory that never moves (a buffer that grows leaves copies
 * behind), jansson's copies are wiped as it frees them, and messages name the line but quote nothing. */
#include "postern/auth/audit.h"
#include "postern/base/clock.h"

#include "key_internal.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Some two million keys. Address space only: what is not used is never touched. */
#define INPUT_BYTES_MAX ((size_t)512 << 20)
/* A note of 4 KiB, written with \u escapes, and the rest. */
#define LINE_BYTES_MAX ((size_t)32 * 1024)

int key_bulk_read(struct key_bulk *bulk, int fd, const char *from)
{
    const char *trouble = fd < 0 ? strerror(errno) : NULL;
    void *area = mmap(NULL, INPUT_BYTES_MAX, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) {
        pst_cmd_error("out of memory");
        return PST_EXIT_FAILED;
    }
    *bulk = (struct key_bulk){.data = area, .mapped = INPUT_BYTES_MAX};
    while (trouble == NULL) {
        ssize_t n = read(fd, bulk->data + bulk->len, bulk->mapped - bulk->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            trouble = strerror(errno);
        if (n <= 0)
            break;
        bulk->len += (size_t)n;
        if (bulk->len == bulk->mapped)
            trouble = "more than 512 MiB; import them in parts";
    }
    if (trouble == NULL)
        return -1;
    pst_cmd_error("cannot read the keys from %s: %s", from, trouble);
    return PST_EXIT_FAILED;
}

void key_bulk_done(struct key_bulk *bulk)
{
    if (bulk->data == NULL)
        return;
    pst_wipe(bulk->data, bulk->len);
    munmap(bulk->data, bulk->mapped);
    *bulk = (struct key_bulk){0};
}

static void free_wiped(void *memory)
{
    if (memory != NULL)
        pst_wipe(memory, malloc_usable_size(memory));
    free(memory);
}

/* A line */

static int take_time(struct pst_str text, const char *field, int64_t *ret_us, struct pst_why *why)
{
    /* JSON's strings are terminated and have no NUL inside: jansson refuses those. */
    if (pst_time_parse(text.p, ret_us) == 0)
        return 0;
    return pst_why_set(why, -PST_EINVAL, field, "use a time such as 2027-01-31 or 2027-01-31T12:00:00Z");
}

static int take_member(const char *field, json_t *value, struct pst_key_new *request, struct pst_why *why)
{
    const struct {
        const char *name;
        struct pst_str *text;
        int64_t *time_us;
    } members[] = {
        {"id", &request->id, NULL},
        {"name", &request->name, NULL},
        {"note", &request->note, NULL},
        {"key1", &request->imports[0], NULL},
        {"key2", &request->imports[1], NULL},
        {"expires_at", NULL, &request->expires_us},
        {"not_before", NULL, &request->not_before_us},
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (strcmp(field, members[i].name) != 0)
            continue;
        if (json_is_null(value)) /* as `key create --json` writes what is not set */
            return 0;
        if (!json_is_string(value))
            return pst_why_set(why, -PST_EINVAL, members[i].name, "must be a string or null");
        struct pst_str text = {json_string_value(value), json_string_length(value)};
        if (members[i].time_us != NULL)
            return take_time(text, members[i].name, members[i].time_us, why);
        *members[i].text = text;
        return 0;
    }
    return pst_why_set(
        why, -PST_EINVAL, NULL,
        "unknown field: an object may have name, key1, key2, id, note, expires_at and not_before");
}

static int take_object(json_t *object, struct pst_key_new *request, struct pst_why *why)
{
    *request = (struct pst_key_new){0};
    if (!json_is_object(object))
        return pst_why_set(why, -PST_EPARSE, NULL, "not a JSON object, or one with a duplicate field");
    const char *field;
    json_t *value;
    json_object_foreach(object, field, value)
    {
        int err = take_member(field, value, request, why);
        if (err < 0)
            return err;
    }
    if (request->imports[0].len == 0 && request->imports[1].len == 0)
        return pst_why_set(why, -PST_EINVAL, "key1", "required: a secret, key1 or key2");
    return 0;
}

static int import_line(struct key_session *session, struct pst_str line, struct pst_buf *ids)
{
    if (line.len > LINE_BYTES_MAX)
        return pst_why_set(&session->why, -PST_ELIMIT, NULL, "longer than %zu bytes", LINE_BYTES_MAX);
    struct pst_key_new request;
    struct pst_key_made made;
    json_t *object = json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, NULL);
    int err = take_object(object, &request, &session->why);
    if (err == 0)
        err = pst_keys_make(session->keys, &request, &made, &session->why);
    json_decref(object);
    if (err < 0)
        return err;
    err = pst_buf_add(ids, made.id, PST_KEY_ID_LEN);
    return err < 0 ? pst_why_set(&session->why, err, NULL, "out of memory") : 0;
}

/* All lines */

static int import_lines(struct key_session *session, struct pst_str rest, struct pst_buf *ids)
{
    for (size_t number = 1; rest.len > 0; number++) {
        struct pst_str line = pst_str_cut(rest, '\n', &rest);
        line = number == 1 ? pst_str_strip_file(line) : pst_str_strip(line);
        int err = line.len > 0 ? import_line(session, line, ids) : 0;
        if (err < 0) {
            const char *field = session->why.field;
            pst_cmd_error("line %zu: %s%s%s; no key was imported", number, field != NULL ? field : "",
                          field != NULL ? ": " : "", session->why.text);
            return PST_EXIT_FAILED;
        }
    }
    if (pst_buf_len(ids) > 0)
        return -1;
    pst_cmd_error("no keys in the input: give one JSON object per line");
    return PST_EXIT_FAILED;
}

static int print_ids(const struct pst_buf *ids, bool as_json)
{
    size_t n = pst_buf_len(ids) / PST_KEY_ID_LEN;
    if (!as_json) {
        printf("%zu %s imported.\n", n, n == 1 ? "key" : "keys");
        return pst_cmd_finish();
    }
    /* Written piece by piece: a million ids need no tree in memory. They are 0-9a-z. */
    printf("{\n  \"imported\": %zu,\n  \"ids\": [", n);
    for (size_t i = 0; i < n; i++)
        printf("%s\n    \"%.*s\"", i > 0 ? "," : "", PST_KEY_ID_LEN, pst_buf_front(ids) + i * PST_KEY_ID_LEN);
    puts("\n  ]\n}");
    return pst_cmd_finish();
}

/* One row of the audit trail for all of them. */
static int write_down(struct key_session *session, size_t n)
{
    char after[64];
    int len = snprintf(after, sizeof(after), "{\"keys\":%zu}", n);
    int err = pst_audit_note(session->keys, "key.import_bulk", PST_STR(""), PST_STR(""),
                             (struct pst_str){after, (size_t)len}, &session->why);
    if (err == 0)
        return -1;
    pst_cmd_error("%s; no key was imported", session->why.text);
    return PST_EXIT_FAILED;
}

int key_bulk_import(const struct key_bulk *bulk, struct key_session *session, bool as_json)
{
    struct pst_keys_store *store = pst_keys_service_store(session->keys);
    struct pst_buf ids;
    pst_buf_init(&ids, INPUT_BYTES_MAX);
    json_set_alloc_funcs(malloc, free_wiped);
    if (pst_keys_begin(store) < 0)
        return key_store_failed(session);
    pst_keys_set_bulk(session->keys, true);
    int done = import_lines(session, (struct pst_str){bulk->data, bulk->len}, &ids);
    if (done < 0)
        done = write_down(session, pst_buf_len(&ids) / PST_KEY_ID_LEN);
    if (done >= 0)
        pst_keys_rollback(store);
    else if (pst_keys_commit(store) < 0)
        done = key_store_failed(session);
    if (done < 0)
        done = print_ids(&ids, as_json);
    pst_buf_done(&ids);
    return done;
}
