/* SPDX-License-Identifier: Apache-2.0 */
#include "approvals.h"

#include "postern/auth/key_format.h"
#include "postern/db/client_certificates.h"

#include <stdlib.h>
#include <string.h>

struct loading {
    struct pst_approvals *block;
    size_t cap;
};

static int grow(struct loading *loading)
{
    size_t cap = loading->cap > 0 ? 2 * loading->cap : 64;
    struct pst_approvals *block = realloc(loading->block, sizeof(*block) + cap * sizeof(block->at[0]));
    if (block == NULL)
        return -PST_ENOMEM;
    if (loading->block == NULL)
        *block = (struct pst_approvals){0};
    loading->block = block;
    loading->cap = cap;
    return 0;
}

static int add(const struct pst_client_certificate_row *row, void *arg)
{
    struct loading *loading = arg;
    size_t n = loading->block != NULL ? loading->block->n : 0;
    struct pst_str id = pst_str_of(row->key_id);
    int err = n == loading->cap ? grow(loading) : 0;
    if (err < 0)
        return err;
    struct pst_approval *approval = &loading->block->at[n];
    *approval = (struct pst_approval){
        .key = pst_key_is_id(id) ? pst_key_id_number(id) : UINT64_MAX,
        .of_key = row->of_key,
        .revoked = row->revoked_us != 0,
    };
    memcpy(approval->digest, row->digest, sizeof(approval->digest));
    loading->block->n++;
    return 0;
}

int pst_approvals_load(struct pst_keys_store *store, struct pst_approvals **ret)
{
    struct loading loading = {0};
    int64_t seq = 0;
    /* First: a change between the two is read again the next time. */
    int err = pst_client_certificates_seq(store, &seq);
    if (err == 0)
        err = pst_client_certificates_list(store, add, &loading);
    if (err < 0) {
        free(loading.block);
        return err;
    }
    if (loading.block != NULL)
        loading.block->seq = seq;
    *ret = loading.block;
    return 0;
}

static int compare(const void *key, const void *member)
{
    return memcmp(key, ((const struct pst_approval *)member)->digest, 32);
}

const struct pst_approval *pst_approvals_find(const struct pst_approvals *approvals,
                                              const uint8_t digest[static 32], bool of_key)
{
    if (approvals == NULL)
        return NULL;
    const struct pst_approval *found =
        bsearch(digest, approvals->at, approvals->n, sizeof(approvals->at[0]), compare);
    return found != NULL && found->of_key == of_key ? found : NULL;
}
