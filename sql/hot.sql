-- The hot index: how lookups begin at the page that it names. It changes no answer; what can be seen of it is the
-- parameter model, the settings, omendb_stat_index and the views. All of this is the same whether or not omendb is in
-- shared_preload_libraries.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

-- ---- Settings ----

LOAD 'omendb';
SHOW omendb.hot_index_size;
SHOW omendb.enable_hot_index;
SELECT name, vartype, unit, min_val, boot_val FROM pg_settings
WHERE name IN ('omendb.hot_index_size', 'omendb.enable_hot_index') ORDER BY name;
SET omendb.enable_hot_index = maybe;

-- ---- The parameter ----

CREATE TABLE hot_t (k int8, a int4, b int4);
INSERT INTO hot_t SELECT spread(n), n / 300, spread(n) >> 33 FROM generate_series(1, 60000) AS n;

CREATE INDEX hot_bad ON hot_t USING omendb (k) WITH (model = 'btree');
CREATE INDEX hot_bad ON hot_t USING omendb (k) WITH (model = '');
CREATE INDEX hot_bad ON hot_t USING omendb (k) WITH (model);
CREATE INDEX hot_bad ON hot_t USING omendb (k) WITH (model = 1);
CREATE INDEX hot_bad ON hot_t USING btree (k) WITH (model = 'pgm');
CREATE INDEX hot_k ON hot_t USING omendb (k) WITH (model = PGM, fillfactor = 70);
SELECT pg_get_indexdef('hot_k'::regclass);
ALTER INDEX hot_k SET (model = 'rmi');
SELECT pg_get_indexdef('hot_k'::regclass);
ALTER INDEX hot_k SET (model = 'tree');
ALTER INDEX hot_k RESET (model);
SELECT pg_get_indexdef('hot_k'::regclass);

-- ---- Statistics ----

-- Looks up so many values; the planner has one index to do it with.
CREATE FUNCTION look_up(query text, n int4) RETURNS int8 LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  rows int8;
BEGIN
  EXECUTE format('SELECT count((%s)) FROM generate_series(1, %s) AS n', query, n) INTO rows;
  RETURN rows;
END $$;

-- Nobody has asked yet.
SELECT levels, pages = pg_relation_size('hot_k') / current_setting('block_size')::int8 AS pages,
  pages = leaf_pages + inner_pages + deleted_pages + 1 AS all_pages, deleted_pages,
  entries, round(bytes_per_entry * entries) = pg_relation_size('hot_k') AS bytes, fill BETWEEN 60 AND 75 AS fill
FROM omendb_stat_index('hot_k');
SELECT hot_model, hot_level, hot_fences, hot_segments, hot_epsilon, hot_bytes, lookups, hint_hits, moves_right, restarts,
  rebuilds
FROM omendb_stat_index('hot_k');

SELECT look_up('SELECT k FROM hot_t WHERE k = spread(n * 37 % 60000 + 1) LIMIT 1', 5000);
SELECT hot_model IN ('linear', 'rmi', 'pgm', 'splus') AS model, hot_level, hot_fences = leaf_pages AS fences,
  hot_segments > 0 AS segments, hot_epsilon >= 0 AS epsilon, hot_bytes > 24 * hot_fences AS bytes,
  lookups BETWEEN 4500 AND 5000 AS lookups, hint_hits > 4500 AS hits, moves_right, restarts, rebuilds
FROM omendb_stat_index('hot_k');

-- Each model, and its name.
DO $$
DECLARE
  model text;
BEGIN
  FOREACH model IN ARRAY '{auto,linear,rmi,pgm,splus}'::text[] LOOP
    EXECUTE format('CREATE TABLE hot_%s AS SELECT k FROM hot_t', model);
    EXECUTE format('CREATE INDEX hot_%1$s_k ON hot_%1$s USING omendb (k) WITH (model = %1$s, fillfactor = 10)', model);
  END LOOP;
END $$;
SELECT model, look_up(format('SELECT k FROM hot_%s WHERE k = spread(n * 37 %% 60000 + 1) LIMIT 1', model), 2000)
FROM unnest('{auto,linear,rmi,pgm,splus}'::text[]) AS model;
SELECT model, hot_model = model AS as_wished, hot_level, hot_fences = leaf_pages AS fences, hint_hits > 1800 AS hits,
  restarts
FROM unnest('{auto,linear,rmi,pgm,splus}'::text[]) AS model,
  LATERAL omendb_stat_index(format('hot_%s_k', model)::regclass) AS s
WHERE model <> 'auto';
-- Another one takes effect when the table is built again.
ALTER INDEX hot_pgm_k SET (model = 'linear');
REINDEX INDEX hot_pgm_k;
SELECT hot_model, lookups FROM omendb_stat_index('hot_pgm_k');
SELECT look_up('SELECT k FROM hot_pgm WHERE k = spread(n * 37 % 60000 + 1) LIMIT 1', 2000);
SELECT hot_model, hint_hits > 1800 AS hits FROM omendb_stat_index('hot_pgm_k');

-- Who asks for the first of two columns finds the page, too, wherever a page begins within a value.
CREATE TABLE hot_pair AS SELECT a, b FROM hot_t;
CREATE INDEX hot_pair_ab ON hot_pair USING omendb (a, b);
SELECT look_up('SELECT b FROM hot_pair WHERE a = n * 37 % 200 ORDER BY a, b LIMIT 1', 2000),
  look_up('SELECT b FROM hot_pair WHERE a = n * 37 % 200 ORDER BY a DESC, b DESC LIMIT 1', 2000),
  look_up('SELECT b FROM hot_pair WHERE a < n * 37 % 200 ORDER BY a DESC, b DESC LIMIT 1', 2000),
  look_up('SELECT b FROM hot_pair WHERE a > n * 37 % 200 ORDER BY a, b LIMIT 1', 2000);
SELECT hint_hits > 7500 AS hits, moves_right, restarts FROM omendb_stat_index('hot_pair_ab');

-- So does who asks for values of variable width, by their bytes or where a function orders them, whatever all of them
-- begin with.
CREATE COLLATION hot_codepoints (provider = libc, locale = 'C.UTF-8');
CREATE TABLE hot_text AS SELECT n, 'https://example.org/item/' || md5(n::text) AS t, (n * 7919 % 100000 / 100.0)::numeric AS d,
  ('x' || md5(n::text))::bit(99)::varbit AS b FROM generate_series(1, 20000) AS n;
CREATE INDEX hot_text_c ON hot_text USING omendb (t COLLATE "C") WITH (fillfactor = 30);
CREATE INDEX hot_text_l ON hot_text USING omendb (t COLLATE hot_codepoints, n) WITH (fillfactor = 30);
CREATE INDEX hot_text_ld ON hot_text USING omendb ((t || '') COLLATE hot_codepoints DESC) WITH (fillfactor = 30);
CREATE INDEX hot_text_d ON hot_text USING omendb (d) WITH (fillfactor = 30);
CREATE INDEX hot_text_b ON hot_text USING omendb (b) WITH (fillfactor = 30);
SELECT look_up('SELECT t.n FROM hot_text AS t WHERE t.t = ''https://example.org/item/'' || md5(n.n::text) COLLATE "C" LIMIT 1', 2000);
SELECT look_up('SELECT t.t FROM hot_text AS t WHERE t.t = ''https://example.org/item/'' || md5(n.n::text) COLLATE hot_codepoints LIMIT 1', 2000);
SELECT look_up('SELECT t.n FROM hot_text AS t WHERE t.t || '''' <= ''https://example.org/item/'' || md5(n.n::text) COLLATE hot_codepoints
  ORDER BY (t.t || '''') COLLATE hot_codepoints DESC LIMIT 1', 2000);
SELECT look_up('SELECT d FROM hot_text WHERE d = (n.n * 7919 % 100000 / 100.0)::numeric LIMIT 1', 2000);
SELECT look_up('SELECT t.n FROM hot_text AS t WHERE b = (''x'' || md5(n.n::text))::bit(99)::varbit LIMIT 1', 2000);
SELECT index, hot_fences = leaf_pages AS fences, hint_hits > 1800 AS hits, moves_right, restarts
FROM unnest('{c,l,ld,d,b}'::text[]) AS index, LATERAL omendb_stat_index(format('hot_text_%s', index)::regclass) AS s;

-- Estimated from some of the pages; of a small index they are all.
SELECT e.entries = s.entries AND e.pages = s.pages AND e.fill = s.fill AS small
FROM omendb_stat_index('hot_pair_ab') AS e, omendb_stat_index('hot_pair_ab', false) AS s;
SELECT e.levels = s.levels AND e.pages = s.pages AS exact, s.entries / e.entries::numeric BETWEEN 0.8 AND 1.2 AS entries,
  s.leaf_pages / e.leaf_pages::numeric BETWEEN 0.8 AND 1.2 AS leaves, abs(s.fill - e.fill) < 10 AS fill
FROM omendb_stat_index('hot_linear_k', true) AS e, omendb_stat_index('hot_linear_k', exact => false) AS s;

-- Nothing in it; pages that VACUUM may have deleted; one that is unlogged.
CREATE TABLE hot_empty (k int4);
CREATE INDEX hot_empty_k ON hot_empty USING omendb (k);
SELECT entries, levels, pages, leaf_pages, inner_pages, deleted_pages, bytes_per_entry, fill, lookups
FROM omendb_stat_index('hot_empty_k');
DELETE FROM hot_rmi WHERE k < 0;
VACUUM hot_rmi;
SELECT leaf_pages + inner_pages + deleted_pages + 1 = pages AS all_pages FROM omendb_stat_index('hot_rmi_k');

CREATE UNLOGGED TABLE hot_unlogged (k int4);
CREATE INDEX hot_unlogged_k ON hot_unlogged USING omendb (k);
SELECT entries, levels FROM omendb_stat_index('hot_unlogged_k');
CREATE TEMP TABLE hot_temp AS SELECT k FROM hot_t;
CREATE INDEX hot_temp_k ON hot_temp USING omendb (k);
-- Its buffers are this session's alone: nobody is routed there.
SELECT look_up('SELECT k FROM hot_temp WHERE k = spread(n) LIMIT 1', 1000);
SELECT entries, hot_model, lookups FROM omendb_stat_index('hot_temp_k');

-- Neither of what is local to the transaction.
BEGIN;
CREATE TABLE hot_local AS SELECT k FROM hot_t;
CREATE INDEX hot_local_k ON hot_local USING omendb (k);
SELECT look_up('SELECT k FROM hot_local WHERE k = spread(n) LIMIT 1', 1000);
SELECT entries, hot_model, lookups FROM omendb_stat_index('hot_local_k');
TRUNCATE hot_local;
SELECT look_up('SELECT k FROM hot_local WHERE k = spread(n) LIMIT 1', 1000);
COMMIT;
DROP TABLE hot_local;

-- ---- What they refuse ----

CREATE INDEX hot_btree ON hot_empty USING btree (k);
CREATE SEQUENCE hot_sequence;
CREATE TABLE hot_parts (k int4) PARTITION BY RANGE (k);
CREATE TABLE hot_part PARTITION OF hot_parts FOR VALUES FROM (0) TO (1000);
CREATE INDEX hot_parts_k ON hot_parts USING omendb (k) WITH (model = 'splus');
SELECT omendb_stat_index('hot_btree');
SELECT omendb_stat_index('hot_empty');
SELECT omendb_stat_index('hot_sequence');
SELECT omendb_stat_index('omendb_indexes');
SELECT omendb_stat_index('hot_parts_k');
SELECT entries, hot_model FROM omendb_stat_index('hot_part_k_idx');
SELECT omendb_stat_index('hot_nowhere');
SELECT omendb_stat_index(0::oid::regclass);
SELECT omendb_stat_index(NULL) IS NULL AS null, omendb_stat_index('hot_empty_k', NULL) IS NULL AS null;

-- ---- Views ----

SELECT schemaname, tablename, indexname, indexrelid = indexname::regclass AS oid,
  bytes = pg_relation_size(indexrelid) AS bytes, options, indexdef = pg_get_indexdef(indexrelid) AS indexdef
FROM omendb_indexes WHERE indexname LIKE 'hot\_%' AND schemaname = 'omendb_test' ORDER BY indexname;
SELECT tablename, options FROM omendb_indexes WHERE indexname = 'hot_temp_k';
SELECT indexname, entries, levels FROM omendb_stat_indexes
WHERE schemaname = 'omendb_test' AND indexname IN ('hot_empty_k', 'hot_k', 'hot_pair_ab') ORDER BY indexname;
SELECT entries FROM omendb_stat_indexes WHERE indexname = 'hot_temp_k';
SELECT count(*) FROM omendb_indexes WHERE indexname IN ('hot_parts_k', 'hot_btree');

CREATE ROLE regress_omendb_user;
CREATE ROLE regress_omendb_monitor IN ROLE pg_stat_scan_tables;
GRANT USAGE ON SCHEMA omendb_test TO regress_omendb_user, regress_omendb_monitor;
SET ROLE regress_omendb_user;
SELECT count(*) FROM omendb_indexes WHERE indexname = 'hot_k';
SELECT count(*) FROM omendb_stat_indexes;
SELECT entries FROM omendb_stat_index('hot_k');
SET ROLE regress_omendb_monitor;
SELECT count(*) FROM omendb_indexes WHERE indexname = 'hot_k';
SELECT entries > 0 AS entries FROM omendb_stat_indexes WHERE indexname = 'hot_k';
SELECT entries FROM omendb_stat_index('hot_k');
SELECT count(*) FROM hot_t;
RESET ROLE;
REVOKE ALL ON SCHEMA omendb_test FROM regress_omendb_user, regress_omendb_monitor;
DROP ROLE regress_omendb_user, regress_omendb_monitor;

-- ---- Answers are the same without it ----

DELETE FROM hot_t WHERE b % 7 = 0 OR k BETWEEN 0 AND 1000000000000000000;
VACUUM hot_t;
INSERT INTO hot_t SELECT spread(n), n, n FROM generate_series(60001, 70000) AS n;
INSERT INTO hot_t SELECT n, n, n FROM generate_series(1, 5000) AS n;
UPDATE hot_t SET k = k + 1 WHERE b % 11 = 0;
CREATE TABLE hot_answers (query text, hot text, cold text);
INSERT INTO hot_answers (query) VALUES
  ('SELECT k FROM hot_t WHERE k = 5000'),
  ('SELECT k FROM hot_t WHERE k = ANY (ARRAY[1, 7, 500, 2200, 60001, 4999])'),
  ('SELECT k FROM hot_t WHERE k BETWEEN 1900 AND 26000'),
  ('SELECT k FROM hot_t WHERE k < -9000000000000000000'),
  ('SELECT k FROM hot_t WHERE k > 5000000000000000000'),
  ('SELECT k FROM hot_t WHERE k IS NOT NULL'),
  ('SELECT x.k FROM hot_t AS x JOIN hot_t AS y ON x.k = y.k + 1 WHERE y.b BETWEEN 10 AND 400');
SET omendb.enable_hot_index = on;
UPDATE hot_answers SET hot = compare(query);
SET omendb.enable_hot_index = off;
UPDATE hot_answers SET cold = compare(query);
SELECT query, hot, hot = cold AS same FROM hot_answers;
-- Off, nobody looks; on again, the old table is as good as before.
SELECT lookups AS before FROM omendb_stat_index('hot_pair_ab') \gset
SELECT look_up('SELECT b FROM hot_pair WHERE a = n * 37 % 200 LIMIT 1', 1000);
SELECT lookups - :before AS more FROM omendb_stat_index('hot_pair_ab');
SET omendb.enable_hot_index = on;
SELECT look_up('SELECT b FROM hot_pair WHERE a = n * 37 % 200 LIMIT 1', 1000);
SELECT lookups - :before > 900 AS more, restarts FROM omendb_stat_index('hot_pair_ab');
SELECT omendb_check('hot_k', true), omendb_check('hot_rmi_k', true), omendb_check('hot_pair_ab', true), omendb_check('hot_text_ld', true);
