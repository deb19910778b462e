/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/request_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pst_str take(struct pst_request_ids *ids, const char *first, const char *second, char *id)
{
    struct pst_field storage[2];
    struct pst_fields fields;
    pst_fields_init(&fields, storage, 2);
    if (first != NULL)
        assert_int_equal(pst_fields_add(&fields, PST_STR("X-Request-ID"), pst_str_of(first)), 0);
    if (second != NULL)
        assert_int_equal(pst_fields_add(&fields, PST_STR("x-request-id"), pst_str_of(second)), 0);
    return pst_request_id_take(ids, &fields, id);
}

static bool is_made(const char *id)
{
    return strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32;
}

static void test_take(void **state)
{
    (void)state;
    struct pst_request_ids ids;
    char id[PST_REQUEST_ID_SIZE];
    char longest[PST_REQUEST_ID_MAX + 2];
    assert_int_equal(pst_request_ids_init(&ids), 0);
    assert_int_equal(take(&ids, "abc-DEF_1.2", NULL, id).len, 11);
    assert_string_equal(id, "abc-DEF_1.2");
    memset(longest, 'a', sizeof(longest));
    longest[PST_REQUEST_ID_MAX] = '\0';
    take(&ids, longest, NULL, id);
    assert_string_equal(id, longest);
    longest[PST_REQUEST_ID_MAX] = 'a';
    longest[PST_REQUEST_ID_MAX + 1] = '\0';
    static const char *const refused[] = {"", "a b", "a\"", "a\r\nb", "\xc3\xa4", "a/b", "a;b"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(take(&ids, refused[i], NULL, id).len, 32);
        assert_true(is_made(id));
    }
    take(&ids, longest, NULL, id);
    assert_true(is_made(id));
    take(&ids, "one", "two", id);
    assert_true(is_made(id));
    take(&ids, NULL, NULL, id);
    assert_true(is_made(id));
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void test_differ(void **state)
{
    (void)state;
    static char made[20000][PST_REQUEST_ID_SIZE];
    struct pst_request_ids one;
    struct pst_request_ids two;
    assert_int_equal(pst_request_ids_init(&one), 0);
    assert_int_equal(pst_request_ids_init(&two), 0);
    for (size_t i = 0; i < 20000; i++)
        take(i % 2 ? &one : &two, NULL, NULL, made[i]);
    qsort(made, 20000, sizeof(made[0]), compare);
    for (size_t i = 1; i < 20000; i++)
        assert_string_not_equal(made[i - 1], made[i]);
}

/* The generator against the authors' reference: xoshiro256++ from state 1, 2, 3, 4. */
static void test_reference(void **state)
{
    (void)state;
    struct pst_request_ids ids = {{1, 2, 3, 4}};
    char id[PST_REQUEST_ID_SIZE];
    take(&ids, NULL, NULL, id);
    /* 41943041 and 58720359, bytes in the machine's order. */
    assert_string_equal(id, "01008002000000006700800300000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_differ),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
