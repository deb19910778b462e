/* SPDX-License-Identifier: Apache-2.0 */
/* Readers that check while the keyring changes under them. What this is for shows under the sanitizers: a
 * snapshot freed too early (ASan), a field read without order (TSan). */
#include "postern/auth/keyring.h"

#include "postern/base/clock.h"
#include "rig.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define READERS   4
#define CHANGES   300
#define AZURE     "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define DAY_US    (INT64_C(86400) * 1000000)
#define CHECKS_IN 16 /* a turn */

static struct rig rig;
static struct pst_keys *keys;
static struct pst_keyring *ring;
static struct pst_key_made stable, toggled, rotated, imported;
static atomic_bool stop;

struct reader {
    pthread_t thread;
    unsigned number;
    uint64_t checks;
    uint64_t seen[PST_KEY_NOT_YET + 1]; /* verdicts of the key that is switched off and on */
    uint64_t faults;
};

static void check_all(struct reader *reader)
{
    struct pst_key_match match;
    int64_t now_us = pst_clock_real_us();
    unsigned number = reader->number;
    for (int i = 0; i < CHECKS_IN; i++) {
        bool ok = pst_keyring_check(ring, number, pst_secret_str(&stable.secrets[i % 2]), now_us, &match) ==
                      PST_KEY_OK &&
                  strcmp(match.id, stable.id) == 0 && match.secret_slot == i % 2 + 1 &&
                  pst_keyring_still_valid(ring, number, &match, now_us) == PST_KEY_OK;
        /* Its other secret is rotated all the time. */
        enum pst_key_verdict verdict =
            pst_keyring_check(ring, number, pst_secret_str(&rotated.secrets[1]), now_us, &match);
        ok = ok && verdict == PST_KEY_OK && strcmp(match.id, rotated.id) == 0;
        verdict = pst_keyring_check(ring, number, PST_STR(AZURE), now_us, &match);
        ok = ok && verdict == PST_KEY_OK && strcmp(match.id, imported.id) == 0;
        verdict = pst_keyring_check(ring, number, pst_secret_str(&toggled.secrets[0]), now_us, &match);
        ok = ok && (verdict == PST_KEY_OK || verdict == PST_KEY_DISABLED);
        reader->seen[verdict]++;
        reader->checks += 4;
        reader->faults += !ok;
    }
}

/* As a worker: turns of the loop, some of them asleep in between, most not. */
static void *read_keys(void *arg)
{
    struct reader *reader = arg;
    for (unsigned turn = 0; !atomic_load(&stop); turn++) {
        pst_keyring_reader_enter(ring, reader->number);
        check_all(reader);
        if (turn % 4 == reader->number) {
            pst_keyring_reader_idle(ring, reader->number);
            sched_yield();
        }
    }
    pst_keyring_reader_idle(ring, reader->number);
    return NULL;
}

static void change(int i)
{
    struct pst_why why;
    assert_int_equal(pst_keys_enable(keys, pst_str_of(toggled.id), i % 2 == 1, &why), 0);
    rig_rotate(keys, rotated.id, 1, DAY_US);
    struct pst_key_made other = rig_make(keys, "comes and goes");
    assert_int_equal(pst_keyring_refresh(ring), 1);
    if (i % 3 > 0)
        assert_int_equal(pst_keys_remove(keys, pst_str_of(other.id), &why), 0);
    assert_true(pst_keyring_refresh(ring) >= 0);
}

static void test_readers(void **state)
{
    (void)state;
    struct reader readers[READERS] = {0};
    rig_init(&rig);
    keys = rig_keys(&rig);
    stable = rig_make(keys, "stable");
    toggled = rig_make(keys, "toggled");
    rotated = rig_make(keys, "rotated");
    imported = rig_import(keys, "imported", AZURE, NULL);
    assert_int_equal(pst_keyring_open(&ring, rig.dir, READERS), 0);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].number = i;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_keys, &readers[i]), 0);
    }
    for (int i = 0; i < CHANGES; i++)
        change(i);
    atomic_store(&stop, true);
    uint64_t checks = 0, seen[2] = {0};
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_true(readers[i].faults == 0);
        assert_true(readers[i].checks > 0);
        checks += readers[i].checks;
        seen[0] += readers[i].seen[PST_KEY_OK];
        seen[1] += readers[i].seen[PST_KEY_DISABLED];
    }
    assert_true(seen[0] > 0 && seen[1] > 0); /* changes did reach the readers */
    print_message("%d changes under %llu checks of %d readers\n", CHANGES, (unsigned long long)checks,
                  READERS);
    pst_keyring_free(ring);
    pst_keys_service_close(keys);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
