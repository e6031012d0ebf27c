-- The next ten rows in order of k after a random start, in the table that load.sql makes. By hand:
--
--   pgbench -n -M prepared -T 15 -f bench/pgbench/order_limit.sql

\set low random(-2147483648, 2147483647) << 32
SELECT k, v FROM t WHERE k >= :low ORDER BY k LIMIT 10;
