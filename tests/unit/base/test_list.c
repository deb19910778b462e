/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct item {
    int number;
    struct pst_list node;
};

static void assert_order(struct pst_list *head, const char *expected)
{
    char order[32] = "", backwards[32] = "";
    size_t n = 0;
    PST_LIST_EACH(it, head)
    {
        order[n++] = (char)('0' + PST_CONTAINER(it, struct item, node)->number);
    }
    for (struct pst_list *it = head->prev; it != head; it = it->prev)
        backwards[--n] = (char)('0' + PST_CONTAINER(it, struct item, node)->number);
    assert_string_equal(order, expected);
    assert_string_equal(backwards, expected);
}

static void test_order(void **state)
{
    (void)state;
    struct pst_list head;
    struct item items[5];
    pst_list_init(&head);
    assert_true(pst_list_empty(&head));
    assert_null(pst_list_pop_front(&head));
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        pst_list_init(&items[i].node);
        assert_true(pst_list_empty(&items[i].node));
    }
    pst_list_push_back(&head, &items[1].node);
    pst_list_push_back(&head, &items[2].node);
    pst_list_push_front(&head, &items[0].node);
    pst_list_push_back(&head, &items[4].node);
    pst_list_insert_between(&items[2].node, &items[3].node, &items[4].node);
    assert_order(&head, "01234");
    pst_list_remove(&items[2].node);
    pst_list_remove(&items[2].node); /* in no list: nothing happens */
    assert_order(&head, "0134");
    assert_ptr_equal(pst_list_pop_front(&head), &items[0].node);
    assert_true(pst_list_empty(&items[0].node));
    pst_list_remove(&items[4].node);
    assert_order(&head, "13");
    pst_list_pop_front(&head);
    pst_list_pop_front(&head);
    assert_true(pst_list_empty(&head));
    assert_order(&head, "");
}

static void test_items_may_go_while_walking(void **state)
{
    (void)state;
    struct pst_list head;
    pst_list_init(&head);
    for (int i = 0; i < 9; i++) {
        struct item *item = malloc(sizeof(*item));
        assert_non_null(item);
        item->number = i;
        pst_list_push_back(&head, &item->node);
    }
    PST_LIST_EACH_SAFE(it, &head)
    {
        struct item *item = PST_CONTAINER(it, struct item, node);
        if (item->number % 3 != 1) {
            pst_list_remove(it);
            free(item);
        }
    }
    assert_order(&head, "147");
    PST_LIST_EACH_SAFE(it, &head)
    {
        pst_list_remove(it);
        free(PST_CONTAINER(it, struct item, node));
    }
    assert_true(pst_list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_items_may_go_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
