-- Timestamps without time zone compared with instants, and dates with both: the session's time zone decides, and where
-- clocks are set forward its conversion is not monotonic.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

SET datestyle = 'ISO, YMD';

-- Local times around changes of the offset: by an hour, by half an hour, by a day that was left out or had twice, by
-- odd seconds; some of these times no clock showed, others twice.
CREATE TABLE changes (zone text, at timestamp);
INSERT INTO changes VALUES
  ('America/New_York', '2021-03-14 02:00'), ('America/New_York', '2021-11-07 02:00'),
  ('America/New_York', '165224-03-10 02:00'),
  ('Australia/Lord_Howe', '2021-10-03 02:00'), ('Australia/Lord_Howe', '2021-04-04 02:00'),
  ('Pacific/Apia', '2011-12-30 00:00'), ('Pacific/Kwajalein', '1993-08-21 00:00'),
  ('Asia/Manila', '1844-12-31 00:00'), ('Europe/Dublin', '1916-10-01 03:00'), ('Europe/Moscow', '2014-10-26 02:00'),
  ('Africa/Casablanca', '2022-03-27 03:00'), ('UTC', '2021-03-14 02:00');

CREATE TABLE local_time (id serial, t timestamp, d date);
INSERT INTO local_time (t, d)
SELECT at + n * interval '20 minutes' + us * interval '1 microsecond', (at + n * interval '6 hours')::date
FROM changes, generate_series(-60, 60) AS n, generate_series(-1, 0) AS us;
INSERT INTO local_time (t, d) VALUES ('infinity', 'infinity'), ('-infinity', '-infinity'), (NULL, NULL),
  ('4714-11-24 00:00:00 BC', '4714-11-24 BC'), ('294276-12-31 23:59:59.999999', '5874897-12-31');
CREATE INDEX local_t ON local_time USING omendb (t);
CREATE INDEX local_t_desc ON local_time USING omendb (t DESC, id);
CREATE INDEX local_d ON local_time USING omendb (d);
VACUUM ANALYZE local_time;

-- Every operator with instants on both sides, in the change's own zone: all answers are those of a
-- sequential scan.
CREATE FUNCTION compare_instants(probed text, indexed text) RETURNS TABLE (zone text, change text, queries bigint, matches bigint,
  problems bigint)
LANGUAGE plpgsql AS $$
DECLARE
  c changes;
  condition text;
  result text;
BEGIN
  FOR c IN SELECT * FROM changes LOOP
    PERFORM set_config('timezone', c.zone, false);
    zone := c.zone;
    change := c.at;
    queries := 0;
    matches := 0;
    problems := 0;
    FOR condition IN
      SELECT format('%s %s %L::timestamptz', probed, op, instant)
      FROM unnest('{<,<=,=,>=,>}'::text[]) AS op,
           generate_series(c.at::timestamptz - interval '25 hours', c.at::timestamptz + interval '25 hours',
                           interval '500 minutes') AS s (instant)
      UNION ALL
      SELECT format('%1$s >= %2$L::timestamptz AND %1$s < %3$L::timestamptz', probed, instant, instant + interval '40 minutes')
      FROM generate_series(c.at::timestamptz - interval '2 hours', c.at::timestamptz + interval '2 hours',
                           interval '20 minutes') AS s (instant)
      UNION ALL
      SELECT format('%s = ANY (%L::timestamptz[])', probed, array_agg(instant))
      FROM generate_series(c.at::timestamptz - interval '3 hours', c.at::timestamptz + interval '3 hours',
                           interval '10 minutes') AS s (instant)
      UNION ALL
      SELECT format('%s %s %L::timestamptz', probed, op, edge)
      FROM unnest('{<,<=,=,>=,>}'::text[]) AS op,
           unnest('{infinity,-infinity,4714-11-24 00:00:00+00 BC,294276-12-31 23:59:59.999999+00}'::text[]) AS edge
    LOOP
      result := compare(format('SELECT %s FROM local_time WHERE %s', indexed, condition), '{index,bitmap,batched}');
      queries := queries + 1;
      IF result LIKE 'same, %' THEN
        matches := matches + substring(result FROM '\d+')::bigint;
      ELSE
        problems := problems + 1;
        RAISE WARNING '%: % in %', condition, result, c.zone;
      END IF;
    END LOOP;
    RETURN NEXT;
  END LOOP;
END $$;

SELECT * FROM compare_instants('t', 't');
SELECT sum(problems) FROM compare_instants('d', 'd');

-- In the gap two local times are one instant: both are found, in order, in both directions.
SET timezone = 'America/New_York';
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT t FROM local_time WHERE t IN ('2021-03-14 07:20:00+00'::timestamptz, '2021-03-14 07:40:00+00') ORDER BY t DESC;
RESET enable_seqscan;
RESET enable_bitmapscan;

SELECT omendb_check('local_t', true), omendb_check('local_t_desc', true), omendb_check('local_d', true);
