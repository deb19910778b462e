/* SPDX-License-Identifier: Apache-2.0 */
/* An intrusive doubly linked list with a head. A node is in at most one list at a time; a node that
 * is in none points to itself. Not shared between threads. */
#ifndef POSTERN_BASE_LIST_H
#define POSTERN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct pst_list {
    struct pst_list *next;
    struct pst_list *prev;
};

#define PST_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define PST_LIST_EACH(it, head)          for (struct pst_list *it = (head)->next; it != (head); it = it->next)
/* The current node may be taken out (and freed) inside the body. */
#define PST_LIST_EACH_SAFE(it, head)                                                                         \
    for (struct pst_list *it = (head)->next, *it##_next = it->next; it != (head);                            \
         it = it##_next, it##_next = it->next)

static inline void pst_list_init(struct pst_list *node)
{
    node->next = node->prev = node;
}
static inline bool pst_list_empty(const struct pst_list *head)
{
    return head->next == head;
}
static inline void pst_list_insert_between(struct pst_list *prev, struct pst_list *node,
                                           struct pst_list *next)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}
static inline void pst_list_push_back(struct pst_list *head, struct pst_list *node)
{
    pst_list_insert_between(head->prev, node, head);
}
static inline void pst_list_push_front(struct pst_list *head, struct pst_list *node)
{
    pst_list_insert_between(head, node, head->next);
}
/* Taking out a node that is in no list does nothing. */
static inline void pst_list_remove(struct pst_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    pst_list_init(node);
}
static inline struct pst_list *pst_list_pop_front(struct pst_list *head)
{
    if (pst_list_empty(head))
        return NULL;
    struct pst_list *node = head->next;
    pst_list_remove(node);
    return node;
}

#endif
