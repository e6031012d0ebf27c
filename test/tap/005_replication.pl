# Streaming standbys: their indexes give the same answers as their tables, under load, and stay sound after promotion.
# Every page that the WAL makes there is compared with the primary's (wal_consistency_checking).
#
# One standby never cancels a query, so that each failure of one is a finding: replay waits.  The other cancels them at
# once, first without and then with hot_standby_feedback: there queries may fail, but not answer wrongly.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seconds = 10 * $soak;

my $primary = new_node('primary', streaming => 1, conf => <<'END');
shared_preload_libraries = 'omendb'
wal_consistency_checking = 'all'
autovacuum = off
max_wal_size = 512MB
# In the test build: pages split, share, empty and are unlinked all the time.
omendb.test_page_entries = 60
omendb.test_delta_entries = 4
omendb.test_rebuild_misses = 1
END
$primary->safe_psql('postgres', <<'END');
CREATE TABLE t (id bigserial, k int8, a int4);
INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 10000);
CREATE INDEX t_k ON t USING omendb (k) WITH (fillfactor = 70);
CREATE INDEX t_id ON t USING omendb (id);
END
$primary->safe_psql('postgres', q(SELECT pg_create_physical_replication_slot('standby', true)));
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', <<'END');
primary_slot_name = 'standby'
max_standby_streaming_delay = -1
hot_standby_feedback = off
END
$standby->start;
my $impatient = PostgreSQL::Test::Cluster->new('impatient');
$impatient->init_from_backup($primary, 'base', has_streaming => 1);
$impatient->append_conf('postgresql.conf', <<'END');
max_standby_streaming_delay = 300ms
hot_standby_feedback = off
wal_receiver_status_interval = 1s
END
$impatient->start;

# Built while the standby follows.
$primary->safe_psql('postgres', <<'END');
CREATE INDEX t_ak ON t USING omendb (a, k DESC) INCLUDE (id);
CREATE UNLOGGED TABLE u (k int8);
CREATE INDEX u_k ON u USING omendb (k);
INSERT INTO u SELECT n FROM generate_series(1, 1000) AS n;
END
$primary->wait_for_catchup($standby);
$primary->wait_for_catchup($impatient);

my $load = start_load(
    $primary,
    clients => 2,
    seconds => $seconds,
    # Each page that is touched goes into the WAL as a whole, for the comparison.
    rate => 200,
    scripts => [ writers('INDEX_CLEANUP ON') ]);
# With entries that wait for others, and come many at once.
my $waiting = start_load(
    $primary,
    clients => 2,
    seconds => $seconds,
    rate => 100,
    settings => { 'omendb.test_first_inserts' => 0 },
    scripts => [ writers('INDEX_CLEANUP ON') ]);
# There the planner need not find an index-only scan: see amcanreturn.
my $ways = "'{index,bitmap}'";
my @questions = (
    1 => <<"END",
\\set k random(0, 900000)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT must_be_same(format('SELECT k FROM t WHERE k BETWEEN %s AND %s', :k::int8, :k::int8 + 100000), $ways);
SELECT must_be_same(format('SELECT a, k FROM t WHERE a IN (1, 3, 7) AND k > %s ORDER BY a, k DESC', :k::int8),
  '{index}', true);
SELECT must_be_same('SELECT id FROM t WHERE id > 0', $ways);
COMMIT;
END
);
my $readers = start_load($standby, clients => 2, seconds => $seconds, scripts => \@questions);

# A client of pgbench ends when its session is terminated, which is all that it is told; then comes the next one. Where a
# statement is cancelled while it is being prepared, pgbench tries to execute it all the same.
my $conflict = qr/conflict with recovery|perhaps the backend died|prepared statement "P\S+" does not exist/;
my %cancelled = (off => 0, on => 0);
my %answered = (off => 0, on => 0);
foreach my $feedback ('off', 'on')
{
    $impatient->append_conf('postgresql.conf', "hot_standby_feedback = $feedback");
    $impatient->reload;
    my $end = time + $seconds / 2;
    for (my $again = 0; time < $end || !$answered{$feedback} && $again < 100; $again++)
    {
        my $said = finish_load(start_load($impatient, clients => 1, seconds => 2, scripts => \@questions),
            "queries that may be cancelled, hot_standby_feedback = $feedback", tolerate => $conflict);
        $cancelled{$feedback}++ if $said =~ $conflict;
        $answered{$feedback} += $1 if $said =~ /transactions actually processed: (\d+)/;
    }
    cmp_ok($answered{$feedback}, '>', 0, "queries are answered, hot_standby_feedback = $feedback");
    note("hot_standby_feedback = $feedback: $answered{$feedback} transactions, $cancelled{$feedback} times cancelled");
}
# ---- The standby's pages in the middle of it, while replay stands still ----

my ($checked, $found, $complaint) = $standby->psql('postgres', "SELECT omendb_check('t_k')");
like($complaint, qr/needs replay to be paused/, 'omendb_check during replay');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'")
  or die 'replay does not pause';
($checked, $found, $complaint) = $standby->psql('postgres', <<'END');
SELECT count(omendb_check(c.oid, true)) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
WHERE a.amname = 'omendb' AND c.relkind = 'i' AND c.relpersistence = 'p'
END
ok($checked == 0 && $found > 0, 'omendb_check on the standby') or diag($complaint);
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');

finish_load($readers, "queries on the standby for $seconds s");
finish_load($load, 'the load on the primary');
finish_load($waiting, 'the load whose inserts wait');

# ---- A dead row that an index-only scan has taken along must not come back to life ----
#
# The scan reads a chunk of entries, some of them of rows that its snapshot does not see. VACUUM on the primary removes
# entries and rows and sets their heap page all-visible; replay does not have to wait for a snapshot as new as this one,
# nor for a pin, because the scan has been to no heap page yet: the rows returned so far are all-visible.
$primary->safe_psql('postgres', <<'END');
CREATE TABLE revenant AS SELECT n AS k, repeat('x', 500) AS filler FROM generate_series(1, 200) AS n;
CREATE INDEX revenant_k ON revenant USING omendb (k);
VACUUM revenant;
-- The second page.
DELETE FROM revenant WHERE ctid >= '(1,0)' AND ctid < '(2,0)';
END
$primary->wait_for_catchup($standby);
my $rest = $primary->safe_psql('postgres', 'SELECT k FROM revenant WHERE k > 5 ORDER BY k');
my $session = $standby->background_psql('postgres');
$session->query_safe(<<'END');
SET enable_seqscan = off;
SET enable_bitmapscan = off;
BEGIN ISOLATION LEVEL REPEATABLE READ;
DECLARE c CURSOR FOR SELECT k FROM revenant WHERE k > 0 ORDER BY k;
END
unlike($session->query_safe('EXPLAIN (COSTS OFF) SELECT k FROM revenant WHERE k > 0 ORDER BY k'),
    qr/Index Only Scan/, 'no index-only scan is planned on a standby');
is($session->query_safe('FETCH 5 FROM c'), "1\n2\n3\n4\n5", 'the first rows of a cursor on the standby');
$primary->safe_psql('postgres', 'VACUUM revenant');
# If replay waits for the scan's pin, that is as good.
my $lsn = $primary->lsn('insert');
my $replayed = 0;
for (my $end = time + 5; !$replayed && time < $end; Time::HiRes::sleep(0.1))
{
    $replayed = $standby->safe_psql('postgres', "SELECT pg_last_wal_replay_lsn() >= '$lsn'") eq 't';
}
note($replayed ? 'VACUUM was replayed' : 'VACUUM waits for the scan');
is($session->query_safe('FETCH ALL FROM c'), $rest, 'rows that VACUUM has removed meanwhile stay away');
$session->query_safe('COMMIT');
$session->quit;

# ---- Unlogged: not there before promotion ----

my ($status, $output, $errors) =
  $standby->psql('postgres', 'SET enable_seqscan = off; SELECT k FROM u WHERE k = 5');
like($errors, qr/cannot access temporary or unlogged relations during recovery/, 'an unlogged table on the standby');

# ---- The same rows on both sides; then promotion ----

$primary->wait_for_catchup($standby);
my $digest = 'SELECT count(*), sum(k), sum(hashint8(k)::int8 # id) FROM t WHERE k >= 0';
my $by_index = "SET enable_seqscan = off; $digest";
my $expected = $primary->safe_psql('postgres', $digest);
is($standby->safe_psql('postgres', $digest), $expected, 'the standby has the same rows');
is($standby->safe_psql('postgres', $by_index), $expected, 'and the same by index');
one_answer($standby, 'SELECT k FROM t WHERE k >= 0', 'on the standby', '{index,bitmap}');
$primary->wait_for_catchup($impatient);
is($impatient->safe_psql('postgres', $by_index), $expected, 'the other standby has them, too');

check_all($primary, 'primary');
$primary->stop('immediate');
$standby->promote;
check_all($standby, 'promoted');
$impatient->promote;
check_all($impatient, 'the other one, promoted');
is($standby->safe_psql('postgres', $by_index), $expected, 'the same rows after promotion');
is($standby->safe_psql('postgres', 'SET enable_seqscan = off; SELECT count(k) FROM u WHERE k > 0'),
    0, 'an unlogged table is empty after promotion');
$standby->safe_psql('postgres', <<'END');
INSERT INTO u SELECT n FROM generate_series(1, 1000) AS n;
DELETE FROM t WHERE k % 3 = 0;
VACUUM t;
INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 20000);
END
check_all($standby, 'promoted, after writing');
one_answer($standby, 'SELECT k FROM t WHERE k >= 0', 'promoted, after writing');

my $bad = qr/PANIC|TRAP:|was terminated by signal|corrupted page|does not agree|inconsistent page|leak/;
no_crash($_, $_->name, $bad) foreach $primary, $standby, $impatient;
$standby->stop;
$impatient->stop;
done_testing();
