-- NULLs: alone, many, first, last, in every order of an index column.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE null_t (id int, k int4, v int8);
INSERT INTO null_t
  SELECT n, CASE WHEN n % 4 = 0 THEN NULL ELSE n * 7919 % 500 - 250 END, CASE WHEN n % 3 = 0 THEN NULL ELSE spread(n) END
  FROM generate_series(1, 1000) AS n;

-- One index at a time: build, insert, delete, vacuum, ask.
CREATE FUNCTION null_index(definition text, reversed text) RETURNS TABLE (question text, answer text)
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE INDEX null_k ON null_t USING omendb (%s)', definition);
  INSERT INTO null_t SELECT n + 1000, CASE WHEN n % 2 = 0 THEN NULL ELSE n % 500 - 250 END, n FROM generate_series(1, 1000) AS n;
  DELETE FROM null_t WHERE id % 8 = 5;
  RETURN QUERY
    SELECT c, compare('SELECT k FROM null_t WHERE ' || c)
    FROM unnest('{k IS NULL,k IS NOT NULL,k = 0,k < 0,k <= -250,k >= 249,k > 0,k IS NOT NULL AND k > 100,'
                'k = ANY (''\{1\,NULL\,-250\,1\}''),k = ANY (''\{NULL\}''),k = ANY (''\{\}''),k < ANY (''\{NULL\,-200\}'')}'::text[]) AS c
    UNION ALL
    SELECT o, compare(format('SELECT k FROM null_t ORDER BY %s', o), '{index,only,batched,batched_only}', true)
    FROM unnest(ARRAY[definition, reversed, definition || ' LIMIT 600', reversed || ' LIMIT 600']) AS o
    UNION ALL
    SELECT w || ' ' || o, compare(format('SELECT k FROM null_t WHERE %s ORDER BY %s', w, o), '{index,only,batched,batched_only}', true)
    FROM unnest('{k > 200,k < -200,k IS NOT NULL}'::text[]) AS w, unnest(ARRAY[definition, reversed]) AS o
    UNION ALL
    SELECT 'min, max', compare('SELECT min(k), max(k) FROM null_t', '{index,only,batched,batched_only}')
    UNION ALL
    SELECT 'check', omendb_check('null_k'::regclass, true)::text;
  DROP INDEX null_k;
  DELETE FROM null_t WHERE id > 1000;
END $$;
SELECT * FROM null_index('k', 'k DESC');
SELECT * FROM null_index('k DESC', 'k');
SELECT * FROM null_index('k NULLS FIRST', 'k DESC NULLS LAST');
SELECT * FROM null_index('k DESC NULLS LAST', 'k NULLS FIRST');

CREATE INDEX null_k ON null_t USING omendb (k DESC NULLS LAST);
SELECT show_plan('SELECT k FROM null_t WHERE k IS NULL', 'only');
SELECT show_plan('SELECT k FROM null_t ORDER BY k NULLS FIRST', 'only');
SELECT show_plan('SELECT max(k) FROM null_t', 'index');

-- NULLs in the second column, and in both.
CREATE INDEX null_v_k ON null_t USING omendb (v NULLS FIRST, k DESC NULLS LAST);
DROP INDEX null_k;
INSERT INTO null_t SELECT n, NULL, NULL FROM generate_series(2001, 2300) AS n;
INSERT INTO null_t SELECT n, NULL, n % 10 FROM generate_series(2301, 2600) AS n;
INSERT INTO null_t SELECT n, n % 10, NULL FROM generate_series(2601, 2900) AS n;
VACUUM null_t;
SELECT condition, compare('SELECT v, k FROM null_t WHERE ' || condition)
FROM (VALUES ('v IS NULL'), ('v IS NOT NULL'), ('v IS NULL AND k IS NULL'), ('v IS NULL AND k IS NOT NULL'), ('v IS NULL AND k > 5'),
             ('v IS NULL AND k = ANY (''{3,NULL,9,3}'')'), ('v = 5 AND k IS NULL'), ('v > 5 AND k IS NULL'), ('v = 5 AND k IS NOT NULL'),
             ('v = ANY (''{1,2,NULL}'') AND k IS NULL'), ('v IS NOT NULL AND k IS NULL'), ('v IS NOT NULL AND k = 7'),
             ('v < 0 AND k <= 3'), ('k IS NULL'), ('k IS NOT NULL AND k < -240')) AS v (condition);
SELECT compare('SELECT v, k FROM null_t ORDER BY v NULLS FIRST, k DESC NULLS LAST', '{index,only,batched,batched_only}', true),
       compare('SELECT v, k FROM null_t ORDER BY v DESC NULLS LAST, k NULLS FIRST', '{index,only,batched,batched_only}', true),
       compare('SELECT v, k FROM null_t WHERE v IS NULL ORDER BY v NULLS FIRST, k DESC NULLS LAST', '{index,only,batched,batched_only}', true),
       compare('SELECT v, k FROM null_t WHERE v = 5 ORDER BY k NULLS FIRST', '{index,only,batched,batched_only}', true);

-- Nothing but NULLs.
CREATE TABLE null_only (k float8, v bool);
CREATE INDEX null_only_k ON null_only USING omendb (k, v);
INSERT INTO null_only SELECT NULL, NULL FROM generate_series(1, 3000);
VACUUM null_only;
SELECT condition, compare('SELECT k, v FROM null_only WHERE ' || condition)
FROM unnest('{k IS NULL,k IS NOT NULL,k = 0,k > ''-Infinity'',k <= ''NaN'',k IS NULL AND v IS NULL,k IS NULL AND v}'::text[]) AS condition;
SELECT compare('SELECT min(k), max(k) FROM null_only', '{only,batched_only}'), compare('SELECT k FROM null_only ORDER BY k DESC', '{only,batched_only}', true);
REINDEX INDEX null_only_k;
SELECT compare('SELECT k, v FROM null_only WHERE k IS NULL');
INSERT INTO null_only VALUES (0, true), ('NaN', false);
SELECT compare('SELECT k, v FROM null_only WHERE k >= 0'), compare('SELECT k, v FROM null_only WHERE k IS NULL');

-- A NULL that turns up at run time matches nothing.
SET plan_cache_mode = force_generic_plan;
PREPARE null_p(int8, int4) AS SELECT count(*) FROM null_t WHERE v = $1 AND k >= $2;
BEGIN;
SELECT force_scan('only');
EXECUTE null_p(NULL, 1);
EXECUTE null_p(5, NULL);
EXECUTE null_p(NULL, NULL);
COMMIT;
RESET plan_cache_mode;

SELECT omendb_check('null_v_k'::regclass, true), omendb_check('null_only_k'::regclass, true);
