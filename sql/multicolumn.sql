-- Several key columns: every order of two, conditions on any of them, keyset pagination, 32 columns.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE multi_t (a int4, b int8, c date, d float8, id int);
INSERT INTO multi_t
  SELECT CASE WHEN n % 31 = 0 THEN NULL ELSE n % 20 END, CASE WHEN n % 17 = 0 THEN NULL ELSE n * 7919 % 97 - 40 END,
         '2024-01-01'::date + n % 13, CASE n % 11 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' WHEN 2 THEN 0 ELSE (n % 7)::float8 / 2 END, n
  FROM generate_series(1, 1500) AS n;
CREATE INDEX multi_abc ON multi_t USING omendb (a, b, c);
INSERT INTO multi_t
  SELECT CASE WHEN n % 31 = 0 THEN NULL ELSE n % 20 END, CASE WHEN n % 17 = 0 THEN NULL ELSE n * 7919 % 97 - 40 END,
         '2024-01-01'::date + n % 13, CASE n % 11 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' WHEN 2 THEN 0 ELSE (n % 7)::float8 / 2 END, n
  FROM generate_series(1501, 3000) AS n;
INSERT INTO multi_t VALUES (-2147483648, -9223372036854775808, '-infinity', '-Infinity', 3001), (2147483647, 9223372036854775807, 'infinity', 'NaN', 3002),
  (-2147483648, NULL, '-infinity', 0, 3003), (2147483647, NULL, NULL, NULL, 3004), (NULL, NULL, NULL, NULL, 3005);
DELETE FROM multi_t WHERE id % 10 = 3;
VACUUM ANALYZE multi_t;

SELECT show_plan('SELECT a, b, c FROM multi_t WHERE a = 5 AND b > 3 AND c <= ''2024-01-05''', 'only');
SELECT show_plan('SELECT * FROM multi_t WHERE a = ANY (''{1,2,3}'') AND b = ANY (''{5,6}'')', 'index');
SELECT show_plan('SELECT * FROM multi_t WHERE b = 5', 'bitmap');
SELECT show_plan('SELECT a, b, c FROM multi_t WHERE a = 5 ORDER BY b DESC, c DESC', 'only');

SELECT condition, compare('SELECT a, b, c FROM multi_t WHERE ' || condition)
FROM (VALUES ('a = 5'), ('a = 5 AND b = 3'), ('a = 5 AND b = 3 AND c = ''2024-01-07'''), ('a = 5 AND b > 10'), ('a = 5 AND b >= 10 AND b < 20::int2'),
             ('a = 5 AND c = ''2024-01-07'''), ('a = 5 AND b < 3 AND c > ''2024-01-07 12:00''::timestamp'), ('a > 15'), ('a > 15 AND b = 3'),
             ('a > 3 AND a <= 5 AND b > 3 AND b <= 10'), ('a < 3 AND c = ''2024-01-02'''), ('b = 3'), ('b > 50'), ('c = ''2024-01-03'''),
             ('b < 0 AND c >= ''2024-01-10'''), ('a IS NULL'), ('a IS NULL AND b IS NULL'), ('a IS NULL AND b > 5'), ('a = 7 AND b IS NULL'),
             ('a = 7 AND b IS NOT NULL AND c = ''2024-01-05'''), ('a >= 5 AND b IS NULL AND c < ''2024-01-05'''),
             ('a = -2147483648'), ('a >= 2147483647 AND b IS NULL'), ('a <= -2147483648::int8 AND b <= -9223372036854775808'),
             ('a = 2147483647 AND b = 9223372036854775807 AND c = ''infinity'''), ('a = 5 AND a = 6'), ('a > 5 AND a < 5 AND b = 1'),
             ('a = 5::int2 AND b = 3::int4'), ('a = 5 AND b > 9223372036854775806'), ('a < 5 AND a < 3 AND b > 1 AND b > 2::int2')) AS v (condition);
SELECT condition, compare('SELECT a, b, c FROM multi_t WHERE ' || condition)
FROM (VALUES ('a = ANY (''{5,3,3,NULL,19,77}'')'), ('a = ANY (''{5,3}'') AND b = ANY (''{10,-3,10,NULL,4,1000}'')'),
             ('a = ANY (''{5,3}'') AND b > 20'), ('a = 5 AND b = ANY (''{10,-3,4}''::int4[])'), ('a > 10 AND b = ANY (''{10,-3,4}'')'),
             ('a = ANY (''{1,2,3}'') AND b = ANY (''{1,2,3,4,5,6}'') AND c = ANY (''{2024-01-01,2024-01-05,2024-01-09}'')'),
             ('a = ANY (''{}'') AND b = 3'), ('a = 3 AND b = ANY (''{}'')'), ('a = ANY (''{NULL}'') AND b = ANY (''{3}'')'),
             ('b = ANY (''{3,5}'')'), ('c = ANY (''{2024-01-01,2024-01-13}'') AND a < 3'), ('a = ANY (''{3,4,5}'') AND b = 4 AND c IS NOT NULL'),
             ('a = ANY (''{4,2,0}'') AND a > 1 AND b >= ANY (''{50,40}'')')) AS v (condition);
SELECT compare('SELECT id FROM multi_t WHERE a = 3 AND b = 4 OR a = 5 AND b < -30 OR a IS NULL AND b = 7', '{bitmap}');

-- Order that the index gives, and a prefix of it.
SELECT tail, compare('SELECT a, b, c FROM multi_t ' || tail, '{index,only,batched,batched_only}', true)
FROM (VALUES ('ORDER BY a, b, c'), ('ORDER BY a DESC, b DESC, c DESC'), ('WHERE a = 5 ORDER BY b, c'), ('WHERE a = 5 ORDER BY b DESC, c DESC'),
             ('WHERE a = 5 AND b = 3 ORDER BY c DESC'), ('WHERE a > 5 ORDER BY a, b, c LIMIT 50'), ('WHERE a < 5 ORDER BY a DESC, b DESC, c DESC LIMIT 50'),
             ('WHERE a = ANY (''{7,3,5,3}'') ORDER BY a, b, c'), ('WHERE a = ANY (''{7,3,5,3}'') ORDER BY a DESC, b DESC, c DESC'),
             ('WHERE a = ANY (''{7,3,5,3}'') AND b > 40 ORDER BY a, b, c'), ('WHERE b = 5 ORDER BY a, c'), ('WHERE c = ''2024-01-05'' ORDER BY a, b'),
             ('WHERE a IS NULL ORDER BY a, b, c'), ('WHERE b IS NOT NULL ORDER BY a, b, c LIMIT 100')) AS v (tail);
SELECT compare('SELECT a FROM multi_t ORDER BY a', '{index,only,batched,batched_only}', true), compare('SELECT a, b FROM multi_t ORDER BY a DESC, b DESC', '{index,only,batched,batched_only}', true),
       compare('SELECT DISTINCT a, b FROM multi_t WHERE a < 4 ORDER BY a, b', '{index,only,batched,batched_only}', true),
       compare('SELECT a, max(b), count(*) FROM multi_t GROUP BY a ORDER BY a', '{index,only,batched,batched_only}', true),
       compare('SELECT min(b), max(b) FROM multi_t WHERE a = 5', '{index,only,batched,batched_only}');

-- Keyset pagination: a row comparison, narrowed by its leading column.
SELECT compare('SELECT a, b, c FROM multi_t WHERE a >= 5 AND (a, b, c) > (5, 3, ''2024-01-05'') ORDER BY a, b, c LIMIT 20', '{index,only,batched,batched_only}', true),
       compare('SELECT a, b, c FROM multi_t WHERE a <= 5 AND (a, b, c) < (5, 3, ''2024-01-05'') ORDER BY a DESC, b DESC, c DESC LIMIT 20', '{index,only,batched,batched_only}', true),
       compare('SELECT a, b, c FROM multi_t WHERE a >= 5 AND a <= 6 AND (a, b) >= (5, 50) AND (a, b) <= (6, 0)');
BEGIN;
SELECT force_scan('only');
DO $$
DECLARE
  a0 int := -2147483648; b0 int8 := -9223372036854775808; c0 date := '-infinity'; n int := 0; r record;
BEGIN
  LOOP
    FOR r IN SELECT a, b, c, id FROM multi_t WHERE a >= a0 AND (a, b, c) > (a0, b0, c0) AND b + 0 IS NOT NULL
             ORDER BY a, b, c FETCH FIRST 100 ROWS WITH TIES LOOP
      n := n + 1; a0 := r.a; b0 := r.b; c0 := r.c;
    END LOOP;
    EXIT WHEN NOT FOUND;
  END LOOP;
  RAISE NOTICE '% rows on all pages', n;
END $$;
COMMIT;
SELECT count(*) FROM multi_t WHERE (a, b, c) > (-2147483648, -9223372036854775808, '-infinity') AND b + 0 IS NOT NULL;

-- Run-time keys on both columns.
CREATE TABLE multi_probe AS SELECT n % 25 AS a, CASE WHEN n % 9 = 0 THEN NULL ELSE n % 50 - 20 END AS b FROM generate_series(1, 300) AS n;
SELECT compare('SELECT p.a, p.b, (SELECT count(*) FROM multi_t t WHERE t.a = p.a AND t.b = p.b), (SELECT max(b) FROM multi_t t WHERE t.a = p.a AND t.b < p.b) FROM multi_probe p', '{only,batched_only}'),
       compare('SELECT p.a, p.b, (SELECT count(*) FROM multi_t t WHERE t.a = ANY (ARRAY[p.a, p.a + 1, p.b]) AND t.b > p.b) FROM multi_probe p', '{only,batched_only}');
SELECT omendb_check('multi_abc'::regclass, true);

-- Every order of two columns, forward and backward.
CREATE FUNCTION multi_order(o1 text, n1 text, o2 text, n2 text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  opposite constant jsonb := '{"ASC": "DESC", "DESC": "ASC", "FIRST": "LAST", "LAST": "FIRST"}';
  forward text := format('b %s NULLS %s, d %s NULLS %s', o1, n1, o2, n2);
  backward text := format('b %s NULLS %s, d %s NULLS %s', opposite->>o1, opposite->>n1, opposite->>o2, opposite->>n2);
  result text;
BEGIN
  EXECUTE format('CREATE INDEX multi_bd ON multi_t USING omendb (%s)', forward);
  INSERT INTO multi_t SELECT a, b, c, d, id + 10000 FROM multi_t WHERE id % 5 = 1 AND id < 10000;
  SELECT string_agg(DISTINCT r, '; ') INTO result FROM (
    SELECT compare(format('SELECT b, d + 0 FROM multi_t %s ORDER BY %s', w, o), '{index,only,batched,batched_only}', true) AS r
    FROM unnest(ARRAY[forward, backward]) AS o, unnest('{"",WHERE b > 20,WHERE b <= -10,WHERE b = 7 AND d >= 1,WHERE b IN (9\,5\,7)}'::text[]) AS w
    UNION ALL
    SELECT compare('SELECT b, float8send(d) FROM multi_t WHERE ' || c)
    FROM unnest('{b = 5,b = 5 AND d = 0,b > 40 AND d = ''NaN'',b < -30 AND d < 1,b IS NULL AND d = 0,b = 5 AND d IS NULL,d = 0,d > 2,'
                'b = ANY (''\{5\,NULL\,-7\}'') AND d = ANY (''\{0\,NaN\,1.5\}''::float4[]),b = 7 AND d > 0 AND d <= 2,b = 7 AND d < 0}'::text[]) AS c) AS q
  WHERE r NOT LIKE 'same%';
  PERFORM omendb_check('multi_bd'::regclass, true);
  DROP INDEX multi_bd;
  DELETE FROM multi_t WHERE id > 10000;
  RETURN coalesce(result, 'same');
END $$;
SELECT o1, n1, o2, n2, multi_order(o1, n1, o2, n2)
FROM unnest('{ASC,DESC}'::text[]) AS o1, unnest('{FIRST,LAST}'::text[]) AS n1, unnest('{ASC,DESC}'::text[]) AS o2, unnest('{FIRST,LAST}'::text[]) AS n2
ORDER BY 1, 2, 3, 4;

-- As many columns as an index can have; the same column twice.
SELECT format('CREATE TABLE multi_wide (%s)', string_agg(format('c%s %s', n, (ARRAY['int4', 'int2', 'float8', 'bool'])[n % 4 + 1]), ', ' ORDER BY n))
FROM generate_series(1, 32) AS n \gexec
SELECT format('INSERT INTO multi_wide SELECT %s FROM generate_series(1, 300) AS m',
              string_agg(CASE n % 4 WHEN 3 THEN format('m / %s %% 2 = 0', n) ELSE format('m / %s %% 3', n) END, ', ' ORDER BY n))
FROM generate_series(1, 32) AS n \gexec
SELECT format('CREATE INDEX multi_wide_k ON multi_wide USING omendb (%s)', string_agg('c' || n, ', ' ORDER BY n)) FROM generate_series(1, 32) AS n \gexec
INSERT INTO multi_wide SELECT * FROM multi_wide;
INSERT INTO multi_wide (c32) VALUES (1), (NULL);
VACUUM multi_wide;
SELECT compare('SELECT * FROM multi_wide WHERE c1 = 1'), compare('SELECT * FROM multi_wide WHERE c1 = 1 AND c2 = 0 AND c3 AND c32 < 2'),
       compare('SELECT * FROM multi_wide WHERE c1 IS NULL'), compare('SELECT c32 FROM multi_wide WHERE c32 = 1');
SELECT omendb_check('multi_wide_k'::regclass, true);
CREATE INDEX multi_twice ON multi_probe USING omendb (a, b, a DESC);
SELECT compare('SELECT a, b FROM multi_probe WHERE a = 5 AND b > 3'), compare('SELECT a, b FROM multi_probe ORDER BY a, b', '{only,batched_only}', true);
SELECT omendb_check('multi_twice'::regclass, true);
