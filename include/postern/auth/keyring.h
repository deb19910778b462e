/* SPDX-License-Identifier: Apache-2.0 */
/* The keyring: all keys in memory, read by workers without locks, kept up to date by the keeper.
 *
 * The keeper builds snapshots: 4096 shards by id (entries) and 4096 by digest (where imported keys are
 * found). A change copies the shards it touches and the top array, then swaps one pointer. A snapshot that
 * was replaced is freed when every reader has since been idle or entered anew (quiescent-state based
 * reclamation), so a reader pays one atomic store per turn of its loop and one atomic load per check.
 *
 * Threads: open and free by the owner; refresh by one thread at a time (the keeper); enter, check,
 * still_valid and idle by the worker that owns the number `reader`, check and still_valid only between
 * enter and idle. */
#ifndef POSTERN_AUTH_KEYRING_H
#define POSTERN_AUTH_KEYRING_H

#include "postern/auth/key_format.h"
#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pst_keyring;

enum pst_key_verdict {
    PST_KEY_OK,
    PST_KEY_MALFORMED, /* cannot be a key: length, characters, checksum; nothing was looked up */
    PST_KEY_UNKNOWN,   /* no such key, or not its secret: not told apart, in time neither */
    PST_KEY_DISABLED,  /* this and the two below only after the secret was right */
    PST_KEY_EXPIRED,   /* the key, or this secret of it (rotated away, its grace period over) */
    PST_KEY_NOT_YET,
    PST_KEY_SCOPE, /* these three of pst_keyring_permits() only: method or path are in none of its scopes */
    PST_KEY_SPELLING, /* it has scopes, and the path could be read in two ways */
    PST_KEY_NETWORK,  /* the client's address is in none of its networks */
};

struct pst_key_match {
    char id[PST_KEY_ID_SIZE];
    uint64_t number;     /* pst_key_id_number() of the id; 0 while that is empty */
    uint8_t secret_slot; /* 1 or 2; 0: found by its id, without a secret */
    bool old_secret;     /* rotated away, in its grace period */
    bool has_policy;     /* it has scopes or networks: pst_keyring_permits() has something to say */
    uint64_t generation; /* which secret it was; for pst_keyring_still_valid() */
};

struct pst_keyring_stats {
    size_t keys;
    size_t bytes;            /* allocated for the current snapshot */
    uint64_t refresh_errors; /* refreshes that failed since the start */
    bool stale;              /* the last refresh failed: changes may be missing */
};

/* Loads all keys of data_dir's database, making the database and the pepper when they are not there. Logs
 * what is wrong and what to do. `n_readers` at most PST_KEYRING_MAX_READERS. 0, -PST_EINVAL, -PST_EACCES,
 * -PST_ENOENT (pepper lost), -PST_EPARSE, -PST_EDB, -PST_EVERSION, -PST_EIO, -PST_ENOMEM. */
#define PST_KEYRING_MAX_READERS 1024
int pst_keyring_open(struct pst_keyring **ret, const char *data_dir, unsigned n_readers) PST_MUSTCHECK;
/* No reader may be inside any more. NULL is fine. */
void pst_keyring_free(struct pst_keyring *ring);

/* Takes in what any process has changed since the last call and frees what no reader can see any more.
 * Returns 1 when something changed, 0 when nothing did (one small query), or a negative error: then the last
 * snapshot stays in force, and the next call tries again. The first failure of a row is logged, and the
 * recovery. */
int pst_keyring_refresh(struct pst_keyring *ring);
/* For status and metrics; the refreshing thread only. */
void pst_keyring_stats(const struct pst_keyring *ring, struct pst_keyring_stats *ret);

/* From here to idle the reader may check keys. To be called again on each turn of the loop. */
void pst_keyring_reader_enter(struct pst_keyring *ring, unsigned reader);
/* Before the loop sleeps: the reader holds nothing of the keyring. */
void pst_keyring_reader_idle(struct pst_keyring *ring, unsigned reader);

/* Whose key is `presented`, and may it be used now? `ret` is filled for OK, and also for DISABLED, EXPIRED
 * and NOT_YET (so that the log can name the key); otherwise ret->id is empty. `presented` is not kept. */
enum pst_key_verdict pst_keyring_check(struct pst_keyring *ring, unsigned reader, struct pst_str presented,
                                       int64_t now_real_us, struct pst_key_match *ret) PST_MUSTCHECK;
/* The same for an identity that something else has proved (a token, a certificate): may the key `id` be used
 * now? OK, DISABLED, EXPIRED, NOT_YET or UNKNOWN. The match has secret_slot 0 and generation 0. */
enum pst_key_verdict pst_keyring_check_id(struct pst_keyring *ring, unsigned reader, struct pst_str id,
                                          int64_t now_real_us, struct pst_key_match *ret) PST_MUSTCHECK;
/* What `postern client-cert` said of a certificate, by its SHA-256 and that of its public key. `key_id` is
 * filled when it is approved (empty: for a key whose id cannot be read), else empty. */
enum pst_certificate_standing { PST_CERTIFICATE_UNKNOWN, PST_CERTIFICATE_APPROVED, PST_CERTIFICATE_REVOKED };
enum pst_certificate_standing pst_keyring_certificate(struct pst_keyring *ring, unsigned reader,
                                                      const uint8_t sha256[static 32],
                                                      const uint8_t key_sha256[static 32],
                                                      char key_id[static PST_KEY_ID_SIZE]) PST_MUSTCHECK;
/* Whether a key that was matched may be used for this, from there: OK, SCOPE, SPELLING, NETWORK, or UNKNOWN
 * when it is gone. `path` as it goes to the container, without the query; `client`: 16 bytes, IPv4 as
 * ::ffff:a.b.c.d, the address behind trusted proxies. Allocates nothing. */
enum pst_key_verdict pst_keyring_permits(struct pst_keyring *ring, unsigned reader,
                                         const struct pst_key_match *match, struct pst_str method,
                                         struct pst_str path, const uint8_t client[static 16]) PST_MUSTCHECK;
/* Asks again for a long stream whether the secret that was matched may still be used: OK, DISABLED,
 * EXPIRED, NOT_YET, or UNKNOWN when the key was deleted or the secret rotated away. No hashing. */
enum pst_key_verdict pst_keyring_still_valid(struct pst_keyring *ring, unsigned reader,
                                             const struct pst_key_match *match,
                                             int64_t now_real_us) PST_MUSTCHECK;
/* A short stable text for logs: "ok", "malformed", "unknown", "disabled", "expired", "not_yet", "scope",
 * "spelling", "network". Static. */
const char *pst_key_verdict_text(enum pst_key_verdict verdict);

#endif
