-- SPDX-License-Identifier: Apache-2.0
-- Tokens for the admin side. role: 1 viewer, 2 admin. Times are microseconds since 1970; NULL is "not set".

CREATE TABLE admin_token (
    id          TEXT    NOT NULL UNIQUE,
    name        TEXT    NOT NULL,
    role        INTEGER NOT NULL CHECK (role BETWEEN 1 AND 2),
    digest      BLOB    NOT NULL CHECK (length(digest) = 32),
    created_us  INTEGER NOT NULL,
    expires_us  INTEGER,
    revoked_us  INTEGER,
    used_us     INTEGER
) STRICT;
