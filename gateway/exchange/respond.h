/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that makes responses: the container's, refusals, those of Postern's own, the 101 of an
 * upgrade. */
#ifndef POSTERN_EXCHANGE_RESPOND_H
#define POSTERN_EXCHANGE_RESPOND_H

#include "exchange.h"

/* How far the container's response got. */
enum respond_result {
    RESPOND_GOES_ON, /* the rest comes with events */
    RESPOND_WHOLE,   /* state RESPONDED */
    RESPOND_FAILED,  /* *ret_error says why; nothing, or not all of it, was sent */
};

/* The container's response, whose head is there. */
enum respond_result respond_container(struct exchange *x, int *ret_error) PST_MUSTCHECK;
/* Moves on with its body. */
enum respond_result respond_pump(struct exchange *x, int *ret_error) PST_MUSTCHECK;
/* A refusal: state RESPONDED, or DEAD when not even that could be sent. */
void respond_error(struct exchange *x, enum pst_error_id id, struct pst_str detail, uint8_t end);
/* A response of Postern's own, the same; `type` empty: it has no body. */
void respond_own(struct exchange *x, uint16_t status, struct pst_str type, struct pst_str body);
/* The 101; `answer` NULL: there is no container. NULL when it cannot be sent. */
const struct pst_bytes_ops *respond_upgrade(struct exchange *x,
                                            const struct pst_answer *answer) PST_MUSTCHECK;
/* A refusal of what became no exchange. Returns the bytes of its body. */
uint64_t respond_without_exchange(struct pst_exchanges *all, struct pst_stream *stream, enum pst_error_id id,
                                  struct pst_str detail, struct pst_str request_id);

#endif
