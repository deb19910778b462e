/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of version 1: what a binary from before this one left behind is drained, not lost. Their records had
 * no error, rule, endpoint and attempts. */
#include "journal_private.h"

#include <string.h>

struct record_v1 {
    int64_t time_us;
    uint64_t duration_us, ttfb_us, bytes_in, bytes_out;
    uint16_t status, client_port;
    uint8_t method, secret_slot, end, tls, http, flags, request_id_len, path_len;
    uint32_t check;
    uint8_t client[16];
    char key_id[24];
    char request_id[64];
    char path[160];
};
_Static_assert(sizeof(struct record_v1) == JOURNAL_V1_RECORD_BYTES, "version 1's records had this size");

#define WORDS    (sizeof(struct record_v1) / 8)
#define LANES    4
#define CHECK_AT (offsetof(struct record_v1, check) / 8)

static uint32_t check_of(const struct record_v1 *record, uint64_t n, const uint8_t *uuid)
{
    uint64_t lanes[LANES];
    memcpy(lanes, uuid, PST_JOURNAL_UUID_BYTES);
    lanes[2] = n * UINT64_C(0x9E3779B97F4A7C15);
    lanes[3] = ~n;
    struct record_v1 unchecked = *record;
    unchecked.check = 0;
    for (size_t i = 0; i < WORDS; i++) {
        uint64_t word;
        memcpy(&word, (const char *)&unchecked + i * sizeof(word), sizeof(word));
        uint64_t *lane = &lanes[i % LANES];
        *lane = (*lane ^ word) * UINT64_C(0xFF51AFD7ED558CCD) + (*lane >> 29);
    }
    uint64_t hash = 0;
    for (size_t i = 0; i < LANES; i++)
        hash = (hash ^ lanes[i]) * UINT64_C(0xC4CEB9FE1A85EC53) + (hash >> 31);
    return (uint32_t)(hash >> 32);
}

bool journal_v1_read(const char *place, uint64_t n, const uint8_t *uuid, struct pst_usage_record *ret)
{
    struct record_v1 old;
    memcpy(&old, place, sizeof(old));
    /* Lengths are bounded before the check, as version 1 did. */
    old.path_len = old.path_len < sizeof(old.path) ? old.path_len : sizeof(old.path);
    old.request_id_len =
        old.request_id_len < sizeof(old.request_id) ? old.request_id_len : sizeof(old.request_id);
    if (old.check != check_of(&old, n, uuid))
        return false;
    old.key_id[sizeof(old.key_id) - 1] = '\0';
    *ret = (struct pst_usage_record){
        .time_us = old.time_us,
        .duration_us = old.duration_us,
        .ttfb_us = old.ttfb_us,
        .bytes_in = old.bytes_in,
        .bytes_out = old.bytes_out,
        .status = old.status,
        .client_port = old.client_port,
        .method = old.method,
        .secret_slot = old.secret_slot,
        .end = old.end,
        .tls = old.tls,
        .http = old.http,
        .flags = old.flags,
    };
    memcpy(ret->client, old.client, sizeof(ret->client));
    pst_usage_set_key_id(ret, pst_str_of(old.key_id));
    pst_usage_set_request_id(ret, (struct pst_str){old.request_id, old.request_id_len});
    memcpy(ret->path, old.path, old.path_len);
    ret->path_len = old.path_len;
    return true;
}
