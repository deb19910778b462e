-- SPDX-License-Identifier: Apache-2.0
-- Which requests were without a key: anybody can make as many of those as they like, so only the newest are kept one
-- by one. Those from before are not among them; they go when their time is over.
CREATE TABLE keyless (
    n  INTEGER PRIMARY KEY -- of request
) STRICT;
CREATE TRIGGER keyless_gone AFTER DELETE ON request WHEN old.key = 0
BEGIN
    DELETE FROM keyless WHERE n = old.n;
END;
