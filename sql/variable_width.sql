-- Types of variable width: text, varchar, bpchar, name, bytea, numeric, inet, cidr, bit, varbit, enums: keys in every
-- direction against a table without an index, while rows come and go; INCLUDE columns; long values; patterns.

CREATE COLLATION vw_codepoints (provider = libc, locale = 'C.UTF-8');
CREATE TYPE vw_mood AS ENUM ('d', 'a', 'c');
ALTER TYPE vw_mood ADD VALUE 'b' BEFORE 'a';
ALTER TYPE vw_mood ADD VALUE 'bb' AFTER 'b';
ALTER TYPE vw_mood ADD VALUE 'x' BEFORE 'd';

CREATE FUNCTION vw_text(n int, letters int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(string_agg(CASE ascii(c) % 11 WHEN 0 THEN ' ' WHEN 1 THEN 'ä' ELSE chr(97 + ascii(c) % letters) END, ''), '')
  FROM regexp_split_to_table(left(md5(n::text) || md5((n + 1)::text), n * 7 % 23), '') AS c $$;

CREATE TABLE vw_plain AS SELECT n AS id,
  CASE WHEN n % 17 > 0 THEN vw_text(n, 3 + n % 5) END COLLATE "C" AS t,
  vw_text(n, 9) COLLATE vw_codepoints AS tl,
  vw_text(n, 13)::varchar(50) COLLATE "C" AS vc,
  (vw_text(n, 4) || repeat(' ', n % 4))::bpchar COLLATE "C" AS bp,
  left(vw_text(n, 5), 8)::char(8) COLLATE vw_codepoints AS bc,
  vw_text(n, 6)::name AS nm,
  decode(md5((n % 300)::text), 'hex') || substr(decode(md5(n::text), 'hex'), 1, n % 4) AS ba,
  CASE n % 10 WHEN 0 THEN 'NaN' WHEN 1 THEN round(n / 7.0, n % 5) WHEN 2 THEN -round(n / 11.0, n % 4)
    WHEN 3 THEN (n % 100)::numeric(10, 2) WHEN 4 THEN 'Infinity' WHEN 5 THEN '-Infinity'
    WHEN 6 THEN power(10::numeric, n % 60 - 30) * (n % 7) WHEN 7 THEN -power(10::numeric, n % 60 - 30) * (n % 9)
    WHEN 8 THEN 0.00 ELSE n END AS nu,
  CASE WHEN n % 5 = 0 THEN ('fe80::' || to_hex(n % 500) || '/' || n % 129)::inet
    ELSE ('10.' || n % 4 || '.' || n % 200 || '.' || n % 7 || '/' || n % 33)::inet END AS ip,
  network(('10.' || n % 4 || '.' || n % 200 || '.' || n % 7 || '/' || n % 33)::inet) AS net,
  (n % 128)::bit(7) AS b, substring((n * 7919)::bit(20), 1, n % 20)::varbit AS vb,
  (enum_range(NULL::vw_mood))[1 + n % 6] AS m
FROM generate_series(1, 1500) AS n;
CREATE TABLE vw_indexed (LIKE vw_plain) WITH (autovacuum_enabled = off);
INSERT INTO vw_indexed SELECT * FROM vw_plain;

-- Returns how many queries agreed; raises an exception if one did not.
CREATE FUNCTION vw_compare(col text, opclass text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  direction text;
  condition text;
  key record;
  found text[];
  expected text[];
  ok boolean;
  compared int := 0;
BEGIN
  FOREACH direction IN ARRAY ARRAY['', 'DESC', 'NULLS FIRST', 'DESC NULLS LAST'] LOOP
    EXECUTE format('CREATE INDEX vw_i ON vw_indexed USING omendb (%s %s %s)', col, opclass, direction);
    PERFORM omendb_check('vw_i', true);
    FOR key IN EXECUTE format('SELECT quote_literal(a.%1$s) AS a, quote_literal(b.%1$s) AS b FROM vw_plain a JOIN vw_plain b '
        'ON b.id = a.id * 7 %% 1500 + 1 WHERE a.%1$s IS NOT NULL AND b.%1$s IS NOT NULL AND a.id %% 211 = 5', col) LOOP
      FOREACH condition IN ARRAY ARRAY['= %1$s', '< %1$s', '<= %1$s', '> %1$s', '>= %1$s', 'BETWEEN %1$s AND %2$s',
          'IN (%1$s, %2$s)', '>= ALL (ARRAY[%1$s, %2$s]::text[]::%3$s[])', 'IS NULL', 'IS NOT NULL'] LOOP
        condition := format('%s %s', col, format(condition, key.a, key.b,
          (SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'vw_plain'::regclass AND attname = col)));
        EXECUTE format('SELECT array_agg(id ORDER BY id) FROM vw_indexed WHERE %s', condition) INTO found;
        EXECUTE format('SELECT array_agg(id ORDER BY id) FROM vw_plain WHERE %s', condition) INTO expected;
        IF found IS DISTINCT FROM expected THEN RAISE EXCEPTION '% differs', condition; END IF;
        compared := compared + 1;
      END LOOP;
    END LOOP;
    -- In order, the values' very bytes, from the index alone.
    EXECUTE format('SELECT array_agg(v) FROM (SELECT %1$s::text AS v FROM vw_indexed ORDER BY %1$s %2$s) x', col, direction) INTO found;
    EXECUTE format('SELECT array_agg(v) FROM (SELECT %1$s::text AS v FROM vw_plain ORDER BY %1$s %2$s) x', col, direction) INTO expected;
    IF (SELECT array_agg(v ORDER BY v COLLATE "C") FROM unnest(found) v) IS DISTINCT FROM
       (SELECT array_agg(v ORDER BY v COLLATE "C") FROM unnest(expected) v) THEN RAISE EXCEPTION 'values of % differ', col; END IF;
    EXECUTE format('SELECT count(*) = 0 FROM (SELECT %1$s AS v, lag(%1$s) OVER (ROWS UNBOUNDED PRECEDING) AS before FROM '
      '(SELECT %1$s FROM vw_indexed WHERE %1$s IS NOT NULL ORDER BY %1$s %2$s OFFSET 0) y) x WHERE %3$s', col, direction,
      CASE WHEN direction LIKE 'DESC%' THEN 'v > before' ELSE 'v < before' END) INTO ok;
    IF NOT ok THEN RAISE EXCEPTION 'order of % %', col, direction; END IF;
    -- Rows come one by one and many at a time, and go.
    INSERT INTO vw_indexed SELECT * FROM vw_plain WHERE id % 3 = 0;
    PERFORM omendb_check('vw_i', true);
    EXECUTE format('UPDATE vw_indexed SET %1$s = p.%1$s FROM vw_plain p WHERE p.id = vw_indexed.id * 13 %% 1500 + 1 AND vw_indexed.id %% 4 = 0', col);
    PERFORM omendb_check('vw_i', true);
    TRUNCATE vw_indexed;
    INSERT INTO vw_indexed SELECT * FROM vw_plain ORDER BY id DESC;
    PERFORM omendb_check('vw_i', true);
    DROP INDEX vw_i;
  END LOOP;
  RETURN compared;
END $$;

SET jit = off;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT col, opclass, vw_compare(col, opclass)
FROM (VALUES (1, 't', ''), (2, 'tl', ''), (3, 'vc', ''), (4, 'bp', ''), (5, 'bc', ''), (6, 'nm', ''), (7, 'ba', ''), (8, 'nu', ''),
             (9, 'ip', ''), (10, 'net', 'inet_ops'), (11, 'b', ''), (12, 'vb', ''), (13, 'm', ''), (14, 'tl', 'text_pattern_ops'),
             (15, 'bp', 'bpchar_pattern_ops')) AS c(n, col, opclass) ORDER BY n;

-- Several columns, of which some are words; INCLUDE columns of any type.
CREATE TABLE vw_mixed (a int, t text COLLATE "C", u uuid, j jsonb, p point, bx box, note text) WITH (autovacuum_enabled = off);
INSERT INTO vw_mixed SELECT n % 7, CASE WHEN n % 11 > 0 THEN 'group ' || n % 40 END, md5((n % 90)::text)::uuid,
  jsonb_build_object('n', n), point(n, -n), box(point(n, n), point(0, 0)), repeat('x', n % 50) FROM generate_series(1, 3000) AS n;
CREATE INDEX vw_mixed_i ON vw_mixed USING omendb (a, t DESC, u) INCLUDE (j, p, bx, note);
SELECT omendb_check('vw_mixed_i', true);
VACUUM vw_mixed;
EXPLAIN (COSTS OFF) SELECT j, bx FROM vw_mixed WHERE a = 3 AND t = 'group 4';
SELECT count(*), sum((j->>'n')::int), sum(p[0]), sum(area(bx)), sum(length(note)) FROM vw_mixed WHERE a = 3 AND t > 'group 2' AND t < 'group 3';
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SET enable_seqscan = on;
SET omendb.enable_scan = off;
SET omendb.enable_aggregate = off;
SELECT count(*), sum((j->>'n')::int), sum(p[0]), sum(area(bx)), sum(length(note)) FROM vw_mixed WHERE a = 3 AND t > 'group 2' AND t < 'group 3';
RESET enable_indexscan;
RESET enable_indexonlyscan;
RESET omendb.enable_scan;
RESET omendb.enable_aggregate;
SET enable_seqscan = off;

-- Too long for a page: nothing is lost, and values to compare with may be as long as they like.
CREATE TABLE vw_long (id int, t text COLLATE "C", tl text COLLATE vw_codepoints) WITH (autovacuum_enabled = off);
ALTER TABLE vw_long ALTER t SET STORAGE EXTERNAL;
INSERT INTO vw_long SELECT n, repeat(chr(97 + n % 3), 1400 + n % 130), repeat('y', n) FROM generate_series(1, 300) AS n;
CREATE INDEX vw_long_i ON vw_long USING omendb (t);
SELECT omendb_check('vw_long_i', true);
\set VERBOSITY terse
INSERT INTO vw_long VALUES (301, repeat('z', 1600), '');
\set VERBOSITY default
SELECT count(*) FROM vw_long WHERE t = repeat('a', 100000);
SELECT count(*) FROM vw_long WHERE t < repeat('b', 100000);
SELECT count(*) FROM vw_long WHERE t > repeat('b', 100000);
CREATE INDEX vw_long_l ON vw_long USING omendb (tl);
SELECT count(*) FROM vw_long WHERE tl < repeat('y', 60000);
SELECT count(*) FROM vw_long WHERE tl < repeat('y', 70000);
DELETE FROM vw_long WHERE id % 3 > 0;
VACUUM vw_long;
SELECT omendb_check('vw_long_i', true);
DROP TABLE vw_long;

-- Prefixes: in C order, and by operator classes for patterns.
CREATE TABLE vw_words (w text COLLATE "C", v text COLLATE vw_codepoints) WITH (autovacuum_enabled = off);
INSERT INTO vw_words SELECT 'word' || n, 'word' || n FROM generate_series(1, 2000) AS n;
CREATE INDEX vw_words_w ON vw_words USING omendb (w);
ANALYZE vw_words;
EXPLAIN (COSTS OFF) SELECT w FROM vw_words WHERE w LIKE 'word12%';
SELECT count(*) FROM vw_words WHERE w LIKE 'word12%';
SELECT count(*) FROM vw_words WHERE w ~ '^word12';

-- Joins.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
CREATE TABLE vw_outer AS SELECT 'word' || n * 3 AS t, ('word' || n)::name AS nm FROM generate_series(1, 900) AS n;
ANALYZE vw_outer;
EXPLAIN (COSTS OFF) SELECT count(w) FROM vw_outer JOIN vw_words ON w = t COLLATE "C";
SELECT count(w), min(w), max(w) FROM vw_outer JOIN vw_words ON w = t COLLATE "C";
SELECT count(w), min(w), max(w) FROM vw_outer JOIN vw_words ON w = nm COLLATE "C";
SELECT count(*) FROM vw_outer WHERE NOT EXISTS (SELECT FROM vw_words WHERE w = t COLLATE "C");

DROP TABLE vw_plain, vw_indexed, vw_mixed, vw_words, vw_outer;
DROP TYPE vw_mood;
DROP FUNCTION vw_text, vw_compare;
DROP COLLATION vw_codepoints;
