/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a request's path as the container behind may read it. Pure functions, any thread. */
#ifndef POSTERN_HTTP_PATH_H
#define POSTERN_HTTP_PATH_H

#include "postern/base/str.h"

#include <stdbool.h>

/* Takes one byte off the path, which is not empty, %-decoded; `ret_escaped` says whether it was an escape. */
unsigned char pst_path_take(struct pst_str *path, bool *ret_escaped);
/* Whether everybody reads the path alike: no empty or dot segments, backslashes, %2F, %5C, encoded dots or
 * NULs. Only of such a path can it be said below which prefix it is. */
bool pst_path_is_plain(struct pst_str path);

#endif
