-- SPDX-License-Identifier: Apache-2.0
-- The name of the error that a request ended with, the endpoint it was forwarded to, and the rule of the setting
-- `routes` that held for it, in requests; error and endpoint in the sums, too.

-- What rows below name by number; 0 is none.
CREATE TABLE name (
    name  INTEGER PRIMARY KEY,
    text  TEXT NOT NULL UNIQUE
) STRICT;

ALTER TABLE request ADD COLUMN error INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request ADD COLUMN endpoint INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request ADD COLUMN rule INTEGER NOT NULL DEFAULT 0;

-- Of the sums `what` is method | error << 8 | endpoint << 24: so the key of millions of rows need not be built anew
-- while a gateway waits to start.
ALTER TABLE hourly RENAME COLUMN method TO what;
ALTER TABLE daily RENAME COLUMN method TO what;

DROP VIEW requests;
CREATE VIEW requests AS
SELECT n, strftime('%Y-%m-%dT%H:%M:%f', time_us / 1e6, 'unixepoch') || 'Z' AS time,
       key.id AS key_id, what >> 16 & 3 AS secret, what >> 26 & 1 AS old_secret, what >> 10 & 15 AS method,
       route.path AS route, what & 1023 AS status, bytes_in, bytes_out, duration_us, ttfb_us,
       hex(client) AS client, what >> 18 & 15 AS ended, e.text AS error, u.text AS rule, c.text AS endpoint,
       what >> 48 & 255 AS attempts, what >> 22 & 15 AS tls, what >> 32 & 65535 AS port,
       CASE typeof(request_id) WHEN 'text' THEN request_id ELSE lower(hex(request_id)) END AS request_id
FROM request LEFT JOIN key USING (key) LEFT JOIN route USING (route)
     LEFT JOIN name e ON e.name = request.error LEFT JOIN name u ON u.name = request.rule
     LEFT JOIN name c ON c.name = request.endpoint;
