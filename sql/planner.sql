-- What the planner makes of our indexes, beside what it makes of a btree's on the same columns of the same rows: rows
-- compared (keyset pagination), patterns, Boolean columns, orders, joins, extremes, collations.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TYPE planner_enum AS ENUM ('low', 'middle', 'high');
CREATE COLLATION planner_codepoints (LOCALE = 'C.UTF-8');
CREATE TABLE twin_o (id int4, a int4, b int4, d int8, f bool, t text COLLATE "C", l text COLLATE planner_codepoints, n numeric, u uuid,
  ip inet, e planner_enum, y bytea) WITH (autovacuum_enabled = off);
INSERT INTO twin_o
  SELECT i, i % 50, i * 7919 % 3000, i, i % 40 = 0, 'word' || i * 31 % 3000, 'Word' || i % 3000, i::numeric / 8, md5(i::text)::uuid,
         '10.0.0.0'::inet + i, (enum_range(NULL::planner_enum))[1 + i % 3], decode(md5(i::text), 'hex')
  FROM generate_series(1, 3000) AS i;
INSERT INTO twin_o (id) SELECT i FROM generate_series(3001, 3030) AS i;
CREATE TABLE twin_b (LIKE twin_o) WITH (autovacuum_enabled = off);
INSERT INTO twin_b TABLE twin_o;

CREATE FUNCTION twin_index(keys text, is_unique boolean DEFAULT false, rest text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name text := 'twin_' || regexp_replace(keys || rest, '\W+', '_', 'g');
BEGIN
  EXECUTE format('CREATE %s INDEX %I ON twin_o USING omendb (%s) %s', CASE WHEN is_unique THEN 'UNIQUE' END, name || 'o', keys, rest);
  EXECUTE format('CREATE %s INDEX %I ON twin_b USING btree (%s) %s', CASE WHEN is_unique THEN 'UNIQUE' END, name || 'b', keys, rest);
END $$;

-- A query about the table TWIN, asked of both: their plans, if they are not the same but for names, and whether they answer the same.
CREATE FUNCTION twins(query text, show boolean DEFAULT false) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  side text;
  plans text[];
  answer text;
  answers text[];
BEGIN
  FOREACH side IN ARRAY '{o,b}'::text[] LOOP
    plans := plans || regexp_replace(regexp_replace(plan_of(replace(query, 'TWIN', 'twin_' || side)), '\mtwin_[ob](_\d)?\M', 'twin\1', 'g'), '(\mtwin_\w*)[ob]\M', '\1', 'g');
    EXECUTE format('SELECT count(*) || '' rows '' || md5(coalesce(string_agg(r::text, '','' ORDER BY r::text COLLATE "C"), '''')) FROM (%s) AS r', replace(query, 'TWIN', 'twin_' || side)) INTO answer;
    answers := answers || answer;
  END LOOP;
  IF answers[1] <> answers[2] THEN
    RETURN NEXT 'DIFFERENT: ' || answers[1] || ' and ' || answers[2];
  ELSIF plans[1] <> plans[2] THEN
    RETURN QUERY SELECT * FROM string_to_table('ours:' || E'\n' || plans[1] || 'btree:' || E'\n' || rtrim(plans[2], E'\n'), E'\n');
  ELSE
    RETURN NEXT substring(answers[1] FROM '\d+ rows');
    IF show THEN
      RETURN QUERY SELECT * FROM string_to_table(rtrim(plans[1], E'\n'), E'\n');
    END IF;
  END IF;
END $$;
CREATE FUNCTION twin_plans(VARIADIC queries text[]) RETURNS TABLE (query text, result text) LANGUAGE sql AS $$
  SELECT q, r FROM unnest(queries) WITH ORDINALITY AS x (q, i), twins(q) WITH ORDINALITY AS y (r, j) ORDER BY i, j
$$;
SELECT count(*) FROM (SELECT twin_index(k) FROM unnest('{a\, b,"d, b DESC",f,t,l text_pattern_ops,"t, id",n DESC,u,ip,e NULLS FIRST,y,lower(t),"(a + b)"}'::text[]) AS k OFFSET 0) AS q;
SELECT twin_index('id', true), twin_index('b', false, 'WHERE f');
VACUUM ANALYZE twin_o, twin_b;
SET jit = off;
SET enable_seqscan = off;
SET enable_bitmapscan = off;

-- Patterns.
SELECT * FROM twin_plans(
  'SELECT id FROM TWIN WHERE t LIKE ''word12%''', 'SELECT id FROM TWIN WHERE l LIKE ''Word12%''', 'SELECT id FROM TWIN WHERE t ~ ''^word1.''',
  'SELECT id FROM TWIN WHERE l ~ ''^Word12''', 'SELECT id FROM TWIN WHERE l LIKE ''Word%9''', 'SELECT id FROM TWIN WHERE l COLLATE "C" LIKE ''Word12%''',
  'SELECT id FROM TWIN WHERE lower(t) = ''word77''', 'SELECT id FROM TWIN WHERE lower(t) LIKE ''word77%''', 'SELECT id FROM TWIN WHERE t ILIKE ''123%''',
  'SELECT id FROM TWIN WHERE l ~<~ ''Word12''', 'SELECT id FROM TWIN WHERE starts_with(t, ''word12'')', 'SELECT id FROM TWIN WHERE t ^@ ''word12''');
SELECT twins('SELECT id FROM TWIN WHERE l LIKE ''Word12%''', true);

-- Collations: an index is of use only to what is compared by its own.
SELECT * FROM twin_plans(
  'SELECT id FROM TWIN WHERE l < ''Word12''', 'SELECT id FROM TWIN WHERE l COLLATE "C" > ''Word12''', 'SELECT id FROM TWIN WHERE l = ''Word12''',
  'SELECT id FROM TWIN WHERE t < ''word12''', 'SELECT id FROM TWIN WHERE t COLLATE planner_codepoints = ''word12''',
  'SELECT id FROM TWIN WHERE t COLLATE planner_codepoints < ''word12''', 'SELECT id FROM TWIN WHERE t COLLATE planner_codepoints LIKE ''word12%''',
  'SELECT t FROM TWIN ORDER BY t COLLATE planner_codepoints LIMIT 5', 'SELECT l FROM TWIN ORDER BY l LIMIT 5', 'SELECT l FROM TWIN ORDER BY l COLLATE "C" LIMIT 5',
  'SELECT max(t COLLATE planner_codepoints) FROM TWIN', 'SELECT x.id FROM TWIN x JOIN TWIN y ON x.t = y.t COLLATE planner_codepoints WHERE x.a = 7');
SELECT twins('SELECT id FROM TWIN WHERE t COLLATE planner_codepoints < ''word12''', true);

-- Boolean columns, expressions, networks.
SELECT * FROM twin_plans(
  'SELECT id FROM TWIN WHERE f', 'SELECT id FROM TWIN WHERE NOT f', 'SELECT id FROM TWIN WHERE f IS TRUE', 'SELECT id FROM TWIN WHERE f IS NOT TRUE',
  'SELECT id FROM TWIN WHERE f IS FALSE', 'SELECT id FROM TWIN WHERE f IS NULL', 'SELECT id FROM TWIN WHERE f = (a > 0)', 'SELECT id FROM TWIN WHERE f AND b > 2900',
  'SELECT id FROM TWIN WHERE a + b = 7', 'SELECT id FROM TWIN WHERE ip << ''10.0.1.0/24''', 'SELECT id FROM TWIN WHERE ip <<= ''10.0.1.0/24''');

-- Extremes and orders.
SELECT * FROM twin_plans(
  'SELECT min(t), max(t) FROM TWIN', 'SELECT min(n) FROM TWIN', 'SELECT max(ip) FROM TWIN', 'SELECT min(e), max(e) FROM TWIN', 'SELECT max(b) FROM TWIN WHERE a = 5',
  'SELECT n FROM TWIN ORDER BY n DESC', 'SELECT n FROM TWIN ORDER BY n LIMIT 5', 'SELECT n FROM TWIN ORDER BY n NULLS FIRST LIMIT 5',
  'SELECT e, u FROM TWIN ORDER BY e, u LIMIT 5', 'SELECT e FROM TWIN ORDER BY e NULLS FIRST LIMIT 35', 'SELECT u FROM TWIN ORDER BY u LIMIT 5',
  'SELECT ip FROM TWIN ORDER BY ip DESC LIMIT 35', 'SELECT y FROM TWIN WHERE y > ''\x80'' ORDER BY y DESC LIMIT 5', 'SELECT a, d FROM TWIN ORDER BY a, d LIMIT 5',
  'SELECT t, n FROM TWIN ORDER BY t, n LIMIT 5', 'SELECT d, b FROM TWIN ORDER BY d, b DESC LIMIT 5', 'SELECT d, b FROM TWIN ORDER BY d DESC, b LIMIT 35',
  'SELECT t, id FROM TWIN WHERE t = ''word7'' ORDER BY id', 'SELECT DISTINCT e FROM TWIN', 'SELECT e, count(*) FROM TWIN GROUP BY e', 'SELECT DISTINCT ON (a) a, b FROM TWIN ORDER BY a, b');
SELECT twins('SELECT a, b, n FROM TWIN ORDER BY a, b, n LIMIT 5', true);

-- Joins: left out, of one row at most, merged.
SELECT * FROM twin_plans(
  'SELECT x.id FROM TWIN x LEFT JOIN TWIN y ON x.a = y.id', 'SELECT x.id, y.t FROM TWIN x JOIN TWIN y ON x.a = y.id', 'SELECT x.id FROM TWIN x JOIN TWIN y ON x.a = y.id AND y.l = ''Word7''',
  'SELECT x.id FROM TWIN x LEFT JOIN TWIN y ON x.n = y.n', 'SELECT x.id FROM TWIN x LEFT JOIN TWIN y ON x.a = y.b AND y.f');
SELECT twins('SELECT x.id FROM TWIN x LEFT JOIN TWIN y ON x.a = y.id', true);
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT * FROM twin_plans(
  'SELECT x.id FROM TWIN x JOIN TWIN y USING (u)', 'SELECT x.id FROM TWIN x JOIN TWIN y USING (t)', 'SELECT x.id FROM TWIN x JOIN TWIN y USING (n)',
  'SELECT x.id FROM TWIN x JOIN TWIN y USING (ip)', 'SELECT x.id FROM TWIN x JOIN TWIN y USING (y)', 'SELECT x.a, y.a FROM TWIN x FULL JOIN TWIN y USING (a, b)',
  'SELECT x.id FROM TWIN x JOIN TWIN y ON x.id = y.d', 'SELECT count(*) FROM TWIN x JOIN TWIN y USING (e) WHERE x.id < 20');
RESET enable_hashjoin;
RESET enable_nestloop;

-- The constants of conditions as EXPLAIN shows them.
CREATE TABLE planner_constants (i int, q text);
INSERT INTO planner_constants VALUES (1, 'SELECT id FROM TWIN WHERE y > ''\x0102'' AND y < ''\x02'''), (2, 'SELECT id FROM TWIN WHERE e = ''middle'''),
  (3, 'SELECT id FROM TWIN WHERE l IN (''Word1'', ''it''''s'', ''\'')'), (4, 'SELECT id FROM TWIN WHERE n = 1.50'), (5, 'SELECT id FROM TWIN WHERE (t, id) > (''word'', 5) ORDER BY t, id LIMIT 3');
SELECT twins(q, true) FROM planner_constants WHERE i < 5 ORDER BY i;
SELECT show_plan(replace(q, 'TWIN', 'twin_o'), 'batched') FROM planner_constants ORDER BY i;

-- Values that came after ANALYZE: the planner looks at the ends of the index, whether or not it has more columns.
INSERT INTO twin_o (id, d, b, n) SELECT i, i, 0, i FROM generate_series(5001, 5300) AS i;
INSERT INTO twin_b (id, d, b, n) SELECT i, i, 0, i FROM generate_series(5001, 5300) AS i;
CREATE FUNCTION estimate(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  RETURN plan->0->'Plan'->>'Plan Rows';
END $$;
SELECT q, estimate(replace(q, 'TWIN', 'twin_o')) = estimate(replace(q, 'TWIN', 'twin_b')) AS same, estimate(replace(q, 'TWIN', 'twin_o')) > 5 AS seen
FROM unnest('{SELECT FROM TWIN WHERE d > 3100,SELECT FROM TWIN WHERE n > 1000,SELECT FROM TWIN WHERE id > 4000}'::text[]) AS q;

-- Comparisons of rows. PostgreSQL's nodes ask the index for the leading column; Omendb Scan begins, or ends, where the whole says.
RESET enable_seqscan;
RESET enable_bitmapscan;
CREATE TABLE rows_t (p int4, q int8, r text COLLATE "C", u uuid, id int4) WITH (autovacuum_enabled = off);
INSERT INTO rows_t SELECT CASE WHEN i % 41 > 0 THEN i % 4 END, CASE WHEN i % 37 > 0 THEN i * 7919 % 50 END, CASE WHEN i % 31 > 0 THEN 'r' || i * 31 % 90 END,
  md5((i % 70)::text)::uuid, i FROM generate_series(1, 1500) AS i;
CREATE INDEX rows_pqr ON rows_t USING omendb (p, q, r);
CREATE INDEX rows_uid ON rows_t USING omendb (u, id);
VACUUM ANALYZE rows_t;
SELECT show_plan('SELECT * FROM rows_t WHERE (p, q) > (2, 10) ORDER BY p, q LIMIT 5', 'index');
SELECT show_plan('SELECT * FROM rows_t WHERE (p, q) > (2, 10) ORDER BY p, q LIMIT 5', 'batched');
SELECT show_plan('SELECT p, q, r FROM rows_t WHERE (2, 10::int2, ''r5'') >= (p, q, r) ORDER BY p DESC, q DESC, r DESC LIMIT 5', 'batched_only');
SELECT show_plan('SELECT * FROM rows_t WHERE (p, q, id) > (2, 10, 7)', 'batched');
SELECT show_plan('SELECT * FROM rows_t WHERE (p, r, q) > (2, ''r5'', 7)', 'batched');
-- Also where nothing else asks for the columns: what there is for them is implied by a condition that nothing fulfils.
SELECT show_plan('SELECT id FROM rows_t WHERE p = ANY (ARRAY[]::int4[]) AND (p, q, id) > (2, 10, 7)', 'batched');
SELECT show_plan('SELECT * FROM rows_t WHERE (q, p) > (2, 10)', 'bitmap');
SELECT show_plan('SELECT * FROM rows_t WHERE (p, q) > (2, 10) OR (p = 1 AND q = 7)', 'bitmap');
SELECT show_plan('SELECT * FROM rows_t x JOIN rows_t y ON (y.p, y.q) > (x.p, x.q) WHERE x.u = ''00000000-0000-0000-0000-000000000000'' AND x.id = 5', 'index');
SELECT show_plan('SELECT count(*) FROM rows_t WHERE (p, q) > (2, 10)', 'only');
BEGIN;
SELECT set_config('omendb.enable_aggregate', 'on', true);
SELECT plan_of('SELECT count(*) FROM rows_t WHERE (p, q) > (2, 10)') ~ 'Omendb Aggregate' AS must_not_be;
COMMIT;

-- Few entries are read, whatever is equal in the leading column.
CREATE FUNCTION rows_read(query text) RETURNS SETOF text LANGUAGE plpgsql SET enable_bitmapscan = off SET enable_sort = off SET enable_seqscan = off AS $$
DECLARE line text;
BEGIN
  PERFORM set_config('omendb.enable_scan', 'on', true);
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ 'actual|Removed|Cond|Fetches' THEN RETURN NEXT line; END IF;
  END LOOP;
END $$;
SELECT rows_read('SELECT * FROM rows_t WHERE (p, q) > (2, 10) ORDER BY p, q LIMIT 5');
SELECT rows_read('SELECT * FROM rows_t WHERE (p, q, r) <= (2, 40, ''r7'') ORDER BY p DESC, q DESC, r DESC LIMIT 5');
SELECT rows_read('SELECT u, id FROM rows_t WHERE (u, id) > (''7f39f8317fbdb1988ef4c628eba02591'', 500) ORDER BY u, id LIMIT 5');
SELECT rows_read('SELECT p, q FROM rows_t WHERE p = 2 AND (p, q) > (2, 48)');
SELECT rows_read('SELECT p, q FROM rows_t WHERE (p, q) > (2, 48) AND (p, q) < (3, 1)');
PREPARE next_page(int8, int8) AS SELECT p, q FROM rows_t WHERE (p, q) > ($1, $2) ORDER BY p, q LIMIT 4;
SET plan_cache_mode = force_generic_plan;
SELECT rows_read('EXECUTE next_page(1, 45)');
SELECT rows_read('EXECUTE next_page(1, NULL)');
SELECT rows_read('EXECUTE next_page(NULL, 3)');
SELECT rows_read('EXECUTE next_page(1, 9223372036854775807)');
SELECT rows_read('EXECUTE next_page(99999999999, 3)');
RESET plan_cache_mode;

-- All orders of the columns, all comparisons, constants of other types, NULLs, values out of range.
CREATE FUNCTION rows_compared(keys text, OUT queries int, OUT matches int, OUT problems int) LANGUAGE plpgsql AS $$
DECLARE
  condition text;
  result text;
BEGIN
  queries := 0;
  matches := 0;
  problems := 0;
  DROP INDEX rows_pqr;
  EXECUTE format('CREATE INDEX rows_pqr ON rows_t USING omendb (%s)', keys);
  FOR condition IN
    SELECT format(side, columns, op, constants)
    FROM unnest('{<,<=,>=,>}'::text[]) AS o (op), unnest('{(%1$s) %2$s (%3$s),(%3$s) %2$s (%1$s)}'::text[]) AS s (side),
         (VALUES ('p, q', '2, 10'), ('p, q', '2::int8, 10::int2'), ('p, q', '99999999999, 3'), ('p, q', '-99999999999, 3'), ('p, q', '1, NULL'), ('p, q', 'NULL, 1'),
                 ('p, q, r', '1, 20, ''r45'''), ('p, q, r', '3, 49, ''zz'''), ('p, q, r', '1, NULL, ''r45'''), ('p, q, r', '0, 0, NULL'),
                 ('p, r', '1, ''r45'''), ('q, p', '20, 2'), ('p, q, id', '2, 10, 700'), ('p, q', '(SELECT 2), (SELECT 10::int8)')) AS c (columns, constants)
    UNION ALL
    SELECT unnest(ARRAY['(p, q) > (1, 10) AND (p, q) <= (1, 30)', '(p, q) > (1, 10) AND (p, q) < (1, 5)', 'p = 1 AND (p, q) > (1, 20)', 'p = ANY (''{0,1,2}'') AND (p, q) >= (1, 20)',
      'p = ANY (''{0,1,2}'') AND q = ANY (''{7,20,21}'') AND (p, q) > (1, 20)', '(p, q) > (1, 10) AND (p, q, r) > (1, 40, ''r3'')', 'p > 0 AND (p, q) > (0, 30)', '(p, q) > (0, 30) AND p IS NOT NULL AND q < 45'])
  LOOP
    result := compare('SELECT p, q, r FROM rows_t WHERE ' || condition, '{index,batched}');
    queries := queries + 1;
    IF result LIKE 'same, %' THEN
      matches := matches + substring(result FROM '\d+')::int;
    ELSE
      problems := problems + 1;
      RAISE WARNING '%: %', condition, result;
    END IF;
  END LOOP;
END $$;
SELECT keys, c.* FROM unnest('{"p, q, r","p DESC, q DESC, r DESC","p, q DESC, r","p NULLS FIRST, q NULLS FIRST, r DESC","p DESC NULLS LAST, q, r"}'::text[]) AS keys, rows_compared(keys) AS c;
