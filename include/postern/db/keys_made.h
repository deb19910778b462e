/* SPDX-License-Identifier: Apache-2.0 */
/* Whether keys.db is where it was. A keys.db that is missing or empty is made anew, which is right at the
 * first start and would be a silent loss of all keys later. So when there are keys, that is written down
 * beside them (keys.made), and a keys.db that is missing or has never had one while that file is there is not
 * replaced. Any thread. */
#ifndef POSTERN_DB_KEYS_MADE_H
#define POSTERN_DB_KEYS_MADE_H

#include "postern/base/access.h"
#include "postern/base/err.h"

#include <stdbool.h>

#define PST_KEYS_MADE_FILE "keys.made"

enum pst_keys_found {
    PST_KEYS_THERE,  /* a database, of whatever content */
    PST_KEYS_NEW,    /* none, and nothing says that there was one */
    PST_KEYS_ANEW,   /* none, but a pepper: from a secret store with a fresh volume, or what is left of a loss
                      */
    PST_KEYS_MISSED, /* none, and there were keys */
};

/* Looks, and changes nothing. For the last two `ret_why` says what was found and what to do. */
enum pst_keys_found pst_keys_look(const char *data_dir, struct pst_access_why *ret_why);
/* Of a database without a trace of a secret: whether there were keys in this directory (true: with
 * `ret_why`). */
bool pst_keys_were_made(const char *data_dir, struct pst_access_why *ret_why);
/* Writes down that there are keys. Costs an lstat() when that is written down already; a failure is logged.
 */
void pst_keys_note_made(const char *data_dir);

#endif
