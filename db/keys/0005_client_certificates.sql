-- SPDX-License-Identifier: Apache-2.0
-- Client certificates that were approved for a key, or revoked. digest: SHA-256 of the certificate, or with of_key of its
-- public key (SubjectPublicKeyInfo). key_id is NULL for one that was revoked without ever having been approved. Times are
-- microseconds since 1970; NULL is "not set". change_seq is that of change, so that a running gateway sees it.
CREATE TABLE client_certificate (
    digest        BLOB    PRIMARY KEY CHECK (length(digest) = 32),
    of_key        INTEGER NOT NULL CHECK (of_key IN (0, 1)),
    key_id        TEXT,
    subject       TEXT,
    not_after_us  INTEGER,
    created_us    INTEGER NOT NULL,
    revoked_us    INTEGER,
    change_seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX client_certificate_change ON client_certificate (change_seq);
