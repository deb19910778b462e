/* SPDX-License-Identifier: Apache-2.0 */
/* The frame around a change of the keys service: the change and its row in the audit trail, both or neither.
 *
 *     begin ── reads how the key is ──▶ the change ──▶ end ── reads how it is now, writes the row, commits
 *
 * Inside a transaction of the caller's nothing is committed, and after a failure the caller undoes all. */
#ifndef POSTERN_AUTH_CHANGE_H
#define POSTERN_AUTH_CHANGE_H

#include "postern/auth/audit.h"

#include <jansson.h>
#include <stdbool.h>

struct pst_change {
    struct pst_keys *keys;
    const char *action;
    bool own;       /* the transaction is ours */
    json_t *before; /* NULL: there is no such key */
};

/* `id` names a key, or is empty: then there is no `before`. */
int pst_change_begin(struct pst_change *change, struct pst_keys *keys, const char *action, struct pst_str id,
                     struct pst_why *why) PST_MUSTCHECK;
/* `err` is how the change went. `id` names the key it was about. */
int pst_change_end(struct pst_change *change, int err, struct pst_str id, struct pst_why *why);
/* The same for what is no key; `after` is taken over (NULL: out of memory). */
int pst_change_end_with(struct pst_change *change, int err, struct pst_str target, json_t *after,
                        struct pst_why *why);
/* It turned out that nothing changes: nothing is written. 0. */
int pst_change_drop(struct pst_change *change);

#endif
