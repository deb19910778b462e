/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that are allowed by a file, beside those of the settings: a host a line, "#" before remarks. It is
 * read again when it changes, and what is open stays open. */
#include "internal.h"
#include "policy.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"

#include <string.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES (256 * 1024)

/* The next host; false at the end. */
static bool next_host(struct pst_str *rest, struct pst_str *ret)
{
    while (rest->len > 0) {
        struct pst_str remark, line = pst_str_cut(*rest, '\n', rest);
        *ret = pst_str_strip(pst_str_cut(line, '#', &remark));
        if (ret->len > 0)
            return true;
    }
    return false;
}

/* 0; or what is wrong with it, told to `log`. */
static int read_hosts(const char *path, struct pst_buf *ret,
                      void (*log)(const char *path, struct pst_str what))
{
    struct pst_buf text;
    int err = pst_file_read(path, FILE_MAX_BYTES, &text);
    if (err < 0) {
        log(path, pst_str_of(pst_strerror(err)));
        return err;
    }
    struct pst_str rest = pst_str_strip_file(pst_buf_str(&text)), host;
    while (next_host(&rest, &host)) {
        if (pst_egress_pattern_is_valid(host))
            continue;
        log(path, host);
        pst_buf_done(&text);
        return -PST_EPARSE;
    }
    *ret = text;
    return 0;
}

static void say_error(const char *path, struct pst_str what)
{
    pst_error("egress",
              "egress_allow_file %s: " PST_STR_FMT " (each line must be a host name, or *. followed by one)",
              path, PST_STR_ARG(what));
}

static void say_warning(const char *path, struct pst_str what)
{
    pst_warn("egress", "egress_allow_file %s: " PST_STR_FMT "; the previous list stays in effect", path,
             PST_STR_ARG(what));
}

/* All zero: it is not there. */
static void look_at(const char *path, struct stat *ret)
{
    if (stat(path, ret) < 0)
        memset(ret, 0, sizeof(*ret));
}

int allow_file_open(struct pst_egress *egress)
{
    const char *path = egress->options.allow_file;
    if (path == NULL || path[0] == '\0')
        return 0;
    look_at(path, &egress->allow.file);
    return read_hosts(path, &egress->allow.hosts, say_error);
}

void allow_file_close(struct pst_egress *egress)
{
    pst_buf_done(&egress->allow.hosts);
}

void allow_file_look(struct pst_egress *egress)
{
    const char *path = egress->options.allow_file;
    struct stat now, *before = &egress->allow.file;
    struct pst_buf hosts;
    if (path == NULL || path[0] == '\0')
        return;
    look_at(path, &now);
    if (now.st_mtim.tv_sec == before->st_mtim.tv_sec && now.st_mtim.tv_nsec == before->st_mtim.tv_nsec &&
        now.st_ino == before->st_ino && now.st_size == before->st_size)
        return;
    *before = now;
    if (read_hosts(path, &hosts, say_warning) < 0)
        return;
    pthread_mutex_lock(&egress->lock);
    struct pst_buf old = egress->allow.hosts;
    egress->allow.hosts = hosts;
    pthread_mutex_unlock(&egress->lock);
    pst_buf_done(&old);
    pst_info("egress", "%s changed and was read again", path);
}

bool allow_file_has(struct pst_egress *egress, const char *host)
{
    struct pst_str pattern;
    bool found = false;
    pthread_mutex_lock(&egress->lock);
    struct pst_str rest = pst_str_strip_file(pst_buf_str(&egress->allow.hosts));
    while (!found && next_host(&rest, &pattern))
        found = egress_matches(pattern, pst_str_of(host));
    pthread_mutex_unlock(&egress->lock);
    return found;
}
