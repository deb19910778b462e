/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/clock.h"
#include "postern/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What was written to standard error while `speak` ran; freed by the caller. */
static char *listen_to(void (*speak)(void *arg), void *arg, size_t *ret_len)
{
    char name[] = "/tmp/postern-log-XXXXXX";
    int file = mkstemp(name), saved = dup(STDERR_FILENO);
    assert_true(file >= 0 && saved >= 0);
    unlink(name);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    speak(arg);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    off_t len = lseek(file, 0, SEEK_END);
    char *text = calloc(1, (size_t)len + 1);
    assert_non_null(text);
    assert_int_equal(pread(file, text, (size_t)len, 0), len);
    close(file);
    close(saved);
    *ret_len = (size_t)len;
    return text;
}

static void say_what_a_peer_sent(void *arg)
{
    (void)arg;
    errno = EXDEV;
    pst_warn("tls", "from %s", "a\n2026-01-01T00:00:00.000Z info    tls: forged \"x\" \x1b[2J \xC2\x9B \xFF");
    assert_int_equal(errno, EXDEV);
}

/* "2026-11-23T16:04:53.123Z" in front; the rest is returned. */
static const char *behind_time(const char *line, int64_t begin)
{
    char when[25] = "";
    int64_t us = 0;
    memcpy(when, line, 24);
    assert_int_equal(pst_time_parse(when, &us), 0);
    assert_true(us >= begin - 1000 && us <= pst_clock_real_us());
    return line + 24;
}

static void test_text_line(void **state)
{
    (void)state;
    size_t len;
    int64_t begin = pst_clock_real_us();
    pst_log_setup(PST_LOG_INFO, PST_LOG_TEXT);
    char *text = listen_to(say_what_a_peer_sent, NULL, &len);
    assert_string_equal(behind_time(text, begin),
                        " warning tls: from a\\n2026-01-01T00:00:00.000Z info    tls: forged \"x\" "
                        "\\u001b[2J \\u009b \xEF\xBF\xBD\n");
    free(text);
}

static void test_json_line(void **state)
{
    (void)state;
    size_t len;
    int64_t begin = pst_clock_real_us();
    pst_log_setup(PST_LOG_INFO, PST_LOG_JSON);
    char *text = listen_to(say_what_a_peer_sent, NULL, &len);
    assert_memory_equal(text, "{\"time\":\"", 9);
    assert_string_equal(behind_time(text + 9, begin),
                        "\",\"level\":\"warning\",\"module\":\"tls\",\"message\":\"from "
                        "a\\n2026-01-01T00:00:00.000Z info    tls: forged \\\"x\\\" \\u001b[2J \\u009b "
                        "\xEF\xBF\xBD\"}\n");
    free(text);
}

static void say_each_level(void *arg)
{
    (void)arg;
    pst_error("a", "%d", 0);
    pst_warn("a", "%d", 1);
    pst_info("a", "%d", 2);
    pst_debug("a", "%d", 3);
}

static void test_levels(void **state)
{
    (void)state;
    for (int level = PST_LOG_ERROR; level <= PST_LOG_DEBUG; level++) {
        size_t len, lines = 0;
        pst_log_setup((enum pst_log_level)level, PST_LOG_TEXT);
        char *text = listen_to(say_each_level, NULL, &len);
        for (size_t i = 0; i < len; i++)
            lines += text[i] == '\n';
        assert_int_equal(lines, level + 1);
        free(text);
        for (int asked = PST_LOG_ERROR; asked <= PST_LOG_DEBUG; asked++)
            assert_int_equal(pst_log_wants((enum pst_log_level)asked), asked <= level);
    }
}

static void say_long(void *arg)
{
    pst_error("a", "%s", (const char *)arg);
}

/* Cut, still one whole line, even when every byte needs an escape. */
static void test_long_line(void **state)
{
    (void)state;
    static const char fills[] = {'x', '\x01', '\xFF', '"'};
    char *big = calloc(1, 100001);
    assert_non_null(big);
    for (size_t i = 0; i < sizeof(fills); i++) {
        size_t len;
        memset(big, fills[i], 100000);
        pst_log_setup(PST_LOG_INFO, PST_LOG_JSON);
        char *text = listen_to(say_long, big, &len);
        assert_true(len > 4000 && len < 32768);
        assert_string_equal(text + len - 3, "\"}\n");
        assert_ptr_equal(strchr(text, '\n'), text + len - 1);
        free(text);
    }
    free(big);
}

static void *say_many(void *arg)
{
    for (int i = 0; i < 200; i++)
        pst_info("thread", "%s says %d, and something to make it longer", (const char *)arg, i);
    return NULL;
}

static void say_in_threads(void *arg)
{
    (void)arg;
    pthread_t threads[4];
    static char names[4][8] = {"one", "two", "three", "four"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, say_many, names[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void test_threads_do_not_mix_lines(void **state)
{
    (void)state;
    size_t len, lines = 0;
    pst_log_setup(PST_LOG_INFO, PST_LOG_TEXT);
    char *text = listen_to(say_in_threads, NULL, &len);
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, lines++) {
        *end = '\0';
        assert_non_null(strstr(line, " info    thread: "));
        assert_string_equal(strstr(line, ", and"), ", and something to make it longer");
    }
    assert_int_equal(lines, 800);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_line),
        cmocka_unit_test(test_json_line),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_threads_do_not_mix_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
