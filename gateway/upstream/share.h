/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds how much of a pool: the owner of a lease, a key or nobody, may hold a share of what the others
 * leave, of the connections and of the places in the queue. So whoever comes next always finds something,
 * however slow the others' clients are. Belongs to the worker's loop thread.
 *
 * With S percent an owner gets one more while held < S/100 × (held + free). Alone it ends at S percent of all
 * (rounded up, and at least at one); two keys of 75 percent at three quarters and three quarters of the
 * rest. */
#ifndef POSTERN_GATEWAY_UPSTREAM_SHARE_H
#define POSTERN_GATEWAY_UPSTREAM_SHARE_H

#include "postern/base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARE_BUCKETS 1024
/* Owners that are remembered while they hold nothing, so that the next request allocates nothing. */
#define SHARES_KEPT 1024

struct share {
    struct share *next;      /* in its bucket */
    struct pst_list turn;    /* in shares.turns while leases of it wait */
    struct pst_list waiting; /* those leases, front: waits longest */
    uint64_t owner;
    size_t held;  /* connections leased or being made */
    size_t apart; /* connections set apart, which are not among those */
    size_t n_waiting;
};

struct shares {
    struct share *buckets[SHARE_BUCKETS];
    size_t n;              /* in the buckets */
    struct share nobody;   /* all requests without a key together */
    struct pst_list turns; /* those that wait, front: whose turn is next */
};

void shares_init(struct shares *shares);
/* All leases must be over. */
void shares_done(struct shares *shares);
/* The owner's, NULL when it has nothing. */
struct share *shares_look(struct shares *shares, uint64_t owner);
/* The owner's, made when it is not there; NULL without memory. Good until shares_settle(). */
struct share *shares_find(struct shares *shares, uint64_t owner);
/* What it has or waits for has become less: forgets it when nothing is left of it. */
void shares_settle(struct shares *shares, struct share *share);

/* Whether who holds `held` of something may have one more of what is `left`. */
static inline bool share_allows(size_t held, size_t left, unsigned percent)
{
    return (uint64_t)held * (100 - percent) < (uint64_t)left * percent;
}

#endif
