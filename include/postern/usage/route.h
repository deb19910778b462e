/* SPDX-License-Identifier: Apache-2.0 */
/* Routes: paths with what is particular to one request taken out, so that sums stay few.
 *
 *     /formrecognizer/documentModels/prebuilt-read/analyzeResults/3f2a…-…  →  …/analyzeResults/{id}
 *
 * A segment becomes {id} when it is a GUID, 16 or more hex digits, 6 or more digits, 8 or more characters
 * with a digit in at least a third of them and no dot (tokens), or longer than 64 bytes. Bytes that are not
 * printable ASCII are written as %XX. How many routes a store knows is bounded, see ledger.h. Any thread. */
#ifndef POSTERN_USAGE_ROUTE_H
#define POSTERN_USAGE_ROUTE_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stddef.h>

#define PST_ROUTE_SIZE  256
#define PST_ROUTES_MAX  2048
#define PST_ROUTE_OTHER "(other)"
#define PST_ROUTE_ID    "{id}"

/* The template of `path` into `route`, terminated; returns its length. */
size_t pst_route_of(struct pst_str path, char route[static PST_ROUTE_SIZE]);

#endif
