-- Cursors: scans that turn round, anywhere; snapshots that outlive VACUUM.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE turn_t (a int4, b int8, id int) WITH (autovacuum_enabled = off);
INSERT INTO turn_t SELECT nullif(n % 50, 49), CASE WHEN n % 13 <> 0 THEN spread(n) END, n FROM generate_series(1, 3000) AS n;
CREATE INDEX turn_asc ON turn_t USING omendb (a, b, id) WITH (fillfactor = 10);
CREATE INDEX turn_desc ON turn_t USING omendb (b DESC NULLS LAST, a, id) WITH (fillfactor = 10);
INSERT INTO turn_t SELECT a, b / 2, id + 3000 FROM turn_t WHERE id % 3 = 0;
DELETE FROM turn_t WHERE id % 17 = 5;
VACUUM ANALYZE turn_t;
SELECT relname, pg_relation_size(oid) / 8192 > 10 AS several_leaves FROM pg_class WHERE relname IN ('turn_asc', 'turn_desc') ORDER BY 1;

-- Walks a cursor by the given steps, fN and bN rows to and fro, F and L to the ends, aN to a position, and says what a
-- copy of the rows in an array says, or the first difference.
CREATE FUNCTION walk(query text, way text, steps text[]) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on
SET enable_bitmapscan = on SET enable_sort = on AS $$
DECLARE
  expected text[];
  scan refcursor;
  step text;
  n int;
  place int := 0;
  row record;
  got text;
  plan text;
BEGIN
  PERFORM force_scan('seq');
  EXECUTE format('SELECT coalesce(array_agg(r::text), ''{}'') FROM (%s) AS r', query) INTO expected;
  PERFORM force_scan(way);
  plan := plan_of(query);
  IF NOT plan_has(plan, way) OR plan ~ 'Sort|Materialize' THEN
    RETURN E'another plan:\n' || plan;
  END IF;
  OPEN scan SCROLL FOR EXECUTE query;
  FOREACH step IN ARRAY steps LOOP
    n := coalesce(nullif(substr(step, 2), '')::int, 1);
    FOR i IN 1 .. CASE WHEN step ~ '^[fb]' THEN n ELSE 1 END LOOP
      IF step LIKE 'f%' THEN
        place := least(place + 1, cardinality(expected) + 1);
        FETCH NEXT FROM scan INTO row;
      ELSIF step LIKE 'b%' THEN
        place := greatest(place - 1, 0);
        FETCH PRIOR FROM scan INTO row;
      ELSIF step LIKE 'a%' THEN
        place := least(n, cardinality(expected) + 1);
        FETCH ABSOLUTE n FROM scan INTO row;
      ELSIF step = 'F' THEN
        place := 1;
        FETCH FIRST FROM scan INTO row;
      ELSE
        place := cardinality(expected);
        FETCH LAST FROM scan INTO row;
      END IF;
      got := CASE WHEN FOUND THEN row::text END;
      IF got IS DISTINCT FROM expected[place] THEN
        RETURN format('DIFFERENT after %s at row %s of %s: %s instead of %s', step, place, cardinality(expected), got, expected[place]);
      END IF;
    END LOOP;
  END LOOP;
  CLOSE scan;
  RETURN format('same, %s rows', cardinality(expected));
END $$;

-- Turned round at every position near the ends, and across leaves.
CREATE FUNCTION turns() RETURNS SETOF text[] LANGUAGE sql AS $$
  SELECT ARRAY['f' || n, 'b' || n, 'f' || n + 1, 'b1', 'f2', 'b' || n + 3, 'f1'] FROM unnest('{1,2,3,31,32,33,34,65,160}'::int[]) AS n
  UNION ALL
  SELECT ARRAY['L', 'b' || n, 'f' || n, 'f2', 'b' || n + 1, 'f1', 'f' || n + 5, 'b2', 'F', 'f1'] FROM unnest('{1,2,3,31,32,33,34,65,160}'::int[]) AS n
  UNION ALL
  VALUES (ARRAY['f4200', 'b4200', 'f4200', 'b1', 'f1', 'b1']), (ARRAY['f700', 'b650', 'f900', 'b1000', 'f1500', 'b1500']),
         (ARRAY['a500', 'b3', 'f6', 'a499', 'f1', 'a100000', 'b1', 'a0', 'f1', 'a1', 'b1', 'f2']), (ARRAY['b1', 'f1', 'b1', 'b1', 'f2'])
  UNION ALL
  SELECT array_agg(CASE WHEN hashint4extended(n, m) % 2 = 0 THEN 'f' ELSE 'b' END || (abs(hashint8extended(n, m)) % 90)::text ORDER BY n)
  FROM generate_series(1, 2) AS m, generate_series(1, 40) AS n GROUP BY m
$$;
SELECT tail, way, string_agg(DISTINCT walk('SELECT a, b, id FROM turn_t ' || tail, way, steps), '; ')
FROM unnest('{"ORDER BY a, b, id","ORDER BY a DESC, b DESC, id DESC","ORDER BY b DESC NULLS LAST, a, id","ORDER BY b NULLS FIRST, a DESC, id DESC",
  "WHERE a BETWEEN 7 AND 12 ORDER BY a, b, id","WHERE a = 7 AND b IS NOT NULL ORDER BY a DESC, b DESC, id DESC","WHERE a IS NULL ORDER BY a, b, id",
  "WHERE b IS NULL ORDER BY b DESC NULLS LAST, a, id","WHERE a = ANY (''{3,48,NULL,9,3,100}'') ORDER BY a, b, id","WHERE a = ANY (''{3,48,9}'') ORDER BY a DESC, b DESC, id DESC",
  "WHERE a = 5 AND b = ANY (ARRAY(SELECT spread(n) FROM generate_series(5, 2000, 50) AS n)) ORDER BY b, id","WHERE a = 99 ORDER BY a, b, id","WHERE a > 46 AND id % 7 = 2 ORDER BY a, b, id",
  "WHERE a = ANY (''{}'') ORDER BY a, b, id"}'::text[]) WITH ORDINALITY AS t (tail, i),
  unnest('{index,only}'::text[]) AS way, turns() AS steps
GROUP BY i, tail, way ORDER BY i, way;

-- What a cursor sees does not change: rows are deleted, updated, inserted and vacuumed away under it, pages split.
BEGIN;
SELECT force_scan('only');
DECLARE old_only SCROLL CURSOR FOR SELECT a, b, id FROM turn_t WHERE a BETWEEN 20 AND 29 ORDER BY a, b, id;
FETCH 3 FROM old_only;
SELECT force_scan('index');
DECLARE old_index SCROLL CURSOR FOR SELECT a, b, id FROM turn_t WHERE a BETWEEN 20 AND 29 ORDER BY a, b, id;
FETCH 3 FROM old_index;
CREATE TEMP TABLE seen AS SELECT a, b, id FROM turn_t WHERE a BETWEEN 20 AND 29;
DELETE FROM turn_t WHERE a BETWEEN 19 AND 24;
UPDATE turn_t SET b = b + 1 WHERE a BETWEEN 25 AND 30;
INSERT INTO turn_t SELECT 20 + n % 12, spread(n), n + 10000 FROM generate_series(1, 2000) AS n;
MOVE ABSOLUTE 0 IN old_only;
CREATE FUNCTION count_cursor(scan refcursor) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  row record;
  previous record;
  n int := 0;
  sum numeric := 0;
BEGIN
  MOVE ABSOLUTE 0 FROM scan;
  LOOP
    FETCH scan INTO row;
    EXIT WHEN NOT FOUND;
    n := n + 1;
    sum := sum + hashtextextended(row::text, 0);
  END LOOP;
  LOOP
    FETCH PRIOR FROM scan INTO row;
    EXIT WHEN NOT FOUND;
    n := n + 1;
    sum := sum + hashtextextended(row::text, 0);
  END LOOP;
  RETURN n || ' ' || sum;
END $$;
SELECT count_cursor(c::refcursor) = 2 * rows || ' ' || 2 * sum AS as_before
FROM (SELECT count(*) AS rows, sum(hashtextextended(s::text, 0)) AS sum FROM seen AS s) AS s, unnest('{old_only,old_index}'::text[]) AS c;
COMMIT;
-- A cursor WITH HOLD outlives its transaction, and VACUUM after it; one of REPEATABLE READ holds VACUUM's hand.
BEGIN;
SELECT force_scan('only');
DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT a, b, id FROM turn_t WHERE a = 31 ORDER BY a, b, id;
FETCH 2 FROM held;
COMMIT;
SELECT count(*) AS before FROM turn_t WHERE a = 31 \gset
DELETE FROM turn_t WHERE a = 31;
VACUUM turn_t;
INSERT INTO turn_t SELECT 31, n, n FROM generate_series(1, 200) AS n;
SELECT count_cursor('held') LIKE (2 * :before)::text || ' %' AS kept;
FETCH BACKWARD 1 FROM held;
FETCH FIRST FROM held;
CLOSE held;
-- WHERE CURRENT OF.
BEGIN;
SELECT force_scan('index');
DECLARE c CURSOR FOR SELECT a, b, id FROM turn_t WHERE a = 31 AND b > 100 ORDER BY a, b, id FOR UPDATE;
FETCH 1 FROM c;
UPDATE turn_t SET b = -b WHERE CURRENT OF c;
FETCH 1 FROM c;
DELETE FROM turn_t WHERE CURRENT OF c;
FETCH 1 FROM c;
COMMIT;
SELECT compare('SELECT a, b, id FROM turn_t WHERE a = 31 AND b < 150');
-- A cursor closed in the middle, left to a subtransaction that fails, and to the end of a transaction.
BEGIN;
SELECT force_scan('only');
DECLARE c SCROLL CURSOR FOR SELECT a, b FROM turn_t ORDER BY a, b;
FETCH 1 FROM c;
SAVEPOINT s;
MOVE 500 IN c;
SELECT 1 / 0;
ROLLBACK TO s;
FETCH 1 FROM c;
SAVEPOINT s;
DECLARE d SCROLL CURSOR FOR SELECT a, b FROM turn_t ORDER BY a DESC NULLS FIRST, b DESC NULLS FIRST;
FETCH BACKWARD 1 FROM d;
ROLLBACK TO s;
FETCH 1 FROM d;
ROLLBACK;
SELECT omendb_check('turn_asc', true), omendb_check('turn_desc', true);
