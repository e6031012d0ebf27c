-- Omendb Lookup Join: when it is chosen, what EXPLAIN shows, and that it returns what other joins do.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

-- Make the planner join so, if it can, or as without us, until the end of the transaction or the calling function.
CREATE FUNCTION force_join(ours boolean) RETURNS void LANGUAGE sql AS $$
  SELECT set_config('omendb.enable_lookup_join', ours::text, true), set_config('enable_hashjoin', (NOT ours)::text, true),
         set_config('enable_mergejoin', (NOT ours)::text, true), set_config('enable_nestloop', (NOT ours)::text, true),
         set_config('enable_memoize', (NOT ours)::text, true), set_config('enable_sort', (NOT ours)::text, true)
$$;

-- Does a query return the same rows by a lookup join as by others?
CREATE FUNCTION compare_join(query text, ordered boolean DEFAULT false) RETURNS text LANGUAGE plpgsql
SET enable_hashjoin = on SET enable_mergejoin = on SET enable_nestloop = on SET enable_memoize = on SET enable_sort = on SET omendb.enable_lookup_join = off AS $$
DECLARE
  digest text := digest_query(query, ordered);
  expected record;
  got record;
  plan text;
BEGIN
  PERFORM force_join(false);
  EXECUTE digest INTO expected;
  PERFORM force_join(true);
  plan := plan_of(digest);
  EXECUTE digest INTO got;
  RETURN CASE WHEN plan !~ '\mOmendb Lookup Join\M' THEN E'no lookup join:\n' || plan
              WHEN ordered AND plan ~ '\mSort\M' THEN 'sorted'
              WHEN got IS DISTINCT FROM expected THEN format('DIFFERENT: %s rows instead of %s', got.count, expected.count)
              ELSE format('same, %s rows', expected.count) END;
END $$;

-- t: few rows a key, but 3,000 of key 17, more than a page has; NULLs. Leaves of many kinds: k alone, (k, m), sparse.
CREATE TABLE t (k int8, m int4, v text, w float8) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT n % 4000, n % 10, 'value ' || n, n FROM generate_series(1, 12000) AS n;
INSERT INTO t SELECT 17, n % 10, 'of many ' || n, -n FROM generate_series(1, 3000) AS n;
INSERT INTO t SELECT nullif(n, n), n, 'no key', n FROM generate_series(1, 50) AS n;
INSERT INTO t SELECT n, nullif(n % 3, 0), NULL, NULL FROM generate_series(4000, 4100) AS n;
CREATE INDEX t_km ON t USING omendb (k, m) INCLUDE (w);
CREATE TABLE o (id int4, x int8, y int4, s text) WITH (autovacuum_enabled = off);
INSERT INTO o SELECT n, CASE WHEN n % 7 > 0 THEN n * 37 % 5000 END, n % 11, 'row ' || n FROM generate_series(1, 3000) AS n;
INSERT INTO o VALUES (3001, 17, 3, NULL), (3002, 17, NULL, 'again');
CREATE INDEX o_id ON o USING omendb (id);
VACUUM ANALYZE t, o;
SET omendb.enable_lookup_join = on;

-- What it looks like.
BEGIN;
SELECT force_join(true) \g /dev/null
EXPLAIN (COSTS OFF) SELECT o.s, t.v FROM o JOIN t ON t.k = o.x;
EXPLAIN (COSTS OFF) SELECT o.s, t.w FROM o LEFT JOIN t AS "T 2" ON "T 2".k = o.x + 1 AND "T 2".m = o.y AND "T 2".w > o.id JOIN t ON t.k = "T 2".k WHERE "T 2".w IS NULL OR "T 2".w > 5;
EXPLAIN (COSTS OFF, VERBOSE) SELECT o.s, t.w FROM o LEFT JOIN t ON t.k = o.x AND t.m = 3 AND t.v > 'value 5';
EXPLAIN (COSTS OFF) SELECT * FROM o WHERE EXISTS (SELECT FROM t WHERE t.k = o.x AND t.m < o.y);
EXPLAIN (COSTS OFF) SELECT * FROM o WHERE NOT EXISTS (SELECT FROM t WHERE t.k = o.x);
EXPLAIN (COSTS OFF, ANALYZE, TIMING OFF, SUMMARY OFF) SELECT o.s, t.v FROM o JOIN t ON t.k = o.x AND t.v LIKE '%7' AND o.id > 1000;
EXPLAIN (COSTS OFF, ANALYZE, TIMING OFF, SUMMARY OFF, FORMAT JSON) SELECT o.s, t.w FROM o JOIN t ON t.k = o.x AND t.m = o.y;
-- The outer side's order is kept.
EXPLAIN (COSTS OFF) SELECT o.id, t.v FROM o JOIN t ON t.k = o.x WHERE o.id > 5 ORDER BY o.id LIMIT 10;
-- The rows of a duplicate-free outer side.
EXPLAIN (COSTS OFF) SELECT v FROM t WHERE k IN (SELECT y FROM o);
COMMIT;
-- Chosen where it costs less, also with few rows.
EXPLAIN (COSTS OFF) SELECT o.s, t.v FROM o JOIN t ON t.k = o.x AND t.m = o.y WHERE o.id < 100;
EXPLAIN (COSTS OFF) SELECT o.s, t.v FROM o JOIN t ON t.k = o.x LIMIT 1;
EXPLAIN (COSTS OFF) SELECT o.s, t.v FROM o JOIN t ON t.k = o.x;
SET omendb.enable_lookup_join = off;
EXPLAIN (COSTS OFF) SELECT o.s, t.v FROM o JOIN t ON t.k = o.x AND t.m = o.y WHERE o.id < 100;
SET omendb.enable_lookup_join = on;

-- Not where rows may be asked for again one by one, where the inner side depends on more, or where the condition is
-- another.
BEGIN;
SELECT force_join(true) \g /dev/null
EXPLAIN (COSTS OFF) SELECT o.s, t.v FROM o JOIN t ON t.k = o.x FOR UPDATE OF o;
EXPLAIN (COSTS OFF) UPDATE t SET v = o.s FROM o WHERE t.k = o.x;
EXPLAIN (COSTS OFF) DELETE FROM t USING o WHERE t.k = o.x;
EXPLAIN (COSTS OFF) SELECT o.s, t.v FROM o JOIN t ON t.k > o.x AND t.k < 9;
EXPLAIN (COSTS OFF) SELECT o.s, t.v FROM o JOIN t ON t.m = o.x;
EXPLAIN (COSTS OFF) SELECT o.s, t.v FROM o JOIN t ON t.k = o.x OR t.k = o.y;
EXPLAIN (COSTS OFF) SELECT o.s, t.ctid FROM o JOIN t ON t.k = o.x;
EXPLAIN (COSTS OFF) SELECT o.s, t FROM o JOIN t ON t.k = o.x;
EXPLAIN (COSTS OFF) INSERT INTO o SELECT o.id, t.k FROM o JOIN t ON t.k = o.x;
COMMIT;

-- All kinds of join, with NULLs, duplicates on both sides, more rows than a page has of one key, index-only and not.
SELECT q, compare_join(q) FROM unnest('{
  SELECT o.*\, t.* FROM o JOIN t ON t.k = o.x,
  SELECT o.*\, t.* FROM o LEFT JOIN t ON t.k = o.x,
  SELECT o.* FROM o WHERE EXISTS (SELECT FROM t WHERE t.k = o.x),
  SELECT o.* FROM o WHERE NOT EXISTS (SELECT FROM t WHERE t.k = o.x),
  SELECT o.id\, t.k\, t.w\, t.m FROM o JOIN t ON t.k = o.x,
  SELECT o.id\, t.k\, t.w FROM o LEFT JOIN t ON t.k = o.x AND t.m = o.y,
  SELECT o.id\, t.v FROM o JOIN t ON t.k = o.x AND t.m = o.y AND t.w > o.id,
  SELECT o.id\, t.v FROM o LEFT JOIN t ON t.k = o.x AND t.v LIKE ''%7'',
  SELECT o.id\, t.v FROM o LEFT JOIN t ON t.k = o.x WHERE t.v IS NULL OR t.w < 5000,
  SELECT o.id\, t.v FROM o LEFT JOIN t ON t.k = o.x AND o.id > 2000,
  SELECT o.id FROM o WHERE EXISTS (SELECT FROM t WHERE t.k = o.x AND t.v = ''of many 2999''),
  SELECT o.id FROM o WHERE NOT EXISTS (SELECT FROM t WHERE t.k = o.x AND t.v = ''of many 2999''),
  SELECT o.id FROM o WHERE NOT EXISTS (SELECT FROM t WHERE t.k = o.x AND t.w < o.y),
  SELECT o.id\, t.m FROM o JOIN t ON t.k = o.id * 2 - 5 AND t.m = abs(o.y) % 10,
  SELECT o.id\, t.m FROM o JOIN t ON t.k = 17 AND t.m = o.y WHERE o.id < 20,
  SELECT count(*)\, o.s FROM o JOIN t ON t.k = o.x GROUP BY o.s,
  SELECT v FROM t WHERE k IN (SELECT y FROM o),
  SELECT o.id\, t.v FROM o JOIN t ON t.k = o.x AND (t.m = o.y OR t.m = 3),
  SELECT a.id\, b.v\, c.w FROM o a JOIN t b ON b.k = a.x AND b.m = a.y LEFT JOIN t c ON c.k = b.k + 1}'::text[]) AS q;
-- Columns of all kinds, one by one and in pairs: before and behind ones of variable length, null, dropped, added with and
-- without a default; of rows with and without nulls.
CREATE TABLE join_columns (k int4, a int2, gone int8, b int8, c name, d text, e numeric) WITH (autovacuum_enabled = off);
INSERT INTO join_columns SELECT n, n, n, -n, n::text, repeat('d', n % 200), n / 16.0 FROM generate_series(1, 300) AS n;
ALTER TABLE join_columns DROP COLUMN gone, ADD COLUMN f int8 DEFAULT 77, ADD COLUMN g text DEFAULT 'later', ADD COLUMN h int2;
INSERT INTO join_columns
SELECT n, nullif(n % 3, 0), nullif(n % 4, 0), nullif(n % 5, 0)::text, CASE WHEN n % 6 > 0 THEN repeat('d', n % 200) END, nullif(n % 7, 0), nullif(n % 11, 0)
FROM generate_series(301, 700) AS n;
CREATE INDEX join_columns_k ON join_columns USING omendb (k);
VACUUM ANALYZE join_columns;
SELECT result, count(*) FROM pg_attribute AS x, pg_attribute AS y,
  compare_join(format('SELECT o.id, j.%I, j.%I AS again FROM o LEFT JOIN join_columns AS j ON j.k = o.id', x.attname, y.attname)) AS result
WHERE x.attrelid = 'join_columns'::regclass AND x.attnum > 1 AND NOT x.attisdropped
  AND y.attrelid = 'join_columns'::regclass AND y.attnum > 1 AND NOT y.attisdropped
GROUP BY 1;
-- In the order of the outer side.
SELECT q, compare_join(q, true) FROM unnest('{
  SELECT o.id\, t.m FROM o JOIN t ON t.k = o.x AND t.m = o.y ORDER BY o.id,
  SELECT o.id\, t.m FROM o LEFT JOIN t ON t.k = o.x AND t.m = 2 AND t.w > 0 ORDER BY o.id LIMIT 777,
  SELECT o.id FROM o WHERE NOT EXISTS (SELECT FROM t WHERE t.k = o.x AND t.w > 5) ORDER BY o.id}'::text[]) AS q;

-- Placeholders: an expression of a nullable side must be NULL where the row is.
SELECT compare_join('SELECT o.id, u.c, t.v FROM o LEFT JOIN (SELECT id, coalesce(x, -1) AS c FROM o WHERE y > 5) u ON u.id = o.id + 5 JOIN t ON t.k = u.c'),
       compare_join('SELECT o.id, u.c FROM o JOIN t ON t.k = o.x LEFT JOIN (SELECT id, coalesce(s, ''none'') AS c FROM o) u ON u.id = t.m');

-- Values of other types. (Where more than one value could be equal, others join.)
CREATE TABLE small (k int2, f float8, d date, u timestamp) WITH (autovacuum_enabled = off);
INSERT INTO small SELECT n, n::float4, date '2024-01-01' + n, timestamp '2024-01-01' + n * interval '1 hour' FROM generate_series(-500, 500) AS n;
INSERT INTO small VALUES (1, '-0', NULL, 'infinity'), (2, 'NaN', 'infinity', NULL), (3, '0.1', '-infinity', NULL), (4, '0.1'::float4, NULL, '2024-03-10 02:30');
CREATE INDEX small_k ON small USING omendb (k);
CREATE INDEX small_f ON small USING omendb (f);
CREATE INDEX small_d ON small USING omendb (d);
CREATE INDEX small_u ON small USING omendb (u);
CREATE TABLE other (a int8, f float4, t timestamp, z timestamptz);
INSERT INTO other SELECT n * 3, n / 10.0::float4, timestamp '2024-01-01' + n * interval '12 hours', timestamptz '2024-03-10 00:00' + n * interval '1 hour' FROM generate_series(-300, 300) AS n;
INSERT INTO other VALUES (9223372036854775807, 'NaN', 'infinity', NULL), (-32769, '-0', '-infinity', NULL), (32768, '0', NULL, '2024-03-10 03:30');
VACUUM ANALYZE small, other;
SELECT q, compare_join(q) FROM unnest('{
  SELECT a\, k FROM other JOIN small ON k = a,
  SELECT a\, small.f FROM other JOIN small ON small.f = other.f,
  SELECT a\, small.f FROM other LEFT JOIN small ON small.f = other.f::float8,
  SELECT a\, k FROM other JOIN small ON k = a::int4 WHERE a BETWEEN -100000 AND 100000,
  SELECT a\, small.u FROM other JOIN small ON small.u = other.t}'::text[]) AS q;
SELECT substring(compare_join(q) FROM '^[^:]*') FROM unnest('{
  SELECT a\, d FROM other JOIN small ON d = t,
  SELECT a\, u FROM other JOIN small ON u = z}'::text[]) AS q;

-- Descending columns, NULLs first, a partial index, an index on an expression.
CREATE TABLE ways (id int4, a int4, b date, c bool) WITH (autovacuum_enabled = off);
INSERT INTO ways SELECT n, nullif(n % 100, 3), date '2024-01-01' + n % 37, n % 3 = 0 FROM generate_series(1, 5000) AS n;
CREATE INDEX ways_ab ON ways USING omendb (a DESC NULLS LAST, b DESC) INCLUDE (id);
CREATE INDEX ways_b ON ways USING omendb (b) WHERE c;
CREATE INDEX ways_sum ON ways USING omendb ((a + id));
VACUUM ANALYZE ways;
SELECT q, compare_join(q) FROM unnest('{
  SELECT o.id\, w.id FROM o JOIN ways w ON w.a = o.y AND w.b = date ''2024-01-01'' + o.id % 40,
  SELECT o.id\, w.id FROM o LEFT JOIN ways w ON w.a = o.y - 4 WHERE o.id < 200,
  SELECT o.id\, w.* FROM o JOIN ways w ON w.b = date ''2024-01-01'' + o.id AND w.c,
  SELECT o.id\, w.b FROM o JOIN ways w ON w.a + w.id = o.x}'::text[]) AS q;
BEGIN;
SELECT force_join(true) \g /dev/null
EXPLAIN (COSTS OFF) SELECT o.id, w.* FROM o JOIN ways w ON w.b = date '2024-01-01' + o.id AND w.c;
EXPLAIN (COSTS OFF) SELECT o.id, w.b FROM o JOIN ways w ON w.a + w.id = o.x;
COMMIT;

-- Beside a btree index on the same column.
CREATE TABLE both_t (id int4 PRIMARY KEY, v int4);
INSERT INTO both_t SELECT n, -n FROM generate_series(1, 3000) AS n;
CREATE INDEX both_id ON both_t USING omendb (id);
VACUUM ANALYZE both_t;
SELECT compare_join('SELECT o.id, b.v FROM o JOIN both_t b ON b.id = o.x'), compare_join('SELECT o.id, b.v FROM o LEFT JOIN both_t b ON b.id = o.id');
EXPLAIN (COSTS OFF) SELECT o.s, b.v FROM o JOIN both_t b ON b.id = o.id WHERE o.id < 50;

-- Long values on the outer side; a batch that does not fit work_mem.
CREATE TABLE wide_o (id int4, x int4, s text);
INSERT INTO wide_o SELECT n, n, repeat(md5(n::text), 100) FROM generate_series(1, 500) AS n;
ALTER TABLE wide_o ALTER s SET STORAGE EXTERNAL;
INSERT INTO wide_o SELECT n, n, repeat(md5(n::text), 100) FROM generate_series(501, 600) AS n;
ANALYZE wide_o;
SET work_mem = '64kB';
SELECT compare_join('SELECT * FROM wide_o JOIN t ON t.k = wide_o.x'), compare_join('SELECT wide_o.s || t.v FROM wide_o LEFT JOIN t ON t.k = wide_o.x AND t.m = 3'),
       compare_join('SELECT o.s, t.v FROM o JOIN t ON t.k = o.x');
RESET work_mem;

-- Inside of other plans: from the start again and again, with parameters, in a cursor, prepared.
SELECT compare_join('SELECT g, (SELECT count(*) || min(t.v) FROM o JOIN t ON t.k = o.x AND t.m = g WHERE o.id BETWEEN g * 100 AND g * 100 + 150) FROM generate_series(0, 12) AS g'),
       compare_join('SELECT g, q.* FROM generate_series(1, 20) AS g, LATERAL (SELECT o.id, t.v FROM o JOIN t ON t.k = o.x + g WHERE o.y = g OFFSET 0) AS q'),
       compare_join('SELECT o.id, t.v FROM (SELECT * FROM o ORDER BY s LIMIT 100) o JOIN t ON t.k = o.x AND t.m = (SELECT max(y) - 5 FROM o)'),
       compare_join('SELECT o.id FROM o WHERE EXISTS (SELECT FROM t WHERE t.k = o.x AND t.v IN (SELECT ''value '' || id FROM o o2 WHERE o2.y = o.y))');
BEGIN;
SELECT force_join(true) \g /dev/null
DECLARE c CURSOR FOR SELECT o.id, t.m FROM o JOIN t ON t.k = o.x AND t.m = o.y ORDER BY o.id;
FETCH 3 FROM c;
INSERT INTO t SELECT x, y, 'later', 0 FROM o WHERE id < 100;
SAVEPOINT s;
FETCH 2 FROM c;
ROLLBACK TO s;
FETCH 2 FROM c;
-- What this transaction inserted, which may wait.
SELECT count(*) FROM o JOIN t ON t.k = o.x AND t.m = o.y WHERE t.v = 'later';
DECLARE s SCROLL CURSOR FOR SELECT o.id, t.m FROM o JOIN t ON t.k = o.x AND t.m = o.y ORDER BY o.id;
FETCH 3 FROM s;
FETCH BACKWARD 2 FROM s;
ROLLBACK;
PREPARE joined (int4, int4) AS SELECT count(t.v), sum(t.w) FROM o JOIN t ON t.k = o.x AND t.m = $1 WHERE o.id > $2;
SET plan_cache_mode = force_generic_plan;
BEGIN;
SELECT force_join(true) \g /dev/null
EXPLAIN (COSTS OFF) EXECUTE joined (3, 100);
EXECUTE joined (3, 100);
EXECUTE joined (NULL, 100);
EXECUTE joined (7, 2900);
COMMIT;
RESET plan_cache_mode;

-- An error in the middle, and what comes after.
BEGIN;
SELECT force_join(true) \g /dev/null
SAVEPOINT s;
SELECT o.id, 1 / (t.w - 5000)::int FROM o JOIN t ON t.k = o.x AND t.w > 0 OFFSET 100000;
ROLLBACK TO s;
SELECT count(*) FROM o JOIN t ON t.k = o.x;
COMMIT;

-- Privileges and row security are those of the tables. A condition that could tell what it sees comes after the
-- security barrier's.
CREATE ROLE lookup_user;
GRANT USAGE ON SCHEMA omendb_test TO lookup_user;
GRANT SELECT ON o TO lookup_user;
GRANT SELECT (k, m) ON t TO lookup_user;
CREATE FUNCTION leaky(text) RETURNS boolean COST 0.0001 LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'sees %', $1; RETURN true; END $$;
CREATE VIEW barrier WITH (security_barrier) AS SELECT k, m, v FROM t WHERE w BETWEEN 100 AND 103;
GRANT SELECT ON barrier TO lookup_user;
BEGIN;
SELECT force_join(true) \g /dev/null
SET LOCAL ROLE lookup_user;
SELECT count(*), sum(t.m) FROM o JOIN t ON t.k = o.x;
EXPLAIN (COSTS OFF) SELECT o.id, b.v FROM o JOIN barrier b ON b.k = o.x AND leaky(b.v);
SELECT o.id, b.v FROM o JOIN barrier b ON b.k = o.x AND leaky(b.v);
SAVEPOINT s;
SELECT t.w FROM o JOIN t ON t.k = o.x LIMIT 1;
ROLLBACK TO s;
RESET ROLE;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON t TO lookup_user USING (m % 2 = 0);
SET LOCAL ROLE lookup_user;
EXPLAIN (COSTS OFF) SELECT t.m, count(*) FROM o JOIN t ON t.k = o.x GROUP BY t.m;
SELECT t.m, count(*) FROM o JOIN t ON t.k = o.x GROUP BY t.m ORDER BY t.m;
ROLLBACK;
REVOKE ALL ON SCHEMA omendb_test FROM lookup_user;
REVOKE ALL ON o, t, barrier FROM lookup_user;
DROP ROLE lookup_user;

-- Partitions on the outer side, and on both, partition by partition.
CREATE TABLE part_o (id int4, x int4) PARTITION BY RANGE (x);
CREATE TABLE part_o1 PARTITION OF part_o FOR VALUES FROM (0) TO (1000);
CREATE TABLE part_o2 PARTITION OF part_o FOR VALUES FROM (1000) TO (5000);
INSERT INTO part_o SELECT n, n * 31 % 5000 FROM generate_series(1, 2000) AS n;
CREATE TABLE part_t (v text, x int4) PARTITION BY RANGE (x);
CREATE TABLE part_t1 PARTITION OF part_t FOR VALUES FROM (0) TO (1000);
CREATE TABLE part_t2 (x int4, gone int4, v text);
ALTER TABLE part_t2 DROP gone;
ALTER TABLE part_t ATTACH PARTITION part_t2 FOR VALUES FROM (1000) TO (5000);
INSERT INTO part_t SELECT 'part ' || n, n * 7 % 5000 FROM generate_series(1, 10000) AS n;
CREATE INDEX ON part_t USING omendb (x);
VACUUM ANALYZE part_o, part_t;
SELECT compare_join('SELECT p.id, t.v FROM part_o p JOIN t ON t.k = p.x');
SET enable_partitionwise_join = on;
SELECT compare_join('SELECT p.id, t.v FROM part_o p JOIN part_t t ON t.x = p.x'), compare_join('SELECT p.id, t.v FROM part_o p LEFT JOIN part_t t ON t.x = p.x AND t.v LIKE ''%1''');
BEGIN;
SELECT force_join(true) \g /dev/null
EXPLAIN (COSTS OFF) SELECT p.id, t.v FROM part_o p JOIN part_t t ON t.x = p.x;
COMMIT;
RESET enable_partitionwise_join;

-- A column that came later, and one that went.
ALTER TABLE t ADD later int4 DEFAULT 42;
ALTER TABLE t DROP v CASCADE;
SELECT compare_join('SELECT o.id, t.* FROM o JOIN t ON t.k = o.x WHERE o.y = 3');
INSERT INTO t SELECT n, n % 10, n, n FROM generate_series(4000, 4200) AS n;
SELECT compare_join('SELECT o.id, t.* FROM o JOIN t ON t.k = o.x WHERE o.y = 3');

-- Changed and deleted rows: old versions, HOT chains, entries that lead nowhere; before and after VACUUM.
UPDATE t SET later = k WHERE k % 3 = 0;
UPDATE t SET k = k + 1 WHERE k % 5 = 0;
DELETE FROM t WHERE k % 7 = 0;
SELECT compare_join('SELECT o.id, t.* FROM o JOIN t ON t.k = o.x'), compare_join('SELECT o.id, t.m FROM o LEFT JOIN t ON t.k = o.x');
-- The second time, what was found to be dead is skipped.
SELECT compare_join('SELECT o.id, t.* FROM o JOIN t ON t.k = o.x'), compare_join('SELECT o.id, t.m FROM o LEFT JOIN t ON t.k = o.x'),
       compare_join('SELECT o.id FROM o WHERE EXISTS (SELECT FROM t WHERE t.k = o.x)');
VACUUM t;
SELECT compare_join('SELECT o.id, t.* FROM o JOIN t ON t.k = o.x'), compare_join('SELECT o.id, t.m FROM o LEFT JOIN t ON t.k = o.x'),
       compare_join('SELECT o.id FROM o WHERE NOT EXISTS (SELECT FROM t WHERE t.k = o.x)');

-- A sample is less than what the index has.
BEGIN;
SELECT force_join(true) \g /dev/null
SELECT count(*) FROM o JOIN t TABLESAMPLE SYSTEM (0) ON t.k = o.x;
COMMIT;

-- Tables of this session only, and such that are not logged.
CREATE TEMP TABLE temp_t AS SELECT k, m, w FROM t;
CREATE INDEX ON temp_t USING omendb (k);
CREATE UNLOGGED TABLE unlogged_t AS SELECT k, m, w FROM t;
CREATE INDEX ON unlogged_t USING omendb (k);
ANALYZE temp_t, unlogged_t;
SELECT compare_join('SELECT o.id, t.* FROM o JOIN temp_t t ON t.k = o.x'), compare_join('SELECT o.id, t.* FROM o LEFT JOIN unlogged_t t ON t.k = o.x');

-- Workers, each with a part of the outer side.
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
ALTER TABLE o SET (parallel_workers = 2);
BEGIN;
SELECT force_join(true) \g /dev/null
EXPLAIN (COSTS OFF) SELECT count(*), sum(t.w) FROM o JOIN t ON t.k = o.x;
COMMIT;
SELECT compare_join('SELECT o.id, t.* FROM o JOIN t ON t.k = o.x'), compare_join('SELECT o.id, t.m FROM o LEFT JOIN t ON t.k = o.x AND t.m = o.y'),
       compare_join('SELECT o.id FROM o WHERE NOT EXISTS (SELECT FROM t WHERE t.k = o.x)');
RESET max_parallel_workers_per_gather;

-- Keys of two words: a uuid alone, behind another column, with NULLs; intervals, of which many are equal to one.
CREATE TABLE pair_i (u uuid, n int4, iv interval, note int8) WITH (autovacuum_enabled = off);
INSERT INTO pair_i SELECT CASE WHEN n % 29 > 0 THEN md5((n % 3000)::text)::uuid END, n % 5, make_interval(days => n % 40, hours => n % 3 * 24), n FROM generate_series(1, 9000) AS n;
CREATE INDEX pair_i_u ON pair_i USING omendb (u) INCLUDE (note);
CREATE INDEX pair_i_nu ON pair_i USING omendb (n, u DESC);
CREATE INDEX pair_i_iv ON pair_i USING omendb (iv, n);
CREATE TABLE pair_o (id int, u uuid, n int2, iv interval) WITH (autovacuum_enabled = off);
INSERT INTO pair_o SELECT n, CASE WHEN n % 13 > 0 THEN md5((n * 37 % 4000)::text)::uuid END, n % 7, make_interval(days => n % 60, hours => n % 2 * 24) FROM generate_series(1, 1500) AS n;
VACUUM ANALYZE pair_i, pair_o;
SELECT query, compare_join(query)
FROM (VALUES ('SELECT pair_o.id, pair_i.note FROM pair_o JOIN pair_i USING (u)'), ('SELECT pair_o.id, pair_i.u FROM pair_o JOIN pair_i USING (u)'),
             ('SELECT pair_o.*, pair_i.* FROM pair_o LEFT JOIN pair_i USING (u)'), ('SELECT * FROM pair_o WHERE EXISTS (SELECT FROM pair_i WHERE pair_i.u = pair_o.u)'),
             ('SELECT * FROM pair_o WHERE NOT EXISTS (SELECT FROM pair_i WHERE pair_i.u = pair_o.u)'), ('SELECT pair_o.id, pair_i.u, pair_i.n FROM pair_o JOIN pair_i ON pair_i.n = pair_o.n AND pair_i.u = pair_o.u'),
             ('SELECT pair_o.id, interval_send(pair_i.iv), pair_i.n FROM pair_o JOIN pair_i ON pair_i.iv = pair_o.iv AND pair_i.n = pair_o.n WHERE pair_o.id < 300')) AS v (query);

SET client_min_messages = warning;
DROP SCHEMA omendb_test CASCADE;
