/* SPDX-License-Identifier: Apache-2.0 */
/* A data directory for a test, and keys in it. */
#ifndef POSTERN_TESTS_AUTH_RIG_H
#define POSTERN_TESTS_AUTH_RIG_H

#include "postern/auth/keys.h"

struct rig {
    char dir[256]; /* an empty one, mode 0700 */
};

/* Makes the directory; rig_done() removes it with what is in it. Both fail the test when they cannot. */
void rig_init(struct rig *rig);
void rig_done(struct rig *rig);
/* "<dir>/<name>"; one at a time, valid until the next call. */
const char *rig_path(const struct rig *rig, const char *name);
void rig_write(const struct rig *rig, const char *name, const void *data, size_t len, unsigned mode);
/* Runs SQL on a database of the directory, past all of our code. */
void rig_sql(const struct rig *rig, const char *file, const char *sql);

/* The keys service on the directory, which is made ready. */
struct pst_keys *rig_keys(const struct rig *rig);
/* A key with this name and nothing else. */
struct pst_key_made rig_make(struct pst_keys *keys, const char *name);
/* A key of imported secrets; the second may be NULL. */
struct pst_key_made rig_import(struct pst_keys *keys, const char *name, const char *first,
                               const char *second);
struct pst_secret rig_rotate(struct pst_keys *keys, const char *id, int slot, int64_t grace_us);

#endif
