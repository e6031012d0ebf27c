-- Insert of one row with a random key into the table that load.sql makes. By hand:
--
--   pgbench -n -M prepared -T 15 -f bench/pgbench/insert.sql
--
-- Each row is a transaction: with synchronous_commit = on this measures mostly the disk.

\set k random(-2147483648, 2147483647) << 32 | random(0, 4294967295)
INSERT INTO t VALUES (:k, 0);
