/* SPDX-License-Identifier: Apache-2.0 */
/* A hashed timer wheel: 512 slots of one tick each (16 s a round). A timer further away than a round stays
 * in its slot and is looked at once a round; moving a timer to a later time does not touch the wheel at
 * all: the slot it lies in finds the new deadline and moves it then. So the timers that every request sets
 * again cost a store. Private to the loop. */
#ifndef POSTERN_LOOP_WHEEL_H
#define POSTERN_LOOP_WHEEL_H

#include "postern/loop/loop.h"

#define WHEEL_SLOTS 512

struct wheel {
    struct pst_list slots[WHEEL_SLOTS];
    uint64_t used[WHEEL_SLOTS / 64]; /* a bit per slot that is not empty */
    uint64_t next_tick;              /* first tick not yet looked at */
};

void wheel_init(struct wheel *wheel, uint64_t now_us);
void wheel_insert(struct wheel *wheel, struct pst_timer *timer, uint64_t now_us);
/* Moves what is due to the end of `due`. */
void wheel_collect(struct wheel *wheel, uint64_t now_us, struct pst_list *due);
/* Microseconds until the next slot with something in it is due; UINT64_MAX when the wheel is empty. */
uint64_t wheel_wait_us(struct wheel *wheel, uint64_t now_us);

#endif
