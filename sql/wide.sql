-- Rows that differ in every one of many columns, NULLs here and there: a few of them need more room encoded than as
-- they came, so pages are divided whose entries are all in the delta.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

SELECT format('CREATE TABLE wide (%s)', string_agg(format('c%s int8', n), ', ' ORDER BY n)) FROM generate_series(1, 32) AS n \gexec
SELECT format('CREATE INDEX wide_%s ON wide USING omendb (%s) %s WITH (fillfactor = %s)', name,
              (SELECT string_agg('c' || n, ', ' ORDER BY n) FROM generate_series(1, keys) AS n), included, fill)
FROM (VALUES ('all', 32, '', 90), ('some', 26, 'INCLUDE (c27, c28)', 90), ('sparse', 20, '', 10)) AS i (name, keys, included, fill) \gexec
-- Ascending in the first column or in no order; in groups that agree in all columns but the last.
SELECT format('CREATE FUNCTION fill(low int, high int, in_group int, seed int) RETURNS void LANGUAGE sql AS $f$ INSERT INTO wide SELECT %s, hashint8extended(i, 32) FROM generate_series(low, high) AS i ORDER BY CASE WHEN seed > 0 THEN hashint8extended(i, seed) ELSE i END $f$',
              string_agg(CASE WHEN n = 1 THEN 'CASE WHEN seed > 0 THEN hashint8extended(i / in_group, 1) ELSE i / in_group END'
                              ELSE format('CASE WHEN hashint8extended(i / in_group, 100 + %1$s) %% 10 < -2 THEN NULL ELSE hashint8extended(i / in_group, %1$s) END', n) END, ', ' ORDER BY n))
FROM generate_series(1, 31) AS n \gexec
SELECT fill(1, 1500, 1, 0);
SELECT omendb_check('wide_all', true), omendb_check('wide_some', true), omendb_check('wide_sparse', true);
TRUNCATE wide;
SELECT fill(1, 1500, 1, 5);
SELECT omendb_check('wide_all', true), omendb_check('wide_some', true), omendb_check('wide_sparse', true);
TRUNCATE wide;
SELECT fill(1, 3000, 20, 7);
SELECT omendb_check('wide_all', true), omendb_check('wide_some', true), omendb_check('wide_sparse', true);
DELETE FROM wide WHERE c32 < 0;
VACUUM wide;
SELECT fill(2000, 4000, 4, 9);
SELECT omendb_check('wide_all', true), omendb_check('wide_some', true), omendb_check('wide_sparse', true);
DROP INDEX wide_sparse;
DROP INDEX wide_some;
ANALYZE wide;
SELECT compare('SELECT * FROM wide WHERE c1 > 0', '{index,only,bitmap,batched,batched_only}'), compare('SELECT c1, c2, c32 FROM wide WHERE c1 < 0 AND c2 > 0');
REINDEX INDEX wide_all;
SELECT omendb_check('wide_all', true);
