-- Rows that come and go: INSERT, UPDATE, DELETE, VACUUM, TRUNCATE, REINDEX, aborts; all kinds of tables.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

-- What to ask again and again: points, ranges, arrays, both directions, every
-- key by itself; and the index checks itself.
CREATE FUNCTION ask(tab text, idx text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  problems text;
  n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM %s', tab) INTO n;
  SELECT string_agg(q || ': ' || a, '; ') INTO problems FROM (
    SELECT q, compare(format(q, tab)) AS a
    FROM unnest('{SELECT k FROM %s WHERE k = 5,SELECT k FROM %s WHERE k >= 100 AND k < 900,SELECT k FROM %s WHERE k > 2500,'
                'SELECT k FROM %s WHERE k <= 0,SELECT k FROM %s WHERE k IS NULL,SELECT k FROM %s WHERE k IS NOT NULL,'
                'SELECT k FROM %s WHERE k = ANY (''\{7\,3\,NULL\,3\,2000\,4001\}'')}'::text[]) AS q
    UNION ALL
    SELECT q, compare(format(q, tab), '{index,only,batched,batched_only}', true)
    FROM unnest('{SELECT k FROM %s ORDER BY k,SELECT k FROM %s ORDER BY k DESC,SELECT k FROM %s WHERE k < 500 ORDER BY k DESC LIMIT 50}'::text[]) AS q
    UNION ALL
    SELECT q, compare(format(q, tab), '{index,only,batched,batched_only}') FROM unnest('{SELECT min(k)\, max(k) FROM %s}'::text[]) AS q
    UNION ALL
    SELECT q, compare(format(q, tab), '{index,bitmap,batched}') FROM unnest('{SELECT k\, v FROM %s WHERE k BETWEEN 50 AND 150}'::text[]) AS q) AS x
  WHERE a NOT LIKE 'same%';
  PERFORM omendb_check(coalesce(idx, tab || '_k')::regclass, true);
  RETURN coalesce(problems, format('same, %s rows', n));
END $$;

CREATE TABLE dml (id int PRIMARY KEY, k int4, v text) WITH (autovacuum_enabled = off);
CREATE INDEX dml_k ON dml USING omendb (k);
SELECT ask('dml');
INSERT INTO dml SELECT n, n * 7919 % 3001, 'row ' || n FROM generate_series(1, 3000) AS n;
SELECT ask('dml');

-- New keys, the same keys, other columns only (a HOT update leaves the index alone).
UPDATE dml SET k = k + 1 WHERE id % 3 = 0;
UPDATE dml SET k = k WHERE id % 3 = 1;
UPDATE dml SET v = v || '!' WHERE id % 10 = 0;
UPDATE dml SET k = NULL WHERE id % 50 = 0;
UPDATE dml SET k = -k WHERE id % 70 = 0;
SELECT ask('dml');
DELETE FROM dml WHERE k BETWEEN 500 AND 700 OR id % 8 = 0;
SELECT ask('dml');
VACUUM dml;
SELECT ask('dml');
-- The freed TIDs come back with other keys.
INSERT INTO dml SELECT n, n % 1000, 'new ' || n FROM generate_series(3001, 3800) AS n;
SELECT ask('dml');
MERGE INTO dml USING (SELECT generate_series(3700, 3900) AS n) AS s ON id = n
  WHEN MATCHED AND n % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET k = k + 2000 WHEN NOT MATCHED THEN INSERT VALUES (n, n, 'merged');
INSERT INTO dml SELECT n, -n, 'conflict' FROM generate_series(3850, 4000) AS n ON CONFLICT (id) DO UPDATE SET k = excluded.k;
INSERT INTO dml SELECT n, 5, 'conflict' FROM generate_series(3950, 4050) AS n ON CONFLICT DO NOTHING;
SELECT ask('dml');
COPY dml FROM stdin;
5001	5	five
5002	\N	none
5003	2147483647	largest
5004	-2147483648	smallest
\.
SELECT ask('dml');

-- One's own rows are seen at once; those that were rolled back are not.
BEGIN;
INSERT INTO dml VALUES (6001, 424242, 'a');
SELECT force_scan('index');
SELECT id FROM dml WHERE k = 424242;
SAVEPOINT s1;
INSERT INTO dml VALUES (6002, 424242, 'b');
UPDATE dml SET k = 424243 WHERE id = 6001;
SELECT id, k FROM dml WHERE k >= 424242 AND k < 424244 ORDER BY k, id;
ROLLBACK TO s1;
SELECT id, k FROM dml WHERE k >= 424242 AND k < 424244 ORDER BY k, id;
DELETE FROM dml WHERE k = 424242;
SELECT id FROM dml WHERE k = 424242;
ROLLBACK;
SELECT ask('dml');
BEGIN;
INSERT INTO dml SELECT n, n % 4000, 'never' FROM generate_series(10001, 12000) AS n;
ROLLBACK;
SELECT ask('dml');
VACUUM dml;
INSERT INTO dml SELECT n, 4001, 'here' FROM generate_series(10001, 12000) AS n;
SELECT ask('dml');
-- A scan does not meet the rows that its own statement writes.
UPDATE dml SET k = k + 10 WHERE k BETWEEN 4000 AND 4100;
INSERT INTO dml SELECT id + 10000, k, v FROM dml WHERE k = 4011;
SELECT count(*) FROM dml WHERE k = 4011;
-- A cursor keeps its snapshot.
BEGIN;
SELECT force_scan('only');
DECLARE c CURSOR FOR SELECT k FROM dml WHERE k BETWEEN 20 AND 24 ORDER BY k;
FETCH 2 FROM c;
DELETE FROM dml WHERE k BETWEEN 15 AND 30;
INSERT INTO dml SELECT n, 22, 'late' FROM generate_series(30001, 30500) AS n;
FETCH ALL FROM c;
COMMIT;
SELECT ask('dml');

-- Empty it, by DELETE and by TRUNCATE, and begin again.
DELETE FROM dml;
SELECT ask('dml');
VACUUM dml;
SELECT ask('dml');
INSERT INTO dml SELECT n, 4000 - n, 'again' FROM generate_series(1, 3000) AS n;
SELECT ask('dml');
TRUNCATE dml;
SELECT ask('dml');
INSERT INTO dml SELECT n, n, 'truncated' FROM generate_series(1, 2000) AS n;
BEGIN;
TRUNCATE dml;
INSERT INTO dml SELECT n, n, 'lost' FROM generate_series(1, 50) AS n;
SELECT ask('dml');
ROLLBACK;
SELECT ask('dml');
BEGIN;
INSERT INTO dml VALUES (2001, 2001, 'before');
TRUNCATE dml;
INSERT INTO dml SELECT n, n, 'after' FROM generate_series(1, 500) AS n;
COMMIT;
SELECT ask('dml');

-- Rebuilt, also where the transaction has written before and writes after.
REINDEX INDEX dml_k;
SELECT ask('dml');
BEGIN;
INSERT INTO dml SELECT n, n % 300, 'before' FROM generate_series(501, 1000) AS n;
REINDEX INDEX dml_k;
INSERT INTO dml SELECT n, n % 300, 'after' FROM generate_series(1001, 1500) AS n;
COMMIT;
SELECT ask('dml');
REINDEX TABLE CONCURRENTLY dml;
SELECT ask('dml');
CREATE INDEX CONCURRENTLY dml_k2 ON dml USING omendb (k);
DROP INDEX dml_k;
SELECT ask('dml', 'dml_k2');
REINDEX INDEX CONCURRENTLY dml_k2;
DROP INDEX CONCURRENTLY dml_k2;
CREATE INDEX dml_k ON dml USING omendb (k);
VACUUM FULL dml;
SELECT ask('dml');
ALTER TABLE dml ALTER k TYPE int8;
SELECT ask('dml');
ALTER TABLE dml ADD extra int8 DEFAULT 7, DROP v;
ALTER TABLE dml ADD v text DEFAULT 'v';
ALTER TABLE dml RENAME k TO kk;
ALTER TABLE dml RENAME kk TO k;
SELECT ask('dml');
ALTER INDEX dml_k RENAME TO dml_kk;
SELECT ask('dml', 'dml_kk');
CREATE INDEX dml_extra ON dml USING omendb (extra, k);
SELECT compare('SELECT extra, k FROM dml WHERE extra = 7 AND k < 100');
-- Built in a transaction that has written rows, and has dead ones.
BEGIN;
CREATE TABLE dml_new (k int4, v text);
INSERT INTO dml_new SELECT n, 'n' FROM generate_series(1, 3000) AS n;
DELETE FROM dml_new WHERE k % 4 = 0;
UPDATE dml_new SET k = k + 1 WHERE k % 4 = 1;
CREATE INDEX dml_new_k ON dml_new USING omendb (k);
INSERT INTO dml_new SELECT n, 'm' FROM generate_series(1, 100) AS n;
SELECT ask('dml_new');
COMMIT;
SELECT ask('dml_new');

-- A queue: rows enter at one end and leave at the other.  Its index must not
-- grow for ever: the pages that vacuum empties are used again.
CREATE TABLE queue (k int8, v text) WITH (autovacuum_enabled = off);
CREATE INDEX queue_k ON queue USING omendb (k);
CREATE PROCEDURE run_queue() LANGUAGE plpgsql AS $$
DECLARE
  last int8 := coalesce((SELECT max(k) FROM queue), 0);
BEGIN
  INSERT INTO queue SELECT last + n, 'job' FROM generate_series(1, 5000) AS n;
  DELETE FROM queue WHERE k <= last;
END $$;
\set ECHO none
SELECT unnest('{CALL run_queue(),VACUUM queue}'::text[]) FROM generate_series(1, 4) \gexec
\set ECHO all
SELECT ask('queue');
SELECT pg_relation_size('queue_k') AS size_before \gset
\set ECHO none
SELECT unnest('{CALL run_queue(),VACUUM queue}'::text[]) FROM generate_series(1, 16) \gexec
\set ECHO all
SELECT ask('queue'), pg_relation_size('queue_k') <= 2 * :size_before AS steady;

-- Unlogged, temporary, partitioned tables.
CREATE UNLOGGED TABLE unlogged (k int4, v text);
CREATE INDEX unlogged_k ON unlogged USING omendb (k);
INSERT INTO unlogged SELECT n * 7919 % 3001, 'u' FROM generate_series(1, 2000) AS n;
SELECT ask('unlogged');
ALTER TABLE unlogged SET LOGGED;
SELECT ask('unlogged');
ALTER TABLE unlogged SET UNLOGGED;
TRUNCATE unlogged;
INSERT INTO unlogged SELECT n, 'u' FROM generate_series(1, 100) AS n;
SELECT ask('unlogged');
SELECT pg_relation_size('unlogged_k', 'init') > 0 AS init_fork;

CREATE TEMP TABLE temporary (k int4, v text) ON COMMIT DELETE ROWS;
CREATE INDEX temporary_k ON temporary USING omendb (k);
BEGIN;
INSERT INTO temporary SELECT n * 7919 % 3001, 't' FROM generate_series(1, 2000) AS n;
SELECT ask('temporary');
COMMIT;
SELECT ask('temporary');
BEGIN;
INSERT INTO temporary SELECT n, 't' FROM generate_series(1, 20) AS n;
SELECT ask('temporary');
ROLLBACK;
CREATE TEMP TABLE temporary_kept (k int4, v text);
INSERT INTO temporary_kept SELECT n * 7919 % 3001, 't' FROM generate_series(1, 2000) AS n;
CREATE INDEX temporary_kept_k ON temporary_kept USING omendb (k);
UPDATE temporary_kept SET k = k + 1;
SELECT ask('temporary_kept');

CREATE TABLE parted (k int4, v text) PARTITION BY RANGE (k);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (1000);
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (1000) TO (MAXVALUE);
CREATE INDEX parted_key ON parted USING omendb (k);
CREATE TABLE parted_null PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT nullif(n * 7919 % 3001, 77), 'p' FROM generate_series(1, 3000) AS n;
UPDATE parted SET k = 3000 - k;
SELECT compare('SELECT k FROM parted WHERE k BETWEEN 900 AND 1100'), compare('SELECT k FROM parted WHERE k IS NULL'),
       compare('SELECT k FROM parted_low WHERE k < 50'), compare('SELECT k FROM parted WHERE k < 2000 ORDER BY k DESC', '{index,only,batched,batched_only}', true);
SELECT omendb_check('parted_low_k_idx'::regclass, true), omendb_check('parted_high_k_idx'::regclass, true), omendb_check('parted_null_k_idx'::regclass, true);

-- Partial and expression indexes; a copy of a table with its indexes.
CREATE TABLE part_t (k int4, v text);
INSERT INTO part_t SELECT n, CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END FROM generate_series(1, 1000) AS n;
CREATE INDEX part_even ON part_t USING omendb (k) WHERE v = 'even';
CREATE INDEX part_expr ON part_t USING omendb ((k % 100), (k / 2.0::float8) DESC);
UPDATE part_t SET v = 'even' WHERE k % 5 = 0;
DELETE FROM part_t WHERE k % 7 = 0;
INSERT INTO part_t SELECT k + 1000, v FROM part_t;
VACUUM ANALYZE part_t;
SELECT show_plan('SELECT * FROM part_t WHERE k % 100 = 7 AND k / 2.0::float8 > 3', 'index');
SELECT compare('SELECT * FROM part_t WHERE k < 100 AND v = ''even''', '{index,bitmap,batched}'), compare('SELECT * FROM part_t WHERE k % 100 = 8', '{index,bitmap,batched}'),
       compare('SELECT * FROM part_t WHERE k % 100 IN (8, 9, 15) AND k / 2.0::float8 BETWEEN 100 AND 400', '{index,bitmap,batched}'),
       compare('SELECT k % 100, k / 2.0::float8 FROM part_t ORDER BY k % 100, k / 2.0::float8 DESC', '{index,batched}', true);
SELECT omendb_check('part_even'::regclass, true), omendb_check('part_expr'::regclass, true);
CREATE TABLE part_copy (LIKE part_t INCLUDING INDEXES);
SELECT indexdef FROM pg_indexes WHERE tablename = 'part_copy' ORDER BY 1;

-- An exclusion constraint is uniqueness by other means.
CREATE TABLE excl (k int8, v int4, EXCLUDE USING omendb (k WITH =) WHERE (v > 0));
INSERT INTO excl SELECT n, 1 FROM generate_series(1, 500) AS n;
INSERT INTO excl VALUES (77, 1);
INSERT INTO excl VALUES (77, 0), (77, 0), (NULL, 1), (NULL, 1);
INSERT INTO excl VALUES (501, 1), (501, 1);
INSERT INTO excl VALUES (77, 5), (502, 5) ON CONFLICT DO NOTHING;
UPDATE excl SET k = k + 1000 WHERE k <= 500;
UPDATE excl SET k = 1001 WHERE k = 1002;
SELECT count(*), count(DISTINCT k) FROM excl WHERE v > 0;
SELECT omendb_check('excl_k_excl'::regclass, true);

-- A foreign key looks into the index of the referencing side.
CREATE TABLE fk_parent (id int8 PRIMARY KEY);
CREATE TABLE fk_child (parent int8 REFERENCES fk_parent ON DELETE CASCADE, n int);
CREATE INDEX fk_child_parent ON fk_child USING omendb (parent);
INSERT INTO fk_parent SELECT n FROM generate_series(1, 200) AS n;
INSERT INTO fk_child SELECT n % 200 + 1, n FROM generate_series(1, 2000) AS n;
DELETE FROM fk_parent WHERE id % 3 = 0;
SELECT count(*), count(DISTINCT parent) FROM fk_child;
SELECT omendb_check('fk_child_parent'::regclass, true);
SELECT ask('dml', 'dml_kk');
-- CLUSTER puts the rows in the index's order.
CREATE TABLE clu (k int8, v int);
INSERT INTO clu SELECT n * 7919 % 1009, n FROM generate_series(1, 3000) AS n;
CREATE INDEX clu_k ON clu USING omendb (k DESC);
CLUSTER clu USING clu_k;
SELECT count(*) FROM (SELECT k, lag(k) OVER (ORDER BY ctid) AS before FROM clu) AS pairs WHERE k > before;
SELECT omendb_check('clu_k', true);
