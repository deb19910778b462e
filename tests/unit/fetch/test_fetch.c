/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/fetch/fetch.h"

#include "../tls/certs.h"
#include "postern/base/clock.h"
#include "postern/tls/context.h"
#include "server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static char dir[64], ca_file[128];
static struct cert root, intermediate, leaf, expired, early, alone, weak, old_root, below_old;
static char chain[2 * CERTS_PEM_BYTES];

static int set_up_group(void **state)
{
    (void)state;
    assert_int_equal(pst_tls_init(), 0);
    cert_make(&(struct cert_spec){.cn = "Test Root", .ca = true}, &root);
    cert_make(&(struct cert_spec){.cn = "Test Intermediate", .issuer = &root, .ca = true}, &intermediate);
    cert_make(&(struct cert_spec){.cn = "here", .dns = {"here.test", "*.wild.test"}, .issuer = &intermediate},
              &leaf);
    cert_make(
        &(struct cert_spec){
            .cn = "old", .dns = {"here.test"}, .issuer = &root, .from_s = -9 * CERTS_DAY, .to_s = -CERTS_DAY},
        &expired);
    cert_make(
        &(struct cert_spec){
            .cn = "new", .dns = {"here.test"}, .issuer = &root, .from_s = CERTS_DAY, .to_s = 9 * CERTS_DAY},
        &early);
    cert_make(&(struct cert_spec){.cn = "alone", .dns = {"here.test"}}, &alone);
    cert_make(&(struct cert_spec){.cn = "weak", .dns = {"here.test"}, .issuer = &root, .sha1 = true}, &weak);
    cert_make(&(struct cert_spec){.cn = "Old Root", .ca = true, .sha1 = true}, &old_root);
    cert_make(&(struct cert_spec){.cn = "below", .dns = {"here.test"}, .issuer = &old_root}, &below_old);
    snprintf(chain, sizeof(chain), "%s%s", leaf.certificate, intermediate.certificate);
    certs_dir_make(dir);
    char both[2 * CERTS_PEM_BYTES];
    snprintf(both, sizeof(both), "%s%s", root.certificate, old_root.certificate);
    certs_write(dir, "ca.pem", both, ca_file);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    struct cert *all[] = {&root,  &intermediate, &leaf,     &expired,  &early,
                          &alone, &weak,         &old_root, &below_old};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        cert_done(all[i]);
    certs_dir_remove(dir);
    return 0;
}

/* Serves the script and fetches from it; the rest of `options` is the caller's. */
struct trial {
    const char *scheme; /* NULL: https when there is a certificate, else http */
    const char *host;   /* NULL: here.test */
    const char *path;
    struct pst_fetch_options options;
    bool through_proxy;
    const char *proxy_user; /* "user:password@" */
    bool no_ca;
    struct server server;
    struct pst_fetch_answer answer;
    struct pst_fetch_why why;
};

static int fetch(struct trial *trial, const struct script *script)
{
    char url[256], proxy[128], pin_text[128];
    struct pst_dial_pin pin;
    const char *host = trial->host != NULL ? trial->host : "here.test";
    server_start(&trial->server, script);
    bool tls = script->certificate != NULL || trial->through_proxy;
    snprintf(url, sizeof(url), "%s://%s:%u%s", tls ? "https" : "http", host, trial->server.port,
             trial->path != NULL ? trial->path : "/keys?v=1");
    snprintf(pin_text, sizeof(pin_text), "%s:%u:127.0.0.1", host, trial->server.port);
    assert_int_equal(pst_dial_pin_parse(pst_str_of(pin_text), &pin), 0);
    const struct pst_dial_pins pins = {&pin, trial->through_proxy ? 0 : 1};
    snprintf(proxy, sizeof(proxy), "http://%s127.0.0.1:%u",
             trial->proxy_user != NULL ? trial->proxy_user : "", trial->server.port);
    trial->options.pins = &pins;
    trial->options.allow_http = true;
    trial->options.ca_file = trial->no_ca ? NULL : ca_file;
    trial->options.proxy = trial->through_proxy ? proxy : NULL;
    trial->why.text[0] = '\0';
    int err = pst_fetch_get(url, &trial->options, &trial->answer, &trial->why);
    server_end(&trial->server);
    return err;
}

static void assert_says(const struct trial *trial, const char *part)
{
    if (strstr(trial->why.text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, trial->why.text);
}

static void assert_body(struct trial *trial, const char *body)
{
    struct pst_str got = pst_buf_str(&trial->answer.body);
    assert_int_equal(got.len, strlen(body));
    assert_memory_equal(got.p, body, got.len);
    pst_fetch_answer_done(&trial->answer);
}

static void test_plain_answers(void **state)
{
    (void)state;
    static const char *const answers[] = {
        OK_HEAD "Content-Length: 5\r\n\r\nhello",
        OK_HEAD "Content-Length: 5\r\n\r\nhello and what is not of it",
        OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n",
        OK_HEAD "Connection: close\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\n" OK_HEAD "Content-Length: 5\r\n\r\nhello",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct trial trial = {.host = NULL};
        assert_int_equal(fetch(&trial, &(struct script){.answer = answers[i]}), 0);
        assert_int_equal(trial.answer.status, 200);
        assert_body(&trial, "hello");
        assert_non_null(strstr(trial.server.request, "GET /keys?v=1 HTTP/1.1\r\nHost: here.test:"));
    }
}

static void test_piece_by_piece(void **state)
{
    (void)state;
    struct trial trial = {.host = NULL};
    assert_int_equal(fetch(&trial, &(struct script){.answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
                                                                      "5\r\nhello\r\n0\r\n\r\n",
                                                    .piece_ms = 1}),
                     0);
    assert_body(&trial, "hello");
}

static void test_fields(void **state)
{
    (void)state;
    struct trial trial = {.host = NULL};
    assert_int_equal(
        fetch(&trial, &(struct script){.answer = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n"
                                                 "Content-Type: application/json\r\nServer: Kestrel\r\n"
                                                 "Date: Mon, 23 Nov 2026 20:47:04 GMT\r\n"
                                                 "Cache-Control: public, max-age=300\r\n\r\n"}),
        0);
    assert_int_equal(trial.answer.status, 503);
    assert_string_equal(trial.answer.content_type, "application/json");
    assert_string_equal(trial.answer.version, "Kestrel");
    assert_int_equal(trial.answer.date_us / 1000000, 1795466824);
    assert_int_equal(trial.answer.max_age_s, 300);
    assert_body(&trial, "");
}

static void test_bad_answers(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int err;
        const char *says;
    } cases[] = {
        {OK_HEAD "Content-Length: 50\r\n\r\nhello", -PST_ERESET, "in the middle"},
        {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", -PST_ERESET, "in the middle"},
        {"", -PST_ERESET, "without an answer"},
        {"SSH-2.0-OpenSSH\r\n\r\n", -PST_EPROTO, "not HTTP"},
        {OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n", -PST_EPROTO, "not HTTP"},
        {"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.test/\r\nContent-Length: 0\r\n\r\n", -PST_EACCES,
         "https://elsewhere.test/"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trial trial = {.host = NULL};
        assert_int_equal(fetch(&trial, &(struct script){.answer = cases[i].answer}), cases[i].err);
        assert_says(&trial, cases[i].says);
    }
}

static void test_too_large(void **state)
{
    (void)state;
    static const char *const heads[] = {OK_HEAD "\r\n", OK_HEAD "Content-Length: 4000\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct trial trial = {.options = {.max_bytes = 1000}};
        assert_int_equal(fetch(&trial, &(struct script){.answer = heads[i], .repeat = 4000}), -PST_ELIMIT);
        assert_says(&trial, "larger than 1000 bytes");
    }
}

static void test_slow(void **state)
{
    (void)state;
    static const struct script scripts[] = {
        {.answer = NULL},
        {.answer = OK_HEAD "Content-Length: 100000\r\n\r\n", .repeat = 1, .piece_ms = 40},
        {.hangs_before_tls = true, .certificate = chain, .key = leaf.key},
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct trial trial = {.options = {.timeout_ms = 200}};
        uint64_t began = pst_clock_mono_us();
        assert_int_equal(fetch(&trial, &scripts[i]), -PST_ETIMEOUT);
        assert_says(&trial, "in time");
        assert_true(pst_clock_mono_us() - began >= 190000);
    }
}

static void test_tls(void **state)
{
    (void)state;
    struct trial trial = {.path = ""};
    const struct script script = {
        .certificate = chain, .key = leaf.key, .answer = OK_HEAD "Content-Length: 5\r\n\r\nhello"};
    assert_int_equal(fetch(&trial, &script), 0);
    assert_body(&trial, "hello");
    assert_non_null(strstr(trial.server.request, "GET / HTTP/1.1\r\n"));
    struct trial wild = {.host = "a.wild.test"};
    assert_int_equal(fetch(&wild, &script), 0);
    assert_body(&wild, "hello");
}

/* A trusted root's own signature does not count: it may be as old as it is. */
static void test_old_root(void **state)
{
    (void)state;
    struct trial trial = {.host = NULL};
    const struct script script = {.certificate = below_old.certificate,
                                  .key = below_old.key,
                                  .answer = OK_HEAD "Content-Length: 5\r\n\r\nhello"};
    assert_int_equal(fetch(&trial, &script), 0);
    assert_body(&trial, "hello");
}

/* `openssl s_server` on a free port, with TLS 1.2 only: a server that prefers RSA-PSS there. */
static pid_t start_openssl(const char *certificate, const char *key, int *ret_output, uint16_t *ret_port)
{
    char *argv[] = {(char[]){"openssl"},
                    (char[]){"s_server"},
                    (char[]){"-accept"},
                    (char[]){"127.0.0.1:0"},
                    (char[]){"-tls1_2"},
                    (char[]){"-www"},
                    (char[]){"-naccept"},
                    (char[]){"2"},
                    (char[]){"-cert"},
                    strdup(certificate),
                    (char[]){"-key"},
                    strdup(key),
                    NULL};
    int out[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    free(argv[9]);
    free(argv[11]);
    char text[1024] = "";
    const char *found = NULL;
    for (size_t len = 0; found == NULL || strchr(found, '\n') == NULL;) {
        ssize_t n = len + 1 < sizeof(text) ? read(out[0], text + len, sizeof(text) - 1 - len) : 0;
        assert_true(n > 0);
        text[len += (size_t)n] = '\0';
        found = strstr(text, "ACCEPT 127.0.0.1:");
    }
    *ret_port = (uint16_t)strtoul(found + 17, NULL, 10);
    *ret_output = out[0];
    return pid;
}

static void test_tls12_pss(void **state)
{
    (void)state;
    static struct cert rsa;
    char certificate[128], key[128], url[64], pin_text[64];
    struct pst_dial_pin pin;
    struct pst_fetch_answer answer;
    struct pst_fetch_why why;
    int output, status;
    uint16_t port;
    cert_make(&(struct cert_spec){.cn = "rsa", .dns = {"here.test"}, .issuer = &root, .kind = CERTS_RSA},
              &rsa);
    certs_write(dir, "rsa.crt", rsa.certificate, certificate);
    certs_write(dir, "rsa.key", rsa.key, key);
    cert_done(&rsa);
    pid_t pid = start_openssl(certificate, key, &output, &port);
    snprintf(url, sizeof(url), "https://here.test:%u/", port);
    snprintf(pin_text, sizeof(pin_text), "here.test:%u:127.0.0.1", port);
    assert_int_equal(pst_dial_pin_parse(pst_str_of(pin_text), &pin), 0);
    const struct pst_dial_pins pins = {&pin, 1};
    const struct pst_fetch_options options = {.ca_file = ca_file, .pins = &pins};
    int err = pst_fetch_get(url, &options, &answer, &why);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    close(output);
    if (err < 0)
        fail_msg("%s", why.text);
    assert_int_equal(answer.status, 200);
    assert_non_null(memmem(pst_buf_front(&answer.body), pst_buf_len(&answer.body), "TLSv1.2", 7));
    pst_fetch_answer_done(&answer);
}

/* Nothing is sent to a server whose certificate is bad. */
static void test_bad_certificates(void **state)
{
    (void)state;
    const struct {
        const char *certificate, *key, *host;
        bool no_ca;
        const char *says;
    } cases[] = {
        {chain, leaf.key, "there.test", false, "not for there.test but for *.wild.test, here.test"},
        {chain, leaf.key, "a.b.wild.test", false, "not for a.b.wild.test"},
        {chain, leaf.key, "here.test", true, "which is neither a trusted root nor among the certificates"},
        {leaf.certificate, leaf.key, "here.test", false, "signed by \"CN=Test Intermediate\""},
        {expired.certificate, expired.key, "here.test", false, "expired at"},
        {early.certificate, early.key, "here.test", false, "is not valid before"},
        {alone.certificate, alone.key, "here.test", false, "self-signed and not trusted"},
        {weak.certificate, weak.key, "here.test", false, "too weak"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trial trial = {.host = cases[i].host, .no_ca = cases[i].no_ca};
        const struct script script = {.certificate = cases[i].certificate,
                                      .key = cases[i].key,
                                      .answer = OK_HEAD "Content-Length: 0\r\n\r\n"};
        assert_int_equal(fetch(&trial, &script), -PST_ETLS);
        assert_says(&trial, cases[i].says);
        assert_string_equal(trial.server.request, "");
    }
}

/* Without close_notify an answer that goes on until the end may have been cut by somebody. */
static void test_tls_cut(void **state)
{
    (void)state;
    struct trial trial = {.host = NULL};
    struct script script = {
        .certificate = chain, .key = leaf.key, .answer = OK_HEAD "\r\nhello", .cuts = true};
    assert_int_equal(fetch(&trial, &script), -PST_ERESET);
    assert_says(&trial, "in the middle");
    script.cuts = false;
    assert_int_equal(fetch(&trial, &script), 0);
    assert_body(&trial, "hello");
}

static void test_proxy(void **state)
{
    (void)state;
    struct trial trial = {.through_proxy = true, .proxy_user = "me:p%40ss@"};
    struct script script = {.proxy_answer = "HTTP/1.1 200 Connection established\r\n\r\n",
                            .certificate = chain,
                            .key = leaf.key,
                            .answer = OK_HEAD "Content-Length: 5\r\n\r\nhello"};
    assert_int_equal(fetch(&trial, &script), 0);
    assert_body(&trial, "hello");
    char expected[128];
    snprintf(expected, sizeof(expected), "CONNECT here.test:%u HTTP/1.1\r\n", trial.server.port);
    assert_memory_equal(trial.server.proxy_request, expected, strlen(expected));
    assert_non_null(strstr(trial.server.proxy_request, "\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n"));
    assert_null(strstr(trial.server.request, "Authorization"));
}

static void test_proxy_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int err;
        const char *says;
    } cases[] = {
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", -PST_EACCES, "does not allow this host"},
        {"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", -PST_EACCES, "wants credentials"},
        {"HTTP/1.1 502 No\r\n\r\nno route", -PST_EACCES, "could not reach"},
        {"220 mail.test ESMTP\r\n\r\n", -PST_EPROTO, "not HTTP"},
        {"", -PST_ERESET, "without an answer"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trial trial = {.through_proxy = true, .proxy_user = "me:secret@"};
        assert_int_equal(fetch(&trial, &(struct script){.proxy_answer = cases[i].answer}), cases[i].err);
        assert_says(&trial, cases[i].says);
        assert_null(strstr(trial.why.text, "secret"));
    }
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct server server;
    server_start(&server, &(struct script){.answer = ""});
    server_end(&server); /* its port is free again */
    char url[64];
    struct pst_fetch_answer answer;
    struct pst_fetch_why why;
    struct pst_fetch_options options = {.allow_http = true, .timeout_ms = 5000};
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", server.port);
    assert_int_equal(pst_fetch_get(url, &options, &answer, &why), -PST_EREFUSED);
    snprintf(url, sizeof(url), "https://nowhere.invalid:%u/", server.port);
    int err = pst_fetch_get(url, &options, &answer, &why);
    assert_true(err == -PST_ENOENT || err == -PST_EAGAIN || err == -PST_ETIMEOUT);
    assert_non_null(strstr(why.text, "nowhere.invalid"));
}

static void test_second_address(void **state)
{
    (void)state;
    struct server gone, there;
    struct pst_dial_pin pins[2];
    char text[64], url[64];
    server_start(&gone, &(struct script){.answer = ""});
    server_end(&gone);
    server_start(&there, &(struct script){.answer = OK_HEAD "Content-Length: 0\r\n\r\n"});
    snprintf(text, sizeof(text), "here.test:%u:127.0.0.1", there.port);
    assert_int_equal(pst_dial_pin_parse(pst_str_of(text), &pins[1]), 0);
    /* The same name and port, at an address where nobody listens. */
    snprintf(text, sizeof(text), "here.test:%u:127.0.0.9", there.port);
    assert_int_equal(pst_dial_pin_parse(pst_str_of(text), &pins[0]), 0);
    const struct pst_dial_pins both = {pins, 2};
    struct pst_fetch_options options = {.allow_http = true, .pins = &both};
    struct pst_fetch_answer answer;
    struct pst_fetch_why why;
    snprintf(url, sizeof(url), "http://here.test:%u/", there.port);
    assert_int_equal(pst_fetch_get(url, &options, &answer, &why), 0);
    pst_fetch_answer_done(&answer);
    server_end(&there);
}

static void test_bad_options(void **state)
{
    (void)state;
    struct pst_fetch_answer answer;
    struct pst_fetch_why why;
    assert_int_equal(pst_fetch_get("http://here.test/", &(struct pst_fetch_options){0}, &answer, &why),
                     -PST_EPARSE);
    assert_non_null(strstr(why.text, "https://"));
    assert_int_equal(pst_fetch_get("https://here.test/", &(struct pst_fetch_options){.proxy = "socks5://x"},
                                   &answer, &why),
                     -PST_EPARSE);
    struct trial trial = {.host = NULL};
    char bad_ca[128], keep[128];
    certs_write(dir, "bad.pem", "no certificate", bad_ca);
    memcpy(keep, ca_file, sizeof(keep));
    memcpy(ca_file, bad_ca, sizeof(keep));
    assert_int_equal(fetch(&trial, &(struct script){.certificate = chain, .key = leaf.key}), -PST_EINVAL);
    memcpy(ca_file, keep, sizeof(keep));
    assert_says(&trial, "is not PEM: it has no -----BEGIN line");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_root),
        cmocka_unit_test(test_tls12_pss),
        cmocka_unit_test(test_plain_answers),
        cmocka_unit_test(test_piece_by_piece),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_bad_certificates),
        cmocka_unit_test(test_tls_cut),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_proxy_refuses),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_second_address),
        cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
