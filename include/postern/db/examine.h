/* SPDX-License-Identifier: Apache-2.0 */
/* A look at one of the two database files without changing a byte of data_dir: no migration, no lock that
 * anybody waits for, no file made beside it. Any thread. */
#ifndef POSTERN_DB_EXAMINE_H
#define POSTERN_DB_EXAMINE_H

#include "postern/base/err.h"
#include "postern/db/db.h"
#include "postern/db/keys_store.h"

#include <stdbool.h>
#include <stdint.h>

struct pst_db_examination {
    uint64_t bytes;
    int64_t version; /* of its schema */
    int64_t newest;  /* the one this program brings it to */
    bool to_the_end; /* the time sufficed to look at all of it */
};

/* Opens data_dir/file (PST_KEYS_FILE or PST_USAGE_FILE) and runs SQLite's quick check until
 * `deadline_us` (pst_clock_mono_us()). 0; -PST_ENOENT (not there), -PST_EACCES, -PST_EVERSION (made by a
 * newer version), -PST_EDB (damaged, or not ours), ...; *ret_why says what. */
int pst_db_examine(const char *data_dir, const char *file, uint64_t deadline_us,
                   struct pst_db_examination *ret, struct pst_db_why *ret_why) PST_MUSTCHECK;
/* Opens data_dir/keys.db in the same way, for reading only; pst_keys_close() closes it. The errors are those
 * above; -PST_EVERSION also when the next start would bring it up to date (an older schema, a log left
 * behind). */
int pst_keys_open_unchanged(const char *data_dir, struct pst_keys_store **ret,
                            struct pst_db_why *ret_why) PST_MUSTCHECK;

#endif
