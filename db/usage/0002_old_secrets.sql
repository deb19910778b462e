-- SPDX-License-Identifier: Apache-2.0
-- Requests with a secret that was rotated away and still works, by the minute (since 1970), so that those since
-- a rotation can be counted; and uses of a key that was proven without a secret (a token, a certificate).

CREATE TABLE old_use (
    key       INTEGER NOT NULL,
    slot      INTEGER NOT NULL,
    minute    INTEGER NOT NULL,
    requests  INTEGER NOT NULL,
    last_us   INTEGER NOT NULL,
    PRIMARY KEY (key, slot, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX old_use_minute ON old_use (minute);

ALTER TABLE key ADD COLUMN last0_us INTEGER NOT NULL DEFAULT 0;

DROP VIEW requests;
CREATE VIEW requests AS
SELECT n, strftime('%Y-%m-%dT%H:%M:%f', time_us / 1e6, 'unixepoch') || 'Z' AS time,
       key.id AS key_id, what >> 16 & 3 AS secret, what >> 26 & 1 AS old_secret, what >> 10 & 15 AS method,
       route.path AS route, what & 1023 AS status, bytes_in, bytes_out, duration_us, ttfb_us,
       hex(client) AS client, what >> 18 & 15 AS ended, what >> 22 & 15 AS tls, what >> 32 & 65535 AS port,
       CASE typeof(request_id) WHEN 'text' THEN request_id ELSE lower(hex(request_id)) END AS request_id
FROM request LEFT JOIN key USING (key) LEFT JOIN route USING (route);
