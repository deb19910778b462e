-- SPDX-License-Identifier: Apache-2.0
-- What was asked with an Idempotency-Key: digests of who asked with which key, and of the body. key_id is empty from
-- before the key is made until it is.
CREATE TABLE idempotency (
    asked    BLOB    PRIMARY KEY CHECK (length(asked) = 32),
    body     BLOB    NOT NULL CHECK (length(body) = 32),
    key_id   TEXT    NOT NULL,
    time_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_time ON idempotency (time_us);
