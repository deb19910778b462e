/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that `serve` would stumble over, said at once and with its place. Changes nothing. */
#include "postern/auth/credential.h"
#include "postern/base/fd.h"
#include "postern/cmd/command.h"
#include "postern/tls/context.h"
#include "postern/tls/material.h"
#include "postern/upstream/origin.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool print_all;

static const struct pst_option options[] = {
    {"print", NULL, "also print each setting with its value and where it came from", NULL, &print_all},
};

static const struct pst_usage usage = {
    .synopsis = "check [--print] [--config FILE] [--SETTING VALUE]...",
    .about = "Checks the settings and the files they name, and says every problem with its place.\n"
             "Exits 0 when `postern serve` would start with them.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .takes_settings = true,
};

static unsigned problems;

static void PST_PRINTF(1, 2) problem(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("postern: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    problems++;
}

static void check_upstream(const struct pst_settings *s)
{
    struct pst_upstream upstream;
    const char *reason = "";
    if (pst_upstream_parse(pst_str_of(s->upstream), &upstream, &reason) < 0)
        problem("upstream: \"%s\": %s", s->upstream, reason);
}

static void check_key_sources(const struct pst_settings *s)
{
    struct pst_key_sources sources;
    pst_key_sources_init(&sources);
    for (size_t i = 0; i < s->n_key_sources; i++) {
        int err = pst_key_sources_add(&sources, pst_str_of(s->key_sources[i]));
        if (err == -PST_EEXIST)
            problem("key_sources: \"%s\" is there twice", s->key_sources[i]);
        else if (err < 0)
            problem("key_sources: \"%s\" is no header name and no \"Authorization: Scheme\"",
                    s->key_sources[i]);
    }
    if (pst_key_sources_set_query(&sources, pst_str_of(s->key_query_parameter)) < 0)
        problem("key_query_parameter: \"%s\" cannot be a parameter's name", s->key_query_parameter);
}

static void check_missing_dir(const char *path)
{
    char copy[PATH_MAX];
    pst_str_clip(pst_str_of(path), copy, sizeof(copy));
    const char *parent = dirname(copy);
    if (access(parent, W_OK | X_OK) != 0)
        problem("data_dir: %s does not exist and cannot be made in %s: %s", path, parent, strerror(errno));
}

static void check_data_dir(const struct pst_settings *s)
{
    struct stat st;
    if (stat(s->data_dir, &st) < 0) {
        if (errno == ENOENT)
            check_missing_dir(s->data_dir);
        else
            problem("data_dir: %s: %s", s->data_dir, strerror(errno));
        return;
    }
    if (!S_ISDIR(st.st_mode))
        problem("data_dir: %s is not a directory", s->data_dir);
    else if (access(s->data_dir, R_OK | W_OK | X_OK) != 0)
        problem("data_dir: %s: this user (%u) may not read and write there", s->data_dir,
                (unsigned)geteuid());
    else if (st.st_uid != geteuid() && geteuid() != 0)
        problem("data_dir: %s belongs to user %u, not to this one (%u); chown it", s->data_dir,
                (unsigned)st.st_uid, (unsigned)geteuid());
    else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        problem("data_dir: %s can be written by others (mode %04o); chmod 0700 it", s->data_dir,
                (unsigned)(st.st_mode & 07777));
}

static void check_listen(const struct pst_settings *s)
{
    for (size_t i = 0; i < s->n_listen; i++) {
        const struct pst_addr *addr = &s->listen[i];
        char text[PST_ADDR_TEXT_SIZE];
        int one = 1;
        pst_addr_format((const struct sockaddr *)&addr->sa, text, sizeof(text));
        PST_FD fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 && s->listen_is_default)
            continue; /* no IPv6 here: it is skipped */
        if (fd >= 0) {
            (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
            if (addr->sa.ss_family == AF_INET6)
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
        }
        if (fd < 0 || bind(fd, (const struct sockaddr *)&addr->sa, addr->len) < 0) {
            if (!(s->listen_is_default && errno == EADDRNOTAVAIL))
                problem("listen: %s: %s", text, strerror(errno));
        }
    }
}

static void tls_problem(void *arg, const char *text)
{
    unsigned *reported = arg;
    fprintf(stderr, "postern: %s\n", text);
    (*reported)++;
}

static void check_tls(const struct pst_settings *s)
{
    const struct pst_tls_files files = {
        .certificate = s->tls_certificate,
        .key = s->tls_key,
        .certificate_dir = s->tls_certificate_dir,
        .data_dir = s->data_dir,
    };
    unsigned reported = 0;
    if (pst_tls_init() < 0)
        problem("TLS cannot be set up on this machine");
    else if (pst_tls_material_check(&files, tls_problem, &reported) < 0)
        problems += reported > 0 ? reported : 1;
}

static void print_settings(const struct pst_settings *s)
{
    static const char *const columns[] = {"SETTING", "VALUE", "FROM"};
    struct pst_table *table = pst_table_new(columns, 3);
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; table != NULL && i < n; i++) {
        const char *value = s->texts[i][0] != '\0' ? s->texts[i] : "-";
        pst_table_cell(table, defs[i].name);
        pst_table_cell(table, defs[i].secret ? "(set)" : value);
        pst_table_cell(table, pst_setting_source_text(s->sources[i]));
    }
    if (table != NULL)
        pst_table_print(table, stdout);
}

int pst_cmd_check(int argc, char **argv)
{
    struct pst_args args;
    int done = pst_cmd_parse(&usage, argc, argv, &args);
    if (done >= 0)
        return done;
    struct pst_settings settings;
    if (pst_cmd_settings(&args, &settings) < 0)
        return PST_EXIT_FAILED;
    check_upstream(&settings);
    check_key_sources(&settings);
    check_data_dir(&settings);
    check_listen(&settings);
    check_tls(&settings);
    if (print_all)
        print_settings(&settings);
    pst_settings_done(&settings);
    if (problems > 0) {
        fprintf(stderr, "postern: %u problem%s found\n", problems, problems > 1 ? "s" : "");
        return PST_EXIT_FAILED;
    }
    printf("The settings are fine%s%s.\n", args.config != NULL ? ": " : "",
           args.config != NULL ? args.config : "");
    return pst_cmd_finish();
}
