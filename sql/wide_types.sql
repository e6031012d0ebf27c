-- uuid, timetz, interval (two words each), macaddr, macaddr8, pg_lsn, xid8, tid: keys and INCLUDE columns; domains over them.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

-- Extremes, each with NULLs beside it; values that differ in the second word only; values that are equal but not the same.
CREATE FUNCTION uuid_of(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT CASE n % 3
  WHEN 0 THEN md5(n::text)::uuid
  WHEN 1 THEN ('018bcfe5-68' || lpad(to_hex(n % 256), 2, '0') || '-7000-8000-' || right(md5(n::text), 12))::uuid
  ELSE ('00000000-0000-0000-8000-' || lpad(to_hex(n * 37 % 1000), 12, '0'))::uuid END $$;
CREATE FUNCTION mac_of(n int) RETURNS macaddr LANGUAGE sql IMMUTABLE AS $$ SELECT substr(md5((n % 700)::text), 1, 12)::macaddr $$;
CREATE TABLE wide_t (id int, u uuid, tz timetz, iv interval, m macaddr, m8 macaddr8, l pg_lsn, x xid8, t tid);
CREATE VIEW wide_rows AS
  SELECT n AS id, CASE WHEN n % 23 > 0 THEN uuid_of(n) END AS u,
         CASE WHEN n % 19 > 0 THEN ((n * 7 % 24 || ':' || n % 60)::time || CASE n % 4 WHEN 0 THEN '+00' WHEN 1 THEN '-05' WHEN 2 THEN '+05:30' ELSE '+14' END)::timetz END AS tz,
         CASE n % 7 WHEN 0 THEN make_interval(secs => n * 3600.5) WHEN 1 THEN make_interval(days => n % 90) WHEN 2 THEN make_interval(months => n % 3) WHEN 3 THEN make_interval(hours => n % 90 * 24)
           WHEN 4 THEN make_interval(days => n % 9, secs => -n / 7.0) WHEN 5 THEN make_interval(months => -n % 40, days => n % 61) END AS iv,
         CASE WHEN n % 13 > 0 THEN mac_of(n) END AS m, CASE WHEN n % 13 <> 2 THEN macaddr8_set7bit(mac_of(n)::macaddr8) END AS m8,
         CASE WHEN n % 11 > 0 THEN '0/0'::pg_lsn + (n * 4099::numeric * CASE n % 2 WHEN 0 THEN 1 ELSE 1000000 END) END AS l,
         CASE WHEN n % 9 > 0 THEN (spread(n) & 9223372036854775807)::text::xid8 END AS x,
         CASE WHEN n % 8 > 0 THEN format('(%s,%s)', n % 50, n % 7)::tid END AS t
  FROM generate_series(1, 3000) AS n;
INSERT INTO wide_t
  SELECT -n, v.*
  FROM generate_series(1, 3) AS n,
       (VALUES ('00000000-0000-0000-0000-000000000000'::uuid, '00:00+15:59:59'::timetz, '178000000 years'::interval, '00:00:00:00:00:00'::macaddr, '00:00:00:00:00:00:00:00'::macaddr8, '0/0'::pg_lsn, '0'::xid8, '(0,0)'::tid),
               ('ffffffff-ffff-ffff-ffff-ffffffffffff', '24:00-15:59:59', '-178000000 years', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', 'FFFFFFFF/FFFFFFFF', '18446744073709551615', '(4294967295,65535)'),
               ('00000000-0000-0000-ffff-ffffffffffff', '00:00-15:59:59', '-2147483648 months -2147483648 days', '7f:ff:ff:ff:ff:ff', '7f:ff:ff:ff:ff:ff:ff:ff', '7FFFFFFF/FFFFFFFF', '9223372036854775807', '(2147483647,32767)'),
               ('00000000-0000-0001-0000-000000000000', '24:00+15:59:59', '2147483647 months 2147483647 days', '80:00:00:00:00:00', '80:00:00:00:00:00:00:00', '80000000/0', '9223372036854775808', '(2147483648,32768)'),
               ('7fffffff-ffff-ffff-ffff-ffffffffffff', '12:00+00', '1 mon', '00:00:00:ff:ff:ff', '00:00:00:00:ff:ff:ff:ff', '0/FFFFFFFF', '4294967295', '(0,65535)'),
               ('80000000-0000-0000-0000-000000000000', '11:00-01', '30 days', '00:00:01:00:00:00', '00:00:00:01:00:00:00:00', '1/0', '4294967296', '(1,0)'),
               ('80000000-0000-0000-7fff-ffffffffffff', '13:00+01', '720:00:00', '00:00:00:80:00:00', '00:00:00:00:80:00:00:00', '0/80000000', '2147483648', '(1,1)'),
               ('80000000-0000-0000-8000-000000000000', '12:00:00.000001+00', '1 mon -1 days +24:00:00', '00:00:00:7f:ff:ff', '00:00:00:00:7f:ff:ff:ff', '0/7FFFFFFF', '2147483647', '(1,2)'),
               ('80000000-0000-0000-8000-000000000001', '11:59:59.999999+00', '-1 mon', '00:00:00:00:00:01', '00:00:00:00:00:00:00:01', '0/1', '1', '(0,1)'),
               (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
               (NULL, '12:00+00', '-00:00:00.000001', NULL, 'ff:ff:ff:ff:00:00:00:00', NULL, '3', NULL),
               ('018bcfe5-6801-7000-8000-000000000000', NULL, '0', '08:00:2b:01:02:03', NULL, '16/B374D848', NULL, '(42,3)')) AS v;
INSERT INTO wide_t SELECT * FROM wide_rows WHERE id <= 1500;
CREATE INDEX wide_u ON wide_t USING omendb (u);
CREATE INDEX wide_tz ON wide_t USING omendb (tz DESC);
CREATE INDEX wide_iv ON wide_t USING omendb (iv NULLS FIRST);
CREATE INDEX wide_m ON wide_t USING omendb (m);
CREATE INDEX wide_m8 ON wide_t USING omendb (m8 DESC NULLS LAST);
CREATE INDEX wide_l ON wide_t USING omendb (l);
CREATE INDEX wide_x ON wide_t USING omendb (x);
CREATE INDEX wide_tid ON wide_t USING omendb (t);
INSERT INTO wide_t SELECT * FROM wide_rows WHERE id > 1500;
UPDATE wide_t SET u = u, iv = iv WHERE id % 17 = 5;
UPDATE wide_t SET iv = justify_interval(iv) WHERE id % 29 = 5 AND id > 0;
DELETE FROM wide_t WHERE id % 9 = 4;
VACUUM ANALYZE wide_t;
SELECT omendb_check(i, true) FROM unnest('{wide_u,wide_tz,wide_iv,wide_m,wide_m8,wide_l,wide_x,wide_tid}'::regclass[]) AS i;

SELECT show_plan('SELECT * FROM wide_t WHERE u = ''00000000-0000-0000-0000-000000000000''', 'index');
SELECT show_plan('SELECT u FROM wide_t WHERE u > ''80000000-0000-0000-8000-000000000000'' ORDER BY u', 'only');
SELECT show_plan('SELECT iv FROM wide_t WHERE iv = ANY (''{1 mon,1 day}'')', 'bitmap');

-- Every operator with every probe, and the ranges between neighbours; what is shown are the very bytes.
SELECT col, c.*
FROM (VALUES (1, 'u', 'uuid', 'uuid_send(u)', '{00000000-0000-0000-0000-000000000000,00000000-0000-0000-8000-0000000000aa,00000000-0000-0000-ffff-ffffffffffff,00000000-0000-0001-0000-000000000000,'
                      '018bcfe5-6800-0000-0000-000000000000,7fffffff-ffff-ffff-ffff-ffffffffffff,80000000-0000-0000-0000-000000000000,80000000-0000-0000-7fff-ffffffffffff,'
                      '80000000-0000-0000-8000-000000000000,80000000-0000-0000-8000-000000000001,ffffffff-ffff-ffff-ffff-ffffffffffff}'::text[]),
             (2, 'tz', 'timetz', 'timetz_send(tz)', '{24:00-15:59:59,12:00:00.000001+00,12:00+00,11:00-01,13:00+01,11:59:59.999999+00,05:30+05:30,00:00+15:59:59}'),
             (3, 'iv', 'interval', 'interval_send(iv)', '{-2147483648 months -2147483648 days,-178000000 years,-1 mon,-00:00:00.000001,0,1 day,24:00:00,29 days 24:00,1 mon,30 days,720:00:00,720:00:00.000001,1 year,'
                      '2147483647 months 2147483647 days}'),
             (4, 'm', 'macaddr', 'macaddr_send(m)', '{00:00:00:00:00:00,00:00:00:00:00:01,00:00:00:80:00:00,00:00:00:ff:ff:ff,00:00:01:00:00:00,7f:ff:ff:ff:ff:ff,80:00:00:00:00:00,ff:ff:ff:ff:ff:ff}'),
             (5, 'm8', 'macaddr8', 'macaddr8_send(m8)', '{00:00:00:00:00:00:00:00,00:00:00:00:7f:ff:ff:ff,00:00:00:00:80:00:00:00,00:00:00:00:ff:ff:ff:ff,00:00:00:01:00:00:00:00,7f:ff:ff:ff:ff:ff:ff:ff,'
                      '80:00:00:00:00:00:00:00,ff:ff:ff:ff:00:00:00:00,ff:ff:ff:ff:ff:ff:ff:ff}'),
             (6, 'l', 'pg_lsn', 'l', '{0/0,0/1,0/7FFFFFFF,0/80000000,0/FFFFFFFF,1/0,7FFFFFFF/FFFFFFFF,80000000/0,FFFFFFFF/FFFFFFFF}'),
             (7, 'x', 'xid8', 'x', '{0,1,4294967295,4294967296,9223372036854775807,9223372036854775808,18446744073709551615}'),
             (8, 't', 'tid', 'tidsend(t)', '{"(0,0)","(0,1)","(0,65535)","(1,0)","(42,3)","(2147483647,32767)","(2147483648,32768)","(4294967295,65535)"}')) AS k (i, col, probe_type, shown, probes),
     compare_operators('wide_t', col, probe_type, probes, shown) AS c
ORDER BY i;
SELECT condition, compare(format('SELECT %s(%s) FROM wide_t WHERE %s', typ || CASE typ WHEN 'xid8' THEN '' ELSE '_send' END, split_part(condition, ' ', 1), condition))
FROM (VALUES ('uuid', 'u IS NULL'), ('uuid', 'u IS NOT NULL'), ('uuid', 'u = ANY (''{ffffffff-ffff-ffff-ffff-ffffffffffff,NULL,00000000-0000-0000-8000-000000000025,00000000-0000-0000-8000-000000000025}'')'),
             ('uuid', 'u = ANY (''{}'')'), ('uuid', 'u > ANY (''{ffffffff-ffff-ffff-ffff-fffffffffff0,80000000-0000-0000-0000-000000000000}'')'),
             ('uuid', 'u >= ''80000000-0000-0000-8000-000000000000'' AND u < ''80000000-0000-0000-8000-000000000000'''),
             ('uuid', 'u > ''80000000-0000-0000-8000-000000000000'' AND u < ''80000000-0000-0000-8000-000000000001'''),
             ('uuid', 'u > ''00000000-0000-0000-8000-000000000100'' AND u <= ''00000000-0000-0000-8000-000000000200'' AND u <> ''00000000-0000-0000-8000-000000000101'''),
             ('timetz', 'tz IS NULL'), ('timetz', 'tz IS NOT NULL'), ('timetz', 'tz = ANY (''{12:00+00,11:00-01,NULL,24:00-15:59:59}'')'), ('timetz', 'tz < ANY (''{00:00+15:59:59,01:00+14}'')'),
             ('interval', 'iv IS NULL'), ('interval', 'iv IS NOT NULL'), ('interval', 'iv = ANY (''{1 mon,30 days,NULL,0,-1 mon,2 mons}'')'), ('interval', 'iv > ''1 mon'' AND iv < ''30 days'''),
             ('interval', 'iv >= ''1 mon'' AND iv <= ''30 days'''), ('interval', 'iv < ''-1 day'' AND iv > ''-1 year'''),
             ('macaddr', 'm IS NULL'), ('macaddr', 'm = ANY (ARRAY[mac_of(5), mac_of(6), mac_of(5), NULL])'), ('macaddr8', 'm8 IS NOT NULL AND m8 > ''f0:00:00:00:00:00:00:00'''),
             ('macaddr8', 'm8 = ANY (''{ff:ff:ff:ff:ff:ff:ff:ff,00:00:00:00:ff:ff:ff:ff}'')'), ('pg_lsn', 'l IS NULL'), ('pg_lsn', 'l = ANY (''{0/0,1/0,NULL,FFFFFFFF/FFFFFFFF}'')'),
             ('xid8', 'x IS NULL'), ('xid8', 'x = ANY (''{0,3,18446744073709551615}'')')) AS v (typ, condition);
SELECT condition, compare('SELECT t FROM wide_t WHERE ' || condition)
FROM (VALUES ('t IS NULL'), ('t = ANY (''{"(1,1)","(1,2)","(1,3)",NULL,"(42,3)"}'')'), ('t >= ''(3,0)'' AND t < ''(5,0)''')) AS v (condition);

-- Order.  Equal intervals come in any, so what is compared is their span.
CREATE FUNCTION span(interval) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
  SELECT ((extract(year FROM $1) * 12 + extract(month FROM $1)) * 30 + extract(day FROM $1)) * 86400 + extract(hour FROM $1) * 3600 + extract(minute FROM $1) * 60 + extract(second FROM $1) $$;
SELECT col, tail, compare(format('SELECT %s FROM wide_t ORDER BY %s %s', coalesce(shown, col), col, tail), '{index,only,batched,batched_only}', true)
FROM (VALUES (1, 'u', NULL, ''), (2, 'tz', NULL, ' DESC'), (3, 'iv', 'span(iv)', ' NULLS FIRST'), (4, 'm', NULL, ''), (5, 'm8', NULL, ' DESC NULLS LAST'), (6, 'l', NULL, ''), (7, 'x', NULL, ''), (8, 't', NULL, '')) AS k (i, col, shown, tail)
ORDER BY i;
SELECT col, tail, compare(format('SELECT %s FROM wide_t WHERE %s %s ORDER BY %s %s', coalesce(shown, col), col, condition, col, tail), '{index,only,batched,batched_only}', true)
FROM (VALUES (1, 'u', NULL, 'IS NOT NULL', 'DESC LIMIT 100'), (2, 'tz', NULL, '> ''12:00+00''', 'LIMIT 100'), (3, 'iv', 'span(iv)', '< ''1 mon''', 'DESC NULLS LAST'),
             (4, 'm', NULL, '< ''80:00:00:00:00:00''', 'DESC'), (5, 'm8', NULL, '>= ''80:00:00:00:00:00:00:00''', 'NULLS FIRST'), (6, 'l', NULL, '> ''0/80000000''', 'DESC'), (8, 't', NULL, '<= ''(42,3)''', 'DESC')) AS k (i, col, shown, condition, tail)
ORDER BY i;
SELECT compare('SELECT min(tz), max(tz), min(l), max(l), min(t), max(t) FROM wide_t', '{index,only,batched,batched_only}'), compare('SELECT span(min(iv)), span(max(iv)) FROM wide_t', '{index,only,batched,batched_only}');
-- A cursor to and fro.
BEGIN;
SELECT force_scan('only');
DECLARE c SCROLL CURSOR FOR SELECT u FROM wide_t WHERE u > '80000000-0000-0000-0000-000000000000' ORDER BY u;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
MOVE LAST FROM c;
FETCH BACKWARD 2 FROM c;
COMMIT;

-- Several columns, in each direction, a uuid first, in the middle, or last.
CREATE TABLE tenant_t (tenant int4, created timestamptz, id uuid, took interval, note int);
INSERT INTO tenant_t
  SELECT nullif(n % 12, 0), '2024-01-01'::timestamptz + n % 50 * interval '1 hour', CASE WHEN n % 37 > 0 THEN uuid_of(n % 600) END, make_interval(days => n % 3, hours => n % 5 * 24), n
  FROM generate_series(1, 2000) AS n;
CREATE INDEX tenant_tci ON tenant_t USING omendb (tenant, created, id);
CREATE INDEX tenant_it ON tenant_t USING omendb (id DESC, tenant NULLS FIRST);
CREATE INDEX tenant_tki ON tenant_t USING omendb (took DESC NULLS LAST, id, tenant) INCLUDE (note, created);
INSERT INTO tenant_t
  SELECT nullif(n % 12, 0), '2024-01-01'::timestamptz + n % 50 * interval '1 hour', CASE WHEN n % 37 > 0 THEN uuid_of(n % 600) END, make_interval(days => n % 3, hours => n % 5 * 24), n
  FROM generate_series(2001, 4000) AS n;
DELETE FROM tenant_t WHERE note % 7 = 3;
VACUUM ANALYZE tenant_t;
SELECT omendb_check(i, true) FROM unnest('{tenant_tci,tenant_it,tenant_tki}'::regclass[]) AS i;
SELECT condition, compare('SELECT tenant, created, id FROM tenant_t WHERE ' || condition)
FROM (VALUES ('tenant = 5 AND created = ''2024-01-02 13:00'' AND id = uuid_of(137)'), ('tenant = 5 AND created > ''2024-01-02 05:00'' AND id > uuid_of(2)'),
             ('tenant = ANY (''{1,2,3}'') AND created = ''2024-01-02 05:00'' AND id = ANY (ARRAY[uuid_of(229), uuid_of(279), NULL, uuid_of(529)])'),
             ('tenant IS NULL AND created < ''2024-01-01 10:00'' AND id IS NULL'), ('tenant > 5 AND id IS NOT NULL AND id < ''01000000-0000-0000-0000-000000000000'''),
             ('tenant = ANY (''{3,4,5}'')'), ('tenant = 7 AND id IS NULL')) AS v (condition);
SELECT condition, compare('SELECT id, tenant FROM tenant_t WHERE ' || condition)
FROM (VALUES ('id = uuid_of(100) AND tenant = 4'), ('id = uuid_of(100) AND tenant > 4'), ('id IS NULL AND tenant = 5'), ('id IS NULL AND tenant IS NULL'), ('id > uuid_of(99) AND tenant = 3'),
             ('id = ANY (ARRAY[uuid_of(100), uuid_of(101), uuid_of(100)]) AND tenant = ANY (''{4,5,8}'')'), ('id < ''00000000-0000-0000-8000-000000000100'' AND id > ''00000000-0000-0000-8000-000000000001'' AND tenant IS NOT NULL')) AS v (condition);
SELECT condition, compare('SELECT interval_send(took), id, tenant, note, created FROM tenant_t WHERE ' || condition, '{index,only,bitmap,batched}')
FROM (VALUES ('took = ''1 day'' AND id = uuid_of(100)'), ('took = ''24:00'' AND id > uuid_of(5) AND tenant < 6'), ('took = ''2 days'' AND id IS NULL'), ('took > ''3 days'''), ('took <= ''1 day'' AND note < 500')) AS v (condition);
SELECT condition, compare('SELECT * FROM tenant_t WHERE ' || condition, '{index,bitmap,batched}')
FROM (VALUES ('took = ANY (''{1 day,2 days,48:00}'') AND id = uuid_of(8) AND tenant = 8'), ('tenant BETWEEN 2 AND 3 AND id = uuid_of(14)')) AS v (condition);
SELECT tail, compare('SELECT tenant, created, id FROM tenant_t ORDER BY ' || tail, '{index,only,batched,batched_only}', true)
FROM (VALUES ('tenant, created, id'), ('tenant DESC, created DESC, id DESC')) AS o (tail);
SELECT tail, compare('SELECT id, tenant FROM tenant_t ORDER BY ' || tail, '{index,only,batched,batched_only}', true)
FROM (VALUES ('id DESC, tenant NULLS FIRST'), ('id, tenant DESC NULLS LAST LIMIT 500')) AS o (tail);
SELECT compare('SELECT span(took), id, tenant FROM tenant_t ORDER BY took DESC NULLS LAST, id, tenant', '{index,only,batched,batched_only}', true),
       compare('SELECT tenant, created, id FROM tenant_t WHERE tenant = 6 AND created = ''2024-01-01 06:00'' ORDER BY id DESC', '{index,only,batched,batched_only}', true);
REINDEX TABLE tenant_t;
SELECT omendb_check(i, true) FROM unnest('{tenant_tci,tenant_it,tenant_tki}'::regclass[]) AS i;

-- Totals.  Groups by a column of two words; equal intervals may differ, so no groups of those.
SELECT query, compare_aggregate(query)
FROM (VALUES ('SELECT count(*) FROM tenant_t WHERE id > ''00000000-0000-0000-8000-000000000100'' AND id <= ''80000000-0000-0000-0000-000000000000'''),
             ('SELECT id, count(*) FROM tenant_t GROUP BY id'), ('SELECT id, tenant, count(*), sum(tenant) FROM tenant_t WHERE id = ANY (ARRAY[uuid_of(100), uuid_of(29)]) GROUP BY id, tenant'),
             ('SELECT tenant, count(id), count(*) FROM tenant_t GROUP BY tenant'), ('SELECT id, count(*), min(created), max(note) FROM tenant_t WHERE took = ''1 day'' GROUP BY id'),
             ('SELECT tenant, created, id, count(*) FROM tenant_t WHERE tenant < 4 GROUP BY tenant, created, id'), ('SELECT tenant, date_trunc(''day'', created, ''UTC''), count(id) FROM tenant_t GROUP BY 1, 2'),
             ('SELECT tz, count(*) FROM wide_t GROUP BY tz'), ('SELECT m, count(*) FROM wide_t GROUP BY m'), ('SELECT t, count(t) FROM wide_t WHERE t > ''(3,0)'' GROUP BY t'), ('SELECT x, count(*) FROM wide_t GROUP BY x'),
             ('SELECT count(iv), count(*) FROM wide_t WHERE iv >= ''1 mon'''), ('SELECT m8, count(m8) FROM wide_t GROUP BY m8'), ('SELECT l, count(*) FROM wide_t WHERE l < ''1/0'' GROUP BY l')) AS v (query);
SELECT substr(compare_aggregate('SELECT iv, count(*) FROM wide_t GROUP BY iv'), 1, 12);

-- INCLUDE columns of up to 16 bytes.
CREATE TABLE wide_incl (k int, u uuid, tz timetz, iv interval, m macaddr, m8 macaddr8, l pg_lsn, x xid8, t tid, p point);
INSERT INTO wide_incl SELECT id % 300, u, tz, iv, m, m8, l, x, t, CASE WHEN id % 5 > 0 THEN point(id, -id / 3.0) END FROM wide_t;
CREATE INDEX wide_incl_k ON wide_incl USING omendb (k) INCLUDE (u, tz, iv, m, m8, l, x, t, p);
INSERT INTO wide_incl SELECT * FROM wide_incl WHERE k % 3 = 0;
DELETE FROM wide_incl WHERE k % 11 = 4;
VACUUM ANALYZE wide_incl;
SELECT condition, compare('SELECT k, u, timetz_send(tz), interval_send(iv), m, m8, l, x, t, point_send(p) FROM wide_incl WHERE ' || condition)
FROM (VALUES ('k = 5'), ('k < 20'), ('k < 100 AND u > ''80000000-0000-0000-0000-000000000000'''), ('k >= 0 AND iv = ''1 mon'''), ('k < 0'), ('k = ANY (''{1,2,3,30}'') AND t IS NULL')) AS v (condition);
SELECT omendb_check('wide_incl_k'::regclass, true);
SELECT compare_aggregate('SELECT k, count(u), count(p) FROM wide_incl GROUP BY k');

-- Domains.
CREATE DOMAIN order_id AS uuid CHECK (VALUE <> '00000000-0000-0000-0000-000000000000');
CREATE DOMAIN duration AS interval NOT NULL;
CREATE TABLE wide_domain (o order_id, d duration);
INSERT INTO wide_domain SELECT CASE WHEN n % 11 > 0 THEN uuid_of(n) END, make_interval(mins => n % 100 * 60) FROM generate_series(1, 1000) AS n;
CREATE INDEX wide_od ON wide_domain USING omendb (o) INCLUDE (d);
CREATE INDEX wide_do ON wide_domain USING omendb (d, o);
VACUUM ANALYZE wide_domain;
SELECT condition, compare('SELECT o, interval_send(d) FROM wide_domain WHERE ' || condition)
FROM (VALUES ('o = uuid_of(7)'), ('o > ''80000000-0000-0000-0000-000000000000''::order_id'), ('d = ''2 days'' AND o IS NULL'), ('d >= ''3 days'' AND o < uuid_of(1)'), ('o = ANY (ARRAY[uuid_of(3), uuid_of(4)]::order_id[])')) AS v (condition);
SELECT omendb_check('wide_od'::regclass, true), omendb_check('wide_do'::regclass, true);

-- Built by several processes, with more than memory holds.
SET min_parallel_table_scan_size = 0;
SET max_parallel_maintenance_workers = 2;
SET maintenance_work_mem = '1MB';
CREATE TABLE wide_build AS SELECT uuid_of(n) AS u, make_interval(secs => n * 7919 % 100000 / 3.0) AS iv FROM generate_series(1, 30000) AS n;
CREATE INDEX wide_build_u ON wide_build USING omendb (u, iv);
CREATE INDEX wide_build_iv ON wide_build USING omendb (iv) INCLUDE (u);
RESET min_parallel_table_scan_size;
RESET max_parallel_maintenance_workers;
RESET maintenance_work_mem;
VACUUM ANALYZE wide_build;
SELECT omendb_check('wide_build_u'::regclass, true), omendb_check('wide_build_iv'::regclass, true);
SELECT compare('SELECT u, iv FROM wide_build WHERE u = uuid_of(777)'), compare('SELECT u, iv FROM wide_build WHERE iv BETWEEN ''1 hour'' AND ''2 hours'''),
       compare('SELECT u FROM wide_build WHERE u = ANY (ARRAY(SELECT uuid_of(n) FROM generate_series(1, 1000) AS n))', '{index,only,bitmap,batched,batched_only}');

-- As many columns as there is room for.
SELECT format('CREATE TABLE wide_many (%s)', string_agg('u' || n || ' uuid', ', ')) FROM generate_series(1, 17) AS n \gexec
SELECT format('CREATE INDEX wide_many_17 ON wide_many USING omendb (%s)', string_agg('u' || n, ', ' ORDER BY n)) FROM generate_series(1, 17) AS n \gexec
SELECT format('CREATE INDEX wide_many_16 ON wide_many USING omendb (%s)', string_agg('u' || n, ', ' ORDER BY n)) FROM generate_series(1, 16) AS n \gexec
INSERT INTO wide_many (u1, u2, u16, u17) SELECT uuid_of(n % 2), uuid_of(n % 50), uuid_of(n), uuid_of(n) FROM generate_series(1, 500) AS n;
VACUUM ANALYZE wide_many;
SELECT omendb_check('wide_many_16'::regclass, true), compare('SELECT u1, u2, u16 FROM wide_many WHERE u1 = uuid_of(1) AND u2 > uuid_of(20) AND u3 IS NULL', '{index,only,bitmap,batched}');
CREATE TABLE wide_words (i1 interval, i2 interval, i3 interval, k int);
SELECT format('CREATE INDEX wide_words_i ON wide_words USING omendb (i1, i2, i3) INCLUDE (%s)', string_agg('i1', ', ')) FROM generate_series(1, 28) AS n \gexec
\echo :LAST_ERROR_SQLSTATE
