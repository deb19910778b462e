/* SPDX-License-Identifier: Apache-2.0 */
/* A line of the access log. The keeper's thread. */
#ifndef POSTERN_USAGE_ACCESS_LINE_H
#define POSTERN_USAGE_ACCESS_LINE_H

#include "postern/base/buf.h"
#include "postern/base/clock.h"
#include "postern/usage/access_log.h"
#include "postern/usage/journal.h"

struct access_line {
    struct pst_buf *buf; /* takes the lines */
    int64_t second;      /* whose text is kept below: a busy second has thousands of lines; -1: none */
    char second_text[PST_TIME_TEXT_SIZE];
};

/* The longest line: every byte of the path, the id and the names escaped, and the rest. The shortest is
 * longer than ACCESS_LINE_MIN. */
#define ACCESS_LINE_MAX                                                                                      \
    ((PST_USAGE_PATH_SIZE + PST_USAGE_REQUEST_ID_SIZE + PST_USAGE_KEY_ID_SIZE + 3 * PST_JOURNAL_NAME_MAX) *  \
         6 +                                                                                                 \
     512)
#define ACCESS_LINE_MIN 64

/* The same line for the same record, at any time. */
void access_line_add(struct access_line *line, enum pst_access_format format,
                     const struct pst_usage_record *record, const struct pst_usage_names *names);

#endif
