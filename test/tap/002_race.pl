# Everything at the same time: readers that compare kinds of scan within one snapshot, writers of several habits, VACUUM,
# cursors, DDL and serializable transactions, on pages so small that they split, share, empty and come back all the
# while.  Each mix ends with omendb_check of every index and the same answers by every kind of scan.
#
#   OMENDB_RACE_SECONDS=N    how long a mix takes (default 18, times OMENDB_SOAK)
#   OMENDB_RACE_MIXES=A,B    only these mixes
#
# Meanwhile one more session moves leaves into segments and back, without end.
#
# A mix runs on 2, 8 and 32 clients, a third of its time each.  It needs the test build.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @client_counts = (2, 8, 32);
my $seconds = $ENV{OMENDB_RACE_SECONDS} || 18 * $soak;
my $node;
my $repeatable = "BEGIN ISOLATION LEVEL REPEATABLE READ;\n";
my $serializable = "BEGIN ISOLATION LEVEL SERIALIZABLE;\n";

# A page lock that is never released shows here: who waits for what.
$SIG{ALRM} = sub {
    diag($node->safe_psql('postgres', <<'END')) if $node;
SELECT pid, backend_type, wait_event_type, wait_event, state, left(query, 120) FROM pg_stat_activity
END
    die "a mix does not come to its end\n";
};

sub vacuum { return "VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) $_[0];" }

# What the mixes share: rows that come, move and go (t), and tokens that only move: in every snapshot all of them are
# there, once, and what they are worth sums up to nothing.
my $tables = <<'END';
CREATE TABLE t (id bigserial, k int8, a int4);
INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 3000);
CREATE INDEX t_k ON t USING omendb (k);
CREATE INDEX t_ak ON t USING omendb (a, k DESC) INCLUDE (id);
CREATE INDEX t_id ON t USING omendb (id);

CREATE TABLE token (id int4, k int8, worth int8);
CREATE SEQUENCE last_in_line START 1000000000;
INSERT INTO token SELECT n, n * 1000, 0 FROM generate_series(1, 1000) AS n;
CREATE INDEX token_id ON token USING omendb (id);
CREATE INDEX token_k ON token USING omendb (k) INCLUDE (worth);
CREATE INDEX token_kw ON token USING omendb (k, worth);

CREATE FUNCTION must_be_complete() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  way text;
  n int8;
  ids int8;
  total numeric;
BEGIN
  FOREACH way IN ARRAY '{index,only,bitmap,batched,batched_only}'::text[] LOOP
    PERFORM force_scan(way);
    -- Planned each time: a plan that is kept would be that of the first way.
    EXECUTE 'SELECT count(*), count(DISTINCT id) FROM token WHERE id >= 0' INTO n, ids;
    IF n <> 1000 OR ids <> 1000 THEN
      RAISE EXCEPTION 'WRONG ANSWER: % rows, % tokens by % scan', n, ids, way;
    END IF;
    EXECUTE 'SELECT count(*), sum(worth) FROM token WHERE k > -9223372036854775808' INTO n, total;
    IF n <> 1000 OR total <> 0 THEN
      RAISE EXCEPTION 'WRONG ANSWER: % rows worth % by % scan', n, total, way;
    END IF;
  END LOOP;
END $$;

-- A cursor walks to and fro, pausing so that the tree changes under it; it must see one order and the same rows.
CREATE FUNCTION must_walk(low int8, high int8, way text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  c refcursor;
  expected int8[];
  seen int8[] := '{}';
  r int8;
  turn int;
BEGIN
  PERFORM force_scan('seq');
  SELECT coalesce(array_agg(k ORDER BY k), '{}') INTO expected FROM t WHERE k BETWEEN low AND high;
  PERFORM force_scan(way);
  OPEN c SCROLL FOR SELECT k FROM t WHERE k BETWEEN low AND high ORDER BY k;
  LOOP
    FETCH c INTO r;
    EXIT WHEN NOT FOUND;
    seen := seen || r;
    IF cardinality(seen) % 20 = 0 THEN
      PERFORM pg_sleep(0.002);
      FOR turn IN 1 .. 15 LOOP FETCH BACKWARD FROM c INTO r; END LOOP;
      IF r IS DISTINCT FROM seen[cardinality(seen) - 15] THEN
        RAISE EXCEPTION 'WRONG ANSWER: % instead of % after turning back', r, seen[cardinality(seen) - 15];
      END IF;
      PERFORM pg_sleep(0.001);
      FOR turn IN 1 .. 15 LOOP FETCH c INTO r; END LOOP;
      IF r IS DISTINCT FROM seen[cardinality(seen)] THEN
        RAISE EXCEPTION 'WRONG ANSWER: % instead of % after turning back twice', r, seen[cardinality(seen)];
      END IF;
    END IF;
  END LOOP;
  IF seen <> expected THEN
    RAISE EXCEPTION 'WRONG ANSWER: % by a cursor instead of %', seen, expected;
  END IF;
  seen := '{}';
  LOOP
    FETCH BACKWARD FROM c INTO r;
    EXIT WHEN NOT FOUND;
    seen := r || seen;
    IF cardinality(seen) % 50 = 0 THEN PERFORM pg_sleep(0.001); END IF;
  END LOOP;
  IF seen <> expected THEN
    RAISE EXCEPTION 'WRONG ANSWER: % by a cursor on its way back instead of %', seen, expected;
  END IF;
  CLOSE c;
END $$;
END

# Weights and scripts that several mixes have.
my @move_tokens = (
    30 => <<'END',
\set from random(1, 1000)
\set to random(1, 1000)
\set amount random(-100, 100)
UPDATE token SET k = (random() * 1e7)::int8,
  worth = worth + CASE WHEN :from = :to THEN 0 WHEN id = :from THEN -1 * :amount ELSE :amount END
WHERE id IN (:from, :to);
END
    2 => vacuum('token'),
    8 => "$repeatable SELECT must_be_complete(); COMMIT;");
my @scatter = (
    20 => 'INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 20);',
    20 => <<'END',
\set k random(0, 1000000)
UPDATE t SET k = (random() * 1e6)::int8 WHERE id = (SELECT id FROM t WHERE k >= :k ORDER BY k LIMIT 1);
END
    10 => <<'END',
\set k random(0, 1000000)
DELETE FROM t WHERE id IN (SELECT id FROM t WHERE k BETWEEN :k AND :k + 15000 FOR UPDATE SKIP LOCKED);
END
    2 => vacuum('t'));
my @compare_ranges = (
    8 => <<"END",
\\set k random(0, 900000)
$repeatable
SELECT must_be_same(format('SELECT k FROM t WHERE k BETWEEN %s AND %s', :k::int8, :k::int8 + 100000));
SELECT must_be_same(format('SELECT a, k FROM t WHERE a IN (1, 3, 7) AND k > %s ORDER BY a, k DESC', :k::int8),
  '{index,only,batched,batched_only}', true);
SELECT must_be_same(format('SELECT k FROM t WHERE k < %s ORDER BY k DESC LIMIT 50', :k::int8), '{index,only,batched,batched_only}', true);
SELECT must_be_same_totals(format('SELECT count(*), sum(k), min(k), max(k) FROM t WHERE k > %s', :k::int8));
SELECT must_be_same_totals('SELECT a, count(*), sum(k), max(id) FROM t GROUP BY a');
COMMIT;
END
    # Workers share a scan; a merge join goes back to where it was.
    3 => <<"END",
\\set k random(0, 900000)
$repeatable
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL min_parallel_index_scan_size = 0;
SELECT must_be_same('SELECT k FROM t WHERE k > 200000');
COMMIT;
END
    3 => <<"END",
\\set k random(0, 900000)
$repeatable
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
SELECT must_be_same(format('SELECT x.k, y.k FROM t AS x JOIN t AS y USING (a) WHERE x.k BETWEEN %s AND %s AND '
  'y.k BETWEEN %s AND %s', :k::int8, :k::int8 + 20000, :k::int8, :k::int8 + 30000), '{index,only,batched,batched_only}');
COMMIT;
END
);

# Queues: rows come at the right end and go at the left one; tokens that are served stand in line again.
my @queue = (
    30 => 'INSERT INTO t (k, a) SELECT 0, n FROM generate_series(1, 10) AS n;',
    60 => 'DELETE FROM t WHERE id = ANY (ARRAY(SELECT id FROM t ORDER BY id LIMIT 5 FOR UPDATE SKIP LOCKED));',
    1 => 'DELETE FROM t WHERE id < (SELECT max(id) FROM t) - 2000;',
    30 => <<'END',
UPDATE token SET k = nextval('last_in_line')
WHERE id = ANY (ARRAY(SELECT id FROM token ORDER BY k LIMIT 3 FOR UPDATE SKIP LOCKED));
END
    5 => vacuum('t'),
    5 => vacuum('token'),
    5 => "$repeatable SELECT must_be_complete(); COMMIT;",
    5 => <<"END",
$repeatable
SELECT must_be_same('SELECT id FROM t ORDER BY id LIMIT 100', '{index,only,batched,batched_only}', true);
SELECT must_be_same('SELECT id FROM t ORDER BY id DESC LIMIT 100', '{index,only,batched,batched_only}', true);
SELECT must_be_same('SELECT id FROM t WHERE id > 0');
SELECT must_be_same('SELECT k FROM token WHERE k > 0');
COMMIT;
END
);

my $held = <<'END';
CREATE FUNCTION must_be_equal(a int8, b int8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF a IS DISTINCT FROM b THEN RAISE EXCEPTION 'WRONG ANSWER: % rows, then % in one snapshot', a, b; END IF;
END $$;

CREATE FUNCTION all_between(low int8, high int8) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM force_scan('seq');
  RETURN (SELECT coalesce(string_agg(k::text, ' ' ORDER BY k), '') FROM t WHERE k BETWEEN low AND high);
END $$;
CREATE FUNCTION declare_held(low int8, high int8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM force_scan('index');
  EXECUTE format('DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT k FROM t WHERE k BETWEEN %s AND %s ORDER BY k',
                 low, high);
END $$;
CREATE FUNCTION must_hold(expected text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  held refcursor := 'held';
  r int8;
  seen text := '';
BEGIN
  MOVE ABSOLUTE 0 FROM held;
  LOOP
    FETCH held INTO r;
    EXIT WHEN NOT FOUND;
    seen := seen || ' ' || r;
  END LOOP;
  IF substr(seen, 2) <> expected THEN
    RAISE EXCEPTION 'WRONG ANSWER: % by a cursor WITH HOLD instead of %', seen, expected;
  END IF;
END $$;
END
my @cursors = (
    15 => <<"END",
\\set k random(0, 900000)
\\set only random(0, 1)
$repeatable
SELECT must_walk(:k, :k + 100000, CASE WHEN :only = 1 THEN 'only' ELSE 'index' END);
COMMIT;
END
    # A snapshot that grows old while everything changes, and what a cursor WITH HOLD took with it.
    3 => <<"END",
\\set k random(0, 900000)
$repeatable
SELECT count(*) AS before FROM t WHERE k BETWEEN :k AND :k + 100000 \\gset
SELECT pg_sleep(0.2);
SELECT must_be_same(format('SELECT k FROM t WHERE k BETWEEN %s AND %s', :k::int8, :k::int8 + 100000));
SELECT must_be_equal(:before, (SELECT count(*) FROM t WHERE k BETWEEN :k AND :k + 100000));
COMMIT;
END
    3 => <<"END",
\\set k random(0, 900000)
$repeatable
SELECT all_between(:k, :k + 100000) AS expected \\gset
SELECT declare_held(:k, :k + 100000);
FETCH 7 FROM held;
FETCH BACKWARD 3 FROM held;
SELECT pg_sleep(0.01);
COMMIT;
SELECT must_hold(:expected::text);
CLOSE held;
END
);

my @definitions = (
    3 => 'REINDEX INDEX CONCURRENTLY t_k;',
    2 => 'REINDEX TABLE CONCURRENTLY token;',
    2 => 'REINDEX INDEX t_ak;',
    # One that was left invalid goes first.
    4 => <<"END",
DROP INDEX IF EXISTS t_x;
CREATE INDEX CONCURRENTLY t_x ON t USING omendb (k DESC, a) WHERE a < 5;
$repeatable
SELECT must_be_same('SELECT k FROM t WHERE k > 500000 AND a < 5', '{index,bitmap}');
COMMIT;
DROP INDEX CONCURRENTLY t_x;
END
    3 => <<'END',
DROP INDEX IF EXISTS t_y;
CREATE INDEX t_y ON t USING omendb ((k + a));
DROP INDEX t_y;
END
    1 => 'ALTER INDEX t_k SET (fillfactor = 70);',
    1 => 'ALTER INDEX t_k RESET (fillfactor);',
    2 => <<'END',
\set n random(1, 1000)
BEGIN;
TRUNCATE scratch;
INSERT INTO scratch SELECT n FROM generate_series(1, :n) AS n;
COMMIT;
SELECT must_be_same('SELECT k FROM scratch WHERE k > 0');
END
);

# A table that is all-visible most of the time, and changes now and then: rows come, go, move, or never come to be.
my $calm = <<'END';
CREATE TABLE calm (id int4, k int4, worth int8, weight float8 GENERATED ALWAYS AS (worth) STORED) WITH (fillfactor = 90);
INSERT INTO calm SELECT n, n % 5000, 0 FROM generate_series(1, 10000) AS n;
CREATE INDEX calm_k ON calm USING omendb (k) INCLUDE (worth, weight);
CREATE INDEX calm_id ON calm USING omendb (id);
VACUUM ANALYZE calm;
END
# By several processes.
my $together = <<'END';
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL min_parallel_index_scan_size = 0;
SET LOCAL cpu_operator_cost = 0.1;
END
my @totals = (
    map({
        $_->[0] => <<"END"
\\set k random(0, 5000)
$_->[1]
SELECT must_be_same_totals(format('SELECT count(*), sum(k), sum(worth), min(worth), max(worth) FROM calm WHERE k >= %s',
  :k::int8 - 2000));
SELECT must_be_same_totals(format('SELECT count(*), sum(weight), avg(weight) FROM calm WHERE k >= %s', :k::int8 - 2000));
SELECT must_be_same_totals(format('SELECT k, count(*), sum(worth) FROM calm WHERE k BETWEEN %s AND %s GROUP BY k', :k::int8,
  :k::int8 + 1000));
COMMIT;
END
    } [ 10, $repeatable ], [ 3, $serializable ], [ 3, "$repeatable\n$together" ]),
    # Those of one statement see one snapshot.
    10 => "SELECT must_be_worth_nothing();",
    4 => <<'END',
\set k random(0, 5000)
BEGIN;
INSERT INTO calm SELECT 20000 + n, :k + n, 1 FROM generate_series(1, 10) AS n;
ROLLBACK;
END
    1 => <<'END',
\set from random(1, 10000)
\set to random(1, 10000)
UPDATE calm SET worth = worth + CASE WHEN :from::int4 = :to::int4 THEN 0 WHEN id = :from THEN -7 ELSE 7 END
WHERE id IN (:from, :to);
END
    1 => <<'END',
\set from random(1, 10000)
\set to random(1, 10000)
UPDATE calm SET k = :from::int4 % 5000, worth = worth + CASE WHEN :from::int4 = :to::int4 THEN 0 WHEN id = :from THEN -7 ELSE 7 END
WHERE id IN (:from, :to);
END
    1 => <<'END',
\set id random(1, 10000)
WITH d AS (DELETE FROM calm WHERE id = :id RETURNING *) INSERT INTO calm SELECT id, (k + 1) % 5000, worth FROM d;
END
    8 => vacuum('calm'));

# Serializable transactions, each of which is right if it is alone.
my $promises = <<'END';
-- No pair may be worth less than nothing, though one of the two may.
CREATE TABLE pair (id int4, side int4, worth int4);
INSERT INTO pair SELECT n, side, 50 FROM generate_series(1, 200) AS n, generate_series(0, 1) AS side;
CREATE INDEX pair_id ON pair USING omendb (id, side) INCLUDE (worth);

CREATE FUNCTION withdraw(pair_id int4, pair_side int4, amount int4) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  total int8;
BEGIN
  SELECT sum(worth) INTO total FROM pair WHERE id = pair_id;
  PERFORM pg_sleep(0.001);
  IF total >= amount THEN
    UPDATE pair SET worth = worth - amount WHERE id = pair_id AND side = pair_side;
  ELSE
    UPDATE pair SET worth = 50 WHERE id = pair_id;
  END IF;
END $$;

-- Bookings do not overlap: who sees none near inserts one.
CREATE TABLE booking (room int4, begins int8);
CREATE INDEX booking_place ON booking USING omendb (room, begins);

CREATE FUNCTION book(wanted_room int4, at int8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM booking WHERE room = wanted_room AND begins > at - 10 AND begins < at + 10;
  IF NOT FOUND THEN
    PERFORM pg_sleep(0.001);
    INSERT INTO booking VALUES (wanted_room, at);
  END IF;
END $$;

-- Receipts of a closed batch have been reported: none may come after.
CREATE TABLE batch (number int4);
CREATE TABLE receipt (batch int4, amount int4);
CREATE TABLE report (batch int4, receipts int8);
INSERT INTO batch VALUES (1);
CREATE INDEX batch_number ON batch USING omendb (number);
CREATE INDEX receipt_batch ON receipt USING omendb (batch);
CREATE INDEX report_batch ON report USING omendb (batch);

CREATE FUNCTION close_batch() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE batch SET number = number + 1 WHERE number > 0;
END $$;

CREATE FUNCTION report_last() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  closed int4;
BEGIN
  SELECT number - 1 INTO closed FROM batch WHERE number > 0;
  PERFORM FROM report WHERE batch = closed;
  IF NOT FOUND THEN
    INSERT INTO report SELECT closed, (SELECT count(*) FROM receipt WHERE batch = closed);
  END IF;
END $$;

CREATE FUNCTION must_keep_promises() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  SELECT id, sum(worth) AS worth INTO r FROM pair GROUP BY id HAVING sum(worth) < 0 OR count(*) <> 2 LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'WRONG ANSWER: pair % is worth %', r.id, r.worth; END IF;
  SELECT room, begins, next INTO r
  FROM (SELECT room, begins, lead(begins) OVER (PARTITION BY room ORDER BY begins) AS next FROM booking) AS b
  WHERE next - begins < 10 LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'WRONG ANSWER: room % at % and at %', r.room, r.begins, r.next; END IF;
  SELECT batch, receipts, n INTO r
  FROM report LEFT JOIN (SELECT batch, count(*) AS n FROM receipt GROUP BY batch) AS c USING (batch)
  WHERE receipts <> coalesce(n, 0) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'WRONG ANSWER: batch % of % receipts has %', r.batch, r.receipts, r.n; END IF;
  SELECT batch INTO r FROM report GROUP BY batch HAVING count(*) > 1 LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'WRONG ANSWER: batch % is reported twice', r.batch; END IF;
END $$;
END
my @promises = (
    30 => <<"END",
\\set id random_zipfian(1, 200, 1.2)
\\set side random(0, 1)
\\set amount random(1, 60)
$serializable SELECT withdraw(:id, :side, :amount); COMMIT;
END
    30 => <<"END",
\\set room random(1, 20)
\\set at random(1, 5000)
$serializable SELECT book(:room, :at); COMMIT;
END
    # Whole stretches are called off, so that pages empty.
    2 => <<"END",
\\set room random(1, 20)
\\set at random(1, 5000)
$serializable DELETE FROM booking WHERE room = :room AND begins BETWEEN :at AND :at + 2000; COMMIT;
END
    20 => <<"END",
$serializable
INSERT INTO receipt SELECT number, 1 FROM batch WHERE number > 0;
COMMIT;
END
    5 => "$serializable SELECT close_batch(); COMMIT;",
    5 => "$serializable SELECT report_last(); COMMIT;",
    2 => "$serializable DELETE FROM receipt USING report WHERE receipt.batch = report.batch AND receipt.batch < (SELECT "
      . "max(number) FROM batch) - 50; DELETE FROM report WHERE batch < (SELECT max(number) FROM batch) - 50; COMMIT;",
    2 => vacuum('pair, booking'),
    2 => vacuum('receipt, report, batch'),
    5 => "$serializable SELECT must_keep_promises(); COMMIT;",
    5 => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; SELECT must_keep_promises(); COMMIT;");

# What is moved to and fro in the tables that the mixes share.
my @movers = (t_k => 1000000, t_ak => 10, t_id => 10000);

# The hot index is the sessions' own, or theirs together; built anew when that pays, or at once.
my $shared = "shared_preload_libraries = 'omendb'\n";
my @mixes = (
    {
        name => 'scattered',
        entries => 8,
        delta => 2,
        conf => $shared . "omendb.test_rebuild_misses = 1\n",
        scripts => [ @scatter, @compare_ranges, @move_tokens ],
        movers => [ @movers, token_id => 1000, token_k => 10000000, token_kw => 10000000 ]
    },
    {
        name => 'queue',
        entries => 16,
        delta => 4,
        conf => "omendb.test_rebuild_misses = 1\n",
        scripts => \@queue,
        movers => [ t_id => 10000, token_k => 1000010000, token_id => 1000 ]
    },
    {
        name => 'cursors',
        entries => 4,
        delta => 1,
        conf => $shared,
        setup => $held,
        scripts => [ @scatter, @cursors ],
        movers => \@movers
    },
    # Few write, and most of it is cold.
    {
        name => 'cold',
        entries => 8,
        delta => 2,
        leaves => 12,
        conf => $shared . "omendb.test_rebuild_misses = 3\nomendb.cold_cache_size = 1MB\n",
        setup => $held,
        scripts => [
            3 => 'INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 5);',
            @scatter[ 6 .. 7 ],
            1 => <<'END',
\set k random(0, 1000000)
UPDATE t SET k = k + 1 WHERE k BETWEEN :k AND :k + 2000;
END
            1 => <<'END',
\set k random(0, 1000000)
DELETE FROM t WHERE id IN (SELECT id FROM t WHERE k BETWEEN :k AND :k + 3000 FOR UPDATE SKIP LOCKED);
END
            @compare_ranges,
            @cursors,
            @move_tokens[ 2 .. 5 ],
            # Few of the tokens.
            1 => $move_tokens[1]
        ],
        movers => [ @movers, token_id => 1000, token_k => 10000000 ]
    },
    {
        name => 'definitions',
        entries => 64,
        delta => 64,
        conf => $shared . "omendb.test_rebuild_misses = 1\n",
        setup => 'CREATE TABLE scratch (k int4); CREATE INDEX scratch_k ON scratch USING omendb (k);',
        scripts => [ @scatter, @compare_ranges, @move_tokens ],
        movers => [ @movers, t_x => 1000000, t_y => 1000000, token_k => 10000000, scratch_k => 1000 ],
        alone => \@definitions
    },
    {
        name => 'totals',
        entries => 16,
        delta => 4,
        conf => $shared,
        setup => $calm . <<'END',
CREATE FUNCTION must_be_worth_nothing() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  n int8;
  total numeric;
BEGIN
  PERFORM force_scan('only'), set_config('omendb.enable_aggregate', 'on', true);
  IF random() < 0.3 THEN
    PERFORM force_parallel_totals();
  END IF;
  EXECUTE 'SELECT count(*), sum(worth) FROM calm WHERE k >= 0' INTO n, total;
  IF n <> 10000 OR total <> 0 THEN
    RAISE EXCEPTION 'WRONG ANSWER: % rows worth %', n, total;
  END IF;
END $$;
END
        scripts => \@totals,
        movers => [ calm_k => 5000, calm_id => 30000 ]
    },
    {
        name => 'serializable',
        entries => 8,
        delta => 4,
        setup => $promises,
        # Where a transaction stands still for a tenth of a second, the locks of hundreds that end meanwhile stay.
        conf => "enable_seqscan = off\nmax_pred_locks_per_transaction = 512\nmax_pred_locks_per_relation = 31\n",
        scripts => \@promises,
        movers => [ pair_id => 200, booking_place => 20, receipt_batch => 1000, report_batch => 1000 ]
    });

my %chosen = map { $_ => 1 } split /,/, $ENV{OMENDB_RACE_MIXES} || join ',', map { $_->{name} } @mixes;
foreach my $mix (@mixes)
{
    race($mix) if $chosen{ $mix->{name} };
}
done_testing();

sub race
{
    my ($mix) = @_;
    my $name = $mix->{name};
    alarm(300 + 2 * $seconds);
    $node = new_node($name, conf => <<"END" . ($mix->{conf} || ''));
autovacuum_naptime = 1s
autovacuum_vacuum_cost_delay = 0
autovacuum_vacuum_threshold = 20
autovacuum_vacuum_insert_threshold = 200
omendb.test_page_entries = $mix->{entries}
omendb.test_delta_entries = $mix->{delta}
omendb.test_segment_leaves = @{[ $mix->{leaves} || pick(6, 40, 1024) ]}
END
    # Known only to the test build.
    like($node->safe_psql('postgres', "LOAD 'omendb'; SHOW omendb.test_points"), qr/split-written/, "$name: test build");
    $node->safe_psql('postgres', $tables . ($mix->{setup} || ''));

    my %sum;
    foreach my $clients (@client_counts)
    {
        # pgbench prepares statements synchronously: one that waits for DDL holds up clients which DDL waits for.
        my %common = (seconds => int($seconds / @client_counts) || 1, mode => $mix->{alone} ? 'extended' : 'prepared');
        # DDL comes from one session: two at a time would mostly wait for each other.
        my $alone =
          $mix->{alone} ? start_load($node, %common, clients => 1, scripts => [ @{ $mix->{alone} } ]) : undef;
        my $movers = start_load($node, %common, clients => 1, scripts => [ movers(@{ $mix->{movers} }) ]);
        my $load = start_load($node, %common, clients => $clients / 2, scripts => [ @{ $mix->{scripts} } ]);
        # With entries that wait for others, and come many at once.
        my $waiting = start_load(
            $node, %common,
            clients => $clients / 2,
            settings => { 'omendb.test_first_inserts' => 0, 'omendb.insert_buffer_size' => pick(64, 65536) },
            scripts => [ @{ $mix->{scripts} } ]);
        count_load(\%sum, finish_load($load, "$name: $clients clients, half of them"));
        count_load(\%sum, finish_load($waiting, "$name: $clients clients, those whose inserts wait"));
        count_load(\%sum, finish_load($alone, "$name: DDL beside $clients clients")) if $alone;
        count_load(\%sum, finish_load($movers, "$name: leaves that move beside $clients clients"));
        check_all($node, "$name: after $clients clients");
    }

    # Nobody has anything open any more.
    $node->safe_psql('postgres', 'VACUUM');
    no_unused_segments($node, "$name: after VACUUM", '.');
    check_all($node, "$name: after VACUUM");
    foreach my $table (qw(t token))
    {
        one_answer($node, "SELECT k FROM $table WHERE k >= 0", "$name: all of $table");
        one_answer($node, "SELECT id FROM $table WHERE id BETWEEN 100 AND 900000", "$name: some of $table");
    }
    is($node->safe_psql('postgres', 'SELECT must_be_complete()'), '', "$name: the tokens are complete");
    is($node->safe_psql('postgres', 'SELECT must_keep_promises()'), '', "$name: promises are kept")
      if $name eq 'serializable';

    # Everything goes while scans are under way; then the tree is as good as new.
    my $load = start_load(
        $node,
        clients => 4,
        seconds => 3,
        scripts => [
            2 => 'DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY k LIMIT 200 FOR UPDATE SKIP LOCKED);',
            1 => vacuum('t'),
            2 => "$repeatable SELECT must_be_same('SELECT k FROM t WHERE k >= 0'); COMMIT;",
        ]);
    count_load(\%sum, finish_load($load, "$name: emptying the table"));
    $node->safe_psql('postgres', 'DELETE FROM t; VACUUM t');
    check_all($node, "$name: when empty");
    $node->safe_psql('postgres', 'INSERT INTO t (k, a) SELECT n, 1 FROM generate_series(1, 5000) AS n');
    check_all($node, "$name: filled again");
    one_answer($node, 'SELECT k FROM t WHERE k BETWEEN 100 AND 4000', "$name: some rows");

    no_crash($node, $name);
    my $moved = leaves_moved($node);
    like($moved, qr/^[1-9]\d* leaves offloaded/, "$name: leaves were moved");
    $node->stop;
    summary("$name: $seconds s, $sum{transactions} transactions, $sum{serialization} serialization failures, "
          . "$sum{deadlock} deadlocks, $sum{retries} retries, $sum{checked} transactions compared, "
          . "$sum{errors} errors, $moved");
    return;
}

# Adds up what pgbench says.
sub count_load
{
    my ($sum, $said) = @_;
    my $number = sub { return $said =~ /^$_[0]: (\d+)/m ? $1 : 0 };
    $sum->{transactions} += $number->('number of transactions actually processed');
    $sum->{serialization} += $number->('number of serialization failures');
    $sum->{deadlock} += $number->('number of deadlock failures');
    $sum->{retries} += $number->('total number of retries');
    $sum->{errors} += () = $said =~ /^pgbench: error:.*aborted/mg;
    # Of the scripts that compare answers.
    while ($said =~ /^SQL script \d+: (\S+)\n.*\n - (\d+) transactions/mg)
    {
        my ($file, $count) = ($1, $2);
        $sum->{checked} += $count if slurp_file($file) =~ /must_/;
    }
    return;
}
