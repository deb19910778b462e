/* SPDX-License-Identifier: Apache-2.0 */
/* The access log: one line per finished request, written by the keeper from the drained records.
 *
 *   json  {"time":"2026-11-23T16:04:53.123Z","request_id":"…","client":"192.0.2.7","key_id":"…",
 *          "secret":"key1","method":"POST","path":"/text/analytics","status":200,"bytes_in":14,
 *          "bytes_out":512,"duration_ms":3.214,"ttfb_ms":3.101,"end":"ok","error":null,
 *          "rule":null,"endpoint":"127.0.0.1:5000","attempts":1,"tls":"TLSv1.3"}
 *   text  client - key_id [time] "METHOD path HTTP/1.1" status bytes_out request_id secret duration_ms end
 *        error endpoint
 *
 * What is not known (no key, no response) is null, or "-". Neither a key nor a query string is ever in it;
 * control bytes are escaped and bytes that are not UTF-8 become U+FFFD, so a line is a line.
 *
 * A reader that stalls or goes away must not hold up counting: the buffer is bounded (1 MiB), waiting for a
 * stalled reader is bounded (about a second until it has caught up again), and then lines are dropped and
 * counted. SIGPIPE must be ignored in the process.
 *
 * A journal notes up to which record its lines are out, after each write. A process that is killed between a
 * write and the note would write those lines again: for a pipe at most the 4 KiB of one write (whole lines,
 * never a torn one); for a regular file that nobody else writes to, none: the journal has said before the
 * write where the lines would be, and the next start looks. The keeper's thread only. */
#ifndef POSTERN_USAGE_ACCESS_LOG_H
#define POSTERN_USAGE_ACCESS_LOG_H

#include "postern/base/err.h"
#include "postern/usage/record.h"

#include <stdint.h>

enum pst_access_format { PST_ACCESS_OFF, PST_ACCESS_JSON, PST_ACCESS_TEXT };

struct pst_access_log;
struct pst_journal;

/* `fd` is borrowed and left in the mode it is in (it may be shared with others). 0 or -PST_ENOMEM. */
int pst_access_log_new(int fd, enum pst_access_format format, struct pst_access_log **ret) PST_MUSTCHECK;
/* Tries once more to write what is buffered. NULL is fine. */
void pst_access_log_free(struct pst_access_log *log);
/* Adds the line of the journal's record number `n`; writes when enough have come together. Nothing to do for
 * the caller when a line is dropped. */
void pst_access_log_add(struct pst_access_log *log, struct pst_journal *journal, uint64_t n,
                        const struct pst_usage_record *record, const struct pst_usage_names *names);
/* The journal goes: its lines stay in the buffer, and nothing is noted in it any more. */
void pst_access_log_forget(struct pst_access_log *log, const struct pst_journal *journal);
/* Before the first line: which lines of a journal that a killed process left are in the file already, and the
 * rest of a line that is there in part. Returns up to which record nothing is to be added any more: the
 * journal's place, for what is no file. */
uint64_t pst_access_log_recover(struct pst_access_log *log, struct pst_journal *journal);
/* Writes what is buffered. */
void pst_access_log_flush(struct pst_access_log *log);
/* Lines dropped so far. */
uint64_t pst_access_log_dropped(const struct pst_access_log *log);

#endif
