-- Storage parameters: taken, refused, changed, kept.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE opt_t (k int8, v int4);
INSERT INTO opt_t SELECT spread(n), n FROM generate_series(1, 3000) AS n;

CREATE INDEX opt_default ON opt_t USING omendb (k);
CREATE INDEX opt_10 ON opt_t USING omendb (k) WITH (fillfactor = 10);
CREATE INDEX opt_70 ON opt_t USING omendb (v) WITH (fillfactor = 70);
CREATE INDEX opt_100 ON opt_t USING omendb (k) INCLUDE (v) WITH (fillfactor = '100');
SELECT relname, reloptions FROM pg_class WHERE relname LIKE 'opt\_%' AND relkind = 'i' ORDER BY 1;
SELECT pg_get_indexdef('opt_70'::regclass);
-- Emptier leaves, more of them.
SELECT pg_relation_size('opt_10') > pg_relation_size('opt_100') AS larger;

CREATE INDEX opt_bad ON opt_t USING omendb (k) WITH (fillfactor = 9);
CREATE INDEX opt_bad ON opt_t USING omendb (k) WITH (fillfactor = 101);
CREATE INDEX opt_bad ON opt_t USING omendb (k) WITH (fillfactor = -1);
CREATE INDEX opt_bad ON opt_t USING omendb (k) WITH (fillfactor = 'full');
CREATE INDEX opt_bad ON opt_t USING omendb (k) WITH (fillfactor);
CREATE INDEX opt_bad ON opt_t USING omendb (k) WITH (fillfactor = 70, fillfactor = 80);
CREATE INDEX opt_bad ON opt_t USING omendb (k) WITH (nonsense = 1);
CREATE INDEX opt_bad ON opt_t USING omendb (k) WITH (fastupdate = on);
CREATE INDEX opt_bad ON opt_t USING omendb (k int8_ops (nonsense = 1));
SELECT count(*) FROM pg_class WHERE relname = 'opt_bad';

ALTER INDEX opt_70 SET (fillfactor = 50);
ALTER INDEX opt_70 SET (fillfactor = 5);
ALTER INDEX opt_70 SET (nonsense = 5);
SELECT reloptions FROM pg_class WHERE relname = 'opt_70';
INSERT INTO opt_t SELECT spread(n), n FROM generate_series(3001, 6000) AS n;
REINDEX INDEX opt_70;
ALTER INDEX opt_70 RESET (fillfactor);
SELECT reloptions FROM pg_class WHERE relname = 'opt_70';
REINDEX TABLE opt_t;
VACUUM opt_t;
SELECT compare('SELECT v FROM opt_t WHERE v BETWEEN 2000 AND 4000'), compare('SELECT k FROM opt_t WHERE k > 0');
SELECT omendb_check(i, true) FROM unnest('{opt_default,opt_10,opt_70,opt_100}'::regclass[]) AS i;
