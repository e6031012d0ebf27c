-- Count of the keys in a random range of the table that load.sql makes; about :width keys on average. By hand:
--
--   pgbench -n -M prepared -T 15 -D rows=1000000 -D width=100 -f bench/pgbench/range.sql
--
-- rows is the number that load.sql was given. The bounds are drawn as their upper 32 bits.

\set span 4294967296 * :width / :rows
\set start random(-2147483648, 2147483647 - :span)
\set low :start << 32
\set high (:start + :span) << 32
SELECT count(*) FROM t WHERE k BETWEEN :low AND :high;
