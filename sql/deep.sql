-- A tree of several levels: wide entries leave room for a few dozen on a page, so
-- that inner pages split, empty, merge and are used again.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

SELECT format('CREATE TABLE deep (%s)', string_agg(format('c%s int8', n), ', ' ORDER BY n)) FROM generate_series(1, 26) AS n \gexec
SELECT format('CREATE INDEX deep_i ON deep USING omendb (%s)', string_agg('c' || n, ', ' ORDER BY n)) FROM generate_series(1, 26) AS n \gexec
-- The first two columns repeat, the others are random; rows come in random order.
SELECT format('CREATE FUNCTION fill(low int, high int, seed int) RETURNS void LANGUAGE sql AS $f$ INSERT INTO deep SELECT %s FROM generate_series(low, high) AS i ORDER BY hashint8extended(i, seed) $f$',
              string_agg(CASE WHEN n < 3 THEN 'i % 17' ELSE format('hashint8extended(i, %s)', n) END, ', ' ORDER BY n))
FROM generate_series(1, 26) AS n \gexec
SELECT fill(1, 10000, 1);
SELECT omendb_check('deep_i', true);
SELECT pg_relation_size('deep_i') AS full_size \gset
DELETE FROM deep WHERE c1 <> 5;
VACUUM deep;
SELECT omendb_check('deep_i', true);
DELETE FROM deep;
VACUUM deep;
VACUUM deep;
SELECT omendb_check('deep_i', true);
-- Emptied pages are used again.
SELECT fill(1, 10000, 2);
SELECT omendb_check('deep_i', true), pg_relation_size('deep_i') <= :full_size * 1.1 AS steady;
-- Whole ranges come and go, at both ends and in the middle.
DELETE FROM deep WHERE c1 < 9;
VACUUM deep;
SELECT fill(1, 5000, 3);
DELETE FROM deep WHERE c1 > 2;
VACUUM deep;
SELECT fill(3000, 10000, 4);
DELETE FROM deep WHERE c1 BETWEEN 5 AND 11;
VACUUM deep;
SELECT fill(1, 10000, 5);
SELECT omendb_check('deep_i', true);
ANALYZE deep;
SELECT compare('SELECT count(*), sum(c5 % 1000) FROM deep WHERE c1 = 7'), compare('SELECT c1, c3 FROM deep WHERE c1 = 3 AND c2 = 3 AND c3 > 0');
