/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "postern/base/num.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

json_t *vectors_load(const char *file)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", VECTORS_FOLDER, file);
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        fail_msg("%s, line %d: %s", path, error.line, error.text);
    return root;
}

void vectors_each(const char *file, vectors_visit *visit)
{
    json_t *root = vectors_load(file);
    size_t g, t, ran = 0;
    json_t *group, *test;
    json_array_foreach(json_object_get(root, "testGroups"), g, group)
    {
        json_array_foreach(json_object_get(group, "tests"), t, test)
        {
            visit(group, test, vectors_text(test, "result"));
            ran++;
        }
    }
    assert_true(ran > 0);
    assert_int_equal(ran, json_integer_value(json_object_get(root, "numberOfTests")));
    print_message("%zu Wycheproof cases\n", ran);
    json_decref(root);
}

const char *vectors_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    assert_non_null(text);
    return text;
}

uint8_t *vectors_bytes(const json_t *object, const char *name, size_t *ret_len)
{
    struct pst_str hex = pst_str_of(vectors_text(object, name));
    size_t n = hex.len / 2;
    uint8_t *bytes = malloc(n > 0 ? n : 1);
    assert_non_null(bytes);
    assert_int_equal(pst_hex_decode(hex, bytes, n), 0);
    *ret_len = n;
    return bytes;
}

void vectors_fail(const json_t *test, const char *what)
{
    fail_msg("case %d (%s): %s", (int)json_integer_value(json_object_get(test, "tcId")),
             vectors_text(test, "comment"), what);
}
