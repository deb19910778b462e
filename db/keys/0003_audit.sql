-- SPDX-License-Identifier: Apache-2.0
-- Who changed what: append-only, each row's hash made over the hash before it and all of the row.
-- before, after: JSON objects of what changed; NULL where there was nothing before, or is nothing after.

CREATE TABLE audit (
    n           INTEGER PRIMARY KEY,
    time_us     INTEGER NOT NULL,
    actor_kind  TEXT    NOT NULL,
    actor_id    TEXT    NOT NULL,
    actor_name  TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    target      TEXT    NOT NULL,
    before      TEXT,
    after       TEXT,
    hash        BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX audit_target ON audit (target);

-- Where the trail begins: the last row that retention forgot, and its hash, which the next row was made over.
CREATE TABLE audit_start (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    n     INTEGER NOT NULL,
    hash  BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO audit_start VALUES (1, 0, zeroblob(32));

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

-- Also against INSERT OR REPLACE, which would delete without a trigger.
CREATE TRIGGER audit_in_turn BEFORE INSERT ON audit
WHEN new.n IS NOT 1 + coalesce((SELECT max(n) FROM audit), (SELECT n FROM audit_start))
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
WHEN old.n > (SELECT n FROM audit_start)
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

CREATE TRIGGER audit_start_forward BEFORE UPDATE ON audit_start
WHEN new.n < old.n
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

CREATE TRIGGER audit_start_stays BEFORE DELETE ON audit_start
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
