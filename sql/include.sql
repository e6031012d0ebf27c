-- INCLUDE columns: returned as they were, filtered on, never searched.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE incl_t (k int4, i2 int2, i4 int4, i8 int8, r float4, f float8, b bool, c "char", d date, z timestamptz, o oid, m money, t time);
INSERT INTO incl_t
  SELECT n % 200, n % 7 - 3, (spread(n) >> 32)::int4, spread(n), CASE n % 4 WHEN 0 THEN '-0'::float4 WHEN 1 THEN -'NaN'::float4 ELSE n END,
         CASE n % 5 WHEN 0 THEN '-0'::float8 WHEN 1 THEN 'NaN' WHEN 2 THEN -'NaN'::float8 WHEN 3 THEN '-Infinity' ELSE n / 3.0 END,
         n % 3 = 0, (n % 256 - 128)::"char", '2024-01-01'::date + n, '2024-01-01'::timestamptz + n * interval '1 hour',
         (spread(n) & 4294967295)::oid, n * '0.01'::money, '00:00'::time + n * interval '1 second'
  FROM generate_series(1, 1000) AS n;
INSERT INTO incl_t (k) SELECT n FROM generate_series(1, 50) AS n;
INSERT INTO incl_t VALUES (NULL, -32768, -2147483648, -9223372036854775808, '-Infinity', '5e-324', false, '', '-infinity', 'infinity', 0, '-92233720368547758.08', '24:00'),
  (NULL, 32767, 2147483647, 9223372036854775807, 'NaN', '1.7976931348623157e308', true, 'z', 'infinity', '-infinity', 4294967295, '92233720368547758.07', '00:00');
CREATE INDEX incl_k ON incl_t USING omendb (k) INCLUDE (i2, i4, i8, r, f, b, c, d, z, o, m, t);
INSERT INTO incl_t SELECT k, i2, i4, i8, r, f, b, c, d, z, o, m, t FROM incl_t WHERE k % 2 = 0 OR k IS NULL;
UPDATE incl_t SET i4 = i4 / 2, f = - f WHERE k % 3 = 0;
DELETE FROM incl_t WHERE k % 11 = 4;
VACUUM ANALYZE incl_t;

SELECT pg_get_indexdef('incl_k'::regclass);
SELECT show_plan('SELECT k, i8, f FROM incl_t WHERE k = 5 AND b', 'only');
SELECT show_plan('SELECT k, i4 FROM incl_t WHERE i4 = 3', 'only');

CREATE VIEW incl_bytes AS
  SELECT k, int2send(i2) AS i2, int4send(i4) AS i4, int8send(i8) AS i8, float4send(r) AS r, float8send(f) AS f, boolsend(b) AS b, charsend(c) AS c,
         date_send(d) AS d, timestamptz_send(z) AS z, oidsend(o) AS o, cash_send(m) AS m, time_send(t) AS t
  FROM incl_t;
SELECT condition, compare('SELECT * FROM incl_bytes WHERE ' || condition)
FROM (VALUES ('k = 5'), ('k = 6'), ('k < 20'), ('k >= 190'), ('k IS NULL'), ('k IS NOT NULL'), ('k = ANY (''{1,NULL,100,1,42}'')'), ('k BETWEEN 20 AND 60')) AS v (condition);
SELECT condition, compare('SELECT k, i2, f FROM incl_t WHERE ' || condition, '{only,batched_only}')
FROM (VALUES ('k = 6 AND b'), ('k < 50 AND f = 0'), ('k < 50 AND i2 IS NULL'), ('k > 20 AND i8 > 0 AND o < 2147483648'), ('k = 7 AND c > ''a''')) AS v (condition);
SELECT compare('SELECT * FROM incl_bytes ORDER BY k', '{only,batched_only}'), compare('SELECT k FROM incl_t ORDER BY k DESC', '{index,only,batched,batched_only}', true);
SELECT compare('SELECT sum(i8::numeric), count(i2), min(d), max(z) FROM incl_t WHERE k < 100', '{only,batched_only}'),
       compare('SELECT b, count(*), sum(i4::numeric) FROM incl_t WHERE k < 100 GROUP BY b', '{only,batched_only}');
SELECT omendb_check('incl_k'::regclass, true);
REINDEX INDEX incl_k;
SELECT compare('SELECT * FROM incl_bytes WHERE k < 100'), compare('SELECT * FROM incl_bytes WHERE k IS NULL');
SELECT omendb_check('incl_k'::regclass, true);

-- A key column included again, key columns of several types, DESC.
CREATE INDEX incl_twice ON incl_t USING omendb (f DESC NULLS LAST, i2) INCLUDE (k, f, b);
DROP INDEX incl_k;
SELECT compare('SELECT float8send(f), i2, k, b FROM incl_t WHERE f = 0'), compare('SELECT float8send(f), i2, k, b FROM incl_t WHERE f = ''NaN'' AND i2 >= 0'),
       compare('SELECT f + 0 AS v, i2 FROM incl_t ORDER BY f DESC NULLS LAST, i2', '{index,only,batched,batched_only}', true),
       compare('SELECT float8send(f), k FROM incl_t WHERE f IS NULL');
SELECT omendb_check('incl_twice'::regclass, true);

-- Types of fixed width that are not keys: an enum, a transaction id.
CREATE TYPE incl_mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE incl_other (k int8, mood incl_mood, x xid, rc regclass);
INSERT INTO incl_other SELECT n, (enum_range(NULL::incl_mood))[n % 3 + 1], n::text::xid, 'pg_class' FROM generate_series(1, 500) AS n;
CREATE INDEX incl_other_k ON incl_other USING omendb (k) INCLUDE (mood, x, rc);
INSERT INTO incl_other SELECT -k, mood, x, NULL FROM incl_other;
VACUUM incl_other;
SELECT compare('SELECT k, mood, x, rc FROM incl_other WHERE k BETWEEN -50 AND 50'), compare('SELECT mood, count(*) FROM incl_other WHERE k > 0 AND mood > ''sad'' GROUP BY 1', '{only,batched_only}');
SELECT omendb_check('incl_other_k'::regclass, true);
