/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that only say something: help, version, settings, check; each run in a process of its own. */
#include "postern/cmd/command.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <jansson.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS_MAX 16

/* What the last command printed. */
static char out[65536], err[16384];
static char dir[64];

static void read_back(FILE *file, char *text, size_t size)
{
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

/* `words` end with NULL. Returns the exit code. */
static int run(const char *const *words)
{
    FILE *files[2] = {tmpfile(), tmpfile()};
    char *argv[WORDS_MAX + 2] = {(char[]){"postern"}};
    int argc = 1, status = 0;
    assert_true(files[0] != NULL && files[1] != NULL);
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        dup2(fileno(files[0]), 1);
        dup2(fileno(files[1]), 2);
        int code = pst_cmd_main(argc, argv);
        fflush(stdout);
        _exit(code);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    read_back(files[0], out, sizeof(out));
    read_back(files[1], err, sizeof(err));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})
#define SAYS(text, words)                                                                                    \
    do {                                                                                                     \
        if (strstr(text, words) == NULL)                                                                     \
            fail_msg("\"%s\" is not in:\n%s", words, text);                                                  \
    } while (0)

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/postern-check-XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_dir(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_help(void **state)
{
    (void)state;
    static const char *const names[] = {"serve", "demo", "check", "key", "usage", "settings", "version"};
    assert_int_equal(RUN("--help"), PST_EXIT_OK);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char line[32];
        snprintf(line, sizeof(line), "\n  %s ", names[i]);
        SAYS(out, line);
    }
    SAYS(out, "Exit codes: 0 done, 1 failed, 2 wrong usage.");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        static char own[sizeof(out)];
        assert_int_equal(RUN(names[i], "--help"), PST_EXIT_OK);
        assert_string_equal(err, "");
        SAYS(out, names[i]);
        SAYS(out, "Exit codes: 0 done, 1 failed, 2 wrong usage.");
        memcpy(own, out, sizeof(out));
        assert_int_equal(RUN("help", names[i]), PST_EXIT_OK);
        assert_string_equal(out, own);
    }
    assert_int_equal(RUN("help", "key", "create"), PST_EXIT_OK);
    SAYS(out, "Usage: postern key create ");
    assert_int_equal(run((const char *const[]){NULL}), PST_EXIT_USAGE);
    SAYS(err, "Usage: postern COMMAND");
}

/* No line of any help is wider than a terminal. */
static void test_help_is_narrow(void **state)
{
    (void)state;
    static const char *const asked[][2] = {
        {"serve"}, {"demo"},          {"check"},         {"usage"},         {"settings"},   {"version"},
        {"key"},   {"key", "create"}, {"key", "import"}, {"key", "rotate"}, {"key", "list"}};
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        assert_int_equal(RUN("help", asked[i][0], asked[i][1]), PST_EXIT_OK);
        for (const char *line = out; *line != '\0'; line += strcspn(line, "\n") + 1) {
            if (strcspn(line, "\n") > 80)
                fail_msg("%s %s: %s", asked[i][0], asked[i][1] != NULL ? asked[i][1] : "", line);
        }
    }
}

static void test_unknown_commands(void **state)
{
    (void)state;
    assert_int_equal(RUN("chek"), PST_EXIT_USAGE);
    assert_string_equal(err, "postern: unknown command \"chek\"; did you mean `postern check`?\n");
    assert_int_equal(RUN("help", "setings"), PST_EXIT_USAGE);
    assert_string_equal(err, "postern: unknown command \"setings\"; did you mean `postern settings`?\n");
    assert_int_equal(RUN("frobnicate"), PST_EXIT_USAGE);
    assert_string_equal(err, "postern: unknown command \"frobnicate\"; `postern --help` lists them\n");
    assert_string_equal(out, "");
}

static json_t *parsed(void)
{
    json_error_t error;
    json_t *json = json_loads(out, 0, &error);
    if (json == NULL)
        fail_msg("%s: %s", error.text, out);
    return json;
}

static void test_version(void **state)
{
    (void)state;
    static const char *const names[] = {"version", "mbedtls", "libmicrohttpd", "sqlite", "llhttp"};
    assert_int_equal(RUN("version"), PST_EXIT_OK);
    assert_memory_equal(out, "postern ", 8);
    assert_int_equal(RUN("version", "--json"), PST_EXIT_OK);
    json_t *json = parsed();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = json_string_value(json_object_get(json, names[i]));
        assert_non_null(text);
        assert_in_range(text[0], '0', '9');
    }
    json_decref(json);
}

static void test_settings(void **state)
{
    (void)state;
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    assert_int_equal(RUN("settings"), PST_EXIT_OK);
    for (size_t i = 0; i < n; i++)
        SAYS(out, defs[i].name);
    assert_int_equal(RUN("settings", "--json"), PST_EXIT_OK);
    json_t *json = parsed();
    assert_int_equal(json_array_size(json), n);
    const json_t *rotation = json_array_get(json, (size_t)(pst_setting_find("tls_ticket_rotation") - defs));
    assert_string_equal(json_string_value(json_object_get(rotation, "type")), "duration");
    assert_string_equal(json_string_value(json_object_get(rotation, "variable")),
                        "POSTERN_TLS_TICKET_ROTATION");
    assert_string_equal(json_string_value(json_object_get(rotation, "flag")), "--tls-ticket-rotation");
    assert_int_equal(json_integer_value(json_object_get(rotation, "min")), 60000);
    json_decref(json);

    assert_int_equal(RUN("settings", "POSTERN_WORKERS", "tls-profile"), PST_EXIT_OK);
    SAYS(out, "workers\n  Worker threads.");
    SAYS(out, "  value    one of intermediate, modern\n  default  intermediate\n"
              "  also as  POSTERN_TLS_PROFILE, --tls-profile\n");
    assert_int_equal(RUN("settings", "wokers"), PST_EXIT_USAGE);
    SAYS(err, "postern settings: unknown setting \"wokers\"; did you mean workers?\n");
    assert_int_equal(RUN("settings", "--yaml", "--markdown"), PST_EXIT_USAGE);
    assert_int_equal(RUN("settings", "--yaml", "workers"), PST_EXIT_USAGE);
}

static void test_check_is_content(void **state)
{
    (void)state;
    assert_int_equal(RUN("check", "--data-dir", dir, "--listen", "127.0.0.1:0"), PST_EXIT_OK);
    assert_string_equal(out, "No problems found.\n");
    assert_string_equal(err, "");
    /* It leaves nothing behind. */
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(RUN("check", "--data-dir", dir, "--listen", "127.0.0.1:0"), PST_EXIT_OK);
    assert_int_equal(mkdir(dir, 0700), 0); /* nor did it make it */
}

static void test_check_tells_all(void **state)
{
    (void)state;
    char config[128], expected[512];
    snprintf(config, sizeof(config), "%s/p.yaml", dir);
    FILE *file = fopen(config, "w");
    assert_non_null(file);
    fprintf(
        file,
        "wokers: 1\nlog_level: loud\ndata_dir: %s/none/deeper\ntls_certificate: %s/c.pem\ntls_key: %s/k.pem\n"
        "key_sources: [a b, api-key, Api-Key, Host]\nkey_query_parameter: \"a&b\"\nlisten: 192.0.2.1:8443\n",
        dir, dir, dir);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(RUN("check", "--config", config), PST_EXIT_FAILED);
    static const char *const lines[] = {
        "%s/p.yaml:1: unknown setting \"wokers\"; did you mean workers?\n",
        "%s/p.yaml:2: log_level: \"loud\" is not one of error, warning, info, debug\n",
        "%s/p.yaml:3: data_dir: ",
        "%s/c.pem: ",
        "%s/k.pem: ",
        "%s/p.yaml:6: key_sources: \"a b\" is neither a header name nor \"Authorization: Scheme\"\n",
        "%s/p.yaml:6: key_sources: \"Api-Key\" is listed twice\n",
        "%s/p.yaml:6: key_sources: \"Host\" cannot carry a key",
        "%s/p.yaml:7: key_query_parameter: \"a&b\" is not a valid parameter name\n",
        "%s/p.yaml:8: listen: 192.0.2.1:8443: Cannot assign requested address",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *behind = lines[i] + 2; /* the folder's name stands for %s */
        snprintf(expected, sizeof(expected), "%s%s", dir, behind);
        SAYS(err, expected);
    }
    SAYS(err, "\n10 problems found\n");
    assert_string_equal(out, "");
}

static void test_check_of_data_dir(void **state)
{
    (void)state;
    assert_int_equal(chmod(dir, 02770), 0); /* the start makes it private again */
    assert_int_equal(RUN("check", "--data-dir", dir, "--listen", "127.0.0.1:0"), PST_EXIT_OK);
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(RUN("check", "--data-dir", "/nowhere/at/all", "--listen", "127.0.0.1:0"),
                     PST_EXIT_FAILED);
    SAYS(err,
         "--data-dir: /nowhere/at/all cannot be made: its parent directory does not exist: mount the volume");
    assert_int_equal(RUN("check", "--data-dir", "/dev/null", "--listen", "127.0.0.1:0"), PST_EXIT_FAILED);
    SAYS(err, "--data-dir: /dev/null is not a directory: let data_dir name a directory\n1 problem found\n");
    assert_int_equal(RUN("check", "--data-dir=", "--listen", "127.0.0.1:0"), PST_EXIT_FAILED);
    SAYS(err, "--data-dir: must not be empty\n1 problem found\n");
}

/* Most often it is used by the very gateway that is to be restarted. */
static void test_check_of_a_port_in_use(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    char listen_text[32];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(listen_text, sizeof(listen_text), "127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(RUN("check", "--data-dir", dir, "--listen", listen_text), PST_EXIT_OK);
    SAYS(err, "warning: --listen: 127.0.0.1:");
    SAYS(err, " is in use at the moment\n");
    close(fd);
}

static void test_check_of_upstream(void **state)
{
    (void)state;
    assert_int_equal(
        RUN("check", "--data-dir", dir, "--listen", "127.0.0.1:0", "--upstream", "unix:/nowhere/s"),
        PST_EXIT_OK);
    SAYS(err, "warning: --upstream: /nowhere/s: No such file or directory\n");
    assert_int_equal(
        RUN("check", "--data-dir", dir, "--listen", "127.0.0.1:0", "--upstream", "http://h:99999"),
        PST_EXIT_FAILED);
    SAYS(err, "--upstream: \"http://h:99999\": ");
}

static void test_check_shows_sources(void **state)
{
    (void)state;
    assert_int_equal(setenv("POSTERN_MAX_HEADERS", "50", 1), 0);
    assert_int_equal(RUN("check", "--print", "--data-dir", dir, "--listen", "127.0.0.1:0"), PST_EXIT_OK);
    assert_memory_equal(out, "SETTING ", 8);
    SAYS(out, "  POSTERN_MAX_HEADERS  50\n");
    SAYS(out, "  --listen             127.0.0.1:0\n");
    SAYS(out, " (here: ");
    SAYS(out, "\n\nNo problems found.\n");
    assert_int_equal(RUN("check", "--json", "--data-dir", dir, "--listen", "127.0.0.1:0", "--workers", "x"),
                     PST_EXIT_FAILED);
    assert_int_equal(unsetenv("POSTERN_MAX_HEADERS"), 0);
    json_t *json = parsed();
    assert_true(json_is_false(json_object_get(json, "ok")));
    const json_t *found = json_array_get(json_object_get(json, "findings"), 0);
    assert_true(json_is_false(json_object_get(found, "warning")));
    assert_string_equal(json_string_value(json_object_get(found, "text")),
                        "--workers: \"x\" is not a number from 0 to 256");
    const json_t *headers = json_object_get(json_object_get(json, "settings"), "max_headers");
    assert_string_equal(json_string_value(json_object_get(headers, "value")), "50");
    assert_string_equal(json_string_value(json_object_get(headers, "source")), "environment");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_help_is_narrow),
        cmocka_unit_test(test_unknown_commands),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_settings),
        cmocka_unit_test_setup_teardown(test_check_is_content, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_check_tells_all, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_check_of_data_dir, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_check_of_a_port_in_use, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_check_of_upstream, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_check_shows_sources, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
