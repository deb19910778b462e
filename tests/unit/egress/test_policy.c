/* SPDX-License-Identifier: Apache-2.0 */
/* Where a tunnel may lead: lookalikes, spellings, ports, and addresses that are not the internet. */
#include "policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char wide[] = "*.cognitive.microsoft.com", other[] = "*.cognitiveservices.azure.com",
            exact[] = "exact.example";
static char *const allow[] = {wide, other, exact};
static const uint16_t ports[] = {443};
static struct pst_cidr networks[1];

static struct pst_egress_options options(void)
{
    assert_int_equal(pst_cidr_parse(PST_STR("10.1.0.0/16"), &networks[0]), 0);
    return (struct pst_egress_options){
        .allow = allow, .n_allow = 3, .ports = ports, .n_ports = 1, .networks = networks, .n_networks = 1};
}

#define NO_TARGET (-1)

static const struct {
    const char *authority;
    int allowed; /* 1, 0 or NO_TARGET */
} cases[] = {
    {"westeurope.api.cognitive.microsoft.com:443", 1},
    {"WestEurope.API.Cognitive.Microsoft.COM:443", 1},
    {"a.b.c.cognitiveservices.azure.com:443", 1},
    {"a.cognitiveservices.azure.com.:443", 1},
    {"exact.example:443", 1},
    {"below.exact.example:443", 0},
    {"cognitive.microsoft.com:443", 0},
    {".cognitive.microsoft.com:443", NO_TARGET},
    {"evilcognitive.microsoft.com:443", 0},
    {"a.cognitive.microsoft.com.evil.example:443", 0},
    {"a.cognitive-microsoft.com:443", 0},
    {"a.cognitive.microsoft.com:80", 0},
    {"a.cognitive.microsoft.com:443:443", NO_TARGET},
    {"a.cognitive.microsoft.com", NO_TARGET},
    {"a.cognitive.microsoft.com:", NO_TARGET},
    {"a.cognitive.microsoft.com:0", NO_TARGET},
    {"a.cognitive.microsoft.com:65536", NO_TARGET},
    {"a.cognitive.microsoft.com:+443", NO_TARGET},
    {"a.cognitive.microsoft.com..:443", NO_TARGET},
    {"a..cognitive.microsoft.com:443", NO_TARGET},
    {"-a.cognitive.microsoft.com:443", NO_TARGET},
    {"a_b.cognitive.microsoft.com:443", NO_TARGET},
    {"user@a.cognitive.microsoft.com:443", NO_TARGET},
    {"evil.example#.cognitive.microsoft.com:443", NO_TARGET},
    {"evil.example/.cognitive.microsoft.com:443", NO_TARGET},
    {"evil.example%00.cognitive.microsoft.com:443", NO_TARGET},
    {"a.c\xc3\xb6gnitive.microsoft.com:443", NO_TARGET},
    {"xn--a-0fa.cognitive.microsoft.com:443", 1},
    {"169.254.169.254:443", 0},
    {"[::1]:443", 0},
    {"[::1:443", NO_TARGET},
    {"::1:443", NO_TARGET},
    {"127.1:443", NO_TARGET},
    {"2130706433:443", NO_TARGET},
    {"0x7f000001:443", NO_TARGET},
    {"", NO_TARGET},
};

static void test_hosts(void **state)
{
    (void)state;
    struct pst_egress_options o = options();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char host[PST_URL_HOST_SIZE];
        uint16_t port;
        const char *reason = NULL;
        int got = NO_TARGET;
        if (egress_target_parse(pst_str_of(cases[i].authority), host, &port, &reason) == 0)
            got = egress_refusal(&o, host, port, false) == NULL;
        if (got != cases[i].allowed)
            fail_msg("%s: %d, not %d", cases[i].authority, got, cases[i].allowed);
        assert_true(got != NO_TARGET || reason != NULL);
    }
}

static void test_long_names(void **state)
{
    (void)state;
    for (size_t n = 200; n < 500; n++) {
        char text[600], host[PST_URL_HOST_SIZE];
        uint16_t port;
        const char *reason;
        memset(text, 'a', n);
        for (size_t i = 50; i < n - 1; i += 51)
            text[i] = '.';
        memcpy(text + n, ":443", 5);
        assert_int_equal(egress_target_parse(pst_str_of(text), host, &port, &reason) == 0, n <= 253);
    }
}

static void test_patterns(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "*", "*.", "*a.example", "a.*.example", "**.a", "*.*.a", "a.example:443", "https://a"};
    assert_true(pst_egress_pattern_is_valid(PST_STR("*.a.example")));
    assert_true(pst_egress_pattern_is_valid(PST_STR("a.example")));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(pst_egress_pattern_is_valid(pst_str_of(bad[i])));
    assert_true(egress_is_billing("westeurope.api.cognitive.microsoft.com"));
    assert_false(egress_is_billing("exact.example"));
}

static void expect_address(const struct pst_egress_options *o, const char *text, bool allowed)
{
    struct pst_cidr one;
    assert_int_equal(pst_cidr_parse(pst_str_of(text), &one), 0);
    if ((egress_address_refusal(o, one.addr) == NULL) != allowed)
        fail_msg("%s is %s", text, allowed ? "refused" : "let through");
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "127.0.0.1",       "10.0.0.1",        "10.2.0.1",      "172.16.0.1", "172.31.255.255",
        "192.168.1.1",     "169.254.169.254", "100.64.0.1",    "0.0.0.0",    "224.0.0.1",
        "255.255.255.255", "198.18.0.1",      "192.0.2.1",     "::1",        "::",
        "fe80::1",         "fc00::1",         "fd12::1",       "ff02::1",    "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1",    "2001:db8::1",
        "::127.0.0.1",
    };
    static const char *const allowed[] = {"20.1.2.3", "52.0.0.1",     "172.32.0.1",  "100.128.0.1",
                                          "10.1.2.3", "2603:1030::1", "2a01:111::1", "::ffff:20.1.2.3"};
    struct pst_egress_options o = options();
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        expect_address(&o, refused[i], false);
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        expect_address(&o, allowed[i], true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
