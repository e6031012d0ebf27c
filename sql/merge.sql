-- Merge joins: the inner scan goes back to where it was marked.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE left_t (a int4, b int8, id int);
CREATE TABLE right_t (a int8, b int4, id int);
INSERT INTO left_t SELECT nullif(n % 97, 96), n * 7919 % 11, n FROM generate_series(1, 1500) AS n;
INSERT INTO right_t SELECT nullif(n % 61 - 5, 50), n * 31 % 7, n FROM generate_series(1, 1500) AS n;
INSERT INTO left_t SELECT 42, 3, n FROM generate_series(2001, 2600) AS n;
INSERT INTO right_t SELECT 42, 3, n FROM generate_series(2001, 2060) AS n;
CREATE INDEX left_ab ON left_t USING omendb (a, b, id) WITH (fillfactor = 15);
CREATE INDEX right_ab ON right_t USING omendb (a, b, id) WITH (fillfactor = 15);
CREATE INDEX left_desc ON left_t USING omendb (a DESC NULLS LAST, b DESC NULLS LAST, id) WITH (fillfactor = 15);
CREATE INDEX right_desc ON right_t USING omendb (a DESC NULLS LAST, b DESC NULLS LAST, id) WITH (fillfactor = 15);
DELETE FROM right_t WHERE id % 19 = 3;
VACUUM ANALYZE left_t;
VACUUM ANALYZE right_t;

-- A merge join by index scans, without a Materialize, against a hash join by sequential scans.
CREATE FUNCTION merge_join(query text, way text) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on SET enable_bitmapscan = on SET enable_sort = on
SET enable_hashjoin = on SET enable_mergejoin = on SET enable_nestloop = on SET enable_material = on SET enable_memoize = off AS $$
DECLARE
  digest text := digest_query(query, false);
  expected record;
  got record;
  plan text;
  problems text := '';
BEGIN
  PERFORM force_scan('seq'), set_config('enable_mergejoin', 'off', true), set_config('enable_nestloop', 'off', true);
  EXECUTE digest INTO expected;
  PERFORM force_scan(way), set_config('enable_mergejoin', 'on', true), set_config('enable_hashjoin', 'off', true), set_config('enable_material', 'off', true);
  plan := plan_of(digest);
  IF NOT plan_has(plan, way) OR plan !~ 'Merge (\w+ )?Join' OR plan ~ 'Sort|Materialize' THEN
    problems := E'another plan:\n' || plan;
  END IF;
  EXECUTE digest INTO got;
  IF got IS DISTINCT FROM expected THEN
    problems := problems || format('DIFFERENT: %s rows instead of %s', got.count, expected.count);
  END IF;
  RETURN CASE problems WHEN '' THEN format('same, %s rows', expected.count) ELSE problems END;
END $$;
BEGIN;
SELECT force_scan('only');
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT l.id, r.id FROM left_t l JOIN right_t r ON l.a = r.a AND l.b = r.b;
COMMIT;
SELECT condition, merge_join('SELECT l.a, l.b, l.id AS left_id, r.id AS right_id FROM left_t l JOIN right_t r ON ' || condition, way)
FROM unnest('{l.a = r.a,l.a = r.a AND l.b = r.b,l.a = r.a AND l.b < r.b,l.a = r.a AND r.b > 2,l.a = r.a WHERE l.a BETWEEN 10 AND 45,
  "l.a = r.a WHERE r.a = ANY (''{1,42,NULL,30,42}'')","l.a = r.a WHERE l.a = ANY (''{40,41,42}'') AND r.a = ANY (''{42,43,41}'')",l.a = r.a AND l.b = r.b WHERE r.a > 40 AND l.id % 3 = 1}'::text[]) WITH ORDINALITY AS c (condition, i), unnest('{index,only}'::text[]) AS way
ORDER BY i, way;
-- Duplicates on both sides, of the same table; outer joins, semi joins and anti joins.
SELECT query, merge_join(query, 'only')
FROM unnest('{SELECT x.id AS x\, y.id AS y FROM left_t x JOIN left_t y ON x.a = y.a,SELECT x.id AS x\, y.id AS y FROM left_t x JOIN left_t y ON x.a = y.a AND x.b = y.b WHERE x.id < y.id,
  SELECT l.id AS l\, r.id AS r FROM left_t l LEFT JOIN right_t r ON l.a = r.a,SELECT l.id AS l\, r.id AS r FROM left_t l RIGHT JOIN right_t r ON l.a = r.a AND l.b = r.b,
  SELECT l.id AS l\, r.id AS r FROM left_t l FULL JOIN right_t r ON l.a = r.a AND l.b = r.b,SELECT l.id FROM left_t l WHERE EXISTS (SELECT FROM right_t r WHERE r.a = l.a AND r.b = l.b),
  SELECT l.id FROM left_t l WHERE NOT EXISTS (SELECT FROM right_t r WHERE r.a = l.a AND r.b = l.b)}'::text[]) WITH ORDINALITY AS q (query, i)
ORDER BY i;
-- Both scans from the end to the beginning, and by a descending index.
CREATE FUNCTION merge_order(tail text) RETURNS text LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = on SET enable_nestloop = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET enable_material = off AS $$
DECLARE
  query text := 'SELECT l.a, l.b, r.a AS ra, r.b AS rb FROM left_t l JOIN right_t r ON l.a = r.a AND l.b = r.b ORDER BY ' || tail;
  plan text;
  got text;
  expected text;
BEGIN
  plan := plan_of(query);
  EXECUTE format('SELECT count(*) || md5(string_agg(r::text, '','')) FROM (%s) AS r', query) INTO got;
  PERFORM set_config('enable_mergejoin', 'off', true), set_config('enable_hashjoin', 'on', true), set_config('enable_sort', 'on', true), force_scan('seq');
  EXECUTE format('SELECT count(*) || md5(string_agg(r::text, '','')) FROM (%s) AS r', query) INTO expected;
  RETURN CASE WHEN plan !~ 'Merge Join' OR plan ~ 'Sort|Materialize' THEN plan WHEN got = expected THEN 'same' ELSE 'DIFFERENT' END;
END $$;
SELECT tail, merge_order(tail) FROM unnest('{"l.a, l.b","l.a DESC, l.b DESC","l.a DESC NULLS LAST, l.b DESC NULLS LAST","l.a NULLS FIRST, l.b NULLS FIRST"}'::text[]) AS tail;
-- Several marks in one scan: a cursor over a merge join, and changes under it.
BEGIN;
SELECT force_scan('index');
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
SET LOCAL enable_material = off;
DECLARE c CURSOR FOR SELECT l.a, l.id AS l, r.id AS r FROM left_t l JOIN right_t r ON l.a = r.a AND l.b = r.b WHERE l.a >= 42 AND l.a <= 43 ORDER BY l.a;
MOVE 1000 IN c;
DELETE FROM right_t WHERE a = 42 AND id % 2 = 0;
INSERT INTO right_t SELECT 42, 3, n FROM generate_series(3001, 3500) AS n;
MOVE ALL IN c;
COMMIT;
SELECT merge_join('SELECT l.id AS l, r.id AS r FROM left_t l JOIN right_t r ON l.a = r.a AND l.b = r.b', 'only');
-- A cross-type merge join: the keys are int4 and int8, and one side is another access method's.
CREATE INDEX right_btree ON right_t (a, b, id);
DROP INDEX right_ab, right_desc;
SELECT merge_join('SELECT l.id AS l, r.id AS r FROM left_t l JOIN right_t r ON l.a = r.a', 'only'), merge_join('SELECT l.id AS l, r.id AS r FROM right_t r JOIN left_t l ON l.a = r.a AND l.b = r.b', 'index');
SELECT omendb_check('left_ab', true), omendb_check('left_desc', true);
