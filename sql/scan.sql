-- Omendb Scan: when it is chosen, what EXPLAIN shows, and that it returns what an index scan does.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE scan_t (k int8, d date, v int4, filler text) WITH (autovacuum_enabled = off);
INSERT INTO scan_t SELECT n * 7919 % 20011, date '2024-01-01' + n % 400, n, repeat('x', n % 50) FROM generate_series(1, 20000) AS n;
CREATE INDEX scan_k ON scan_t USING omendb (k);
CREATE INDEX scan_dk ON scan_t USING omendb (d DESC, k) INCLUDE (v);
VACUUM ANALYZE scan_t;
SET omendb.enable_scan = on;

-- What it looks like.
SET enable_bitmapscan = off;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT v FROM scan_t WHERE k BETWEEN 100 AND 900 AND v % 3 = 0;
EXPLAIN (COSTS OFF) SELECT v FROM scan_t WHERE d = '2024-03-01' ORDER BY k DESC;
EXPLAIN (COSTS OFF, VERBOSE) SELECT k + 1 FROM scan_t WHERE k BETWEEN 100 AND 900;
EXPLAIN (COSTS OFF, ANALYZE, TIMING OFF, SUMMARY OFF) SELECT filler FROM scan_t WHERE k = ANY ('{1,2,3,500,20000,20010}');
EXPLAIN (COSTS OFF, ANALYZE, TIMING OFF, SUMMARY OFF, FORMAT JSON) SELECT filler FROM scan_t WHERE d < '2024-01-03';
-- One row is left to an index scan, and so is a join that needs one row a time; off, everything.
EXPLAIN (COSTS OFF) SELECT v FROM scan_t WHERE k = 17;
EXPLAIN (COSTS OFF) SELECT v FROM scan_t WHERE k < 17;
SET omendb.enable_scan = off;
EXPLAIN (COSTS OFF) SELECT v FROM scan_t WHERE k < 17;
SET omendb.enable_scan = on;
-- Rows that are to be locked, or changed, may be asked for again one by one.
EXPLAIN (COSTS OFF) SELECT v FROM scan_t WHERE k BETWEEN 100 AND 900 FOR UPDATE;
EXPLAIN (COSTS OFF) UPDATE scan_t SET v = 0 WHERE k BETWEEN 100 AND 900;
EXPLAIN (COSTS OFF) DELETE FROM scan_t USING generate_series(1, 9) AS g WHERE k BETWEEN 100 AND 900 AND v = g;
EXPLAIN (COSTS OFF) INSERT INTO scan_t SELECT k, d, v FROM scan_t WHERE k BETWEEN 100 AND 900;
RESET enable_bitmapscan;
RESET enable_seqscan;

-- A batch after the other, across chunks and leaves, in both directions, with system columns and filters.
SELECT q, compare(q, '{batched}', true) FROM unnest('{
  SELECT ctid\, tableoid::regclass\, xmin\, k\, filler FROM scan_t WHERE k >= 3000 ORDER BY k,
  SELECT v\, filler FROM scan_t WHERE k < 5000 AND v % 7 < 3 ORDER BY k DESC,
  SELECT v\, filler FROM scan_t ORDER BY d DESC\, k,
  SELECT v\, filler FROM scan_t ORDER BY d\, k DESC LIMIT 1000 OFFSET 777,
  SELECT t FROM scan_t AS t WHERE k BETWEEN 1000 AND 9000 ORDER BY k,
  SELECT v FROM scan_t WHERE d = ANY (''\{2024-02-01\,2024-02-03\,2024-07-05\,2031-01-01\}'') ORDER BY d DESC\, k}'::text[]) AS q;
SELECT q, compare(q, '{batched_only}', true) FROM unnest('{
  SELECT k FROM scan_t WHERE k >= 3000 ORDER BY k,
  SELECT v\, k FROM scan_t ORDER BY d DESC\, k,
  SELECT v FROM scan_t WHERE d > ''2024-05-05'' AND v % 3 = 1 ORDER BY d\, k DESC LIMIT 1000 OFFSET 777,
  SELECT d FROM scan_t WHERE k > 5000 ORDER BY d DESC\, k,
  SELECT 1 FROM scan_t WHERE k > 5000 ORDER BY k}'::text[]) AS q;
-- Lists of keys.
SELECT q, compare(q) FROM unnest('{
  SELECT k FROM scan_t WHERE k = ANY (ARRAY(SELECT n * 13 % 25000 FROM generate_series(1\, 3000) AS n)),
  SELECT k FROM scan_t WHERE k IN (5\, 4\, NULL\, 4\, 19999)}'::text[]) AS q;
SELECT compare('SELECT d, k FROM scan_t WHERE d = ANY (ARRAY(SELECT date ''2024-01-01'' + n FROM generate_series(1, 500, 3) AS n)) AND k = ANY (ARRAY(SELECT generate_series(1, 20000, 7)::int8))', '{batched,batched_only}');

-- Inside of a nested loop: from the start again and again, with other keys.
SELECT compare('SELECT g, k, v FROM generate_series(-3, 20020, 97) AS g, LATERAL (SELECT k, v FROM scan_t WHERE k BETWEEN g AND g + 40) AS t', '{batched}'),
       compare('SELECT g, x FROM generate_series(1, 400, 7) AS g, LATERAL (SELECT k AS x FROM scan_t WHERE d = date ''2024-01-01'' + g ORDER BY k DESC LIMIT 5) AS t', '{batched,batched_only}'),
       compare('SELECT g, (SELECT sum(v) FROM scan_t WHERE k > g AND k < 2 * g) FROM generate_series(1, 9000, 500) AS g', '{batched}');
-- Bounds that are queries, of the outer row and of the row outside of that.
SELECT compare('SELECT g, (SELECT count(*) FROM scan_t WHERE k BETWEEN g AND (SELECT max(n) FROM generate_series(g, g + 30) AS n)) FROM generate_series(1, 900, 100) AS g', '{batched}'),
       compare('SELECT g, h, x FROM generate_series(1, 9000, 1000) AS g, generate_series(0, 60, 20) AS h, LATERAL (SELECT k AS x FROM scan_t WHERE k BETWEEN g + h AND (SELECT max(n) FROM generate_series(g + h, g + h + 5) AS n WHERE n <= g + h + 4)) AS t', '{batched}');

-- Prepared, with a generic plan.
PREPARE range_of (int8, int8) AS SELECT count(filler), sum(v) FROM scan_t WHERE k BETWEEN $1 AND $2;
SET plan_cache_mode = force_generic_plan;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) EXECUTE range_of(1, 1000);
EXECUTE range_of(1, 1000);
EXECUTE range_of(1001, 1000);
EXECUTE range_of(NULL, 1000);
EXECUTE range_of(15000, 30000);
RESET plan_cache_mode;
RESET enable_bitmapscan;

-- Changed and deleted rows: old versions, HOT chains, entries that lead nowhere; before and after VACUUM.
UPDATE scan_t SET v = v + 1 WHERE k % 3 = 0;
UPDATE scan_t SET k = k + 1 WHERE k % 5 = 0;
DELETE FROM scan_t WHERE k % 7 = 0;
SELECT compare('SELECT k, v FROM scan_t WHERE k < 15000'), compare('SELECT d, k, v FROM scan_t WHERE d < ''2024-08-08''', '{batched,batched_only}');
-- The second time, what the first found to be dead is skipped.
SELECT compare('SELECT k, v FROM scan_t WHERE k < 15000', '{batched,batched_only}'), compare('SELECT d, k, v FROM scan_t WHERE d < ''2024-08-08''', '{batched,batched_only}');
VACUUM scan_t;
SELECT compare('SELECT k, v FROM scan_t WHERE k < 15000'), compare('SELECT d, k, v FROM scan_t WHERE d < ''2024-08-08''', '{batched,batched_only}');
-- What this transaction did, and what a cursor that is older does not see.
BEGIN;
DECLARE old_rows CURSOR FOR SELECT count(*), sum(v) FROM scan_t WHERE k BETWEEN 100 AND 15000;
DELETE FROM scan_t WHERE k BETWEEN 200 AND 2000;
INSERT INTO scan_t SELECT n, '2024-01-01', -n FROM generate_series(1, 3000) AS n;
SELECT compare('SELECT k, v FROM scan_t WHERE k < 15000'), compare('SELECT d, k, v FROM scan_t WHERE d < ''2024-08-08''', '{batched,batched_only}');
FETCH old_rows;
ROLLBACK;
SELECT compare('SELECT k, v FROM scan_t WHERE k < 15000');

-- Rows that are long, more than work_mem has room for, and out of line.
CREATE TABLE scan_wide (k int4, a text, b text) WITH (autovacuum_enabled = off);
ALTER TABLE scan_wide ALTER a SET STORAGE PLAIN, ALTER b SET STORAGE EXTERNAL;
INSERT INTO scan_wide SELECT n, repeat(chr(97 + n % 26), 100 + n % 7900), CASE WHEN n % 50 = 0 THEN repeat('b', 3000 + n) END FROM generate_series(1, 3000) AS n;
CREATE INDEX scan_wide_k ON scan_wide USING omendb (k);
ANALYZE scan_wide;
SET work_mem = '64kB';
SELECT compare('SELECT k, md5(a), md5(b) FROM scan_wide WHERE k BETWEEN 10 AND 2900', '{batched}');
RESET work_mem;
-- A column that was added later, and one that was dropped.
ALTER TABLE scan_wide DROP COLUMN b, ADD COLUMN c int8 DEFAULT 42, ADD COLUMN e int8;
SELECT compare('SELECT w FROM scan_wide AS w WHERE k BETWEEN 10 AND 2900', '{batched}');
-- Columns of all kinds, one by one and in pairs: before and behind ones of variable length, null, dropped, added with and
-- without a default, out of line; of rows with and without nulls.
CREATE TABLE scan_columns (k int4, a int2, b int8, gone int4, c name, d "char", e float4, f text, g bool, h numeric, i int4[])
  WITH (autovacuum_enabled = off);
INSERT INTO scan_columns
SELECT n, n, -n, n, n::text, chr(65 + n % 26)::"char", n / 8.0, repeat('f', n % 300), n % 2 = 0, n / 16.0, ARRAY[n, -n]
FROM generate_series(1, 300) AS n;
ALTER TABLE scan_columns ADD COLUMN l int8 DEFAULT 77, ADD COLUMN m text DEFAULT 'later', ADD COLUMN o int2;
INSERT INTO scan_columns
SELECT n, nullif(n % 3, 0), nullif(n % 4, 0), n, nullif(n % 5, 0)::text, nullif(chr(65 + n % 6), 'A')::"char", nullif(n % 7, 0),
  CASE WHEN n % 8 > 0 THEN repeat('f', n % 300) END, n % 2 = 0, CASE n % 9 WHEN 0 THEN NULL WHEN 1 THEN repeat('9', 9000)::numeric ELSE n END, NULL, nullif(n % 11, 0)
FROM generate_series(301, 700) AS n;
ALTER TABLE scan_columns DROP COLUMN gone;
ALTER TABLE scan_columns ADD COLUMN p int4 DEFAULT 5, ALTER COLUMN f SET STORAGE EXTERNAL;
INSERT INTO scan_columns (k, a, f, p) SELECT n, n, repeat('f', n * 3), n FROM generate_series(701, 1200) AS n;
INSERT INTO scan_columns (k) SELECT n FROM generate_series(1201, 1300) AS n;
CREATE INDEX scan_columns_k ON scan_columns USING omendb (k);
VACUUM ANALYZE scan_columns;
CREATE VIEW scan_column AS SELECT attname AS name, attnum AS number FROM pg_attribute
  WHERE attrelid = 'scan_columns'::regclass AND attnum > 0 AND NOT attisdropped;
SELECT name, compare(format('SELECT %I FROM scan_columns WHERE k BETWEEN 2 AND 1290', name), '{batched}') FROM scan_column ORDER BY number;
SELECT result, count(*) FROM scan_column AS x, scan_column AS y,
  compare(format('SELECT %I, %I AS again FROM scan_columns WHERE k BETWEEN 2 AND 1290 ORDER BY k', x.name, y.name), '{batched}', true) AS result
GROUP BY 1;
-- Asked for, but not returned; returned by an expression; none; with what is not a column; all.
SELECT q, compare(q, '{batched}') FROM unnest('{
  SELECT b FROM scan_columns WHERE k BETWEEN 2 AND 1290 AND a > 5 AND (f < ''g'' OR m IS NULL),
  SELECT p + b AS x\, a FROM scan_columns WHERE k BETWEEN 2 AND 1290 AND h IS DISTINCT FROM 3,
  SELECT 1 FROM scan_columns WHERE k BETWEEN 2 AND 1290 AND l IS NOT NULL,
  SELECT 1 FROM scan_columns WHERE k BETWEEN 2 AND 1290,
  SELECT b\, ctid\, tableoid FROM scan_columns WHERE k BETWEEN 2 AND 1290,
  SELECT b FROM scan_columns AS s WHERE k BETWEEN 2 AND 1290 AND s IS NOT NULL,
  SELECT * FROM scan_columns WHERE k BETWEEN 2 AND 1290,
  SELECT DISTINCT ON (a) a\, b\, f FROM scan_columns WHERE k BETWEEN 2 AND 1290 ORDER BY a\, k,
  SELECT a\, max(f)\, sum(p) FROM scan_columns WHERE k BETWEEN 2 AND 1290 GROUP BY a,
  SELECT k\, f\, lag(c) OVER (ORDER BY k) AS before FROM scan_columns WHERE k BETWEEN 2 AND 1290}'::text[]) AS q;
-- Values made below an outer join, of this table and of another.
SELECT compare('SELECT n, x, y FROM generate_series(1, 1400, 45) AS n LEFT JOIN LATERAL (SELECT b AS x, coalesce(a, p, n) AS y FROM scan_columns WHERE k BETWEEN n AND n + 50 AND l + 300 > n) AS t ON true', '{batched}'),
       compare('SELECT h.k, x, y FROM scan_columns AS h LEFT JOIN LATERAL (SELECT filler AS x, coalesce(v, h.p, h.o) AS y FROM scan_t WHERE k BETWEEN h.k AND h.k + 9) AS t ON true WHERE h.a % 40 = 0', '{batched}');
-- What is shown of them.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF, VERBOSE) SELECT f, a FROM scan_columns AS s WHERE k BETWEEN 2 AND 1290 AND b < p;
EXPLAIN (COSTS OFF, VERBOSE) SELECT upper(f), (SELECT max(x) FROM generate_series(1, s.a) AS x) FROM scan_columns AS s WHERE k BETWEEN (SELECT 2) AND 1290;
-- The row that a cursor is at.
SET enable_indexonlyscan = off;
BEGIN;
DECLARE some_columns NO SCROLL CURSOR FOR SELECT b, f FROM scan_columns WHERE k BETWEEN 290 AND 900;
MOVE 100 FROM some_columns;
FETCH some_columns;
UPDATE scan_columns SET f = 'here' WHERE CURRENT OF some_columns RETURNING k, b;
MOVE 200 FROM some_columns;
DELETE FROM scan_columns WHERE CURRENT OF some_columns RETURNING k, length(f);
EXPLAIN (COSTS OFF) DECLARE some_columns NO SCROLL CURSOR FOR SELECT b, f FROM scan_columns WHERE k BETWEEN 290 AND 900;
ROLLBACK;
SET enable_indexonlyscan = on;
BEGIN;
DECLARE keys NO SCROLL CURSOR FOR SELECT k FROM scan_columns WHERE k BETWEEN 290 AND 900;
MOVE 100 FROM keys;
FETCH keys;
UPDATE scan_columns SET f = 'here' WHERE CURRENT OF keys RETURNING k, b;
MOVE 200 FROM keys;
DELETE FROM scan_columns WHERE CURRENT OF keys RETURNING k, length(f);
EXPLAIN (COSTS OFF) DECLARE keys NO SCROLL CURSOR FOR SELECT k FROM scan_columns WHERE k BETWEEN 290 AND 900;
ROLLBACK;
RESET enable_seqscan;
RESET enable_bitmapscan;
RESET enable_indexonlyscan;

-- A temporary table, whose buffers are this session's.
CREATE TEMP TABLE scan_temp AS SELECT n AS k, -n AS v FROM generate_series(1, 5000) AS n;
CREATE INDEX scan_temp_k ON scan_temp USING omendb (k);
VACUUM ANALYZE scan_temp;
SELECT compare('SELECT k, v FROM scan_temp WHERE k < 3000', '{index,bitmap,batched}'), compare('SELECT k FROM scan_temp WHERE k < 3000');

-- Partitions, inheritance, a partial index.
CREATE TABLE scan_part (k int4, v int4) PARTITION BY RANGE (k);
CREATE TABLE scan_part_1 PARTITION OF scan_part FOR VALUES FROM (MINVALUE) TO (1000);
CREATE TABLE scan_part_2 (v int4, k int4);
ALTER TABLE scan_part ATTACH PARTITION scan_part_2 FOR VALUES FROM (1000) TO (MAXVALUE);
CREATE INDEX ON scan_part USING omendb (k);
INSERT INTO scan_part SELECT n, -n FROM generate_series(1, 3000) AS n;
CREATE INDEX scan_some ON scan_part_1 USING omendb (v) WHERE k % 2 = 0;
VACUUM ANALYZE scan_part;
SELECT compare('SELECT k, v FROM scan_part WHERE k BETWEEN 500 AND 1800', '{batched}'),
       compare('SELECT k, v FROM scan_part WHERE k > 300 ORDER BY k DESC LIMIT 1500', '{batched}', true),
       compare('SELECT v FROM scan_part_1 WHERE v BETWEEN -900 AND -100 AND k % 2 = 0', '{batched}');

-- A row security policy's condition comes before a function that could tell what it hides.
CREATE FUNCTION tell(n int4) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE 'told %', n; RETURN true; END $$;
ALTER TABLE scan_part_1 ENABLE ROW LEVEL SECURITY;
CREATE POLICY even_only ON scan_part_1 USING (v % 2 = 0);
SET client_min_messages = warning;
DROP ROLE IF EXISTS omendb_reader;
RESET client_min_messages;
CREATE ROLE omendb_reader;
GRANT USAGE ON SCHEMA omendb_test TO omendb_reader;
GRANT SELECT (k) ON scan_t TO omendb_reader;
GRANT SELECT ON scan_part_1 TO omendb_reader;
SET ROLE omendb_reader;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET cpu_operator_cost = 0;
EXPLAIN (COSTS OFF) SELECT k FROM scan_part_1 WHERE k BETWEEN 10 AND 13 AND tell(v);
SELECT k FROM scan_part_1 WHERE k BETWEEN 10 AND 13 AND tell(v);
SELECT count(*) FROM (SELECT k FROM scan_t WHERE k < 1000 OFFSET 0) AS s;
SELECT v FROM scan_t WHERE k < 1000;
RESET ROLE;
DROP OWNED BY omendb_reader;
DROP ROLE omendb_reader;
