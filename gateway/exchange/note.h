/* SPDX-License-Identifier: Apache-2.0 */
/* What is noted of exchanges: a usage record each, in the worker's journal. */
#ifndef POSTERN_EXCHANGE_NOTE_H
#define POSTERN_EXCHANGE_NOTE_H

#include "exchange.h"

/* Gives the journal the names that records will have. Before the first request; 0 or -PST_ENOMEM. */
int note_names_init(struct pst_exchanges *all) PST_MUSTCHECK;
void note_names_done(struct pst_exchanges *all);
/* How the exchange ends, and why; PST_ERROR_NONE where the catalogue has no word for it. */
void note_end(struct exchange *x, enum pst_error_id error, uint8_t end);
void note_exchange(struct exchange *x);
/* For what was refused before there was a request target. */
void note_refusal(struct pst_exchanges *all, const struct pst_peer *peer, enum pst_error_id id,
                  struct pst_str request_id, uint64_t body_bytes);
uint8_t note_end_of_error(enum pst_error_id id);
/* One that was made with note_prepare(). */
void note_append(struct pst_exchanges *all, const struct pst_usage_record *record);
/* What all records of a stream have in common. */
void note_prepare(struct exchange *x, struct pst_usage_record *record);

#endif
