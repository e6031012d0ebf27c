-- date, timestamp, timestamptz: every operator of every pair of types; infinities, time zones.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE dt_t (id int, d date, t timestamp, z timestamptz);
INSERT INTO dt_t
  SELECT -n, d, t, z
  FROM generate_series(1, 3) AS n,
       (VALUES ('-infinity'::date, '-infinity'::timestamp, '-infinity'::timestamptz), ('infinity', 'infinity', 'infinity'),
               ('4714-11-24 BC', '4714-11-24 00:00:00 BC', '4714-11-24 00:00:00+00 BC'),
               ('5874897-12-31', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00'),
               ('294277-01-01', '1999-12-31 23:59:59.999999', '1999-12-31 23:59:59.999999+00'),
               ('2000-01-01', '2000-01-01', '2000-01-01 00:00:00+00'), (NULL, NULL, NULL),
               ('2000-01-02', '2000-01-01 00:00:00.000001', '2000-01-01 00:00:00-05')) AS v (d, t, z);
-- Rows on both sides of both changes of New York's clocks in 2021.
INSERT INTO dt_t
  SELECT n, '2021-01-01'::date + (n * 7 % 400), '2021-03-14'::timestamp + n * interval '17 minutes 3 microseconds',
         '2021-11-07 00:00+00'::timestamptz + n * interval '7 minutes'
  FROM generate_series(1, 800) AS n;
CREATE INDEX dt_d ON dt_t USING omendb (d);
CREATE INDEX dt_t_t ON dt_t USING omendb (t);
CREATE INDEX dt_z ON dt_t USING omendb (z);
INSERT INTO dt_t
  SELECT n, '2021-01-01'::date + (n * 7 % 400),
         CASE n % 4 WHEN 0 THEN '2021-03-01'::timestamp + n * interval '1 hour' ELSE '2000-01-01'::timestamp + spread(n) / 100 * interval '1 microsecond' END,
         CASE n % 4 WHEN 0 THEN '2021-03-14 00:00+00'::timestamptz + n * interval '1 minute' ELSE '2000-01-01 00:00+00'::timestamptz + spread(n) / 200 * interval '1 microsecond' END
  FROM generate_series(801, 1600) AS n;
DELETE FROM dt_t WHERE id % 5 = 3;
VACUUM ANALYZE dt_t;

SELECT show_plan('SELECT * FROM dt_t WHERE d = ''2021-05-05''::date', 'index');
SELECT show_plan('SELECT d FROM dt_t WHERE d >= ''2021-05-05 12:00''::timestamp AND d < ''2021-06-01''::timestamptz', 'only');
SELECT show_plan('SELECT * FROM dt_t WHERE z > ''2021-05-05''::date', 'bitmap');
SELECT show_plan('SELECT t FROM dt_t ORDER BY t DESC NULLS FIRST', 'only');

SELECT col, probe_type, c.*
FROM unnest('{d,t,z}'::text[]) WITH ORDINALITY AS k (col, i),
     (VALUES ('date', '{-infinity,4714-11-24 BC,0001-01-01,1999-12-31,2000-01-01,2000-01-02,2021-01-01,2021-03-14,2021-03-15,'
                      '2021-11-07,2021-11-08,294276-12-31,294277-01-01,5874897-12-31,infinity}'::text[]),
             ('timestamp', '{-infinity,4714-11-24 BC,1999-12-31 23:59:59.999999,2000-01-01,2000-01-01 00:00:00.000001,2000-01-02,'
                           '2021-03-14,2021-03-14 02:30,2021-03-14 03:00,2021-11-07 01:30,2021-11-08,'
                           '294276-12-31 23:59:59.999999,infinity}'),
             ('timestamptz', '{-infinity,4714-11-24 00:00:00+00 BC,1999-12-31 23:59:59.999999+00,2000-01-01 00:00+00,'
                             '2000-01-01,2000-01-02,2021-03-14,2021-03-14 07:00+00,2021-11-07 05:30+00,2021-11-07 06:30+00,'
                             '2021-11-08,294276-12-31 23:59:59.999999+00,infinity}')) AS p (probe_type, probes),
     compare_operators('dt_t', col, probe_type, probes) AS c
ORDER BY i, probe_type;

-- A comparison of a date or timestamp with a timestamptz depends on the session's time zone.
SELECT z AS zone, set_config('timezone', z, false) = z AS set,
       compare('SELECT d FROM dt_t WHERE d = ''2021-11-07 04:00+00''::timestamptz') AS date_equal,
       compare('SELECT t FROM dt_t WHERE t < ''2021-03-14 07:00+00''::timestamptz') AS timestamp_less,
       compare('SELECT z FROM dt_t WHERE z >= ''2021-11-07''::date') AS timestamptz_from
FROM unnest('{UTC,Asia/Tokyo,Pacific/Kiritimati,America/New_York}'::text[]) AS z;

SELECT condition, compare('SELECT d FROM dt_t WHERE ' || condition)
FROM (VALUES ('d = ANY (''{2021-05-05,2021-01-01,NULL,2021-05-05,infinity,-infinity}''::date[])'), ('d = ANY (''{}''::date[])'),
             ('d = ANY (''{2021-05-05 00:00,2021-05-06 00:01,2021-05-07,infinity}''::timestamp[])'),
             ('d = ANY (''{2021-05-05 04:00+00,2021-05-06 00:00+00,NULL}''::timestamptz[])'),
             ('d >= ANY (''{2021-12-01 00:01,2022-01-01}''::timestamp[])'), ('d < ANY (''{NULL,-infinity}''::date[])'),
             ('d > ''-infinity'' AND d < ''infinity'''), ('d > ''2021-05-05'' AND d < ''2021-05-05'''),
             ('d >= ''2021-05-01'' AND d < ''2021-06-01'' AND d >= ''2021-05-10 12:00''::timestamp'),
             ('isfinite(d) AND d > ''2021-06-01'''), ('d IS NULL'), ('d IS NOT NULL')) AS v (condition);
SELECT condition, compare('SELECT z FROM dt_t WHERE ' || condition)
FROM (VALUES ('z = ANY (''{2000-01-01,2000-01-01 00:00+00,NULL,infinity}''::timestamptz[])'),
             ('z = ANY (''{2000-01-01,2021-03-14}''::date[])'),
             ('z >= ''2021-11-07'' AND z < ''2021-11-08'''), ('z IS NULL'), ('z IS NOT NULL')) AS v (condition);

SELECT col, tail, compare(format('SELECT %s FROM dt_t %s', col, format(tail, col)), '{index,only,batched,batched_only}', true)
FROM unnest('{d,t,z}'::text[]) WITH ORDINALITY AS k (col, i),
     unnest('{ORDER BY %1$s,ORDER BY %1$s DESC,WHERE %1$s > ''2021-05-05'' ORDER BY %1$s LIMIT 5,'
            'WHERE %1$s < ''2021-05-05'' ORDER BY %1$s DESC LIMIT 5}'::text[]) WITH ORDINALITY AS o (tail, j)
ORDER BY i, j;
SELECT compare('SELECT min(d), max(d), min(t), max(t), min(z), max(z) FROM dt_t', '{index,only,batched,batched_only}');
SELECT compare('SELECT date_trunc(''day'', z), count(*) FROM dt_t WHERE z >= ''2021-11-01'' AND z < ''2021-12-01'' GROUP BY 1 ORDER BY 1',
               '{only,bitmap}');
SELECT compare('SELECT a.id, b.id FROM dt_t a JOIN dt_t b ON a.d = b.z', '{index,batched}'),
       compare('SELECT a.id, b.id FROM dt_t a JOIN dt_t b ON a.d = b.t', '{index,batched}');

-- The very bytes come back from an index-only scan.
SELECT compare('SELECT date_send(d) FROM dt_t WHERE d IS NOT NULL', '{only,batched_only}'),
       compare('SELECT timestamp_send(t) FROM dt_t WHERE t IS NOT NULL', '{only,batched_only}'),
       compare('SELECT timestamptz_send(z) FROM dt_t WHERE z IS NOT NULL', '{only,batched_only}');

SELECT omendb_check('dt_d'::regclass, true), omendb_check('dt_t_t'::regclass, true), omendb_check('dt_z'::regclass, true);
