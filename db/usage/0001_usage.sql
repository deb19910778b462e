-- SPDX-License-Identifier: Apache-2.0
-- Usage. Times are microseconds since 1970 (UTC), hours and days are counted since 1970.

-- Dictionaries: rows below name keys and routes by number. Key 0 is "no key".
CREATE TABLE key (
    key       INTEGER PRIMARY KEY,
    id        TEXT    NOT NULL UNIQUE,
    last1_us  INTEGER NOT NULL DEFAULT 0, -- when its first and second secret were last used
    last2_us  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE route (
    route  INTEGER PRIMARY KEY,
    path   TEXT NOT NULL UNIQUE
) STRICT;

-- One row per request, in the order they were written; see the view below for `what`.
CREATE TABLE request (
    n            INTEGER PRIMARY KEY,
    time_us      INTEGER NOT NULL,
    duration_us  INTEGER NOT NULL,
    ttfb_us      INTEGER NOT NULL,
    bytes_in     INTEGER NOT NULL,
    bytes_out    INTEGER NOT NULL,
    key          INTEGER NOT NULL,
    route        INTEGER NOT NULL,
    what         INTEGER NOT NULL,
    client       BLOB    NOT NULL, -- 4 or 16 bytes
    request_id   ANY               -- 16 bytes when it is 32 lower-case hex digits, else text
) STRICT;

-- Which rows lie in which time: a sparse index over request, one row for some thousand.
CREATE TABLE span (
    first   INTEGER PRIMARY KEY,
    last    INTEGER NOT NULL,
    min_us  INTEGER NOT NULL,
    max_us  INTEGER NOT NULL
) STRICT;

CREATE TABLE hourly (
    hour             INTEGER NOT NULL,
    key              INTEGER NOT NULL,
    slot             INTEGER NOT NULL,
    route            INTEGER NOT NULL,
    method           INTEGER NOT NULL,
    status           INTEGER NOT NULL,
    requests         INTEGER NOT NULL,
    bytes_in         INTEGER NOT NULL,
    bytes_out        INTEGER NOT NULL,
    duration_us      INTEGER NOT NULL,
    duration_max_us  INTEGER NOT NULL,
    ttfb_us          INTEGER NOT NULL,
    PRIMARY KEY (hour, key, slot, route, method, status)
) STRICT, WITHOUT ROWID;

CREATE TABLE daily (
    day              INTEGER NOT NULL,
    key              INTEGER NOT NULL,
    slot             INTEGER NOT NULL,
    route            INTEGER NOT NULL,
    method           INTEGER NOT NULL,
    status           INTEGER NOT NULL,
    requests         INTEGER NOT NULL,
    bytes_in         INTEGER NOT NULL,
    bytes_out        INTEGER NOT NULL,
    duration_us      INTEGER NOT NULL,
    duration_max_us  INTEGER NOT NULL,
    ttfb_us          INTEGER NOT NULL,
    PRIMARY KEY (day, key, slot, route, method, status)
) STRICT, WITHOUT ROWID;

-- How far each journal is in the tables above: written with its rows, in one transaction.
CREATE TABLE journal (
    uuid     BLOB PRIMARY KEY CHECK (length(uuid) = 16),
    drained  INTEGER NOT NULL,
    lost     INTEGER NOT NULL -- of the journal's count of losses, what is in the table below
) STRICT, WITHOUT ROWID;

-- Requests that were served and could not be counted.
CREATE TABLE loss (
    hour      INTEGER PRIMARY KEY,
    requests  INTEGER NOT NULL
) STRICT;

-- Up to where the sums have been forgotten (hours, days).
CREATE TABLE horizon (
    name   TEXT PRIMARY KEY,
    value  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO horizon VALUES ('hourly', 0), ('daily', 0);

-- For people with a sqlite3 shell.
CREATE VIEW requests AS
SELECT n, strftime('%Y-%m-%dT%H:%M:%f', time_us / 1e6, 'unixepoch') || 'Z' AS time,
       key.id AS key_id, what >> 16 & 3 AS secret, what >> 10 & 15 AS method, route.path AS route,
       what & 1023 AS status, bytes_in, bytes_out, duration_us, ttfb_us, hex(client) AS client,
       what >> 18 & 15 AS ended, what >> 22 & 15 AS tls, what >> 32 & 65535 AS port,
       CASE typeof(request_id) WHEN 'text' THEN request_id ELSE lower(hex(request_id)) END AS request_id
FROM request LEFT JOIN key USING (key) LEFT JOIN route USING (route);
