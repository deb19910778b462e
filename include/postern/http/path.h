/* SPDX-License-Identifier: Apache-2.0 */
/* How a request's path is read: the one place that decides it, for routes, scopes, open paths, jobs and the
 * paths that Postern answers itself. The path goes on to the container byte for byte, and whatever stands
 * there may read it more leniently than RFC 3986 does: cut off ";parameters" (Tomcat, Jetty), decode twice,
 * take '\' for '/', merge slashes, resolve dot segments, ignore case. So a rule is applied only to a path
 * that all of them read alike (pst_path_is_plain()); what to do with another is the rule's to say. Pure
 * functions, any thread. */
#ifndef POSTERN_HTTP_PATH_H
#define POSTERN_HTTP_PATH_H

#include "postern/base/str.h"

#include <stdbool.h>

/* Takes one byte off the path, which is not empty, %-decoded; `ret_escaped` says whether it was an escape. */
unsigned char pst_path_take(struct pst_str *path, bool *ret_escaped);

/* Whether everybody reads the path alike. It begins with '/', and has
 * - no empty and no dot segments, also with their dots escaped;
 * - no ';' and no '\', as they are or escaped;
 * - no other delimiter escaped (%2F, %3F, %23; a path has no '?' and '#' as they are), and no escaped '%'
 * (%25), which a second decoding would turn into something else;
 * - no control characters;
 * - outside ASCII only valid UTF-8 (no overlong '.' or '/'), and none of the four characters whose other case
 *   is an ASCII letter. */
bool pst_path_is_plain(struct pst_str path);

/* Whether decoding the path once more would change it: a '%' in it is escaped. */
bool pst_path_decodes_twice(struct pst_str path);

/* The two ways to hold a plain path against a prefix, which has no '/' at its end ("" is everything). Both
 * end at a segment's end: "/a" has "/a" and "/a/b", but not "/ab".
 *
 * For what a rule permits (scopes, open paths): only in the rule's own spelling, byte for byte. */
bool pst_path_is_spelled_below(struct pst_str path, struct pst_str prefix);
/* For what a rule demands (routes): however it is spelled, %-escapes decoded and letters without case. */
bool pst_path_reads_below(struct pst_str path, struct pst_str prefix);
/* Whether the path is plain and reads as `whole`, %-escapes decoded and letters without case. */
bool pst_path_reads_as(struct pst_str path, struct pst_str whole);

#endif
