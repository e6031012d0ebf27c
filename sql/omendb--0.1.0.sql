/* sql/omendb--0.1.0.sql */

-- Stop here when psql reads this file by itself.
\echo Use "CREATE EXTENSION omendb" to load this file. \quit

CREATE FUNCTION omendb_version() RETURNS text
AS 'MODULE_PATHNAME', 'omendb_version'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION omendb_version() IS 'version of the loaded omendb library';

-- PARALLEL RESTRICTED: a worker cannot read the leader's temporary indexes.
CREATE FUNCTION omendb_check(index regclass, heapallindexed boolean DEFAULT false) RETURNS void
AS 'MODULE_PATHNAME', 'omendb_check'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION omendb_check(regclass, boolean) IS
  'raise an error if an omendb index breaks an invariant or, with heapallindexed, misses a row';

-- A check reads whole indexes and tables, holds locks while it does, does not
-- look at the table's own privileges, and its error messages may quote keys.
-- So nobody but superusers gets it until they grant it.
REVOKE ALL ON FUNCTION omendb_check(regclass, boolean) FROM PUBLIC;

CREATE FUNCTION omendb_handler(internal) RETURNS index_am_handler
AS 'MODULE_PATHNAME', 'omendb_handler'
LANGUAGE C;

CREATE ACCESS METHOD omendb TYPE INDEX HANDLER omendb_handler;

COMMENT ON ACCESS METHOD omendb IS 'learned index with the interface of a B-tree';

-- Operator families and classes.  Names, strategy numbers, support function
-- numbers and members are btree's: the planner then sees the same
-- possibilities for an omendb index.  sql/opclass.sql compares them with
-- pg_amop and pg_amproc.
--
-- Strategies: 1 <, 2 <=, 3 =, 4 >=, 5 >.
-- Support functions: 1 three-way comparison, 2 sort support (optional).

CREATE OPERATOR FAMILY integer_ops USING omendb;

CREATE OPERATOR CLASS int2_ops DEFAULT FOR TYPE int2 USING omendb FAMILY integer_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 btint2cmp(int2, int2),
    FUNCTION 2 btint2sortsupport(internal);

CREATE OPERATOR CLASS int4_ops DEFAULT FOR TYPE int4 USING omendb FAMILY integer_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 btint4cmp(int4, int4),
    FUNCTION 2 btint4sortsupport(internal);

CREATE OPERATOR CLASS int8_ops DEFAULT FOR TYPE int8 USING omendb FAMILY integer_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 btint8cmp(int8, int8),
    FUNCTION 2 btint8sortsupport(internal);

ALTER OPERATOR FAMILY integer_ops USING omendb ADD
    OPERATOR 1 < (int2, int4),
    OPERATOR 2 <= (int2, int4),
    OPERATOR 3 = (int2, int4),
    OPERATOR 4 >= (int2, int4),
    OPERATOR 5 > (int2, int4),
    FUNCTION 1 (int2, int4) btint24cmp(int2, int4),

    OPERATOR 1 < (int2, int8),
    OPERATOR 2 <= (int2, int8),
    OPERATOR 3 = (int2, int8),
    OPERATOR 4 >= (int2, int8),
    OPERATOR 5 > (int2, int8),
    FUNCTION 1 (int2, int8) btint28cmp(int2, int8),

    OPERATOR 1 < (int4, int2),
    OPERATOR 2 <= (int4, int2),
    OPERATOR 3 = (int4, int2),
    OPERATOR 4 >= (int4, int2),
    OPERATOR 5 > (int4, int2),
    FUNCTION 1 (int4, int2) btint42cmp(int4, int2),

    OPERATOR 1 < (int4, int8),
    OPERATOR 2 <= (int4, int8),
    OPERATOR 3 = (int4, int8),
    OPERATOR 4 >= (int4, int8),
    OPERATOR 5 > (int4, int8),
    FUNCTION 1 (int4, int8) btint48cmp(int4, int8),

    OPERATOR 1 < (int8, int2),
    OPERATOR 2 <= (int8, int2),
    OPERATOR 3 = (int8, int2),
    OPERATOR 4 >= (int8, int2),
    OPERATOR 5 > (int8, int2),
    FUNCTION 1 (int8, int2) btint82cmp(int8, int2),

    OPERATOR 1 < (int8, int4),
    OPERATOR 2 <= (int8, int4),
    OPERATOR 3 = (int8, int4),
    OPERATOR 4 >= (int8, int4),
    OPERATOR 5 > (int8, int4),
    FUNCTION 1 (int8, int4) btint84cmp(int8, int4);

CREATE OPERATOR FAMILY oid_ops USING omendb;

CREATE OPERATOR CLASS oid_ops DEFAULT FOR TYPE oid USING omendb FAMILY oid_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 btoidcmp(oid, oid),
    FUNCTION 2 btoidsortsupport(internal);

CREATE OPERATOR FAMILY datetime_ops USING omendb;

CREATE OPERATOR CLASS date_ops DEFAULT FOR TYPE date USING omendb FAMILY datetime_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 date_cmp(date, date),
    FUNCTION 2 date_sortsupport(internal);

CREATE OPERATOR CLASS timestamp_ops DEFAULT FOR TYPE timestamp USING omendb FAMILY datetime_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 timestamp_cmp(timestamp, timestamp),
    FUNCTION 2 timestamp_sortsupport(internal);

CREATE OPERATOR CLASS timestamptz_ops DEFAULT FOR TYPE timestamptz USING omendb FAMILY datetime_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 timestamptz_cmp(timestamptz, timestamptz),
    FUNCTION 2 timestamp_sortsupport(internal);

ALTER OPERATOR FAMILY datetime_ops USING omendb ADD
    OPERATOR 1 < (date, timestamp),
    OPERATOR 2 <= (date, timestamp),
    OPERATOR 3 = (date, timestamp),
    OPERATOR 4 >= (date, timestamp),
    OPERATOR 5 > (date, timestamp),
    FUNCTION 1 (date, timestamp) date_cmp_timestamp(date, timestamp),

    OPERATOR 1 < (date, timestamptz),
    OPERATOR 2 <= (date, timestamptz),
    OPERATOR 3 = (date, timestamptz),
    OPERATOR 4 >= (date, timestamptz),
    OPERATOR 5 > (date, timestamptz),
    FUNCTION 1 (date, timestamptz) date_cmp_timestamptz(date, timestamptz),

    OPERATOR 1 < (timestamp, date),
    OPERATOR 2 <= (timestamp, date),
    OPERATOR 3 = (timestamp, date),
    OPERATOR 4 >= (timestamp, date),
    OPERATOR 5 > (timestamp, date),
    FUNCTION 1 (timestamp, date) timestamp_cmp_date(timestamp, date),

    OPERATOR 1 < (timestamp, timestamptz),
    OPERATOR 2 <= (timestamp, timestamptz),
    OPERATOR 3 = (timestamp, timestamptz),
    OPERATOR 4 >= (timestamp, timestamptz),
    OPERATOR 5 > (timestamp, timestamptz),
    FUNCTION 1 (timestamp, timestamptz) timestamp_cmp_timestamptz(timestamp, timestamptz),

    OPERATOR 1 < (timestamptz, date),
    OPERATOR 2 <= (timestamptz, date),
    OPERATOR 3 = (timestamptz, date),
    OPERATOR 4 >= (timestamptz, date),
    OPERATOR 5 > (timestamptz, date),
    FUNCTION 1 (timestamptz, date) timestamptz_cmp_date(timestamptz, date),

    OPERATOR 1 < (timestamptz, timestamp),
    OPERATOR 2 <= (timestamptz, timestamp),
    OPERATOR 3 = (timestamptz, timestamp),
    OPERATOR 4 >= (timestamptz, timestamp),
    OPERATOR 5 > (timestamptz, timestamp),
    FUNCTION 1 (timestamptz, timestamp) timestamptz_cmp_timestamp(timestamptz, timestamp);

CREATE OPERATOR FAMILY time_ops USING omendb;

CREATE OPERATOR CLASS time_ops DEFAULT FOR TYPE time USING omendb FAMILY time_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 time_cmp(time, time);

CREATE OPERATOR FAMILY float_ops USING omendb;

CREATE OPERATOR CLASS float4_ops DEFAULT FOR TYPE float4 USING omendb FAMILY float_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 btfloat4cmp(float4, float4),
    FUNCTION 2 btfloat4sortsupport(internal);

CREATE OPERATOR CLASS float8_ops DEFAULT FOR TYPE float8 USING omendb FAMILY float_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 btfloat8cmp(float8, float8),
    FUNCTION 2 btfloat8sortsupport(internal);

ALTER OPERATOR FAMILY float_ops USING omendb ADD
    OPERATOR 1 < (float4, float8),
    OPERATOR 2 <= (float4, float8),
    OPERATOR 3 = (float4, float8),
    OPERATOR 4 >= (float4, float8),
    OPERATOR 5 > (float4, float8),
    FUNCTION 1 (float4, float8) btfloat48cmp(float4, float8),

    OPERATOR 1 < (float8, float4),
    OPERATOR 2 <= (float8, float4),
    OPERATOR 3 = (float8, float4),
    OPERATOR 4 >= (float8, float4),
    OPERATOR 5 > (float8, float4),
    FUNCTION 1 (float8, float4) btfloat84cmp(float8, float4);

CREATE OPERATOR FAMILY bool_ops USING omendb;

CREATE OPERATOR CLASS bool_ops DEFAULT FOR TYPE bool USING omendb FAMILY bool_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 btboolcmp(bool, bool);

CREATE OPERATOR FAMILY char_ops USING omendb;

CREATE OPERATOR CLASS char_ops DEFAULT FOR TYPE "char" USING omendb FAMILY char_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 btcharcmp("char", "char");

CREATE OPERATOR FAMILY money_ops USING omendb;

CREATE OPERATOR CLASS money_ops DEFAULT FOR TYPE money USING omendb FAMILY money_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 cash_cmp(money, money);

CREATE OPERATOR FAMILY uuid_ops USING omendb;

CREATE OPERATOR CLASS uuid_ops DEFAULT FOR TYPE uuid USING omendb FAMILY uuid_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 uuid_cmp(uuid, uuid),
    FUNCTION 2 uuid_sortsupport(internal);

CREATE OPERATOR FAMILY timetz_ops USING omendb;

CREATE OPERATOR CLASS timetz_ops DEFAULT FOR TYPE timetz USING omendb FAMILY timetz_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 timetz_cmp(timetz, timetz);

CREATE OPERATOR FAMILY interval_ops USING omendb;

CREATE OPERATOR CLASS interval_ops DEFAULT FOR TYPE interval USING omendb FAMILY interval_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 interval_cmp(interval, interval);

CREATE OPERATOR FAMILY macaddr_ops USING omendb;

CREATE OPERATOR CLASS macaddr_ops DEFAULT FOR TYPE macaddr USING omendb FAMILY macaddr_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 macaddr_cmp(macaddr, macaddr),
    FUNCTION 2 macaddr_sortsupport(internal);

CREATE OPERATOR FAMILY macaddr8_ops USING omendb;

CREATE OPERATOR CLASS macaddr8_ops DEFAULT FOR TYPE macaddr8 USING omendb FAMILY macaddr8_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 macaddr8_cmp(macaddr8, macaddr8);

CREATE OPERATOR FAMILY pg_lsn_ops USING omendb;

CREATE OPERATOR CLASS pg_lsn_ops DEFAULT FOR TYPE pg_lsn USING omendb FAMILY pg_lsn_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 pg_lsn_cmp(pg_lsn, pg_lsn);

CREATE OPERATOR FAMILY xid8_ops USING omendb;

CREATE OPERATOR CLASS xid8_ops DEFAULT FOR TYPE xid8 USING omendb FAMILY xid8_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 xid8cmp(xid8, xid8);

CREATE OPERATOR FAMILY tid_ops USING omendb;

CREATE OPERATOR CLASS tid_ops DEFAULT FOR TYPE tid USING omendb FAMILY tid_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 bttidcmp(tid, tid);

-- Types of variable width. Text compares by the index's collation.

CREATE OPERATOR FAMILY text_ops USING omendb;

CREATE OPERATOR CLASS text_ops DEFAULT FOR TYPE text USING omendb FAMILY text_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 bttextcmp(text, text),
    FUNCTION 2 bttextsortsupport(internal);

-- The same under another name, as btree has it; varchar has the operators of text.
CREATE OPERATOR CLASS varchar_ops FOR TYPE text USING omendb FAMILY text_ops AS STORAGE text;

CREATE OPERATOR CLASS name_ops DEFAULT FOR TYPE name USING omendb FAMILY text_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 btnamecmp(name, name),
    FUNCTION 2 btnamesortsupport(internal);

ALTER OPERATOR FAMILY text_ops USING omendb ADD
    OPERATOR 1 < (name, text),
    OPERATOR 2 <= (name, text),
    OPERATOR 3 = (name, text),
    OPERATOR 4 >= (name, text),
    OPERATOR 5 > (name, text),
    FUNCTION 1 (name, text) btnametextcmp(name, text),
    OPERATOR 1 < (text, name),
    OPERATOR 2 <= (text, name),
    OPERATOR 3 = (text, name),
    OPERATOR 4 >= (text, name),
    OPERATOR 5 > (text, name),
    FUNCTION 1 (text, name) bttextnamecmp(text, name);

CREATE OPERATOR FAMILY bpchar_ops USING omendb;

CREATE OPERATOR CLASS bpchar_ops DEFAULT FOR TYPE bpchar USING omendb FAMILY bpchar_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 bpcharcmp(bpchar, bpchar),
    FUNCTION 2 bpchar_sortsupport(internal);

CREATE OPERATOR FAMILY bytea_ops USING omendb;

CREATE OPERATOR CLASS bytea_ops DEFAULT FOR TYPE bytea USING omendb FAMILY bytea_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 byteacmp(bytea, bytea),
    FUNCTION 2 bytea_sortsupport(internal);

CREATE OPERATOR FAMILY numeric_ops USING omendb;

CREATE OPERATOR CLASS numeric_ops DEFAULT FOR TYPE numeric USING omendb FAMILY numeric_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 numeric_cmp(numeric, numeric),
    FUNCTION 2 numeric_sortsupport(internal);

CREATE OPERATOR FAMILY network_ops USING omendb;

CREATE OPERATOR CLASS inet_ops DEFAULT FOR TYPE inet USING omendb FAMILY network_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 network_cmp(inet, inet),
    FUNCTION 2 network_sortsupport(internal);

CREATE OPERATOR CLASS cidr_ops FOR TYPE inet USING omendb FAMILY network_ops AS STORAGE inet;

CREATE OPERATOR FAMILY bit_ops USING omendb;

CREATE OPERATOR CLASS bit_ops DEFAULT FOR TYPE bit USING omendb FAMILY bit_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 bitcmp(bit, bit);

CREATE OPERATOR FAMILY varbit_ops USING omendb;

CREATE OPERATOR CLASS varbit_ops DEFAULT FOR TYPE varbit USING omendb FAMILY varbit_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 varbitcmp(varbit, varbit);

CREATE OPERATOR FAMILY enum_ops USING omendb;

CREATE OPERATOR CLASS enum_ops DEFAULT FOR TYPE anyenum USING omendb FAMILY enum_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 enum_cmp(anyenum, anyenum);

-- Bytewise order whatever the collation, for LIKE and regular expressions.

CREATE OPERATOR FAMILY text_pattern_ops USING omendb;

CREATE OPERATOR CLASS text_pattern_ops FOR TYPE text USING omendb FAMILY text_pattern_ops AS
    OPERATOR 1 ~<~,
    OPERATOR 2 ~<=~,
    OPERATOR 3 =,
    OPERATOR 4 ~>=~,
    OPERATOR 5 ~>~,
    FUNCTION 1 bttext_pattern_cmp(text, text),
    FUNCTION 2 bttext_pattern_sortsupport(internal);

CREATE OPERATOR CLASS varchar_pattern_ops FOR TYPE text USING omendb FAMILY text_pattern_ops AS STORAGE text;

CREATE OPERATOR FAMILY bpchar_pattern_ops USING omendb;

CREATE OPERATOR CLASS bpchar_pattern_ops FOR TYPE bpchar USING omendb FAMILY bpchar_pattern_ops AS
    OPERATOR 1 ~<~,
    OPERATOR 2 ~<=~,
    OPERATOR 3 =,
    OPERATOR 4 ~>=~,
    OPERATOR 5 ~>~,
    FUNCTION 1 btbpchar_pattern_cmp(bpchar, bpchar),
    FUNCTION 2 btbpchar_pattern_sortsupport(internal);

-- Statistics of an index.
--
--   entries, levels, pages   pages: all blocks of the file, metapage included
--   leaf_pages, inner_pages  in the tree
--   deleted_pages            to be recycled
--   bytes_per_entry          of the file
--   fill                     percent of a leaf that is in use, on average
--
-- and of its table in the hot index, NULL if there is none:
--
--   hot_model                linear, rmi, pgm or splus
--   hot_level                of the pages that lookups are routed to: 0 the leaves; more if
--                            memory was short
--   hot_fences, hot_segments, hot_epsilon
--                            how many pages it knows, and the model's segments and the error
--                            of its predictions, in fences, at most
--   hot_bytes                memory
--   lookups                  searches for a leaf, since the server started
--   hint_hits                that found it where the hot index said
--   moves_right, restarts    that went on from there to the right; that began again at the root
--   rebuilds                 of the table
--
-- Without `exact` what needs every page is estimated from a hundred of them.
-- Lookups of other sessions are counted when a transaction of theirs ends, but not more
-- than once a second, or when they end.
CREATE FUNCTION omendb_stat_index(
    index regclass, exact boolean DEFAULT true,
    OUT entries bigint, OUT levels integer, OUT pages bigint, OUT leaf_pages bigint, OUT inner_pages bigint,
    OUT deleted_pages bigint, OUT bytes_per_entry double precision, OUT fill double precision,
    OUT segments bigint, OUT segment_pages bigint, OUT cold_leaves bigint, OUT cold_pages bigint,
    OUT hot_model text, OUT hot_level integer, OUT hot_fences bigint, OUT hot_segments bigint,
    OUT hot_epsilon integer, OUT hot_bytes bigint,
    OUT lookups bigint, OUT hint_hits bigint, OUT moves_right bigint, OUT restarts bigint, OUT rebuilds bigint,
    OUT cold_hits bigint, OUT cold_reads bigint)
AS 'MODULE_PATHNAME', 'omendb_stat_index'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION omendb_stat_index(regclass, boolean) IS 'size, fill and hot index of an omendb index';

-- Moves leaves of an index into compressed segments (RocksDB's table files, inside the index's own file) and returns
-- how many: those whose entries are all before a value of the leading column, which is read as that column's
-- type; without one, those that did not change since the last such call.  The last leaf always stays.
CREATE FUNCTION omendb_offload(index regclass, before text DEFAULT NULL) RETURNS bigint
AS 'MODULE_PATHNAME', 'omendb_offload'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION omendb_offload(regclass, text) IS 'move leaves of an omendb index into compressed segments';

-- Brings all of them back, and returns how many.
CREATE FUNCTION omendb_recall(index regclass) RETURNS bigint
AS 'MODULE_PATHNAME', 'omendb_recall'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION omendb_recall(regclass) IS 'bring leaves of an omendb index back from compressed segments';

-- Calls of both that are under way.  (PostgreSQL shows them in pg_stat_progress_create_index, too, without a command.)
CREATE VIEW omendb_stat_progress AS
SELECT s.pid, s.datid, d.datname, s.relid, s.param7::oid AS index_relid,
       CASE s.param1 WHEN 101 THEN 'offload' WHEN 102 THEN 'recall' END AS command,
       s.param16 AS pages_total, s.param17 AS leaves_visited, s.param13 AS leaves_moved
FROM pg_stat_get_progress_info('CREATE INDEX') s
LEFT JOIN pg_database d ON d.oid = s.datid
WHERE s.param1 IN (101, 102);

COMMENT ON VIEW omendb_stat_progress IS 'offloads and recalls of omendb indexes that are under way';

GRANT SELECT ON omendb_stat_progress TO PUBLIC;

-- The omendb indexes of this database.
CREATE VIEW omendb_indexes AS
SELECT n.nspname AS schemaname, t.relname AS tablename, i.relname AS indexname, i.oid AS indexrelid,
       pg_relation_size(i.oid) AS bytes, i.reloptions AS options, pg_get_indexdef(i.oid) AS indexdef
FROM pg_class i
JOIN pg_am a ON a.oid = i.relam AND a.amname = 'omendb'
JOIN pg_index x ON x.indexrelid = i.oid
JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = i.relnamespace
WHERE i.relkind = 'i';

COMMENT ON VIEW omendb_indexes IS 'omendb indexes of this database, with size and options';

-- The statistics of all of them but other sessions' temporary ones, where they need many
-- pages estimated.  Null of one that CREATE INDEX CONCURRENTLY has not built yet, or failed to.
CREATE VIEW omendb_stat_indexes AS
SELECT i.schemaname, i.tablename, i.indexname, i.indexrelid, s.*
FROM omendb_indexes i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_index x ON x.indexrelid = i.indexrelid
CROSS JOIN LATERAL omendb_stat_index(CASE WHEN x.indisready THEN x.indexrelid END, false) s
WHERE c.relpersistence <> 't' OR c.relnamespace = pg_my_temp_schema();

COMMENT ON VIEW omendb_stat_indexes IS 'size, fill and hot index of the omendb indexes of this database';

GRANT SELECT ON omendb_indexes TO PUBLIC;

-- As pgstattuple does: statistics tell of tables that a user may not read.
REVOKE ALL ON FUNCTION omendb_stat_index(regclass, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION omendb_stat_index(regclass, boolean) TO pg_stat_scan_tables;
GRANT SELECT ON omendb_stat_indexes TO pg_stat_scan_tables;
