-- SPDX-License-Identifier: Apache-2.0
-- Keys. What the keyring reads comes first in the row, so that a load of all keys never looks at the rest.
-- Times are microseconds since 1970; NULL is "not set". state: 0 active, 1 disabled, 2 deleted (a tombstone).

CREATE TABLE key (
    id             TEXT    NOT NULL UNIQUE,
    state          INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    expires_us     INTEGER,
    not_before_us  INTEGER,
    change_seq     INTEGER NOT NULL,
    digest1        BLOB CHECK (length(digest1) = 32),
    digest2        BLOB CHECK (length(digest2) = 32),
    imported1      INTEGER NOT NULL DEFAULT 0,
    imported2      INTEGER NOT NULL DEFAULT 0,
    -- The secret before it, which works until its moment.
    old_digest1    BLOB CHECK (length(old_digest1) = 32),
    old_digest2    BLOB CHECK (length(old_digest2) = 32),
    old_imported1  INTEGER NOT NULL DEFAULT 0,
    old_imported2  INTEGER NOT NULL DEFAULT 0,
    old_until1_us  INTEGER,
    old_until2_us  INTEGER,
    scopes         TEXT,
    networks       TEXT,
    limits         TEXT,

    name           TEXT    NOT NULL,
    note           TEXT,
    tags           TEXT,
    created_us     INTEGER NOT NULL,
    updated_us     INTEGER NOT NULL,
    prefix1        TEXT,
    prefix2        TEXT,
    last4_1        TEXT,
    last4_2        TEXT,
    old_last4_1    TEXT,
    old_last4_2    TEXT,
    created1_us    INTEGER,
    created2_us    INTEGER
) STRICT;

-- "What changed since": a running gateway asks this every turn of its keeper.
CREATE INDEX key_change_seq ON key (change_seq);

-- Imported secrets are found by their digest, so no two keys may have the same.
CREATE UNIQUE INDEX key_imported1 ON key (digest1) WHERE imported1 = 1;
CREATE UNIQUE INDEX key_imported2 ON key (digest2) WHERE imported2 = 1;
CREATE INDEX key_old_imported1 ON key (old_digest1) WHERE old_imported1 = 1;
CREATE INDEX key_old_imported2 ON key (old_digest2) WHERE old_imported2 = 1;

-- What there is to purge.
CREATE INDEX key_deleted ON key (updated_us) WHERE state = 2;
CREATE INDEX key_old_until1 ON key (old_until1_us) WHERE old_until1_us IS NOT NULL;
CREATE INDEX key_old_until2 ON key (old_until2_us) WHERE old_until2_us IS NOT NULL;

-- The last change_seq given out. A table, not max(change_seq): purging must not make it go back.
CREATE TABLE change (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT;
INSERT INTO change VALUES (1, 0);
