-- What omendb refuses: each time a clear error, and nothing left behind.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE no_t (k int8, s text, a int[], r int8range, j jsonb, ts tsvector, p point, x xml);
INSERT INTO no_t (k, s) SELECT n, repeat('x', 40 * n::int) FROM generate_series(1, 100) AS n;

-- Constraints, and what only a unique index is good for (sql/unique.sql).
CREATE INDEX no_plain ON no_t USING omendb (k);
ALTER TABLE no_t ADD CONSTRAINT no_pk PRIMARY KEY USING INDEX no_plain;
ALTER TABLE no_t ADD CONSTRAINT no_uk UNIQUE USING INDEX no_plain;
INSERT INTO no_t (k) VALUES (1) ON CONFLICT (k) DO NOTHING;
CREATE TABLE no_ref (k int8 REFERENCES no_t (k));
ALTER TABLE no_t REPLICA IDENTITY USING INDEX no_plain;

-- Types without an operator class.
SELECT format('CREATE INDEX no_i ON no_t USING omendb (%I)', attname) FROM pg_attribute
WHERE attrelid = 'no_t'::regclass AND attnum > 2 ORDER BY attnum \gexec
CREATE INDEX no_i ON no_t USING omendb (k, j);
CREATE INDEX no_i ON no_t USING omendb (to_tsvector('simple', s));
CREATE INDEX no_i ON no_t USING omendb (j jsonb_ops);
CREATE INDEX no_i ON no_t USING omendb (k int4_ops);
CREATE INDEX no_i ON no_t USING omendb (k COLLATE "C");

-- Rows that are too long, as keys and as INCLUDE columns.
ALTER TABLE no_t ALTER s SET STORAGE EXTERNAL;
CREATE INDEX no_i ON no_t USING omendb (s);
CREATE INDEX no_i ON no_t USING omendb (k) INCLUDE (s);
\echo :LAST_ERROR_SQLSTATE
CREATE INDEX CONCURRENTLY no_i ON no_t USING omendb (k) INCLUDE (s);
-- The last leaves an invalid index, as CONCURRENTLY does.
SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'no_t'::regclass ORDER BY 1;
DROP INDEX IF EXISTS no_i;

-- A new type of a column that is in an index.
CREATE TABLE no_alter (k int8, v int4);
INSERT INTO no_alter SELECT n, n FROM generate_series(1, 100) AS n;
CREATE INDEX no_alter_k ON no_alter USING omendb (k) INCLUDE (v);
ALTER TABLE no_alter ALTER k TYPE jsonb USING to_jsonb(k);
ALTER TABLE no_alter ALTER k TYPE text;
ALTER TABLE no_alter ALTER k TYPE int8 USING k::int8;
ALTER TABLE no_alter ALTER v TYPE int8, ALTER k TYPE int4;
SELECT pg_get_indexdef('no_alter_k'::regclass);
SELECT compare('SELECT k, v FROM no_alter WHERE k BETWEEN 10 AND 20');

-- omendb_check wants an omendb index, and a privilege.
CREATE INDEX no_btree ON no_t (k);
SELECT omendb_check('no_btree');
SELECT omendb_check('no_t');
SELECT omendb_check('no_nothing');
SELECT omendb_check(0);
SELECT omendb_check(NULL) IS NULL AS strict;
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_omendb_user;
RESET client_min_messages;
CREATE ROLE regress_omendb_user;
GRANT USAGE ON SCHEMA omendb_test TO regress_omendb_user;
SET ROLE regress_omendb_user;
SELECT omendb_check('no_plain');
RESET ROLE;
GRANT EXECUTE ON FUNCTION omendb_check(regclass, boolean) TO regress_omendb_user;
SET ROLE regress_omendb_user;
SELECT omendb_check('no_plain');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION omendb_check(regclass, boolean) FROM regress_omendb_user;
REVOKE USAGE ON SCHEMA omendb_test FROM regress_omendb_user;
DROP ROLE regress_omendb_user;

SELECT omendb_check('no_plain'::regclass, true), omendb_check('no_alter_k'::regclass, true);
