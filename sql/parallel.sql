-- Parallel scans: workers share one scan, each row comes from one of them.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE par_t (k int8, a int4, v int4) WITH (parallel_workers = 2, autovacuum_enabled = off);
INSERT INTO par_t SELECT spread(n), nullif(n % 100, 99), n FROM generate_series(1, 20000) AS n;
CREATE INDEX par_k ON par_t USING omendb (k) INCLUDE (v);
CREATE INDEX par_av ON par_t USING omendb (a, v DESC);
INSERT INTO par_t SELECT spread(n), n % 100, n FROM generate_series(20001, 24000) AS n;
DELETE FROM par_t WHERE v % 9 = 4;
VACUUM ANALYZE par_t;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
-- Only what workers share costs anything.
SET cpu_tuple_cost = 1;
SET cpu_operator_cost = 0;
SET seq_page_cost = 0;
SET random_page_cost = 0;

-- A parallel plan of one kind of scan against a sequential scan of one process.
CREATE FUNCTION compare_parallel(query text, way text, ordered boolean DEFAULT false) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on SET enable_bitmapscan = on SET enable_sort = on AS $$
DECLARE
  digest text := digest_query(query, ordered);
  expected record;
  got record;
  plan text;
  node text;
  problems text := '';
BEGIN
  PERFORM force_scan('seq'), set_config('max_parallel_workers_per_gather', '0', true);
  EXECUTE digest INTO expected;
  PERFORM force_scan(way), set_config('max_parallel_workers_per_gather', '2', true);
  plan := plan_of(digest);
  node := CASE way WHEN 'index' THEN 'Parallel Index Scan' WHEN 'only' THEN 'Parallel Index Only Scan' ELSE 'Parallel Bitmap Heap Scan' END;
  IF NOT plan_has(plan, way) OR strpos(plan, node) = 0 THEN
    problems := E'another plan:\n' || plan;
  END IF;
  FOR i IN 1 .. 3 LOOP
    EXECUTE digest INTO got;
    IF got IS DISTINCT FROM expected THEN
      problems := problems || format('DIFFERENT: %s rows instead of %s', got.count, expected.count);
    END IF;
  END LOOP;
  RETURN CASE problems WHEN '' THEN format('same, %s rows', expected.count) ELSE problems END;
END $$;
BEGIN;
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT force_scan('only');
EXPLAIN (COSTS OFF) SELECT count(*), sum(v) FROM par_t WHERE k > 0;
EXPLAIN (COSTS OFF) SELECT a, v FROM par_t WHERE a < 50 ORDER BY a, v DESC;
SELECT force_scan('index');
EXPLAIN (COSTS OFF) SELECT count(*), sum(v) FROM par_t WHERE a = ANY ('{1,2,3}');
SELECT force_scan('bitmap');
EXPLAIN (COSTS OFF) SELECT count(*), sum(v) FROM par_t WHERE a BETWEEN 5 AND 60;
COMMIT;
SELECT condition, way, compare_parallel('SELECT a, v FROM par_t WHERE ' || condition, way)
FROM unnest('{a >= 0,a = 7,a > 20 AND a <= 80,"a = ANY (''{3,99,NULL,50,3,7}'')","a = ANY (''{3,50}'') AND v > 1000",a > 5 AND v < 3000,a IS NOT NULL}'::text[]) WITH ORDINALITY AS c (condition, i),
  unnest('{index,only,bitmap}'::text[]) AS way
ORDER BY i, way;
SELECT way, compare_parallel('SELECT v FROM par_t WHERE k > -5000000000000000000', way), compare_parallel('SELECT k, v FROM par_t WHERE k < 0 AND k % 2 = 0', way)
FROM unnest('{index,only,bitmap}'::text[]) AS way;
-- In order, by Gather Merge; forward and backward, to a limit.
SELECT tail, way, compare_parallel('SELECT a, v FROM par_t WHERE a IS NOT NULL ORDER BY ' || tail, way, true)
FROM unnest('{"a, v DESC","a DESC, v","a, v DESC LIMIT 500","a DESC, v LIMIT 500 OFFSET 100"}'::text[]) AS tail, unnest('{index,only}'::text[]) AS way;
-- Joins: the inner side is scanned again and again, or the outer side by all.
SELECT compare_parallel('SELECT x.v AS x, y.v AS y FROM par_t x JOIN par_t y ON y.k = x.k WHERE x.a BETWEEN 10 AND 30', 'index'),
       compare_parallel('SELECT x.a, y.v FROM par_t x JOIN par_t y ON y.a = x.v AND y.v < 500 WHERE x.a < 20', 'index');
BEGIN;
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT force_scan('index');
SET LOCAL enable_material = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SELECT count(*), sum(x.n + p.v) FROM generate_series(1, 3) AS x(n), (SELECT v FROM par_t WHERE a BETWEEN 10 AND 12 OFFSET 0) AS p WHERE p.v > x.n;
COMMIT;
SET max_parallel_workers_per_gather = 0;
SELECT count(*), sum(x.n + p.v) FROM generate_series(1, 3) AS x(n), (SELECT v FROM par_t WHERE a BETWEEN 10 AND 12 OFFSET 0) AS p WHERE p.v > x.n;
-- No worker is to be had: the leader does it all. And the leader only gathers.
BEGIN;
SELECT force_scan('only');
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL max_parallel_workers = 0;
SELECT count(*), sum(v) FROM par_t WHERE k > 0;
SET LOCAL max_parallel_workers = 8;
SET LOCAL parallel_leader_participation = off;
SELECT count(*), sum(v) FROM par_t WHERE k > 0;
COMMIT;
SET max_parallel_workers_per_gather = 0;
SELECT count(*), sum(v) FROM par_t WHERE k > 0;
-- In a worker as a whole.
BEGIN;
SET LOCAL force_parallel_mode = on;
SELECT force_scan('only');
SELECT a, v FROM par_t WHERE a = 7 ORDER BY a, v DESC LIMIT 3;
SELECT count(*) FROM par_t WHERE k IN (spread(1), spread(2), spread(24000));
COMMIT;
-- The same scan once more for each row of a join.
BEGIN;
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL enable_material = off;
SELECT force_scan('index');
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT count(v), sum(v) FROM par_t WHERE a >= 50) AS s RIGHT JOIN (VALUES (1), (2), (3)) AS x (n) ON true;
SELECT * FROM (SELECT count(v), sum(v) FROM par_t WHERE a >= 50) AS s RIGHT JOIN (VALUES (1), (2), (3)) AS x (n) ON true;
COMMIT;
SELECT count(v), sum(v) FROM par_t WHERE a >= 50;
-- A parallel scan that ends early, by a limit and by an error.
BEGIN;
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT force_scan('index');
SELECT count(*) FROM (SELECT v FROM par_t WHERE a >= 0 LIMIT 10) AS x;
SAVEPOINT s;
SELECT sum(1 / (v - 12345)) FROM par_t WHERE a >= 0;
ROLLBACK TO s;
SELECT count(*) FROM par_t WHERE a >= 0;
COMMIT;
SELECT count(*) FROM par_t WHERE a >= 0;
SELECT omendb_check('par_k', true), omendb_check('par_av', true);
