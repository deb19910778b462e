/* SPDX-License-Identifier: Apache-2.0 */
#include "wheel.h"

static uint64_t tick_of(uint64_t us)
{
    return us / PST_TIMER_TICK_US;
}

void wheel_init(struct wheel *wheel, uint64_t now_us)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        pst_list_init(&wheel->slots[i]);
    for (size_t i = 0; i < WHEEL_SLOTS / 64; i++)
        wheel->used[i] = 0;
    wheel->next_tick = tick_of(now_us);
}

void wheel_insert(struct wheel *wheel, struct pst_timer *timer, uint64_t now_us)
{
    /* The slot after the deadline's own, so that a timer never fires early. */
    uint64_t tick = tick_of(timer->deadline_us) + 1;
    uint64_t first = tick_of(now_us) + 1;
    if (first < wheel->next_tick)
        first = wheel->next_tick;
    if (tick < first)
        tick = first;
    size_t slot = tick % WHEEL_SLOTS;
    timer->slot_us = tick * PST_TIMER_TICK_US;
    pst_list_remove(&timer->node);
    pst_list_push_back(&wheel->slots[slot], &timer->node);
    wheel->used[slot / 64] |= UINT64_C(1) << (slot % 64);
}

static void collect_slot(struct wheel *wheel, size_t slot, uint64_t now_us, struct pst_list *due)
{
    struct pst_list pending;
    pst_list_init(&pending);
    for (struct pst_list *node; (node = pst_list_pop_front(&wheel->slots[slot])) != NULL;)
        pst_list_push_back(&pending, node);
    wheel->used[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    for (struct pst_list *node; (node = pst_list_pop_front(&pending)) != NULL;) {
        struct pst_timer *timer = PST_CONTAINER(node, struct pst_timer, node);
        if (timer->deadline_us <= now_us)
            pst_list_push_back(due, node);
        else
            wheel_insert(wheel, timer, now_us);
    }
}

void wheel_collect(struct wheel *wheel, uint64_t now_us, struct pst_list *due)
{
    uint64_t last = tick_of(now_us);
    if (last >= wheel->next_tick + WHEEL_SLOTS) /* slept for over a round: each slot once is enough */
        wheel->next_tick = last - WHEEL_SLOTS + 1;
    while (wheel->next_tick <= last) {
        size_t slot = wheel->next_tick % WHEEL_SLOTS;
        wheel->next_tick++; /* first, so that a timer put back lands in a later slot */
        if ((wheel->used[slot / 64] >> (slot % 64) & 1) != 0)
            collect_slot(wheel, slot, now_us, due);
    }
}

uint64_t wheel_wait_us(struct wheel *wheel, uint64_t now_us)
{
    for (uint64_t ahead = 0; ahead < WHEEL_SLOTS;) {
        uint64_t slot = (wheel->next_tick + ahead) % WHEEL_SLOTS;
        uint64_t rest = wheel->used[slot / 64] >> (slot % 64);
        if (rest == 0) {
            ahead += 64 - slot % 64;
            continue;
        }
        uint64_t due_us = (wheel->next_tick + ahead + (uint64_t)__builtin_ctzll(rest)) * PST_TIMER_TICK_US;
        return due_us > now_us ? due_us - now_us : 0;
    }
    return UINT64_MAX;
}
