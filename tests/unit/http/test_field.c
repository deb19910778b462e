/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct pst_field storage[8];

static struct pst_fields sample(void)
{
    struct pst_fields fields;
    pst_fields_init(&fields, storage, 8);
    assert_int_equal(pst_fields_add(&fields, PST_STR("Accept"), PST_STR("a")), 0);
    assert_int_equal(pst_fields_add(&fields, PST_STR("Connection"), PST_STR("close , X-Foo")), 0);
    assert_int_equal(pst_fields_add(&fields, PST_STR("ACCEPT"), PST_STR("b")), 0);
    assert_int_equal(pst_fields_add(&fields, PST_STR("connection"), PST_STR(", ,Bar")), 0);
    return fields;
}

static void test_find(void **state)
{
    (void)state;
    struct pst_fields fields = sample();
    const struct pst_field *first = pst_fields_find(&fields, PST_STR("accept"));
    assert_ptr_equal(first, &storage[0]);
    const struct pst_field *second = pst_fields_next(&fields, PST_STR("accept"), first);
    assert_ptr_equal(second, &storage[2]);
    assert_null(pst_fields_next(&fields, PST_STR("accept"), second));
    assert_null(pst_fields_find(&fields, PST_STR("accep")));
    assert_true(pst_str_eq(pst_fields_value(&fields, PST_STR("ACCEPT")), PST_STR("a")));
    assert_int_equal(pst_fields_value(&fields, PST_STR("nothing")).len, 0);
}

static void test_bound(void **state)
{
    (void)state;
    struct pst_field one[1];
    struct pst_fields fields;
    pst_fields_init(&fields, one, 1);
    assert_int_equal(pst_fields_add(&fields, PST_STR("a"), PST_STR("b")), 0);
    assert_int_equal(pst_fields_add(&fields, PST_STR("c"), PST_STR("d")), -PST_ELIMIT);
    assert_int_equal(fields.n, 1);
}

static void test_list(void **state)
{
    (void)state;
    struct pst_fields fields = sample();
    assert_true(pst_fields_list_has(&fields, PST_STR("Connection"), PST_STR("CLOSE")));
    assert_true(pst_fields_list_has(&fields, PST_STR("Connection"), PST_STR("x-foo")));
    assert_true(pst_fields_list_has(&fields, PST_STR("Connection"), PST_STR("bar")));
    assert_false(pst_fields_list_has(&fields, PST_STR("Connection"), PST_STR("clos")));
    struct pst_str rest = PST_STR(" a=\"x,\\\"y\" ,, b\t, \"open , c");
    const char *const expected[] = {"a=\"x,\\\"y\"", "b", "\"open , c"};
    struct pst_str element;
    for (size_t i = 0; i < 3; i++) {
        assert_true(pst_field_list_next(&rest, &element));
        assert_true(pst_str_eq(element, pst_str_of(expected[i])));
    }
    assert_false(pst_field_list_next(&rest, &element));
    /* A backslash at the very end must not run over it. */
    rest = PST_STR("\"a\\");
    assert_true(pst_field_list_next(&rest, &element));
    assert_false(pst_field_list_next(&rest, &element));
}

/* Every byte against the grammar as RFC 9110 writes it. */
static void test_bytes(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        struct pst_str s = {&c, 1};
        bool alnum =
            (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool token = alnum || (byte != 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
        assert_int_equal(pst_http_is_token(s), token);
        assert_int_equal(pst_http_is_field_value(s), byte == '\t' || (byte >= ' ' && byte != 0x7F));
    }
    assert_false(pst_http_is_token(PST_STR("")));
    assert_true(pst_http_is_field_value(PST_STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
