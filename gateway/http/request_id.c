/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/request_id.h"

#include "postern/base/num.h"

#include "names.h"

#include <sys/random.h>

int pst_request_ids_init(struct pst_request_ids *ids)
{
    /* 32 bytes are read whole once the kernel's generator is seeded (getrandom(2)). */
    if (getrandom(ids->state, sizeof(ids->state), 0) != (ssize_t)sizeof(ids->state))
        return -PST_EIO;
    /* The one state the generator cannot leave. */
    if ((ids->state[0] | ids->state[1] | ids->state[2] | ids->state[3]) == 0)
        ids->state[0] = 1;
    return 0;
}

static uint64_t rotate_left(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static uint64_t next_u64(uint64_t s[static 4])
{
    uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

bool pst_request_id_is_valid(struct pst_str s)
{
    return s.len > 0 && s.len <= PST_REQUEST_ID_MAX && http_all(s, HTTP_REQUEST_ID);
}

struct pst_str pst_request_id_take(struct pst_request_ids *ids, const struct pst_fields *fields,
                                   char id[static PST_REQUEST_ID_SIZE])
{
    const struct pst_field *own = pst_fields_find(fields, PST_STR("x-request-id"));
    if (own != NULL && pst_request_id_is_valid(own->value) &&
        pst_fields_next(fields, PST_STR("x-request-id"), own) == NULL)
        return (struct pst_str){id, pst_str_clip(own->value, id, PST_REQUEST_ID_SIZE)};
    uint64_t random[2] = {next_u64(ids->state), next_u64(ids->state)};
    pst_hex_encode((const uint8_t *)random, sizeof(random), id);
    return (struct pst_str){id, 2 * sizeof(random)};
}
