-- What omendb refuses: each time a clear error, and nothing left behind.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE no_t (k int8, s text, v varchar(10), n numeric, u uuid, iv interval, tz timetz, a int[], r int8range, nm name, bp char(4), by bytea, j jsonb);
INSERT INTO no_t (k, s) SELECT n, n FROM generate_series(1, 100) AS n;

-- Uniqueness.
CREATE UNIQUE INDEX no_i ON no_t USING omendb (k);
CREATE UNIQUE INDEX CONCURRENTLY no_i ON no_t USING omendb (k);
CREATE INDEX no_plain ON no_t USING omendb (k);
ALTER TABLE no_t ADD CONSTRAINT no_pk PRIMARY KEY USING INDEX no_plain;
ALTER TABLE no_t ADD CONSTRAINT no_uk UNIQUE USING INDEX no_plain;
INSERT INTO no_t (k) VALUES (1) ON CONFLICT (k) DO NOTHING;
CREATE TABLE no_ref (k int8 REFERENCES no_t (k));
ALTER TABLE no_t REPLICA IDENTITY USING INDEX no_plain;

-- Types without an operator class.
SELECT format('CREATE INDEX no_i ON no_t USING omendb (%I)', attname) FROM pg_attribute
WHERE attrelid = 'no_t'::regclass AND attnum > 1 ORDER BY attnum \gexec
CREATE INDEX no_i ON no_t USING omendb (k, s);
CREATE INDEX no_i ON no_t USING omendb (lower(s));
CREATE INDEX no_i ON no_t USING omendb (s text_ops);
CREATE INDEX no_i ON no_t USING omendb (k int4_ops);
CREATE INDEX no_i ON no_t USING omendb (k COLLATE "C");

-- INCLUDE columns that are not passed by value.
SELECT format('CREATE INDEX no_i ON no_t USING omendb (k) INCLUDE (%I)', attname) FROM pg_attribute
WHERE attrelid = 'no_t'::regclass AND attnum > 1 ORDER BY attnum \gexec
CREATE INDEX no_i ON no_t USING omendb (k) INCLUDE (k, s);
\echo :LAST_ERROR_SQLSTATE
CREATE INDEX CONCURRENTLY no_i ON no_t USING omendb (k) INCLUDE (s);
-- The last leaves an invalid index, as CONCURRENTLY does.
SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'no_t'::regclass ORDER BY 1;
DROP INDEX IF EXISTS no_i;

-- An empty table does not make it right.
CREATE TABLE no_empty (k int8, s text);
CREATE INDEX no_i ON no_empty USING omendb (k) INCLUDE (s);
CREATE UNLOGGED TABLE no_unlogged (k int8, s text);
CREATE INDEX no_i ON no_unlogged USING omendb (k) INCLUDE (s);

-- Nor does a new type of a column that is in an index.
CREATE TABLE no_alter (k int8, v int4);
INSERT INTO no_alter SELECT n, n FROM generate_series(1, 100) AS n;
CREATE INDEX no_alter_k ON no_alter USING omendb (k) INCLUDE (v);
ALTER TABLE no_alter ALTER k TYPE text;
ALTER TABLE no_alter ALTER v TYPE text;
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
