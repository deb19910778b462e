/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))

static void address(const char *text, uint8_t out[static 16])
{
    uint8_t v4[4];
    if (inet_pton(AF_INET, text, v4) == 1) {
        memset(out, 0, 10);
        memset(out + 10, 0xff, 2);
        memcpy(out + 12, v4, 4);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, out), 1);
    }
}

static void test_cidr_parse(void **state)
{
    (void)state;
    static const struct {
        struct pst_str text;
        int result; /* bits, or an error */
    } cases[] = {
        {PST_STR("0.0.0.0/0"), 96},
        {PST_STR("10.0.0.0/8"), 104},
        {PST_STR("172.16.0.0/12"), 108},
        {PST_STR("192.0.2.7"), 128},
        {PST_STR("192.0.2.7/32"), 128},
        {PST_STR("192.0.2.6/31"), 127},
        {PST_STR("::/0"), 0},
        {PST_STR("::1"), 128},
        {PST_STR("fd00::/8"), 8},
        {PST_STR("2001:db8::/33"), 33},
        {PST_STR("::ffff:10.0.0.0/104"), 104},
        {PST_STR("10.0.0.1/8"), -PST_EINVAL},
        {PST_STR("192.0.2.7/31"), -PST_EINVAL},
        {PST_STR("0.0.0.1/0"), -PST_EINVAL},
        {PST_STR("fd00::1/8"), -PST_EINVAL},
        {PST_STR("2001:db8:8000::/32"), -PST_EINVAL},
        {PST_STR(""), -PST_EPARSE},
        {{NULL, 0}, -PST_EPARSE},
        {PST_STR("/8"), -PST_EPARSE},
        {PST_STR("10.0.0.0/"), -PST_EPARSE},
        {PST_STR("10.0.0.0/33"), -PST_EPARSE},
        {PST_STR("10.0.0.0/-1"), -PST_EPARSE},
        {PST_STR("10.0.0.0/8/8"), -PST_EPARSE},
        {PST_STR("10.0.0/8"), -PST_EPARSE},
        {PST_STR("010.0.0.0/8"), -PST_EPARSE},
        {PST_STR("10.0.0.0 /8"), -PST_EPARSE},
        {PST_STR("10.0.0.0\0/8"), -PST_EPARSE},
        {PST_STR("10.0.0.0\0"), -PST_EPARSE},
        {PST_STR("::/129"), -PST_EPARSE},
        {PST_STR("fe80::1%eth0"), -PST_EPARSE},
        {PST_STR("[::1]"), -PST_EPARSE},
        {PST_STR("localhost"), -PST_EPARSE},
        {PST_STR("1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333"), -PST_EPARSE},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct pst_cidr cidr = {.bits = 200};
        int err = pst_cidr_parse(cases[i].text, &cidr);
        int expected = cases[i].result < 0 ? cases[i].result : 0;
        if (err != expected || cidr.bits != (err < 0 ? 200 : cases[i].result))
            fail_msg(PST_STR_FMT ": %d, /%u", PST_STR_ARG(cases[i].text), err, cidr.bits);
    }
}

static void test_cidr_contains(void **state)
{
    (void)state;
    static const struct {
        const char *cidr, *address;
        bool inside;
    } cases[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "9.255.255.255", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::1", false},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"192.0.2.6/31", "192.0.2.7", true},
        {"192.0.2.6/31", "192.0.2.8", false},
        {"172.16.0.0/12", "172.31.0.1", true},
        {"172.16.0.0/12", "172.32.0.1", false},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::/0", "2001:db8::1", true},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
        {"::1", "::1", true},
        {"::1", "::", false},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct pst_cidr cidr;
        uint8_t bytes[16];
        assert_int_equal(pst_cidr_parse(pst_str_of(cases[i].cidr), &cidr), 0);
        address(cases[i].address, bytes);
        if (pst_cidr_contains(&cidr, bytes) != cases[i].inside)
            fail_msg("%s in %s", cases[i].address, cases[i].cidr);
    }
}

static void test_address(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown, *host; /* shown NULL: refused */
        int family;
    } cases[] = {
        {"127.0.0.1:8443", "127.0.0.1:8443", "127.0.0.1", AF_INET},
        {":8443", "0.0.0.0:8443", "0.0.0.0", AF_INET},
        {"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0", AF_INET},
        {"[::1]:65535", "[::1]:65535", "::1", AF_INET6},
        {"[::]:1", "[::]:1", "::", AF_INET6},
        {"[2001:DB8::0:1]:443", "[2001:db8::1]:443", "2001:db8::1", AF_INET6},
        {"[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1", AF_INET6},
        {"", NULL, NULL, 0},
        {"8443", NULL, NULL, 0},
        {"127.0.0.1", NULL, NULL, 0},
        {"127.0.0.1:", NULL, NULL, 0},
        {"127.0.0.1:65536", NULL, NULL, 0},
        {"127.0.0.1:-1", NULL, NULL, 0},
        {"127.0.0.1:80x", NULL, NULL, 0},
        {"127.0.0.1:80:90", NULL, NULL, 0},
        {"::1:8443", NULL, NULL, 0},
        {"[::1]", NULL, NULL, 0},
        {"[::1]8443", NULL, NULL, 0},
        {"[]:8443", NULL, NULL, 0},
        {"[:8443", NULL, NULL, 0},
        {"]:8443", NULL, NULL, 0},
        {"[127.0.0.1]:80", NULL, NULL, 0},
        {"localhost:80", NULL, NULL, 0},
        {"*:80", NULL, NULL, 0},
        {"127.1:80", NULL, NULL, 0},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct pst_addr addr = {.len = 1};
        char text[PST_ADDR_TEXT_SIZE];
        int err = pst_addr_parse(pst_str_of(cases[i].text), &addr);
        if (err != (cases[i].shown == NULL ? -PST_EPARSE : 0))
            fail_msg("%s: %d", cases[i].text, err);
        if (err < 0) {
            assert_int_equal(addr.len, 1);
            continue;
        }
        assert_int_equal(addr.sa.ss_family, cases[i].family);
        pst_addr_format((const struct sockaddr *)&addr.sa, text, sizeof(text));
        assert_string_equal(text, cases[i].shown);
        uint8_t as_v6[16];
        uint16_t port;
        char v6_text[PST_ADDR_TEXT_SIZE];
        pst_addr_to_v6((const struct sockaddr *)&addr.sa, as_v6, &port);
        pst_addr_format_v6(as_v6, v6_text, sizeof(v6_text));
        pst_addr_format_host((const struct sockaddr *)&addr.sa, text, sizeof(text));
        if (memcmp(text, "::ffff:", 7) != 0)
            assert_string_equal(v6_text, text);
        else
            assert_string_equal(v6_text, text + 7);
        assert_string_equal(text, cases[i].host);
    }
}

static void test_to_bytes(void **state)
{
    (void)state;
    static const char *const texts[][2] = {{"192.0.2.1:80", "192.0.2.1"},
                                           {"[2001:db8::1]:80", "2001:db8::1"}};
    for (size_t i = 0; i < N(texts); i++) {
        struct pst_addr addr;
        uint8_t bytes[16], expected[16];
        uint16_t port = 0;
        assert_int_equal(pst_addr_parse(pst_str_of(texts[i][0]), &addr), 0);
        pst_addr_to_v6((const struct sockaddr *)&addr.sa, bytes, &port);
        address(texts[i][1], expected);
        assert_memory_equal(bytes, expected, 16);
        assert_int_equal(port, 80);
    }
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    uint8_t bytes[16], zero[16] = {0};
    uint16_t port = 1;
    char text[PST_ADDR_TEXT_SIZE];
    pst_addr_to_v6((const struct sockaddr *)&un, bytes, &port);
    assert_memory_equal(bytes, zero, 16);
    assert_int_equal(port, 0);
    pst_addr_format_host((const struct sockaddr *)&un, text, sizeof(text));
    assert_string_equal(text, "unknown");
}

static void test_format_is_cut_not_overrun(void **state)
{
    (void)state;
    struct pst_addr addr;
    assert_int_equal(pst_addr_parse(PST_STR("[1111:2222:3333:4444:5555:6666:7777:8888]:65535"), &addr), 0);
    for (size_t size = 1; size <= PST_ADDR_TEXT_SIZE; size++) {
        char *text = malloc(size); /* its end is the sanitizer's */
        assert_non_null(text);
        pst_addr_format((const struct sockaddr *)&addr.sa, text, size);
        assert_true(strlen(text) < size);
        pst_addr_format_host((const struct sockaddr *)&addr.sa, text, size);
        assert_true(strlen(text) < size);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cidr_parse),
        cmocka_unit_test(test_cidr_contains),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_to_bytes),
        cmocka_unit_test(test_format_is_cut_not_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
