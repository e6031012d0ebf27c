-- Read by every sql/*.sql: what they need to ask the same question by several
-- kinds of scan and to compare the answers.
--
-- Starts each file in an empty schema of its own, so that a file runs alone and
-- runs twice.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS omendb;
DROP SCHEMA IF EXISTS omendb_test CASCADE;
CREATE SCHEMA omendb_test;
SET search_path = omendb_test, public;
RESET client_min_messages;

SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SET timezone = 'America/New_York';
SET lc_monetary = 'C';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SET max_parallel_workers_per_gather = 0;
SET jit = off;

-- Plans are PostgreSQL's, unless a test asks for ours.
SET omendb.enable_scan = off;
SET omendb.enable_lookup_join = off;
SET omendb.enable_aggregate = off;

-- Make the planner scan in one way, until the end of the transaction or of the
-- calling function: 'seq', 'index', 'only' (index-only), 'bitmap', or by Omendb
-- Scan: 'batched', 'batched_only'.  Joins and totals come from rows.
CREATE FUNCTION force_scan(way text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF way NOT IN ('seq', 'index', 'only', 'bitmap', 'batched', 'batched_only') THEN
    RAISE EXCEPTION 'unknown kind of scan: %', way;
  END IF;
  -- What it was before a batched scan was forced in this transaction.
  IF coalesce(current_setting('compare.cpu_operator_cost', true), '') = '' THEN
    PERFORM set_config('compare.cpu_operator_cost', current_setting('cpu_operator_cost'), true);
  END IF;
  PERFORM set_config('enable_seqscan', (way = 'seq')::text, true),
          set_config('enable_indexscan', (way NOT IN ('seq', 'bitmap'))::text, true),
          set_config('enable_indexonlyscan', (way IN ('only', 'batched_only'))::text, true),
          set_config('omendb.enable_scan', (way IN ('batched', 'batched_only'))::text, true),
          -- What a batch costs, so that one of a single row is no dearer.
          set_config('cpu_operator_cost', CASE WHEN way LIKE 'batched%' THEN '0' ELSE current_setting('compare.cpu_operator_cost') END, true),
          set_config('enable_bitmapscan', (way = 'bitmap')::text, true),
          set_config('enable_sort', (way IN ('seq', 'bitmap'))::text, true),
          set_config('omendb.enable_lookup_join', 'off', true),
          set_config('omendb.enable_aggregate', 'off', true);
END $$;

-- The plan of a query, as the settings are.
CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text;
  plan text := '';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    plan := plan || line || E'\n';
  END LOOP;
  RETURN plan;
END $$;

-- The plan of a query under one kind of scan.
CREATE FUNCTION show_plan(query text, way text) RETURNS SETOF text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on
SET enable_bitmapscan = on SET enable_sort = on AS $$
BEGIN
  PERFORM force_scan(way);
  RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query;
END $$;

-- Does a plan scan the way it was asked to?
CREATE FUNCTION plan_has(plan text, way text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE way
    WHEN 'seq' THEN plan !~ 'Index'
    WHEN 'index' THEN plan ~ '\mIndex Scan\M'
    WHEN 'only' THEN plan ~ '\mIndex Only Scan\M'
    WHEN 'bitmap' THEN plan ~ '\mBitmap Index Scan\M'
    ELSE plan ~ '\mOmendb Scan\M' AND plan !~ '\mIndex (Only )?Scan\M'
  END
$$;

-- The rows of a query, condensed: how many, and a digest of their text.  The
-- order counts in the digest if `ordered`.
CREATE FUNCTION digest_query(query text, ordered boolean) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT format(CASE WHEN ordered
    THEN 'SELECT count(*), md5(string_agg(coalesce(r::text, ''null''), '','')) AS digest FROM (%s) AS r'
    ELSE 'SELECT count(*), sum(hashtextextended(r::text, 0))::text AS digest FROM (%s) AS r' END, query)
$$;

-- Run a query by a sequential scan and by each of `ways`.  Says 'same, N rows',
-- or what is wrong: other rows, or a plan that does not scan that way or, for
-- an `ordered` query, has to sort.
CREATE FUNCTION compare(query text, ways text[] DEFAULT '{index,only,bitmap,batched,batched_only}', ordered boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on
SET enable_bitmapscan = on SET enable_sort = on AS $$
DECLARE
  digest text := digest_query(query, ordered);
  expected record;
  got record;
  way text;
  plan text;
  problems text := '';
BEGIN
  PERFORM force_scan('seq');
  EXECUTE digest INTO expected;
  FOREACH way IN ARRAY ways LOOP
    PERFORM force_scan(way);
    plan := plan_of(digest);
    IF NOT plan_has(plan, way) THEN
      problems := problems || format(', no %s scan', way);
      CONTINUE;
    END IF;
    IF ordered AND plan ~ '\mSort\M' THEN
      problems := problems || format(', %s scan is sorted', way);
    END IF;
    EXECUTE digest INTO got;
    IF got IS DISTINCT FROM expected THEN
      problems := problems || format(', %s scan is DIFFERENT: %s rows instead of %s', way, got.count, expected.count);
    END IF;
  END LOOP;
  RETURN CASE problems WHEN '' THEN format('same, %s rows', expected.count) ELSE substr(problems, 3) END;
END $$;

-- Make the planner prefer Omendb Aggregates of several processes, until the end of the
-- transaction.
CREATE FUNCTION force_parallel_totals() RETURNS void LANGUAGE sql AS $$
  SELECT set_config('max_parallel_workers_per_gather', '2', true), set_config('parallel_setup_cost', '0', true),
    set_config('parallel_tuple_cost', '0', true), set_config('min_parallel_table_scan_size', '0', true),
    set_config('min_parallel_index_scan_size', '0', true), set_config('cpu_operator_cost', '0.1', true)
$$;

-- The same for Omendb Aggregate: a query's rows by it and by a sequential scan, or another
-- one, which decides in which order rows come that the totals of floats are of.  Or by
-- several processes, `parallel`.
CREATE FUNCTION compare_aggregate(query text, ordered boolean DEFAULT false, way text DEFAULT 'seq', parallel boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on SET enable_bitmapscan = on
SET enable_sort = on SET omendb.enable_aggregate = on AS $$
DECLARE
  digest text := digest_query(query, ordered);
  workers text := current_setting('max_parallel_workers_per_gather');
  expected record;
  got record;
  plan text;
BEGIN
  PERFORM force_scan(way);
  EXECUTE digest INTO expected;
  PERFORM force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
  IF parallel THEN
    PERFORM force_parallel_totals();
  END IF;
  plan := plan_of(digest);
  EXECUTE digest INTO got;
  PERFORM set_config('max_parallel_workers_per_gather', workers, true);
  RETURN CASE WHEN plan !~ CASE WHEN parallel THEN 'Parallel Custom Scan \(Omendb Aggregate\)' ELSE 'Omendb Aggregate' END THEN E'another plan:\n' || plan
    WHEN ordered AND plan ~ '\mSort\M' THEN 'sorted'
    WHEN got IS DISTINCT FROM expected THEN format('DIFFERENT: %s rows instead of %s', got.count, expected.count)
    ELSE format('same, %s rows', expected.count) END;
END $$;

-- Compare `column op probe` for the five operators and every probe, and each
-- range between two neighbours of the list.  `shown` is what to select.
CREATE FUNCTION compare_operators(tab text, col text, probe_type text, probes text[], shown text DEFAULT NULL,
  OUT queries int, OUT matches bigint, OUT problems int)
LANGUAGE plpgsql AS $$
DECLARE
  condition text;
  result text;
BEGIN
  queries := 0;
  matches := 0;
  problems := 0;
  FOR condition IN
    SELECT format('%s %s %L::%s', col, op, probe, probe_type)
    FROM unnest(probes) WITH ORDINALITY AS p (probe, n), unnest('{<,<=,=,>=,>}'::text[]) WITH ORDINALITY AS o (op, m)
    UNION ALL
    SELECT format('%1$s > %2$L::%4$s AND %1$s <= %3$L::%4$s', col, probes[n], probes[n + 1], probe_type)
    FROM generate_series(1, cardinality(probes) - 1) AS n
  LOOP
    result := compare(format('SELECT %s FROM %s WHERE %s', coalesce(shown, col), tab, condition));
    queries := queries + 1;
    IF result LIKE 'same, %' THEN
      matches := matches + substring(result FROM '\d+')::bigint;
    ELSE
      problems := problems + 1;
      RAISE WARNING '%: %', condition, result;
    END IF;
  END LOOP;
END $$;

-- A well spread 64-bit number for each n.
CREATE FUNCTION spread(n int) RETURNS int8 LANGUAGE sql IMMUTABLE AS $$
  SELECT ((n::numeric * 6364136223846793005 + 1442695040888963407) % 18446744073709551616 - 9223372036854775808)::int8
$$;
