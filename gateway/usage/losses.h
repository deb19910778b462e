/* SPDX-License-Identifier: Apache-2.0 */
/* Losses are said: requests that were served and that a full journal could not take. A line when it begins,
 * one a minute while it goes on, and one with the number when it is over. The keeper's thread. */
#ifndef POSTERN_USAGE_LOSSES_H
#define POSTERN_USAGE_LOSSES_H

#include <stdint.h>

struct losses {
    uint64_t n;             /* in this spell; 0: nothing is being lost */
    int64_t begin_us;       /* real time */
    uint64_t last_us;       /* when it last grew */
    uint64_t said_us, said; /* when a line was last written, and the number in it */
};

/* At each look at the journals: how many more were lost (0, too) as of `now_us` (monotonic). */
void losses_note(struct losses *losses, uint64_t more, uint64_t now_us);
/* No more will come: says what has not been said. */
void losses_end(struct losses *losses);

#endif
