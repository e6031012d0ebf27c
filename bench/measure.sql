-- What bench/run and bench/demo measure queries with, inside the server.
--
-- Both sides have tables of the same names and contents, one in schema btree, one in schema omendb, so that the text of
-- a query is the same on both and only search_path says which index it meets. Data that is no side's own (arguments,
-- probes) is in schema bench. Of the cold tier there is a third side, omendb with cold leaves, in schema offloaded.

CREATE EXTENSION pg_prewarm;
CREATE SCHEMA btree;
CREATE SCHEMA omendb;
CREATE SCHEMA offloaded;
CREATE SCHEMA bench;

-- Makes the session see one side, with the settings named in "off" switched off and all others on: those of the planner
-- and omendb.enable_hot_index. A side is a schema, which may be followed by settings that are off on it, whatever "off"
-- says. Plans cached under other settings are dropped: what is measured next is planned anew.
CREATE FUNCTION bench.take(side text, off text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  switched_off text[] := string_to_array(side || ' ' || off, ' ');
BEGIN
  PERFORM set_config('search_path', split_part(side, ' ', 1) || ', bench, public', false);
  PERFORM set_config(name, CASE WHEN name = ANY (switched_off) THEN 'off' ELSE 'on' END, false)
    FROM pg_settings
    WHERE (name LIKE 'enable\_%' AND vartype = 'bool' AND name NOT LIKE 'enable\_partitionwise%')
      OR name = 'omendb.enable_hot_index';
  EXECUTE 'DISCARD PLANS';
END $$;

-- The nodes of a query's plan, in one line.
CREATE FUNCTION bench.plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text;
  nodes text[] := '{}';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF nodes = '{}' OR line LIKE '%->  %' THEN
      nodes := nodes || ltrim(line, ' ->');
    END IF;
  END LOOP;
  RETURN array_to_string(nodes, ' / ');
END $$;

-- Makes bench.loop(), which runs a statement once for every row of bench.arguments, as a prepared statement, and
-- returns the sum of the answers. The statement says "INTO answer" and refers to the row as argument.value. Returns
-- the same statement as a PREPARE, for bench.compare to explain.
CREATE FUNCTION bench.make_loop(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format($f$
    CREATE OR REPLACE FUNCTION bench.loop() RETURNS numeric LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS
    $body$
    DECLARE
      argument record;
      answer numeric;
      total numeric := 0;
    BEGIN
      FOR argument IN SELECT value FROM bench.arguments LOOP
        %s;
        total := total + coalesce(answer, 0);
      END LOOP;
      RETURN total;
    END $body$ $f$, statement);
  RETURN format('PREPARE measured (%s) AS %s',
    (SELECT format_type(atttypid, atttypmod) FROM pg_attribute
      WHERE attrelid = 'bench.arguments'::regclass AND attname = 'value'),
    replace(replace(statement, ' INTO answer', ''), 'argument.value', '$1'));
END $$;

-- Runs a query on some sides in turn, "repeats" times at least and, if that is more than one, until that has taken so
-- many milliseconds (but no more than 100 times), and gives each side's median in milliseconds, and how often it ran
-- there altogether. With 0 repeats it only looks whether the answers are right.
--
-- "plans" are sets of planner settings to switch off. Each side tries all of them once, warm, and then uses the one
-- that was fastest for it: no side is judged by a plan that it could do better than.
-- Every answer is compared with that of "reference", which runs without any index.
-- "prepare" makes the statement "measured" whose plan is looked at, if the query itself does not show it; or null.
CREATE FUNCTION bench.compare_sides(query text, reference text, repeats int, plans text[], prepare text, sides text[],
  least_ms float8, OUT ms float8[], OUT equal boolean, OUT plan text[], OUT runs int[])
LANGUAGE plpgsql AS $$
DECLARE
  count int := cardinality(sides);
  best text[];
  side int;
  least float8;
  seen text[];
  nodes text;
  off text;
  taken float8;
  rounds int := 0;
  spent float8 := 0;
  of_side int[] := '{}';
  times float8[] := '{}';
  started timestamptz;
  expected text;
  answer text;
BEGIN
  PERFORM bench.take(sides[1], 'enable_indexscan enable_indexonlyscan enable_bitmapscan enable_nestloop');
  EXECUTE reference INTO expected;
  equal := true;
  IF prepare IS NOT NULL THEN
    PERFORM set_config('plan_cache_mode', 'force_generic_plan', false);
    EXECUTE prepare;
  END IF;

  runs := array_fill(0, ARRAY[count]);
  FOR side IN 1 .. count LOOP
    seen := '{}';
    least := 'infinity';
    FOREACH off IN ARRAY plans LOOP
      PERFORM bench.take(sides[side], off);
      nodes := bench.plan(CASE WHEN prepare IS NULL THEN query ELSE 'EXECUTE measured (NULL)' END);
      CONTINUE WHEN nodes = ANY (seen);
      seen := seen || nodes;
      EXECUTE query INTO answer;
      equal := equal AND answer IS NOT DISTINCT FROM expected;
      started := clock_timestamp();
      EXECUTE query INTO answer;
      taken := 1000 * extract(epoch FROM clock_timestamp() - started);
      runs[side] := runs[side] + 2;
      IF taken < least THEN
        least := taken;
        best[side] := off;
        plan[side] := nodes;
      END IF;
    END LOOP;
  END LOOP;

  WHILE rounds < repeats OR (repeats > 1 AND spent < least_ms AND rounds < 100) LOOP
    -- None always goes first.
    FOR n IN 0 .. count - 1 LOOP
      side := 1 + (rounds + n) % count;
      PERFORM bench.take(sides[side], best[side]);
      started := clock_timestamp();
      EXECUTE query INTO answer;
      taken := 1000 * extract(epoch FROM clock_timestamp() - started);
      spent := spent + taken;
      equal := equal AND answer IS NOT DISTINCT FROM expected;
      runs[side] := runs[side] + 1;
      of_side := of_side || side;
      times := times || taken;
    END LOOP;
    rounds := rounds + 1;
  END LOOP;

  FOR side IN 1 .. count LOOP
    ms[side] := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times, of_side) AS m (t, s)
      WHERE s = side);
  END LOOP;
END $$;

-- The same for two sides, and a second.
CREATE FUNCTION bench.compare(query text, reference text, repeats int, plans text[], prepare text,
  sides text[] DEFAULT '{btree,omendb}',
  OUT first_ms float8, OUT second_ms float8, OUT equal boolean, OUT first_plan text, OUT second_plan text)
LANGUAGE plpgsql AS $$
BEGIN
  SELECT c.ms[1], c.ms[2], c.equal, c.plan[1], c.plan[2] INTO first_ms, second_ms, equal, first_plan, second_plan
  FROM bench.compare_sides(query, reference, repeats, plans, prepare, sides, 1000) c;
END $$;

-- Whether the rows of a table that has one index come out the same through that index and without it: their number and
-- the sum of the hashes of the key, whose first column is given.
CREATE FUNCTION bench.index_agrees(tab text, first text DEFAULT 'k', hash text DEFAULT 'hashint8(k)') RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  -- (Not every type has a min.)
  query text := format('SELECT count(*) || '':'' || sum(%s) FROM %s WHERE %s >= (SELECT %3$s FROM %2$s ORDER BY %3$s LIMIT 1)',
                       hash, tab, first);
  with_index text;
  without text;
BEGIN
  PERFORM bench.take('bench', 'enable_seqscan enable_bitmapscan');
  EXECUTE query INTO with_index;
  PERFORM bench.take('bench', 'enable_indexscan enable_indexonlyscan enable_bitmapscan');
  EXECUTE query INTO without;
  RETURN with_index = without;
END $$;
