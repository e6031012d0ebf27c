-- omendb_check finds an index that does not agree with its table. The disagreement comes from functions that are called
-- immutable and change: the index is sound, but not the index of this table any more.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE chk_t (k int4, v int8);
INSERT INTO chk_t SELECT n, n FROM generate_series(1, 100) AS n;
CREATE TABLE chk_lie (f_of int4, f_adds int4, p_from int4, p_to int4);
INSERT INTO chk_lie VALUES (0, 0, 20, 80);
CREATE FUNCTION chk_f(k int4) RETURNS int4 IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT CASE WHEN k = f_of THEN k + f_adds ELSE k END FROM omendb_test.chk_lie);
END $$;
CREATE FUNCTION chk_p(k int4) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT k BETWEEN p_from AND p_to FROM omendb_test.chk_lie);
END $$;
CREATE INDEX chk_value ON chk_t USING omendb (chk_f(k)) INCLUDE (v);
CREATE INDEX chk_part ON chk_t USING omendb (k) WHERE chk_p(k);
SELECT omendb_check('chk_value', true), omendb_check('chk_part', true);

-- Another value.
UPDATE chk_lie SET f_of = 33, f_adds = 1;
SELECT omendb_check('chk_value');
SELECT omendb_check('chk_value', true);
\echo :LAST_ERROR_SQLSTATE
UPDATE chk_lie SET f_of = 34;
SELECT omendb_check('chk_value', true);
UPDATE chk_lie SET f_adds = 0;
SELECT omendb_check('chk_value', true);
-- A NULL for a value.
UPDATE chk_lie SET f_adds = NULL;
SELECT omendb_check('chk_value', true);
UPDATE chk_lie SET f_adds = 0;

-- Rows that are missing: the first, one in the middle, the last.
UPDATE chk_lie SET p_from = 19;
SELECT omendb_check('chk_part', true);
UPDATE chk_lie SET p_from = 20, p_to = 81;
SELECT omendb_check('chk_part', true);
UPDATE chk_lie SET p_to = 80;
SELECT omendb_check('chk_part', true);
-- Entries without a row that should be there are no disagreement: those of dead rows look the same.
UPDATE chk_lie SET p_from = 30;
SELECT omendb_check('chk_part', true);
UPDATE chk_lie SET p_from = 5;
REINDEX INDEX chk_part;
SELECT omendb_check('chk_part', true);
-- Dead rows and rows of this transaction.
BEGIN;
DELETE FROM chk_t WHERE k % 3 = 0;
INSERT INTO chk_t SELECT n, n FROM generate_series(40, 60) AS n;
UPDATE chk_t SET k = k + 1 WHERE k % 5 = 0;
SELECT omendb_check('chk_value', true), omendb_check('chk_part', true);
ROLLBACK;
SELECT omendb_check('chk_value', true), omendb_check('chk_part', true);

-- An index that CREATE INDEX CONCURRENTLY left invalid.
CREATE FUNCTION chk_fails(k int4) RETURNS int4 IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  IF k = 50 THEN RAISE EXCEPTION 'not 50'; END IF;
  RETURN k;
END $$;
CREATE INDEX CONCURRENTLY chk_invalid ON chk_t USING omendb (chk_fails(k));
SELECT omendb_check('chk_invalid');
DELETE FROM chk_t WHERE k = 50;
REINDEX INDEX CONCURRENTLY chk_invalid;
SELECT omendb_check('chk_invalid', true);

-- A partitioned table has no index to check, its partitions have.
CREATE TABLE chk_parent (k int4) PARTITION BY RANGE (k);
CREATE TABLE chk_child PARTITION OF chk_parent FOR VALUES FROM (0) TO (100);
CREATE INDEX chk_parent_k ON chk_parent USING omendb (k);
INSERT INTO chk_parent SELECT n FROM generate_series(0, 99) AS n;
SELECT omendb_check('chk_parent_k');
SELECT omendb_check('chk_child_k_idx', true);
