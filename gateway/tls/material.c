/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/tls/material.h"

#include "certificate.h"
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"

#include <dirent.h>
#include <limits.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A chain with its intermediates is some 10 KiB. */
#define PEM_MAX_BYTES (256 * 1024)
#define MAX_PAIRS     256

/* A load under way: where problems go and whether there was one. */
struct loading {
    pst_tls_problem_cb *problem;
    void *arg;
    bool failed;
    size_t n_pairs;
    struct pst_tls_material *material;
    struct tls_pem_pair **tail;
};

static void PST_PRINTF(3, 4) report(struct loading *load, bool fails, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    load->failed |= fails;
    load->problem(load->arg, !fails, text);
}

static void pem_pair_free(struct tls_pem_pair *pair)
{
    if (pair == NULL)
        return;
    pst_buf_done(&pair->certificate);
    pst_buf_wipe(&pair->key);
    free(pair->certificate_path);
    free(pair->key_path);
    free(pair);
}

static int read_pem(struct loading *load, const char *path, struct pst_buf *ret_content)
{
    int err = pst_file_read(path, PEM_MAX_BYTES, ret_content);
    if (err < 0)
        report(load, true, "%s: cannot be read: %s", path, pst_strerror(err));
    return err;
}

/* Of these only the clients can say whether they mind. */
static void check_dates(struct loading *load, struct tls_pem_pair *pem, const mbedtls_x509_crt *crt)
{
    char text[1024];
    pem->not_before_us = tls_time_us(&crt->valid_from);
    pem->not_after_us = tls_time_us(&crt->valid_to);
    enum pst_tls_dates dates = pst_tls_dates_at(pem->not_before_us, pem->not_after_us, pst_clock_real_us());
    tls_dates_text(pem, dates, text, sizeof(text));
    if (dates != PST_TLS_DATES_GOOD)
        report(load, false, "%s", text);
}

static void set_fingerprint(struct pst_tls_material *material, const mbedtls_x509_crt *crt)
{
    unsigned char digest[32];
    if (mbedtls_sha256(crt->raw.p, crt->raw.len, digest, 0) != 0)
        return;
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(material->fingerprint + 3 * i, 4, "%02X%s", digest[i], i + 1 < sizeof(digest) ? ":" : "");
}

/* Parses what was read; a pair that fails is reported and left out. */
static void add_pair(struct loading *load, struct tls_pem_pair *pem)
{
    struct tls_pair *parsed = NULL;
    struct tls_left_out left_out;
    struct tls_pair_why why;
    char text[PST_TLS_LEFT_OUT_TEXT];
    if (tls_pair_parse(pem, &parsed, &left_out, &why) < 0) {
        if (why.certificate.text[0] != '\0')
            report(load, true, "%s", why.certificate.text);
        if (why.key.text[0] != '\0')
            report(load, true, "%s", why.key.text);
        pem_pair_free(pem);
        return;
    }
    tls_left_out_describe(pem->certificate_path, &left_out, text, sizeof(text));
    if (text[0] != '\0')
        report(load, false, "%s", text);
    check_dates(load, pem, &parsed->chain);
    if (load->n_pairs == 0)
        set_fingerprint(load->material, &parsed->chain);
    tls_pairs_free(parsed);
    load->n_pairs++;
    *load->tail = pem;
    load->tail = &pem->next;
}

static void load_pair(struct loading *load, const char *certificate_path, const char *key_path)
{
    if (load->n_pairs >= MAX_PAIRS) {
        report(load, true, "%s: more than %d certificates", certificate_path, MAX_PAIRS);
        return;
    }
    struct tls_pem_pair *pem = calloc(1, sizeof(*pem));
    if (pem == NULL) {
        report(load, true, "%s: out of memory", certificate_path);
        return;
    }
    pem->certificate_path = strdup(certificate_path);
    pem->key_path = strdup(key_path);
    int err = read_pem(load, certificate_path, &pem->certificate);
    int key_err = read_pem(load, key_path, &pem->key);
    if (err < 0 || key_err < 0 || pem->certificate_path == NULL || pem->key_path == NULL) {
        load->failed = true;
        pem_pair_free(pem);
        return;
    }
    add_pair(load, pem);
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void load_entry(struct loading *load, const char *dir, const char *name)
{
    char path[PATH_MAX], certificate[PATH_MAX + 16], key[PATH_MAX + 16];
    if (name[0] == '.') /* also Kubernetes' "..data": its files are linked beside it */
        return;
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
        return;
    if (is_directory(path)) {
        snprintf(certificate, sizeof(certificate), "%s/tls.crt", path);
        snprintf(key, sizeof(key), "%s/tls.key", path);
        load_pair(load, certificate, key);
        return;
    }
    struct pst_str stem = pst_str_of(path);
    if (!pst_str_ends(stem, PST_STR(".crt")))
        return;
    stem.len -= 4;
    snprintf(key, sizeof(key), PST_STR_FMT ".key", PST_STR_ARG(stem));
    load_pair(load, path, key);
}

static void load_directory(struct loading *load, const char *dir)
{
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, NULL, alphasort);
    if (n < 0) {
        report(load, true, "%s: the certificate directory cannot be read", dir);
        return;
    }
    size_t before = load->n_pairs;
    for (int i = 0; i < n; i++) {
        load_entry(load, dir, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (load->n_pairs == before && !load->failed)
        report(load, true,
               "%s contains no certificate; expected NAME.crt with NAME.key, or SUBDIR/tls.crt with "
               "SUBDIR/tls.key",
               dir);
}

static bool given(const char *s)
{
    return s != NULL && s[0] != '\0';
}

static void load_self_signed(struct loading *load, const char *data_dir, bool make)
{
    char certificate[PATH_MAX], key[PATH_MAX], problem[1024];
    tls_self_signed_paths(data_dir, certificate, key, sizeof(certificate));
    load->material->self_signed = true;
    if (make && tls_self_signed_ensure(data_dir, problem, sizeof(problem)) < 0) {
        report(load, true, "%s", problem);
        return;
    }
    load_pair(load, certificate, key);
}

static void load_all(struct loading *load, const struct pst_tls_files *files, bool make)
{
    if (given(files->certificate) != given(files->key)) {
        report(load, true, "tls_certificate and tls_key must be set together: %s is missing",
               given(files->key) ? "tls_certificate" : "tls_key");
        return;
    }
    if (given(files->certificate))
        load_pair(load, files->certificate, files->key);
    if (given(files->certificate_dir))
        load_directory(load, files->certificate_dir);
    if (!given(files->certificate) && !given(files->certificate_dir))
        load_self_signed(load, files->data_dir, make);
}

static int load(const struct pst_tls_files *files, bool make, pst_tls_problem_cb *problem, void *arg,
                struct pst_tls_material **ret_material)
{
    struct pst_tls_material *material = calloc(1, sizeof(*material));
    if (material == NULL)
        return -PST_ENOMEM;
    material->refs = 1;
    struct loading state = {.problem = problem, .arg = arg, .material = material, .tail = &material->pairs};
    load_all(&state, files, make);
    if (state.failed) {
        pst_tls_material_unref(material);
        return -PST_EINVAL;
    }
    *ret_material = material;
    return 0;
}

int pst_tls_material_load(const struct pst_tls_files *files, pst_tls_problem_cb *problem, void *arg,
                          struct pst_tls_material **ret_material)
{
    return load(files, true, problem, arg, ret_material);
}

int pst_tls_material_check(const struct pst_tls_files *files, pst_tls_problem_cb *problem, void *arg)
{
    /* The self-made certificate is no one's mistake: it is made at the next start. */
    if (!given(files->certificate) && !given(files->key) && !given(files->certificate_dir))
        return 0;
    struct pst_tls_material *material = NULL;
    int err = load(files, false, problem, arg, &material);
    if (err == 0)
        pst_tls_material_unref(material);
    return err;
}

struct pst_tls_material *pst_tls_material_ref(struct pst_tls_material *material)
{
    __atomic_add_fetch(&material->refs, 1, __ATOMIC_RELAXED);
    return material;
}

void pst_tls_material_unref(struct pst_tls_material *material)
{
    if (material == NULL || __atomic_sub_fetch(&material->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    while (material->pairs != NULL) {
        struct tls_pem_pair *next = material->pairs->next;
        pem_pair_free(material->pairs);
        material->pairs = next;
    }
    free(material);
}

const char *pst_tls_material_fingerprint(const struct pst_tls_material *material)
{
    return material->fingerprint;
}

const char *pst_tls_material_path(const struct pst_tls_material *material)
{
    return material->pairs->certificate_path;
}

bool pst_tls_material_self_signed(const struct pst_tls_material *material)
{
    return material->self_signed;
}
