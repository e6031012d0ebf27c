-- Several bounds on one column, and arrays whose output is in order.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE bound_t (a int4, b int8, c float8, id int);
INSERT INTO bound_t
  SELECT nullif(n % 23, 22), nullif(n * 7919 % 41 - 20, 17), CASE n % 9 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' ELSE (n % 7)::float8 / 2 END, n
  FROM generate_series(1, 2000) AS n;
CREATE INDEX bound_abc ON bound_t USING omendb (a, b DESC, c);
INSERT INTO bound_t SELECT a, b + 1, c, id + 2000 FROM bound_t WHERE id % 3 = 0;
DELETE FROM bound_t WHERE id % 11 = 4;
VACUUM ANALYZE bound_t;

-- Every pair of conditions on one column, first and later: redundant ones, and ones that contradict each other.
CREATE TABLE conditions (n serial, c text);
INSERT INTO conditions (c)
  SELECT '%1$s ' || c FROM unnest('{< 7,<= 7,= 7,>= 7,> 7,< 7.5::float8,< 12::int2,>= 12::int8,= 12::int8,IS NULL,IS NOT NULL,
    "= ANY (''{3,7,NULL,12}'')","= ANY (''{}'')","= ANY (NULL::int4[])","> ANY (''{3,12}'')","<= ANY (''{NULL,12}'')",> NULL}'::text[]) AS c
  WHERE c !~ 'float8';
CREATE FUNCTION compare_all(prefix text, col text, OUT queries int, OUT matches bigint, OUT problems int) LANGUAGE plpgsql AS $$
DECLARE
  condition text;
  result text;
BEGIN
  queries := 0;
  matches := 0;
  problems := 0;
  FOR condition IN SELECT prefix || format(x.c || ' AND ' || y.c, col) FROM conditions AS x, conditions AS y ORDER BY x.n, y.n LOOP
    result := compare('SELECT a, b, c FROM bound_t WHERE ' || condition, '{index,only,batched,batched_only}');
    queries := queries + 1;
    IF result LIKE 'same, %' THEN
      matches := matches + substring(result FROM '\d+')::bigint;
    ELSIF result !~ '^no \w+ scan(, no \w+ scan){3}$' THEN
      problems := problems + 1;
      RAISE WARNING '%: %', condition, result;
    END IF;
  END LOOP;
END $$;
SELECT * FROM compare_all('', 'a');
SELECT * FROM compare_all('a = 5 AND ', 'b');
SELECT * FROM compare_all('a > 15 AND ', 'b');
-- Three and more.
SELECT condition, compare('SELECT a, b, c FROM bound_t WHERE ' || condition)
FROM (VALUES ('a > 3 AND a >= 5 AND a < 20 AND a <= 9'), ('a > 3 AND a > 2147483648'), ('a >= 5 AND a <= 5 AND a = 5'),
             ('a >= 5 AND a <= 5 AND b >= -3 AND b <= -3 AND c >= 0 AND c <= 0'), ('a = 5 AND a = 5::int8 AND a = 5::int2'),
             ('a = 5 AND a = 6 AND a = 7'), ('a BETWEEN 3 AND 9 AND a BETWEEN 5 AND 20 AND a BETWEEN 8 AND 8'),
             ('a = ANY (''{1,2,3,4}'') AND a = ANY (''{3,4,5}'') AND a > 3'), ('a = ANY (''{1,2,3,4}'') AND a < ANY (''{2,3}'') AND a >= 2'),
             ('a IS NOT NULL AND a > 20'), ('a IS NULL AND a IS NULL AND b > 0'), ('a > 20 AND b IS NULL AND b IS NULL'),
             ('c > 1 AND c > 2 AND c < ''NaN'''), ('c >= ''NaN'' AND c <= ''NaN'''), ('a = 7 AND c > 1 AND c < 1'),
             ('a = 7 AND c >= 0 AND c <= -0.0::float8')) AS v (condition);

-- Arrays: the rows come in the order of the index, forward and backward, whole and in part.
SELECT condition, tail, compare(format('SELECT a, b, c + 0 AS shown FROM bound_t WHERE %s ORDER BY %s', condition, tail), '{index,only,batched,batched_only}', true)
FROM unnest('{"a = ANY (''{9,3,3,NULL,21,-5}'')",a IN (1\,2\,30),"a = ANY (''{9,3,21}'') AND b > 0",a = 4,"a = ANY (''{}'')"}'::text[]) AS condition,
     unnest('{"a, b DESC, c","a DESC, b, c DESC","a, b DESC, c LIMIT 37","a DESC, b, c DESC LIMIT 50 OFFSET 30"}'::text[]) AS tail
WHERE condition NOT LIKE 'a = 4%';
-- On a later column, below one value of the first: the order of the index still holds.
SELECT condition, tail, compare(format('SELECT a, b, c + 0 AS shown FROM bound_t WHERE a = 7 AND %s ORDER BY %s', condition, tail), '{index,only,batched,batched_only}', true)
FROM unnest('{"b = ANY (''{-3,9,NULL,9,2}'')","b IN (1,2,5) AND c > 0","b = ANY (''{-3,9}'') AND c = ANY (''{0,NaN,1.5}'')"}'::text[]) AS condition,
     unnest('{"b DESC, c","b, c DESC","b DESC, c LIMIT 5","b, c DESC LIMIT 3 OFFSET 2"}'::text[]) AS tail;
SELECT condition, compare('SELECT a, b, c FROM bound_t WHERE ' || condition)
FROM unnest('{"a = ANY (''{3,9,21}'') AND b = ANY (''{5,6,NULL}'') AND c = ANY (''{0,NaN}'')","a > 10 AND b = ANY (''{5,6}'')",
  "b = ANY (''{5,6}'')","a IS NULL AND b = ANY (''{5,6}'')","a = ANY (''{3,9}'') AND b IS NULL"}'::text[]) AS condition;
-- Arrays of thousands.
SELECT compare('SELECT a, b FROM bound_t WHERE a = ANY (ARRAY(SELECT n * 31 % 5000 - 100 FROM generate_series(1, 5000) AS n))', '{index,only,bitmap,batched,batched_only}');

-- Values known at run time only, of other types; domains.
CREATE DOMAIN bound_domain AS int4 CHECK (VALUE < 1000);
CREATE DOMAIN bound_big AS int8;
CREATE TABLE bound_d (k bound_domain, v bound_big);
INSERT INTO bound_d SELECT n % 300, n FROM generate_series(1, 900) AS n;
CREATE INDEX bound_d_k ON bound_d USING omendb (k, v);
SELECT condition, compare('SELECT k, v FROM bound_d WHERE ' || condition)
FROM unnest('{k = 5,k = 5::bound_domain,k < 5::bound_big,k BETWEEN 7::int2 AND 9::bound_big,"k = ANY (''{3,5}''::bound_domain[])",k = 7 AND v > 10::bound_domain}'::text[]) AS condition;
SET plan_cache_mode = force_generic_plan;
PREPARE by_int2(int2, int8) AS SELECT count(*) FROM bound_d WHERE k > $1 AND k <= $2;
PREPARE by_array(int8[]) AS SELECT count(*) FROM bound_d WHERE k = ANY ($1);
PREPARE by_two(int4, int4) AS SELECT count(*) FROM bound_d WHERE k > $1 AND k > $2;
BEGIN;
SELECT force_scan('only');
EXPLAIN (COSTS OFF) EXECUTE by_int2(5, 9);
EXECUTE by_int2(5, 9);
EXECUTE by_int2(-32768, 9223372036854775807);
EXECUTE by_int2(5, NULL);
EXECUTE by_array('{1,2,NULL,9223372036854775807,2}');
EXECUTE by_array('{}');
EXECUTE by_array(NULL);
EXECUTE by_two(290, 295);
EXECUTE by_two(295, 290);
EXECUTE by_two(295, NULL);
COMMIT;
SET plan_cache_mode = auto;
-- The same statement again and again, until its plan is generic; then its column gets another type.
BEGIN;
SELECT force_scan('index');
EXECUTE by_two(1, 1);
EXECUTE by_two(1, 1);
EXECUTE by_two(1, 1);
EXECUTE by_two(1, 1);
EXECUTE by_two(1, 1);
EXECUTE by_two(1, 1);
EXECUTE by_two(100, 1);
COMMIT;
ALTER TABLE bound_d ALTER k TYPE int8;
BEGIN;
SELECT force_scan('index');
EXECUTE by_two(100, 1);
EXECUTE by_int2(5, 9);
COMMIT;
ALTER TABLE bound_d ALTER k TYPE int2, ALTER v TYPE float8;
BEGIN;
SELECT force_scan('only');
EXECUTE by_two(100, 1);
EXECUTE by_array('{1,2,NULL,9223372036854775807,2}');
DROP INDEX bound_d_k;
EXECUTE by_two(100, 1);
ROLLBACK;
DEALLOCATE ALL;
-- Parameters of a nested loop: a new range each time, forward and backward.
SELECT compare('SELECT d.n, x.a, x.b FROM generate_series(-2, 30, 3) AS d(n), LATERAL (SELECT a, b FROM bound_t WHERE a = d.n AND b > d.n - 15 ORDER BY b LIMIT 3) AS x', '{index,only,batched,batched_only}'),
       compare('SELECT d.n, x.a, x.b FROM generate_series(30, -2, -7) AS d(n), LATERAL (SELECT a, b FROM bound_t WHERE a < d.n AND a >= d.n - 2) AS x', '{index,only,bitmap,batched,batched_only}');
SELECT omendb_check('bound_abc', true), omendb_check('bound_d_k', true);
