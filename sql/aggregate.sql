-- Omendb Aggregate: the answers of the plans that it replaces, and when it stays out.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

-- A plan, if only index-only scans and Omendb Aggregate are to be had.
CREATE FUNCTION show_aggregate(query text) RETURNS SETOF text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on SET enable_bitmapscan = on
SET enable_sort = on SET omendb.enable_aggregate = on AS $$
BEGIN
  PERFORM force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
  RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query;
END $$;

CREATE TABLE agg_t (k int8, g int4, i2 int2, i4 int4, i8 int8, o oid, d date, t time, ts timestamp, tz timestamptz,
  m money, b bool, c "char", f4 float4, f8 float8) WITH (autovacuum_enabled = off);
INSERT INTO agg_t
SELECT spread(n), n % 7, CASE WHEN n % 11 > 0 THEN (n * 7919) % 65536 - 32768 END, CASE WHEN n % 5 > 0 THEN spread(n) >> 32 END,
  CASE WHEN n % 3 > 0 THEN spread(n + 1) END, n * 1000000::int8, date '2000-01-01' + n % 500, time '00:00' + n * interval '7 seconds',
  timestamp '2001-01-01' + n * interval '17 minutes', timestamptz '2001-01-01 00:00+00' + n * interval '29 minutes',
  (n * 3)::money, n % 2 = 0, chr(32 + n % 90)::"char", n / 3.0::float4, -n / 7.0::float8
FROM generate_series(1, 4000) AS n;
INSERT INTO agg_t DEFAULT VALUES;

-- Each type as a key, in both directions, and as an included column: all rows visible, and not.
CREATE TABLE agg_column (col text, functions text);
INSERT INTO agg_column VALUES ('i2', 'min,max,sum,avg'), ('i4', 'min,max,sum,avg'), ('i8', 'min,max,sum,avg'), ('o', 'min,max'),
  ('d', 'min,max'), ('t', 'min,max'), ('ts', 'min,max'), ('tz', 'min,max'), ('m', 'min,max'), ('b', ''), ('c', ''), ('f4', 'min,max,sum,avg'), ('f8', 'min,max,sum,avg');
CREATE FUNCTION compare_columns(index_of text, condition text) RETURNS TABLE (col text, result text) LANGUAGE plpgsql AS $$
DECLARE
  a agg_column;
  targets text;
BEGIN
  FOR a IN TABLE agg_column LOOP
    targets := 'count(*), count(' || a.col || ')' || (SELECT coalesce(string_agg(format(', %s(%s)', f, a.col), ''), '')
      FROM unnest(string_to_array(a.functions, ',')) AS f);
    EXECUTE format('CREATE INDEX agg_i ON agg_t USING omendb (' || index_of || ')', a.col);
    col := a.col;
    result := compare_aggregate(format('SELECT ' || targets || ' FROM agg_t WHERE ' || condition, a.col), false,
      CASE WHEN a.col LIKE 'f%' THEN 'only' ELSE 'seq' END);
    RETURN NEXT;
    DROP INDEX agg_i;
  END LOOP;
END $$;
VACUUM ANALYZE agg_t;
SELECT * FROM compare_columns('%s', '%1$s IS NOT NULL');
SELECT result, count(*) FROM compare_columns('%s', 'true') GROUP BY 1;
SELECT result, count(*) FROM compare_columns('%s DESC NULLS LAST', 'true') GROUP BY 1;
SELECT result, count(*) FROM compare_columns('%s NULLS FIRST', 'true') GROUP BY 1;
SELECT result, count(*) FROM compare_columns('k) INCLUDE (%s', 'k > -1000000000000000000') GROUP BY 1;
SELECT result, count(*) FROM compare_columns('k, %s DESC', 'k < 5000000000000000000') GROUP BY 1;
-- Rows that are not seen, in a few pages.
DELETE FROM agg_t WHERE g = 3 AND d < '2000-03-01';
BEGIN;
SELECT result, count(*) FROM compare_columns('%s', 'true') GROUP BY 1;
SELECT result, count(*) FROM compare_columns('k) INCLUDE (%s', 'k > -1000000000000000000') GROUP BY 1;
COMMIT;
VACUUM agg_t;
INSERT INTO agg_t SELECT k, g, i2, i4, i8, o, d, t, ts, tz, m, b, c, f4, f8 FROM agg_t WHERE g = 4;
SELECT result, count(*) FROM compare_columns('%s DESC', 'true') GROUP BY 1;

-- Inserts into an index, deltas included; conditions of every kind.
CREATE INDEX agg_kg ON agg_t USING omendb (g, k) INCLUDE (i4, i8);
CREATE INDEX agg_ts ON agg_t USING omendb (ts DESC) INCLUDE (i2);
INSERT INTO agg_t SELECT spread(n), n % 7, n, n, spread(n) FROM generate_series(5001, 5100) AS n;
SELECT condition, compare_aggregate('SELECT count(*), sum(i4), min(i4), max(i8), avg(i8), sum(k), max(k), count(i8) FROM agg_t WHERE ' || condition)
FROM unnest('{true,g = 3,g = 3 AND k > 0,g > 3,"g = ANY (''{1,5,NULL,2}'')","g = ANY (''{1,5}'') AND k < 0",g BETWEEN 2 AND 5 AND k > 0,k > 0,g IS NULL,g IS NOT NULL}'::text[]) AS condition;
VACUUM agg_t;
SELECT condition, compare_aggregate('SELECT count(*), sum(i4), min(i4), max(i8), avg(i8), sum(k), max(k), count(i8) FROM agg_t WHERE ' || condition)
FROM unnest('{true,g = 3,g = 3 AND k > 0,g > 3,"g = ANY (''{1,5}'') AND k < 0",g BETWEEN 2 AND 5 AND k > 0,k > 0,g IS NULL}'::text[]) AS condition;

-- Groups.
SELECT query, compare_aggregate(query) FROM unnest(ARRAY[
  'SELECT g, count(*), sum(i4), max(i8) FROM agg_t GROUP BY g',
  'SELECT count(*), g FROM agg_t WHERE g > 2 GROUP BY g',
  'SELECT g + 1, 2 * count(*) + max(i4) FROM agg_t GROUP BY g',
  'SELECT g, k, count(*), sum(i8) FROM agg_t WHERE k > 0 GROUP BY k, g',
  'SELECT k, count(*) FROM agg_t WHERE g = 5 GROUP BY k',
  'SELECT g, k FROM agg_t GROUP BY g, k',
  'SELECT g, count(*) FROM agg_t WHERE g > 100 GROUP BY g',
  'SELECT ts, count(*), sum(i2) FROM agg_t GROUP BY ts']) AS query;
SELECT unit, compare_aggregate(format('SELECT date_trunc(%L, ts), count(*), sum(i2), avg(i2) FROM agg_t GROUP BY 1', unit))
FROM unnest('{microseconds,millisecond,second,minute,hour,day,week,month,quarter,year,decade,century,millennium}'::text[]) AS unit;
CREATE INDEX agg_tsa ON agg_t USING omendb (ts) INCLUDE (i4);
SELECT unit, compare_aggregate(format('SELECT date_trunc(%L, ts), count(*), sum(i4) FROM agg_t GROUP BY 1', unit))
FROM unnest('{microseconds,minute,hour,DAY,week,month,quarter,year,decade,century}'::text[]) AS unit;
SELECT stride, origin, compare_aggregate(format('SELECT date_bin(%L, ts, %L), count(*), sum(i4) FROM agg_t GROUP BY 1', stride, origin))
FROM unnest('{1 microsecond,90 seconds,1 hour 7 minutes,3 days,400 days}'::text[]) AS stride, unnest('{2001-01-01 00:13,1970-01-01,2040-01-01}'::text[]) AS origin;
CREATE INDEX agg_gtz ON agg_t USING omendb (g, tz) INCLUDE (i8);
SELECT query, compare_aggregate(query) FROM unnest(ARRAY[
  $$SELECT date_bin('5 hours', tz, '2001-01-01'), count(*), sum(i8) FROM agg_t WHERE g = 2 GROUP BY 1$$,
  $$SELECT g, date_bin('5 hours', tz, '2001-01-01'), count(*), sum(i8) FROM agg_t GROUP BY 1, 2$$,
  $$SELECT g, date_trunc('day', tz, 'utc'), count(*), sum(i8) FROM agg_t GROUP BY 1, 2$$,
  $$SELECT date_trunc('month', tz, 'UTC'), count(*), sum(i8) FROM agg_t WHERE g = 5 GROUP BY 1$$]) AS query;
-- Infinities and times at the ends.
CREATE TABLE agg_ends (ts timestamp) WITH (autovacuum_enabled = off);
CREATE INDEX agg_ends_ts ON agg_ends USING omendb (ts);
INSERT INTO agg_ends VALUES (NULL), ('infinity'), ('-infinity'), ('infinity'), ('4713-01-01 BC'), ('4713-12-31 BC'), ('0001-12-31 BC'), ('0001-01-01'), ('1999-12-31 23:59:59.999999'), ('2000-01-01'), ('294276-12-31 23:59:59.999999'), ('294276-12-31');
VACUUM ANALYZE agg_ends;
SELECT unit, compare_aggregate(format('SELECT date_trunc(%L, ts), count(*), min(ts), max(ts) FROM agg_ends GROUP BY 1', unit))
FROM unnest('{microseconds,hour,day,month,year}'::text[]) AS unit;
SELECT compare_aggregate($$SELECT date_bin('1 day', ts, '2000-01-01 07:00'), count(*) FROM agg_ends WHERE true GROUP BY 1$$);
SELECT show_aggregate($$SELECT date_bin('1 day', ts, '2000-01-01') FROM agg_ends GROUP BY 1$$);
BEGIN;
SELECT force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
SAVEPOINT s;
SELECT date_trunc('fortnight', ts), count(*) FROM agg_ends GROUP BY 1;
ROLLBACK TO s;
SELECT date_bin('1 month', ts, '2000-01-01'), count(*) FROM agg_ends GROUP BY 1;
ROLLBACK TO s;
SELECT date_bin('-1 day', ts, '2000-01-01'), count(*) FROM agg_ends GROUP BY 1;
ROLLBACK;

-- In the order of the index, without a sort.
SELECT query, compare_aggregate(query, true) FROM unnest(ARRAY[
  'SELECT g, count(*) FROM agg_t GROUP BY g ORDER BY g',
  'SELECT g, k, count(*) FROM agg_t GROUP BY k, g ORDER BY g, k LIMIT 10',
  $$SELECT date_trunc('day', ts), count(*) FROM agg_t GROUP BY 1 ORDER BY 1$$,
  'SELECT ts, count(*), sum(i2) FROM agg_t GROUP BY ts ORDER BY ts DESC LIMIT 3']) AS query;

-- What EXPLAIN says.
SELECT show_aggregate('SELECT count(*), min(i4) FROM agg_t WHERE g = 3 AND k > 5');
SELECT show_aggregate($$SELECT date_trunc('day', ts), count(*) FROM agg_t WHERE ts > '2001-01-10' GROUP BY 1 ORDER BY 1 LIMIT 3$$);
SELECT show_aggregate('SELECT x.n, (SELECT count(*) FROM agg_t AS a WHERE a.g = x.n AND a.k > x.n) FROM generate_series(1, 3) AS x (n)');
BEGIN;
SELECT force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) + 1, sum(i4) FROM agg_t WHERE g = 3;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) SELECT g, count(*) FROM agg_t WHERE g < 2 GROUP BY g;
COMMIT;

-- Parameters: of prepared statements, of subplans and of lateral joins, again and again.
BEGIN;
SELECT force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE agg_p (int4, int8) AS SELECT count(*), sum(i8) FROM agg_t WHERE g = $1 AND k > $2;
EXPLAIN (COSTS OFF) EXECUTE agg_p (1, 0);
EXECUTE agg_p (1, 0);
EXECUTE agg_p (2, 0);
EXECUTE agg_p (2, NULL);
EXECUTE agg_p (NULL, 0);
COMMIT;
SELECT compare_aggregate(query) FROM unnest(ARRAY[
  'SELECT x.n, (SELECT count(*) FROM agg_t AS a WHERE a.g = x.n AND a.k > x.n) FROM generate_series(-1, 9) AS x (n)',
  'SELECT * FROM generate_series(-1, 9) AS x (n), LATERAL (SELECT count(i8), sum(k) FROM agg_t AS a WHERE a.g = x.n AND a.k > x.n) AS y',
  'SELECT * FROM generate_series(-1, 9) AS x (n) LEFT JOIN (SELECT g, count(i8), sum(k) FROM agg_t GROUP BY g) AS y ON y.g = x.n',
  'SELECT (SELECT count(*) FROM agg_t WHERE g = 1) + (SELECT max(i4) FROM agg_t WHERE g = 2 AND k > 0 OFFSET 0)']) AS query;
-- A cursor goes to and fro, and a plan is left in the middle.
BEGIN;
SELECT force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
DECLARE agg_c SCROLL CURSOR FOR SELECT g, count(*) FROM agg_t GROUP BY g ORDER BY g;
FETCH 2 FROM agg_c;
FETCH BACKWARD 1 FROM agg_c;
FETCH LAST FROM agg_c;
COMMIT;
SELECT compare_aggregate('SELECT 1 WHERE EXISTS (SELECT g, count(*) FROM agg_t GROUP BY g OFFSET 1)');

-- Sums as large as they get.
CREATE TABLE agg_big (a int8, b int8, c int2) WITH (autovacuum_enabled = off);
INSERT INTO agg_big SELECT CASE n % 3 WHEN 0 THEN 9223372036854775807 - n WHEN 1 THEN 9223372036854775807 ELSE -9223372036854775808 END, -9223372036854775807 + n, 32767 - n % 2 FROM generate_series(1, 3000) AS n;
CREATE INDEX agg_big_ab ON agg_big USING omendb (a, b) INCLUDE (c);
CREATE INDEX agg_big_b ON agg_big USING omendb (b DESC) INCLUDE (a);
VACUUM ANALYZE agg_big;
SELECT compare_aggregate('SELECT sum(a), avg(a), min(a), max(a), sum(b), avg(b), sum(c), avg(c) FROM agg_big'), compare_aggregate('SELECT sum(b), avg(b), min(b), sum(a) FROM agg_big WHERE b < 0');
BEGIN;
SELECT force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
SELECT sum(a), avg(a), sum(b), avg(b), sum(c), avg(c) FROM agg_big WHERE a > 0;
SELECT sum(a), avg(a), min(a), max(b), count(*), count(a) FROM agg_big WHERE a = 5;
COMMIT;

-- Totals of floats are those of the values in the index's order, to the last bit: -0 and 0, NaNs, infinities, deltas.
CREATE TABLE agg_float (k int4, g int4, f4 float4, f8 float8) WITH (autovacuum_enabled = off);
CREATE TABLE agg_float_g (LIKE agg_float) WITH (autovacuum_enabled = off);
CREATE TABLE agg_float_f8 (LIKE agg_float) WITH (autovacuum_enabled = off);
CREATE INDEX ON agg_float USING omendb (k) INCLUDE (f4, f8);
CREATE INDEX ON agg_float_g USING omendb (g, k DESC) INCLUDE (f8, f4);
CREATE INDEX ON agg_float_f8 USING omendb (f8 DESC, f4) INCLUDE (k);
CREATE FUNCTION each_float(command text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  relation text;
BEGIN
  FOREACH relation IN ARRAY '{agg_float,agg_float_g,agg_float_f8}'::text[] LOOP
    EXECUTE format(command, relation);
  END LOOP;
END $$;
CREATE FUNCTION compare_floats(targets text) RETURNS TABLE (query text, result text) LANGUAGE sql AS $$
  SELECT q, compare_aggregate('SELECT ' || targets || ' FROM ' || q, false, 'only') FROM unnest(ARRAY[
    'agg_float WHERE k > 0',
    'agg_float WHERE k BETWEEN 700 AND 1300',
    'agg_float_g GROUP BY g',
    'agg_float_g WHERE g = 3 AND k > 100',
    'agg_float_g WHERE g > 3 AND k > 100',
    'agg_float_f8 WHERE f8 >= -1e6',
    'agg_float_f8 WHERE f8 < 0 AND f4 > 0.5',
    'agg_float_f8']) AS q
$$;
SELECT each_float('INSERT INTO %I SELECT n * 2, n %% 9, abs(sin(n)) * 10 ^ (n %% 7 - 3), cos(n) * 10 ^ (n %% 13 - 6) FROM generate_series(1, 1500) AS n');
VACUUM ANALYZE agg_float, agg_float_g, agg_float_f8;
SELECT * FROM compare_floats('count(*), sum(f4), sum(f8), avg(f4), avg(f8), min(f4), max(f4), min(f8), max(f8), count(f8), sum(k)');
-- Entries that come between those of the leaves, and rows that are not seen.
SELECT each_float('INSERT INTO %I SELECT n * 50 + 1, n %% 9, n / 3.0, -n / 7.0 FROM generate_series(1, 50) AS n');
SELECT each_float('INSERT INTO %I SELECT n * 100 + 1, n %% 9, CASE WHEN n %% 2 = 0 THEN n END, CASE WHEN n %% 3 = 0 THEN n END FROM generate_series(1, 20) AS n');
SELECT result, count(*) FROM compare_floats('count(*), sum(f4), sum(f8), avg(f4), avg(f8), min(f4), max(f4), min(f8), max(f8), count(f8), sum(k)') GROUP BY 1;
SELECT each_float('DELETE FROM %I WHERE k %% 5 = 0');
SELECT result, count(*) FROM compare_floats('sum(f8), avg(f4), avg(f8), max(f4), sum(f4)') GROUP BY 1;
VACUUM agg_float, agg_float_g, agg_float_f8;
SELECT result, count(*) FROM compare_floats('sum(f8), avg(f4), avg(f8), max(f4), sum(f4)') GROUP BY 1;
SELECT each_float('TRUNCATE %I');
SELECT each_float($$INSERT INTO %I SELECT n, n %% 9, (ARRAY['0', '-0', NULL, '1'])[1 + n %% 4]::float4, (ARRAY['-0', '0', '0', '-1'])[1 + n %% 4]::float8 FROM generate_series(1, 600) AS n$$);
SELECT result, count(*) FROM compare_floats('min(f4), max(f4), min(f8), max(f8), sum(f4), sum(f8), avg(f4), avg(f8)') GROUP BY 1;
SELECT each_float('DELETE FROM %I WHERE abs(f4) = 1 OR abs(f8) = 1');
SELECT result, count(*) FROM compare_floats('min(f4), max(f4), min(f8), max(f8), sum(f4), sum(f8), avg(f4), avg(f8)') GROUP BY 1;
BEGIN;
SELECT force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
SELECT min(f4), max(f4), min(f8), max(f8), sum(f4), sum(f8), avg(f4), avg(f8) FROM agg_float WHERE k < 4;
SELECT sum(f4), sum(f8), avg(f4), avg(f8), min(f8), max(f4) FROM agg_float WHERE k < 0;
COMMIT;
SELECT each_float('TRUNCATE %I');
SELECT each_float($$INSERT INTO %I SELECT n, n %% 9, (ARRAY['1', '-0', 'NaN', '-inf', 'inf'])[1 + n %% 5]::float4, (ARRAY['NaN', 'inf', '-inf', '2'])[1 + n %% 4]::float8 FROM generate_series(1, 600) AS n$$);
SELECT result, count(*) FROM compare_floats('min(f4), max(f4), min(f8), max(f8), sum(f4), sum(f8), avg(f4), avg(f8)') GROUP BY 1;
-- Overflows are errors where they are PostgreSQL's: of sums, and of the squares that an average does not need.
CREATE FUNCTION float_error(targets text, way text) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on SET enable_bitmapscan = on SET enable_sort = on SET omendb.enable_aggregate = on AS $$
DECLARE
  got record;
BEGIN
  PERFORM force_scan('only'), set_config('omendb.enable_aggregate', (way = 'aggregate')::text, true);
  EXECUTE 'SELECT count(*), ' || targets || ' FROM agg_float WHERE k > 0' INTO got;
  RETURN got::text;
EXCEPTION WHEN OTHERS THEN
  RETURN sqlstate || ': ' || sqlerrm;
END $$;
CREATE TABLE agg_error (value text);
INSERT INTO agg_error VALUES ('3e38'), ('-3e38'), ('1e308'), ('1e308,-1e308'), ('-1e308'), ('1e200,-1e200'), ('1e150,-1e150'), ('1e38,-1e38'), ('inf,1e308'), ('inf,-inf'), ('1e308,inf');
CREATE FUNCTION compare_errors() RETURNS TABLE (value text, targets text, result text, same boolean) LANGUAGE plpgsql AS $$
BEGIN
  FOR value IN SELECT e.value FROM agg_error AS e ORDER BY 1 LOOP
    TRUNCATE agg_float;
    INSERT INTO agg_float SELECT n, n % 9, CASE WHEN abs(x) < 3.4e38 OR abs(x) = 'inf' THEN x END, x
      FROM generate_series(1, 100) AS n, LATERAL (SELECT (string_to_array(value, ','))[1 + n % cardinality(string_to_array(value, ','))]::float8) AS y (x);
    FOREACH targets IN ARRAY '{sum(f4),sum(f8),avg(f4),avg(f8)}'::text[] LOOP
      result := float_error(targets, 'aggregate');
      same := result = float_error(targets, 'rows');
      RETURN NEXT;
    END LOOP;
  END LOOP;
END $$;
SELECT * FROM compare_errors();
BEGIN;
SELECT force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
-- Of rows that are not seen there is no error.
TRUNCATE agg_float;
INSERT INTO agg_float SELECT n, 1, 1, 1 FROM generate_series(1, 10) AS n;
SAVEPOINT s;
INSERT INTO agg_float SELECT n, 2, 3e38, 1e308 FROM generate_series(1, 10) AS n;
ROLLBACK TO s;
SELECT count(*), sum(f4), avg(f8) FROM agg_float WHERE k > 0;
COMMIT;

-- HAVING.
SELECT query, compare_aggregate(query) FROM unnest(ARRAY[
  'SELECT count(*) FROM agg_t WHERE g = 1 HAVING count(*) > 5',
  'SELECT count(*) FROM agg_t WHERE g = 1 HAVING count(*) > 5000000',
  'SELECT g FROM agg_t GROUP BY g HAVING sum(i4) > 0',
  'SELECT g, count(*) FROM agg_t GROUP BY g HAVING max(i8) IS NOT NULL AND g + count(*) % 2 > 2',
  'SELECT g, k FROM agg_t GROUP BY g, k HAVING count(*) > 1',
  $$SELECT date_trunc('day', ts), avg(i2) FROM agg_t GROUP BY 1 HAVING sum(i2) > 0 OR date_trunc('day', ts) < '2001-01-10'$$]) AS query;
SELECT compare_aggregate('SELECT g, count(*) FROM agg_t GROUP BY g HAVING sum(i4) <> 0 ORDER BY g LIMIT 3', true),
  compare_aggregate('SELECT x.n, (SELECT count(*) FROM agg_t AS a WHERE a.g = x.n HAVING count(*) > 100 * x.n) FROM generate_series(-1, 9) AS x (n)');
BEGIN;
SELECT force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT g, count(*) FROM agg_t WHERE g < 5 GROUP BY g HAVING min(k) > 0 OR g = 2;
COMMIT;

-- Empty tables; a partial index; whole tables.
CREATE TABLE agg_empty (k int4, v int4) WITH (autovacuum_enabled = off);
CREATE INDEX agg_empty_k ON agg_empty USING omendb (k) INCLUDE (v) WHERE v IS NOT NULL;
SELECT compare_aggregate('SELECT count(*), sum(v), min(k), avg(k) FROM agg_empty WHERE v IS NOT NULL'), compare_aggregate('SELECT k, count(*) FROM agg_empty WHERE v IS NOT NULL GROUP BY k');
INSERT INTO agg_empty SELECT n, nullif(n % 3, 0) FROM generate_series(1, 1000) AS n;
SELECT compare_aggregate('SELECT count(*), sum(v), min(k), avg(k) FROM agg_empty WHERE v IS NOT NULL AND k > 10');
ANALYZE agg_empty;
SELECT show_aggregate('SELECT count(*) FROM agg_empty WHERE v IS NOT NULL AND k > 10');
SELECT show_aggregate('SELECT count(*) FROM agg_empty WHERE k > 10');

-- This transaction's own rows: those of a statement are not seen by itself.
BEGIN;
SELECT force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
INSERT INTO agg_empty SELECT n, 7 FROM generate_series(2001, 2500) AS n;
SELECT count(*), sum(v) FROM agg_empty WHERE v IS NOT NULL AND k > 2000;
INSERT INTO agg_empty SELECT 3000, count(*) FROM agg_empty WHERE v IS NOT NULL AND k >= 2000;
SELECT count(*), max(v) FROM agg_empty WHERE v IS NOT NULL AND k >= 3000;
DELETE FROM agg_empty WHERE k BETWEEN 2001 AND 2400;
SAVEPOINT s;
INSERT INTO agg_empty SELECT n, 7 FROM generate_series(2001, 2500) AS n;
ROLLBACK TO s;
SELECT count(*), sum(v) FROM agg_empty WHERE v IS NOT NULL AND k BETWEEN 2001 AND 2999;
ROLLBACK;
-- Temporary and unlogged tables.
CREATE TEMP TABLE agg_temp (k int4) ON COMMIT DELETE ROWS;
CREATE INDEX ON agg_temp USING omendb (k);
BEGIN;
INSERT INTO agg_temp SELECT generate_series(1, 5000);
SELECT compare_aggregate('SELECT count(*), sum(k) FROM agg_temp WHERE k > 10');
COMMIT;
SELECT compare_aggregate('SELECT count(*), sum(k) FROM agg_temp WHERE k > 10');
CREATE UNLOGGED TABLE agg_unlogged AS SELECT generate_series(1, 20000) AS k;
CREATE INDEX ON agg_unlogged USING omendb (k);
VACUUM ANALYZE agg_unlogged;
SELECT compare_aggregate('SELECT count(*), sum(k) FROM agg_unlogged WHERE k > 10');

-- Where it stays out: the plan has other nodes.
CREATE FUNCTION stays_out(query text) RETURNS boolean LANGUAGE sql AS $$
  SELECT bool_and(line !~ 'Omendb Aggregate') FROM show_aggregate(query) AS line
$$;
SELECT query, stays_out(query) FROM unnest(ARRAY[
  'SELECT count(DISTINCT k) FROM agg_t WHERE g = 1',
  'SELECT sum(k ORDER BY k) FROM agg_t WHERE g = 1',
  'SELECT count(*) FILTER (WHERE k > 5) FROM agg_t WHERE g = 1',
  'SELECT sum(k + 1) FROM agg_t WHERE g = 1',
  'SELECT count(*) FROM agg_t WHERE g = 1 AND k % 2 = 0',
  'SELECT count(*) FROM agg_t WHERE g = 1 AND random() < 0.5',
  'SELECT count(*) FROM agg_t WHERE g = 1 OR k = 3',
  'SELECT count(*) FROM agg_t WHERE g = 1 HAVING count(DISTINCT k) > 5',
  'SELECT count(*) FROM agg_t WHERE g = 1 HAVING count(*) > (SELECT count(*) FROM agg_error WHERE length(value) > count(agg_t.*))',
  'SELECT g, count(*) FROM agg_t GROUP BY GROUPING SETS ((g), ())',
  'SELECT g, count(*) FROM agg_t GROUP BY ROLLUP (g)',
  'SELECT k, count(*) FROM agg_t WHERE g > 1 GROUP BY k',
  'SELECT g % 2, count(*) FROM agg_t GROUP BY 1',
  'SELECT date_trunc(''hour'', tz), count(*) FROM agg_t WHERE g = 1 GROUP BY 1',
  'SELECT date_trunc(''hour'', tz, ''America/New_York''), count(*) FROM agg_t WHERE g = 1 GROUP BY 1',
  'SELECT g, date_trunc(''hour'', ts), count(*) FROM agg_t GROUP BY 1, 2',
  'SELECT count(*) FROM agg_t AS a JOIN agg_t AS b ON a.g = b.g WHERE a.g = 1',
  'SELECT count(*), generate_series(1, 2) FROM agg_t WHERE g = 1',
  'SELECT stddev(f8) FROM agg_float WHERE k > 1',
  'SELECT count(m) FROM agg_t WHERE g = 1',
  'SELECT count(*) FROM agg_t TABLESAMPLE SYSTEM (50)',
  'SELECT bit_and(i4), count(*) FROM agg_t WHERE g = 1',
  'SELECT count(ctid) FROM agg_t WHERE g = 1',
  'SELECT count(*) FROM agg_t WHERE g = NULL',
  'SELECT count(*) OVER (), g FROM agg_t WHERE g = 1']) AS query;
SET omendb.enable_aggregate = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM agg_t WHERE g = 1;
RESET omendb.enable_aggregate;

-- Row security, barriers and privileges.
CREATE VIEW agg_barrier WITH (security_barrier) AS SELECT * FROM agg_t WHERE g = 2;
SELECT stays_out('SELECT count(*) FROM agg_barrier'), stays_out('SELECT count(*) FROM agg_barrier WHERE k > 0');
CREATE ROLE regress_omendb_agg;
GRANT USAGE ON SCHEMA omendb_test TO regress_omendb_agg;
GRANT SELECT (g, k) ON agg_t TO regress_omendb_agg;
SET ROLE regress_omendb_agg;
SELECT count(*) FROM agg_t WHERE g = 2 AND k IS NOT NULL;
SELECT sum(i4) FROM agg_t WHERE g = 2;
RESET ROLE;
ALTER TABLE agg_t ENABLE ROW LEVEL SECURITY;
CREATE POLICY agg_policy ON agg_t USING (g = 2);
SET ROLE regress_omendb_agg;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM agg_t WHERE g IN (1, 2);
SELECT count(*) FROM agg_t WHERE g IN (1, 2);
RESET enable_seqscan;
RESET ROLE;
ALTER TABLE agg_t DISABLE ROW LEVEL SECURITY;
DROP OWNED BY regress_omendb_agg;
DROP ROLE regress_omendb_agg;

-- Partitions and children.
CREATE TABLE agg_part (k int4, v int4) PARTITION BY RANGE (k);
CREATE TABLE agg_part_1 PARTITION OF agg_part FOR VALUES FROM (0) TO (500);
CREATE TABLE agg_part_2 PARTITION OF agg_part FOR VALUES FROM (500) TO (1000);
CREATE INDEX ON agg_part USING omendb (k) INCLUDE (v);
INSERT INTO agg_part SELECT n, n % 10 FROM generate_series(0, 999) AS n;
VACUUM ANALYZE agg_part;
SELECT stays_out('SELECT count(*), sum(v) FROM agg_part WHERE k > 10'), compare_aggregate('SELECT count(*), sum(v) FROM agg_part_1 WHERE k > 10');
SET enable_partitionwise_aggregate = on;
SELECT count(*), sum(v) FROM agg_part WHERE k > 10;
SELECT sum(c) FROM (SELECT k, count(*) AS c FROM agg_part WHERE k > 10 GROUP BY k) AS x;
RESET enable_partitionwise_aggregate;
CREATE TABLE agg_child (w int4) INHERITS (agg_empty);
INSERT INTO agg_child VALUES (11, 1, 1);
SELECT stays_out('SELECT count(*) FROM agg_empty WHERE v IS NOT NULL AND k > 10'), compare_aggregate('SELECT count(*) FROM ONLY agg_empty WHERE v IS NOT NULL AND k > 10');

-- Several processes share a range, and others combine what they found.
CREATE TABLE agg_many (k int8, g int4, i2 int2, i4 int4, i8 int8, d date, ts timestamp, f8 float8) WITH (autovacuum_enabled = off);
INSERT INTO agg_many SELECT spread(n), n % 23, n % 1000, nullif(n % 77, 5) * 1000003, CASE WHEN n % 3 > 0 THEN spread(n + 1) END,
  date '2000-01-01' + n % 500, timestamp '2001-01-01' + n * interval '17 seconds', n FROM generate_series(1, 60000) AS n;
CREATE INDEX agg_many_g ON agg_many USING omendb (g, k) INCLUDE (i2, i4, i8, d, f8);
CREATE INDEX agg_many_ts ON agg_many USING omendb (ts DESC) INCLUDE (i2, i8, k, i4);
-- Or else the planner takes each time for a group of its own.
CREATE STATISTICS agg_many_days ON (date_trunc('day', ts)) FROM agg_many;
CREATE STATISTICS agg_many_bins ON (date_bin('40 hours', ts, '2000-01-01')) FROM agg_many;
VACUUM ANALYZE agg_many;
CREATE FUNCTION compare_parallel() RETURNS TABLE (query text, result text) LANGUAGE sql AS $$
  SELECT q, compare_aggregate(q, false, 'seq', true) FROM unnest(ARRAY[
    'SELECT count(*), count(i8), sum(i2), sum(i4), sum(i8), avg(i2), avg(i4), avg(i8), min(i4), max(i8), min(d), max(d), count(f8) FROM agg_many WHERE g > 2',
    'SELECT count(*), sum(i2), sum(i8), avg(i4), avg(i8), min(i4) FROM agg_many WHERE g > (SELECT 50)',
    'SELECT count(*), sum(i2), sum(i8), avg(i4), avg(i8), max(k) FROM agg_many WHERE g = ANY (''{1,3,NULL,8,9,50}'')',
    'SELECT count(*), avg(i8) FROM agg_many WHERE g = ANY (''{1,3,8,9,50}'') AND k > 0',
    'SELECT count(*), sum(i8) FROM agg_many WHERE k > 0',
    'SELECT g, count(*), sum(i2), sum(i4), sum(i8), avg(i2), avg(i4), avg(i8), min(i4), max(i8) FROM agg_many GROUP BY g',
    'SELECT g, count(*), sum(i8) FROM agg_many WHERE k > 0 GROUP BY g HAVING sum(i8) > 0 AND min(d) IS NOT NULL',
    'SELECT g % 2 + sum(i8), max(i2) FROM agg_many WHERE g > 3 GROUP BY g',
    'SELECT count(*) FROM agg_many WHERE g > 3 HAVING avg(i2) > 100000',
    'SELECT date_trunc(''day'', ts), count(*), sum(i8), max(k) FROM agg_many GROUP BY 1',
    'SELECT date_bin(''40 hours'', ts, ''2000-01-01''), avg(i2), avg(i8) FROM agg_many WHERE ts > ''2001-01-03'' GROUP BY 1']) AS q
$$;
SELECT * FROM compare_parallel();
DELETE FROM agg_many WHERE g = 5 AND k % 3 = 0;
UPDATE agg_many SET i8 = i8 + 1 WHERE g = 7 AND k % 5 = 0;
SELECT result, count(*) FROM compare_parallel() GROUP BY 1 ORDER BY 1;
VACUUM agg_many;
INSERT INTO agg_many SELECT k, g, i2, i4, i8, d, ts, f8 FROM agg_many WHERE g = 4;
SELECT result, count(*) FROM compare_parallel() GROUP BY 1 ORDER BY 1;
-- In order, without a sort; left in the middle; again and again.
SELECT compare_aggregate('SELECT g, count(*) FROM agg_many GROUP BY g ORDER BY g', true, 'seq', true),
  compare_aggregate('SELECT g, count(*) FROM agg_many GROUP BY g ORDER BY g LIMIT 3', true, 'seq', true);
SET enable_material = off;
SELECT compare_aggregate('SELECT x.n, y.* FROM generate_series(1, 4) AS x (n) LEFT JOIN (SELECT count(*), avg(i8) FROM agg_many WHERE g > 3) AS y ON true', false, 'seq', true);
RESET enable_material;
BEGIN;
SELECT force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
SELECT force_parallel_totals();
EXPLAIN (COSTS OFF) SELECT count(*), sum(i8) FROM agg_many WHERE g > 3 HAVING count(*) > 5;
EXPLAIN (COSTS OFF) SELECT g, sum(i8) FROM agg_many GROUP BY g HAVING count(*) > 5;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM agg_many WHERE g < 3;
-- Sums of floats are one process's.
EXPLAIN (COSTS OFF) SELECT count(*), sum(f8) FROM agg_many WHERE g > 3;
PREPARE agg_many_p (int4) AS SELECT count(*), avg(i8) FROM agg_many WHERE g > $1 AND g < (SELECT max(n) FROM generate_series(1, 20) AS n);
SET LOCAL plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE agg_many_p (3);
EXECUTE agg_many_p (3);
EXECUTE agg_many_p (NULL);
-- This transaction's own rows.
DELETE FROM agg_many WHERE g = 10;
INSERT INTO agg_many (g, i8) SELECT 11, n FROM generate_series(1, 1000) AS n;
SELECT count(*), sum(i8) FROM agg_many WHERE g BETWEEN 9 AND 12;
SET LOCAL enable_seqscan = on;
SET LOCAL omendb.enable_aggregate = off;
SET LOCAL enable_indexonlyscan = off;
SELECT count(*), sum(i8) FROM agg_many WHERE g BETWEEN 9 AND 12;
ROLLBACK;
-- Without them, it is not worth it.
SET max_parallel_workers_per_gather = 2;
SELECT * FROM show_aggregate('SELECT count(*), sum(i8) FROM agg_many WHERE g > 3');
SET max_parallel_workers_per_gather = 0;

-- Below a Gather: one process does it all.
BEGIN;
SELECT force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
SET LOCAL force_parallel_mode = on;
SET LOCAL max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT count(*), sum(i4) FROM agg_t WHERE g = 3;
SELECT count(*), sum(i4) FROM agg_t WHERE g = 3;
COMMIT;
SELECT count(*), sum(i4) FROM agg_t WHERE g = 3;

SELECT omendb_check('agg_kg', true), omendb_check('agg_ts', true), omendb_check('agg_many_g', true);
