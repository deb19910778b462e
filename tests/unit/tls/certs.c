/* SPDX-License-Identifier: Apache-2.0 */
#include "certs.h"

#include "postern/base/fd.h"

#include <fcntl.h>
#include <ftw.h>
#include <mbedtls/ecp.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static int random_bytes(void *arg, unsigned char *data, size_t len)
{
    (void)arg;
    return psa_generate_random(data, len) == PSA_SUCCESS ? 0 : -1;
}

void certs_openssl(const char *const *words)
{
    char *argv[24];
    size_t n = 0;
    char name[] = "openssl";
    argv[n++] = name;
    for (; *words != NULL && n < 22; words++)
        assert_non_null(argv[n++] = strdup(*words));
    argv[n] = NULL;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t pid;
    int status = -1;
    assert_int_equal(posix_spawnp(&pid, name, &actions, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    posix_spawn_file_actions_destroy(&actions);
    for (size_t i = 1; i < n; i++)
        free(argv[i]);
}

/* The library in the gateway cannot make RSA keys. */
static void make_rsa(mbedtls_pk_context *pk)
{
    char path[] = "/tmp/postern-rsa-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    certs_openssl((const char *const[]){"genrsa", "-out", path, "2048", NULL});
    struct pst_buf pem;
    assert_int_equal(pst_file_read(path, CERTS_PEM_BYTES, &pem), 0);
    unlink(path);
    const char *text = pst_buf_cstr(&pem);
    assert_int_equal(
        mbedtls_pk_parse_key(pk, (const unsigned char *)text, strlen(text) + 1, NULL, 0, random_bytes, NULL),
        0);
    pst_buf_done(&pem);
}

static void make_key(const struct cert_spec *spec, mbedtls_pk_context *pk)
{
    mbedtls_pk_init(pk);
    if (spec->twin != NULL) {
        const char *text = spec->twin->key;
        assert_int_equal(mbedtls_pk_parse_key(pk, (const unsigned char *)text, strlen(text) + 1, NULL, 0,
                                              random_bytes, NULL),
                         0);
        return;
    }
    if (spec->kind == CERTS_RSA) {
        make_rsa(pk);
        return;
    }
    mbedtls_ecp_group_id group =
        spec->kind == CERTS_P384 ? MBEDTLS_ECP_DP_SECP384R1 : MBEDTLS_ECP_DP_SECP256R1;
    assert_int_equal(mbedtls_pk_setup(pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    assert_int_equal(mbedtls_ecp_gen_key(group, mbedtls_pk_ec(*pk), random_bytes, NULL), 0);
}

static void set_validity(mbedtls_x509write_cert *writer, const struct cert_spec *spec)
{
    bool usual = spec->from_s == 0 && spec->to_s == 0;
    char from[16], to[16];
    time_t now = time(NULL);
    time_t begin = now + (usual ? -3600 : spec->from_s), end = now + (usual ? 90 * CERTS_DAY : spec->to_s);
    struct tm tm;
    strftime(from, sizeof(from), "%Y%m%d%H%M%S", gmtime_r(&begin, &tm));
    strftime(to, sizeof(to), "%Y%m%d%H%M%S", gmtime_r(&end, &tm));
    assert_int_equal(mbedtls_x509write_crt_set_validity(writer, from, to), 0);
}

static void set_names(mbedtls_x509write_cert *writer, const struct cert_spec *spec, const char *subject)
{
    char issuer[80];
    snprintf(issuer, sizeof(issuer), "CN=%s", spec->issuer != NULL ? spec->issuer->name : spec->cn);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(writer, subject), 0);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(writer, issuer), 0);
    mbedtls_x509_san_list sans[4] = {0};
    size_t n = 0;
    for (; n < 4 && spec->dns[n] != NULL; n++) {
        sans[n].node.type = MBEDTLS_X509_SAN_DNS_NAME;
        sans[n].node.san.unstructured_name.p = (unsigned char *)(uintptr_t)spec->dns[n];
        sans[n].node.san.unstructured_name.len = strlen(spec->dns[n]);
        if (n > 0)
            sans[n - 1].next = &sans[n];
    }
    if (n > 0)
        assert_int_equal(mbedtls_x509write_crt_set_subject_alternative_name(writer, sans), 0);
}

void cert_make(const struct cert_spec *spec, struct cert *ret_cert)
{
    struct cert *cert = ret_cert;
    mbedtls_x509write_cert writer;
    unsigned char serial[8] = {1};
    char subject[80];
    assert_int_equal(psa_crypto_init(), PSA_SUCCESS);
    snprintf(cert->name, sizeof(cert->name), "%s", spec->cn);
    snprintf(subject, sizeof(subject), "CN=%s", spec->cn);
    make_key(spec, &cert->pk);
    mbedtls_x509write_crt_init(&writer);
    mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&writer, spec->sha1 ? MBEDTLS_MD_SHA1 : MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&writer, &cert->pk);
    mbedtls_x509write_crt_set_issuer_key(&writer, spec->issuer != NULL ? &spec->issuer->pk : &cert->pk);
    assert_int_equal(random_bytes(NULL, serial + 1, sizeof(serial) - 1), 0);
    assert_int_equal(mbedtls_x509write_crt_set_serial_raw(&writer, serial, sizeof(serial)), 0);
    if (!spec->no_key_ids) {
        assert_int_equal(mbedtls_x509write_crt_set_subject_key_identifier(&writer), 0);
        assert_int_equal(mbedtls_x509write_crt_set_authority_key_identifier(&writer), 0);
    }
    set_validity(&writer, spec);
    set_names(&writer, spec, subject);
    if (spec->ca)
        assert_int_equal(mbedtls_x509write_crt_set_basic_constraints(&writer, 1, -1), 0);
    assert_int_equal(mbedtls_x509write_crt_pem(&writer, (unsigned char *)cert->certificate,
                                               sizeof(cert->certificate), random_bytes, NULL),
                     0);
    assert_int_equal(mbedtls_pk_write_key_pem(&cert->pk, (unsigned char *)cert->key, sizeof(cert->key)), 0);
    mbedtls_x509write_crt_free(&writer);
}

void cert_done(struct cert *cert)
{
    mbedtls_pk_free(&cert->pk);
}

void certs_dir_make(char path[static 64])
{
    snprintf(path, 64, "/tmp/postern-tls-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void certs_dir_remove(const char *path)
{
    assert_int_equal(strncmp(path, "/tmp/postern-tls-", 17), 0);
    assert_int_equal(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void certs_mkdir(const char *dir, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

void certs_write(const char *dir, const char *name, const char *text, char ret_path[static 128])
{
    snprintf(ret_path, 128, "%s/%s", dir, name);
    assert_int_equal(pst_file_write_atomic(ret_path, text, strlen(text), 0600), 0);
}
