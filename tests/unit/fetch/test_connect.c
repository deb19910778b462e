/* SPDX-License-Identifier: Apache-2.0 */
/* Of several addresses the first that answers. A listener whose queue is full is an address that is silent.
 */
#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/fetch/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FILL   4
#define SECOND UINT64_C(1000000)

struct place {
    int listener;
    int fill[FILL];
    struct pst_addr address;
};

static void open_place(struct place *place, bool silent)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    place->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    place->address.len = sizeof(in);
    assert_int_equal(bind(place->listener, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(place->listener, silent ? 0 : 16), 0);
    assert_int_equal(getsockname(place->listener, (struct sockaddr *)&place->address.sa, &place->address.len),
                     0);
    for (int i = 0; i < FILL; i++) {
        place->fill[i] = silent ? socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
        if (silent)
            (void)!connect(place->fill[i], (struct sockaddr *)&place->address.sa, place->address.len);
    }
}

static void close_place(struct place *place)
{
    for (int i = 0; i < FILL; i++)
        pst_fd_close(place->fill[i]);
    pst_fd_close(place->listener);
}

/* Nobody is there. */
static struct pst_addr dead_address(bool v6)
{
    struct place place;
    open_place(&place, false);
    struct pst_addr address = place.address;
    uint16_t port = ((struct sockaddr_in *)&place.address.sa)->sin_port;
    close_place(&place);
    if (v6) {
        struct sockaddr_in6 in6 = {
            .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        address = (struct pst_addr){.len = sizeof(in6)};
        memcpy(&address.sa, &in6, sizeof(in6));
    }
    return address;
}

static void assert_leads_to(int fd, const struct pst_addr *address)
{
    struct pst_addr peer = {.len = sizeof(peer.sa)};
    assert_true(fd >= 0);
    assert_int_equal(getpeername(fd, (struct sockaddr *)&peer.sa, &peer.len), 0);
    assert_memory_equal(&peer.sa, &address->sa, peer.len);
    pst_fd_close(fd);
}

static void test_silent_first(void **state)
{
    (void)state;
    struct place silent, good;
    struct pst_dial_why why;
    open_place(&silent, true);
    open_place(&good, false);
    const struct pst_dial_addresses addresses = {.at = {silent.address, dead_address(false), good.address},
                                                 .n = 3};
    uint64_t start_us = pst_clock_mono_us();
    assert_leads_to(pst_dial_connect(&addresses, start_us + 60 * SECOND, &why), &good.address);
    /* Not a share of the minute: the silent one holds nobody up. */
    assert_true(pst_clock_mono_us() - start_us < 15 * SECOND);
    close_place(&silent);
    close_place(&good);
}

static void *take_all(void *arg)
{
    struct place *place = arg;
    usleep(700000);
    for (int i = 0; i < FILL; i++)
        pst_fd_close(accept(place->listener, NULL, NULL));
    return NULL;
}

/* Both are silent at first; the first one is not given up when the second begins. */
static void test_late_answer(void **state)
{
    (void)state;
    struct place late, silent;
    struct pst_dial_why why;
    pthread_t thread;
    open_place(&late, true);
    open_place(&silent, true);
    const struct pst_dial_addresses addresses = {.at = {late.address, silent.address}, .n = 2};
    assert_int_equal(pthread_create(&thread, NULL, take_all, &late), 0);
    assert_leads_to(pst_dial_connect(&addresses, pst_clock_mono_us() + 30 * SECOND, &why), &late.address);
    (void)shutdown(late.listener, SHUT_RDWR); /* ends what still waits there */
    pthread_join(thread, NULL);
    close_place(&late);
    close_place(&silent);
}

static void test_families_take_turns(void **state)
{
    (void)state;
    struct pst_dial_why why;
    char text[3][PST_ADDR_TEXT_SIZE];
    const struct pst_dial_addresses addresses = {
        .at = {dead_address(true), dead_address(true), dead_address(false)}, .n = 3};
    static const size_t order[] = {0, 2, 1};
    assert_true(pst_dial_connect(&addresses, pst_clock_mono_us() + 30 * SECOND, &why) < 0);
    const char *at = why.text;
    for (size_t i = 0; i < 3; i++) {
        pst_addr_format((const struct sockaddr *)&addresses.at[order[i]].sa, text[i], sizeof(text[i]));
        const char *found = strstr(at, text[i]);
        if (found == NULL)
            fail_msg("%s is not there, or too early, in: %s", text[i], why.text);
        at = found + 1;
    }
}

static void test_all_silent(void **state)
{
    (void)state;
    struct place silent;
    struct pst_dial_why why;
    open_place(&silent, true);
    const struct pst_dial_addresses addresses = {.at = {silent.address, silent.address}, .n = 2};
    assert_int_equal(pst_dial_connect(&addresses, pst_clock_mono_us() + SECOND, &why), -PST_ETIMEOUT);
    assert_non_null(strstr(why.text, "no answer in time"));
    const struct pst_dial_addresses none = {.n = 0};
    assert_int_equal(pst_dial_connect(&none, pst_clock_mono_us() + SECOND, &why), -PST_ENOENT);
    assert_int_equal(pst_dial_connect(&addresses, 0, &why), -PST_ETIMEOUT);
    close_place(&silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent_first),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_families_take_turns),
        cmocka_unit_test(test_all_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
