/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions without memory, at each allocation in turn: the one session ends and nothing else does, nothing is
 * kept, and the context goes on. What is linked in has its allocator wrapped; of what the loop and the
 * sessions do, one allocation fails. GMP's are left out: it has no way to fail (crypto/hooks/engine.c). */
#include "peer.h"
#include "postern/tls/material.h"

#include <gmp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define REQUEST_BYTES 100
#define ANSWER_BYTES  100000

static long fail_at = -1; /* the allocation that fails: 0 is the next one; -1: none */
static bool in_host;      /* only those of the host's side count */
static long live;         /* blocks allocated and not freed, of both sides */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
int __real_pst_loop_turn(struct pst_loop *loop, bool may_sleep);
void __real_pst_tls_handshakes_run(struct pst_tls_context *context, uint64_t until_us);
void __real_pst_session_flush_all(struct pst_tls_context *context);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);
int __wrap_pst_loop_turn(struct pst_loop *loop, bool may_sleep);
void __wrap_pst_tls_handshakes_run(struct pst_tls_context *context, uint64_t until_us);
void __wrap_pst_session_flush_all(struct pst_tls_context *context);

static bool fails(void)
{
    return in_host && fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_malloc(size_t size)
{
    void *block = fails() ? NULL : __real_malloc(size);
    live += block != NULL;
    return block;
}

void *__wrap_calloc(size_t n, size_t size)
{
    void *block = fails() ? NULL : __real_calloc(n, size);
    live += block != NULL;
    return block;
}

void *__wrap_realloc(void *block, size_t size)
{
    if (fails())
        return NULL;
    live += block == NULL;
    return __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    void *block = fails() ? NULL : __real_aligned_alloc(alignment, size);
    live += block != NULL;
    return block;
}

void __wrap_free(void *block)
{
    live -= block != NULL;
    __real_free(block);
}

int __wrap_pst_loop_turn(struct pst_loop *loop, bool may_sleep)
{
    in_host = true;
    int ret = __real_pst_loop_turn(loop, may_sleep);
    in_host = false;
    return ret;
}

void __wrap_pst_tls_handshakes_run(struct pst_tls_context *context, uint64_t until_us)
{
    in_host = true;
    __real_pst_tls_handshakes_run(context, until_us);
    in_host = false;
}

void __wrap_pst_session_flush_all(struct pst_tls_context *context)
{
    in_host = true;
    __real_pst_session_flush_all(context);
    in_host = false;
}

static void *gmp_resize(void *block, size_t old_size, size_t new_size)
{
    (void)old_size;
    return __real_realloc(block, new_size);
}

static void gmp_free(void *block, size_t size)
{
    (void)size;
    __real_free(block);
}

static struct cert cert;
static struct site site;
static char answer[ANSWER_BYTES];

static int set_up(void **state)
{
    (void)state;
    struct cert *const certs[] = {&cert};
    cert_make(&(struct cert_spec){.cn = "default"}, &cert);
    site_make(&site, PST_TLS_INTERMEDIATE, certs, 1);
    mp_set_memory_functions(__real_malloc, gmp_resize, gmp_free);
    memset(answer, 'a', sizeof(answer));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    site_done(&site);
    cert_done(&cert);
    return 0;
}

/* Reads the request; false when the session is over. */
static bool host_reads(struct host *host)
{
    char request[REQUEST_BYTES];
    size_t got = 0;
    for (int turns = 0; turns < 5000 && host->session != NULL && got < sizeof(request); turns++) {
        in_host = true;
        ssize_t n = pst_session_read(host->session, request + got, sizeof(request) - got);
        in_host = false;
        if (n > 0)
            got += (size_t)n;
        else if (n != -PST_EAGAIN)
            return false;
        site_turn(&site);
        usleep(n > 0 ? 0 : 50);
    }
    return got == sizeof(request);
}

/* Reads the answer, which is longer than the sockets hold; false when the session is over. */
static bool guest_reads(struct host *host, struct guest *guest)
{
    unsigned char piece[4096];
    size_t got = 0;
    for (int idle = 0; idle < 5000 && got < ANSWER_BYTES;) {
        int n = mbedtls_ssl_read(&guest->ssl, piece, sizeof(piece));
        if (n > 0)
            got += (size_t)n;
        else if (n != MBEDTLS_ERR_SSL_WANT_READ && n != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
            return false;
        else if (host->closed > 0)
            return false;
        else
            idle++;
        site_turn(&site);
    }
    return got == ANSWER_BYTES;
}

/* A session from its handshake to its end; whether it came through. */
static bool live_once(mbedtls_ssl_protocol_version version)
{
    static const unsigned char request[REQUEST_BYTES];
    struct host host = {.sends = answer, .send_len = sizeof(answer)};
    struct guest guest;
    peer_connect(&site, &host, 10000000, &guest,
                 &(struct guest_options){.version = version, .recv_bytes = 4096});
    bool good = peer_handshake(&host, &guest) == 0;
    if (good) {
        (void)mbedtls_ssl_write(&guest.ssl, request, sizeof(request));
        good = host_reads(&host) && guest_reads(&host, &guest);
    }
    if (host.session != NULL && host.established > 0)
        pst_session_abort(host.session);
    guest_hang_up(&guest, 'F');
    host_wait(&host, &host.closed);
    guest_done(&guest);
    pst_buf_done(&host.received);
    return good;
}

/* mbedTLS itself forgets a block in two cases: the first of a direction's two ciphers in TLS 1.3, when there
 * is no memory for the second. */
#define MBEDTLS_FORGETS 2

const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:chachapoly_ctx_alloc\nleak:gcm_ctx_alloc\n";
}

struct outcome {
    bool good;    /* the session came through all the same */
    bool reached; /* there was such an allocation */
    long lost;
};

static struct outcome without(long allocation, mbedtls_ssl_protocol_version version)
{
    long before = live;
    fail_at = allocation;
    struct outcome outcome = {.good = live_once(version), .reached = fail_at < 0};
    fail_at = -1;
    outcome.lost = live - before;
    return outcome;
}

/* What is lost once may be kept for the next session, which then takes no more; what leaks is lost again. */
static long leaked(long allocation, mbedtls_ssl_protocol_version version, long lost)
{
    if (lost <= 0)
        return 0;
    long again = without(allocation, version).lost;
    return again > 0 ? again : 0;
}

static void test_each_allocation_of_a_session(void **state)
{
    (void)state;
    static const mbedtls_ssl_protocol_version versions[] = {MBEDTLS_SSL_VERSION_TLS1_2,
                                                            MBEDTLS_SSL_VERSION_TLS1_3};
    for (size_t v = 0; v < 2; v++) {
        long failed = 0, allocation = 0, leaks = 0;
        assert_true(live_once(versions[v])); /* what is kept for the next is made */
        for (bool reached = true; reached; allocation++) {
            struct outcome outcome = without(allocation, versions[v]);
            reached = outcome.reached;
            failed += !outcome.good;
            leaks += leaked(allocation, versions[v], outcome.lost);
            assert_true(outcome.good || reached);
        }
        assert_in_range(leaks, 0, MBEDTLS_FORGETS);
        assert_true(allocation > 30);
        assert_true(failed > 20);
        assert_true(live_once(versions[v]));
    }
}

static void test_each_allocation_of_a_context(void **state)
{
    (void)state;
    int log = dup(STDERR_FILENO); /* each failure is said there */
    assert_true(log >= 0 && freopen("/dev/null", "w", stderr) != NULL);
    char dir[64], certificate[128], key[128];
    struct pst_tls_material *material;
    certs_dir_make(dir);
    certs_write(dir, "a.crt", cert.certificate, certificate);
    certs_write(dir, "a.key", cert.key, key);
    const struct pst_tls_files files = {.certificate = certificate, .key = key};
    assert_int_equal(pst_tls_material_load(&files, NULL, NULL, &material), 0);
    certs_dir_remove(dir);
    int err = -1;
    for (long allocation = 0; err != 0; allocation++) {
        struct pst_tls_context *context = NULL;
        long before = live;
        in_host = true;
        fail_at = allocation;
        err = pst_tls_context_new(PST_TLS_MODERN, material, &context);
        fail_at = -1;
        in_host = false;
        assert_true(err == 0 || context == NULL);
        pst_tls_context_free(context);
        assert_int_equal(live, before);
        assert_true(allocation < 5000);
    }
    pst_tls_material_unref(material);
    assert_int_equal(dup2(log, STDERR_FILENO), STDERR_FILENO);
    close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_of_a_session),
        cmocka_unit_test(test_each_allocation_of_a_context),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
