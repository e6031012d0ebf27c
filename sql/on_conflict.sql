-- INSERT ... ON CONFLICT into tables with unique omendb indexes, on one and on its twin with btree ones.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

SET client_min_messages = warning;
DROP SCHEMA IF EXISTS conf_o, conf_b CASCADE;
RESET client_min_messages;
CREATE SCHEMA conf_o;
CREATE SCHEMA conf_b;
-- What a statement did: the rows that it returned, or its error.
CREATE FUNCTION outcome_in(schema text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  row record;
  result text;
  n int8;
  state text; message text; detail text;
BEGIN
  PERFORM set_config('search_path', schema || ', omendb_test, public', true);
  statement := replace(statement, '~', CASE schema WHEN 'conf_o' THEN 'omendb' ELSE 'btree' END);
  IF statement ~ '^WITH' THEN
    EXECUTE statement INTO row;
    result := row::text;
  ELSIF statement ~ 'RETURNING|^SELECT' THEN
    EXECUTE 'WITH r AS (' || statement || ') SELECT string_agg(r::text, '' '' ORDER BY r::text) FROM r' INTO result;
  ELSE
    EXECUTE statement;
    GET DIAGNOSTICS n = ROW_COUNT;
    result := n || ' rows';
  END IF;
  RETURN coalesce(result, 'none');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
  RETURN concat_ws(' | ', state, message, nullif(detail, ''));
END $$;
CREATE FUNCTION on_both(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  o text := outcome_in('conf_o', statement);
  b text := outcome_in('conf_b', statement);
BEGIN
  PERFORM set_config('search_path', 'omendb_test, public', true);
  RETURN CASE WHEN o = b THEN o ELSE format('DIFFERENT: omendb %s; btree %s', o, b) END;
END $$;
CREATE FUNCTION check_conf() RETURNS int8 LANGUAGE sql AS $$
  SELECT count(omendb_check(c.oid, true)::text) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
  WHERE a.amname = 'omendb' AND c.relkind = 'i' AND c.relnamespace = 'conf_o'::regnamespace
$$;

-- A primary key, which is a btree, and a unique index of ours; each may be the arbiter, or both.
SELECT on_both(s) FROM unnest(ARRAY[
  'CREATE TABLE t (id int PRIMARY KEY, k int8, b int4, v text)',
  'CREATE UNIQUE INDEX t_k ON t USING ~ (k)',
  'CREATE INDEX t_b ON t USING ~ (b)',
  'INSERT INTO t SELECT n, n * 10, n % 5, ''old'' FROM generate_series(1, 100) AS n ON CONFLICT DO NOTHING',
  'INSERT INTO t VALUES (1, 1000000, 1, ''n''), (101, 10, 1, ''n''), (102, 1020, 1, ''n'') ON CONFLICT DO NOTHING RETURNING *',
  'INSERT INTO t VALUES (1, 1, 1, ''u'') ON CONFLICT (id) DO UPDATE SET v = t.v || EXCLUDED.v RETURNING *',
  'INSERT INTO t VALUES (500, 20, 1, ''u'') ON CONFLICT (k) DO UPDATE SET v = t.v || EXCLUDED.v, b = EXCLUDED.b RETURNING *',
  'INSERT INTO t VALUES (500, 20, 1, ''u'') ON CONFLICT (id) DO UPDATE SET v = ''x''',
  'INSERT INTO t VALUES (3, 501, 1, ''u'') ON CONFLICT (k) DO UPDATE SET v = ''x''',
  'INSERT INTO t VALUES (501, 30, 1, ''u'') ON CONFLICT (k) DO UPDATE SET k = 40 RETURNING *',
  'INSERT INTO t VALUES (501, 30, 1, ''u'') ON CONFLICT (k) DO UPDATE SET k = -30 WHERE t.b = 99 RETURNING *',
  'INSERT INTO t VALUES (501, 30, 1, ''u'') ON CONFLICT (k) DO UPDATE SET k = -30 WHERE t.b = 3 RETURNING *',
  'INSERT INTO t VALUES (502, 7, 1, ''a''), (503, 7, 1, ''b'') ON CONFLICT (k) DO NOTHING RETURNING *',
  'INSERT INTO t VALUES (504, 8, 1, ''a''), (505, 8, 1, ''b'') ON CONFLICT (k) DO UPDATE SET v = ''b''',
  'INSERT INTO t VALUES (506, NULL, 1, ''a''), (507, NULL, 1, ''b'') ON CONFLICT (k) DO UPDATE SET v = ''b'' RETURNING *',
  'INSERT INTO t SELECT n, n * 10, n % 5, ''new'' FROM generate_series(1, 3000) AS n ON CONFLICT (k) DO NOTHING',
  'INSERT INTO t SELECT n, n * 10, n % 5, ''newer'' FROM generate_series(2000, 5000) AS n ON CONFLICT (k) DO UPDATE SET v = EXCLUDED.v, b = t.b + 1',
  'WITH w AS (INSERT INTO t SELECT n, n * 10, n % 5, ''cte'' FROM generate_series(4990, 5010) AS n ON CONFLICT (k) DO UPDATE SET v = EXCLUDED.v RETURNING id, v) SELECT count(*), max(v) FROM w',
  'WITH w AS (INSERT INTO t VALUES (1, 1, 1, ''cte'') ON CONFLICT DO NOTHING) INSERT INTO t VALUES (5011, 50110, 0, ''main'') ON CONFLICT (k) DO NOTHING RETURNING *',
  'SELECT count(*), sum(id), sum(k), sum(b), md5(string_agg(v, '','' ORDER BY id)) FROM t']) AS s;
SELECT check_conf();

-- Triggers, rules of their own, generated columns, updatable views, row security and check options.
SELECT on_both(s) FROM unnest(ARRAY[
  'CREATE TABLE g (k int4, v int4, twice int4 GENERATED ALWAYS AS (k * 2) STORED)',
  'CREATE UNIQUE INDEX g_twice ON g USING ~ (twice)',
  'CREATE FUNCTION g_before() RETURNS trigger LANGUAGE plpgsql AS $x$BEGIN NEW.k := NEW.k + 1; RETURN NEW; END$x$',
  'CREATE TRIGGER g_before BEFORE INSERT ON g FOR EACH ROW EXECUTE FUNCTION g_before()',
  'INSERT INTO g (k, v) VALUES (1, 1), (2, 2) ON CONFLICT DO NOTHING RETURNING *',
  'INSERT INTO g (k, v) VALUES (1, 5) ON CONFLICT (twice) DO UPDATE SET v = EXCLUDED.v RETURNING *',
  'CREATE VIEW gv AS SELECT k AS key, v FROM g WHERE v < 10 WITH CHECK OPTION',
  'INSERT INTO gv VALUES (1, 6) ON CONFLICT DO NOTHING RETURNING *',
  'INSERT INTO gv VALUES (8, 6) ON CONFLICT DO NOTHING RETURNING *',
  'INSERT INTO gv VALUES (9, 60) ON CONFLICT DO NOTHING RETURNING *',
  'CREATE TABLE audit (n int4)',
  'CREATE UNIQUE INDEX audit_n ON audit USING ~ (n)',
  'CREATE FUNCTION g_after() RETURNS trigger LANGUAGE plpgsql AS $x$BEGIN INSERT INTO audit VALUES (NEW.v) ON CONFLICT DO NOTHING; INSERT INTO audit VALUES (NEW.v) ON CONFLICT (n) DO UPDATE SET n = audit.n + audit.n * 1000; RETURN NULL; END$x$',
  'CREATE TRIGGER g_after AFTER INSERT OR UPDATE ON g FOR EACH ROW EXECUTE FUNCTION g_after()',
  'INSERT INTO g (k, v) VALUES (1, 7), (50, 9), (51, 8) ON CONFLICT (twice) DO UPDATE SET v = EXCLUDED.v RETURNING *',
  'SELECT * FROM audit']) AS s;

-- Plans that are kept; EXPLAIN, which inserts nothing, and EXPLAIN ANALYZE, which does.
SET search_path = conf_o, omendb_test, public;
PREPARE put (int, int8) AS INSERT INTO t VALUES ($1, $2, 0, 'p') ON CONFLICT (k) DO UPDATE SET v = t.v || 'p' RETURNING id, k, v;
SET plan_cache_mode = force_generic_plan;
EXECUTE put (6000, 60000);
EXECUTE put (6001, 60000);
DROP INDEX t_k;
EXECUTE put (6001, 60000);
CREATE UNIQUE INDEX t_k ON t USING omendb (k);
EXECUTE put (6001, 60000);
REINDEX INDEX t_k;
EXECUTE put (6001, 60000);
EXPLAIN (COSTS OFF) EXECUTE put (6001, 60000);
RESET plan_cache_mode;
EXPLAIN (COSTS OFF) INSERT INTO t VALUES (7000, 70000) ON CONFLICT DO NOTHING;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) INSERT INTO t VALUES (7000, 70000), (7001, 70000) ON CONFLICT (k) DO NOTHING;
SELECT count(*) FROM t WHERE k = 70000;
CREATE FUNCTION put_in_sql(int, int8) RETURNS text LANGUAGE sql AS $$
  INSERT INTO conf_o.t VALUES ($1, $2, 0, 'f') ON CONFLICT (k) DO UPDATE SET v = conf_o.t.v || 'f' RETURNING v
$$;
SELECT put_in_sql(n, 80000) FROM generate_series(8000, 8002) AS n;
-- Nothing to insert; nothing to keep.
INSERT INTO t SELECT 1, 1, 1, '' WHERE false ON CONFLICT DO NOTHING;
BEGIN;
INSERT INTO t VALUES (9000, 90000) ON CONFLICT (k) DO NOTHING;
SAVEPOINT s;
INSERT INTO t VALUES (9001, 90000) ON CONFLICT (k) DO UPDATE SET v = 's';
INSERT INTO t VALUES (9002, 90000);
ROLLBACK TO s;
INSERT INTO t VALUES (9003, 90000) ON CONFLICT (k) DO UPDATE SET v = coalesce(t.v, 'none') RETURNING *;
ROLLBACK;
-- Prepared transactions keep a key until they end.
BEGIN;
INSERT INTO t VALUES (9100, 91000) ON CONFLICT (k) DO NOTHING;
PREPARE TRANSACTION 'omendb_conf';
ROLLBACK PREPARED 'omendb_conf';
INSERT INTO t VALUES (9100, 91000) ON CONFLICT (k) DO NOTHING RETURNING id;
DEALLOCATE put;
RESET search_path;
SET search_path = omendb_test, public;
SELECT check_conf();

-- Rows that are routed to partitions: other columns, other levels, a default, one that is attached later.
SELECT on_both(s) FROM unnest(ARRAY[
  'CREATE TABLE p (a int4, k int4, v text) PARTITION BY RANGE (a)',
  'CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)',
  'CREATE TABLE p2 (v text, gone int4, k int4, a int4)',
  'ALTER TABLE p2 DROP gone',
  'ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)',
  'CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30) PARTITION BY RANGE (a)',
  'CREATE TABLE p31 PARTITION OF p3 FOR VALUES FROM (20) TO (22)',
  'CREATE TABLE p32 PARTITION OF p3 FOR VALUES FROM (22) TO (30)',
  'CREATE TABLE pd PARTITION OF p DEFAULT',
  'CREATE UNIQUE INDEX p_a ON p (a)',
  'CREATE UNIQUE INDEX ON p1 USING ~ (k)',
  'CREATE UNIQUE INDEX ON p2 USING ~ (k)',
  'CREATE UNIQUE INDEX ON p31 USING ~ (k)',
  'CREATE UNIQUE INDEX ON pd USING ~ (k)',
  'INSERT INTO p VALUES (1, 1, ''a''), (11, 1, ''b''), (21, 2, ''c''), (22, 9, ''d''), (99, 1, ''e'') ON CONFLICT DO NOTHING',
  'INSERT INTO p VALUES (2, 1, ''a''), (12, 1, ''b''), (20, 2, ''c''), (24, 9, ''d''), (3, 3, ''n''), (13, 3, ''n''), (98, 1, ''n'') ON CONFLICT DO NOTHING RETURNING *',
  'INSERT INTO p VALUES (1, 2, ''a''), (11, 2, ''b''), (21, 3, ''c''), (22, 10, ''d''), (5, 5, ''f''), (99, 6, ''g'') ON CONFLICT (a) DO UPDATE SET k = EXCLUDED.k, v = p.v || EXCLUDED.v WHERE p.a <> 22 RETURNING *',
  'INSERT INTO p VALUES (6, 2, ''a'') ON CONFLICT (a) DO UPDATE SET k = EXCLUDED.k',
  'INSERT INTO p VALUES (11, 3, ''a'') ON CONFLICT (a) DO UPDATE SET k = EXCLUDED.k',
  'INSERT INTO p VALUES (11, 4, ''a'') ON CONFLICT (a) DO UPDATE SET a = 15',
  'INSERT INTO p SELECT n, 100 + n, ''x'' FROM generate_series(0, 40) AS n ON CONFLICT (a) DO NOTHING',
  'WITH w AS (INSERT INTO p SELECT n, 200 + n, ''x'' FROM generate_series(0, 40) AS n ON CONFLICT (a) DO UPDATE SET k = EXCLUDED.k RETURNING *) SELECT count(*), sum(k) FROM w',
  'INSERT INTO p1 VALUES (9, 203, ''direct'') ON CONFLICT DO NOTHING',
  'INSERT INTO p2 VALUES (''direct'', 999, 11) ON CONFLICT (a) DO UPDATE SET k = EXCLUDED.k RETURNING *',
  'UPDATE p SET a = a + 10 WHERE a = 5',
  'UPDATE p SET a = 41, k = 99999 WHERE a = 5',
  'MERGE INTO p USING (VALUES (2, 2), (42, 3)) AS s (a, k) ON p.a = s.a WHEN MATCHED THEN UPDATE SET v = ''m'' WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.k, ''m'')',
  'CREATE TABLE q (a int4) PARTITION BY LIST (a)',
  'CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1)',
  'CREATE UNIQUE INDEX ON q1 USING ~ (a)',
  'INSERT INTO q VALUES (1), (1), (2) ON CONFLICT DO NOTHING',
  'INSERT INTO q1 VALUES (1), (1)',
  'CREATE TABLE q2 (a int4)',
  'CREATE UNIQUE INDEX ON q2 USING ~ (a)',
  'ALTER TABLE q ATTACH PARTITION q2 FOR VALUES IN (2)',
  'INSERT INTO q VALUES (1), (1), (2), (2) ON CONFLICT DO NOTHING',
  'INSERT INTO q VALUES (2)',
  'INSERT INTO q2 VALUES (2)',
  'INSERT INTO q VALUES (2), (1)',
  'SELECT count(*), sum(a), sum(k), md5(string_agg(v, '','' ORDER BY a)) FROM p']) AS s;
-- As many rows, in a plan that is kept, while indexes come and go.
SET search_path = conf_o, omendb_test, public;
PREPARE routed (int) AS INSERT INTO p SELECT n, $1 + n, 'r' FROM generate_series(0, 40) AS n ON CONFLICT (a) DO UPDATE SET k = EXCLUDED.k;
EXECUTE routed (1000);
CREATE UNIQUE INDEX p32_k ON p32 USING omendb (k);
EXECUTE routed (2000);
DROP INDEX p32_k;
EXECUTE routed (3000);
SELECT count(*), sum(k) FROM p;
DEALLOCATE routed;
-- All of them are indexed as before.
SELECT count(*) FROM pg_class WHERE relnamespace = 'conf_o'::regnamespace AND relkind = 'r' AND relname ~ '^p' AND NOT relhasindex;
INSERT INTO p VALUES (50, 3021, 'again') ON CONFLICT DO NOTHING;
INSERT INTO p1 VALUES (1, 3001, 'again');
SET search_path = omendb_test, public;

SELECT check_conf();
SET client_min_messages = warning;
DROP SCHEMA conf_o, conf_b CASCADE;
