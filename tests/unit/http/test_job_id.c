/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/job_id.h"

#include "dotnet_guid.h"

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
    {"/a/1234567890123456", "00000000000000001234567890123456"},
    {"/a/1234567890123456z", "1234567890123456z"},
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
    /* Any number of groups, with and without digits. */
    memset(path, '-', sizeof(path));
    for (size_t i = 0; i < sizeof(path); i++) {
        path[i] = '7';
        assert_false(pst_job_id_last((struct pst_str){path, sizeof(path)}, &id));
        path[i] = '-';
    }
    memset(path, 'z', sizeof(path));
    path[0] = '0';
    assert_true(pst_job_id_last((struct pst_str){path, PST_JOB_ID_MAX}, &id));
    assert_int_equal(id.len, PST_JOB_ID_MAX);
    assert_false(pst_job_id_last((struct pst_str){path, PST_JOB_ID_MAX + 1}, &id));
}

static bool has(const char *path, size_t len, bool twice, const char *wanted)
{
    struct pst_job_id_scan scan = {.rest = {path, len}, .twice = twice};
    struct pst_job_id ids[PST_JOB_IDS_MAX];
    for (size_t n; (n = pst_job_id_next(&scan, ids)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            if (pst_str_eq((struct pst_str){ids[i].text, ids[i].len}, pst_str_of(wanted)))
                return true;
        }
    }
    return false;
}

#define ZEROS "0004e0f10f8941d39a0c0305e82c3301"

/* What parsers take for the GUID 0004e0f1-0f89-41d3-9a0c-0305e82c3301. */
static const char *const spellings[] = {
    "0004e0f1-0f89-41d3-9a0c-0305e82c3301",
    "0004E0F1-0F89-41D3-9A0C-0305E82C3301",
    "{0004e0f1-0f89-41d3-9a0c-0305e82c3301}",
    "(0004e0f1-0f89-41d3-9a0c-0305e82c3301)",
    "%20%090004e0f1-0f89-41d3-9a0c-0305e82c3301%C2%A0",
    ZEROS,
    /* .NET */
    "+004e0f1-0f89-41d3-9a0c-0305e82c3301",
    "0x04e0f1-0f89-41d3-9a0c-0305e82c3301",
    "0X04e0f1-0f89-41d3-9a0c-0305e82c3301",
    "+0x4e0f1-0f89-41d3-9a0c-0305e82c3301",
    "0004e0f1-+f89-41d3-9a0c-0305e82c3301",
    "0004e0f1-0f89-41d3-9a0c-+305e82c3301",
    "0004e0f1-%2bf89-41d3-9a0c-0305e82c3301",
    "%7B0004e0f1-0f89-41d3-9a0c-+305e82c3301%7D",
    "(0x04e0f1-0f89-41d3-9a0c-0305e82c3301)",
    "%2B0%784e0f1-+f89-41d3-9a0c-+305e82c3301",
    /* Java: fewer digits, more than count, and others' digits */
    "4e0f1-f89-41d3-9a0c-305e82c3301",
    "+4e0f1-+f89-+41d3-+9a0c-+305e82c3301",
    "10004e0f1-f0f89-41d3-9a0c-305e82c3301",
    "4e%D9%A0f1-f89-41d3-9a%E0%A5%A6c-305e82c33%EF%BC%901",
    "4%EF%BD%85%EF%BC%90%EF%BC%A61-f89-41d3-9a0c-305e82c3301",
    /* Python */
    "urn:uuid:0004e0f1-0f89-41d3-9a0c-0305e82c3301",
    "0-0-0-4-e-0-f10f8941d39a0c0305e82c3301",
    "4_e_0_f10f8941d39a0c0305e82c3301",
    "0x_4e0f10f8941d39a0c0305e82c3301",
    "+004e0f10f8941d39a0c0305e82c3301",
    "00%F0%9D%9F%8E4e0f10f8941d39a0c0305e82c3301",
    /* More of it in the path */
    "0004e0f1-0f89-41d3-9a0c-0305e82c3301:cancel",
    "0004e0f1-0f89-41d3-9a0c-0305e82c3301;x=y",
    "x%2F..%2F0004e0f1-0f89-41d3-9a0c-0305e82c3301%2Fz",
};

static void test_spellings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        char path[256];
        int len = snprintf(path, sizeof(path), "/a/v1/jobs/%s", spellings[i]);
        if (!has(path, (size_t)len, false, ZEROS))
            fail_msg("%s", spellings[i]);
    }
    static const char twice[] = "/jobs/%2530004e0f1-%30f89-41d3-9a0c-0305e82%63%2533301";
    assert_false(has(twice, sizeof(twice) - 1, false, ZEROS));
    assert_true(has(twice, sizeof(twice) - 1, true, ZEROS));
    /* Another GUID stays another one. */
    static const char other[] = "/jobs/0004e0f1-0f89-41d3-9a0c-0305e82c3302";
    assert_false(has(other, sizeof(other) - 1, false, ZEROS));
}

/* Numbers: int.Parse takes a sign and leading zeros. */
static void test_numbers(void **state)
{
    (void)state;
    static const char number[] = "00000000000000001234567890123456";
    static const char *const of_number[] = {"1234567890123456", "+1234567890123456",
                                            "0000000001234567890123456", "%201234567890123456",
                                            "%D9%A1234567890123456"};
    for (size_t i = 0; i < sizeof(of_number) / sizeof(of_number[0]); i++) {
        if (!has(of_number[i], strlen(of_number[i]), false, number))
            fail_msg("%s", of_number[i]);
    }
    char long_one[400];
    memset(long_one, '0', sizeof(long_one));
    memcpy(long_one + sizeof(long_one) - 16, "1234567890123456", 16);
    assert_true(has(long_one, sizeof(long_one), false, number));
}

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525u + 1013904223u;
    return *random >> 8;
}

/* Whatever .NET takes for a GUID is found as that GUID: characters of a GUID are changed at random, and a
 * model of its parser decides. */
static void test_dotnet(void **state)
{
    (void)state;
    static const char changes[] = "0000xX+-+0fF19{}()";
    uint32_t random = 21;
    size_t n_taken = 0;
    for (int i = 0; i < 400000; i++) {
        char text[] = "0004e0f1-0089-00d3-000c-0000e82c3301", guid[33];
        for (unsigned n = next_random(&random) % 6; n > 0; n--)
            text[next_random(&random) % (sizeof(text) - 1)] =
                changes[next_random(&random) % (sizeof(changes) - 1)];
        if (!dotnet_guid(text, sizeof(text) - 1, guid))
            continue;
        n_taken++;
        if (!has(text, sizeof(text) - 1, false, guid))
            fail_msg("%s is %s to .NET", text, guid);
    }
    assert_in_range(n_taken, 10000, 399999);
}

static bool is_disguised(const char *path, bool twice)
{
    return pst_job_id_is_disguised((struct pst_job_id_scan){.rest = pst_str_of(path), .twice = twice});
}

static void test_disguised(void **state)
{
    (void)state;
    assert_true(
        is_disguised("/a/{0x0f8fad5b,0xd9cb,0x469f,{0xa1,0x65,0x70,0x86,0x77,0x28,0x95,0x0e}}", false));
    assert_true(is_disguised("/a/%7B%30%58f8", false));
    assert_true(is_disguised("/a/{{%200X1", false));
    assert_true(is_disguised("/a/{%C2%A00%E2%80%83%0ax1", false));
    assert_true(is_disguised("/a/%257b0x1", true));
    assert_false(is_disguised("/a/%257b0x1", false));
    assert_false(is_disguised("/a/{0f8fad5b}", false));
    assert_false(is_disguised("/a/0x0f8fad5b", false));
    assert_false(is_disguised("/a/{0", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last),    cmocka_unit_test(test_bounds), cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_dotnet), cmocka_unit_test(test_disguised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
