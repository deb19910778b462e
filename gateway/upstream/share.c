/* SPDX-License-Identifier: Apache-2.0 */
#include "share.h"

#include "postern/upstream/pool.h"

#include <assert.h>
#include <stdlib.h>

/* Ids of keys are random: nobody chooses who shares a bucket. */
static size_t bucket_of(uint64_t owner)
{
    return (size_t)(owner % SHARE_BUCKETS);
}

static void init(struct share *share, uint64_t owner)
{
    *share = (struct share){.owner = owner};
    pst_list_init(&share->turn);
    pst_list_init(&share->waiting);
}

void shares_init(struct shares *shares)
{
    *shares = (struct shares){.n = 0};
    init(&shares->nobody, PST_LEASE_NOBODY);
    pst_list_init(&shares->turns);
}

void shares_done(struct shares *shares)
{
    for (size_t i = 0; i < SHARE_BUCKETS; i++) {
        for (struct share *share = shares->buckets[i], *next; share != NULL; share = next) {
            next = share->next;
            assert(share->held == 0 && share->apart == 0 && share->n_waiting == 0);
            free(share);
        }
    }
}

struct share *shares_look(struct shares *shares, uint64_t owner)
{
    if (owner == PST_LEASE_NOBODY)
        return &shares->nobody;
    for (struct share *share = shares->buckets[bucket_of(owner)]; share != NULL; share = share->next) {
        if (share->owner == owner)
            return share;
    }
    return NULL;
}

struct share *shares_find(struct shares *shares, uint64_t owner)
{
    struct share *share = shares_look(shares, owner);
    if (share != NULL)
        return share;
    share = malloc(sizeof(*share));
    if (share == NULL)
        return NULL;
    init(share, owner);
    share->next = shares->buckets[bucket_of(owner)];
    shares->buckets[bucket_of(owner)] = share;
    shares->n++;
    return share;
}

static void forget(struct shares *shares, struct share *share)
{
    struct share **at = &shares->buckets[bucket_of(share->owner)];
    while (*at != share)
        at = &(*at)->next;
    *at = share->next;
    shares->n--;
    free(share);
}

void shares_settle(struct shares *shares, struct share *share)
{
    bool over = share->held + share->apart + share->n_waiting == 0 && share != &shares->nobody;
    if (over && shares->n > SHARES_KEPT)
        forget(shares, share);
}
