-- SPDX-License-Identifier: Apache-2.0
-- Tells the pepper that the digests here were made under from another one: an HMAC under a key derived from it. Written with
-- the first secret that is made; not there before.
CREATE TABLE pepper_check (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    digest  BLOB    NOT NULL CHECK (length(digest) = 32)
) STRICT;

-- What an Idempotency-Key made is noted with the key from now on; there are no requests that are under way.
DELETE FROM idempotency WHERE key_id = '';
