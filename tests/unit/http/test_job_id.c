/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/job_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define GUID "0f8fad5bd9cb469fa16570867728950e"

/* The last id, NULL for none. */
static const struct {
    const char *url, *id;
} cases[] = {
    {"/text/analytics/v3.1/sentiment", NULL},
    {"/formrecognizer/documentModels/prebuilt-read:analyze?api-version=2023-07-31", NULL},
    {"/a/jobs/0f8fad5b-d9cb-469f-a165-70867728950e", GUID},
    {"/a/jobs/0F8FAD5B-D9CB-469F-A165-70867728950E", GUID},
    {"/a/jobs/0f8fad5bd9cb469fa16570867728950e", GUID},
    {"/a/jobs/{0f8fad5b-d9cb-469f-a165-70867728950e}", GUID},
    {"/a/jobs/%7B0f8fad5b-d9cb-469f-a165-70867728950e%7d", GUID},
    {"/a/jobs/(0f8fad5b-d9cb-469f-a165-70867728950e)/", GUID},
    {"/a/jobs/%30f8fad5b%2Dd9cb-469f-a165-70867728950e", GUID},
    {"/a/jobs/%200f8fad5b-d9cb-469f-a165-70867728950e%20", GUID},
    {"//a//jobs%2f0f8fad5b-d9cb-469f-a165-70867728950e/results/figures/1.1", GUID},
    {"/a/11111111-1111-1111-1111-111111111111/0f8fad5b-d9cb-469f-a165-70867728950e?x=22222222222222222",
     GUID},
    {"http://10.11.12.13:5000/a/jobs/0f8fad5b-d9cb-469f-a165-70867728950e#1234567890123456", GUID},
    {"/a/123456789012345", NULL},
    {"/a/1234567890123456", "1234567890123456"},
    {"/a/abcdefghijklmnopqrst", NULL},
    {"/a/%3", NULL},
    {"", NULL},
};

static void test_last(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pst_job_id id;
        bool found = pst_job_id_last(pst_str_of(cases[i].url), &id);
        if (found != (cases[i].id != NULL))
            fail_msg("%s", cases[i].url);
        if (found && !pst_str_eq((struct pst_str){id.text, id.len}, pst_str_of(cases[i].id)))
            fail_msg("%s: %.*s", cases[i].url, (int)id.len, id.text);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    char path[PST_JOB_ID_MAX + 2];
    struct pst_job_id id;
    memset(path, '7', sizeof(path));
    assert_true(pst_job_id_last((struct pst_str){path, PST_JOB_ID_MAX}, &id));
    assert_int_equal(id.len, PST_JOB_ID_MAX);
    assert_false(pst_job_id_last((struct pst_str){path, PST_JOB_ID_MAX + 1}, &id));
}

static void test_disguised(void **state)
{
    (void)state;
    assert_true(pst_job_id_is_disguised(
        PST_STR("/a/{0x0f8fad5b,0xd9cb,0x469f,{0xa1,0x65,0x70,0x86,0x77,0x28,0x95,0x0e}}")));
    assert_true(pst_job_id_is_disguised(PST_STR("/a/%7B%30%58f8")));
    assert_true(pst_job_id_is_disguised(PST_STR("/a/{{%200X1")));
    assert_false(pst_job_id_is_disguised(PST_STR("/a/{0f8fad5b}")));
    assert_false(pst_job_id_is_disguised(PST_STR("/a/0x0f8fad5b")));
    assert_false(pst_job_id_is_disguised(PST_STR("/a/{0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_disguised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
