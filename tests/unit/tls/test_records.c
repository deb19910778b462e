/* SPDX-License-Identifier: Apache-2.0 */
/* How large records are, and how many system calls they go out in. */
#include "../../../gateway/tls/session_private.h"
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A segment over IPv6 with timestamps. */
#define SEGMENT_BYTES 1428
#define SMALL_RECORDS 10
/* What TLS adds to a record: 5 of its head, 16 of the tag; in 1.2 8 of the nonce; in 1.3 the type, padded. */
#define OVERHEAD_MAX 37
#define LARGE_BYTES  16383

static const mbedtls_ssl_protocol_version versions[] = {MBEDTLS_SSL_VERSION_TLS1_2,
                                                        MBEDTLS_SSL_VERSION_TLS1_3};

static struct cert ec;
static struct site site;

static int set_up(void **state)
{
    (void)state;
    cert_make(&(struct cert_spec){.cn = "default", .dns = {"default.example"}}, &ec);
    site_make(&site, PST_TLS_INTERMEDIATE, (struct cert *const[]){&ec}, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    site_done(&site);
    cert_done(&ec);
    return 0;
}

struct pair {
    struct host host;
    struct guest guest;
};

static void ask(struct pair *pair)
{
    size_t before = pst_buf_len(&pair->host.received);
    guest_write(&pair->host, &pair->guest, "?", 1);
    host_wait_bytes(&pair->host, before + 1);
}

/* An answer of `len` bytes, written `piece` bytes at a time; the records it came in are in the guest. */
static void answer(struct pair *pair, size_t len, size_t piece)
{
    char *sent = malloc(len), *got = malloc(len);
    int end;
    assert_non_null(sent);
    assert_non_null(got);
    for (size_t i = 0; i < len; i++)
        sent[i] = (char)((i * 2654435761u) >> 13);
    for (size_t at = 0; at < len;) {
        size_t n = len - at < piece ? len - at : piece;
        ssize_t took = pst_session_write(pair->host.session, sent + at, n);
        assert_true(took > 0);
        at += (size_t)took;
    }
    pair->guest.n_records = 0;
    assert_int_equal(guest_read(&pair->host, &pair->guest, got, len, &end), len);
    assert_memory_equal(sent, got, len);
    free(sent);
    free(got);
}

static size_t count_small(const struct guest *guest)
{
    size_t n = 0;
    while (n < guest->n_records && guest->records[n] <= SEGMENT_BYTES)
        n++;
    return n;
}

/* With a first answer behind it, and so the session ticket. */
static void pair_open(struct pair *pair, mbedtls_ssl_protocol_version version)
{
    *pair = (struct pair){.host = {.reads = true}};
    peer_open(&site, &pair->host, &pair->guest, &(struct guest_options){.version = version});
    ask(pair);
    answer(pair, 1, 1);
}

static void test_small_then_large(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct pair pair;
        pair_open(&pair, versions[v]);
        for (int round = 0; round < 3; round++) { /* each answer begins anew */
            ask(&pair);
            answer(&pair, 100000, 100000);
            assert_int_equal(count_small(&pair.guest), SMALL_RECORDS);
            for (size_t i = 0; i < SMALL_RECORDS; i++)
                assert_true(pair.guest.records[i] > SEGMENT_BYTES - 64);
            assert_true(pair.guest.records[SMALL_RECORDS + 2] > LARGE_BYTES);
        }
        peer_close(&pair.host, &pair.guest);
    }
}

/* Keys are not used for more records than AES-GCM is good for. */
static void test_keys_wear_out(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct pair pair;
        pair_open(&pair, versions[v]);
        struct pst_session *session = pair.host.session;
        assert_false(pst_session_is_worn(session));
        session->sealed = (1 << 23) - 1;
        ask(&pair);
        answer(&pair, 1, 1);
        assert_true(pst_session_is_worn(session));
        ask(&pair);
        answer(&pair, 1000, 1000); /* goes on for now */
        session->sealed = (1 << 24) - 1;
        answer(&pair, 1, 1);
        assert_int_equal(pst_session_write(session, "x", 1), 1);
        site_turn(&site);
        assert_int_equal(pst_session_write(session, "x", 1), -PST_ERESET);
        peer_close(&pair.host, &pair.guest);
        assert_int_equal(pair.host.end, PST_SESSION_BROKEN);
    }
}

/* Not a record for the byte by which two buffers differ. */
static void test_no_crumbs(void **state)
{
    (void)state;
    static const size_t pieces[] = {2 * LARGE_BYTES, 32768, 16384, 100000, 5000};
    for (size_t v = 0; v < 2; v++) {
        for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
            struct pair pair;
            size_t len = 400000, small = SMALL_RECORDS * 1391;
            pair_open(&pair, versions[v]);
            ask(&pair);
            answer(&pair, len, pieces[p]);
            /* At most one that is not full at the seam between small and large, and one at the end. */
            assert_true(pair.guest.n_records <= SMALL_RECORDS + (len - small) / LARGE_BYTES + 2);
            for (size_t i = SMALL_RECORDS + 1; i + 1 < pair.guest.n_records; i++)
                assert_true(pair.guest.records[i] >= LARGE_BYTES);
            peer_close(&pair.host, &pair.guest);
        }
    }
}

static void test_small_answers_are_one_record(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, MBEDTLS_SSL_VERSION_TLS1_3);
    for (int i = 0; i < 30; i++) {
        ask(&pair);
        answer(&pair, 300, 100);
        assert_int_equal(pair.guest.n_records, 1);
        assert_true(pair.guest.records[0] <= 300 + OVERHEAD_MAX);
    }
    peer_close(&pair.host, &pair.guest);
}

/* A stream of events: nothing is read any more, but pauses come. */
static void test_small_again_after_a_pause(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, MBEDTLS_SSL_VERSION_TLS1_3);
    ask(&pair);
    answer(&pair, 100000, 100000);
    answer(&pair, 100000, 100000);
    assert_int_equal(count_small(&pair.guest), 0);
    usleep(1100000);
    site_turn(&site);
    answer(&pair, 100000, 100000);
    assert_int_equal(count_small(&pair.guest), SMALL_RECORDS);
    peer_close(&pair.host, &pair.guest);
}

/* Gathered records that the socket does not take are kept, in order, and nothing is taken beyond them. */
static void test_gathered_and_blocked(void **state)
{
    (void)state;
    enum { BYTES = 3000000 };
    struct pair pair = {.host = {.reads = true}};
    char *sent = malloc(BYTES), *got = malloc(BYTES);
    int end;
    assert_non_null(sent);
    assert_non_null(got);
    for (size_t i = 0; i < BYTES; i++)
        sent[i] = (char)((i * 2654435761u) >> 11);
    peer_open(&site, &pair.host, &pair.guest, &(struct guest_options){.recv_bytes = 4096});
    pair.host.sends = sent;
    pair.host.send_len = BYTES;
    ssize_t took = pst_session_write(pair.host.session, sent, BYTES);
    assert_true(took > 0 && took < 1000000);
    assert_true(pst_session_output_waits(pair.host.session));
    assert_int_equal(pst_session_write(pair.host.session, sent + took, 100), -PST_EAGAIN);
    pair.host.sent = (size_t)took;
    assert_int_equal(guest_read(&pair.host, &pair.guest, got, BYTES, &end), BYTES);
    assert_memory_equal(sent, got, BYTES);
    peer_close(&pair.host, &pair.guest);
    free(sent);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_then_large),
        cmocka_unit_test(test_keys_wear_out),
        cmocka_unit_test(test_no_crumbs),
        cmocka_unit_test(test_small_answers_are_one_record),
        cmocka_unit_test(test_small_again_after_a_pause),
        cmocka_unit_test(test_gathered_and_blocked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
