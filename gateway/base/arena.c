/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

struct pst_arena_block {
    struct pst_arena_block *next;
    size_t cap;
    size_t used;
    alignas(max_align_t) char data[];
};

void pst_arena_init(struct pst_arena *arena, size_t block_bytes, size_t max_bytes)
{
    *arena = (struct pst_arena){.block_bytes = block_bytes, .max = max_bytes};
}

static void free_blocks(struct pst_arena_block *block)
{
    while (block != NULL) {
        struct pst_arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void pst_arena_done(struct pst_arena *arena)
{
    free_blocks(arena->first);
    pst_arena_init(arena, arena->block_bytes, arena->max);
}

void pst_arena_reset(struct pst_arena *arena)
{
    if (arena->first != NULL) {
        free_blocks(arena->first->next);
        arena->first->next = NULL;
        arena->first->used = 0;
    }
    arena->current = arena->first;
    arena->used = 0;
}

static struct pst_arena_block *add_block(struct pst_arena *arena, size_t bytes)
{
    size_t cap = bytes > arena->block_bytes ? bytes : arena->block_bytes;
    if (cap > SIZE_MAX - sizeof(struct pst_arena_block))
        return NULL;
    struct pst_arena_block *block = malloc(sizeof(*block) + cap);
    if (block == NULL)
        return NULL;
    *block = (struct pst_arena_block){.cap = cap};
    if (arena->current != NULL)
        arena->current->next = block;
    else
        arena->first = block;
    arena->current = block;
    return block;
}

void *pst_arena_alloc(struct pst_arena *arena, size_t bytes)
{
    if (bytes > arena->max || bytes > SIZE_MAX - alignof(max_align_t))
        return NULL;
    size_t need = (bytes + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    if (need > arena->max || arena->used > arena->max - need)
        return NULL;
    struct pst_arena_block *block = arena->current;
    if (block == NULL || block->cap - block->used < need)
        block = add_block(arena, need);
    if (block == NULL)
        return NULL;
    void *memory = block->data + block->used;
    block->used += need;
    arena->used += need;
    return memory;
}

void *pst_arena_zalloc(struct pst_arena *arena, size_t bytes)
{
    void *memory = pst_arena_alloc(arena, bytes);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

struct pst_str pst_arena_strdup(struct pst_arena *arena, struct pst_str s)
{
    char *copy = pst_arena_alloc(arena, s.len + 1);
    if (copy == NULL)
        return (struct pst_str){NULL, 0};
    if (s.len > 0)
        memcpy(copy, s.p, s.len);
    copy[s.len] = '\0';
    return (struct pst_str){copy, s.len};
}
