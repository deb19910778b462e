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
    char text[4096];
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

/* A wrong value, and words that its message must have. */
static const struct {
    const char *yaml;
    const char *line;
    const char *words;
} wrong[] = {
    {"log_level: info\nwokers: 3\n", ":2: ", "there is no setting \"wokers\""},
    {"workers: many\n", ":1: ", "workers: \"many\" is not a number"},
    {"workers: 300\n", ":1: ", "from 0 to 256"},
    {"workers: -1\n", ":1: ", "\"-1\" is not a number"},
    {"\n\nclient_idle_timeout: 75 parsecs\n", ":3: ", "duration"},
    {"max_head_size: 1KiB\n", ":1: ", "from 2KiB to 1MiB"},
    {"tls_profile: old\n", ":1: ", "not one of intermediate, modern"},
    {"listen: [8443]\n", ":1: ", "not an address with a port"},
    {"listen: []\n", ":1: ", "at least one address"},
    {"trusted_proxies: [10.0.0.1/8]\n", ":1: ", "behind its prefix"},
    {"trusted_proxies: [here]\n", ":1: ", "not a network"},
    {"upstream: https://127.0.0.1\n", ":1: ", "plain HTTP"},
    {"upstream: 127.0.0.1:5000\n", ":1: ", "neither http://host:port"},
    {"log_level: info\n\nworkers: [1, 2]\n", ":3: ", "workers: one value is expected, not a list"},
    {"workers: {a: b}\n", ":1: ", "workers: one value is expected, not a mapping"},
    {"\nlisten: [a, [b]]\n", ":2: ", "listen: one value is expected, not a list"},
    {"workers: 1\nworkers: 2\n", "", "workers: it is set twice"},
    {"workers: *a\n", ":1: ", "workers: "},
    {"- a\n- b\n", "", "a mapping of settings is expected"},
    {"workers\n", "", "a mapping of settings is expected"},
    {"workers: \"unclosed\n", ":1: ", "found unexpected end of stream"},
    {"\tworkers: 2\n", "", "found character that cannot start any token"},
    {"workers:\n", ":1: ", "workers: \"\" is not a number"},
    {"workers: 1\n--- # more\nworkers: 2\n", ":2: ", "a second YAML document begins here"},
    {"# braces\n{open_paths: []}\n", ":2: ", "one setting per line, without braces"},
    {"--- {open_paths: []}\n", ":1: ", "one setting per line, without braces"},
};

static void test_wrong_values_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct told told;
        struct pst_settings s;
        assert_int_equal(load(wrong[i].yaml, NULL, NULL, 0, &told, &s), -PST_EINVAL);
        assert_true(told.problems >= 1);
        if (strstr(told.text, wrong[i].words) == NULL || strstr(told.text, wrong[i].line) == NULL)
            fail_msg("%s\nsaid: %s", wrong[i].yaml, told.text);
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
    assert_non_null(strstr(told.text, "POSTERN_WORKERS: \"x\""));
    assert_non_null(strstr(told.text, "--max-headers: \"y\""));
    assert_non_null(strstr(told.text, "--nonsense: there is no such setting"));
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
    struct told told;
    struct pst_settings s;
    assert_int_equal(load("tls_key: /k\n", NULL, NULL, 0, &told, &s), -PST_EINVAL);
    assert_non_null(strstr(told.text, "tls_certificate is not set"));
    assert_int_equal(load("max_target_size: 64KiB\n", NULL, NULL, 0, &told, &s), -PST_EINVAL);
    assert_int_equal(load("open_paths: [status]\n", NULL, NULL, 0, &told, &s), -PST_EINVAL);
    assert_non_null(strstr(told.text, "\"status\" does not begin with a slash"));
}

static void test_kubernetes_variables(void **state)
{
    (void)state;
    struct told told;
    struct pst_settings s;
    const char *environment[] = {"POSTERN_SERVICE_HOST=10.0.0.1",
                                 "POSTERN_PORT=tcp://10.0.0.1:8443",
                                 "POSTERN_PORT_8443_TCP_ADDR=10.0.0.1",
                                 "POSTERN_WORKRS=2",
                                 "OTHER=1",
                                 NULL};
    assert_int_equal(load(NULL, environment, NULL, 0, &told, &s), 0);
    assert_int_equal(told.warnings, 1);
    assert_string_equal(told.text,
                        "POSTERN_WORKRS: there is no such setting; did you mean POSTERN_WORKERS?\n");
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
    assert_int_equal(load(text, NULL, NULL, 0, &told, &s), 0);
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
        cmocka_unit_test(test_empty_list_is_a_value),
        cmocka_unit_test(test_every_problem_is_told),
        cmocka_unit_test(test_lists_are_bounded),
        cmocka_unit_test(test_what_belongs_together),
        cmocka_unit_test(test_kubernetes_variables),
        cmocka_unit_test(test_a_list_of_one_needs_no_brackets),
        cmocka_unit_test(test_missing_and_empty_file),
        cmocka_unit_test(test_sample_file_loads),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
