/* SPDX-License-Identifier: Apache-2.0 */
/* Counts calls into the C library, and makes allocations fail on demand. The test links with -Wl,--wrap=. */
#ifndef POSTERN_TESTS_UPSTREAM_WRAPS_H
#define POSTERN_TESTS_UPSTREAM_WRAPS_H

struct wrap_counts {
    unsigned allocations;
    unsigned recv_calls;
    unsigned sendmsg_calls;
    unsigned epoll_ctl_calls;
};

extern struct wrap_counts wrap_counts;
/* The allocation with that number from now on fails, once; 0: none does. */
extern unsigned wrap_fail_at;

#endif
