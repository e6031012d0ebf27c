-- Operator classes: valid, the same as btree's, and what the validator says of broken ones.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

SELECT omendb_version() ~ '^\d+\.\d+\.\d+$' AS version;
SELECT amname, amtype, obj_description(oid, 'pg_am') FROM pg_am WHERE amname = 'omendb';

SELECT f.opfname, c.opcname, c.opcintype::regtype, c.opcdefault, c.opckeytype, amvalidate(c.oid)
FROM pg_opclass c JOIN pg_opfamily f ON f.oid = c.opcfamily JOIN pg_am a ON a.oid = c.opcmethod
WHERE a.amname = 'omendb'
ORDER BY f.opfname, c.opcintype::regtype::text COLLATE "C", opcname;

-- Members of our families against those of btree's families of the same names,
-- for the types that have a class here.
CREATE VIEW our_types AS SELECT opcintype AS type FROM pg_opclass WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'omendb');
CREATE VIEW operators AS
  SELECT a.amname, f.opfname, o.amoplefttype::regtype AS lefttype, o.amoprighttype::regtype AS righttype, o.amopstrategy,
         o.amopopr::regoperator AS operator, o.amoppurpose
  FROM pg_amop o JOIN pg_opfamily f ON f.oid = o.amopfamily JOIN pg_am a ON a.oid = f.opfmethod
  WHERE o.amoplefttype IN (TABLE our_types) AND o.amoprighttype IN (TABLE our_types);
CREATE VIEW functions AS
  SELECT a.amname, f.opfname, p.amproclefttype::regtype AS lefttype, p.amprocrighttype::regtype AS righttype, p.amprocnum, p.amproc::regprocedure AS function
  FROM pg_amproc p JOIN pg_opfamily f ON f.oid = p.amprocfamily JOIN pg_am a ON a.oid = f.opfmethod
  WHERE p.amproclefttype IN (TABLE our_types) AND p.amprocrighttype IN (TABLE our_types) AND p.amprocnum IN (1, 2);
CREATE VIEW classes AS
  SELECT a.amname, f.opfname, c.opcname, c.opcintype::regtype AS type, c.opcdefault
  FROM pg_opclass c JOIN pg_opfamily f ON f.oid = c.opcfamily JOIN pg_am a ON a.oid = c.opcmethod
  WHERE c.opcintype IN (TABLE our_types);
CREATE FUNCTION only_in(relation text, am text, other text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT (to_jsonb(r) - ''amname'')::text FROM %1$s AS r WHERE amname = %2$L
                               EXCEPT SELECT (to_jsonb(r) - ''amname'')::text FROM %1$s AS r WHERE amname = %3$L', relation, am, other);
END $$;
SELECT opfname, count(*) AS operators FROM operators WHERE amname = 'omendb' GROUP BY 1 ORDER BY 1;
SELECT opfname, count(*) FILTER (WHERE amprocnum = 1) AS comparisons, count(*) FILTER (WHERE amprocnum = 2) AS sort_supports
FROM functions WHERE amname = 'omendb' GROUP BY 1 ORDER BY 1;
SELECT relation, only_in(relation, 'omendb', 'btree') AS omendb_only FROM unnest('{operators,functions,classes}'::text[]) AS relation;
SELECT relation, only_in(relation, 'btree', 'omendb') AS btree_only FROM unnest('{operators,functions,classes}'::text[]) AS relation;
-- Nothing outside these views.
SELECT count(*) FROM pg_amop o JOIN pg_opfamily f ON f.oid = o.amopfamily JOIN pg_am a ON a.oid = f.opfmethod WHERE a.amname = 'omendb'
EXCEPT SELECT count(*) FROM operators WHERE amname = 'omendb';
SELECT count(*) FROM pg_amproc p JOIN pg_opfamily f ON f.oid = p.amprocfamily JOIN pg_am a ON a.oid = f.opfmethod WHERE a.amname = 'omendb'
EXCEPT SELECT count(*) FROM functions WHERE amname = 'omendb';

-- What indexes of this method can do.
CREATE TABLE op_t (k int4, v int8);
CREATE INDEX op_k ON op_t USING omendb (k DESC, v NULLS FIRST);
SELECT p, pg_indexam_has_property(a.oid, p) FROM pg_am a, unnest('{can_order,can_multi_col,can_include,can_exclude}'::text[]) AS p
WHERE amname = 'omendb';
SELECT p, pg_index_has_property('op_k'::regclass, p) FROM unnest('{index_scan,bitmap_scan,backward_scan}'::text[]) AS p;
SELECT p, pg_index_column_has_property('op_k'::regclass, 1, p) AS col1, pg_index_column_has_property('op_k'::regclass, 2, p) AS col2
FROM unnest('{asc,desc,nulls_first,nulls_last,orderable,distance_orderable,returnable,search_array,search_nulls}'::text[]) AS p;

-- Broken classes, none of them the default of its type.
CREATE OPERATOR FAMILY broken_missing USING omendb;
CREATE OPERATOR CLASS broken_missing FOR TYPE int4 USING omendb FAMILY broken_missing AS
  OPERATOR 1 <, OPERATOR 3 =, OPERATOR 5 >;
CREATE OPERATOR CLASS broken_pair FOR TYPE int4 USING omendb AS
  OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4);
ALTER OPERATOR FAMILY broken_pair USING omendb ADD
  OPERATOR 1 < (int4, int8), OPERATOR 3 = (int4, int8), FUNCTION 1 (int4, int8) btint48cmp(int4, int8);
CREATE OPERATOR CLASS broken_empty FOR TYPE int2 USING omendb FAMILY broken_pair AS STORAGE int2;
-- An order that is not the type's own is refused: omendb would not follow it.
CREATE FUNCTION reversed_cmp(int4, int4) RETURNS int4 LANGUAGE sql IMMUTABLE STRICT AS 'SELECT btint4cmp($2, $1)';
CREATE OPERATOR CLASS broken_order FOR TYPE int4 USING omendb AS
  OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 reversed_cmp(int4, int4);
CREATE OPERATOR CLASS broken_type FOR TYPE point USING omendb AS
  OPERATOR 3 ~= (point, point), FUNCTION 1 point_distance(point, point), FUNCTION 2 point_distance(point, point);
CREATE OPERATOR CLASS broken_result FOR TYPE int4 USING omendb AS
  OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 > (int4, int8), FUNCTION 1 btint48cmp(int4, int8), FUNCTION 2 btint4cmp(int4, int4);
SELECT opcname, amvalidate(oid)
FROM (SELECT opcname, oid FROM pg_opclass WHERE opcname LIKE 'broken%' ORDER BY opcname OFFSET 0) AS c;
-- Numbers that do not exist, and an operator to order by distance.
CREATE OPERATOR CLASS broken_strategy FOR TYPE int4 USING omendb AS OPERATOR 6 <>;
CREATE OPERATOR CLASS broken_support FOR TYPE int4 USING omendb AS FUNCTION 9 btint4cmp(int4, int4);
CREATE OPERATOR CLASS broken_distance FOR TYPE point USING omendb AS OPERATOR 1 <-> (point, point) FOR ORDER BY float_ops;

-- A class of one's own that is sound.
CREATE OPERATOR CLASS own_ops FOR TYPE int4 USING omendb AS
  OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'own_ops';
INSERT INTO op_t SELECT n, -n FROM generate_series(1, 100) AS n;
CREATE INDEX op_own ON op_t USING omendb (k own_ops);
DROP INDEX op_k;
SELECT pg_get_indexdef('op_own'::regclass), compare('SELECT k FROM op_t WHERE k BETWEEN 10 AND 20');
SELECT omendb_check('op_own'::regclass, true);
-- One that promises another order is refused when an index is built, not answered wrongly.
CREATE FUNCTION reverse_cmp(int4, int4) RETURNS int4 LANGUAGE sql IMMUTABLE STRICT AS 'SELECT btint4cmp($2, $1)';
CREATE OPERATOR CLASS reverse_ops FOR TYPE int4 USING omendb AS
  OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 reverse_cmp(int4, int4);
CREATE INDEX op_reverse ON op_t USING omendb (k reverse_ops);
