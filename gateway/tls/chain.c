/* SPDX-License-Identifier: Apache-2.0 */
/* A server's chain: read in whatever order the file has it, and put into the order in which it is sent. */
#include "bundle_private.h"
#include "certificate.h"

#include <mbedtls/platform.h>
#include <stdio.h>
#include <stdlib.h>

/* Chains have two to four, and some alternatives. */
#define CHAIN_MAX 64

struct link {
    struct pst_buf der;
    size_t line;
    struct tls_outline outline;
    bool is_read; /* by mbedTLS, into `crt` */
    bool is_sent; /* it has its place in the order */
    int problem;  /* mbedTLS's, when not */
    mbedtls_x509_crt crt;
};

struct chain {
    const char *path;
    struct pst_tls_why *why;
    struct link at[CHAIN_MAX];
    size_t n;
    size_t order[CHAIN_MAX];
    size_t n_order;
};

static int fail(struct chain *chain, int err, const char *what)
{
    snprintf(chain->why->text, sizeof(chain->why->text), "%s%s%s", chain->path,
             err == -PST_ENOMEM ? ": " : " ", what);
    return err;
}

static bool is_known(const struct chain *chain, struct pst_str der)
{
    for (size_t i = 0; i < chain->n; i++) {
        if (pst_str_eq(pst_buf_str(&chain->at[i].der), der))
            return true;
    }
    return false;
}

/* A certificate that is there twice counts once. */
static int add_link(struct chain *chain, const struct tls_pem_block *block)
{
    struct pst_buf der;
    int err = tls_certificate_decode(chain->path, block, &der, chain->why);
    if (err < 0)
        return err;
    struct pst_str content = pst_buf_str(&der);
    struct link *link = &chain->at[chain->n];
    if (is_known(chain, content) || chain->n == CHAIN_MAX) {
        err = chain->n == CHAIN_MAX ? fail(chain, -PST_ELIMIT, "holds more than 64 certificates") : 0;
        pst_buf_done(&der);
        return err;
    }
    if (tls_outline_read(content, &link->outline) < 0) {
        snprintf(chain->why->text, sizeof(chain->why->text), "%s: what line %zu calls a certificate is none",
                 chain->path, block->line);
        pst_buf_done(&der);
        return -PST_EPARSE;
    }
    link->der = der;
    link->line = block->line;
    mbedtls_x509_crt_init(&link->crt);
    link->problem =
        mbedtls_x509_crt_parse_der_nocopy(&link->crt, (const unsigned char *)content.p, content.len);
    link->is_read = link->problem == 0;
    chain->n++;
    return link->problem == MBEDTLS_ERR_X509_ALLOC_FAILED ? fail(chain, -PST_ENOMEM, "out of memory") : 0;
}

static int add_links(struct chain *chain, struct pst_str text)
{
    struct tls_pem_reader reader = {.rest = text};
    struct tls_pem_block block;
    char what[256];
    int err = 0;
    while (err == 0 && tls_pem_next(&reader, &block)) {
        if (tls_pem_is_certificate(&block))
            err = add_link(chain, &block);
    }
    if (err < 0 || chain->n > 0)
        return err;
    tls_pem_describe(text, "certificate", what, sizeof(what));
    return fail(chain, -PST_EPARSE, what);
}

/* Order */

/* Whether `parent` can have signed `child`: by the names and, where both have them, the key identifiers (RFC
 * 5280 section 4.2.1.1), which tell CAs apart that kept their name when they changed their key. */
static bool certifies(const struct link *parent, const struct link *child)
{
    if (parent == child || !pst_str_eq(parent->outline.subject, child->outline.issuer))
        return false;
    const mbedtls_x509_buf *own = &parent->crt.subject_key_id;
    const mbedtls_x509_buf *named = &child->crt.authority_key_id.keyIdentifier;
    if (!parent->is_read || !child->is_read || own->len == 0 || named->len == 0)
        return true;
    return own->len == named->len && memcmp(own->p, named->p, own->len) == 0;
}

static void place(struct chain *chain, size_t i)
{
    chain->at[i].is_sent = true;
    chain->order[chain->n_order++] = i;
}

/* The first that is not placed and certifies `child`; or n. A root that signed itself comes after one that
 * another root signed: whoever trusts the first has it, and clients that meet it first look no further. */
static size_t find_parent(const struct chain *chain, const struct link *child)
{
    size_t root = chain->n;
    for (size_t i = 0; i < chain->n; i++) {
        const struct link *link = &chain->at[i];
        if (link->is_sent || !certifies(link, child))
            continue;
        if (!pst_str_eq(link->outline.subject, link->outline.issuer))
            return i;
        root = root == chain->n ? i : root;
    }
    return root;
}

/* The server's own, one way up, and then whatever else certifies one of those that are placed. */
static void put_in_order(struct chain *chain, size_t own)
{
    for (size_t i = own; i < chain->n; i = find_parent(chain, &chain->at[i]))
        place(chain, i);
    for (size_t i = 0; i < chain->n_order; i++) {
        const struct link *child = &chain->at[chain->order[i]];
        for (size_t parent = find_parent(chain, child); parent < chain->n; parent = find_parent(chain, child))
            place(chain, parent);
    }
}

/* The server's own */

static bool is_in_time(const struct link *link)
{
    return !mbedtls_x509_time_is_past(&link->crt.valid_to) &&
           !mbedtls_x509_time_is_future(&link->crt.valid_from);
}

/* Of a certificate and the one that replaced it with the same key, the one that is valid now. */
static size_t find_own_by_key(const struct chain *chain, const mbedtls_pk_context *key)
{
    size_t found = chain->n;
    for (size_t i = 0; i < chain->n; i++) {
        const struct link *link = &chain->at[i];
        if (!link->is_read || mbedtls_pk_check_pair(&link->crt.pk, key, tls_key_random, NULL) != 0)
            continue;
        if (found == chain->n || (!is_in_time(&chain->at[found]) && is_in_time(link)))
            found = i;
    }
    return found;
}

static bool certifies_any(const struct chain *chain, const struct link *parent)
{
    for (size_t i = 0; i < chain->n; i++) {
        if (certifies(parent, &chain->at[i]))
            return true;
    }
    return false;
}

static size_t find_end(const struct chain *chain, bool may_be_ca)
{
    for (size_t i = 0; i < chain->n; i++) {
        const struct link *link = &chain->at[i];
        if (link->is_read && !certifies_any(chain, link) &&
            (may_be_ca || mbedtls_x509_crt_get_ca_istrue(&link->crt) != 1))
            return i;
    }
    return chain->n;
}

static size_t find_own_by_place(const struct chain *chain)
{
    size_t found = find_end(chain, false);
    if (found == chain->n)
        found = find_end(chain, true);
    return found < chain->n || !chain->at[0].is_read ? found : 0;
}

static const struct link *first_unread(const struct chain *chain)
{
    for (size_t i = 0; i < chain->n; i++) {
        if (!chain->at[i].is_read)
            return &chain->at[i];
    }
    return NULL;
}

/* One that could not be read may have been the server's own. */
static int tell_no_own(struct chain *chain, bool has_key)
{
    const struct link *unread = first_unread(chain);
    char problem[192], name[80];
    if (unread == NULL)
        return fail(chain, -PST_EINVAL, "holds no certificate that the key belongs to");
    tls_outline_problem(&unread->outline, unread->problem, problem, sizeof(problem));
    tls_outline_name(&unread->outline, name, sizeof(name));
    snprintf(chain->why->text, sizeof(chain->why->text), "%s: the certificate in line %zu (%s) %s%s",
             chain->path, unread->line, name, problem,
             has_key && chain->n > 1 ? ", and the key belongs to no other in it" : "");
    return -PST_EINVAL;
}

/* The result */

static void leave_out_others(const struct chain *chain, struct tls_left_out *ret_left_out)
{
    *ret_left_out = (struct tls_left_out){.n = 0};
    for (size_t i = 0; i < chain->n; i++) {
        const struct link *link = &chain->at[i];
        if (!link->is_sent)
            tls_leave_out(ret_left_out, link->line, pst_buf_str(&link->der), "does not belong to the chain");
    }
}

/* Appends what mbedTLS sends and does not look at. The slices point into the node's own copy. */
static int append_unread(mbedtls_x509_crt *chain, const struct link *link)
{
    struct pst_str der = pst_buf_str(&link->der);
    mbedtls_x509_crt *node = mbedtls_calloc(1, sizeof(*node));
    unsigned char *copy = mbedtls_calloc(1, der.len);
    if (node == NULL || copy == NULL) {
        mbedtls_free(node);
        mbedtls_free(copy);
        return -PST_ENOMEM;
    }
    memcpy(copy, der.p, der.len);
    mbedtls_x509_crt_init(node);
    node->MBEDTLS_PRIVATE(own_buffer) = 1;
    node->raw = (mbedtls_x509_buf){.p = copy, .len = der.len};
    node->subject_raw =
        (mbedtls_x509_buf){.p = copy + (link->outline.subject.p - der.p), .len = link->outline.subject.len};
    node->issuer_raw =
        (mbedtls_x509_buf){.p = copy + (link->outline.issuer.p - der.p), .len = link->outline.issuer.len};
    while (chain->next != NULL)
        chain = chain->next;
    chain->next = node;
    return 0;
}

static int append(mbedtls_x509_crt *chain, const struct link *link)
{
    struct pst_str der = pst_buf_str(&link->der);
    if (!link->is_read)
        return append_unread(chain, link);
    return mbedtls_x509_crt_parse_der(chain, (const unsigned char *)der.p, der.len) == 0 ? 0 : -PST_ENOMEM;
}

static int build(struct chain *chain, mbedtls_x509_crt *ret_chain)
{
    for (size_t i = 0; i < chain->n_order; i++) {
        if (append(ret_chain, &chain->at[chain->order[i]]) < 0)
            return fail(chain, -PST_ENOMEM, "out of memory");
    }
    return 0;
}

static void chain_free(struct chain *chain)
{
    for (size_t i = 0; i < chain->n; i++) {
        mbedtls_x509_crt_free(&chain->at[i].crt);
        pst_buf_done(&chain->at[i].der);
    }
    free(chain);
}

int tls_chain_read(const char *path, struct pst_str text, const mbedtls_pk_context *key,
                   mbedtls_x509_crt *ret_chain, struct tls_left_out *ret_left_out,
                   struct pst_tls_why *ret_why)
{
    struct chain *chain = calloc(1, sizeof(*chain));
    if (chain == NULL) {
        snprintf(ret_why->text, sizeof(ret_why->text), "%s: out of memory", path);
        return -PST_ENOMEM;
    }
    chain->path = path;
    chain->why = ret_why;
    int err = add_links(chain, text);
    if (err == 0) {
        size_t own = key != NULL ? find_own_by_key(chain, key) : find_own_by_place(chain);
        if (own < chain->n)
            put_in_order(chain, own);
        err = own < chain->n ? build(chain, ret_chain) : tell_no_own(chain, key != NULL);
    }
    if (err == 0)
        leave_out_others(chain, ret_left_out);
    chain_free(chain);
    return err;
}
