-- A table t (k bigint, v bigint) with an index on k, for the pgbench scripts beside this file. By hand:
--
--   psql -v rows=1000000 -v method=omendb -f bench/pgbench/load.sql
--
-- The keys are spread over the whole range of bigint, without duplicates; the table is in random order of keys.
-- To compare, run a script, put the other index in place of this one, and run it again:
--
--   DROP INDEX t_k; CREATE INDEX t_k ON t USING btree (k); VACUUM t;

\if :{?rows}
\else
  \set rows 1000000
\endif
\if :{?method}
\else
  \set method omendb
\endif

CREATE TABLE t (k bigint NOT NULL, v bigint NOT NULL);

-- Key number i is a hash of i: a permutation of the 32-bit numbers (two rounds of multiply and shift) above 32 bits of
-- i times an odd number. pgbench's expressions can compute it, too.
INSERT INTO t
SELECT (z # (z >> 15)) << 32 | ((i * 1935289751) & 4294967295), (y >> 3) & 1048575
FROM (SELECT i, y, ((y # (y >> 15)) * 1935289751) & 4294967295 AS z
      FROM (SELECT i, ((i # (i >> 16)) * 569420461) & 4294967295 AS y
            FROM generate_series(1::bigint, :rows) i) first_round) second_round;

CREATE INDEX t_k ON t USING :method (k);
VACUUM (ANALYZE, FREEZE) t;
