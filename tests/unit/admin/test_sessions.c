/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions at moments that no test can wait for. */
#include "sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW_US    INT64_C(1800000000000000)
#define MINUTE_US (INT64_C(60) * 1000000)

static struct admin_sessions all;

static struct admin_session *open_one(char cookie[static ADMIN_SESSION_TEXT_SIZE])
{
    const struct pst_admin_token_row token = {.id = "0123456789ab", .name = "first"};
    struct admin_session *session = NULL;
    memset(&all, 0, sizeof(all));
    assert_int_equal(admin_session_open(&all, &token, "127.0.0.1", NOW_US, cookie, &session), 0);
    return session;
}

static struct admin_session *find(const char *cookie, int64_t now_us)
{
    return admin_session_find(&all, pst_str_of(cookie), now_us);
}

static void test_idle_and_absolute_end(void **state)
{
    char cookie[ADMIN_SESSION_TEXT_SIZE];
    (void)state;
    struct admin_session *session = open_one(cookie);
    assert_ptr_equal(find(cookie, NOW_US + 29 * MINUTE_US), session);
    assert_null(find(cookie, NOW_US + 30 * MINUTE_US));
    assert_false(session->open);

    session = open_one(cookie);
    for (int64_t at = NOW_US; at < NOW_US + 12 * 60 * MINUTE_US; at += 20 * MINUTE_US) {
        assert_ptr_equal(find(cookie, at), session);
        session->used_us = at;
    }
    session->used_us = NOW_US + 12 * 60 * MINUTE_US - 1;
    assert_ptr_equal(find(cookie, NOW_US + 12 * 60 * MINUTE_US - 1), session);
    assert_null(find(cookie, NOW_US + 12 * 60 * MINUTE_US));
}

static void test_confirmed_for_five_minutes(void **state)
{
    char cookie[ADMIN_SESSION_TEXT_SIZE], next[ADMIN_SESSION_TEXT_SIZE], csrf[ADMIN_SESSION_TEXT_SIZE];
    (void)state;
    struct admin_session *session = open_one(cookie);
    memcpy(csrf, session->csrf, sizeof(csrf));
    assert_false(admin_session_is_confirmed(session, NOW_US));
    assert_int_equal(admin_session_confirm(session, NOW_US + MINUTE_US, next), 0);
    assert_true(admin_session_is_confirmed(session, NOW_US + MINUTE_US));
    assert_true(admin_session_is_confirmed(session, NOW_US + 6 * MINUTE_US - 1));
    assert_false(admin_session_is_confirmed(session, NOW_US + 6 * MINUTE_US));
    assert_false(admin_session_is_confirmed(session, NOW_US)); /* a clock that was set back */

    assert_string_not_equal(cookie, next);
    assert_null(find(cookie, NOW_US));
    assert_ptr_equal(find(next, NOW_US), session);
    assert_string_equal(session->csrf, csrf); /* other tabs of the browser go on */
    assert_int_equal(admin_session_expires_us(session), NOW_US + 12 * 60 * MINUTE_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_and_absolute_end),
        cmocka_unit_test(test_confirmed_for_five_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
