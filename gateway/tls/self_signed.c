/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate of the first start: P-256, for localhost and this machine's names and addresses, so that
 * the gateway speaks HTTPS before anybody made a certificate. Production brings its own. */
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_SANS 24
/* Three years: long enough not to surprise a test set-up; it is made anew when it has expired. */
#define VALIDITY_DAYS 1095
#define PEM_MAX_BYTES 8192

struct names {
    mbedtls_x509_san_list list[MAX_SANS];
    char dns[MAX_SANS][HOST_NAME_MAX + 1];
    unsigned char ip[MAX_SANS][16];
    size_t n;
};

static mbedtls_x509_san_list *add_name(struct names *names)
{
    if (names->n == MAX_SANS)
        return NULL;
    mbedtls_x509_san_list *entry = &names->list[names->n];
    *entry = (mbedtls_x509_san_list){0};
    if (names->n > 0)
        names->list[names->n - 1].next = entry;
    names->n++;
    return entry;
}

static void add_dns(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++) {
        if (names->list[i].node.type == MBEDTLS_X509_SAN_DNS_NAME && strcmp(names->dns[i], name) == 0)
            return;
    }
    mbedtls_x509_san_list *entry = name[0] != '\0' ? add_name(names) : NULL;
    if (entry == NULL)
        return;
    char *copy = names->dns[names->n - 1];
    size_t len = pst_str_clip(pst_str_of(name), copy, sizeof(names->dns[0]));
    entry->node.type = MBEDTLS_X509_SAN_DNS_NAME;
    entry->node.san.unstructured_name.tag = MBEDTLS_ASN1_IA5_STRING;
    entry->node.san.unstructured_name.p = (unsigned char *)copy;
    entry->node.san.unstructured_name.len = len;
}

static void add_ip(struct names *names, const void *address, size_t len)
{
    mbedtls_x509_san_list *entry = add_name(names);
    if (entry == NULL)
        return;
    unsigned char *copy = names->ip[names->n - 1];
    memcpy(copy, address, len);
    entry->node.type = MBEDTLS_X509_SAN_IP_ADDRESS;
    entry->node.san.unstructured_name.tag = MBEDTLS_ASN1_OCTET_STRING;
    entry->node.san.unstructured_name.p = copy;
    entry->node.san.unstructured_name.len = len;
}

static void add_interface_addresses(struct names *names)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0)
        return;
    for (const struct ifaddrs *it = all; it != NULL; it = it->ifa_next) {
        if (it->ifa_addr == NULL || (it->ifa_flags & IFF_LOOPBACK) != 0)
            continue;
        if (it->ifa_addr->sa_family == AF_INET) {
            const struct sockaddr_in *sin = (const void *)it->ifa_addr;
            add_ip(names, &sin->sin_addr, 4);
        } else if (it->ifa_addr->sa_family == AF_INET6) {
            const struct sockaddr_in6 *sin6 = (const void *)it->ifa_addr;
            if (!IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr))
                add_ip(names, &sin6->sin6_addr, 16);
        }
    }
    freeifaddrs(all);
}

static void collect_names(struct names *names)
{
    names->n = 0;
    add_dns(names, "localhost");
    add_ip(names, &(struct in_addr){htonl(INADDR_LOOPBACK)}, 4);
    add_ip(names, &in6addr_loopback, 16);
    char host[HOST_NAME_MAX + 1] = "";
    if (gethostname(host, sizeof(host) - 1) == 0)
        add_dns(names, host);
    add_interface_addresses(names);
}

static int psa_random(void *arg, unsigned char *data, size_t len)
{
    (void)arg;
    return psa_generate_random(data, len) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_PK_BAD_INPUT_DATA;
}

static int make_key(mbedtls_pk_context *key)
{
    int ret = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (ret == 0)
        ret = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), psa_random, NULL);
    return ret;
}

static int set_validity(mbedtls_x509write_cert *cert)
{
    char from[16], to[16];
    time_t now = (time_t)(pst_clock_real_us() / 1000000);
    time_t begin = now - 3600; /* a client whose clock is a little behind */
    time_t end = now + (time_t)VALIDITY_DAYS * 86400;
    struct tm tm;
    strftime(from, sizeof(from), "%Y%m%d%H%M%S", gmtime_r(&begin, &tm));
    strftime(to, sizeof(to), "%Y%m%d%H%M%S", gmtime_r(&end, &tm));
    return mbedtls_x509write_crt_set_validity(cert, from, to);
}

static int set_serial(mbedtls_x509write_cert *cert)
{
    unsigned char serial[16];
    if (psa_generate_random(serial, sizeof(serial)) != PSA_SUCCESS)
        return MBEDTLS_ERR_PK_BAD_INPUT_DATA;
    serial[0] = (serial[0] & 0x7F) | 0x40; /* positive, and never shortened by a leading zero */
    return mbedtls_x509write_crt_set_serial_raw(cert, serial, sizeof(serial));
}

static int fill(mbedtls_x509write_cert *cert, mbedtls_pk_context *key, struct names *names)
{
    static unsigned char oid[] = MBEDTLS_OID_SERVER_AUTH;
    static const mbedtls_asn1_sequence server_auth = {.buf = {MBEDTLS_ASN1_OID, sizeof(oid) - 1, oid}};
    mbedtls_x509write_crt_set_version(cert, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(cert, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(cert, key);
    mbedtls_x509write_crt_set_issuer_key(cert, key);
    int ret = mbedtls_x509write_crt_set_subject_name(cert, "CN=Postern self-signed");
    if (ret == 0)
        ret = mbedtls_x509write_crt_set_issuer_name(cert, "CN=Postern self-signed");
    if (ret == 0)
        ret = set_serial(cert);
    if (ret == 0)
        ret = set_validity(cert);
    if (ret == 0)
        ret = mbedtls_x509write_crt_set_basic_constraints(cert, 0, -1);
    if (ret == 0)
        ret = mbedtls_x509write_crt_set_key_usage(cert, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    if (ret == 0)
        ret = mbedtls_x509write_crt_set_ext_key_usage(cert, &server_auth);
    if (ret == 0)
        ret = mbedtls_x509write_crt_set_subject_alternative_name(cert, names->list);
    return ret;
}

static int make_pems(char *certificate, char *key_pem)
{
    struct names names;
    collect_names(&names);
    mbedtls_pk_context key;
    mbedtls_x509write_cert cert;
    mbedtls_pk_init(&key);
    mbedtls_x509write_crt_init(&cert);
    int ret = make_key(&key);
    if (ret == 0)
        ret = fill(&cert, &key, &names);
    if (ret == 0)
        ret = mbedtls_x509write_crt_pem(&cert, (unsigned char *)certificate, PEM_MAX_BYTES, psa_random, NULL);
    if (ret == 0)
        ret = mbedtls_pk_write_key_pem(&key, (unsigned char *)key_pem, PEM_MAX_BYTES);
    mbedtls_x509write_crt_free(&cert);
    mbedtls_pk_free(&key);
    return ret;
}

void tls_self_signed_paths(const char *data_dir, char *certificate, char *key, size_t size)
{
    snprintf(certificate, size, "%s/tls/self-signed.crt", data_dir);
    snprintf(key, size, "%s/tls/self-signed.key", data_dir);
}

/* There, whole, of one another (a start may have been killed between writing the two), and not expired. */
static bool still_good(char *certificate_path, char *key_path)
{
    struct tls_pair_why why;
    struct tls_pem_pair pem = {.certificate_path = certificate_path, .key_path = key_path};
    struct tls_pair *pair = NULL;
    bool good = pst_file_read(certificate_path, PEM_MAX_BYTES, &pem.certificate) == 0 &&
                pst_file_read(key_path, PEM_MAX_BYTES, &pem.key) == 0 &&
                tls_pair_parse(&pem, &pair, NULL, &why) == 0 &&
                !mbedtls_x509_time_is_past(&pair->chain.valid_to);
    tls_pairs_free(pair);
    pst_buf_done(&pem.certificate);
    pst_buf_wipe(&pem.key);
    return good;
}

static int write_pair(const char *certificate_path, const char *key_path, const char *certificate,
                      const char *key)
{
    int err = pst_file_write_atomic(key_path, key, strlen(key), 0600);
    return err < 0 ? err : pst_file_write_atomic(certificate_path, certificate, strlen(certificate), 0644);
}

int tls_self_signed_ensure(const char *data_dir, char *problem, size_t problem_size)
{
    char dir[PATH_MAX], certificate_path[PATH_MAX], key_path[PATH_MAX];
    snprintf(dir, sizeof(dir), "%s/tls", data_dir);
    tls_self_signed_paths(data_dir, certificate_path, key_path, sizeof(key_path));
    if (still_good(certificate_path, key_path))
        return 0;
    char *pems = calloc(2, PEM_MAX_BYTES);
    int err = pems == NULL ? -PST_ENOMEM : pst_dir_ensure(dir);
    int ret = err == 0 ? make_pems(pems, pems + PEM_MAX_BYTES) : 0;
    if (ret != 0) {
        char text[128];
        snprintf(problem, problem_size, "cannot make a self-signed certificate: %s",
                 tls_error_text(ret, text, sizeof(text)));
        err = -PST_ETLS;
    } else {
        if (err == 0)
            err = write_pair(certificate_path, key_path, pems, pems + PEM_MAX_BYTES);
        if (err < 0)
            snprintf(problem, problem_size, "cannot write the self-signed certificate into %s: %s", dir,
                     pst_strerror(err));
    }
    if (pems != NULL)
        explicit_bzero(pems, (size_t)2 * PEM_MAX_BYTES);
    free(pems);
    return err;
}
