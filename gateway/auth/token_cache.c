/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/token_cache.h"

#include "postern/crypto/random.h"
#include "postern/crypto/secret.h"

#include <stdlib.h>

#define WAYS 4
#define SETS (PST_TOKEN_CACHE_ENTRIES / WAYS)
/* Of the token's end: the last 192 bits of its signature. */
#define TAIL 32

struct entry {
    char *token; /* NULL: free */
    size_t len;
    uint64_t tag;
    struct pst_token_verdict verdict;
};

struct pst_token_cache {
    struct entry sets[SETS][WAYS];
    uint64_t secret[TAIL / sizeof(uint64_t)];
    unsigned next; /* way to give up when all of a set are good */
    size_t bytes;  /* of all tokens */
    size_t oldest; /* entry to give up when they are too many */
};

int pst_token_cache_new(struct pst_token_cache **ret)
{
    struct pst_token_cache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        return -PST_ENOMEM;
    int err = pst_random_bytes(cache->secret, sizeof(cache->secret));
    if (err < 0)
        free(cache);
    else
        *ret = cache;
    return err;
}

static void drop(struct pst_token_cache *cache, struct entry *entry)
{
    if (!entry->token)
        return;
    cache->bytes -= entry->len;
    pst_wipe(entry->token, entry->len);
    free(entry->token);
    *entry = (struct entry){.token = NULL};
}

void pst_token_cache_free(struct pst_token_cache *cache)
{
    for (size_t i = 0; cache && i < SETS; i++) {
        for (size_t way = 0; way < WAYS; way++)
            drop(cache, &cache->sets[i][way]);
    }
    free(cache);
}

/* Spreads each bit of `x` over all (the finalizer of SplitMix64). */
static uint64_t spread(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The end of a good token is as good as random, and nobody can choose it who has no key to sign with. It is
 * mixed with a secret, so that what a look-up touches tells nothing about it. */
static uint64_t tag_of(const struct pst_token_cache *cache, struct pst_str token)
{
    uint64_t words[TAIL / sizeof(uint64_t)] = {0}, tag = token.len;
    size_t n = token.len < TAIL ? token.len : TAIL;
    memcpy(words, token.p + token.len - n, n);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        tag = spread(tag ^ words[i] ^ cache->secret[i]);
    return tag;
}

/* In a time that depends on the length alone; eight bytes at a time, since tokens have some thousand. */
static bool same(const char *a, const char *b, size_t len)
{
    uint64_t difference = 0;
    size_t at = 0;
    for (; at + sizeof(uint64_t) <= len; at += sizeof(uint64_t)) {
        uint64_t left, right;
        memcpy(&left, a + at, sizeof(left));
        memcpy(&right, b + at, sizeof(right));
        difference |= left ^ right;
    }
    for (; at < len; at++)
        difference |= (uint64_t)(uint8_t)(a[at] ^ b[at]);
    return difference == 0;
}

static struct entry *find(struct pst_token_cache *cache, struct pst_str token, uint64_t tag)
{
    struct entry *set = cache->sets[tag % SETS];
    for (size_t way = 0; way < WAYS; way++) {
        if (set[way].token && set[way].tag == tag && set[way].len == token.len &&
            same(set[way].token, token.p, token.len))
            return &set[way];
    }
    return NULL;
}

const struct pst_token_verdict *pst_token_cache_find(struct pst_token_cache *cache, struct pst_str token,
                                                     int64_t now_s)
{
    struct entry *entry = find(cache, token, tag_of(cache, token));
    if (entry && entry->verdict.good_until_s <= now_s) {
        drop(cache, entry);
        entry = NULL;
    }
    return entry ? &entry->verdict : NULL;
}

/* A free place of the set, else the place of one token after the other, so that none is kept out for good. */
static struct entry *make_room(struct pst_token_cache *cache, uint64_t tag)
{
    struct entry *set = cache->sets[tag % SETS];
    for (size_t way = 0; way < WAYS; way++) {
        if (!set[way].token)
            return &set[way];
    }
    struct entry *victim = &set[cache->next++ % WAYS];
    drop(cache, victim);
    return victim;
}

/* One entry after the other, until there is room for `len` more. */
static void make_bytes(struct pst_token_cache *cache, size_t len)
{
    while (cache->bytes > PST_TOKEN_CACHE_BYTES - len) {
        drop(cache, &cache->sets[cache->oldest / WAYS][cache->oldest % WAYS]);
        cache->oldest = (cache->oldest + 1) % PST_TOKEN_CACHE_ENTRIES;
    }
}

size_t pst_token_cache_bytes(const struct pst_token_cache *cache)
{
    return cache->bytes;
}

void pst_token_cache_put(struct pst_token_cache *cache, struct pst_str token,
                         const struct pst_token_verdict *verdict)
{
    uint64_t tag = tag_of(cache, token);
    struct entry *entry = find(cache, token, tag);
    if (entry) {
        entry->verdict = *verdict;
        return;
    }
    char *copy = token.len <= PST_TOKEN_CACHE_BYTES ? malloc(token.len) : NULL;
    if (!copy)
        return;
    memcpy(copy, token.p, token.len);
    entry = make_room(cache, tag);
    make_bytes(cache, token.len);
    cache->bytes += token.len;
    *entry = (struct entry){.token = copy, .len = token.len, .tag = tag, .verdict = *verdict};
}
