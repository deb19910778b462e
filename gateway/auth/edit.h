/* SPDX-License-Identifier: Apache-2.0 */
/* Making the next snapshot out of the one in force. An edit opens the shards it touches as growable arrays;
 * finishing packs each into one block and leaves all others shared. Nothing that readers may see is written
 * to, and an edit that is dropped half-way has changed nothing. The keeper's thread only. */
#ifndef POSTERN_AUTH_EDIT_H
#define POSTERN_AUTH_EDIT_H

#include "postern/base/err.h"
#include "snapshot.h"

#include <stddef.h>

struct pst_edit;

/* What a new snapshot replaced: to be freed when no reader can see it any more. */
struct pst_retired {
    struct pst_retired *next;
    uint64_t epoch; /* the first epoch that cannot see it */
    size_t n;
    size_t cap;
    void **at;
};

/* A key with everything that finds it; `entry.old_at` and the OLD flags are not read. */
struct pst_edit_key {
    struct pst_key_entry entry;
    struct pst_old_secret olds[2];
    unsigned n_olds;
    const uint8_t *policy; /* compiled, copied by the edit; the POLICY flag is not read */
    uint32_t policy_len;   /* 0: none */
};

/* Starts from `base` (not written to); NULL without memory. With `anew`, from nothing: then all of `base` is
 * replaced. */
struct pst_edit *pst_edit_new(const struct pst_snapshot *base, bool anew) PST_MUSTCHECK;
void pst_edit_drop(struct pst_edit *edit);
/* Adds the key, or replaces the one of this id. 0, -PST_ENOMEM, or -PST_ELIMIT (65,535 keys in one shard:
 * over two hundred million in all). */
int pst_edit_put(struct pst_edit *edit, const struct pst_edit_key *key) PST_MUSTCHECK;
/* Adds a key that is known not to be there. */
int pst_edit_add(struct pst_edit *edit, const struct pst_edit_key *key) PST_MUSTCHECK;
/* Taking out what is not there is fine. */
int pst_edit_remove(struct pst_edit *edit, uint64_t id) PST_MUSTCHECK;
/* The new snapshot's approvals of client certificates, taken over; NULL: none. Else they are the base's. */
void pst_edit_set_approvals(struct pst_edit *edit, struct pst_approvals *approvals);
/* Packs it: 0 and the edit is gone, or -PST_ENOMEM and it can only be dropped. `ret_retired` holds `base`
 * itself and the shards of it that are not in the new one. */
int pst_edit_finish(struct pst_edit *edit, struct pst_snapshot **ret,
                    struct pst_retired **ret_retired) PST_MUSTCHECK;
/* Frees what was retired, and the record of it. */
void pst_retired_free(struct pst_retired *retired);

#endif
