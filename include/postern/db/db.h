/* SPDX-License-Identifier: Apache-2.0 */
/* What the two stores have in common. SQLite is used in this layer and nowhere else.
 *
 * Keys and usage are two files in data_dir, keys.db and usage.db (mode 0600, write-ahead log), so that a full
 * or damaged usage log never touches the keys. Each is made, and brought up to the schema of this version, by
 * whoever opens it first for writing; a file of a newer version is refused (-PST_EVERSION) and left alone.
 *
 * A store object belongs to one thread at a time. Several processes may have the same files open: writers
 * wait for each other (at most PST_DB_BUSY_MS), readers never wait. */
#ifndef POSTERN_DB_DB_H
#define POSTERN_DB_DB_H

#include "postern/base/err.h"

/* How long an operation waits for another process that is writing, before it fails with -PST_EBUSY. A key
 * import of some 100,000 rows takes about a second. */
#define PST_DB_BUSY_MS 5000

enum pst_db_mode {
    PST_DB_READ,  /* never makes or changes the file; -PST_ENOENT when it is not there */
    PST_DB_WRITE, /* makes the file and runs migrations */
};

/* A sentence for people: which file, what SQLite or the system said. Never holds a key or a digest. */
struct pst_db_why {
    char text[1024];
};

/* "3.40.1": the SQLite library in use. Static. */
const char *pst_db_library_version(void);

#endif
