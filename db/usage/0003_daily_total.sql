-- SPDX-License-Identifier: Apache-2.0
-- The sums of a day over all keys and routes: what people look at first, and where many keys make the table of
-- days long.

CREATE TABLE daily_total (
    day              INTEGER NOT NULL,
    status           INTEGER NOT NULL,
    requests         INTEGER NOT NULL,
    bytes_in         INTEGER NOT NULL,
    bytes_out        INTEGER NOT NULL,
    duration_us      INTEGER NOT NULL,
    duration_max_us  INTEGER NOT NULL,
    ttfb_us          INTEGER NOT NULL,
    PRIMARY KEY (day, status)
) STRICT, WITHOUT ROWID;
INSERT INTO daily_total
SELECT day, status, sum(requests), sum(bytes_in), sum(bytes_out), sum(duration_us), max(duration_max_us), sum(ttfb_us)
FROM daily GROUP BY day, status;
