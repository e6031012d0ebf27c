-- CREATE INDEX: sorts in memory and beyond it, of rows of every width; the phases that it reports; the widest index.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

SELECT n, pg_indexam_progress_phasename(oid, n) FROM pg_am, generate_series(0, 5) AS n WHERE amname = 'omendb' ORDER BY n;

-- More entries than the least maintenance_work_mem holds; the first NULL comes early, late or never. Sorted beyond
-- memory they give the very index that they give sorted in memory.
CREATE TABLE build_t (k int8, v int4, early int4, late int4, f float8);
INSERT INTO build_t
  SELECT spread(n), n % 1000, CASE WHEN n % 10 <> 5 THEN (spread(n) >> 40)::int4 END, CASE WHEN n < 55000 THEN n % 77 END,
         CASE n % 4 WHEN 0 THEN '-0' WHEN 1 THEN 0 WHEN 2 THEN 'NaN'::float8 ELSE n END
  FROM generate_series(1, 60000) AS n;
CREATE FUNCTION build_both(columns text) RETURNS TABLE (beyond_memory text, in_memory text, parallel text, same_size boolean) LANGUAGE plpgsql AS $$
DECLARE
  size int8;
BEGIN
  SET LOCAL maintenance_work_mem = '1MB';
  EXECUTE 'CREATE INDEX build_i ON build_t USING omendb ' || columns;
  size := pg_relation_size('build_i');
  beyond_memory := compare('SELECT k, v FROM build_t WHERE k >= 0') || omendb_check('build_i', true)::text;
  SET LOCAL maintenance_work_mem = '64MB';
  REINDEX INDEX build_i;
  in_memory := compare('SELECT k, v FROM build_t WHERE k >= 0') || omendb_check('build_i', true)::text;
  same_size := size = pg_relation_size('build_i');
  SET LOCAL maintenance_work_mem = '128MB';
  SET LOCAL min_parallel_table_scan_size = 0;
  REINDEX INDEX build_i;
  parallel := compare('SELECT k, v FROM build_t WHERE k >= 0') || omendb_check('build_i', true)::text;
  same_size := same_size AND size = pg_relation_size('build_i');
  RESET min_parallel_table_scan_size;
  DROP INDEX build_i;
  RETURN NEXT;
END $$;
VACUUM ANALYZE build_t;
SELECT * FROM build_both('(k) INCLUDE (v)');
SELECT * FROM build_both('(k, v)');
SELECT * FROM build_both('(k, v, early)');
SELECT * FROM build_both('(k DESC, late NULLS FIRST, v)');
SELECT * FROM build_both('(k, early DESC, late) INCLUDE (v, late)');
SELECT * FROM build_both('(k, f DESC, v)');
-- In the order of the table nothing is left to sort.
CREATE TABLE build_sorted AS SELECT n AS k, n / 10 AS v FROM generate_series(1, 70000) AS n;
SET maintenance_work_mem = '1MB';
CREATE INDEX build_sorted_k ON build_sorted USING omendb (k, v);
RESET maintenance_work_mem;
VACUUM ANALYZE build_sorted;
SELECT compare('SELECT k, v FROM build_sorted WHERE k BETWEEN 100 AND 40000'), omendb_check('build_sorted_k', true);

-- With workers: all, some, and where an error is theirs.
SET min_parallel_table_scan_size = 0;
SET maintenance_work_mem = '128MB';
SET client_min_messages = debug1;
CREATE INDEX build_parallel ON build_t USING omendb (v, k) WHERE k IS NOT NULL;
RESET client_min_messages;
SELECT compare('SELECT k, v FROM build_t WHERE v < 100 AND k IS NOT NULL'), omendb_check('build_parallel', true);
REINDEX INDEX CONCURRENTLY build_parallel;
SELECT compare('SELECT k, v FROM build_t WHERE v < 100 AND k IS NOT NULL'), omendb_check('build_parallel', true);
CREATE FUNCTION build_fails_anywhere(k int8) RETURNS int8 IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS $$
BEGIN
  IF k = 65000 THEN RAISE EXCEPTION 'no index over %', k; END IF;
  RETURN -k;
END $$;
\set SHOW_CONTEXT never
CREATE INDEX build_failed ON build_sorted USING omendb (build_fails_anywhere(k));
\set SHOW_CONTEXT errors
DROP INDEX build_parallel;
RESET min_parallel_table_scan_size;
RESET maintenance_work_mem;

-- What is in the table when the build fails stays, and the index does not.
CREATE FUNCTION build_fails(k int8) RETURNS int8 IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  IF k = 65000 THEN RAISE EXCEPTION 'no index over %', k; END IF;
  RETURN -k;
END $$;
SET maintenance_work_mem = '1MB';
CREATE INDEX build_failed ON build_sorted USING omendb (build_fails(k));
RESET maintenance_work_mem;
SELECT count(*) FROM pg_class WHERE relname = 'build_failed';

-- Whose row of float keys fits, and whose does not. In a float column 0 and -0 are one value in two forms.
SELECT format('CREATE TABLE build_wide (%s)', string_agg(format('f%s float8', n), ', ' ORDER BY n)) FROM generate_series(1, 32) AS n \gexec
SELECT format('CREATE INDEX build_wide_32 ON build_wide USING omendb (%s)', string_agg('f' || n, ', ' ORDER BY n)) FROM generate_series(1, 32) AS n \gexec
SELECT format('CREATE INDEX build_wide_28 ON build_wide USING omendb (%s)', string_agg('f' || n, ', ' ORDER BY n)) FROM generate_series(1, 28) AS n \gexec
SELECT format('INSERT INTO build_wide SELECT %s FROM generate_series(1, 300) AS i',
              string_agg(format('CASE hashint8extended(i, %s) %% 5 WHEN 0 THEN NULL WHEN 1 THEN ''-0'' WHEN -1 THEN -''NaN''::float8 WHEN 2 THEN ''NaN'' ELSE hashint8extended(i, %s) / 1e5 END', n, n), ', ' ORDER BY n))
FROM generate_series(1, 32) AS n \gexec
SELECT count(*), omendb_check('build_wide_28', true) FROM build_wide;
VACUUM ANALYZE build_wide;
SELECT compare('SELECT f1, f2, f3 FROM build_wide WHERE f1 = 0'), compare('SELECT f1, f2, f28 FROM build_wide WHERE f1 IS NULL');
REINDEX INDEX build_wide_28;
SELECT omendb_check('build_wide_28', true), compare('SELECT f1, f2, f28 FROM build_wide WHERE f1 = ''NaN''');
DELETE FROM build_wide WHERE f1 IS NULL OR f2 < 0;
VACUUM build_wide;
SELECT omendb_check('build_wide_28', true), compare('SELECT f1, f2, f28 FROM build_wide WHERE f1 >= 0');

-- Of the table's pages the build reads those itself whose rows are all live, also where VACUUM has left redirections
-- and rows are older than a column; the others are those with rows that are deleted, updated, aborted or of this
-- transaction, and come first, last, alone or in a row.
CREATE TABLE build_pages (k int8, gone int4, v int4) WITH (fillfactor = 50, autovacuum_enabled = false);
INSERT INTO build_pages SELECT spread(n), n, n FROM generate_series(1, 20000) AS n;
ALTER TABLE build_pages DROP COLUMN gone;
ALTER TABLE build_pages ADD COLUMN late int4 DEFAULT 7;
CREATE FUNCTION build_pages(columns text) RETURNS TABLE (serial text, parallel text) LANGUAGE plpgsql AS $$
DECLARE
  query CONSTANT text := 'SELECT k FROM build_pages WHERE k > -5000000000000000000';
BEGIN
  EXECUTE 'CREATE INDEX build_pages_i ON build_pages USING omendb ' || columns;
  serial := compare(query) || omendb_check('build_pages_i', true)::text;
  SET LOCAL min_parallel_table_scan_size = 0;
  SET LOCAL maintenance_work_mem = '128MB';
  REINDEX INDEX build_pages_i;
  parallel := compare(query) || omendb_check('build_pages_i', true)::text;
  RESET min_parallel_table_scan_size;
  DROP INDEX build_pages_i;
  RETURN NEXT;
END $$;
SELECT * FROM build_pages('(k)');
UPDATE build_pages SET v = -v WHERE v % 3 = 0 AND v % 1000 < 500;
VACUUM build_pages;
UPDATE build_pages SET v = v + 1, late = NULL WHERE v BETWEEN 7000 AND 7010;
VACUUM build_pages;
SELECT * FROM build_pages('(k, late)');
DELETE FROM build_pages WHERE v IN (1, 20000) OR v BETWEEN 2000 AND 5000 OR v % 700 = 1;
BEGIN;
INSERT INTO build_pages SELECT n, n FROM generate_series(1, 1000) AS n;
ROLLBACK;
BEGIN;
SELECT count(*) FROM (SELECT FROM build_pages WHERE v % 900 = 2 FOR UPDATE) locked;
COMMIT;
SELECT * FROM build_pages('(k) INCLUDE (v, late)');
BEGIN;
INSERT INTO build_pages SELECT spread(n + 30000), n FROM generate_series(1, 1000) AS n;
SELECT * FROM build_pages('(late DESC, k) INCLUDE (v)');
COMMIT;
SELECT * FROM build_pages('(k, v)');
