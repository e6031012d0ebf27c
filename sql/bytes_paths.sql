-- Keys of variable width where little goes the usual way: order of negative numbers, lookups among dead entries,
-- parallel scans, values as long as they may be in splits.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE COLLATION codepoints (provider = libc, locale = 'C.UTF-8');

-- The digits of one number are the beginning of another's, and zeros follow.
CREATE TABLE number (n numeric) WITH (autovacuum_enabled = off);
INSERT INTO number SELECT sign * (whole + part) FROM unnest(ARRAY[1, -1]) AS sign, unnest(ARRAY[0, 1, 9999, 10000, 12345678]) AS whole,
  unnest(ARRAY[0, 0.0, 0.5, 0.0001, 0.00005, 0.00000001, 0.9999, 0.999900000001]) AS part;
CREATE INDEX number_n ON number USING omendb (n);
SELECT omendb_check('number_n', true);
SET jit = off;
SET enable_seqscan = off;
SET enable_sort = off;
SELECT count(*), count(*) FILTER (WHERE n < before) AS wrong
FROM (SELECT n, lag(n) OVER (ROWS UNBOUNDED PRECEDING) AS before FROM (SELECT n FROM number ORDER BY n OFFSET 0) AS x) AS y;
SELECT n FROM number WHERE n > -1.0001 AND n <= -1 ORDER BY n, scale(n);
SELECT n FROM number WHERE n BETWEEN -10000.00005 AND -9999.99 ORDER BY n, scale(n);
RESET enable_sort;

-- Long duplicates, most of them known to be dead: there is room for one copy of a value that all of them have.
CREATE TABLE dead (id int, t text COLLATE "C", note text) WITH (autovacuum_enabled = off);
CREATE INDEX dead_t ON dead USING omendb (t) INCLUDE (note);
INSERT INTO dead SELECT n, 'key ' || n % 8, repeat(chr(97 + n % 8), 700) FROM generate_series(1, 1600) AS n;
CREATE TABLE asked AS SELECT 'key ' || n AS t FROM generate_series(0, 9) AS n;
ANALYZE asked, dead;
DELETE FROM dead WHERE id % 10 > 0;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET omendb.enable_lookup_join = on;
EXPLAIN (COSTS OFF) SELECT count(note) FROM asked JOIN dead ON dead.t = asked.t COLLATE "C";
-- The first ones find the dead.
SELECT count(note), count(DISTINCT note), sum(length(note)) FROM asked JOIN dead ON dead.t = asked.t COLLATE "C";
SELECT count(note), count(DISTINCT note), sum(length(note)) FROM asked JOIN dead ON dead.t = asked.t COLLATE "C";
SELECT count(note), count(DISTINCT note), sum(length(note)) FROM asked JOIN dead ON dead.t = asked.t COLLATE "C";
RESET enable_hashjoin;
RESET enable_mergejoin;
SET omendb.enable_lookup_join = off;

-- Parallel scans, where processes tell each other where to go on: in several ranges, some of which
-- begin at values that no entry could have.
CREATE TABLE shared (id int, t text COLLATE "C", l text COLLATE codepoints) WITH (autovacuum_enabled = off);
ALTER TABLE shared SET (parallel_workers = 2);
CREATE INDEX shared_t ON shared USING omendb (t);
CREATE INDEX shared_tl ON shared USING omendb (l DESC, t);
SET parallel_setup_cost = 0;
SET cpu_operator_cost = 1;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SET enable_bitmapscan = off;
INSERT INTO shared SELECT n, md5((n % 3000)::text), repeat('x', n % 900) || n % 10 FROM generate_series(1, 9000) AS n;
VACUUM ANALYZE shared;
EXPLAIN (COSTS OFF) SELECT count(*), sum(id) FROM shared WHERE l IN ('xx2', 'x1') AND t > '00';
SELECT count(*), sum(id) FROM shared WHERE t >= '3' AND t < '9';
SELECT count(*), sum(id) FROM shared WHERE t = ANY (ARRAY(SELECT md5((n * 7)::text) FROM generate_series(0, 100) AS n));
SELECT count(*), sum(id) FROM shared WHERE l = ANY (ARRAY['x1', repeat('x', 800) || '0', repeat('x', 1400), 'x2']) AND t < repeat('f', 5000);
SELECT count(*), sum(id) FROM shared WHERE l IN ('x1', 'xx2', repeat('x', 800) || '0') AND t IN (md5('1'), md5('2'), md5('1800'), repeat('f', 1400));
SELECT count(*), sum(id) FROM shared WHERE l IN (repeat('x', 899) || '9', 'x1') AND t > repeat('0', 5000);
SELECT count(*), sum(id) FROM shared WHERE l > repeat('x', 20000);
RESET parallel_setup_cost;
RESET cpu_operator_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET min_parallel_index_scan_size;
SET max_parallel_workers_per_gather = 0;
RESET enable_bitmapscan;

-- Values as long as they may be: few of them are a page, among NULLs and with long separators.
CREATE TABLE long (id int, t text COLLATE codepoints) WITH (autovacuum_enabled = off);
ALTER TABLE long ALTER t SET STORAGE EXTERNAL;
CREATE INDEX long_t ON long USING omendb (t);
CREATE FUNCTION long_value(n int) RETURNS text LANGUAGE sql AS
  $$ SELECT left(string_agg(md5((n * 100 + x)::text), ''), 1534) FROM generate_series(1, 48) AS x $$;
INSERT INTO long SELECT n, CASE WHEN n % 4 > 0 THEN long_value(n) END FROM generate_series(1, 150) AS n ORDER BY n DESC;
INSERT INTO long SELECT n, CASE WHEN n % 4 > 0 THEN long_value(n) END FROM generate_series(151, 300) AS n;
SELECT omendb_check('long_t', true);
SELECT count(*), count(t) FROM long WHERE t > '' OR t IS NULL;
DELETE FROM long WHERE id % 3 > 0;
VACUUM long;
INSERT INTO long SELECT n, CASE WHEN n % 4 > 0 THEN long_value(n) END FROM generate_series(301, 420) AS n ORDER BY md5(n::text);
SELECT omendb_check('long_t', true);
DELETE FROM long;
VACUUM long;
SELECT omendb_check('long_t', true);
