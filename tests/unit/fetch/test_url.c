/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/fetch/url.h"

#include "postern/fetch/dial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *authority, *target;
        unsigned port;
        bool https;
    } good[] = {
        {"https://a.test", "a.test", "a.test", "/", 443, true},
        {"HTTPS://A.test.:443/x?y=%20", "A.test", "A.test", "/x?y=%20", 443, true},
        {"https://a.test?q", "a.test", "a.test", "/?q", 443, true},
        {"http://a.test:8080/", "a.test", "a.test:8080", "/", 8080, false},
        {"https://[::1]:8443/k", "::1", "[::1]:8443", "/k", 8443, true},
        {"http://127.0.0.1:5000", "127.0.0.1", "127.0.0.1:5000", "/", 5000, false},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct pst_url url;
        const char *reason = "";
        assert_int_equal(pst_url_parse(pst_str_of(good[i].text), &url, &reason), 0);
        assert_string_equal(url.host, good[i].host);
        assert_string_equal(url.authority, good[i].authority);
        assert_string_equal(url.target, good[i].target);
        assert_int_equal(url.port, good[i].port);
        assert_int_equal(url.https, good[i].https);
    }
}

static void test_bad_urls(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "a.test",
        "ftp://a.test/",
        "https://",
        "https:///x",
        "https://user@a.test/",
        "https://a.test:0/",
        "https://a.test:65536/",
        "https://a.test/ x",
        "https://a.test/\r\nX: y",
        "https://a.test/#f",
        "https://[::1/",
        "https://../",
        "https://[:.]/",
        "https://.a.test/",
        "https://a..test/",
        "https://a test/",
        "https://\xc3\xa4.test/",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pst_url url;
        const char *reason = "";
        assert_int_equal(pst_url_parse(pst_str_of(bad[i]), &url, &reason), -PST_EPARSE);
        assert_true(strlen(reason) > 0);
    }
    char text[4096] = "https://a.test/";
    memset(text + 15, 'x', 3000);
    struct pst_url url;
    const char *reason;
    assert_int_equal(pst_url_parse(pst_str_of(text), &url, &reason), -PST_EPARSE);
}

static void test_proxies(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *basic;
        unsigned port;
    } good[] = {
        {"http://p.test:3128", "p.test", "", 3128},
        {"p.test:3128/", "p.test", "", 3128},
        {"http://p.test", "p.test", "", 80},
        {"http://u:p@p.test:1", "p.test", "dTpw", 1},
        {"http://u:p%3a%40@[::1]:1", "::1", "dTpwOkA=", 1},
        {"http://user:pa@ss@p.test:1", "p.test", "dXNlcjpwYUBzcw==", 1},
    };
    struct pst_proxy proxy;
    const char *reason = "";
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(pst_proxy_parse(pst_str_of(good[i].text), &proxy, &reason), 0);
        assert_string_equal(proxy.host, good[i].host);
        assert_string_equal(proxy.basic, good[i].basic);
        assert_int_equal(proxy.port, good[i].port);
    }
    static const char *const bad[] = {
        "",         "https://p.test:1",     "socks5://p.test",    "http://u@p.test",
        "p.test:x", "http://p.test:1/path", "http://u:%zz@p.test"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(pst_proxy_parse(pst_str_of(bad[i]), &proxy, &reason), -PST_EPARSE);
}

static void test_no_proxy(void **state)
{
    (void)state;
    static const struct {
        const char *list, *host;
        bool exempt;
    } cases[] = {
        {"localhost,127.0.0.1", "localhost", true},
        {"localhost,127.0.0.1", "127.0.0.1", true},
        {"localhost,127.0.0.1", "127.0.0.2", false},
        {"10.0.0.0/8", "10.1.2.3", true},
        {".example.com", "a.example.com", true},
        {"example.com", "a.EXAMPLE.com", true},
        {"*.example.com", "a.example.com", true},
        {"example.com", "evilexample.com", false},
        {"*", "anything", true},
        {"", "anything", false},
        {" , ,", "anything", false},
        {"a.test b.test", "b.test", true},
        {"fd00::/8", "fd00::1", true},
        {"1.2.3.4", "host1.2.3.4", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(pst_proxy_exempts(pst_str_of(cases[i].list), cases[i].host), cases[i].exempt);
}

static void test_pins(void **state)
{
    (void)state;
    struct pst_dial_pin pin;
    assert_int_equal(pst_dial_pin_parse(PST_STR("a.test:443:127.0.0.1"), &pin), 0);
    assert_string_equal(pin.host, "a.test");
    assert_int_equal(pin.port, 443);
    assert_int_equal(pst_dial_pin_parse(PST_STR("a.test:443:::1"), &pin), 0);
    assert_int_equal(pst_dial_pin_parse(PST_STR("a.test:443:[::1]"), &pin), 0);
    assert_int_equal(pin.address.sa.ss_family, AF_INET6);
    static const char *const bad[] = {"",
                                      "a.test",
                                      "a.test:443",
                                      "a.test:443:",
                                      "a.test:0:1.2.3.4",
                                      ":443:1.2.3.4",
                                      "a.test:443:b.test",
                                      "a.test:x:1.2.3.4"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(pst_dial_pin_parse(pst_str_of(bad[i]), &pin), -PST_EPARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),     cmocka_unit_test(test_bad_urls), cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_no_proxy), cmocka_unit_test(test_pins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
