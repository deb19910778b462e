/* SPDX-License-Identifier: Apache-2.0 */
/* Whether everybody reads a path alike, and what falls below a prefix; held against a model of servers that
 * read leniently. */
#include "postern/http/path.h"

#include "lenient.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const plain[] = {
    "/",
    "/speech",
    "/speech/",
    "/speech/recognition/conversation/cognitiveservices/v1",
    "/formrecognizer/documentModels/prebuilt-layout:analyze",
    "/language/:analyze-text",
    "/a/...",
    "/a/.b",
    "/a/b.",
    "/a/..b/..c",
    "/a%20b/%41%7e",
    "/a/b=c,d@e!f$g&h'(i)*+j~k_l-m",
    "/%d0%bc%d0%be%d0%b4%d0%b5%d0%bb%d1%8c/%e6%a8%a1%e5%9e%8b/%f0%9f%98%80",
};

static const char *const unclear[] = {
    "",
    "*",
    "speech",
    "//",
    "//speech",
    "/a//b",
    "/.",
    "/..",
    "/a/.",
    "/a/..",
    "/a/./b",
    "/a/../b",
    "/a/%2e/b",
    "/a/%2E%2e",
    "/a/.%2e/b",
    "/a/..%20/b",
    "/a/%20../b",
    "/a/.%20.",
    "/a/%20/b",
    "/a/..%20",
    "/a/%20",
    "/a\\b",
    "/a%5cb",
    "/a%2fb",
    "/a%2Fb",
    "/a%00b",
    "/a%0d%0ab",
    "/a%09b",
    "/a%7fb",
    "/;",
    "/speech;a",
    "/speech;",
    "/speech;a/x",
    "/speech%3ba/x",
    "/speech%3Ba/x",
    "/;/speech/x",
    "/a/..;/speech/x",
    "/docs/..;a=b/admin",
    "/docs/%2e%2e;/admin",
    "/docs/..%3b/admin",
    "/a%25",
    "/%2573peech",
    "/a/%252e%252e/b",
    "/a%252fb",
    "/a%25%32%66b",
    "/a%3fb",
    "/a?b",
    "/a#b",
    "/a%",
    "/a%2",
    "/a%zz",
    "/a%23b",
    "/%c0%ae%c0%ae/b", /* overlong dots */
    "/a%c0%afb",       /* an overlong slash */
    "/a%e0%80%afb",    /* in three bytes */
    "/a%f0%80%80%af",  /* in four */
    "/a%80",           /* no character begins so */
    "/a%c3",           /* half of one */
    "/a%c3/b",         /* and cut by a delimiter */
    "/a%ed%a0%80",     /* a surrogate */
    "/a%f4%90%80%80",  /* above U+10FFFF */
    "/a%ff",           /* never in UTF-8 */
    "/%c5%bfpeech",    /* U+017F, a long s */
    "/%e2%84%aa",      /* U+212A, the Kelvin sign */
    "/%c4%b1n/%c4%b0", /* I without a dot, and with one */
};

static void test_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (!pst_path_is_plain(pst_str_of(plain[i])))
            fail_msg("%s is plain", plain[i]);
    }
    for (size_t i = 0; i < sizeof(unclear) / sizeof(unclear[0]); i++) {
        if (pst_path_is_plain(pst_str_of(unclear[i])))
            fail_msg("%s is not plain", unclear[i]);
    }
}

static const struct {
    const char *path, *prefix;
    bool spelled, reads;
} below[] = {
    {"/speech", "/speech", true, true},      {"/speech/", "/speech", true, true},
    {"/speech/x", "/speech", true, true},    {"/speechless", "/speech", false, false},
    {"/speech", "/speech/x", false, false},  {"/Speech/x", "/speech", false, true},
    {"/%73peech/x", "/speech", false, true}, {"/speech%2fx", "/speech", false, false},
    {"/anything", "", true, true},
};

static void test_below(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
        struct pst_str path = pst_str_of(below[i].path), prefix = pst_str_of(below[i].prefix);
        if (pst_path_is_spelled_below(path, prefix) != below[i].spelled ||
            pst_path_reads_below(path, prefix) != below[i].reads)
            fail_msg("%s below %s", below[i].path, below[i].prefix);
    }
    assert_true(pst_path_reads_as(PST_STR("/STS/v1.0/issue%54oken"), PST_STR("/sts/v1.0/issueToken")));
    assert_false(pst_path_reads_as(PST_STR("/sts/v1.0/issueToken/"), PST_STR("/sts/v1.0/issueToken")));
    assert_false(pst_path_reads_as(PST_STR("/sts/v1.0/issueToke"), PST_STR("/sts/v1.0/issueToken")));
    assert_false(pst_path_reads_as(PST_STR("/sts//v1.0"), PST_STR("/sts//v1.0")));
}

/* What a path is put together from. */
static const char *const pieces[] = {
    "/",     "/",   "//",     ".",      "..",     ";",         ";a",     "%3b",    "%2f",    "%5c",
    "\\",    "%2e", "%2E%2e", "%252e",  "%252f",  "%253b",     "%25",    "s",      "S",      "%73",
    "%2573", "a",   "%c0%ae", "%c0%af", "%c5%bf", "%e2%84%aa", "%3f",    "%23",    "%253f",  ":",
    "%20",   "%09", "%7f",    "/a",     "/s",     "%2",        "%c1%b3", "%c4%b1", "%d0%bc",
};

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static size_t make_path(uint32_t *random, char path[static 128])
{
    size_t len = 1, n = 1 + next_random(random) % 9;
    path[0] = '/';
    for (size_t i = 0; i < n; i++) {
        const char *piece = pieces[next_random(random) % (sizeof(pieces) / sizeof(pieces[0]))];
        memcpy(path + len, piece, strlen(piece));
        len += strlen(piece);
    }
    path[len] = '\0';
    return len;
}

/* However a server reads a plain path, it reads what Postern's rules read. */
static void test_lenient(void **state)
{
    (void)state;
    uint32_t random = 14;
    size_t n_plain = 0;
    for (int i = 0; i < 60000; i++) {
        char path[128];
        struct pst_str text = {path, make_path(&random, path)};
        if (!pst_path_is_plain(text))
            continue;
        n_plain++;
        struct lenient strict = lenient_read(text.p, text.len, 0);
        for (unsigned how = 1; how < LENIENT_ALL; how++) {
            struct lenient read = lenient_read(text.p, text.len, how);
            if (read.len != strict.len || memcmp(read.text, strict.text, read.len) != 0)
                fail_msg("%s reads as %.*s (%#x)", path, (int)read.len, read.text, how);
        }
        if (pst_path_reads_below(text, PST_STR("/s")) != lenient_is_below(&strict, "/s"))
            fail_msg("%s below /s", path);
        if (pst_path_is_spelled_below(text, PST_STR("/s")) && !lenient_is_below(&strict, "/s"))
            fail_msg("%s is spelled below /s", path);
    }
    assert_in_range(n_plain, 1000, 50000); /* the test tries both kinds */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_lenient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
