-- Unique indexes: every statement on a table with omendb indexes and on its twin with btree ones.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

SET client_min_messages = warning;
DROP SCHEMA IF EXISTS uniq_o, uniq_b CASCADE;
RESET client_min_messages;
CREATE SCHEMA uniq_o;
CREATE SCHEMA uniq_b;
-- What a statement did: the rows that it returned, or its error with all that a client is told.
CREATE FUNCTION outcome_in(schema text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
  n int8;
  state text; message text; detail text; hint text; relation text; of_constraint text;
BEGIN
  PERFORM set_config('search_path', schema || ', omendb_test, public', true);
  statement := replace(statement, '~', CASE schema WHEN 'uniq_o' THEN 'omendb' ELSE 'btree' END);
  IF statement ~ 'RETURNING|^(SELECT|WITH)' THEN
    EXECUTE 'WITH r AS (' || statement || ') SELECT string_agg(r::text, '' '' ORDER BY r::text) FROM r' INTO result;
  ELSE
    EXECUTE statement;
    GET DIAGNOSTICS n = ROW_COUNT;
    result := n || ' rows';
  END IF;
  RETURN coalesce(result, 'none');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
    relation = TABLE_NAME, of_constraint = CONSTRAINT_NAME;
  RETURN concat_ws(' | ', state, message, nullif(detail, ''), nullif(hint, ''), nullif(relation, ''), nullif(of_constraint, ''));
END $$;
-- The same on both, or the difference.
CREATE FUNCTION on_both(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  o text := outcome_in('uniq_o', statement);
  b text := outcome_in('uniq_b', statement);
BEGIN
  PERFORM set_config('search_path', 'omendb_test, public', true);
  RETURN CASE WHEN o = b THEN o ELSE format('DIFFERENT: omendb %s; btree %s', o, b) END;
END $$;
-- All omendb indexes, against their tables.
CREATE FUNCTION check_unique() RETURNS int8 LANGUAGE sql AS $$
  SELECT count(omendb_check(c.oid, true)::text) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
  WHERE a.amname = 'omendb' AND c.relkind = 'i' AND c.relnamespace = 'uniq_o'::regnamespace
$$;

-- One column, and NULLs.
SELECT on_both('CREATE TABLE t (k int8, a int4, f float8, d date, v text)');
SELECT on_both('CREATE UNIQUE INDEX t_k ON t USING ~ (k)');
SELECT on_both(s) FROM unnest(ARRAY[
  'INSERT INTO t (k, v) VALUES (1, ''a''), (2, ''b''), (NULL, ''c''), (NULL, ''d'')',
  'INSERT INTO t (k) VALUES (2)',
  'INSERT INTO t (k) VALUES (3), (4), (3)',
  'INSERT INTO t (k) SELECT n FROM generate_series(10, 5000) AS n',
  'INSERT INTO t (k) SELECT n FROM generate_series(6000, 4000, -1) AS n',
  'UPDATE t SET k = 1 WHERE k = 2',
  'UPDATE t SET k = k WHERE k = 2 RETURNING k',
  'UPDATE t SET k = k + 1 WHERE k BETWEEN 100 AND 110',
  'UPDATE t SET k = -k WHERE k BETWEEN 100 AND 110',
  'UPDATE t SET k = NULL WHERE k = 20',
  'INSERT INTO t (k) VALUES (20)',
  'DELETE FROM t WHERE k = 1',
  'INSERT INTO t (k) VALUES (1), (105)',
  'INSERT INTO t (k) VALUES (-105)',
  'INSERT INTO t (k) VALUES (9223372036854775807), (-9223372036854775808)',
  'INSERT INTO t (k) VALUES (9223372036854775807)',
  'MERGE INTO t USING (VALUES (1::int8), (7)) AS s (k) ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = ''m'' WHEN NOT MATCHED THEN INSERT (k) VALUES (s.k)',
  'MERGE INTO t USING (VALUES (8::int8), (8)) AS s (k) ON t.k = s.k WHEN NOT MATCHED THEN INSERT (k) VALUES (s.k)',
  'SELECT count(*), sum(k) FROM t']) AS s;
-- The row that was there before is there again when the transaction fails; within one transaction it may come back.
SELECT on_both('DO $x$BEGIN DELETE FROM t WHERE k = 1; INSERT INTO t (k) VALUES (1); DELETE FROM t WHERE k = 1; INSERT INTO t (k) VALUES (1); END$x$');
SELECT on_both('DO $x$BEGIN BEGIN DELETE FROM t WHERE k = 1; RAISE EXCEPTION ''x''; EXCEPTION WHEN raise_exception THEN NULL; END; INSERT INTO t (k) VALUES (1); END$x$');
SELECT on_both('DO $x$BEGIN BEGIN INSERT INTO t (k) VALUES (9); RAISE EXCEPTION ''x''; EXCEPTION WHEN raise_exception THEN NULL; END; INSERT INTO t (k) VALUES (9); END$x$');
-- Many versions of a key.
SELECT on_both('DO $x$BEGIN FOR i IN 1 .. 3000 LOOP UPDATE t SET k = k, a = i WHERE k = 1; END LOOP; END$x$');
SELECT on_both('INSERT INTO t (k) VALUES (1)');
SELECT on_both('DELETE FROM t WHERE k = 1');
SELECT on_both('INSERT INTO t (k) VALUES (1) RETURNING k');
-- COPY stops at the row.
CREATE FUNCTION copy_to(schema text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('COPY %I.t (k) FROM PROGRAM ''seq 7000 7009; echo 7005''', schema);
  RETURN 'copied';
EXCEPTION WHEN unique_violation THEN
  RETURN SQLERRM;
END $$;
SELECT copy_to('uniq_o'), copy_to('uniq_b');

-- NULLS NOT DISTINCT; several columns, in both directions; INCLUDE; dates, floats, expressions, predicates.
SELECT on_both(s) FROM unnest(ARRAY[
  'TRUNCATE t',
  'CREATE UNIQUE INDEX t_ad ON t USING ~ (a DESC, d NULLS FIRST) INCLUDE (k) NULLS NOT DISTINCT',
  'INSERT INTO t (a, d) VALUES (1, ''2024-01-01''), (1, ''2024-01-02''), (2, ''2024-01-01''), (1, NULL), (NULL, ''2024-01-01''), (NULL, NULL)',
  'INSERT INTO t (a, d) VALUES (1, ''2024-01-02'')',
  'INSERT INTO t (a, d) VALUES (1, NULL)',
  'INSERT INTO t (a, d) VALUES (NULL, ''2024-01-01'')',
  'INSERT INTO t (k) VALUES (5)',
  'INSERT INTO t (a, d) VALUES (NULL, NULL) ON CONFLICT (a, d) DO UPDATE SET v = ''null'' RETURNING a, d, v',
  'INSERT INTO t (a, d, k) VALUES (3, NULL, 1) RETURNING k',
  'UPDATE t SET a = 1 WHERE a = 2',
  'DELETE FROM t WHERE a IS NULL',
  'INSERT INTO t (a, d) VALUES (NULL, NULL)',
  'DROP INDEX t_ad',
  'TRUNCATE t',
  'CREATE UNIQUE INDEX t_f ON t USING ~ (f)',
  'INSERT INTO t (f) VALUES (0), (''NaN''), (''Infinity''), (1e-320)',
  'INSERT INTO t (f) VALUES (''-0'')',
  'INSERT INTO t (f) VALUES (''-NaN'')',
  'INSERT INTO t (f) VALUES (1e-320)',
  'INSERT INTO t (f) VALUES (''-Infinity''), (-1e-320)',
  'DROP INDEX t_f',
  'TRUNCATE t',
  'CREATE UNIQUE INDEX t_part ON t USING ~ (a) WHERE d IS NULL',
  'INSERT INTO t (a, d) VALUES (1, NULL), (1, ''2024-01-01''), (1, ''2024-01-01'')',
  'INSERT INTO t (a) VALUES (1)',
  'UPDATE t SET d = NULL WHERE d IS NOT NULL',
  'INSERT INTO t (a) VALUES (1) ON CONFLICT (a) WHERE d IS NULL DO UPDATE SET v = ''p'' RETURNING a, d, v',
  'INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO NOTHING',
  'DROP INDEX t_part',
  'TRUNCATE t',
  'CREATE UNIQUE INDEX t_expr ON t USING ~ (length(v), (a % 10))',
  'INSERT INTO t (a, v) VALUES (1, ''x''), (2, ''x''), (1, ''xx'')',
  'INSERT INTO t (a, v) VALUES (31, ''y'')',
  'INSERT INTO t (a, v) VALUES (31, ''y'') ON CONFLICT ((a % 10), length(v)) DO UPDATE SET a = EXCLUDED.a RETURNING a, v',
  'DROP INDEX t_expr']) AS s;

-- Building: live rows decide, dead ones do not, though they are sorted among them.
SELECT on_both(s) FROM unnest(ARRAY[
  'TRUNCATE t',
  'INSERT INTO t (k, a) SELECT n, n FROM generate_series(1, 20000) AS n',
  'INSERT INTO t (k, a) VALUES (20001, 777)',
  'CREATE UNIQUE INDEX t_a ON t USING ~ (a)',
  'DELETE FROM t WHERE k > 1000',
  'UPDATE t SET d = ''2024-01-01'', v = repeat(''x'', 2000)',
  'CREATE UNIQUE INDEX t_a ON t USING ~ (a)',
  'INSERT INTO t (a) VALUES (17)',
  'DROP INDEX t_a',
  'INSERT INTO t (a) VALUES (NULL), (NULL)',
  'CREATE UNIQUE INDEX t_a ON t USING ~ (a) NULLS NOT DISTINCT',
  'CREATE UNIQUE INDEX t_a ON t USING ~ (a)',
  'DROP INDEX t_a',
  'INSERT INTO t (a) VALUES (17)',
  'CREATE UNIQUE INDEX t_a ON t USING ~ (a DESC, d)',
  'CREATE UNIQUE INDEX t_b ON t USING ~ (a) INCLUDE (k)',
  'DROP INDEX t_a',
  'CREATE UNIQUE INDEX t_p ON t USING ~ (a) WHERE k IS NOT NULL',
  'DROP INDEX t_p',
  'DELETE FROM t WHERE k IS NULL',
  'TRUNCATE t',
  'INSERT INTO t (f) VALUES (''NaN''), (''-NaN'')',
  'CREATE UNIQUE INDEX t_f ON t USING ~ (f)',
  'TRUNCATE t',
  'INSERT INTO t (f) VALUES (0), (''-0'')']) AS s;
CREATE UNIQUE INDEX t_f ON uniq_o.t USING omendb (f);
-- A key with dead versions between two live ones.
CREATE TABLE uniq_o.between (k int4, n int4) WITH (autovacuum_enabled = off);
INSERT INTO uniq_o.between SELECT 1, n FROM generate_series(1, 500) AS n;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM uniq_o.between;
DELETE FROM uniq_o.between WHERE n NOT IN (1, 500);
SAVEPOINT s;
CREATE UNIQUE INDEX between_k ON uniq_o.between USING omendb (k);
ROLLBACK TO s;
DELETE FROM uniq_o.between WHERE n = 500;
CREATE UNIQUE INDEX between_k ON uniq_o.between USING omendb (k);
COMMIT;
INSERT INTO uniq_o.between VALUES (1);
SELECT omendb_check('uniq_o.between_k', true);

-- In parallel, with duplicates that different processes found, and with little memory.
CREATE TABLE uniq_o.wide (k int8, n int4) WITH (autovacuum_enabled = off, parallel_workers = 2);
INSERT INTO uniq_o.wide SELECT spread(n), n FROM generate_series(1, 60000) AS n;
SET max_parallel_maintenance_workers = 2;
SET min_parallel_table_scan_size = 0;
SET maintenance_work_mem = '1MB';
CREATE UNIQUE INDEX wide_k ON uniq_o.wide USING omendb (k);
INSERT INTO uniq_o.wide SELECT k, -1 FROM uniq_o.wide WHERE n = 100;
REINDEX INDEX uniq_o.wide_k;
DROP INDEX uniq_o.wide_k;
INSERT INTO uniq_o.wide SELECT k, -1 FROM uniq_o.wide WHERE n = 100;
CREATE UNIQUE INDEX wide_k ON uniq_o.wide USING omendb (k);
DELETE FROM uniq_o.wide WHERE n = -1;
CREATE UNIQUE INDEX wide_k ON uniq_o.wide USING omendb (k);
SELECT omendb_check('uniq_o.wide_k', true);
RESET max_parallel_maintenance_workers;
RESET min_parallel_table_scan_size;
RESET maintenance_work_mem;

-- Concurrently, and again.
CREATE TABLE uniq_o.c (k int4, v int4);
INSERT INTO uniq_o.c SELECT n, n FROM generate_series(1, 1000) AS n;
CREATE UNIQUE INDEX CONCURRENTLY c_k ON uniq_o.c USING omendb (k);
REINDEX INDEX CONCURRENTLY uniq_o.c_k;
INSERT INTO uniq_o.c VALUES (5, 5);
DROP INDEX uniq_o.c_k;
INSERT INTO uniq_o.c VALUES (5, 5);
CREATE UNIQUE INDEX CONCURRENTLY c_k ON uniq_o.c USING omendb (k);
-- What failed is there, but not valid; from the first phase it checks nothing.
SELECT indisunique, indisready, indisvalid FROM pg_index WHERE indexrelid = 'uniq_o.c_k'::regclass;
INSERT INTO uniq_o.c VALUES (6, 6);
DELETE FROM uniq_o.c WHERE ctid IN (SELECT max(ctid) FROM uniq_o.c GROUP BY k HAVING count(*) > 1);
REINDEX INDEX uniq_o.c_k;
INSERT INTO uniq_o.c VALUES (6, 6);
SELECT indisunique, indisready, indisvalid FROM pg_index WHERE indexrelid = 'uniq_o.c_k'::regclass;
VACUUM FULL uniq_o.c;
CLUSTER uniq_o.c USING c_k;
INSERT INTO uniq_o.c VALUES (6, 6);
CREATE UNLOGGED TABLE uniq_o.un (k int4);
CREATE UNIQUE INDEX un_k ON uniq_o.un USING omendb (k);
INSERT INTO uniq_o.un VALUES (1), (1);
CREATE TEMPORARY TABLE tmp (k int4);
CREATE UNIQUE INDEX tmp_k ON tmp USING omendb (k);
INSERT INTO tmp SELECT n FROM generate_series(1, 3000) AS n;
INSERT INTO tmp VALUES (7);

-- Entries of a unique index do not wait for the end of the transaction, and scans find them.
SHOW omendb.insert_buffer_size;
BEGIN;
INSERT INTO uniq_o.un SELECT n FROM generate_series(1, 5000) AS n;
SELECT omendb_check('uniq_o.un_k', true);
ROLLBACK;

-- The planner knows: a join that adds nothing is left out, another finds one row at most.
CREATE TABLE uniq_o.p (k int4, b int4, f float8, v int4);
INSERT INTO uniq_o.p SELECT n, n % 100, n, n FROM generate_series(1, 2000) AS n;
CREATE UNIQUE INDEX p_k ON uniq_o.p USING omendb (k);
CREATE UNIQUE INDEX p_bk ON uniq_o.p USING omendb (b, k DESC);
VACUUM ANALYZE uniq_o.p;
EXPLAIN (COSTS OFF) SELECT a.v FROM uniq_o.p AS a LEFT JOIN uniq_o.p AS x ON a.v = x.k;
EXPLAIN (COSTS OFF) SELECT a.v FROM uniq_o.p AS a LEFT JOIN uniq_o.p AS x ON a.v = x.b AND a.b = x.k;
EXPLAIN (COSTS OFF) SELECT a.v FROM uniq_o.p AS a LEFT JOIN uniq_o.p AS x ON a.v = x.b;
SELECT l FROM show_plan('SELECT a.v, x.v FROM uniq_o.p AS a JOIN uniq_o.p AS x ON a.v = x.k', 'seq') AS l;
CREATE FUNCTION inner_unique(query text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
  plan text;
BEGIN
  FOR plan IN EXECUTE 'EXPLAIN (COSTS OFF, VERBOSE) ' || query LOOP
    IF plan ~ 'Inner Unique: true' THEN RETURN true; END IF;
  END LOOP;
  RETURN false;
END $$;
SELECT inner_unique('SELECT a.v, x.v FROM uniq_o.p AS a JOIN uniq_o.p AS x ON a.v = x.k'),
  inner_unique('SELECT a.v, x.v FROM uniq_o.p AS a JOIN uniq_o.p AS x ON a.v = x.b');
EXPLAIN (COSTS OFF) SELECT DISTINCT k FROM uniq_o.p WHERE k = 5;
-- Comparisons of rows, also where one column is both.
SELECT compare('SELECT * FROM uniq_o.p WHERE (k, k) > (1990, 5)', '{index,bitmap,batched}'), compare('SELECT * FROM uniq_o.p WHERE (k, b) >= (990, 5) AND k < 1995', '{index,bitmap,batched}'),
  compare('SELECT * FROM uniq_o.p WHERE (b, k) > (98, 1500) AND b < 1000', '{index,bitmap,batched}');
-- What was inserted after the last ANALYZE, beyond all that it saw, is estimated as with btree.
CREATE TABLE uniq_b.p (LIKE uniq_o.p) WITH (autovacuum_enabled = off);
INSERT INTO uniq_b.p TABLE uniq_o.p;
CREATE UNIQUE INDEX p_k ON uniq_b.p (k);
ANALYZE uniq_b.p;
ALTER TABLE uniq_o.p SET (autovacuum_enabled = off);
INSERT INTO uniq_o.p SELECT n, n, n, n FROM generate_series(100001, 102000) AS n;
INSERT INTO uniq_b.p SELECT n, n, n, n FROM generate_series(100001, 102000) AS n;
CREATE FUNCTION estimate(query text) RETURNS int8 LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN plan -> 0 -> 'Plan' -> 'Plan Rows';
END $$;
SELECT estimate('SELECT * FROM uniq_o.p WHERE k > 50000') = estimate('SELECT * FROM uniq_b.p WHERE k > 50000') AS same,
  estimate('SELECT * FROM uniq_o.p WHERE k > 50000') > 5 AS many;

-- Roles that may not read a column are not told its values.
CREATE ROLE omendb_unique_role;
GRANT USAGE ON SCHEMA uniq_o TO omendb_unique_role;
GRANT INSERT ON uniq_o.c TO omendb_unique_role;
SET ROLE omendb_unique_role;
INSERT INTO uniq_o.c VALUES (6, 6);
RESET ROLE;
REVOKE ALL ON uniq_o.c FROM omendb_unique_role;
REVOKE ALL ON SCHEMA uniq_o FROM omendb_unique_role;
DROP ROLE omendb_unique_role;

-- What PostgreSQL wants a btree for.
ALTER TABLE uniq_o.p ADD CONSTRAINT p_unique UNIQUE USING INDEX p_k;
ALTER TABLE uniq_o.p ADD CONSTRAINT p_pk PRIMARY KEY USING INDEX p_k;
CREATE TABLE uniq_o.ref (k int4 REFERENCES uniq_o.p (k));
CREATE TABLE uniq_o.parts (k int4) PARTITION BY RANGE (k);
CREATE UNIQUE INDEX ON uniq_o.parts USING omendb (k);
CREATE MATERIALIZED VIEW uniq_o.m AS SELECT k FROM uniq_o.p;
CREATE UNIQUE INDEX m_k ON uniq_o.m USING omendb (k);
REFRESH MATERIALIZED VIEW CONCURRENTLY uniq_o.m;
REFRESH MATERIALIZED VIEW uniq_o.m;
-- And what it does not.
ALTER TABLE uniq_o.p REPLICA IDENTITY USING INDEX p_k;
ALTER TABLE uniq_o.p ALTER k SET NOT NULL;
ALTER TABLE uniq_o.p REPLICA IDENTITY USING INDEX p_k;
SELECT relreplident FROM pg_class WHERE oid = 'uniq_o.p'::regclass;
CREATE TABLE uniq_o.like_p (LIKE uniq_o.p INCLUDING ALL);
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'uniq_o.like_p'::regclass ORDER BY 1;

-- Exclusion constraints that say the same, at once or at the end of the transaction.
CREATE TABLE uniq_o.x (k int4, b int4, EXCLUDE USING omendb (k WITH =), CONSTRAINT x_b EXCLUDE USING omendb (b WITH =, k WITH =) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO uniq_o.x VALUES (1, 1), (2, 1);
INSERT INTO uniq_o.x VALUES (2, 2);
INSERT INTO uniq_o.x VALUES (2, 2), (3, 3) ON CONFLICT DO NOTHING;
INSERT INTO uniq_o.x VALUES (2, 2) ON CONFLICT ON CONSTRAINT x_k_excl DO NOTHING;
ALTER TABLE uniq_o.x DROP CONSTRAINT x_k_excl;
BEGIN;
INSERT INTO uniq_o.x VALUES (1, 1);
UPDATE uniq_o.x SET b = 5 WHERE ctid = (SELECT min(ctid) FROM uniq_o.x WHERE k = 1);
COMMIT;
BEGIN;
INSERT INTO uniq_o.x VALUES (2, 1);
COMMIT;

-- A unique constraint that is deferred has to be a btree.  One of ours would work: an exclusion constraint is made into one.
CREATE TABLE uniq_o.late (k int4, v int4, CONSTRAINT late_k EXCLUDE USING omendb (k WITH =) DEFERRABLE INITIALLY DEFERRED);
UPDATE pg_index SET indisunique = true, indisexclusion = false WHERE indexrelid = 'uniq_o.late_k'::regclass;
INSERT INTO uniq_o.late SELECT n, n FROM generate_series(1, 100) AS n;
UPDATE uniq_o.late SET k = k + 1;
BEGIN;
INSERT INTO uniq_o.late VALUES (50, 0), (NULL, 0), (NULL, 0);
DELETE FROM uniq_o.late WHERE v = 49;
COMMIT;
BEGIN;
INSERT INTO uniq_o.late VALUES (60, 0);
COMMIT;
BEGIN;
INSERT INTO uniq_o.late VALUES (60, 0);
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
SELECT count(*), count(DISTINCT k) FROM uniq_o.late;

-- omendb_check sees a key that live rows have twice, where it looks at the table.
CREATE TABLE uniq_o.twice (k int4, v int4);
INSERT INTO uniq_o.twice SELECT 1, n FROM generate_series(1, 5) AS n;
INSERT INTO uniq_o.twice SELECT n, n FROM generate_series(2, 100) AS n;
DELETE FROM uniq_o.twice WHERE k = 1 AND v NOT IN (2, 5);
CREATE INDEX chk_twice_k ON uniq_o.twice USING omendb (k);
UPDATE pg_index SET indisunique = true WHERE indexrelid = 'uniq_o.chk_twice_k'::regclass;
SELECT omendb_check('uniq_o.chk_twice_k');
SELECT omendb_check('uniq_o.chk_twice_k', true);
DELETE FROM uniq_o.twice WHERE v = 2 AND k = 1;
SELECT omendb_check('uniq_o.chk_twice_k', true);

SELECT check_unique();
SET client_min_messages = warning;
DROP SCHEMA uniq_o, uniq_b CASCADE;
