/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/buf.h"
#include "postern/base/fd.h"
#include "postern/conf/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What load reported, one line each. */
struct told {
    char text[8192];
    unsigned problems;
    unsigned warnings;
};

static void tell(void *arg, bool warning, const char *problem)
{
    struct told *told = arg;
    size_t len = strlen(told->text);
    snprintf(told->text + len, sizeof(told->text) - len, "%s\n", problem);
    if (warning)
        told->warnings++;
    else
        told->problems++;
}

static char config_path[] = "/tmp/postern-test-XXXXXX.yaml";

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemps(config_path, 5);
    return fd >= 0 ? close(fd) : -1;
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(config_path);
}

static int load(const char *yaml, const char *const *environment, const struct pst_setting_flag *flags,
                size_t n_flags, struct told *told, struct pst_settings *settings)
{
    *told = (struct told){0};
    if (yaml != NULL)
        assert_int_equal(pst_file_write_atomic(config_path, yaml, strlen(yaml), 0600), 0);
    const struct pst_settings_input input = {
        .config = yaml != NULL ? config_path : NULL,
        .flags = flags,
        .n_flags = n_flags,
        .environment = (char **)(uintptr_t)environment, /* as environ(7): not const, but not written to */
    };
    return pst_settings_load(&input, tell, told, settings);
}

static void test_defaults(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    assert_int_equal(load(NULL, NULL, NULL, 0, &told, &s), 0);
    assert_int_equal(s.n_listen, 2);
    assert_true(s.listen_is_default);
    assert_string_equal(s.upstream, "http://127.0.0.1:5000");
    assert_int_equal(s.n_key_sources, 3);
    assert_string_equal(s.key_sources[2], "Authorization: Bearer");
    assert_string_equal(s.key_query_parameter, "");
    assert_int_equal(s.upstream_first_byte_timeout_ms, 600000);
    assert_int_equal(s.max_body_size_bytes, UINT64_C(1) << 30);
    assert_int_equal(s.usage_retention_ms, UINT64_C(7) * 86400000);
    assert_true(s.workers >= 1);
    assert_int_equal(s.n_trusted_proxies, 0);
    assert_string_equal(told.text, "");
    pst_settings_done(&s);
}

static void test_later_source_wins(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    const char *environment[] = {"POSTERN_MAX_HEADERS=30", "POSTERN_WORKERS=3", NULL};
    const struct pst_setting_flag flags[] = {{"workers", "4"}};
    assert_int_equal(
        load("max_headers: 20\nworkers: 2\nlog_level: debug\n", environment, flags, 1, &told, &s), 0);
    assert_int_equal(s.max_headers, 30);
    assert_int_equal(s.workers, 4);
    assert_int_equal(s.log_level, 3);
    assert_int_equal(s.sources[pst_setting_find("workers") - pst_setting_find("listen")], PST_FROM_FLAG);
    assert_int_equal(s.sources[pst_setting_find("max_headers") - pst_setting_find("listen")],
                     PST_FROM_ENVIRONMENT);
    assert_int_equal(s.sources[pst_setting_find("log_level") - pst_setting_find("listen")], PST_FROM_FILE);
    pst_settings_done(&s);
}

static void test_file_of_every_type(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    const char *yaml = "# a comment\n"
                       "listen:\n  - 127.0.0.1:9000\n  - \"[::1]:9001\"\n"
                       "upstream: unix:/run/c.sock\n"
                       "tls_profile: modern\n"
                       "open_paths: []\n"
                       "trusted_proxies: [10.0.0.0/8, \"fd00::/8\", 192.0.2.7]\n"
                       "client_head_timeout: 1500ms\n"
                       "max_body_size: 2MiB\n"
                       "client_min_rate: 0\n"
                       "access_log: \"off\"\n";
    assert_int_equal(load(yaml, NULL, NULL, 0, &told, &s), 0);
    assert_int_equal(s.n_listen, 2);
    assert_false(s.listen_is_default);
    assert_string_equal(s.upstream, "unix:/run/c.sock");
    assert_int_equal(s.tls_profile, PST_PROFILE_MODERN);
    assert_int_equal(s.n_open_paths, 0);
    assert_int_equal(s.n_trusted_proxies, 3);
    uint8_t inside[16] = {[10] = 0xff, [11] = 0xff, 10, 1, 2, 3},
            outside[16] = {[10] = 0xff, [11] = 0xff, 11, 1, 2, 3};
    assert_true(pst_cidr_contains(&s.trusted_proxies[0], inside));
    assert_false(pst_cidr_contains(&s.trusted_proxies[0], outside));
    assert_int_equal(s.client_head_timeout_ms, 1500);
    assert_int_equal(s.max_body_size_bytes, 2 << 20);
    assert_int_equal(s.client_min_rate_bytes, 0);
    assert_int_equal(s.access_log, PST_ACCESS_LOG_OFF);
    pst_settings_done(&s);
}

/* A wrong file, and what is said of it behind the file's name: all of it, one line for each problem. */
static const struct {
    const char *yaml;
    const char *told;
} wrong[] = {
    {"log_level: info\nwokers: 3\n", ":2: unknown setting \"wokers\"; did you mean workers?\n"},
    {"max-headers: 3\n", ":1: unknown setting \"max-headers\"; did you mean max_headers?\n"},
    {"\"colour\": 3\n", ":1: unknown setting \"colour\"; `postern settings` lists them all\n"},
    {"workers: many\n", ":1: workers: \"many\" is not a number from 0 to 256\n"},
    {"workers: -1\n", ":1: workers: \"-1\" is not a number from 0 to 256\n"},
    {"workers: ''\n", ":1: workers: \"\" is not a number from 0 to 256\n"},
    {"workers: 257\n", ":1: workers: \"257\" is out of range: a number from 0 to 256 is allowed\n"},
    {"workers: 99999999999999999999999\n",
     ":1: workers: \"99999999999999999999999\" is out of range: a number from 0 to 256 is allowed\n"},
    {"\n\nclient_idle_timeout: 75 parsecs\n",
     ":3: client_idle_timeout: \"75 parsecs\" is not a duration (ms, s, m, h, d) from 100ms to 1d\n"},
    {"client_idle_timeout: 99ms\n",
     ":1: client_idle_timeout: \"99ms\" is out of range: a duration (ms, s, m, h, "
     "d) from 100ms to 1d is allowed\n"},
    {"max_head_size: 2 KiB\n",
     ":1: max_head_size: \"2 KiB\" is not a size (B, KiB, MiB, GiB) from 2KiB to 1MiB\n"},
    {"max_head_size: 1048577\n",
     ":1: max_head_size: \"1048577\" is out of range: a size (B, KiB, MiB, GiB) from "
     "2KiB to 1MiB is allowed\n"},
    {"tls_profile: old\n", ":1: tls_profile: \"old\" is not one of intermediate, modern\n"},
    {"listen: [8443, \"[::]:8443\", \"::1\"]\n",
     ":1: listen: \"8443\" is not an address with a port, such as "
     "0.0.0.0:8443 or [::]:8443; \"::1\" is not an "
     "address with a port, such as 0.0.0.0:8443 or [::]:8443\n"},
    {"listen: []\n", ":1: listen: must not be empty\n"},
    {"data_dir: \"\"\n", ":1: data_dir: must not be empty\n"},
    {"trusted_proxies: [10.0.0.1/8]\n", ":1: trusted_proxies: \"10.0.0.1/8\" has bits set behind its prefix; "
                                        "write the network's first address\n"},
    {"trusted_proxies: [here]\n",
     ":1: trusted_proxies: \"here\" is not a network, such as 10.0.0.0/8 or fd00::/8\n"},
    {"open_paths: [/a, b, c]\n",
     ":1: open_paths: \"b\" does not begin with \"/\"; \"c\" does not begin with \"/\"\n"},
    {"upstream: https://h\n",
     ":1: upstream: \"https://h\": the container is spoken to over plain HTTP; write http://host:port\n"},
    {"upstream: h:5000\n", ":1: upstream: \"h:5000\" is neither http://host:port nor unix:/path\n"},
    {"upstream: unix:socket\n", ":1: upstream: \"unix:socket\" is neither http://host:port nor unix:/path\n"},
    {"upstream: \"http://\"\n", ":1: upstream: \"http://\" has no host; write http://host:port\n"},
    {"upstream: http://me:pw@h\n", ":1: upstream: a user and a password in the URL are not supported\n"},
    {"upstream: http://h/v1\n",
     ":1: upstream: \"http://h/v1\" has a path behind the host; requests go on with "
     "the path that the client sent, so write http://host:port\n"},
    {"log_level: info\n\nworkers: [1, 2]\n", ":3: workers: one value is expected, not a list\n"},
    {"workers: {a: b}\n",
     ":1: workers: one value is expected, not a mapping (a value with a colon stands in quotes)\n"},
    {"open_paths: {a: b}\n", ":1: open_paths: a list is expected, such as [one, two]\n"},
    {"\nlisten: [a, [b]]\n", ":2: listen: one value is expected, not a list\n"},
    {"workers: 1\nlog_level: info\nworkers: 2\n", ":3: workers: it is set twice, first in line 1\n"},
    {"- a\n- b\n", ": a mapping of settings is expected, such as \"workers: 2\"\n"},
    {"workers\n", ": a mapping of settings is expected, such as \"workers: 2\"\n"},
    {"log_level: info\nworkers: \"unclosed\n", ":3: this is not YAML: found unexpected end of stream\n"},
    {"log_level: info\n\tworkers: 2\n", ":2: this is not YAML: found a tab character that violates "
                                        "indentation (indent with blanks, not with tabs)\n"},
    {"\tworkers: 2\n",
     ":1: this is not YAML: found character that cannot start any token (indent with blanks, "
     "not with tabs)\n"},
    {"listen: [::]:8443\n",
     ":1: this is not YAML: did not find expected node content (a value with a colon or "
     "brackets stands in quotes)\n"},
    {"key_sources: Authorization: Bearer\n", ":1: this is not YAML: mapping values are not allowed in this "
                                             "context (a value with a colon or brackets stands in quotes)\n"},
    {"key_sources:\n  - Authorization: Bearer\n",
     ":2: key_sources: one value is expected, not a mapping (a value with a colon stands in quotes)\n"},
    {"workers: 1\n--- # more\nworkers: 2\n", ":2: a second YAML document begins here; only one is read\n"},
    /* Each problem is told, not only the first, whatever kind it is of. */
    {"wokers: 1\nworkers: x\nlog_level: [a]\nhost: 2\nhost: 3\nlog_level: b\nmax_headers: 1\n",
     ":1: unknown setting \"wokers\"; did you mean workers?\n"
     ":3: log_level: one value is expected, not a list\n"
     ":4: unknown setting \"host\"; did you mean host_header?\n"
     ":7: max_headers: \"1\" is out of range: a number from 8 to 1000 is allowed\n"
     ":2: workers: \"x\" is not a number from 0 to 256\n"},
    /* What stands deeper is no setting's line. */
    {"other:\n  workers: 3\nworkers: x\n",
     ":1: unknown setting \"other\"; `postern settings` lists them all\n"
     ":3: workers: \"x\" is not a number from 0 to 256\n"},
};

/* The lines of `text`, each with the file's name in front, in the order of the lines' text. */
static void assert_told(const char *yaml, const char *told, const char *expected)
{
    const char *left = told;
    size_t n = 0, path_len = strlen(config_path);
    for (const char *line = expected; *line != '\0'; line += strcspn(line, "\n") + 1)
        n++;
    for (const char *line = told; *line != '\0'; line += strcspn(line, "\n") + 1)
        n--;
    for (const char *line = expected; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t len = strcspn(line, "\n") + 1;
        const char *at = told;
        while (*at != '\0' &&
               !(strncmp(at, config_path, path_len) == 0 && strncmp(at + path_len, line, len) == 0))
            at += strcspn(at, "\n") + 1;
        if (*at == '\0')
            fail_msg("%s\nexpected: %s\nsaid: %s", yaml, expected, left);
    }
    if (n != 0)
        fail_msg("%s\nexpected: %s\nsaid: %s", yaml, expected, told);
}

static void test_wrong_values_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct told told;
        struct pst_settings s;
        assert_int_equal(load(wrong[i].yaml, NULL, NULL, 0, &told, &s), -PST_EINVAL);
        assert_int_equal(told.warnings, 0);
        assert_told(wrong[i].yaml, told.text, wrong[i].told);
    }
}

static void test_aliases_are_refused(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    assert_int_equal(load("workers: *a\n", NULL, NULL, 0, &told, &s), -PST_EINVAL);
    assert_non_null(strstr(told.text, ":1: "));
}

/* However many unknown names there are, the end is near. */
static void test_unknown_names_are_bounded(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    struct pst_buf yaml;
    pst_buf_init(&yaml, 1 << 20);
    for (int i = 0; i < 5000; i++)
        pst_buf_printf(&yaml, "nonsense_%d: 1\n", i);
    assert_int_equal(load(pst_buf_cstr(&yaml), NULL, NULL, 0, &told, &s), -PST_EINVAL);
    assert_in_range(told.problems, 16, 20);
    pst_buf_done(&yaml);
}

static void test_too_large_a_file(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    size_t size = (size_t)300 * 1024;
    char *yaml = malloc(size + 1);
    assert_non_null(yaml);
    memset(yaml, '#', size);
    yaml[size] = '\0';
    assert_int_equal(load(yaml, NULL, NULL, 0, &told, &s), -PST_EINVAL);
    assert_non_null(strstr(told.text, ": the settings file is larger than 256 KiB"));
    free(yaml);
}

/* JSON is YAML, too. */
static void test_braces(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    assert_int_equal(load("{\"open_paths\": [],\n \"workers\": 3}\n", NULL, NULL, 0, &told, &s), 0);
    assert_int_equal(s.n_open_paths, 0);
    assert_int_equal(s.workers, 3);
    pst_settings_done(&s);
}

/* What stands in a YAML list is an item as it is: a comma parts items only where there is no list. */
/* YAML's null is no value: what comes before or after holds, as if the line were not there. Quoted, or with a
 * tag that says so, it is a text. */
static void test_null_is_absence(void **state)
{
    (void)state;
    static const char *const nulls[] = {"", " ", "~", "null", "Null", "NULL", "!!null ''", "# a comment"};
    struct told told;
    struct pst_settings s;
    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {
        char yaml[512];
        snprintf(yaml, sizeof(yaml),
                 "region: %s\nworkers: %s\nupstream: %s\nlisten: %s\nclient_idle_timeout: %s\nlog_level: "
                 "%s\nkey_sources: %s\n",
                 nulls[i], nulls[i], nulls[i], nulls[i], nulls[i], nulls[i], nulls[i]);
        if (load(yaml, NULL, NULL, 0, &told, &s) != 0)
            fail_msg("\"%s\": %s", nulls[i], told.text);
        assert_string_equal(s.region, "");
        assert_string_equal(s.upstream, "http://127.0.0.1:5000");
        assert_true(s.listen_is_default);
        assert_int_equal(s.n_key_sources, 3);
        assert_int_equal(pst_setting_source(&s, pst_setting_find("workers")), PST_FROM_DEFAULT);
        pst_settings_done(&s);
        snprintf(yaml, sizeof(yaml), "region: %s\nupstream: %s\n", nulls[i], nulls[i]);
        assert_int_equal(load(yaml, (const char *const[]){"POSTERN_REGION=westus", NULL}, NULL, 0, &told, &s),
                         0);
        assert_string_equal(s.region, "westus");
        pst_settings_done(&s);
    }
    assert_int_equal(load("~\n", NULL, NULL, 0, &told, &s), 0);
    pst_settings_done(&s);
    /* in lists the item is left out, and a list of nothing else says nothing */
    assert_int_equal(load("key_sources: [~, api-key, null]\nlisten:\n  -\n  - ~\n", NULL, NULL, 0, &told, &s),
                     0);
    assert_int_equal(s.n_key_sources, 1);
    assert_string_equal(s.key_sources[0], "api-key");
    assert_true(s.listen_is_default);
    pst_settings_done(&s);
}

static void test_null_in_quotes_is_a_text(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *region;
    } cases[] = {
        {"region: \"null\"\n", "null"}, {"region: '~'\n", "~"},           {"region: !!str null\n", "null"},
        {"region: nULL\n", "nULL"},     {"region: nullify\n", "nullify"}, {"region: ''\n", ""},
    };
    struct told told;
    struct pst_settings s;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            load(cases[i].yaml, (const char *const[]){"POSTERN_WORKERS=2", NULL}, NULL, 0, &told, &s), 0);
        assert_string_equal(s.region, cases[i].region);
        assert_int_equal(pst_setting_source(&s, pst_setting_find("region")), PST_FROM_FILE);
        pst_settings_done(&s);
    }
    assert_int_equal(load("upstream: ''\n", NULL, NULL, 0, &told, &s), -PST_EINVAL);
    assert_non_null(strstr(told.text, "upstream: must not be empty"));
}

/* What secrets that are mounted, and templates, leave around a value, wherever it comes from. */
static void test_white_space_at_the_ends(void **state)
{
    (void)state;
    static const char *const environment[] = {"POSTERN_REGION=westus\n",
                                              "POSTERN_WORKERS= 3\r\n",
                                              "POSTERN_UPSTREAM=\thttp://127.0.0.1:6000 \n",
                                              "POSTERN_LOG_LEVEL=debug\n",
                                              "POSTERN_CLIENT_IDLE_TIMEOUT=5s\n",
                                              "POSTERN_LISTEN=127.0.0.1:1\n,\n127.0.0.1:2\n",
                                              "POSTERN_KEY_SOURCES=\napi-key ,\r\n Authorization: Bearer\n",
                                              NULL};
    struct told told;
    struct pst_settings s;
    assert_int_equal(load(NULL, environment, NULL, 0, &told, &s), 0);
    assert_string_equal(s.region, "westus");
    assert_int_equal(s.workers, 3);
    assert_string_equal(s.upstream, "http://127.0.0.1:6000");
    assert_int_equal(s.client_idle_timeout_ms, 5000);
    assert_int_equal(s.n_listen, 2);
    assert_int_equal(s.n_key_sources, 2);
    assert_string_equal(s.key_sources[0], "api-key");
    assert_string_equal(s.key_sources[1], "Authorization: Bearer");
    pst_settings_done(&s);

    const struct pst_setting_flag flag = {.name = "region", .value = " eastus\n"};
    assert_int_equal(load("region: |\n  northus\nkey_sources: [\" api-key\\n\"]\ntls_profile: \"modern \"\n",
                          NULL, NULL, 0, &told, &s),
                     0);
    assert_string_equal(s.region, "northus");
    assert_string_equal(s.key_sources[0], "api-key");
    assert_int_equal(s.tls_profile, PST_PROFILE_MODERN);
    pst_settings_done(&s);
    assert_int_equal(load(NULL, NULL, &flag, 1, &told, &s), 0);
    assert_string_equal(s.region, "eastus");
    pst_settings_done(&s);
}

/* In the middle it is no accident of a file's end. */
static void test_line_breaks_in_the_middle(void **state)
{
    (void)state;
    static const char *const variables[] = {
        "POSTERN_REGION=west\nus", "POSTERN_UPSTREAM=http://a:1\nhttp://b:1", "POSTERN_CA_FILE=/a\x1b[2Jb"};
    struct told told;
    struct pst_settings s;
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        assert_int_equal(load(NULL, (const char *const[]){variables[i], NULL}, NULL, 0, &told, &s),
                         -PST_EINVAL);
        assert_non_null(strstr(told.text, "has a line break or another control character in the middle"));
    }
}

static void test_commas_in_a_list(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    assert_int_equal(load("open_paths: [\"/a,b\"]\n", NULL, NULL, 0, &told, &s), 0);
    assert_int_equal(s.n_open_paths, 1);
    assert_string_equal(s.open_paths[0], "/a,b");
    pst_settings_done(&s);
}

/* Each number's bounds can be reached, and not be passed. */
static void test_bounds(void **state)
{
    (void)state;
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        const char *unit = defs[i].type == PST_SETTING_DURATION ? "ms" : "";
        if (defs[i].type != PST_SETTING_INT && defs[i].type != PST_SETTING_BYTES && unit[0] == '\0')
            continue;
        const struct {
            uint64_t value;
            bool allowed;
        } tries[] = {{defs[i].min, true},
                     {defs[i].max, true},
                     {defs[i].min - 1, false}, /* of 0: more than any bound */
                     {defs[i].max + 1, false}};
        for (size_t t = 0; t < 4; t++) {
            char text[64];
            struct told told;
            struct pst_settings s;
            snprintf(text, sizeof(text), "%llu%s", (unsigned long long)tries[t].value, unit);
            /* The one that must be larger than the other is out of the way. */
            const struct pst_setting_flag flags[] = {
                {defs[i].name, text},
                {strcmp(defs[i].name, "max_head_size") == 0 ? "max_target_size" : "max_head_size",
                 strcmp(defs[i].name, "max_head_size") == 0 ? "256" : "1MiB"}};
            bool ok = load(NULL, NULL, flags, 2, &told, &s) == 0;
            if (ok)
                pst_settings_done(&s);
            if (ok != tries[t].allowed)
                fail_msg("--%s %s: %s", defs[i].name, text, told.text);
        }
    }
}

/* An empty list leaves nothing behind in what libcyaml returns, however its key is written. */
static void test_empty_list_is_a_value(void **state)
{
    (void)state;
    static const char *const yamls[] = {
        "open_paths: []\n",
        "workers: 2\nopen_paths  : [ ]\n",
        "\"open_paths\": []\n",
        "  workers: 2\n  'open_paths' : []\n",
        "---\nopen_paths: []\r\nworkers: 2\r\n",
    };
    for (size_t i = 0; i < sizeof(yamls) / sizeof(yamls[0]); i++) {
        struct told told;
        struct pst_settings s;
        assert_int_equal(load(yamls[i], NULL, NULL, 0, &told, &s), 0);
        assert_int_equal(s.n_open_paths, 0);
        pst_settings_done(&s);
    }
}

static void test_every_problem_is_told(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    const char *environment[] = {"POSTERN_WORKERS=x", NULL};
    const struct pst_setting_flag flags[] = {{"max-headers", "y"}, {"nonsense", "1"}};
    assert_int_equal(load("log_level: loud\ntls_profile: old\n", environment, flags, 2, &told, &s),
                     -PST_EINVAL);
    assert_int_equal(told.problems, 5);
    assert_non_null(strstr(told.text, ":1: log_level: \"loud\""));
    assert_non_null(strstr(told.text, ":2: tls_profile: \"old\""));
    assert_non_null(strstr(told.text, "POSTERN_WORKERS: \"x\""));
    assert_non_null(strstr(told.text, "--max-headers: \"y\""));
    assert_non_null(strstr(told.text, "--nonsense: unknown setting\n"));
}

/* A wrong value leaves the earlier source's; the rest can be looked at. */
static void test_collect_goes_on(void **state)
{
    (void)state;
    struct told told = {0};
    struct pst_settings s;
    char *environment[] = {(char[]){"POSTERN_WORKERS=x"}, (char[]){"POSTERN_MAX_HEADERS=50"}, NULL};
    const struct pst_setting_flag flags[] = {{"max-headers", "70"}, {"log-level", "loud"}};
    const struct pst_settings_input input = {.flags = flags, .n_flags = 2, .environment = environment};
    assert_int_equal(pst_settings_collect(&input, tell, &told, &s), 2);
    assert_true(pst_setting_is_bad(&s, "workers"));
    assert_true(pst_setting_is_bad(&s, "log_level"));
    assert_false(pst_setting_is_bad(&s, "max_headers"));
    assert_false(pst_setting_is_bad(&s, "no such setting"));
    assert_int_equal(s.max_headers, 70);
    assert_int_equal(s.log_level, 2);
    assert_true(s.workers >= 1);
    pst_settings_done(&s);
}

static void test_places(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    char text[PST_SETTING_PLACE_SIZE], expected[PST_SETTING_PLACE_SIZE];
    const char *environment[] = {"POSTERN_MAX_HEADERS=50", NULL};
    const struct pst_setting_flag flags[] = {{"max_body_size", "70"}};
    assert_int_equal(load("\n\nworkers: 3\n", environment, flags, 1, &told, &s), 0);
    snprintf(expected, sizeof(expected), "%s:3: workers", config_path);
    pst_setting_place(&s, pst_setting_find("workers"), text, sizeof(text));
    assert_string_equal(text, expected);
    pst_setting_place(&s, pst_setting_find("max_headers"), text, sizeof(text));
    assert_string_equal(text, "POSTERN_MAX_HEADERS");
    pst_setting_place(&s, pst_setting_find("max_body_size"), text, sizeof(text));
    assert_string_equal(text, "--max-body-size");
    pst_setting_place(&s, pst_setting_find("listen"), text, sizeof(text));
    assert_string_equal(text, "listen");
    assert_string_equal(pst_setting_shown(&s, pst_setting_find("workers")), "3");
    assert_string_equal(pst_setting_source_text(pst_setting_source(&s, pst_setting_find("workers"))), "file");
    pst_settings_done(&s);
}

/* A message goes to a terminal. */
static void test_messages_are_printable(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    const char *environment[] = {"POSTERN_WORKERS=\x1b[2J\nx", NULL};
    assert_int_equal(load(NULL, environment, NULL, 0, &told, &s), -PST_EINVAL);
    assert_string_equal(told.text, "POSTERN_WORKERS: \"?[2J?x\" is not a number from 0 to 256\n");
}

static void test_lists_are_bounded(void **state)
{
    (void)state;
    struct pst_buf value;
    pst_buf_init(&value, 4096);
    pst_buf_add_cstr(&value, "/0");
    for (int i = 1; i < 64; i++)
        pst_buf_printf(&value, ", /%d", i);
    for (int more = 0; more < 2; more++) {
        struct told told;
        struct pst_settings s;
        const struct pst_setting_flag flags[] = {{"open-paths", pst_buf_cstr(&value)}};
        assert_int_equal(load(NULL, NULL, flags, 1, &told, &s), more == 0 ? 0 : -PST_EINVAL);
        if (more == 0) {
            assert_int_equal(s.n_open_paths, 64);
            pst_settings_done(&s);
        } else {
            assert_string_equal(told.text, "--open-paths: more than 64 items\n");
        }
        pst_buf_add_cstr(&value, ", /64,,");
    }
    pst_buf_done(&value);
}

static void test_what_belongs_together(void **state)
{
    (void)state;
    static const struct {
        struct pst_setting_flag flags[2];
        const char *told;
    } cases[] = {
        {{{"tls_key", "/k"}, {"log_level", "info"}},
         "--tls-key: \"/k\" is given without tls_certificate; they belong together\n"},
        {{{"tls_certificate", "/c"}, {"log_level", "info"}},
         "--tls-certificate: \"/c\" is given without tls_key; they belong together\n"},
        {{{"max_target_size", "64KiB"}, {"log_level", "info"}},
         "--max-target-size: \"64KiB\" must be less than max_head_size (32KiB): the target is a part of the "
         "head\n"},
        {{{"max_head_size", "8KiB"}, {"log_level", "info"}},
         "--max-head-size: \"8KiB\" must be more than max_target_size (8KiB): the target is a part of the "
         "head\n"},
        /* One of them is wrong by itself: nothing to compare. */
        {{{"max_head_size", "4KiB"}, {"max_target_size", "x"}},
         "--max-target-size: \"x\" is not a size (B, KiB, MiB, GiB) from 256B to 512KiB\n"},
        {{{"tls_key", "/k"}, {"tls_certificate", "/c"}}, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct told told;
        struct pst_settings s;
        int err = load(NULL, NULL, cases[i].flags, 2, &told, &s);
        assert_string_equal(told.text, cases[i].told);
        assert_int_equal(err, cases[i].told[0] == '\0' ? 0 : -PST_EINVAL);
        if (err == 0)
            pst_settings_done(&s);
    }
}

/* A Service named "postern" in the namespace, and one named "postern-admin". */
static void test_kubernetes_variables(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    const char *environment[] = {"POSTERN_SERVICE_HOST=10.0.0.1",
                                 "POSTERN_SERVICE_PORT=8443",
                                 "POSTERN_SERVICE_PORT_HTTPS=8443",
                                 "POSTERN_PORT=tcp://10.0.0.1:8443",
                                 "POSTERN_PORT_8443_TCP=tcp://10.0.0.1:8443",
                                 "POSTERN_PORT_8443_TCP_PROTO=tcp",
                                 "POSTERN_PORT_8443_TCP_PORT=8443",
                                 "POSTERN_PORT_8443_TCP_ADDR=10.0.0.1",
                                 "POSTERN_ADMIN_SERVICE_HOST=10.0.0.2",
                                 "POSTERN_ADMIN_PORT=tcp://10.0.0.2:80",
                                 "POSTERN_ADMIN_PORT_53_UDP_PROTO=udp",
                                 "POSTERN_CONFIG=",
                                 "POSTERN_KEY=x",
                                 "POSTERN",
                                 "OTHER=1",
                                 NULL};
    assert_int_equal(load(NULL, environment, NULL, 0, &told, &s), 0);
    assert_string_equal(told.text, "");
    pst_settings_done(&s);
}

/* It may be another version's, or somebody else's: told, but no reason to stop. */
static void test_unknown_variables(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    const char *environment[] = {"POSTERN_WORKRS=2", "POSTERN_PORT=8443", "POSTERN_HEADER=x",
                                 "POSTERN_PORT_8443_TPC=1", NULL};
    assert_int_equal(load(NULL, environment, NULL, 0, &told, &s), 0);
    assert_int_equal(told.warnings, 4);
    assert_string_equal(told.text,
                        "POSTERN_WORKRS: unknown setting; did you mean POSTERN_WORKERS?\n"
                        "POSTERN_PORT: unknown setting; did you mean POSTERN_LISTEN?\n"
                        "POSTERN_HEADER: unknown setting; `postern settings` lists them all\n"
                        "POSTERN_PORT_8443_TPC: unknown setting; `postern settings` lists them all\n");
    pst_settings_done(&s);
}

static void test_a_list_of_one_needs_no_brackets(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    const char *yaml = "listen: \"127.0.0.1:9000\"\nopen_paths: /a, /b\ntrusted_proxies: [10.0.0.0/8]\n";
    assert_int_equal(load(yaml, NULL, NULL, 0, &told, &s), 0);
    assert_int_equal(s.n_listen, 1);
    assert_int_equal(s.n_open_paths, 2);
    assert_string_equal(s.open_paths[1], "/b");
    assert_int_equal(s.n_trusted_proxies, 1);
    pst_settings_done(&s);
}

static void test_missing_and_empty_file(void **state)
{
    (void)state;
    struct told told = {0};
    struct pst_settings s;
    const struct pst_settings_input input = {.config = "/nowhere/at/all.yaml"};
    assert_int_equal(pst_settings_load(&input, tell, &told, &s), -PST_EINVAL);
    assert_non_null(strstr(told.text, "/nowhere/at/all.yaml: the settings file cannot be read: not found"));
    assert_int_equal(load("", NULL, NULL, 0, &told, &s), 0);
    pst_settings_done(&s);
    assert_int_equal(load("# nothing but this\n\n---\n", NULL, NULL, 0, &told, &s), 0);
    pst_settings_done(&s);
}

/* The sample file says what the defaults are: with every '#' before a setting taken away it must load and
 * change nothing. */
static void test_sample_file_loads(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s, defaults;
    struct pst_buf sample;
    pst_buf_init(&sample, 1 << 20);
    pst_settings_write_yaml(&sample);
    char *text = pst_buf_cstr(&sample);
    for (char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (line[0] == '#' && line[1] != ' ' && line[1] != '\0')
            line[0] = ' ';
        else if (line[0] == '#' && line[1] == ' ' && line[2] == ' ')
            line[0] = ' '; /* an item of a list */
    }
    for (char *at = text; (at = strstr(at, "\n ")) != NULL; at++) {
        if (at[2] != ' ')
            memmove(at + 1, at + 2, strlen(at + 2) + 1);
    }
    if (load(text, NULL, NULL, 0, &told, &s) != 0)
        fail_msg("%s", told.text);
    assert_int_equal(load(NULL, NULL, NULL, 0, &told, &defaults), 0);
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(s.texts[i], defaults.texts[i]);
        assert_int_equal(s.sources[i], PST_FROM_FILE);
        assert_true(strlen(defs[i].help) > 10);
    }
    pst_settings_done(&s);
    pst_settings_done(&defaults);
    pst_buf_done(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_later_source_wins),
        cmocka_unit_test(test_file_of_every_type),
        cmocka_unit_test(test_wrong_values_are_named),
        cmocka_unit_test(test_aliases_are_refused),
        cmocka_unit_test(test_unknown_names_are_bounded),
        cmocka_unit_test(test_too_large_a_file),
        cmocka_unit_test(test_braces),
        cmocka_unit_test(test_null_is_absence),
        cmocka_unit_test(test_null_in_quotes_is_a_text),
        cmocka_unit_test(test_white_space_at_the_ends),
        cmocka_unit_test(test_line_breaks_in_the_middle),
        cmocka_unit_test(test_commas_in_a_list),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_empty_list_is_a_value),
        cmocka_unit_test(test_every_problem_is_told),
        cmocka_unit_test(test_collect_goes_on),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_messages_are_printable),
        cmocka_unit_test(test_lists_are_bounded),
        cmocka_unit_test(test_what_belongs_together),
        cmocka_unit_test(test_kubernetes_variables),
        cmocka_unit_test(test_unknown_variables),
        cmocka_unit_test(test_a_list_of_one_needs_no_brackets),
        cmocka_unit_test(test_missing_and_empty_file),
        cmocka_unit_test(test_sample_file_loads),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
