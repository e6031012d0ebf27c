-- float4, float8: NaN, infinities, both zeros, subnormals; every operator of every pair of types.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

-- Bytes tell more than text: minus zero and zero are equal, and so are NaNs of either sign.
CREATE TABLE float_t (id int, r float4, f float8);
INSERT INTO float_t
  SELECT -n, r, f
  FROM generate_series(1, 4) AS n,
       (VALUES ('NaN'::float4, 'NaN'::float8), (-'NaN'::float4, -'NaN'::float8), ('Infinity', 'Infinity'), ('-Infinity', '-Infinity'),
               ('0', '0'), ('-0', '-0'), (NULL, NULL), ('1e-45', '5e-324'), ('-1e-45', '-5e-324'),
               ('1.17549435e-38', '2.2250738585072014e-308'), ('-1.17549435e-38', '-2.2250738585072014e-308'),
               ('3.4028235e38', '1.7976931348623157e308'), ('-3.4028235e38', '-1.7976931348623157e308'),
               ('0.1', '0.1'), ('-0.1', '-0.1'), ('16777216', '9007199254740992'), ('16777218', '9007199254740994'),
               ('1', '0.10000000149011612'), ('1.0000001', '1.0000000000000002')) AS v (r, f);
INSERT INTO float_t
  SELECT n, (n * 7919 % 1000 - 500)::float4 / 8, CASE n % 3 WHEN 0 THEN spread(n)::float8 WHEN 1 THEN n::float8 / 10 ELSE -1e-300 * n END
  FROM generate_series(1, 800) AS n;
CREATE INDEX float_r ON float_t USING omendb (r);
CREATE INDEX float_f ON float_t USING omendb (f);
INSERT INTO float_t SELECT id - 10, r, f FROM float_t WHERE id < 0;
INSERT INTO float_t
  SELECT n, (n * 7919 % 1000 - 500)::float4 / 8, CASE n % 3 WHEN 0 THEN spread(n)::float8 WHEN 1 THEN n::float8 / 10 ELSE -1e-300 * n END
  FROM generate_series(801, 1600) AS n;
DELETE FROM float_t WHERE id % 6 = 5;
VACUUM ANALYZE float_t;

SELECT show_plan('SELECT * FROM float_t WHERE f = ''NaN''', 'index');
SELECT show_plan('SELECT r FROM float_t WHERE r > 0.5::float8 AND r < 3::float4', 'only');
SELECT show_plan('SELECT * FROM float_t WHERE f = ANY (''{0,NaN}''::float4[])', 'bitmap');

SELECT col, probe_type, c.*
FROM (VALUES ('r', 'float4send(r)', 1), ('f', 'float8send(f)', 2)) AS k (col, bytes, i),
     (VALUES ('float4', '{-Infinity,-3.4028235e38,-62.5,-0.1,-1.17549435e-38,-1e-45,-0,0,1e-45,1.17549435e-38,0.1,1,1.0000001,'
                        '16777216,16777218,3.4028235e38,Infinity,NaN}'::text[]),
             ('float8', '{-Infinity,-1.7976931348623157e308,-3.5e38,-3.4028235e38,-62.5,-0.10000000149011612,-0.1,-1e-46,-5e-324,'
                        '-0,0,5e-324,1e-46,1e-45,0.1,0.10000000149011612,1,1.0000000000000002,16777217,9007199254740992,'
                        '9007199254740994,3.4028235e38,3.5e38,1.7976931348623157e308,Infinity,NaN}')) AS p (probe_type, probes),
     compare_operators('float_t', col, probe_type, probes, bytes) AS c
ORDER BY i, probe_type;

SELECT condition, compare('SELECT float8send(f) FROM float_t WHERE ' || condition)
FROM (VALUES ('f = ANY (''{0}''::float8[])'), ('f = ANY (''{-0,0,-0}''::float8[])'), ('f = ANY (''{NaN,NULL,Infinity,NaN,0.1,-Infinity}''::float8[])'),
             ('f = ANY (''{0.1,NaN,-0,1e-45,3.4028235e38}''::float4[])'), ('f = ANY (''{}''::float8[])'), ('f = ANY (''{NULL}''::float8[])'),
             ('f = ANY (ARRAY[- ''NaN''::float8, 0])'), ('f = - ''NaN''::float8'), ('f < - ''NaN''::float8'), ('f > - ''NaN''::float8'),
             ('f > ANY (''{Infinity,NaN}''::float8[])'), ('f <= ANY (''{-Infinity,NULL}''::float8[])'), ('f >= ANY (''{NaN}''::float4[])'),
             ('f >= 0 AND f <= -0.0::float8'), ('f > -0.0::float8 AND f < 1'), ('f < 0 AND f > -0.0::float8'),
             ('f >= ''NaN'' AND f <= ''NaN'''), ('f > ''-Infinity'' AND f < ''Infinity'' AND f <> 0'),
             ('f = 0.1::float4'), ('f = 0.1::float8'), ('f > 0.1::float4 AND f <= 0.2::float8'), ('f IS NULL'), ('f IS NOT NULL')) AS v (condition);
SELECT condition, compare('SELECT float4send(r) FROM float_t WHERE ' || condition)
FROM (VALUES ('r = ANY (''{-0,NaN,0.1,1e300}''::float8[])'), ('r = ANY (''{-0,NaN,0.1}''::float4[])'), ('r = 0.1::float8'),
             ('r < 1e-50'), ('r >= -1e-50 AND r <= 1e-50'), ('r > 1e300'), ('r < -1e300'), ('r IS NULL'), ('r IS NOT NULL')) AS v (condition);

-- The zeros and the NaNs by an index-only scan.
BEGIN;
SELECT force_scan('only');
SELECT float8send(f), count(*) FROM float_t WHERE f = 0 GROUP BY 1 ORDER BY 1;
SELECT float4send(r), count(*) FROM float_t WHERE r = -0.0::float8 GROUP BY 1 ORDER BY 1;
SELECT count(*), count(DISTINCT float8send(f)) FROM float_t WHERE f = 'NaN';
SELECT count(*), count(DISTINCT float4send(r)) FROM float_t WHERE r = 'NaN';
COMMIT;

-- Equal values may come in any order: normalize them.
SELECT col, tail, compare(format('SELECT %1$s + 0 AS v FROM float_t %2$s', col, format(tail, col)), '{index,only,batched,batched_only}', true)
FROM unnest('{r,f}'::text[]) WITH ORDINALITY AS k (col, i),
     unnest('{ORDER BY %1$s,ORDER BY %1$s DESC,WHERE %1$s >= 0 ORDER BY %1$s LIMIT 40,WHERE %1$s <= 0 ORDER BY %1$s DESC LIMIT 40,'
            'WHERE %1$s > 100 ORDER BY %1$s DESC,WHERE %1$s IN (''NaN''\,0\,1) ORDER BY %1$s}'::text[]) WITH ORDINALITY AS o (tail, j)
ORDER BY i, j;
SELECT compare('SELECT min(r), max(r), min(f), max(f) FROM float_t', '{index,only,batched,batched_only}'),
       compare('SELECT max(f) FROM float_t WHERE f < ''NaN''', '{index,only,batched,batched_only}'),
       compare('SELECT min(f) FROM float_t WHERE f > ''-Infinity''', '{index,only,batched,batched_only}');
SELECT compare('SELECT a.id, b.id FROM float_t a JOIN float_t b ON a.r = b.f', '{index,batched}'),
       compare('SELECT a.id, b.id FROM float_t a JOIN float_t b ON a.f = b.r WHERE a.id < 0', '{index,batched}');

-- Zeros and NaNs are one group to the columns behind them.
CREATE TABLE float_pair (f float8, r float4, n int);
INSERT INTO float_pair
  SELECT CASE n % 5 WHEN 0 THEN '-0'::float8 WHEN 1 THEN '0' WHEN 2 THEN 'NaN' WHEN 3 THEN -'NaN'::float8 ELSE n / 100 END,
         CASE n % 3 WHEN 0 THEN '-0'::float4 WHEN 1 THEN '0' ELSE 'NaN' END, n * 7 % 1000
  FROM generate_series(1, 2000) AS n;
CREATE INDEX float_pair_k ON float_pair USING omendb (f, r DESC, n);
INSERT INTO float_pair SELECT f, r, n + 5 FROM float_pair;
VACUUM float_pair;
SELECT show_plan('SELECT f, r, n FROM float_pair WHERE f = 0 AND r = 0 AND n < 100 ORDER BY f, r DESC, n', 'only');
SELECT condition, compare('SELECT float8send(f), float4send(r), n FROM float_pair WHERE ' || condition)
FROM (VALUES ('f = 0 AND r = 0 AND n BETWEEN 100 AND 200'), ('f = 0 AND n < 50'), ('f = ''NaN'' AND r = ''NaN'' AND n = 500'),
             ('f = ANY (''{NaN,-0,3}'') AND r = ANY (''{NaN,0}''::float8[]) AND n = ANY (''{10,20,30}'')'),
             ('f >= 0 AND f <= 5 AND r > 0 AND n > 900'), ('f < 0'), ('f > ''Infinity'' AND r <= 0')) AS v (condition);
SELECT compare('SELECT f + 0 AS v, r + 0 AS w, n FROM float_pair ORDER BY f, r DESC, n', '{index,only,batched,batched_only}', true),
       compare('SELECT f + 0 AS v, r + 0 AS w, n FROM float_pair ORDER BY f DESC, r, n DESC', '{index,only,batched,batched_only}', true),
       compare('SELECT n FROM float_pair WHERE f = 0 AND r = 0 ORDER BY n', '{index,only,batched,batched_only}', true);

SELECT omendb_check('float_r'::regclass, true), omendb_check('float_f'::regclass, true), omendb_check('float_pair_k'::regclass, true);
