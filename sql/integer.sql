-- int2, int4, int8: every operator of every pair of types, arrays, order, joins, bounds.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

-- Half of the rows are there when the indexes are built, half are inserted;
-- then some are deleted and vacuumed away.
CREATE TABLE int_t (id int, k2 int2, k4 int4, k8 int8);
INSERT INTO int_t
  SELECT -n, v2, v4, v8
  FROM generate_series(1, 3) AS n,
       (VALUES ('-32768'::int2, '-2147483648'::int4, '-9223372036854775808'::int8),
               (-32767, -2147483647, -9223372036854775807), (-1, -1, -1), (0, 0, 0), (1, 1, 1), (NULL, NULL, NULL),
               (32766, 2147483646, 9223372036854775806), (32767, 2147483647, 9223372036854775807),
               (-32768, -32768, -2147483648), (32767, 32767, 2147483647), (0, 32768, 2147483648)) AS v (v2, v4, v8);
INSERT INTO int_t
  SELECT n, n * 7919 % 401 - 200, CASE WHEN n % 2 = 0 THEN n ELSE spread(n) >> 32 END,
         CASE n % 3 WHEN 0 THEN n WHEN 1 THEN spread(n) ELSE spread(n) >> 40 END
  FROM generate_series(1, 1000) AS n;
CREATE INDEX int_k2 ON int_t USING omendb (k2);
CREATE INDEX int_k4 ON int_t USING omendb (k4);
CREATE INDEX int_k8 ON int_t USING omendb (k8);
INSERT INTO int_t
  SELECT n, n * 7919 % 401 - 200, CASE WHEN n % 2 = 0 THEN n ELSE spread(n) >> 32 END,
         CASE n % 3 WHEN 0 THEN n WHEN 1 THEN spread(n) ELSE spread(n) >> 40 END
  FROM generate_series(1001, 2000) AS n;
INSERT INTO int_t SELECT -n - 10, k2, k4, k8 FROM generate_series(1, 2) AS n, int_t WHERE id BETWEEN -1 AND 0;
DELETE FROM int_t WHERE id % 7 = 3;
VACUUM ANALYZE int_t;

-- The index is what answers.
SELECT show_plan('SELECT * FROM int_t WHERE k4 = 42', 'index');
SELECT show_plan('SELECT k8 FROM int_t WHERE k8 >= 42 AND k8 < 100::int2', 'only');
SELECT show_plan('SELECT * FROM int_t WHERE k2 = ANY (''{1,2}''::int8[])', 'bitmap');
SELECT show_plan('SELECT k4 FROM int_t ORDER BY k4 DESC', 'only');
SELECT show_plan('SELECT max(k8) FROM int_t', 'only');

-- All operators, all pairs of types; probes beyond the column's type included.
SELECT col, probe_type, c.*
FROM unnest('{k2,k4,k8}'::text[]) WITH ORDINALITY AS k (col, i),
     (VALUES ('int2', '{-32768,-32767,-201,-200,-1,0,1,77,200,32766,32767}'::text[]),
             ('int4', '{-2147483648,-2147483647,-32769,-32768,-1,0,1,500,1998,32768,65537,2147483646,2147483647}'),
             ('int8', '{-9223372036854775808,-9223372036854775807,-2147483649,-2147483648,-32769,0,1,999,1500,'
                      '2147483648,4294967297,9223372036854775806,9223372036854775807}')) AS p (probe_type, probes),
     compare_operators('int_t', col, probe_type, probes) AS c
ORDER BY i, probe_type;

-- Conditions that contradict, repeat or narrow each other, also across types.
SELECT condition, compare('SELECT k4 FROM int_t WHERE ' || condition)
FROM (VALUES ('k4 > 5 AND k4 < 5'), ('k4 >= 5 AND k4 <= 5'), ('k4 > 5 AND k4 < 7'), ('k4 = 6 AND k4 = 8'),
             ('k4 > 10 AND k4 > 100::int2 AND k4 >= 100::int8 AND k4 < 200 AND k4 <= 199::int8'),
             ('k4 = 10 AND k4 > 9::int2 AND k4 < 2147483648'), ('k4 > 9223372036854775807'),
             ('k4 >= -9223372036854775808 AND k4 <= 9223372036854775807'), ('k4 < -2147483648'),
             ('k4 <= -2147483648'), ('k4 > 2147483647'), ('10 < k4 AND 20::int8 >= k4'),
             ('k4 BETWEEN 100 AND 300 AND k4 % 3 = 0')) AS v (condition);
SELECT compare('SELECT * FROM int_t WHERE k4 = 12 OR k4 = 20::int8 OR k8 > 2147480000', '{bitmap}'),
       compare('SELECT * FROM int_t WHERE k2 > 100 AND k4 BETWEEN 0 AND 900', '{bitmap}');

-- Arrays: unsorted, with duplicates, NULLs, nothing; of other types; inequalities.
SELECT condition, compare('SELECT k4 FROM int_t WHERE ' || condition)
FROM (VALUES ('k4 = ANY (''{500,2,2,100,-1,2147483647,500}''::int4[])'), ('k4 = ANY (''{}''::int4[])'),
             ('k4 = ANY (''{NULL}''::int4[])'), ('k4 = ANY (''{4,NULL,NULL,2}''::int4[])'),
             ('k4 = ANY (NULL::int4[])'), ('k4 IN (2, 4, 6, 8, 10)'), ('k4 = ANY (''{2,4,-32768}''::int2[])'),
             ('k4 = ANY (''{9223372036854775807,-2147483649,-2147483648,2,4}''::int8[])'),
             ('k4 = ANY (''{{2,4},{6,8}}''::int4[])'), ('k4 = ANY (''{2,4,6,8}''::int4[]) AND k4 > 4'),
             ('k4 = ANY (''{2,4,6,8}''::int4[]) AND k4 = ANY (''{6,8,10}''::int8[])'),
             ('k4 = ANY (''{2,4}''::int4[]) AND k4 = ANY (''{6,8}''::int4[])'),
             ('k4 < ANY (''{100,NULL,50}''::int4[])'), ('k4 <= ANY (''{-5,-2147483648}''::int8[])'),
             ('k4 > ANY (''{1900,1990}''::int4[])'), ('k4 >= ANY (''{NULL,1990}''::int2[])'),
             ('k4 >= ANY (''{NULL}''::int4[])'), ('k4 < ANY (''{}''::int4[])')) AS v (condition);
SELECT compare('SELECT id, k8 FROM int_t WHERE k8 = ANY (ARRAY(SELECT (n * 3)::int8 FROM generate_series(0, 900) AS n))',
               '{index,bitmap,batched}');
SELECT compare('SELECT k2 FROM int_t WHERE k2 = ANY (ARRAY(SELECT n % 50 FROM generate_series(0, 900) AS n))');

-- NULL tests.
SELECT condition, compare('SELECT k2 FROM int_t WHERE ' || condition)
FROM (VALUES ('k2 IS NULL'), ('k2 IS NOT NULL'), ('k2 IS NOT NULL AND k2 < 0'), ('k2 IS NOT NULL AND k2 > 0')) AS v (condition);

-- Order, forward and backward, whole and in part.
SELECT col, tail, compare(format('SELECT %s FROM int_t %s', col, format(tail, col)), '{index,only,batched,batched_only}', true)
FROM unnest('{k2,k4,k8}'::text[]) WITH ORDINALITY AS k (col, i),
     unnest('{ORDER BY %1$s,ORDER BY %1$s DESC,ORDER BY %1$s LIMIT 7,ORDER BY %1$s DESC LIMIT 7 OFFSET 20,'
            'WHERE %1$s > 0 ORDER BY %1$s,WHERE %1$s < 100 ORDER BY %1$s DESC,'
            'WHERE %1$s IN (8\,2\,4\,2) ORDER BY %1$s,WHERE %1$s IN (8\,2\,4\,2) ORDER BY %1$s DESC}'::text[])
       WITH ORDINALITY AS o (tail, j)
ORDER BY i, j;
SELECT compare(format('SELECT min(%1$s), max(%1$s) FROM int_t', col), '{index,only,batched,batched_only}')
FROM unnest('{k2,k4,k8}'::text[]) AS col;
SELECT compare(format('SELECT min(%1$s), max(%1$s) FROM int_t WHERE %1$s BETWEEN 10 AND 100', col), '{index,only,batched,batched_only}')
FROM unnest('{k2,k4,k8}'::text[]) AS col;
SELECT compare('SELECT k4, count(*) FROM int_t WHERE k4 BETWEEN 1 AND 500 GROUP BY k4 ORDER BY k4', '{index,only,batched,batched_only}', true);

-- A cursor that turns back.
BEGIN;
SELECT force_scan('only');
DECLARE c SCROLL CURSOR FOR SELECT k4 FROM int_t WHERE k4 BETWEEN 2 AND 40 ORDER BY k4;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH FORWARD 2 FROM c;
FETCH LAST FROM c;
FETCH FORWARD 1 FROM c;
FETCH BACKWARD 3 FROM c;
FETCH ABSOLUTE 5 FROM c;
FETCH FIRST FROM c;
FETCH ALL FROM c;
COMMIT;
BEGIN;
SELECT force_scan('index');
DECLARE c SCROLL CURSOR FOR SELECT k2 FROM int_t WHERE k2 = ANY ('{5,3,32767,4}') ORDER BY k2;
FETCH 5 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH LAST FROM c;
FETCH BACKWARD 2 FROM c;
MOVE ABSOLUTE 4 IN c;
FETCH 3 FROM c;
COMMIT;

-- Keys known only at run time: parameters, NULL among them, and joins.
SET plan_cache_mode = force_generic_plan;
PREPARE by_k4(int4) AS SELECT count(*), sum(k4) FROM int_t WHERE k4 = $1;
PREPARE by_range(int2, int8) AS SELECT count(*), sum(k4) FROM int_t WHERE k4 > $1 AND k4 <= $2;
PREPARE by_array(int8[]) AS SELECT count(*), sum(k4) FROM int_t WHERE k4 = ANY ($1);
BEGIN;
SELECT force_scan('only');
EXPLAIN (COSTS OFF) EXECUTE by_range(1, 2);
EXECUTE by_k4(42);
EXECUTE by_k4(NULL);
EXECUTE by_range(100, 200);
EXECUTE by_range(100, 9223372036854775807);
EXECUTE by_range(NULL, 200);
EXECUTE by_range(200, 100);
EXECUTE by_array('{2,4,NULL,4}');
EXECUTE by_array(NULL);
COMMIT;
RESET plan_cache_mode;

CREATE TABLE int_probe (p2 int2, p4 int4, p8 int8);
INSERT INTO int_probe
  SELECT n % 300, n, CASE WHEN n % 5 = 0 THEN NULL ELSE n * 3 END FROM generate_series(-100, 900) AS n
  UNION ALL VALUES (NULL, NULL, NULL), (-32768, -2147483648, -9223372036854775808), (32767, 2147483647, 9223372036854775807);
CREATE FUNCTION join_counts(col text, probe text, OUT nested text, OUT hashed text, OUT merged text, OUT plan_ok boolean)
LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_nestloop = off SET enable_material = off
SET enable_memoize = off SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on
SET enable_bitmapscan = on SET enable_sort = on AS $$
DECLARE
  query text := format('SELECT count(*), sum(%1$s) FROM int_probe JOIN int_t ON %1$s = %2$s', col, probe);
  line text;
BEGIN
  SET LOCAL enable_hashjoin = on;
  EXECUTE format('SELECT x::text FROM (%s) AS x', query) INTO hashed;
  SET LOCAL enable_hashjoin = off;
  SET LOCAL enable_mergejoin = on;
  PERFORM force_scan('only');
  EXECUTE format('SELECT x::text FROM (%s) AS x', query) INTO merged;
  SET LOCAL enable_mergejoin = off;
  SET LOCAL enable_nestloop = on;
  EXECUTE format('SELECT x::text FROM (%s) AS x', query) INTO nested;
  plan_ok := false;
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    plan_ok := plan_ok OR line ~ ('Index Cond: .*' || col || ' = .*' || probe);
  END LOOP;
END $$;
SELECT col, probe, nested = hashed AND merged = hashed AS same, plan_ok, hashed
FROM unnest('{k2,k4,k8}'::text[]) WITH ORDINALITY AS k (col, i), unnest('{p2,p4,p8}'::text[]) WITH ORDINALITY AS p (probe, j),
     join_counts(col, probe)
ORDER BY i, j;
-- A merge join of duplicates with themselves goes back to a marked position.
BEGIN;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
SELECT force_scan('only');
SELECT count(*), sum(a.k2::int * b.k2) FROM int_t a JOIN int_t b ON a.k2 = b.k2;
COMMIT;
SELECT sum(n * n), sum(n * n * k2 * k2) FROM (SELECT k2, count(*) AS n FROM int_t WHERE k2 IS NOT NULL GROUP BY k2) AS g;
SELECT compare('SELECT count(*) FROM int_probe WHERE EXISTS (SELECT FROM int_t WHERE k8 = p8)', '{only,batched_only}');
SELECT compare('SELECT p4, (SELECT max(k4) FROM int_t WHERE k4 < p4) FROM int_probe', '{only,batched_only}');

-- No row, one row, all rows equal, with and without a vacuum; then many rows.
CREATE TABLE int_few (k int4);
CREATE INDEX int_few_k ON int_few USING omendb (k);
SELECT condition, compare('SELECT k FROM int_few WHERE ' || condition)
FROM unnest('{k = 5,k < 5,k >= 5,k IS NULL,k IS NOT NULL,k IN (1\,5)}'::text[]) AS condition;
SELECT compare('SELECT k FROM int_few ORDER BY k DESC', '{index,only,batched,batched_only}', true), compare('SELECT min(k), max(k) FROM int_few', '{only,batched_only}');
SELECT omendb_check('int_few_k', true);
INSERT INTO int_few VALUES (5);
SELECT condition, compare('SELECT k FROM int_few WHERE ' || condition)
FROM unnest('{k = 5,k < 5,k >= 5,k IS NULL,k IS NOT NULL,k IN (1\,5)}'::text[]) AS condition;
SELECT compare('SELECT k FROM int_few ORDER BY k DESC', '{index,only,batched,batched_only}', true), compare('SELECT min(k), max(k) FROM int_few', '{only,batched_only}');
SELECT omendb_check('int_few_k', true);
INSERT INTO int_few SELECT 5 FROM generate_series(1, 5000);
VACUUM int_few;
SELECT condition, compare('SELECT k FROM int_few WHERE ' || condition)
FROM unnest('{k = 5,k < 5,k >= 5,k > 5,k IS NULL,k IS NOT NULL,k IN (1\,5)}'::text[]) AS condition;
SELECT compare('SELECT k FROM int_few ORDER BY k DESC', '{index,only,batched,batched_only}', true), compare('SELECT min(k), max(k) FROM int_few', '{only,batched_only}');
SELECT omendb_check('int_few_k', true);
REINDEX INDEX int_few_k;
SELECT compare('SELECT k FROM int_few WHERE k = 5'), compare('SELECT k FROM int_few WHERE k > 5');

CREATE TABLE int_many (k int8, v int);
INSERT INTO int_many SELECT spread(n), n FROM generate_series(1, 20000) AS n;
CREATE INDEX int_many_k ON int_many USING omendb (k);
CREATE INDEX int_many_v ON int_many USING omendb (v);
INSERT INTO int_many SELECT spread(n), n FROM generate_series(20001, 40000) AS n;
VACUUM ANALYZE int_many;
SELECT compare('SELECT k FROM int_many WHERE k > 0 AND k < 4611686018427387904'),
       compare('SELECT k FROM int_many ORDER BY k', '{only,batched_only}', true),
       compare('SELECT k FROM int_many ORDER BY k DESC', '{only,batched_only}', true),
       compare('SELECT v FROM int_many WHERE v BETWEEN 15000 AND 25000');
-- Every key is found by itself.
BEGIN;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SELECT force_scan('index');
SELECT count(*), sum(v) FROM generate_series(1, 40000) AS n, LATERAL (SELECT v FROM int_many WHERE k = spread(n) OFFSET 0) AS m;
COMMIT;

SELECT omendb_check('int_k2'::regclass, true), omendb_check('int_k4'::regclass, true), omendb_check('int_k8'::regclass, true);
SELECT omendb_check('int_few_k'::regclass, true), omendb_check('int_many_k'::regclass, true), omendb_check('int_many_v'::regclass, true);
