# A standby is killed in the middle of replay, once for each kind of change: some of the pages that its record changes
# may be on disk then, and others not.  It starts again where it left off, meets the next point, and in the end has what
# the primary has, is sound, and can go on when it is promoted.
#
# It needs the test build.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use List::Util qw(shuffle);
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestPoints;
use Time::HiRes qw(sleep);

my $bad = qr/PANIC|TRAP:|was terminated by signal (?!9\b)|corrupted page|does not agree|inconsistent page|leak/;

my $primary = new_node('primary', streaming => 1, extra => ['--data-checksums'], conf => <<'END');
shared_preload_libraries = 'omendb'
autovacuum = off
max_wal_size = 128MB
wal_keep_size = 512MB
omendb.test_page_entries = 12
omendb.test_delta_entries = 3
omendb.test_segment_leaves = 10
omendb.test_first_inserts = 4
END
my @points = replay_points($primary);
plan skip_all => 'an ordinary build has no points' if !@points;
$primary->safe_psql('postgres', <<'END');
CREATE TABLE t (id bigserial, k int8, t text COLLATE "C");
INSERT INTO t (k, t) SELECT random() * 1e6, md5(random()::text) FROM generate_series(1, 1000);
CREATE INDEX t_k ON t USING omendb (k) INCLUDE (id);
CREATE INDEX t_t ON t USING omendb (t);
CREATE TABLE low (k int8);
CREATE INDEX low_k ON low USING omendb (k);
END
$primary->backup('for_standby');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'for_standby', has_streaming => 1);
# Pages are written soon and in any order, and replay has little to do again.
$standby->append_conf('postgresql.conf', <<'END');
shared_buffers = 512kB
max_connections = 40
checkpoint_timeout = 30s
END

# Leaves move both ways; rows come, change and go, so that pages split, share, empty and come back; a tree becomes
# higher and lower again.
my $load = start_load(
    $primary,
    clients => 3,
    seconds => 900,
    rate => 90,
    scripts => [
        3 => "\\set k random(0, 1000000)\nSELECT omendb_offload('t_k', (:k)::text);",
        2 => "\\set k random(0, 1000000)\nSELECT omendb_offload('t_t', substr(md5((:k)::text), 1, 3));",
        1 => q(SELECT omendb_recall('t_k');),
        1 => q(SELECT omendb_recall('t_t');),
        6 => "\\set k random(0, 1000000)\nINSERT INTO t (k, t) VALUES (:k, md5((:k)::text));",
        2 => <<'END',
\set k random(0, 1000000)
INSERT INTO t (k, t) SELECT :k + n % 50, md5(n::text) FROM generate_series(1, 60) AS n;
END
        3 => <<'END',
\set k random(0, 1000000)
DELETE FROM t WHERE id IN (SELECT id FROM t WHERE k BETWEEN :k AND :k + 60000 FOR UPDATE SKIP LOCKED);
END
        2 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t;',
        1 => 'INSERT INTO low SELECT generate_series(1, 100);',
        1 => 'DELETE FROM low;',
        1 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) low;'
    ]);

my %killed;
foreach my $turn (1 .. $soak)
{
    foreach my $point (shuffle @points)
    {
        my $times = $point =~ /split-root|collapse/ ? 1 : pick(1, 1, 2, 5, 11);
        $standby->append_conf('postgresql.conf', "omendb.test_point = '$point=kill:$times'");
        my $offset = -e $standby->logfile ? -s $standby->logfile : 0;
        # (Not by the module's start, which expects that it stays up.)
        system_log('pg_ctl', '-W', '-D', $standby->data_dir, '-l', $standby->logfile, 'start');
        my $met = qr/test point \Q$point\E: killed.*database system is shut down/s;
        my $log = '';
        for (my $end = time + 120; $log !~ $met && time < $end; sleep 0.02)
        {
            $log = log_since($standby, $offset) if -e $standby->logfile;
        }
        like($log, $met, "$point: killed");
        $killed{$point}++ if $log =~ $met;
    }
}
$load->{handle}->signal('TERM');
finish_load($load, 'the load', crashed => 1);
$primary->poll_query_until('postgres', <<'END') or die 'the load does not end';
SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'
END

$standby->append_conf('postgresql.conf', q(omendb.test_point = ''));
$standby->start;
$primary->wait_for_catchup($standby);
check_all($primary, 'primary');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres', q(SELECT pg_get_wal_replay_pause_state() = 'paused')) or die 'replay goes on';
check_all($standby, 'standby');
foreach my $digest (
    'SELECT count(*), sum(k), sum(hashint8(k)::int8 # id) FROM t WHERE k >= 0',
    q(SELECT count(*), md5(string_agg(t, ',' ORDER BY t)) FROM t WHERE t >= ''))
{
    my ($ours, $theirs) = map { $_->safe_psql('postgres', "SET enable_seqscan = off; $digest") } $standby, $primary;
    is($ours, $theirs, "both have the same rows: $digest");
}
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$standby->promote;
$standby->safe_psql('postgres', <<'END');
SELECT omendb_offload('t_k', '900000'), omendb_offload('t_t', 'd');
DELETE FROM t WHERE k % 3 = 0;
INSERT INTO t (k, t) SELECT random() * 1e6, md5(random()::text) FROM generate_series(1, 500);
VACUUM (INDEX_CLEANUP ON) t;
SELECT omendb_recall('t_t');
END
check_all($standby, 'promoted');
one_answer($standby, $_, "promoted: $_") foreach 'SELECT k, id FROM t WHERE k >= 0', q(SELECT t FROM t WHERE t < 'e');
no_crash($primary, 'primary', $bad);
no_crash($standby, 'standby', $bad);
summary('killed in replay of ' . join ', ', map { s/replayed-//r } sort keys %killed);
done_testing();
