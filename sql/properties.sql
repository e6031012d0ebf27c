-- What the catalog, the statistics and other tools say of an index, against a B-tree over the same columns.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE prop_t (k int8, a int4, v int4) WITH (autovacuum_enabled = off);
INSERT INTO prop_t SELECT spread(n), nullif(n % 100, 99), n FROM generate_series(1, 5000) AS n;
CREATE INDEX prop_omendb ON prop_t USING omendb (a DESC, k NULLS FIRST) INCLUDE (v);
CREATE INDEX prop_btree ON prop_t USING btree (a DESC, k NULLS FIRST) INCLUDE (v);
VACUUM ANALYZE prop_t;

-- Properties that differ.
SELECT p, pg_indexam_has_property(o.oid, p) AS omendb, pg_indexam_has_property(b.oid, p) AS btree
FROM pg_am o, pg_am b, unnest('{can_order,can_unique,can_multi_col,can_exclude,can_include}'::text[]) AS p
WHERE o.amname = 'omendb' AND b.amname = 'btree' AND pg_indexam_has_property(o.oid, p) IS DISTINCT FROM pg_indexam_has_property(b.oid, p);
SELECT p, pg_index_has_property('prop_omendb', p) AS omendb, pg_index_has_property('prop_btree', p) AS btree
FROM unnest('{clusterable,index_scan,bitmap_scan,backward_scan}'::text[]) AS p
WHERE pg_index_has_property('prop_omendb', p) IS DISTINCT FROM pg_index_has_property('prop_btree', p);
SELECT n AS column, p, pg_index_column_has_property('prop_omendb', n, p) AS omendb, pg_index_column_has_property('prop_btree', n, p) AS btree
FROM unnest('{asc,desc,nulls_first,nulls_last,orderable,distance_orderable,returnable,search_array,search_nulls}'::text[]) AS p, generate_series(1, 4) AS n
WHERE pg_index_column_has_property('prop_omendb', n, p) IS DISTINCT FROM pg_index_column_has_property('prop_btree', n, p);
SELECT pg_index_column_has_property('prop_omendb', 1, 'desc') AS desc, pg_index_column_has_property('prop_omendb', 2, 'nulls_first') AS nulls_first,
       pg_index_column_has_property('prop_omendb', 3, 'returnable') AS included_returnable, pg_index_column_has_property('prop_omendb', 3, 'orderable') AS included_orderable;
SELECT attname, atttypid::regtype, attstattarget FROM pg_attribute WHERE attrelid = 'prop_omendb'::regclass ORDER BY attnum;
SELECT indnatts, indnkeyatts, indisunique, indisvalid, indisready, indoption FROM pg_index WHERE indexrelid = 'prop_omendb'::regclass;

-- Statistics: the same queries count the same scans, entries and rows. The B-tree counts a scan for each element of
-- an array, this index one for all.
CREATE TABLE counted (query text, way text, index text, scans int8, entries int8, rows int8);
CREATE FUNCTION count_scan(query text, way text, method text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  index regclass;
  before int8[];
BEGIN
  PERFORM force_scan(way);
  EXECUTE format('CREATE INDEX prop_counted ON prop_t USING %s (a DESC, k NULLS FIRST) INCLUDE (v)', method);
  index := 'prop_counted';
  EXECUTE format('SELECT count(*) FROM (%s OFFSET 0) AS r', query);
  INSERT INTO counted SELECT query, way, method, pg_stat_get_xact_numscans(index), pg_stat_get_xact_tuples_returned(index), pg_stat_get_xact_tuples_fetched(index);
  DROP INDEX prop_counted;
END $$;
CREATE TABLE kept AS SELECT pg_get_indexdef(i) AS def FROM unnest('{prop_omendb,prop_btree}'::regclass[]) AS i;
DROP INDEX prop_omendb, prop_btree;
SELECT count(count_scan(query, way, method))
FROM unnest('{"SELECT * FROM prop_t WHERE a = 5","SELECT a, k FROM prop_t WHERE a > 90 ORDER BY a DESC","SELECT a FROM prop_t WHERE a BETWEEN 7 AND 9 AND k > 0","SELECT a, v FROM prop_t WHERE a = ANY (''{1,2,2,NULL,150}'')",
  "SELECT a FROM prop_t WHERE a IS NULL","SELECT * FROM prop_t WHERE a = 1000","SELECT a, k FROM prop_t ORDER BY a, k DESC NULLS LAST","SELECT a FROM prop_t WHERE a = 5 AND a > 6",
  "SELECT x.n, a FROM generate_series(1, 5) AS x(n), LATERAL (SELECT a FROM prop_t WHERE a = x.n ORDER BY a DESC) AS y"}'::text[]) AS query, unnest('{index,only,bitmap,batched,batched_only}'::text[]) AS way, unnest('{omendb,btree}'::text[]) AS method
WHERE way <> 'bitmap' OR query !~ 'ORDER';
SELECT o.query, o.way, o.scans, o.entries, o.rows, b.scans AS btree_scans, b.entries AS btree_entries, b.rows AS btree_rows
FROM counted o JOIN counted b USING (query, way)
WHERE o.index = 'omendb' AND b.index = 'btree' AND (o.scans, o.entries, o.rows) IS DISTINCT FROM (b.scans, b.entries, b.rows)
ORDER BY 1, 2;
SELECT count(*) AS compared, sum(scans) AS scans, sum(entries) AS entries, sum(rows) AS rows FROM counted WHERE index = 'omendb';
SELECT def FROM kept WHERE def ~ 'USING omendb' \gexec
-- What has been flushed to the shared statistics.
SELECT pg_stat_force_next_flush();
SELECT idx_scan, idx_tup_read, idx_tup_fetch FROM pg_stat_user_indexes WHERE indexrelname = 'prop_omendb';
BEGIN;
SELECT force_scan('index');
SELECT count(v) FROM prop_t WHERE a = 5;
SELECT force_scan('bitmap');
SELECT count(v) FROM prop_t WHERE a = 6;
COMMIT;
SELECT pg_stat_force_next_flush();
SELECT idx_scan, idx_tup_read, idx_tup_fetch FROM pg_stat_user_indexes WHERE indexrelname = 'prop_omendb';
SELECT idx_blks_read + idx_blks_hit > 0 AS blocks FROM pg_statio_user_indexes WHERE indexrelname = 'prop_omendb';
SELECT pg_relation_size('prop_omendb') % 8192 AS rest, pg_relation_size('prop_omendb') < pg_table_size('prop_t') AS smaller, relpages > 0 AS pages, reltuples
FROM pg_class WHERE relname = 'prop_omendb';

-- Pages have PostgreSQL's layout: header, hole, special space.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pageinspect;
RESET client_min_messages;
SELECT count(*) > 5 AS pages, bool_and(lower BETWEEN 24 AND upper) AS lower, bool_and(upper <= special) AS upper, min(special) AS special, min(pagesize) AS pagesize, min(version) AS version,
       bool_and(lsn > '0/0') AS lsn, min(prune_xid::text) AS prune_xid
FROM generate_series(0, pg_relation_size('prop_omendb') / 8192 - 1) AS b, page_header(get_raw_page('prop_omendb', b::int));
DROP EXTENSION pageinspect;

-- DROP EXTENSION is refused as long as there are indexes. What CASCADE takes is only they.
BEGIN;
DROP EXTENSION omendb;
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE INDEX prop_btree ON prop_t (k);
DROP EXTENSION omendb CASCADE;
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'prop_t'::regclass;
SELECT count(*) FROM prop_t;
INSERT INTO prop_t VALUES (1, 1, 1);
CREATE INDEX prop_gone ON prop_t USING omendb (k);
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION omendb CASCADE;
CREATE EXTENSION omendb;
CREATE INDEX prop_again ON prop_t USING omendb (k) INCLUDE (a);
SELECT compare('SELECT k, a FROM prop_t WHERE k > 0'), omendb_check('prop_again', true);
ROLLBACK;
SELECT compare('SELECT a, k, v FROM prop_t WHERE a > 50'), omendb_check('prop_omendb', true);
-- The types' operators belong to PostgreSQL; the access method is the extension's.
SELECT c.relname, pg_describe_object(d.refclassid, d.refobjid, 0) AS depends_on
FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass
WHERE c.relname = 'prop_omendb' AND d.refclassid <> 'pg_class'::regclass ORDER BY 2;
DROP ACCESS METHOD omendb;
ALTER EXTENSION omendb UPDATE;
