-- Statements that copy, keep, rebuild or refuse an index of ours: beside a btree's where it matters.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TYPE ddl_enum AS ENUM ('a', 'c');
CREATE TABLE ddl_t (id int, t text COLLATE "C", v varchar(20) COLLATE "C", e ddl_enum, n numeric) WITH (autovacuum_enabled = off);
INSERT INTO ddl_t SELECT i, 'x' || i, 'v' || i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'c' END::ddl_enum, i FROM generate_series(1, 500) AS i;
CREATE UNIQUE INDEX ddl_id ON ddl_t USING omendb (id) INCLUDE (t) NULLS NOT DISTINCT WITH (fillfactor = 80);
CREATE INDEX ddl_t_ ON ddl_t USING omendb (t DESC NULLS LAST);
CREATE INDEX ddl_v ON ddl_t USING omendb (v varchar_pattern_ops);
CREATE INDEX ddl_e ON ddl_t USING omendb (e, id);
CREATE INDEX ddl_expression ON ddl_t USING omendb (lower(t)) WHERE id > 7;
CREATE INDEX ddl_btree ON ddl_t (t, v);
ALTER TABLE ddl_t ADD EXCLUDE USING omendb (n WITH =) DEFERRABLE;
CREATE FUNCTION ddl_check() RETURNS bigint LANGUAGE sql AS $$
  SELECT count(omendb_check(c.oid, true)::text) FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam
  WHERE amname = 'omendb' AND relkind = 'i' AND relnamespace = 'omendb_test'::regnamespace
$$;

CREATE TABLE ddl_like (LIKE ddl_t INCLUDING ALL);
SELECT regexp_replace(pg_get_indexdef(indexrelid), ' ON .*USING', ' USING') FROM pg_index WHERE indrelid = 'ddl_like'::regclass ORDER BY 1;

-- Columns of another type of the same bytes: indexes are kept as they are, as a btree's.
CREATE TABLE ddl_files AS SELECT relname, relfilenode FROM pg_class WHERE relname LIKE 'ddl\_%' AND relkind = 'i';
ALTER TABLE ddl_t ALTER t TYPE varchar COLLATE "C", ALTER v TYPE varchar(40) COLLATE "C";
SELECT f.relname, c.relfilenode = f.relfilenode AS kept FROM ddl_files AS f JOIN pg_class AS c USING (relname) WHERE relname NOT LIKE 'ddl\_like%' ORDER BY 1;
SELECT ddl_check();
ALTER TABLE ddl_t ALTER t TYPE text, ALTER id TYPE int8;
SELECT f.relname, c.relfilenode = f.relfilenode AS kept FROM ddl_files AS f JOIN pg_class AS c USING (relname) WHERE relname NOT LIKE 'ddl\_like%' ORDER BY 1;
SELECT ddl_check();

-- New values of an enum, in between and at both ends.
ALTER TYPE ddl_enum ADD VALUE 'b' BEFORE 'c';
ALTER TYPE ddl_enum ADD VALUE 'd';
ALTER TYPE ddl_enum ADD VALUE '0' BEFORE 'a';
INSERT INTO ddl_t SELECT 1000 + i, 'y', 'w', (enum_range(NULL::ddl_enum))[1 + i % 5], 1000 + i FROM generate_series(1, 500) AS i;
VACUUM ddl_t;
SELECT e, compare(format('SELECT e, id FROM ddl_t WHERE e >= %L ORDER BY e, id', e), '{index,only,batched,batched_only}', true) FROM unnest(enum_range(NULL::ddl_enum)) AS e;
ALTER TYPE ddl_enum RENAME VALUE 'b' TO 'between';
SELECT compare('SELECT e, id FROM ddl_t WHERE e = ''between''');
SELECT ddl_check();

-- Clustering, options, other statements.
CLUSTER ddl_t USING ddl_t_;
ALTER INDEX ddl_t_ SET (fillfactor = 50);
ALTER INDEX ddl_expression ALTER COLUMN 1 SET STATISTICS 500;
ALTER INDEX ddl_v RENAME TO ddl_w;
SELECT ddl_check();
CREATE TABLE ddl_parted (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE ddl_part PARTITION OF ddl_parted FOR VALUES FROM (0) TO (10);
CREATE INDEX ddl_parted_b ON ddl_parted USING omendb (b);
CREATE INDEX ddl_parted_a ON ONLY ddl_parted USING omendb (a);
CREATE INDEX ddl_part_a ON ddl_part USING omendb (a);
ALTER INDEX ddl_parted_a ATTACH PARTITION ddl_part_a;
SELECT inhrelid::regclass, inhparent::regclass FROM pg_inherits WHERE inhparent IN ('ddl_parted_a'::regclass, 'ddl_parted_b'::regclass) ORDER BY 1;

-- What PostgreSQL wants a btree for.
ALTER TABLE ddl_t ADD PRIMARY KEY USING INDEX ddl_id;
ALTER TABLE ddl_t ADD UNIQUE USING INDEX ddl_id;
CREATE UNIQUE INDEX ON ddl_parted USING omendb (a);
CREATE MATERIALIZED VIEW ddl_view AS SELECT 1 AS a;
CREATE UNIQUE INDEX ddl_view_a ON ddl_view USING omendb (a);
REFRESH MATERIALIZED VIEW CONCURRENTLY ddl_view;
REFRESH MATERIALIZED VIEW ddl_view;
CREATE TABLE ddl_referencing (id int8 REFERENCES ddl_t (id));
