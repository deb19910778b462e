/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/pepper.h"

#include "postern/base/access.h"
#include "postern/base/buf.h"
#include "postern/base/fd.h"
#include "postern/base/num.h"
#include "postern/crypto/random.h"
#include "postern/crypto/secret.h"
#include "postern/db/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE      0600
#define FILE_MAX_BYTES 256 /* more than hex and a line end: then it is not ours */

static int say_system(struct pst_why *why, const char *path, const char *what)
{
    int saved = errno;
    return pst_why_set(why, pst_err_from_errno(saved), NULL, "%s: %s: %s", path, what, strerror(saved));
}

/* Whoever can read it can check guesses against a copied database: that is refused before a byte is read. */
static int check_access(int fd, const char *path, bool settle, struct pst_why *why)
{
    struct stat st;
    struct pst_access_why access_why;
    if (fstat(fd, &st) < 0)
        return say_system(why, path, "cannot be examined");
    if (!S_ISREG(st.st_mode))
        return pst_why_set(why, -PST_EACCES, NULL, "%s is not a regular file; put the pepper itself there",
                           path);
    if (!settle && st.st_uid == geteuid()) /* judged by the mode that a start would give it */
        st.st_mode = S_IFREG | pst_access_right_mode(st.st_mode, PST_ACCESS_SECRET);
    if (pst_access_judge(path, &st, PST_ACCESS_SECRET, &access_why) < 0)
        return pst_why_set(why, -PST_EACCES, NULL, "%s: %s; if it may have been copied, also create new keys",
                           access_why.seen, access_why.todo);
    return 0;
}

/* As an editor, or `echo`, leaves them. */
static bool is_bytes_with_line_end(struct pst_str text)
{
    struct pst_str end = pst_str_skip(text, PST_PEPPER_BYTES);
    return pst_str_eq(end, PST_STR("\n")) || pst_str_eq(end, PST_STR("\r\n"));
}

static int parse(struct pst_buf *content, const char *path, struct pst_pepper *ret, struct pst_why *why)
{
    struct pst_str text = pst_buf_str(content);
    if (text.len == PST_PEPPER_BYTES || is_bytes_with_line_end(text)) {
        memcpy(ret->bytes, text.p, PST_PEPPER_BYTES);
        return 0;
    }
    struct pst_pepper pepper;
    int err = pst_hex_decode(pst_str_strip_file(text), pepper.bytes, PST_PEPPER_BYTES);
    if (err == 0)
        *ret = pepper;
    pst_pepper_done(&pepper);
    if (err < 0)
        return pst_why_set(
            why, -PST_EPARSE, NULL,
            "%s is not a pepper (64 hex digits or 32 bytes; it has %zu bytes): restore it from a "
            "backup; the stored keys cannot be checked without it",
            path, pst_buf_len(content));
    return 0;
}

static int read_all(int fd, struct pst_buf *content)
{
    char piece[FILE_MAX_BYTES];
    int err = 0;
    while (err == 0) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = pst_err_from_errno(errno);
        else if (n == 0)
            break;
        else
            err = pst_buf_add(content, piece, (size_t)n);
    }
    pst_wipe(piece, sizeof(piece));
    return err;
}

/* -PST_ENOENT without a sentence when the file is not there. With `settle` its mode is put right first. */
static int load(const char *path, bool settle, struct pst_pepper *ret, struct pst_why *why)
{
    struct pst_access_why access_why;
    if (settle) /* what others can do is judged when open */
        (void)!pst_access_settle(path, PST_ACCESS_SECRET, &access_why);
    PST_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return -PST_ENOENT;
    if (fd < 0 && errno == EACCES) {
        pst_access_denied(path, EACCES, PST_ACCESS_SECRET, &access_why);
        return pst_why_set(why, -PST_EACCES, NULL, "%s: %s", access_why.seen, access_why.todo);
    }
    if (fd < 0)
        return say_system(why, path, "cannot be opened");
    int err = check_access(fd, path, settle, why);
    if (err < 0)
        return err;
    struct pst_buf content;
    pst_buf_init(&content, FILE_MAX_BYTES);
    err = read_all(fd, &content);
    if (err == -PST_ELIMIT)
        err = pst_why_set(why, -PST_EPARSE, NULL, "%s is not a pepper: it is larger than %d bytes", path,
                          FILE_MAX_BYTES);
    else if (err < 0)
        err = pst_why_set(why, err, NULL, "%s cannot be read: %s", path, pst_strerror(err));
    else
        err = parse(&content, path, ret, why);
    pst_buf_wipe(&content);
    return err;
}

static int create(const char *path, struct pst_why *why)
{
    struct pst_pepper pepper;
    char text[2 * PST_PEPPER_BYTES + 1];
    int err = pst_random_bytes(pepper.bytes, sizeof(pepper.bytes));
    if (err == 0) {
        pst_hex_encode(pepper.bytes, sizeof(pepper.bytes), text);
        text[sizeof(text) - 1] = '\n';
        err = pst_file_create_once(path, text, sizeof(text), FILE_MODE);
    }
    pst_pepper_done(&pepper);
    pst_wipe(text, sizeof(text));
    if (err < 0 && err != -PST_EEXIST)
        return pst_why_set(why, err, NULL, "%s cannot be written: %s", path, pst_strerror(err));
    return 0; /* also when another process was first: its pepper counts */
}

static int say_missing(const char *path, struct pst_why *why)
{
    return pst_why_set(why, -PST_ENOENT, NULL,
                       "%s is missing, and the keys in the database cannot be checked without it: restore it "
                       "from a backup; if it is lost, move keys.db away and create new keys",
                       path);
}

static int path_in(const char *data_dir, char path[static PATH_MAX], struct pst_why *why)
{
    if (pst_data_dir_file(data_dir, PST_PEPPER_FILE, path, PATH_MAX) < 0)
        return pst_why_set(why, -PST_EINVAL, NULL, "the path of the data directory is too long");
    return 0;
}

int pst_pepper_load(const char *data_dir, bool may_create, struct pst_pepper *ret, struct pst_why *why)
{
    char path[PATH_MAX];
    int err = path_in(data_dir, path, why);
    if (err < 0)
        return err;
    err = load(path, true, ret, why);
    if (err == -PST_ENOENT && may_create) {
        err = create(path, why);
        if (err == 0)
            err = load(path, true, ret, why);
    }
    return err == -PST_ENOENT ? say_missing(path, why) : err;
}

int pst_pepper_look(const char *data_dir, struct pst_pepper *ret, struct pst_why *why)
{
    char path[PATH_MAX];
    int err = path_in(data_dir, path, why);
    if (err < 0)
        return err;
    err = load(path, false, ret, why);
    return err == -PST_ENOENT ? say_missing(path, why) : err;
}

void pst_pepper_done(struct pst_pepper *pepper)
{
    pst_wipe(pepper, sizeof(*pepper));
}

void pst_pepper_derive(const struct pst_pepper *pepper, const char *purpose, struct pst_hmac_key *ret)
{
    struct pst_hmac_key root;
    uint8_t derived[PST_SHA256_BYTES];
    pst_hmac_key_init(&root, pepper->bytes, sizeof(pepper->bytes));
    pst_hmac_sha256(&root, pst_str_of(purpose), derived);
    pst_hmac_key_init(ret, derived, sizeof(derived));
    pst_hmac_key_done(&root);
    pst_wipe(derived, sizeof(derived));
}
