-- Rebuilt and rewritten: fill factor, REINDEX, CLUSTER; what is reported meanwhile.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE reb_t (k int8, v int4) WITH (autovacuum_enabled = off);
INSERT INTO reb_t SELECT spread(n), n FROM generate_series(1, 6000) AS n;
CREATE INDEX reb_k ON reb_t USING omendb (k);
CREATE INDEX reb_v ON reb_t USING omendb (v DESC) INCLUDE (k);
CREATE INDEX reb_kb ON reb_t (k);
CREATE FUNCTION ask_reb() RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws('; ', compare('SELECT k, v FROM reb_t WHERE v BETWEEN 100 AND 700'), compare('SELECT k FROM reb_t WHERE k > 0', '{index,bitmap,batched}'),
    compare('SELECT v FROM reb_t ORDER BY v', '{index,only,batched,batched_only}', true), nullif(omendb_check('reb_v'::regclass, true)::text || omendb_check('reb_k'::regclass, true)::text, ''))
$$;
SELECT ask_reb();

-- The fill factor counts from the next build on, also for a build at the side.
SELECT pg_relation_size('reb_k') AS full_size, pg_relation_filenode('reb_k') AS file \gset
ALTER INDEX reb_k SET (fillfactor = 20);
SELECT pg_relation_size('reb_k') = :full_size AS as_it_was, pg_relation_filenode('reb_k') = :file AS same_file;
REINDEX INDEX reb_k;
SELECT pg_relation_size('reb_k') > 2.5 * :full_size AS larger, pg_relation_filenode('reb_k') <> :file AS other_file;
ALTER INDEX reb_k SET (fillfactor = 50);
REINDEX INDEX CONCURRENTLY reb_k;
SELECT pg_relation_size('reb_k') BETWEEN 1.4 * :full_size AND 2.5 * :full_size AS between, reloptions FROM pg_class WHERE relname = 'reb_k';
ALTER INDEX reb_k RESET (fillfactor);
REINDEX TABLE CONCURRENTLY reb_t;
SELECT pg_relation_size('reb_k') = :full_size AS as_before, reloptions FROM pg_class WHERE relname = 'reb_k';
ALTER TABLE reb_t SET (fillfactor = 30);
SELECT ask_reb();
-- A split at the right end leaves pages as full as the fill factor says.
CREATE TABLE reb_end (k int8);
CREATE INDEX reb_end_50 ON reb_end USING omendb (k) WITH (fillfactor = 50);
CREATE INDEX reb_end_100 ON reb_end USING omendb (k) WITH (fillfactor = 100);
INSERT INTO reb_end SELECT n::int8 * n * 977 FROM generate_series(1, 6000) AS n;
SELECT pg_relation_size('reb_end_50') > 1.4 * pg_relation_size('reb_end_100') AS larger;

-- All ways to rebuild.
DELETE FROM reb_t WHERE v % 3 = 0;
REINDEX (VERBOSE false) INDEX reb_k;
REINDEX TABLE reb_t;
SELECT ask_reb();
REINDEX SCHEMA omendb_test;
REINDEX (CONCURRENTLY, TABLESPACE pg_default) INDEX reb_v;
BEGIN;
UPDATE reb_t SET k = k + 1 WHERE v % 5 = 0;
REINDEX TABLE reb_t;
SAVEPOINT s;
DELETE FROM reb_t WHERE v % 5 = 1;
REINDEX INDEX reb_v;
SELECT ask_reb();
ROLLBACK TO s;
SELECT ask_reb();
COMMIT;
SELECT ask_reb();
CREATE TABLE reb_parted (k int4) PARTITION BY HASH (k);
CREATE TABLE reb_parted_0 PARTITION OF reb_parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE reb_parted_1 PARTITION OF reb_parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO reb_parted SELECT n FROM generate_series(1, 1000) AS n;
CREATE INDEX reb_parted_k ON reb_parted USING omendb (k) WITH (fillfactor = 60);
REINDEX INDEX reb_parted_k;
REINDEX TABLE CONCURRENTLY reb_parted;
SELECT relname, relkind, reloptions FROM pg_class WHERE relname LIKE 'reb\_parted%k%' ORDER BY 1;
SELECT compare('SELECT k FROM reb_parted WHERE k < 100'), omendb_check('reb_parted_0_k_idx'::regclass, true), omendb_check('reb_parted_1_k_idx'::regclass, true);

-- CLUSTER: the rows lie in the index's order; once more without naming it.
CREATE FUNCTION in_order(tab regclass, condition text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM (SELECT k, v, lag(k) OVER (ORDER BY ctid) AS k0, lag(v) OVER (ORDER BY ctid) AS v0 FROM %s) AS x WHERE %s', tab, condition) INTO n;
  RETURN n;
END $$;
SET enable_seqscan = off;
CLUSTER reb_t USING reb_v;
SELECT in_order('reb_t', 'v > v0') AS out_of_order;
INSERT INTO reb_t SELECT spread(n), n % 6000 FROM generate_series(1, 3000) AS n ORDER BY hashint4(n);
SELECT in_order('reb_t', 'v > v0') > 0 AS out_of_order;
CLUSTER reb_t;
SELECT in_order('reb_t', 'v > v0') AS out_of_order, ask_reb();
SELECT c.relname, i.indisclustered FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'reb_t'::regclass ORDER BY 1;
ALTER TABLE reb_t CLUSTER ON reb_k;
CLUSTER reb_t;
SELECT in_order('reb_t', 'k < k0') AS out_of_order, ask_reb();
SET enable_indexscan = off;
INSERT INTO reb_t VALUES (NULL, 1), (NULL, 2);
CLUSTER reb_t USING reb_v;
SELECT in_order('reb_t', 'v > v0') AS out_of_order, ask_reb();
RESET enable_seqscan;
RESET enable_indexscan;
ALTER TABLE reb_t SET WITHOUT CLUSTER;
CLUSTER reb_t;
VACUUM FULL reb_t;
SELECT ask_reb();
CREATE INDEX reb_part ON reb_t USING omendb (k) WHERE v > 0;
CLUSTER reb_t USING reb_part;

-- The phases of a build have names.
SELECT coalesce(pg_indexam_progress_phasename(a.oid, n), '-') AS phase FROM pg_am a, generate_series(0, 6) AS n WHERE amname = 'omendb' ORDER BY n;
-- One's own progress can be seen by an expression of the index.
CREATE FUNCTION reported(v int8) RETURNS int8 LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF v = 1 THEN
    RAISE NOTICE '%', (SELECT format('%s, %s, %s', command, phase, relid::regclass) FROM pg_stat_progress_create_index WHERE pid = pg_backend_pid());
  END IF;
  RETURN v;
END $$;
CREATE TABLE reb_report (v int8);
INSERT INTO reb_report SELECT n FROM generate_series(1, 100) AS n;
CREATE INDEX reb_reported ON reb_report USING omendb (reported(v));
SELECT count(*) FROM pg_stat_progress_create_index;
