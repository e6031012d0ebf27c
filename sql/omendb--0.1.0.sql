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
    OUT hot_model text, OUT hot_level integer, OUT hot_fences bigint, OUT hot_segments bigint,
    OUT hot_epsilon integer, OUT hot_bytes bigint,
    OUT lookups bigint, OUT hint_hits bigint, OUT moves_right bigint, OUT restarts bigint, OUT rebuilds bigint)
AS 'MODULE_PATHNAME', 'omendb_stat_index'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION omendb_stat_index(regclass, boolean) IS 'size, fill and hot index of an omendb index';

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
-- pages estimated.
CREATE VIEW omendb_stat_indexes AS
SELECT i.schemaname, i.tablename, i.indexname, i.indexrelid, s.*
FROM omendb_indexes i
JOIN pg_class c ON c.oid = i.indexrelid
CROSS JOIN LATERAL omendb_stat_index(i.indexrelid, false) s
WHERE c.relpersistence <> 't' OR c.relnamespace = pg_my_temp_schema();

COMMENT ON VIEW omendb_stat_indexes IS 'size, fill and hot index of the omendb indexes of this database';

GRANT SELECT ON omendb_indexes TO PUBLIC;

-- As pgstattuple does: statistics tell of tables that a user may not read.
REVOKE ALL ON FUNCTION omendb_stat_index(regclass, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION omendb_stat_index(regclass, boolean) TO pg_stat_scan_tables;
GRANT SELECT ON omendb_stat_indexes TO pg_stat_scan_tables;
