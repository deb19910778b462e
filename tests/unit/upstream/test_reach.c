/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/upstream/reach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000

/* The moment at which each test begins; real and monotonic time are the same here. */
#define T0 (INT64_C(1000) * SECOND)

static void sum_of(const struct pst_reach *const *each, size_t n, struct pst_reach_sum *sum)
{
    *sum = (struct pst_reach_sum){.state = PST_REACH_UNKNOWN};
    for (size_t i = 0; i < n; i++)
        pst_reach_add(each[i], sum);
    pst_reach_judge(each, n, sum);
}

static struct pst_reach_sum sum_of_one(const struct pst_reach *reach)
{
    struct pst_reach_sum sum;
    sum_of(&reach, 1, &sum);
    return sum;
}

static void test_states(void **state)
{
    (void)state;
    struct pst_reach reach = {.error = 0};
    struct pst_reach_sum sum = sum_of_one(&reach);
    assert_int_equal(sum.state, PST_REACH_UNKNOWN);
    assert_int_equal(sum.asked_us, 0);

    pst_reach_failed(&reach, T0, PST_ERROR_UPSTREAM_REFUSED);
    pst_reach_failed(&reach, T0 + 1, PST_ERROR_UPSTREAM_TIMEOUT);
    sum = sum_of_one(&reach);
    assert_int_equal(sum.state, PST_REACH_DOWN);
    assert_int_equal(sum.down_since_us, T0);
    assert_int_equal(sum.failed_since, 2);
    assert_int_equal(sum.error, PST_ERROR_UPSTREAM_TIMEOUT);
    assert_int_equal(sum.asked_us, T0 + 1); /* though no connection was made */

    pst_reach_asked(&reach, T0 + 2);
    assert_int_equal(sum_of_one(&reach).state, PST_REACH_DOWN); /* that it was asked says nothing */
    pst_reach_answered(&reach, T0 + 3);
    sum = sum_of_one(&reach);
    assert_int_equal(sum.state, PST_REACH_UP);
    assert_int_equal(sum.failed_since, 0);
    assert_int_equal(sum.failed, 2);
    assert_int_equal(sum.asked_us, T0 + 2);
}

/* The latest outcome of all workers counts; one's failures may be older than another's response. */
static void test_workers_together(void **state)
{
    (void)state;
    struct pst_reach a = {.error = 0}, b = {.error = 0}, c = {.error = 0};
    const struct pst_reach *each[] = {&a, &b, &c};
    struct pst_reach_sum sum;
    pst_reach_failed(&a, T0, PST_ERROR_UPSTREAM_REFUSED);
    pst_reach_answered(&b, T0 + 10);
    sum_of(each, 3, &sum);
    assert_int_equal(sum.state, PST_REACH_UP);
    assert_int_equal(sum.failed_since, 0);

    pst_reach_failed(&b, T0 + 20, PST_ERROR_UPSTREAM_RESET);
    sum_of(each, 3, &sum);
    assert_int_equal(sum.state, PST_REACH_DOWN);
    assert_int_equal(sum.failed_since, 1); /* a's was before the response */
    assert_int_equal(sum.down_since_us, T0 + 20);
    assert_int_equal(sum.error, PST_ERROR_UPSTREAM_RESET);

    pst_reach_failed(&a, T0 + 30, PST_ERROR_UPSTREAM_REFUSED);
    sum_of(each, 3, &sum);
    assert_int_equal(sum.down_since_us, T0 + 10); /* not before what is known to have worked */
    assert_int_equal(sum.error, PST_ERROR_UPSTREAM_REFUSED);
    assert_int_equal(sum.failed, 3);
}

static bool look(struct pst_reach_watch *watch, const struct pst_reach *reach, int64_t at_us,
                 struct pst_reach_line *line)
{
    struct pst_reach_sum sum = sum_of_one(reach);
    return pst_reach_look(watch, &sum, "10.0.0.1:5000", (uint64_t)at_us, line);
}

static void test_each_change_is_logged_once(void **state)
{
    (void)state;
    struct pst_reach reach = {.error = 0};
    struct pst_reach_watch watch = {.lines = 0};
    struct pst_reach_line line;
    assert_false(look(&watch, &reach, T0, &line));
    for (int i = 0; i < 345; i++) {
        pst_reach_failed(&reach, T0 + i * SECOND, PST_ERROR_UPSTREAM_REFUSED);
        bool said = look(&watch, &reach, T0 + i * SECOND, &line);
        assert_int_equal(said, i == 0);
    }
    assert_int_equal(line.level, PST_LOG_WARNING);
    assert_string_equal(line.text, "the container at 10.0.0.1:5000 is unreachable: it does not accept "
                                   "connections; clients get 503");
    pst_reach_answered(&reach, T0 + 400 * SECOND);
    assert_true(look(&watch, &reach, T0 + 400 * SECOND, &line));
    assert_int_equal(line.level, PST_LOG_INFO);
    assert_string_equal(line.text,
                        "the container at 10.0.0.1:5000 responds again after 400 s; requests failed: 345");
    assert_false(look(&watch, &reach, T0 + 401 * SECOND, &line));
}

static void test_reasons(void **state)
{
    (void)state;
    static const struct {
        enum pst_error_id error;
        const char *words;
    } cases[] = {
        {PST_ERROR_UPSTREAM_REFUSED, "is unreachable: it does not accept connections; clients get 503"},
        {PST_ERROR_UPSTREAM_UNRESOLVED, "is unreachable: its name has no address; clients get 503"},
        {PST_ERROR_UPSTREAM_CONNECT_TIMEOUT, "is unreachable: connecting takes longer than"},
        {PST_ERROR_UPSTREAM_RESET, "fails: it closed the connection before"},
        {PST_ERROR_UPSTREAM_RUBBISH, "fails: it sent an invalid response; clients get 502"},
        {PST_ERROR_UPSTREAM_TIMEOUT, "fails: it did not respond in time; clients get 504"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pst_reach reach = {.error = 0};
        struct pst_reach_watch watch = {.lines = 0};
        struct pst_reach_line line;
        pst_reach_failed(&reach, T0, cases[i].error);
        assert_true(look(&watch, &reach, T0, &line));
        assert_non_null(strstr(line.text, cases[i].words));
    }
}

static void test_the_first_response_is_logged(void **state)
{
    (void)state;
    struct pst_reach reach = {.error = 0};
    struct pst_reach_watch watch = {.lines = 0};
    struct pst_reach_line line;
    pst_reach_answered(&reach, T0);
    assert_true(look(&watch, &reach, T0, &line));
    assert_string_equal(line.text, "the container at 10.0.0.1:5000 responds");
    assert_int_equal(line.level, PST_LOG_INFO);
}

/* A failure between two looks is not seen as a state, and logged all the same. */
static void test_short_failures_are_logged(void **state)
{
    (void)state;
    struct pst_reach reach = {.error = 0};
    struct pst_reach_watch watch = {.state = PST_REACH_UP};
    struct pst_reach_line line;
    pst_reach_failed(&reach, T0, PST_ERROR_UPSTREAM_RUBBISH);
    pst_reach_answered(&reach, T0 + 1);
    assert_true(look(&watch, &reach, T0 + 2, &line));
    assert_string_equal(line.text,
                        "the container at 10.0.0.1:5000 responds again; requests failed: 1, the last: "
                        "it sent an invalid response");
    assert_false(look(&watch, &reach, T0 + 3, &line));
}

/* Flapping for ten minutes: a bounded number of lines, which together account for every failed request. */
static void test_flapping_is_bounded(void **state)
{
    (void)state;
    struct pst_reach reach = {.error = 0};
    struct pst_reach_watch watch = {.lines = 0};
    struct pst_reach_line line;
    unsigned lines = 0, told = 0, changes = 0, more = 0;
    for (int64_t at = 0; at < 600 * SECOND; at += SECOND / 4) {
        if (at / (SECOND / 4) % 2 == 0)
            pst_reach_failed(&reach, T0 + at, PST_ERROR_UPSTREAM_RESET);
        else
            pst_reach_answered(&reach, T0 + at);
        if (!look(&watch, &reach, T0 + at, &line))
            continue;
        unsigned n = 0, held = 0;
        const char *failed = strstr(line.text, "requests failed: ");
        lines++;
        if (failed != NULL && sscanf(failed, "requests failed: %u", &n) == 1)
            told += n;
        if (sscanf(line.text, "the container at 10.0.0.1:5000: %u more", &held) == 1) {
            changes += held;
            more++;
        }
    }
    assert_in_range(lines, 10, 10 * PST_REACH_LINES);
    assert_int_equal(more, 9);
    assert_in_range(changes, 2000, 2400);
    /* What fell into the last minute is told at its end. */
    pst_reach_answered(&reach, T0 + 600 * SECOND);
    assert_true(look(&watch, &reach, T0 + 700 * SECOND, &line));
    unsigned n = 0;
    assert_int_equal(sscanf(strstr(line.text, "requests failed: "), "requests failed: %u", &n), 1);
    assert_int_equal(told + n, 1200);
    assert_non_null(strstr(line.text, "now it responds"));
    assert_false(look(&watch, &reach, T0 + 701 * SECOND, &line));
}

static void test_malformed_responses(void **state)
{
    (void)state;
    struct pst_reach reach = {.error = 0};
    struct pst_reach_watch watch = {.lines = 0};
    struct pst_reach_line line;
    assert_false(pst_reach_take_fault(&watch, &reach, T0, &line));
    pst_reach_malformed(&reach, "018f", "a bare CR in the status line", 17);
    assert_true(pst_reach_take_fault(&watch, &reach, T0, &line));
    assert_string_equal(line.text,
                        "request 018f: invalid response from the container: a bare CR in the status line, at "
                        "byte 17");
    assert_int_equal(line.level, PST_LOG_WARNING);
    assert_false(pst_reach_take_fault(&watch, &reach, T0, &line));

    /* The first of those between two looks is logged, the others are counted. */
    for (int i = 0; i < 5; i++)
        pst_reach_malformed(&reach, "018f", i == 0 ? "the first" : "another", 0);
    assert_true(pst_reach_take_fault(&watch, &reach, T0 + 1, &line));
    assert_string_equal(line.text, "request 018f: invalid response from the container: the first (others not "
                                   "logged since the last line: 4)");

    unsigned lines = 2;
    for (int64_t at = 0; at < 59 * SECOND; at += SECOND / 4) {
        pst_reach_malformed(&reach, "018f", "a flood of them", 0);
        lines += pst_reach_take_fault(&watch, &reach, (uint64_t)(T0 + at), &line);
    }
    assert_int_equal(lines, PST_REACH_LINES);
    pst_reach_malformed(&reach, "018f", "later", 0);
    assert_true(pst_reach_take_fault(&watch, &reach, T0 + 61 * SECOND, &line));
    assert_non_null(strstr(line.text, "later (others not logged since the last line: 232)"));
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    struct pst_reach reach = {.error = 0};
    struct pst_reach_watch watch = {.lines = 0};
    struct pst_reach_line line;
    char text[1024];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    pst_reach_malformed(&reach, text, text, UINT64_MAX);
    assert_true(pst_reach_take_fault(&watch, &reach, T0, &line));
    assert_int_equal(strlen(line.text), PST_REACH_FAULT_SIZE - 1);
}

static void test_api_status_is_taken_from_status(void **state)
{
    (void)state;
    struct pst_reach a = {.error = 0}, b = {.error = 0};
    const struct pst_reach *each[] = {&a, &b};
    struct pst_reach_sum sum;
    sum_of(each, 2, &sum);
    assert_null(sum.api);
    pst_reach_status_body(&a, T0, PST_STR("{\"service\":\"x\",\"apiStatus\":\"Invalid\"}"));
    sum_of(each, 2, &sum);
    assert_string_equal(sum.api->name, "Invalid");
    assert_int_equal(sum.api_us, T0);
    pst_reach_status_body(&b, T0 + 5, PST_STR("{\"apiStatus\" :\n \"Valid\"}"));
    pst_reach_status_body(&b, T0 + 9, PST_STR("ok"));
    sum_of(each, 2, &sum);
    assert_string_equal(sum.api->name, "Valid");
    assert_int_equal(sum.api_us, T0 + 5);
}

static void test_bodies_of_status(void **state)
{
    (void)state;
    static const struct {
        struct pst_str body;
        const char *name;
    } cases[] = {
        {PST_STR("{\"apiStatus\":\"OutOfQuota\"}"), "OutOfQuota"},
        {PST_STR("{\"apiStatusMessage\":\"Valid\",\"apiStatus\": \"Unknown\"}"), "Unknown"},
        {PST_STR(""), NULL},
        {PST_STR("{}"), NULL},
        {PST_STR("\"apiStatus\""), NULL},
        {PST_STR("{\"apiStatus\":"), NULL},
        {PST_STR("{\"apiStatus\":\""), NULL},
        {PST_STR("{\"apiStatus\":\"Valid"), NULL},
        {PST_STR("{\"apiStatus\":\"\"}"), NULL},
        {PST_STR("{\"apiStatus\":\"valid\"}"), NULL},
        {PST_STR("{\"apiStatus\":null,\"x\":\"Valid\"}"), NULL},
        {PST_STR("{\"apiStatus\":\"SomethingNew\"}"), NULL},
        {PST_STR("{\"theapiStatus\":\"Valid\"}"), NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pst_api_status *found = pst_api_status_in(cases[i].body);
        if ((found == NULL) != (cases[i].name == NULL) ||
            (found != NULL && strcmp(found->name, cases[i].name) != 0))
            fail_msg("%zu: %s", i, found != NULL ? found->name : "none");
    }
    size_t n;
    const struct pst_api_status *all = pst_api_statuses(&n);
    assert_in_range(n, 1, 15); /* a place has four bits */
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(pst_api_status_find(pst_str_of(all[i].name)), &all[i]);
        assert_int_equal(all[i].todo == NULL, all[i].grade == PST_API_SERVES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_workers_together),
        cmocka_unit_test(test_each_change_is_logged_once),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_the_first_response_is_logged),
        cmocka_unit_test(test_short_failures_are_logged),
        cmocka_unit_test(test_flapping_is_bounded),
        cmocka_unit_test(test_malformed_responses),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_api_status_is_taken_from_status),
        cmocka_unit_test(test_bodies_of_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
