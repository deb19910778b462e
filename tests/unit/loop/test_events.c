/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/fd.h"
#include "postern/loop/loop.h"

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

static struct pst_loop *loop;

static int set_up(void **state)
{
    (void)state;
    return pst_loop_new(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    pst_loop_free(loop);
    return 0;
}

static void turn(void)
{
    assert_int_equal(pst_loop_turn(loop, false), 0);
}

/* One end of a socket pair in the loop. */
struct end {
    struct pst_watch watch;
    int fd;
    int peer;
    unsigned calls;
    uint32_t events;
    struct end *removes; /* taken out when this one is called */
    struct end *frees;   /* taken out and freed */
};

static void on_event(struct pst_watch *watch, uint32_t events, void *arg)
{
    struct end *end = arg;
    assert_ptr_equal(watch, &end->watch);
    end->calls++;
    end->events |= events;
    if (end->removes != NULL)
        pst_loop_remove(loop, &end->removes->watch);
    if (end->frees != NULL) {
        pst_loop_remove(loop, &end->frees->watch);
        close(end->frees->fd);
        close(end->frees->peer);
        free(end->frees);
        end->frees = NULL;
    }
}

static void open_end(struct end *end)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    *end = (struct end){.fd = fds[0], .peer = fds[1]};
    pst_watch_init(&end->watch, on_event, end);
    assert_int_equal(end->watch.fd, -1);
    assert_int_equal(pst_loop_add(loop, &end->watch, end->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP), 0);
    assert_int_equal(end->watch.fd, end->fd);
}

static void close_end(struct end *end)
{
    pst_loop_remove(loop, &end->watch);
    pst_fd_close(end->fd);
    pst_fd_close(end->peer);
}

static void test_events_are_edges(void **state)
{
    (void)state;
    struct end end;
    open_end(&end);
    turn();
    assert_int_equal(end.calls, 1); /* adding tells at once what is possible */
    assert_int_equal(end.events, EPOLLOUT);
    turn();
    assert_int_equal(end.calls, 1);
    assert_int_equal(write(end.peer, "ab", 2), 2);
    turn();
    assert_int_equal(end.calls, 2);
    assert_true((end.events & EPOLLIN) != 0);
    turn();
    assert_int_equal(end.calls, 2); /* not read, and not told again */
    assert_int_equal(write(end.peer, "c", 1), 1);
    turn();
    assert_int_equal(end.calls, 3);
    assert_int_equal(shutdown(end.peer, SHUT_WR), 0);
    turn();
    assert_true((end.events & EPOLLRDHUP) != 0 && (end.events & EPOLLHUP) == 0);
    end.peer = pst_fd_close(end.peer);
    turn();
    assert_true((end.events & EPOLLHUP) != 0);
    close_end(&end);
}

static void test_writable_again(void **state)
{
    (void)state;
    struct end end;
    char junk[4096] = {0};
    open_end(&end);
    turn();
    while (write(end.fd, junk, sizeof(junk)) > 0)
        ;
    end.events = 0;
    turn();
    assert_int_equal(end.events, 0);
    while (read(end.peer, junk, sizeof(junk)) > 0)
        ;
    turn();
    assert_true((end.events & EPOLLOUT) != 0);
    close_end(&end);
}

/* Both have an event; whichever comes first removes the other, which then hears nothing. */
static void test_removed_in_the_same_turn(void **state)
{
    (void)state;
    struct end a, b;
    open_end(&a);
    open_end(&b);
    turn();
    assert_int_equal(a.calls + b.calls, 2);
    a.removes = &b;
    b.removes = &a;
    assert_int_equal(write(a.peer, "x", 1) + write(b.peer, "x", 1), 2);
    turn();
    assert_int_equal(a.calls + b.calls, 3);
    assert_true((a.watch.fd == -1) != (b.watch.fd == -1));
    turn();
    assert_int_equal(a.calls + b.calls, 3);
    close_end(&a);
    close_end(&b);
}

static void test_freed_in_the_same_turn(void **state)
{
    (void)state;
    struct end *ends[2];
    for (int i = 0; i < 2; i++) {
        ends[i] = malloc(sizeof(struct end));
        assert_non_null(ends[i]);
        open_end(ends[i]);
    }
    ends[0]->frees = ends[1];
    ends[1]->frees = ends[0];
    turn(); /* both are writable: one goes, and the sanitizer sees who touches it afterwards */
    struct end *left = ends[0]->calls > 0 ? ends[0] : ends[1];
    turn();
    assert_int_equal(left->calls, 1);
    close_end(left);
    free(left);
}

static void test_removes_itself(void **state)
{
    (void)state;
    struct end end;
    open_end(&end);
    end.removes = &end;
    turn();
    assert_int_equal(end.calls, 1);
    assert_int_equal(write(end.peer, "x", 1), 1);
    turn();
    assert_int_equal(end.calls, 1);
    pst_loop_remove(loop, &end.watch); /* in no loop: nothing happens */
    assert_int_equal(pst_loop_add(loop, &end.watch, end.fd, EPOLLIN), 0);
    turn();
    assert_int_equal(end.calls, 2); /* what waited is told to the new watch */
    close_end(&end);
}

static void test_more_events_than_a_turn_takes(void **state)
{
    (void)state;
    enum { ENDS = 400 };
    struct end *ends = calloc(ENDS, sizeof(*ends));
    unsigned calls = 0;
    assert_non_null(ends);
    for (int i = 0; i < ENDS; i++)
        open_end(&ends[i]);
    turn();
    turn();
    for (int i = 0; i < ENDS; i++)
        calls += ends[i].calls;
    assert_int_equal(calls, ENDS);
    for (int i = 0; i < ENDS; i++)
        close_end(&ends[i]);
    free(ends);
}

static void test_add_refuses(void **state)
{
    (void)state;
    struct pst_watch watch;
    pst_watch_init(&watch, on_event, NULL);
    assert_true(pst_loop_add(loop, &watch, -1, EPOLLIN) < 0);
    assert_int_equal(watch.fd, -1);
    struct end end;
    open_end(&end);
    assert_int_equal(pst_loop_add(loop, &watch, end.fd, EPOLLIN), -PST_EEXIST);
    assert_int_equal(watch.fd, -1);
    close_end(&end);
}

/* Deferred work */

struct job {
    struct pst_deferred deferred;
    unsigned runs;
    struct job *defers;
    struct job *undefers;
};

static void on_job(struct pst_deferred *deferred, void *arg)
{
    struct job *job = arg;
    assert_ptr_equal(deferred, &job->deferred);
    job->runs++;
    if (job->defers != NULL)
        pst_loop_defer(loop, &job->defers->deferred);
    if (job->undefers != NULL)
        pst_loop_undefer(&job->undefers->deferred);
}

static void job_init(struct job *job)
{
    *job = (struct job){.runs = 0};
    pst_deferred_init(&job->deferred, on_job, job);
}

static void test_deferred_runs_once(void **state)
{
    (void)state;
    struct job job;
    job_init(&job);
    pst_loop_defer(loop, &job.deferred);
    pst_loop_defer(loop, &job.deferred);
    assert_int_equal(pst_loop_turn(loop, true), 0); /* does not sleep: there is work */
    assert_int_equal(job.runs, 1);
    turn();
    assert_int_equal(job.runs, 1);
    pst_loop_defer(loop, &job.deferred);
    pst_loop_undefer(&job.deferred);
    pst_loop_undefer(&job.deferred);
    turn();
    assert_int_equal(job.runs, 1);
}

static void test_deferred_chains(void **state)
{
    (void)state;
    struct job again, first, second, third;
    job_init(&again);
    job_init(&first);
    job_init(&second);
    job_init(&third);
    again.defers = &again;
    pst_loop_defer(loop, &again.deferred);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(pst_loop_turn(loop, true), 0);
        assert_int_equal(again.runs, i); /* once a turn, and never a sleep */
    }
    pst_loop_undefer(&again.deferred);
    first.undefers = &second; /* in the same batch */
    first.defers = &third;    /* in the next one */
    pst_loop_defer(loop, &first.deferred);
    pst_loop_defer(loop, &second.deferred);
    turn();
    assert_int_equal(first.runs, 1);
    assert_int_equal(second.runs, 0);
    assert_int_equal(third.runs, 0);
    turn();
    assert_int_equal(third.runs, 1);
}

static void test_drain_runs_what_is_deferred(void **state)
{
    (void)state;
    struct job first, second, endless;
    job_init(&first);
    job_init(&second);
    job_init(&endless);
    first.defers = &second;
    pst_loop_defer(loop, &first.deferred);
    pst_loop_drain(loop);
    assert_int_equal(first.runs + second.runs, 2);
    endless.defers = &endless;
    pst_loop_defer(loop, &endless.deferred);
    pst_loop_drain(loop); /* comes back */
    assert_true(endless.runs >= 1);
    pst_loop_undefer(&endless.deferred);
    pst_loop_drain(NULL);
    pst_loop_free(NULL);
}

/* Sleep */

static unsigned slept, woke;

static void before(void *arg)
{
    assert_ptr_equal(arg, &slept);
    slept++;
}

static void after(void *arg)
{
    (void)arg;
    woke++;
    assert_int_equal(slept, woke);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void test_told_of_sleep(void **state)
{
    (void)state;
    slept = woke = 0;
    pst_loop_on_sleep(loop, before, after, &slept);
    turn();
    assert_int_equal(slept, 0);
    assert_int_equal(pst_loop_post(loop, nothing, NULL), 0);
    assert_int_equal(pst_loop_turn(loop, true), 0);
    assert_int_equal(slept, 1);
    assert_int_equal(woke, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events_are_edges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writable_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_removed_in_the_same_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_freed_in_the_same_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_removes_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_events_than_a_turn_takes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_add_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deferred_runs_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deferred_chains, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drain_runs_what_is_deferred, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_told_of_sleep, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
