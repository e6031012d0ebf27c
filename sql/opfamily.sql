-- Operator families that a superuser made wrong: amvalidate says what is wrong, an index over one says no, and nothing
-- is answered by guessing.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE fam_t (k int4, n numeric, b bool, d date, o oid);
INSERT INTO fam_t SELECT i, i, i % 2 = 0, '2024-01-01'::date + i, i FROM generate_series(1, 100) AS i;

-- ---- amvalidate: what CREATE OPERATOR CLASS would not let through ----
CREATE OPERATOR CLASS fam_int4 FOR TYPE int4 USING omendb AS
  OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
  FUNCTION 1 btint4cmp(int4, int4), FUNCTION 2 btint4sortsupport(internal);
CREATE FUNCTION fam_valid() RETURNS boolean LANGUAGE sql AS 'SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = ''fam_int4''';
CREATE VIEW fam AS SELECT oid FROM pg_opfamily WHERE opfname = 'fam_int4';
SELECT fam_valid();
BEGIN;
UPDATE pg_amproc SET amprocnum = 9 WHERE amprocfamily = (TABLE fam) AND amprocnum = 2;
SELECT fam_valid();
ROLLBACK;
BEGIN;
UPDATE pg_amproc SET amproc = 'int4pl'::regproc WHERE amprocfamily = (TABLE fam) AND amprocnum = 2;
SELECT fam_valid();
ROLLBACK;
BEGIN;
UPDATE pg_amop SET amopstrategy = 6 WHERE amopfamily = (TABLE fam) AND amopstrategy = 5;
SELECT fam_valid();
ROLLBACK;
BEGIN;
UPDATE pg_amop SET amoppurpose = 'o', amopsortfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'integer_ops' AND opfmethod = (SELECT oid FROM pg_am WHERE amname = 'btree'))
WHERE amopfamily = (TABLE fam) AND amopstrategy = 5;
SELECT fam_valid();
ROLLBACK;
BEGIN;
UPDATE pg_amop SET amopopr = '+(int4,int4)'::regoperator WHERE amopfamily = (TABLE fam) AND amopstrategy = 3;
SELECT fam_valid();
ROLLBACK;
SELECT fam_valid();

-- ---- Types that are not known ----
CREATE OPERATOR CLASS fam_jsonb FOR TYPE jsonb USING omendb AS
  OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 jsonb_cmp(jsonb, jsonb);
CREATE TABLE fam_j (j jsonb);
CREATE INDEX fam_j_i ON fam_j USING omendb (j fam_jsonb);
CREATE OPERATOR CLASS fam_point FOR TYPE point USING omendb AS
  OPERATOR 1 << (point, point), FUNCTION 1 btint4cmp(int4, int4);
CREATE TABLE fam_points (p point);
CREATE INDEX fam_p ON fam_points USING omendb (p fam_point);

-- ---- Comparisons of two types that are not PostgreSQL's own ----
-- The error of a query that wants the index; family numbers differ from run to run.
CREATE FUNCTION fam_error(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM force_scan('index');
  EXECUTE query;
  RETURN 'none';
EXCEPTION WHEN OTHERS THEN
  RETURN regexp_replace(SQLERRM, 'opfamily \d+', 'opfamily N');
END $$;
-- A family that has the operator and not the function.
CREATE OPERATOR CLASS fam_date FOR TYPE date USING omendb AS
  OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 date_cmp(date, date);
ALTER OPERATOR FAMILY fam_date USING omendb ADD OPERATOR 1 < (date, timestamp);
CREATE INDEX fam_d ON fam_t USING omendb (d fam_date);
SELECT fam_error('SELECT count(*) FROM fam_t WHERE d < timestamp ''2024-02-01''');
ALTER OPERATOR FAMILY fam_date USING omendb ADD FUNCTION 1 (date, timestamp) date_cmp_timestamp(date, timestamp);
SELECT fam_error('SELECT count(*) FROM fam_t WHERE d < timestamp ''2024-02-01'''), compare('SELECT d FROM fam_t WHERE d < timestamp ''2024-02-01''');
-- Members of one's own, which only the function understands: here the day of the year 2024.
CREATE FUNCTION fam_day(d date) RETURNS int4 LANGUAGE sql IMMUTABLE AS $$ SELECT d - '2024-01-01'::date $$;
CREATE FUNCTION fam_date_cmp(d date, day int4) RETURNS int4 LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN RETURN CASE d WHEN 'infinity' THEN 1 WHEN '-infinity' THEN -1 ELSE btint4cmp(omendb_test.fam_day(d), day) END; END $$;
CREATE FUNCTION fam_date_lt(d date, day int4) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN RETURN omendb_test.fam_date_cmp(d, day) < 0; END $$;
CREATE OPERATOR <% (LEFTARG = date, RIGHTARG = int4, FUNCTION = fam_date_lt);
ALTER OPERATOR FAMILY fam_date USING omendb ADD OPERATOR 1 <% (date, int4), FUNCTION 1 (date, int4) fam_date_cmp(date, int4);
SELECT compare('SELECT d FROM fam_t WHERE d <% 30'), compare('SELECT d FROM fam_t WHERE d <% 1'), compare('SELECT d FROM fam_t WHERE d <% 1000');
-- Of other types the ordinals are not known to be those of integers.
CREATE FUNCTION fam_bool_cmp(b bool, i int4) RETURNS int4 LANGUAGE plpgsql IMMUTABLE STRICT AS $$ BEGIN RETURN btint4cmp(b::int4, i); END $$;
CREATE FUNCTION fam_bool_lt(b bool, i int4) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT AS $$ BEGIN RETURN b::int4 < i; END $$;
CREATE OPERATOR <% (LEFTARG = bool, RIGHTARG = int4, FUNCTION = fam_bool_lt);
CREATE OPERATOR CLASS fam_bool FOR TYPE bool USING omendb AS
  OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btboolcmp(bool, bool);
ALTER OPERATOR FAMILY fam_bool USING omendb ADD OPERATOR 1 <% (bool, int4), FUNCTION 1 (bool, int4) fam_bool_cmp(bool, int4);
CREATE INDEX fam_b ON fam_t USING omendb (b fam_bool);
SELECT fam_error('SELECT count(*) FROM fam_t WHERE b <% 1');

-- ---- Included columns of types that nobody knows, passed by value ----
CREATE TYPE fam_one;
CREATE FUNCTION fam_one_in(cstring) RETURNS fam_one LANGUAGE internal IMMUTABLE STRICT AS 'boolin';
CREATE FUNCTION fam_one_out(fam_one) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'boolout';
CREATE TYPE fam_one (INPUT = fam_one_in, OUTPUT = fam_one_out, LIKE = bool);
CREATE TYPE fam_two;
CREATE FUNCTION fam_two_in(cstring) RETURNS fam_two LANGUAGE internal IMMUTABLE STRICT AS 'int2in';
CREATE FUNCTION fam_two_out(fam_two) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int2out';
CREATE TYPE fam_two (INPUT = fam_two_in, OUTPUT = fam_two_out, LIKE = int2);
CREATE TABLE fam_incl (k int4, one fam_one, two fam_two, eight xid8);
INSERT INTO fam_incl
  SELECT i % 100, CASE WHEN i % 7 > 0 THEN (i % 2 = 0)::text::fam_one END,
         CASE WHEN i % 11 > 0 THEN (i * 77 % 65536 - 32768)::text::fam_two END, i::text::xid8
  FROM generate_series(1, 2000) AS i;
CREATE INDEX fam_incl_k ON fam_incl USING omendb (k) INCLUDE (one, two, eight);
INSERT INTO fam_incl SELECT * FROM fam_incl;
VACUUM ANALYZE fam_incl;
SELECT compare('SELECT k, one::text, two::text, eight FROM fam_incl WHERE k = 5'),
       compare('SELECT k, one::text, two::text, eight FROM fam_incl WHERE k BETWEEN 10 AND 60'),
       compare('SELECT count(*) FROM fam_incl WHERE k < 50 AND one::text = ''true'' AND two IS NOT NULL', '{only,batched_only}');
SELECT omendb_check('fam_incl_k', true);

-- ---- Conditions that contradict each other ----
CREATE INDEX fam_k ON fam_t USING omendb (k, o NULLS FIRST);
INSERT INTO fam_t SELECT CASE WHEN i % 2 = 0 THEN i END, i, true, NULL, CASE WHEN i % 3 = 0 THEN i END FROM generate_series(1, 30) AS i;
SELECT condition, compare('SELECT k, o FROM fam_t WHERE ' || condition)
FROM unnest('{k IS NULL AND k = 5,k = 5 AND k IS NULL,k IS NULL AND k > 5,k > 5 AND k IS NULL AND o = 3,k IS NOT NULL AND k IS NULL,'
            'k = 4 AND o IS NULL AND o > 2,k IS NULL AND o IS NOT NULL AND o IS NULL,k > 5 AND k < 3,k = 5 AND k = 6,'
            'k = ANY (''\{1\,2\,3\}'') AND k = ANY (''\{4\,5\}''),k = ANY (''\{1\,4\,6\}'') AND k > 3,'
            'k = ANY (''\{1\,4\,6\}'') AND k IS NULL}'::text[]) AS condition;
