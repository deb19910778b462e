/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations: SQL from db/, embedded at build time. The n-th takes a file from schema version n-1 to n
 * (PRAGMA user_version). */
#ifndef POSTERN_DB_MIGRATE_H
#define POSTERN_DB_MIGRATE_H

#include "postern/base/err.h"

#include <stdbool.h>

struct pst_db;

/* Each ends with NULL. */
extern const char *const pst_db_migrations_keys[];
extern const char *const pst_db_migrations_usage[];

/* Checks that the file is ours and not newer than we are: 0, -PST_EDB, -PST_EVERSION. An empty file passes;
 * so does an older one. Writes *ret_current (whether the schema is the newest). */
int pst_db_migrate_check(struct pst_db *db, bool *ret_current) PST_MUSTCHECK;
/* Runs what is missing, in one transaction. Two processes may do it at the same time. */
int pst_db_migrate(struct pst_db *db) PST_MUSTCHECK;

#endif
