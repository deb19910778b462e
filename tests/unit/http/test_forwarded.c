/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/forwarded.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct client_case {
    const char *peer;
    const char *fields[4]; /* name, value, … */
    const char *client;
    bool trusted;
};

#define XFF "X-Forwarded-For"
#define FWD "Forwarded"

/* 10.0.0.0/8 and fd00::/8 are trusted. */
static const struct client_case cases[] = {
    {"192.0.2.1", {XFF, "203.0.113.9"}, "192.0.2.1", false},
    {"192.0.2.1", {FWD, "for=203.0.113.9"}, "192.0.2.1", false},
    {"10.0.0.1", {NULL}, "10.0.0.1", true},
    {"10.0.0.1", {XFF, ""}, "10.0.0.1", true},
    {"10.0.0.1", {XFF, "203.0.113.9"}, "203.0.113.9", true},
    {"fd00::1", {XFF, "2001:db8::9"}, "2001:db8::9", true},
    /* What the client itself put to the left is not believed. */
    {"10.0.0.1", {XFF, "1.1.1.1, 203.0.113.9"}, "203.0.113.9", true},
    {"10.0.0.1", {XFF, "1.1.1.1, 203.0.113.9, 10.0.0.2,10.0.0.3"}, "203.0.113.9", true},
    {"10.0.0.1", {XFF, "1.1.1.1, 203.0.113.9", "x-forwarded-for", "fd00::2"}, "203.0.113.9", true},
    {"10.0.0.1", {XFF, "10.0.0.9, 10.0.0.2"}, "10.0.0.9", true},
    /* Ports and brackets. */
    {"10.0.0.1", {XFF, "203.0.113.9:4711"}, "203.0.113.9", true},
    {"10.0.0.1", {XFF, "[2001:db8::9]:4711"}, "2001:db8::9", true},
    {"10.0.0.1", {XFF, "[2001:db8::9]"}, "2001:db8::9", true},
    /* Rubbish ends the walk at the hop that sent it. */
    {"10.0.0.1", {XFF, "203.0.113.9, unknown, 10.0.0.2"}, "10.0.0.2", true},
    {"10.0.0.1", {XFF, "203.0.113.9, [::1"}, "10.0.0.1", true},
    {"10.0.0.1", {XFF, "203.0.113.9/32"}, "10.0.0.1", true},
    {"10.0.0.1", {XFF, "203.0.113.256"}, "10.0.0.1", true},
    /* RFC 7239. */
    {"10.0.0.1",
     {FWD, "for=1.1.1.1, For=\"[2001:db8::9]:4711\";proto=https;by=10.0.0.3, proto=http ; for = 10.0.0.2"},
     "2001:db8::9",
     true},
    {"10.0.0.1", {FWD, "for=203.0.113.9, for=_hidden, for=10.0.0.2"}, "10.0.0.2", true},
    {"10.0.0.1", {FWD, "proto=https"}, "10.0.0.1", true},
    {"10.0.0.1", {FWD, "for=\"203.0.113.9:80\";host=\"a,b\""}, "203.0.113.9", true},
    /* X-Forwarded-For goes before Forwarded. */
    {"10.0.0.1", {FWD, "for=1.1.1.1", XFF, "203.0.113.9"}, "203.0.113.9", true},
};

static void to_v6(const char *text, uint8_t out[static 16])
{
    struct pst_cidr cidr;
    assert_int_equal(pst_cidr_parse(pst_str_of(text), &cidr), 0);
    memcpy(out, cidr.addr, 16);
}

static size_t trusted_networks(struct pst_cidr trusted[static 2])
{
    assert_int_equal(pst_cidr_parse(PST_STR("10.0.0.0/8"), &trusted[0]), 0);
    assert_int_equal(pst_cidr_parse(PST_STR("fd00::/8"), &trusted[1]), 0);
    return 2;
}

static void test_client(void **state)
{
    (void)state;
    struct pst_cidr trusted[2];
    size_t n_trusted = trusted_networks(trusted);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct client_case *c = &cases[i];
        struct pst_field storage[2];
        struct pst_fields fields;
        uint8_t peer[16];
        uint8_t expected[16];
        uint8_t client[16];
        pst_fields_init(&fields, storage, 2);
        for (size_t k = 0; k < 4 && c->fields[k] != NULL; k += 2)
            assert_int_equal(pst_fields_add(&fields, pst_str_of(c->fields[k]), pst_str_of(c->fields[k + 1])),
                             0);
        to_v6(c->peer, peer);
        to_v6(c->client, expected);
        assert_int_equal(pst_forwarded_client(&fields, peer, trusted, n_trusted, client), c->trusted);
        if (memcmp(client, expected, 16) != 0)
            fail_msg("peer %s, %s: not %s", c->peer, c->fields[1] != NULL ? c->fields[1] : "nothing",
                     c->client);
    }
}

/* A list longer than the bound: the right end counts, and nothing is read beyond the bound. */
static void test_many_hops(void **state)
{
    (void)state;
    struct pst_cidr trusted[2];
    size_t n_trusted = trusted_networks(trusted);
    char list[4096] = "203.0.113.9";
    size_t len = strlen(list);
    for (int i = 0; i < 100; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, ", 10.0.0.%d", i);
    struct pst_field storage[1] = {{{XFF, 15}, {list, len}}};
    struct pst_fields fields = {storage, 1, 1};
    uint8_t peer[16];
    uint8_t expected[16];
    uint8_t client[16];
    to_v6("10.0.0.1", peer);
    to_v6("10.0.0.68", expected); /* the 32nd from the right */
    assert_true(pst_forwarded_client(&fields, peer, trusted, n_trusted, client));
    assert_memory_equal(client, expected, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_many_hops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
