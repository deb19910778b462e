/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong admin tokens, counted by address. After a few of them within a minute no token of that address is
 * looked at until the minute is over; sessions are not touched. A bounded table: a new address takes the
 * place of the one whose minute began first. Under the admin side's lock. */
#ifndef POSTERN_ADMIN_GUESSES_H
#define POSTERN_ADMIN_GUESSES_H

#include <stdbool.h>
#include <stdint.h>

#define ADMIN_GUESSES_MAX       10
#define ADMIN_GUESSES_WINDOW_US (INT64_C(60) * 1000000)
#define ADMIN_GUESSES_PLACES    1024
/* So many are written into the audit trail in an hour, of all addresses: nobody from outside fills the disk.
 */
#define ADMIN_GUESSES_NOTED_MAX 60
#define ADMIN_GUESSES_NOTED_US  (INT64_C(3600) * 1000000)

struct admin_guesses {
    struct admin_guess {
        uint8_t address[16]; /* of IPv6 the first 8 bytes: a network is one party */
        unsigned n;          /* 0: free */
        int64_t since_us;
    } at[ADMIN_GUESSES_PLACES];
    unsigned noted;
    int64_t noted_since_us;
};

/* Seconds that the address must wait, 0 when it may try. */
unsigned admin_guesses_wait_s(const struct admin_guesses *guesses, const uint8_t address[static 16],
                              int64_t now_us);
/* The count of this address's minute, this one with it. */
unsigned admin_guesses_add(struct admin_guesses *guesses, const uint8_t address[static 16], int64_t now_us);
/* Whether the `n`th belongs into the audit trail: the first of a minute and the one that ends its tries. */
bool admin_guesses_is_noted(struct admin_guesses *guesses, unsigned n, int64_t now_us);

#endif
