-- Point select of a random existing key of the table that load.sql makes. By hand:
--
--   pgbench -n -M prepared -T 15 -D rows=1000000 -f bench/pgbench/point.sql
--
-- rows is the number that load.sql was given.

\set i random(1, :rows)
\set y (:i # (:i >> 16)) * 569420461 & 4294967295
\set z (:y # (:y >> 15)) * 1935289751 & 4294967295
\set k ((:z # (:z >> 15)) << 32) | (:i * 1935289751 & 4294967295)
SELECT v FROM t WHERE k = :k;
