/* SPDX-License-Identifier: Apache-2.0 */
/* The first admin token: made and written to admin.token, or taken from there. */
#include "keys_private.h"
#include "postern/auth/admin_token.h"
#include "postern/base/access.h"
#include "postern/base/fd.h"
#include "postern/db/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES 256 /* more than a token and a line end */

static int store_failed(struct pst_keys *keys, int err, struct pst_why *why)
{
    return pst_why_set(why, err, NULL, "%s", pst_keys_why(pst_keys_service_store(keys)));
}

static int write_file(const char *path, struct pst_str token, struct pst_why *why)
{
    if (unlink(path) < 0 && errno != ENOENT) /* of a database that is gone: it opens nothing */
        return pst_why_set(why, pst_err_from_errno(errno), "data_dir", "%s cannot be replaced: %s", path,
                           strerror(errno));
    PST_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int err = fd >= 0 ? pst_fd_write_all(fd, token.p, token.len) : pst_err_from_errno(errno);
    if (err == 0)
        err = pst_fd_write_all(fd, "\n", 1);
    if (err == 0 && fsync(fd) < 0)
        err = pst_err_from_errno(errno);
    if (err == 0)
        return 0;
    if (fd >= 0)
        unlink(path);
    return pst_why_set(why, err, "data_dir", "%s cannot be written: %s", path, pst_strerror(err));
}

/* One that is not ours, or that is a link, was put there by whoever runs the gateway: it is not replaced. */
static bool is_provided(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && (S_ISLNK(st.st_mode) || st.st_uid != geteuid());
}

static int read_provided(const char *path, struct pst_buf *ret_text, struct pst_why *why)
{
    struct pst_access_why access_why;
    char text[PST_ACCESS_TEXT_SIZE];
    int err = pst_access_settle(path, PST_ACCESS_SECRET, &access_why);
    if (err == 0)
        err = pst_file_read(path, FILE_MAX_BYTES, ret_text);
    else if (err == -PST_EACCES) {
        pst_access_text(&access_why, text);
        return pst_why_set(why, err, "data_dir", "%s", text);
    }
    return err < 0 ? pst_why_set(why, err, "data_dir", "%s cannot be read: %s", path, pst_strerror(err)) : 0;
}

static int take_provided(struct pst_keys *keys, const char *path, struct pst_why *why)
{
    struct pst_buf text;
    int err = read_provided(path, &text, why);
    if (err < 0)
        return err;
    struct pst_str rest, token = pst_str_trim(pst_str_cut(pst_buf_str(&text), '\n', &rest));
    while (token.len > 0 && token.p[token.len - 1] == '\r')
        token.len--;
    if (pst_admin_token_id(token).len == 0)
        err = pst_why_set(why, -PST_EPARSE, "data_dir",
                          "%s is not an admin token: put one there that `postern admin-token create` made",
                          path);
    else
        err = pst_admin_token_take(keys, token, PST_STR("first"), PST_ADMIN_ADMIN, why);
    pst_buf_wipe(&text);
    return err;
}

static int make_first(struct pst_keys *keys, const char *path, struct pst_why *why)
{
    struct pst_admin_token_made made;
    int64_t n = 0;
    int err = pst_admin_tokens_count(pst_keys_service_store(keys), &n);
    if (err < 0 || n > 0)
        return err < 0 ? store_failed(keys, err, why) : 0;
    if (is_provided(path)) {
        err = take_provided(keys, path, why);
        return err < 0 ? err : 1;
    }
    err = pst_admin_token_make(keys, PST_STR("first"), PST_ADMIN_ADMIN, 0, &made, why);
    if (err == 0)
        err = write_file(path, pst_secret_str(&made.token), why);
    pst_wipe(&made, sizeof(made));
    return err < 0 ? err : 1;
}

int pst_admin_token_first(struct pst_keys *keys, const char *data_dir, struct pst_why *why)
{
    struct pst_keys_store *store = pst_keys_service_store(keys);
    char path[PATH_MAX];
    if (pst_data_dir_file(data_dir, PST_ADMIN_TOKEN_FILE, path, sizeof(path)) < 0)
        return pst_why_set(why, -PST_EINVAL, "data_dir", "the path of the data directory is too long");
    int err = pst_keys_begin(store); /* two gateways that start at once make one token */
    if (err < 0)
        return store_failed(keys, err, why);
    int made = make_first(keys, path, why);
    if (made <= 0) {
        pst_keys_rollback(store);
        return made;
    }
    err = pst_keys_commit(store);
    if (err < 0 && !is_provided(path))
        unlink(path);
    return err < 0 ? store_failed(keys, err, why) : 1;
}
