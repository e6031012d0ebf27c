-- oid, bool, "char", money, time; domains and types that are binary-compatible.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE other_t (id int, o oid, b bool, c "char", m money, t time, rc regclass, p percent);
INSERT INTO other_t
  SELECT -n, o, b, c, m, t
  FROM generate_series(1, 3) AS n,
       (VALUES ('0'::oid, true, (-128)::"char", '-92233720368547758.08'::money, '00:00:00'::time),
               ('1', false, '', '92233720368547758.07', '24:00:00'), ('2147483647', NULL, 'a', '0', '23:59:59.999999'),
               ('2147483648', true, (-1)::"char", '-0.01', '00:00:00.000001'), ('4294967295', false, 127::"char", '0.01', '12:00'),
               (NULL, NULL, NULL, NULL, NULL)) AS v (o, b, c, m, t);
INSERT INTO other_t
  SELECT n, (spread(n) & 4294967295)::oid, n % 3 = 0, (n * 37 % 256 - 128)::"char", spread(n) / 1000000 * '0.01'::money,
         '00:00'::time + n * interval '53.000001 seconds', (n % 90 + 10000)::oid, n % 101
  FROM generate_series(1, 800) AS n;
CREATE INDEX other_o ON other_t USING omendb (o);
CREATE INDEX other_b ON other_t USING omendb (b);
CREATE INDEX other_c ON other_t USING omendb (c);
CREATE INDEX other_m ON other_t USING omendb (m);
CREATE INDEX other_time ON other_t USING omendb (t);
CREATE INDEX other_rc ON other_t USING omendb (rc);
CREATE INDEX other_p ON other_t USING omendb (p);
INSERT INTO other_t
  SELECT n, (spread(n) & 4294967295)::oid, n % 3 = 0, (n * 37 % 256 - 128)::"char", spread(n) / 1000000 * '0.01'::money,
         '00:00'::time + n * interval '53.000001 seconds', (n % 90 + 10000)::oid, n % 101
  FROM generate_series(801, 1600) AS n;
DELETE FROM other_t WHERE id % 9 = 4;
VACUUM ANALYZE other_t;

SELECT show_plan('SELECT * FROM other_t WHERE o = 42', 'index');
SELECT show_plan('SELECT * FROM other_t WHERE b > false', 'bitmap');
SELECT show_plan('SELECT b FROM other_t WHERE b = ANY (''{false,NULL}'')', 'only');
SELECT show_plan('SELECT c FROM other_t WHERE c > ''a''', 'only');
SELECT show_plan('SELECT * FROM other_t WHERE m BETWEEN ''1'' AND ''2''', 'index');
SELECT show_plan('SELECT t FROM other_t WHERE t >= ''23:00'' ORDER BY t DESC', 'only');
SELECT show_plan('SELECT rc FROM other_t WHERE rc = 10005::regclass', 'only');
SELECT show_plan('SELECT p FROM other_t WHERE p < 10', 'only');

SELECT col, c.*
FROM (VALUES (1, 'o', 'oid', 'o', '{0,1,2,65536,2147483647,2147483648,3000000000,4294967294,4294967295}'::text[]),
             (4, 'm', 'money', 'cash_send(m)', '{-92233720368547758.08,-92233720368547758.07,-1000000000,-0.01,0,0.01,5000000,'
                                               '92233720368547758.06,92233720368547758.07}'),
             (5, 't', 'time', 't', '{00:00,00:00:00.000001,01:30,12:00,23:59:59,23:59:59.999999,24:00}'),
             (6, 'rc', 'oid', 'rc::oid', '{0,10000,10050,10089,20000}'), (7, 'p', 'int2', 'p', '{-1,0,50,100}'),
             (8, 'p', 'percent', 'p', '{0,50,100}'), (9, 'p', 'int8', 'p', '{-5000000000,50,5000000000}')) AS k (i, col, probe_type, shown, probes),
     compare_operators('other_t', col, probe_type, probes, shown) AS c
ORDER BY i;
-- "char" is one byte, compared without a sign.
SELECT op, string_agg(DISTINCT r, '; ') FILTER (WHERE r NOT LIKE 'same%') AS problems,
       array_agg(substring(r FROM '\d+') ORDER BY byte) AS matches
FROM unnest('{<,<=,=,>=,>}'::text[]) AS op, unnest('{-128,-127,-1,0,1,97,126,127}'::int[]) AS byte,
     compare(format('SELECT c::int FROM other_t WHERE c %s (%s)::"char"', op, byte)) AS r
GROUP BY op ORDER BY op COLLATE "C";

SELECT condition, compare('SELECT id, b FROM other_t WHERE ' || condition, '{index,bitmap,batched}')
FROM unnest('{b IS NULL,b IS NOT NULL,b > false,b >= false,b < false,b <= false,b < true,b <= true,b >= true,b > true,'
            'b = ANY (''\{true\,NULL\}''),b = ANY (''\{true\,false\,true\}''),b = ANY (''\{\}'')}'::text[]) AS condition;
-- The planner reduces "b = true" to "b".  Before version 16 it finds an index for
-- that only in btree's and hash's own families, so any plan will do here.
BEGIN;
SELECT force_scan('only');
SELECT count(*) FILTER (WHERE id > 0), count(*) FROM other_t WHERE b;
SELECT count(*) FILTER (WHERE id > 0), count(*) FROM other_t WHERE b = false;
SELECT count(*) FILTER (WHERE id > 0), count(*) FROM other_t WHERE b IS NOT TRUE;
COMMIT;
SET plan_cache_mode = force_generic_plan;
PREPARE by_bool(bool) AS SELECT count(*) FROM other_t WHERE b = $1;
BEGIN;
SELECT force_scan('only');
EXPLAIN (COSTS OFF) EXECUTE by_bool(true);
EXECUTE by_bool(true);
EXECUTE by_bool(false);
EXECUTE by_bool(NULL);
COMMIT;
RESET plan_cache_mode;

SELECT condition, compare('SELECT o FROM other_t WHERE ' || condition)
FROM (VALUES ('o = ANY (''{4294967295,0,NULL,0,2147483648}''::oid[])'), ('o = ANY (''{}''::oid[])'), ('o < ANY (''{2147483648,1}''::oid[])'),
             ('o > 5 AND o < 5'), ('o >= 2147483647 AND o <= 2147483648'), ('o IS NULL'), ('o IS NOT NULL')) AS v (condition);
SELECT condition, compare('SELECT c::int FROM other_t WHERE ' || condition)
FROM (VALUES ('c = ANY (ARRAY[''a'', '''', NULL, ''z'', ''a'']::"char"[])'), ('c = ANY (ARRAY[(-128)::"char", (-1)::"char"])'),
             ('c >= ''a'' AND c <= ''z'''), ('c > ''z'' AND c < ''a'''), ('c IS NULL'), ('c IS NOT NULL')) AS v (condition);
SELECT condition, compare('SELECT m FROM other_t WHERE ' || condition)
FROM (VALUES ('m = ANY (''{0,-0.01,NULL,92233720368547758.07}''::money[])'), ('m > ''-1'' AND m < ''1'''), ('m IS NULL'), ('m IS NOT NULL')) AS v (condition);
SELECT condition, compare('SELECT t FROM other_t WHERE ' || condition)
FROM (VALUES ('t = ANY (''{24:00,00:00,NULL,12:00,12:00}''::time[])'), ('t > ''23:59:59'' AND t <= ''24:00'''),
             ('t >= ''22:00'' AND t < ''21:00'''), ('t IS NULL'), ('t IS NOT NULL')) AS v (condition);
SELECT condition, compare('SELECT p, id FROM other_t WHERE ' || condition, '{index,bitmap,batched}')
FROM (VALUES ('p = ANY (''{5,7,NULL}''::percent[])'), ('p IS NULL'), ('p = 5::percent')) AS v (condition);

-- A bool column is a condition by itself.
SELECT condition, compare('SELECT b FROM other_t WHERE ' || condition, '{index,only,bitmap,batched,batched_only}')
FROM (VALUES ('b'), ('NOT b'), ('b IS TRUE'), ('b IS FALSE'), ('b AND b IS NOT NULL')) AS v (condition);

SELECT col, tail, compare(format('SELECT %s FROM other_t ORDER BY %1$s %s', col, tail), '{index,only,batched,batched_only}', true)
FROM unnest('{o,b,c,m,t,rc,p}'::text[]) WITH ORDINALITY AS k (col, i), unnest('{"",DESC,DESC LIMIT 10}'::text[]) WITH ORDINALITY AS o (tail, j)
ORDER BY i, j;
SELECT compare('SELECT min(o), max(o), min(m), max(m), min(t), max(t), min(p), max(p) FROM other_t', '{index,only,batched,batched_only}');
SELECT compare('SELECT oidsend(o) FROM other_t WHERE o >= 0', '{only,batched_only}'), compare('SELECT charsend(c) FROM other_t WHERE c >= ''''', '{only,batched_only}'),
       compare('SELECT boolsend(b) FROM other_t WHERE b IS NOT NULL', '{only,batched_only}'), compare('SELECT time_send(t) FROM other_t WHERE t >= ''0:00''', '{only,batched_only}');

SELECT omendb_check(i, true) FROM unnest('{other_o,other_b,other_c,other_m,other_time,other_rc,other_p}'::regclass[]) AS i;
