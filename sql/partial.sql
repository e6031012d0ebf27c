-- Partial indexes and indexes on expressions.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE part_t (id int PRIMARY KEY, k int4, s text, d date, v int8) WITH (autovacuum_enabled = off, fillfactor = 70);
INSERT INTO part_t SELECT n, n * 7919 % 1009, CASE n % 4 WHEN 0 THEN 'open' WHEN 1 THEN NULL ELSE 'done' END, '2024-01-01'::date + n % 400, spread(n) FROM generate_series(1, 2000) AS n;
CREATE INDEX part_open ON part_t USING omendb (k) INCLUDE (id) WHERE s = 'open';
CREATE INDEX part_null ON part_t USING omendb (k, id) WHERE s IS NULL;
CREATE INDEX part_high ON part_t USING omendb (v) WHERE k > 900;
CREATE INDEX part_len ON part_t USING omendb (length(s), (k % 10) DESC NULLS LAST);
CREATE INDEX part_month ON part_t USING omendb (date_trunc('month', d::timestamp), k) WHERE k % 2 = 0;
CREATE INDEX part_none ON part_t USING omendb (k) WHERE false;
VACUUM ANALYZE part_t;

-- Used where the condition implies the predicate, and only there.
SELECT c, p ~ 'using part_\w+' AS used, substring(p FROM 'using (part_\w+)') AS index
FROM (SELECT c, (SELECT string_agg(l, E'\n') FROM show_plan('SELECT k FROM part_t WHERE ' || c, 'index') AS l) AS p
      FROM unnest('{s = ''open'' AND k = 5,s IS NULL AND k < 50,k > 950 AND v > 0,k >= 901 AND v > 0,k > 950::int8 AND v < 0,k = 901 AND v < 0,k > 899 AND v > 0,
        s = ''done'' AND k = 5,length(s) = 4 AND k % 10 > 7,"length(s) = ANY (''{1,4}'')","k % 2 = 0 AND date_trunc(''month'', d::timestamp) = ''2024-03-01''",
        "date_trunc(''month'', d::timestamp) = ''2024-03-01''"}'::text[]) AS c) AS x;
CREATE FUNCTION ask_part() RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(c || ': ' || r, '; '), 'same') FROM (
    SELECT c, compare('SELECT id, k, s, v FROM part_t WHERE ' || c, '{index,bitmap,batched}') AS r
    FROM unnest('{s = ''open'' AND k = 5,s = ''open'' AND k < 300,s IS NULL AND k BETWEEN 50 AND 90,k > 950 AND v > 0,k >= 901 AND v = ANY (ARRAY(SELECT spread(n) FROM generate_series(1\, 2000\, 7) AS n)),
      length(s) = 4 AND k % 10 > 7,length(s) IS NULL AND k % 10 = 3,"length(s) = ANY (''{1,4}'') AND k % 10 IN (2, 9)",
      "k % 2 = 0 AND date_trunc(''month'', d::timestamp) BETWEEN ''2024-03-01'' AND ''2024-06-01''"}'::text[]) AS c
    UNION ALL
    SELECT o, compare(o, '{index,batched}', true)
    FROM unnest('{SELECT k FROM part_t WHERE s = ''open'' ORDER BY k DESC,SELECT length(s)\, k % 10 FROM part_t ORDER BY length(s)\, k % 10 DESC NULLS LAST}'::text[]) AS o
    UNION ALL
    SELECT 'only', compare('SELECT k, id FROM part_t WHERE s = ''open'' AND k > 500', '{only,batched_only}')) AS x
  WHERE r NOT LIKE 'same%'
$$;
CREATE FUNCTION check_part() RETURNS text LANGUAGE sql AS $$
  SELECT ask_part() || string_agg(omendb_check(indexrelid, true)::text, '')
  FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = relam WHERE indrelid = 'part_t'::regclass AND amname = 'omendb'
$$;
SELECT check_part();
-- HOT where no column of an index or of a predicate changes; else rows enter and leave the indexes.
CREATE FUNCTION hot_updates(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before int8 := pg_stat_get_xact_tuples_hot_updated('part_t'::regclass);
  before_all int8 := pg_stat_get_xact_tuples_updated('part_t'::regclass);
BEGIN
  EXECUTE statement;
  RETURN format('%s rows, HOT: %s', pg_stat_get_xact_tuples_updated('part_t'::regclass) - before_all,
                pg_stat_get_xact_tuples_hot_updated('part_t'::regclass) - before > 0);
END $$;
ALTER TABLE part_t ADD note text;
SELECT hot_updates('UPDATE part_t SET note = ''n'' WHERE id % 20 = 1');
SELECT hot_updates('UPDATE part_t SET note = ''m'', k = k WHERE id % 20 = 2');
SELECT hot_updates('UPDATE part_t SET s = ''open'' WHERE id % 20 = 3');
SELECT hot_updates('UPDATE part_t SET s = ''shut'' WHERE id % 20 = 4');
SELECT hot_updates('UPDATE part_t SET s = NULL WHERE id % 20 = 8');
SELECT hot_updates('UPDATE part_t SET k = k + 7 WHERE id % 20 = 9');
SELECT hot_updates('UPDATE part_t SET d = d + 40 WHERE id % 20 = 10');
SELECT check_part();
DELETE FROM part_t WHERE id % 6 = 5;
VACUUM part_t;
INSERT INTO part_t SELECT n, n % 1009, CASE WHEN n % 2 = 0 THEN 'open' END, '2025-01-01', n FROM generate_series(3001, 3300) AS n;
SELECT check_part();
REINDEX TABLE part_t;
SELECT check_part();

-- CREATE INDEX CONCURRENTLY that fails leaves an invalid index, which no query uses, but which is kept up to date.
CREATE TABLE bad_t (k int4, v int4);
INSERT INTO bad_t SELECT n, n % 100 FROM generate_series(0, 999) AS n;
CREATE INDEX bad_i ON bad_t USING omendb ((1000 / v));
SELECT count(*) FROM pg_class WHERE relname = 'bad_i';
CREATE INDEX CONCURRENTLY bad_i ON bad_t USING omendb ((1000 / v));
SELECT relname, indisvalid, indisready, indislive FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'bad_t'::regclass;
SELECT omendb_check('bad_i');
INSERT INTO bad_t VALUES (1000, 0);
REINDEX INDEX bad_i;
DELETE FROM bad_t WHERE v = 0;
REINDEX INDEX bad_i;
SELECT relname, indisvalid, indisready, indislive FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'bad_t'::regclass;
SELECT compare('SELECT k FROM bad_t WHERE 1000 / v = 20', '{index,bitmap,batched}'), omendb_check('bad_i', true);
INSERT INTO bad_t VALUES (1000, 0);
UPDATE bad_t SET v = 0 WHERE k = 5;
REINDEX INDEX CONCURRENTLY bad_i;
DROP INDEX bad_i;
CREATE INDEX CONCURRENTLY bad_i ON bad_t USING omendb ((1000 / v)) WHERE v <> 0;
INSERT INTO bad_t VALUES (1000, 0);
SELECT compare('SELECT k FROM bad_t WHERE 1000 / v = 20 AND v <> 0', '{index,bitmap,batched}'), omendb_check('bad_i', true);
-- A predicate that raises an error.
CREATE INDEX CONCURRENTLY bad_p ON bad_t USING omendb (k) WHERE 1000 / v > 3;
SELECT relname, indisvalid, indisready, indislive FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relname = 'bad_p';
DROP INDEX CONCURRENTLY bad_p;
-- In a transaction it is refused.
BEGIN;
CREATE INDEX CONCURRENTLY bad_p ON bad_t USING omendb (k);
ROLLBACK;

-- Statistics on an expression, names, comments, dependencies.
ALTER INDEX part_len ALTER COLUMN 1 SET STATISTICS 500;
ALTER INDEX part_open ALTER COLUMN 1 SET STATISTICS 500;
ALTER INDEX part_len ALTER COLUMN 3 SET STATISTICS 500;
SELECT attname, attstattarget FROM pg_attribute WHERE attrelid = 'part_len'::regclass ORDER BY attnum;
ANALYZE part_t;
SELECT tablename, attname, null_frac > 0 AS nulls, n_distinct FROM pg_stats WHERE tablename = 'part_len' ORDER BY attname;
COMMENT ON INDEX part_len IS 'lengths';
ALTER INDEX part_len RENAME TO part_length;
REINDEX INDEX CONCURRENTLY part_length;
SELECT obj_description('part_length'::regclass, 'pg_class'), pg_get_indexdef('part_length'::regclass), pg_get_indexdef('part_length'::regclass, 2, true);
SELECT attname, attstattarget FROM pg_attribute WHERE attrelid = 'part_length'::regclass ORDER BY attnum;
ALTER INDEX part_length SET (fillfactor = 40);
ALTER INDEX part_length SET TABLESPACE pg_default;
SELECT pg_get_indexdef('part_length'::regclass);
ALTER TABLE part_t ALTER k TYPE int8;
ALTER TABLE part_t ALTER s TYPE varchar;
SELECT indexdef FROM pg_indexes WHERE tablename = 'part_t' AND indexname <> 'part_t_pkey' ORDER BY indexname;
SELECT obj_description('part_length'::regclass, 'pg_class');
SELECT check_part();
ALTER TABLE part_t DROP COLUMN d;
SELECT indexname FROM pg_indexes WHERE tablename = 'part_t' ORDER BY 1;
SELECT compare('SELECT id, k FROM part_t WHERE length(s) = 4 AND k % 10 > 7', '{index,bitmap,batched}'), omendb_check('part_length', true);
