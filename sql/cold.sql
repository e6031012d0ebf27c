-- The cold tier: leaves in segments, read, written to, vacuumed, rebuilt and brought back; what is refused.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

-- What omendb_check and omendb_stat_index say of an index. 'cold': leaves are in segments, each of which has leaves in use;
-- 'hot': there is none; 'thawed': the segments are left, until VACUUM.
CREATE FUNCTION state_of(index regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  s record;
BEGIN
  PERFORM omendb_check(index, true);
  SELECT * INTO s FROM omendb_stat_index(index);
  RETURN CASE WHEN s.segments = 0 AND s.segment_pages = 0 AND s.cold_leaves = 0 AND s.cold_pages = 0 THEN 'hot'
    WHEN s.segments > 0 AND s.segment_pages > s.segments AND s.cold_leaves = 0 AND s.cold_pages = 0 THEN 'thawed'
    WHEN s.segments > 0 AND s.segment_pages > s.segments AND s.cold_leaves >= s.cold_pages AND s.cold_pages > 0 AND s.leaf_pages > 0 THEN 'cold'
    ELSE s::text END;
END $$;

-- Every kind of key, and of compression. With a low fillfactor there are leaves enough.
CREATE COLLATION codepoints (provider = libc, locale = 'C.UTF-8');
CREATE TABLE cold_t (id int8, k int8, ts timestamptz, d int4, n int8, t text COLLATE "C", l text COLLATE codepoints, b bytea, num numeric, u uuid, a int4) WITH (autovacuum_enabled = off);
CREATE VIEW cold_rows AS
  SELECT n::int8 AS id, spread(n) AS k, '2024-01-01 00:00+00'::timestamptz + n * interval '17 minutes 3.5 seconds' AS ts, (n * 7919) % 5000 AS d, CASE WHEN n % 11 > 0 THEN spread(n) / 1000 END AS n,
         CASE WHEN n % 13 > 0 THEN 'https://example.org/' || CASE n % 3 WHEN 0 THEN '' ELSE 'item/' || n % 7 || '/' END || md5(n::text) END AS t, chr(228 + n % 5) || md5((n % 900)::text) AS l,
         decode(repeat(md5((n / 3)::text), 1 + n % 3), 'hex') AS b, round((n - 3000) * 1.7 / (1 + n % 9), n % 5) AS num, md5(n::text)::uuid AS u, n % 10 AS a
  FROM generate_series(1, 6000) AS n;
INSERT INTO cold_t SELECT * FROM cold_rows;
CREATE INDEX cold_k ON cold_t USING omendb (k) WITH (fillfactor = 10);
CREATE INDEX cold_ts ON cold_t USING omendb (ts) INCLUDE (k) WITH (fillfactor = 10, cold_compression = zstd);
CREATE INDEX cold_d ON cold_t USING omendb (d DESC, k) WITH (fillfactor = 10, cold_compression = snappy);
CREATE INDEX cold_n ON cold_t USING omendb (n NULLS FIRST) WITH (fillfactor = 10, cold_compression = none);
CREATE INDEX cold_txt ON cold_t USING omendb (t) WITH (fillfactor = 50, cold_compression = lz4);
CREATE INDEX cold_l ON cold_t USING omendb (l DESC NULLS LAST) INCLUDE (num) WITH (fillfactor = 50);
CREATE INDEX cold_b ON cold_t USING omendb (b) WITH (fillfactor = 60);
CREATE INDEX cold_num ON cold_t USING omendb (num) WITH (fillfactor = 20);
CREATE INDEX cold_u ON cold_t USING omendb (u DESC) WITH (fillfactor = 20, cold_compression = zstd);
CREATE INDEX cold_atk ON cold_t USING omendb (a, t DESC, k) INCLUDE (num) WITH (cold_compression = zstd);
CREATE INDEX cold_id ON cold_t (id);
VACUUM ANALYZE cold_t;
SELECT relname, reloptions FROM pg_class WHERE relname LIKE 'cold\_%' AND relkind = 'i' ORDER BY 1;
SELECT index, state_of(index) FROM unnest('{cold_k,cold_ts,cold_d,cold_n,cold_txt,cold_l,cold_b,cold_num,cold_u,cold_atk}'::regclass[]) AS index;

-- What lies before a value of the first column is moved, once; the entries stay as many.
SELECT index, omendb_offload(index, before) > 3 AS moved, omendb_offload(index, before) AS again, state_of(index)
FROM (VALUES ('cold_k'::regclass, '3000000000000000000'), ('cold_ts', '2024-02-20 12:00 America/New_York'), ('cold_d', '3500'), ('cold_n', '1000000000000000'), ('cold_txt', 'https://example.org/item/5'), ('cold_l', 'çz'),
             ('cold_b', '\xb0'), ('cold_num', '700.5'), ('cold_u', 'c0000000-0000-0000-0000-000000000000'), ('cold_atk', '7')) AS o (index, before);
SELECT index, entries = 6000 AS all_there, segments = 1 AS one FROM unnest('{cold_k,cold_ts,cold_d,cold_n,cold_txt,cold_l,cold_b,cold_num,cold_u,cold_atk}'::regclass[]) AS index, omendb_stat_index(index);

-- Every operator, by every kind of scan.
SELECT col, c.*
FROM (VALUES (1, 'k', 'int8', '{-9000000000000000000,-4611686018427387904,-3,0,2999999999999999999,3000000000000000000,9000000000000000000}'::text[]),
             (2, 'ts', 'timestamptz', '{2023-12-31,2024-01-05 03:00,2024-02-10,2024-02-20 11:59:59.9,2024-02-22,2024-03-11,2025-01-01}'),
             (3, 'd', 'int4', '{-1,0,17,2500,3499,3500,4999}'),
             (4, 'n', 'int8', '{-9000000000000000,-77,0,999999999999999,5000000000000000}'),
             (5, 't', 'text', '{"",https://example.org/,https://example.org/7,https://example.org/item/,https://example.org/item/3/a,https://example.org/item/6,z}'),
             (6, 'l', 'text', '{a,ä,å8,æ,ç1,è,é}'),
             (7, 'b', 'bytea', '{"",\\x00,\\x2000,\\x7f,\\xafff,\\xb0,\\xff}'),
             (8, 'num', 'numeric', '{-6000,-100.50,0,0.0,33.3,700.4999,701,5000}'),
             (9, 'u', 'uuid', '{00000000-0000-0000-0000-000000000000,20000000-0000-0000-0000-000000000000,8f000000-0000-0000-8000-0000000000aa,bfffffff-ffff-ffff-ffff-ffffffffffff,ffffffff-ffff-ffff-ffff-ffffffffffff}')) AS v (n, col, probe_type, probes),
     LATERAL compare_operators('cold_t', v.col, v.probe_type, v.probes) AS c
ORDER BY v.n;
-- Both directions, points, lists, several columns, NULLs.
SELECT compare(query, '{index,only,batched,batched_only}', true), query FROM unnest(ARRAY[
  'SELECT k FROM cold_t WHERE k < 8000000000000000000 ORDER BY k',
  'SELECT k FROM cold_t WHERE k > -8000000000000000000 ORDER BY k DESC',
  'SELECT ts, k FROM cold_t WHERE ts > ''2024-01-02'' ORDER BY ts DESC',
  'SELECT d, k FROM cold_t ORDER BY d DESC, k',
  'SELECT d, k FROM cold_t ORDER BY d, k DESC',
  'SELECT d, k FROM cold_t WHERE d = 100 ORDER BY k DESC',
  'SELECT n FROM cold_t ORDER BY n NULLS FIRST',
  'SELECT t FROM cold_t WHERE t < ''https://example.org/item/6'' ORDER BY t DESC LIMIT 900',
  'SELECT u FROM cold_t ORDER BY u DESC',
  'SELECT a, t, k FROM cold_t WHERE a < 8 ORDER BY a, t DESC, k',
  'SELECT a, t, k, num FROM cold_t WHERE a < 8 ORDER BY a DESC, t, k DESC']) AS query;
SELECT compare(query), query FROM unnest(ARRAY[
  'SELECT k FROM cold_t WHERE k = spread(77)',
  'SELECT k FROM cold_t WHERE k = spread(77) + 1',
  'SELECT k FROM cold_t WHERE k IN (spread(1), spread(2), spread(3), spread(4), spread(50), spread(5000), 12)',
  'SELECT n FROM cold_t WHERE n IS NULL',
  'SELECT n FROM cold_t WHERE n IS NOT NULL AND n < 0',
  'SELECT d, k FROM cold_t WHERE d = ANY (ARRAY(SELECT generate_series(0, 5000, 37)))',
  'SELECT a, t FROM cold_t WHERE a IN (1, 3, 6, 9) AND t > ''https://example.org/item/2''',
  'SELECT a, k FROM cold_t WHERE a BETWEEN 2 AND 8 AND k > 0 AND num < 100',
  'SELECT a, t, k FROM cold_t WHERE (a, t) > (5, ''x'') AND a < 9',
  'SELECT l, num FROM cold_t WHERE l BETWEEN ''å'' AND ''æ'' AND num <> 3',
  'SELECT b FROM cold_t WHERE b IN (''\x00'', decode(md5(''7''), ''hex''), decode(md5(''1001'') || md5(''1001''), ''hex''))',
  'SELECT u FROM cold_t WHERE u = md5(''5'')::uuid']) AS query;

-- Totals and joins of ours; a scan that turns round; several processes.
SELECT compare_aggregate(query), query FROM unnest(ARRAY[
  'SELECT count(*), min(k), max(k) FROM cold_t WHERE k < 4000000000000000000',
  'SELECT date_trunc(''day'', ts, ''UTC''), count(*), sum(k) FROM cold_t GROUP BY 1',
  'SELECT date_bin(''5 hours'', ts, ''2001-01-01''), count(*), sum(k) FROM cold_t WHERE ts < ''2024-03-01'' GROUP BY 1',
  'SELECT d, count(*), sum(k) FROM cold_t WHERE d BETWEEN 200 AND 4000 GROUP BY d',
  'SELECT count(n), sum(n) FROM cold_t WHERE n > -1000000000000000']) AS query;
CREATE FUNCTION compare_join(query text) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_hashjoin = on SET enable_mergejoin = on SET enable_nestloop = on SET omendb.enable_lookup_join = off AS $$
DECLARE
  digest text := digest_query(query, false);
  expected record;
  got record;
  problems text := '';
BEGIN
  EXECUTE digest INTO expected;
  FOR way IN 1 .. 3 LOOP
    PERFORM set_config('enable_hashjoin', 'off', true), set_config('enable_seqscan', 'off', true), set_config('enable_mergejoin', (way = 1)::text, true), set_config('enable_nestloop', (way = 2)::text, true), set_config('omendb.enable_lookup_join', (way = 3)::text, true);
    IF plan_of(digest) !~ (ARRAY['Merge', 'Nested Loop', 'Omendb Lookup Join'])[way] THEN
      problems := problems || ' another plan: ' || plan_of(digest);
    END IF;
    EXECUTE digest INTO got;
    IF got IS DISTINCT FROM expected THEN
      problems := problems || format(' DIFFERENT: %s rows instead of %s', got.count, expected.count);
    END IF;
  END LOOP;
  RETURN CASE problems WHEN '' THEN format('same, %s rows', expected.count) ELSE problems END;
END $$;
CREATE TABLE asked AS SELECT spread(n) AS k, n % 5000 AS d, CASE WHEN n % 2 = 0 THEN md5(n::text)::uuid END AS u FROM generate_series(1, 9000, 7) AS n;
ANALYZE asked;
SELECT compare_join(query), query FROM unnest(ARRAY[
  'SELECT asked.k, x.ts FROM asked JOIN cold_t AS x ON x.k = asked.k',
  'SELECT asked.d, x.k FROM asked LEFT JOIN cold_t AS x ON x.d = asked.d',
  'SELECT asked.k, x.id FROM asked JOIN cold_t AS x ON x.u = asked.u']) AS query;
-- Of many rows those of a leaf are looked up together, whatever the type of the key; some have none, and some have others
-- beside them that are as large as rows may be.
CREATE TABLE many AS SELECT i AS n, CASE WHEN i % 9 > 0 THEN spread(i * 7 % 6500) END AS k, r.t, r.l, r.num, CASE WHEN i % 500 = 0 THEN repeat('x', 8000) END AS wide
FROM generate_series(1, 20000) AS i LEFT JOIN cold_rows AS r ON r.id = i * 31 % 6100;
CREATE INDEX many_n ON many (n);
ANALYZE many;
SELECT compare_join(query), query FROM unnest(ARRAY[
  'SELECT many.n, x.ts, many.wide FROM many JOIN cold_t AS x ON x.k = many.k',
  'SELECT many.n, x.k, many.wide FROM many LEFT JOIN cold_t AS x ON x.t = many.t AND x.id < 5000',
  'SELECT many.n, x.num FROM many JOIN cold_t AS x ON x.l = many.l AND x.num > many.num',
  'SELECT many.n FROM many WHERE NOT EXISTS (SELECT FROM cold_t AS x WHERE x.k = many.k)',
  'SELECT many.n, many.l FROM many WHERE EXISTS (SELECT FROM cold_t AS x WHERE x.d = many.n % 5000 AND x.a < 5)']) AS query;
-- Unless the outer side's order is what the query asks for.
BEGIN;
SET LOCAL omendb.enable_lookup_join = on;
SET LOCAL enable_sort = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT many.n, x.ts FROM many JOIN cold_t AS x ON x.k = many.k WHERE many.n > 100 ORDER BY many.n;
SELECT count(*), sum(x.d), bool_and(n >= before) AS in_order
FROM (SELECT n, d, lag(n) OVER () AS before
      FROM (SELECT many.n, x.d FROM many JOIN cold_t AS x ON x.k = many.k WHERE many.n > 100 ORDER BY many.n OFFSET 0) AS y) AS x;
COMMIT;
BEGIN;
SELECT force_scan('only');
DECLARE c SCROLL CURSOR FOR SELECT a, k FROM cold_t WHERE a < 8 ORDER BY a, t DESC, k;
MOVE 1500 FROM c;
FETCH 2 FROM c;
MOVE BACKWARD 700 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH LAST FROM c;
FETCH FIRST FROM c;
FETCH ABSOLUTE 1501 FROM c;
COMMIT;
BEGIN;
SELECT force_scan('only');
SELECT force_parallel_totals() \g /dev/null
SET LOCAL parallel_leader_participation = off;
EXPLAIN (COSTS OFF) SELECT count(*), sum(k) FROM cold_t WHERE ts > '2024-01-03';
SELECT count(*), sum(k) = (SELECT sum(k) FROM cold_rows WHERE ts > '2024-01-03') AS same FROM cold_t WHERE ts > '2024-01-03';
COMMIT;
SELECT state_of(index) = 'cold' AS still_cold, index FROM unnest('{cold_k,cold_ts,cold_d,cold_n,cold_txt,cold_l,cold_b,cold_num,cold_u,cold_atk}'::regclass[]) AS index;

-- Writing into cold ranges, on one table and on its twin with btree indexes. Before each round all is moved that may be.
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cold_o, cold_b CASCADE;
RESET client_min_messages;
CREATE SCHEMA cold_o;
CREATE SCHEMA cold_b;
CREATE FUNCTION outcome_in(schema text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
  n int8;
  state text; message text; detail text;
BEGIN
  PERFORM set_config('search_path', schema || ', omendb_test, public', true);
  statement := replace(statement, '~', CASE schema WHEN 'cold_o' THEN 'omendb' ELSE 'btree' END);
  IF statement ~ 'RETURNING|^SELECT' THEN
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
  o text := outcome_in('cold_o', statement);
  b text := outcome_in('cold_b', statement);
BEGIN
  PERFORM set_config('search_path', 'omendb_test, public', true);
  RETURN CASE WHEN o = b THEN o ELSE format('DIFFERENT: omendb %s; btree %s', o, b) END;
END $$;
-- All indexes of the one table.
CREATE FUNCTION freeze_all() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(format('%s %s', relname, CASE WHEN moved > 3 AND state_of(oid) = 'cold' THEN 'cold' ELSE moved::text END), ', ' ORDER BY relname)
  FROM (SELECT oid, relname, omendb_offload(oid, before) AS moved
        FROM pg_class, (VALUES ('t_k', '50000'), ('t_bv', '46'), ('t_t', 'row 6')) AS o (name, before)
        WHERE relnamespace = 'cold_o'::regnamespace AND relname = name OFFSET 0) AS m
$$;
CREATE FUNCTION states() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(format('%s %s', relname, state_of(oid)), ', ' ORDER BY relname) FROM pg_class
  WHERE relnamespace = 'cold_o'::regnamespace AND relname IN ('t_k', 't_bv', 't_t')
$$;
SELECT on_both(s) FROM unnest(ARRAY[
  'CREATE TABLE t (k int8, b int4, v int8, t text COLLATE "C") WITH (autovacuum_enabled = off)',
  'INSERT INTO t SELECT n * 10, n % 50, spread(n), ''row '' || n FROM generate_series(1, 6000) AS n ORDER BY hashint4(n)',
  'CREATE UNIQUE INDEX t_k ON t USING ~ (k) WITH (fillfactor = 10)',
  'CREATE INDEX t_bv ON t USING ~ (b, v DESC) WITH (fillfactor = 10)',
  'CREATE UNIQUE INDEX t_t ON t USING ~ (t, v) WITH (fillfactor = 20)']) AS s;
SELECT freeze_all();
-- Nothing thaws what is only looked at: a key that is there already, or none that was asked for.
SELECT on_both(s) FROM unnest(ARRAY[
  'INSERT INTO t VALUES (10, 1, 1, ''twice'')',
  'INSERT INTO t VALUES (25000, 1, 1, ''twice'')',
  'INSERT INTO t VALUES (25000, 1, 1, ''twice'') ON CONFLICT DO NOTHING RETURNING k',
  'INSERT INTO t VALUES (1, 1, spread(10), ''row 10'')',
  'UPDATE t SET b = 0 WHERE k = 15',
  'DELETE FROM t WHERE b = 3 AND v IS NULL',
  'SELECT count(*), sum(k), sum(v), min(t) FROM t']) AS s;
SELECT states();
SELECT on_both(s) FROM unnest(ARRAY[
  'INSERT INTO t VALUES (25001, 1, 1, ''new'') RETURNING *',
  'INSERT INTO t VALUES (25001, 1, 1, ''new'')',
  'INSERT INTO t VALUES (25010, 2, 2, ''conflict'') ON CONFLICT (k) DO UPDATE SET v = -1, t = EXCLUDED.t RETURNING *',
  'INSERT INTO t VALUES (25011, 2, 2, ''conflict'') ON CONFLICT (k) DO UPDATE SET v = -1, t = EXCLUDED.t RETURNING *',
  'INSERT INTO t SELECT n * 5, n % 60, -n, ''mixed '' || n FROM generate_series(3000, 6500) AS n ON CONFLICT (k) DO UPDATE SET v = -t.v',
  'UPDATE t SET k = k + 3 WHERE k BETWEEN 40000 AND 40100',
  'UPDATE t SET k = -k WHERE k < 300',
  'UPDATE t SET k = k + 10 WHERE k = 1000',
  'DELETE FROM t WHERE b = 17',
  'DELETE FROM t WHERE k BETWEEN 8000 AND 9000 RETURNING k',
  'INSERT INTO t SELECT n * 10, 17, n, ''again'' FROM generate_series(801, 810) AS n',
  'DO $x$BEGIN BEGIN DELETE FROM t WHERE k = 48000; RAISE EXCEPTION ''x''; EXCEPTION WHEN raise_exception THEN NULL; END; INSERT INTO t (k) VALUES (48000); END$x$',
  'MERGE INTO t USING (VALUES (44000::int8), (44007)) AS s (k) ON t.k = s.k WHEN MATCHED THEN UPDATE SET t = ''merged'' WHEN NOT MATCHED THEN INSERT (k) VALUES (s.k)',
  'SELECT count(*), sum(k), sum(v), sum(b), sum(hashtext(t)) FROM t',
  'SELECT k, b, v FROM t WHERE k BETWEEN 24990 AND 25020',
  'SELECT count(*), sum(k) FROM t WHERE b IN (1, 2, 17, 33) AND v < 0',
  'SELECT count(*), sum(k) FROM t WHERE t BETWEEN ''mixed 4'' AND ''row 5''']) AS s;
SELECT states();
SELECT freeze_all();
VACUUM cold_o.t;
VACUUM cold_b.t;
SELECT compare('SELECT k, b FROM cold_o.t WHERE k > -100', '{index,bitmap,batched}'), compare('SELECT b, v FROM cold_o.t WHERE b < 48'), compare('SELECT t, v FROM cold_o.t WHERE t > ''m''');
-- Rows of a range go: the leaves that have none of them stay where they are.
SELECT freeze_all();
SELECT on_both(s) FROM unnest(ARRAY[
  'DELETE FROM t WHERE k BETWEEN 10000 AND 25000',
  'SELECT count(*), sum(k), sum(v), sum(b), sum(hashtext(t)) FROM t']) AS s;
VACUUM (INDEX_CLEANUP ON) cold_o.t;
SELECT states();
SELECT freeze_all();
SELECT on_both(s) FROM unnest(ARRAY[
  'DELETE FROM t WHERE b BETWEEN 10 AND 17',
  'INSERT INTO t SELECT n, n % 50, n, ''filled '' || n FROM generate_series(10004, 45004, 20) AS n',
  'SELECT count(*), sum(k), sum(v), sum(b), sum(hashtext(t)) FROM t']) AS s;
VACUUM (INDEX_CLEANUP ON, PARALLEL 0) cold_o.t;
SELECT states();
SELECT compare('SELECT k FROM cold_o.t WHERE k > -100'), compare('SELECT b, v FROM cold_o.t WHERE b < 48'), compare('SELECT t, v FROM cold_o.t WHERE t > ''m''');
SELECT freeze_all();

-- Rolled back: the rows, not the segments. Inserts that wait for the end of their transaction.
BEGIN;
INSERT INTO cold_o.t SELECT n, n % 50, n, 'waiting ' || n FROM generate_series(10002, 45002, 20) AS n;
SELECT omendb_offload('cold_o.t_k', '45000') >= 0 AS moved, state_of('cold_o.t_k'), state_of('cold_o.t_bv');
SELECT compare('SELECT k FROM cold_o.t WHERE k > -100', '{index,bitmap,batched}'), compare('SELECT b, v FROM cold_o.t WHERE b < 48', '{index,bitmap,batched}');
ROLLBACK;
SELECT states();
BEGIN;
SAVEPOINT s;
SELECT omendb_recall('cold_o.t_bv') > 3 AS recalled;
SELECT omendb_offload('cold_o.t_bv', '46') > 3 AS moved;
ROLLBACK TO s;
SELECT state_of('cold_o.t_bv');
COMMIT;
SELECT on_both('SELECT count(*), sum(k), sum(v), sum(b), sum(hashtext(t)) FROM t');

-- A scan that is under way while its session moves the leaves, and changes rows ahead of it and behind.
CREATE FUNCTION walk_and_move(way text, direction text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  r record;
  n int := 0;
  out_of_order int := 0;
  before int8;
BEGIN
  PERFORM force_scan(way);
  FOR r IN EXECUTE 'SELECT k FROM cold_o.t WHERE k > -1000 ORDER BY k ' || direction LOOP
    IF (r.k < before AND direction = 'ASC') OR (r.k > before AND direction = 'DESC') THEN
      out_of_order := out_of_order + 1;
    END IF;
    before := r.k;
    n := n + 1;
    IF n % 300 = 0 THEN
      CASE n / 300 % 3
        WHEN 0 THEN PERFORM omendb_recall('cold_o.t_k');
        WHEN 1 THEN PERFORM omendb_offload('cold_o.t_k', '50000');
        ELSE UPDATE cold_o.t SET v = v + 1 WHERE k IN (r.k, r.k - 2000, r.k + 2000);
      END CASE;
    END IF;
  END LOOP;
  RETURN format('%s rows, %s out of order', n, out_of_order);
END $$;
SELECT count(*) FROM cold_o.t WHERE k > -1000;
SELECT walk_and_move(way, direction) FROM unnest('{index,only,batched,batched_only}'::text[]) AS way, unnest('{ASC,DESC}'::text[]) AS direction;
SELECT states() ~ 't_k (cold|hot|thawed)' AS sound;

-- Constraints: an exclusion constraint that is one of uniqueness, at once and at the end of the transaction.
SELECT on_both(s) FROM unnest(ARRAY[
  'CREATE TABLE x (k int8, b int8, CONSTRAINT x_k EXCLUDE USING ~ (k WITH =) WITH (fillfactor = 10), CONSTRAINT x_b EXCLUDE USING ~ (b WITH =) WITH (fillfactor = 10) DEFERRABLE INITIALLY DEFERRED) WITH (autovacuum_enabled = off)',
  'INSERT INTO x SELECT n, spread(n) FROM generate_series(1, 6000) AS n ORDER BY hashint4(n)']) AS s;
REINDEX TABLE cold_o.x;
SELECT omendb_offload('cold_o.x_k', '4000') > 3 AS k, omendb_offload('cold_o.x_b', '0') > 3 AS b;
SELECT on_both(s) FROM unnest(ARRAY[
  'INSERT INTO x VALUES (2000, 1)',
  'INSERT INTO x VALUES (2000, 1) ON CONFLICT DO NOTHING RETURNING k',
  'UPDATE x SET k = k + 1 WHERE k = 700',
  'DELETE FROM x WHERE k = 701 RETURNING k',
  'UPDATE x SET k = k + 1 WHERE k = 700 RETURNING k']) AS s;
BEGIN;
INSERT INTO cold_o.x SELECT -k, b FROM cold_o.x WHERE k = 1234;
DELETE FROM cold_o.x WHERE k = 1234;
COMMIT;
BEGIN;
INSERT INTO cold_o.x SELECT -k, b FROM cold_o.x WHERE k = 1000;
COMMIT;
SELECT state_of('cold_o.x_k'), state_of('cold_o.x_b');

-- Since the last call: what was not changed, here all but the leaves of few keys.
CREATE TABLE since (k int8, v int4) WITH (autovacuum_enabled = off);
INSERT INTO since SELECT spread(n), n FROM generate_series(1, 6000) AS n;
CREATE INDEX since_k ON since USING omendb (k) WITH (fillfactor = 10);
SELECT omendb_offload('since_k') AS only_marks, state_of('since_k');
INSERT INTO since SELECT n, n FROM generate_series(1, 10) AS n;
SELECT omendb_offload('since_k', NULL) > 3 AS moved, state_of('since_k');
SELECT cold_leaves AS cold, leaf_pages AS hot FROM omendb_stat_index('since_k') \gset
SELECT :cold > :hot AS most, :hot BETWEEN 2 AND 8 AS those_that_changed;
-- What was changed has been left alone since; four leaves make a segment.
UPDATE since SET v = -1 WHERE k = spread(17);
INSERT INTO since SELECT spread(n), n FROM generate_series(6001, 6400) AS n;
SELECT omendb_offload('since_k') <= 4 AS few;
SELECT omendb_offload('since_k') > 3 AS moved, omendb_offload('since_k') AS none, state_of('since_k');
SELECT compare('SELECT k, v FROM since WHERE k > -9000000000000000000', '{index,bitmap,batched}');

-- Maintenance: others are built beside it, it is rebuilt with no leaf in a segment, and another compression counts from the next segment on.
CREATE INDEX CONCURRENTLY since_v ON since USING omendb (v);
CREATE INDEX since_kb ON since (k);
SELECT state_of('since_k'), state_of('since_v');
REINDEX INDEX since_k;
SELECT state_of('since_k');
SELECT omendb_offload('since_k', '-5000000000000000000') > 3 AS moved;
ALTER INDEX since_k SET (cold_compression = zstd);
SELECT omendb_offload('since_k', '0') > 3 AS moved, state_of('since_k');
ALTER INDEX since_k SET (cold_compression = none, fillfactor = 12);
SELECT omendb_offload('since_k', '5000000000000000000') > 3 AS moved, state_of('since_k');
SELECT segments > 1 AS several FROM omendb_stat_index('since_k');
ALTER INDEX since_k RESET (cold_compression);
ALTER INDEX since_k SET (cold_compression = brotli);
ALTER INDEX since_k SET (cold_compression);
SELECT reloptions FROM pg_class WHERE relname = 'since_k';
DROP INDEX since_kb;
SELECT compare('SELECT k FROM since WHERE k > -9000000000000000000', '{index,bitmap,batched}');
-- Segments that many calls have made are put together, and what is dead in them goes.
REINDEX INDEX since_k;
CREATE TABLE moved AS SELECT n, omendb_offload('since_k', (n * 1500000000000000000)::text) AS leaves FROM generate_series(-5, 6) AS n;
SELECT count(*) FILTER (WHERE leaves > 3) > segments AS put_together, sum(leaves) = max(cold_leaves) AS all_there, state_of('since_k')
FROM moved, omendb_stat_index('since_k') GROUP BY segments;
INSERT INTO since SELECT k + 1, v FROM since WHERE hashint4(v) % 60 = 0 AND k < 3000000000000000000;
SELECT cold_leaves AS cold, segment_pages AS pages FROM omendb_stat_index('since_k') \gset
SELECT omendb_offload('since_k', '3000000000000000000') > 3 AS moved, state_of('since_k');
SELECT cold_leaves > :cold AS more, segment_pages < 2 * :pages AS not_twice_as_large FROM omendb_stat_index('since_k');
REINDEX INDEX CONCURRENTLY since_k;
SELECT state_of('since_k'), omendb_offload('since_k', '5000000000000000000') > 3 AS moved;
SET enable_seqscan = off;
CLUSTER since USING since_k;
RESET enable_seqscan;
SELECT count(*) FROM (SELECT k, lag(k) OVER (ORDER BY ctid) AS before FROM since) AS x WHERE before > k;
SELECT state_of('since_k'), omendb_offload('since_k', '5000000000000000000') > 3 AS moved;
VACUUM FULL since;
SELECT state_of('since_k'), omendb_offload('since_k', '5000000000000000000') > 3 AS moved;
ALTER INDEX since_k RENAME TO since_key;
ALTER TABLE since ADD COLUMN w int DEFAULT 3, ALTER v TYPE int8;
SELECT state_of('since_key');
TRUNCATE since;
SELECT state_of('since_key'), omendb_offload('since_key', '0') AS nothing_to_move, omendb_recall('since_key') AS nothing_to_recall;
INSERT INTO since (k, v) SELECT spread(n), n FROM generate_series(1, 6000) AS n;
REINDEX INDEX since_key;
SELECT omendb_offload('since_key', '9223372036854775807') > 3 AS moved, state_of('since_key');

-- Back: all of them, and the segments are gone with it.
SELECT index, omendb_recall(index) > 3 AS recalled, omendb_recall(index) AS again, state_of(index) FROM unnest('{cold_k,cold_ts,cold_d,cold_n,cold_txt,cold_l,cold_b,cold_num,cold_u,cold_atk,since_key}'::regclass[]) AS index;
SELECT compare('SELECT k FROM cold_t WHERE k < 8000000000000000000'), compare('SELECT ts, k FROM cold_t WHERE ts > ''2024-01-02'''), compare('SELECT u FROM cold_t WHERE u > ''1f000000-0000-0000-8000-0000000000aa''');
-- To and fro the file does not grow.
SELECT omendb_offload('cold_u', 'c0000000-0000-0000-0000-000000000000') > 3 AS moved, omendb_recall('cold_u') > 3 AS recalled;
SELECT pg_relation_size('cold_u') AS size \gset
SELECT omendb_offload('cold_u', 'c0000000-0000-0000-0000-000000000000') > 3 AS moved, omendb_recall('cold_u') > 3 AS recalled FROM generate_series(1, 5);
SELECT pg_relation_size('cold_u') <= 1.1 * :size AS no_larger, state_of('cold_u');

-- Indexes on a part of the rows, on expressions, and of other kinds of tables.
CREATE INDEX cold_part ON cold_t USING omendb (k, a) WITH (fillfactor = 10) WHERE d > 100;
CREATE INDEX cold_expr ON cold_t USING omendb ((d::numeric / 10), lower(t)) WITH (cold_compression = zstd);
SELECT omendb_offload('cold_part', '0') > 3 AS part, omendb_offload('cold_expr', '400.05') > 3 AS expr, state_of('cold_part'), state_of('cold_expr');
SELECT compare('SELECT k, a FROM cold_t WHERE d > 100 AND k < 100 AND a = 3'), compare('SELECT id FROM cold_t WHERE d::numeric / 10 < 300 AND lower(t) > ''https://example.org/item''', '{index,bitmap,batched}');
CREATE UNLOGGED TABLE un (k int8) WITH (autovacuum_enabled = off);
INSERT INTO un SELECT spread(n) FROM generate_series(1, 5000) AS n;
CREATE INDEX un_k ON un USING omendb (k) WITH (fillfactor = 10);
SELECT omendb_offload('un_k');
SELECT omendb_offload('un_k', '0') > 3 AS moved, state_of('un_k');
INSERT INTO un SELECT spread(n) FROM generate_series(5001, 5400) AS n;
SELECT compare('SELECT k FROM un WHERE k < 1000', '{index,bitmap,batched}'), state_of('un_k');
ALTER TABLE un SET LOGGED;
SELECT state_of('un_k'), omendb_offload('un_k', '0') > 3 AS moved;
CREATE TEMPORARY TABLE temp (k int8);
INSERT INTO temp SELECT spread(n) FROM generate_series(1, 5000) AS n;
CREATE INDEX temp_k ON temp USING omendb (k) WITH (fillfactor = 10);
SELECT omendb_offload('temp_k', '0') > 3 AS moved, state_of('temp_k');
DELETE FROM temp WHERE k % 7 = 0;
SELECT compare('SELECT k FROM temp WHERE k < 1000', '{index,bitmap,batched}'), omendb_recall('temp_k') > 3 AS recalled, state_of('temp_k');
CREATE TABLE parted (k int8) PARTITION BY RANGE (k);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (0);
CREATE INDEX parted_k ON parted USING omendb (k) WITH (fillfactor = 10, cold_compression = snappy);
INSERT INTO parted SELECT -n * n FROM generate_series(1, 5000) AS n;
REINDEX TABLE parted;
SELECT omendb_offload('parted_0_k_idx', '-1000') > 3 AS moved, state_of('parted_0_k_idx');
SELECT compare('SELECT k FROM parted WHERE k < -100', '{index,bitmap}');
-- Leaves that would take no less room in a segment, too few of them, and none at all.
CREATE INDEX cold_full ON cold_t USING omendb (u) WITH (fillfactor = 100, cold_compression = none);
SELECT omendb_offload('cold_full', 'c0000000-0000-0000-0000-000000000000'), leaf_pages > 10 AS many, state_of('cold_full') FROM omendb_stat_index('cold_full');
DROP INDEX cold_full;
CREATE TABLE few (k int8);
INSERT INTO few SELECT n FROM generate_series(1, 100) AS n;
CREATE INDEX few_k ON few USING omendb (k);
CREATE TABLE empty (k int8);
CREATE INDEX empty_k ON empty USING omendb (k);
SELECT omendb_offload(i, '1000'), omendb_offload(i), omendb_offload(i), omendb_recall(i), state_of(i) FROM unnest('{few_k,empty_k}'::regclass[]) AS i;
SELECT omendb_offload(NULL), omendb_offload(NULL, '1'), omendb_recall(NULL);

-- What is refused.
SELECT omendb_offload('cold_k', 'yesterday');
SELECT omendb_offload('cold_k', '');
SELECT omendb_offload('cold_k', '9223372036854775808');
SELECT omendb_offload('cold_ts', 'before the flood');
SELECT omendb_offload('cold_u', '12');
SELECT omendb_offload('cold_b', '\x1');
SELECT omendb_offload('cold_k', '-9000000000000000000000');
SELECT omendb_offload('cold_t');
SELECT omendb_recall('cold_t');
SELECT omendb_offload('cold_id', '5');
SELECT omendb_recall('cold_id');
SELECT omendb_offload('parted_k', '5');
SELECT omendb_recall('parted_k');
SELECT omendb_offload('cold_rows');
SELECT omendb_offload(0::regclass);
CREATE INDEX cold_bad ON cold_t USING omendb (k) WITH (cold_compression = 'best');
CREATE INDEX cold_bad ON cold_t USING omendb (k) WITH (cold_compression = 5);
CREATE TABLE twice (k int4);
INSERT INTO twice VALUES (1), (1);
CREATE UNIQUE INDEX CONCURRENTLY twice_k ON twice USING omendb (k);
SELECT omendb_offload('twice_k', '5');
SELECT omendb_recall('twice_k');
CREATE ROLE regress_omendb_cold;
GRANT USAGE ON SCHEMA omendb_test TO regress_omendb_cold;
GRANT ALL ON cold_t TO regress_omendb_cold;
SET ROLE regress_omendb_cold;
SELECT omendb_offload('omendb_test.cold_k', '0');
SELECT omendb_recall('omendb_test.cold_k');
RESET ROLE;
ALTER TABLE few OWNER TO regress_omendb_cold;
SET ROLE regress_omendb_cold;
SELECT omendb_offload('omendb_test.few_k', '0'), omendb_recall('omendb_test.few_k');
RESET ROLE;
ALTER TABLE few OWNER TO CURRENT_USER;
REVOKE ALL ON SCHEMA omendb_test FROM regress_omendb_cold;
REVOKE ALL ON cold_t FROM regress_omendb_cold;
DROP ROLE regress_omendb_cold;
SELECT index, state_of(index) FROM unnest('{cold_k,cold_ts,cold_d,cold_n,cold_txt,cold_l,cold_b,cold_num,cold_u,cold_atk}'::regclass[]) AS index;
DROP INDEX cold_part;
DROP TABLE cold_t CASCADE;
SET client_min_messages = warning;
DROP SCHEMA cold_o, cold_b CASCADE;
