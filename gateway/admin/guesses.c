/* SPDX-License-Identifier: Apache-2.0 */
#include "guesses.h"

#include <stddef.h>
#include <string.h>

static void network_of(const uint8_t address[static 16], uint8_t network[static 16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(network, address, 16);
    if (memcmp(address, mapped, sizeof(mapped)) != 0)
        memset(network + 8, 0, 8);
}

static bool is_over(const struct admin_guess *guess, int64_t now_us)
{
    return guess->n == 0 || now_us >= guess->since_us + ADMIN_GUESSES_WINDOW_US || now_us < guess->since_us;
}

unsigned admin_guesses_wait_s(const struct admin_guesses *guesses, const uint8_t address[static 16],
                              int64_t now_us)
{
    uint8_t network[16];
    network_of(address, network);
    for (size_t i = 0; i < ADMIN_GUESSES_PLACES; i++) {
        const struct admin_guess *guess = &guesses->at[i];
        if (is_over(guess, now_us) || memcmp(guess->address, network, 16) != 0)
            continue;
        if (guess->n < ADMIN_GUESSES_MAX)
            return 0;
        return (unsigned)((guess->since_us + ADMIN_GUESSES_WINDOW_US - now_us + 999999) / 1000000);
    }
    return 0;
}

unsigned admin_guesses_add(struct admin_guesses *guesses, const uint8_t address[static 16], int64_t now_us)
{
    uint8_t network[16];
    struct admin_guess *place = &guesses->at[0];
    network_of(address, network);
    for (size_t i = 0; i < ADMIN_GUESSES_PLACES; i++) {
        struct admin_guess *guess = &guesses->at[i];
        bool over = is_over(guess, now_us);
        if (!over && memcmp(guess->address, network, 16) == 0) {
            return ++guess->n;
        }
        if (over)
            guess->n = 0;
        if (guess->n == 0 ? place->n != 0 : place->n != 0 && guess->since_us < place->since_us)
            place = guess;
    }
    memcpy(place->address, network, 16);
    place->n = 1;
    place->since_us = now_us;
    return 1;
}

bool admin_guesses_is_noted(struct admin_guesses *guesses, unsigned n, int64_t now_us)
{
    if (n != 1 && n != ADMIN_GUESSES_MAX)
        return false;
    if (now_us < guesses->noted_since_us || now_us >= guesses->noted_since_us + ADMIN_GUESSES_NOTED_US) {
        guesses->noted_since_us = now_us;
        guesses->noted = 0;
    }
    return guesses->noted++ < ADMIN_GUESSES_NOTED_MAX;
}
