# A standby that is killed in the middle of replay, promoted under load while a split is unfinished, and followed by the
# old primary after pg_rewind: every index is sound at each step, and what is left of a split the next writer finishes.
# Every page that the WAL makes is compared with the primary's (wal_consistency_checking).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestPoints;
use Time::HiRes qw(sleep);

my $bad =
  qr/PANIC|TRAP:|was terminated by signal (?!9\b)|corrupted page|does not agree|inconsistent page|leak/;

my @writers = (
    writers('INDEX_CLEANUP ON, TRUNCATE OFF'),
    1 => 'REINDEX INDEX t_ak;',
    1 => 'CHECKPOINT;');
my @readers = (
    1 => <<'END');
\set k random(0, 900000)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT must_be_same(format('SELECT k FROM t WHERE k BETWEEN %s AND %s', :k::int8, :k::int8 + 100000),
  '{index,bitmap}');
COMMIT;
END

# omendb_check takes a lock that cannot be had on a standby.
sub all_is_well
{
    my ($node, $name) = @_;
    check_all($node, $name) if $node->safe_psql('postgres', 'SELECT pg_is_in_recovery()') eq 'f';
    one_answer($node, 'SELECT k FROM t WHERE k >= 0', "$name: keys", '{index,bitmap}');
    one_answer($node, 'SELECT a, k FROM t WHERE a > 2', "$name: two columns", '{index,bitmap}');
    one_answer($node, 'SELECT k FROM unfinished WHERE k >= 0', "$name: unfinished splits", '{index,bitmap}');
    return;
}

# Leaves a split without a downlink in the WAL, if this is the test build.
sub leave_split_unfinished
{
    my ($node) = @_;
    return if !test_points($node);
    my ($status, $output, $errors) = $node->psql('postgres', <<'END');
LOAD 'omendb';
SET omendb.test_point = 'split-written=error';
INSERT INTO unfinished SELECT (random() * 1e9)::int8 FROM generate_series(1, 2000);
END
    like($errors, qr/test point split-written/, 'a split is left unfinished');
    return;
}

my $old = new_node('old', streaming => 1, conf => <<'END');
shared_preload_libraries = 'omendb'
wal_consistency_checking = 'all'
autovacuum = off
wal_keep_size = 1GB
max_wal_size = 512MB
omendb.test_page_entries = 20
omendb.test_delta_entries = 4
omendb.test_rebuild_misses = 1
END
$old->safe_psql('postgres', <<'END');
CREATE TABLE t (id bigserial, k int8, a int4);
INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 3000);
CREATE INDEX t_k ON t USING omendb (k);
CREATE INDEX t_id ON t USING omendb (id);
CREATE INDEX t_ak ON t USING omendb (a, k DESC) INCLUDE (id);
CREATE TABLE unfinished (k int8);
CREATE INDEX unfinished_k ON unfinished USING omendb (k);
END
$old->backup('base');
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init_from_backup($old, 'base', has_streaming => 1);
$new->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
$new->start;

# ---- Killed in the middle of replay ----

foreach my $round (1 .. 3 * $soak)
{
    my $load = start_load($old, clients => 2, seconds => 2, rate => 400, scripts => \@writers);
    my $queries = start_load($new, clients => 1, seconds => 60, scripts => \@readers);
    sleep 0.5 + rand(1);
    my $how = $round % 2 ? 'SIGKILL' : 'immediate shutdown';
    if ($how eq 'SIGKILL') { kill_server($new) }
    else { $new->stop('immediate') }
    finish_load($queries, "round $round: queries before $how", crashed => 1);
    # It replays again what it had replayed, and then what came meanwhile.
    $new->start;
    finish_load($load, "round $round: the load on the primary");
    leave_split_unfinished($old) if $round % 2;
    $old->wait_for_catchup($new);
    all_is_well($new, "round $round: the standby after $how");
}

# ---- Promoted under load ----

leave_split_unfinished($old);
$old->wait_for_catchup($new);
my $load = start_load($old, clients => 3, seconds => 4, rate => 400, scripts => \@writers);
my $queries = start_load($new, clients => 1, seconds => 4, scripts => \@readers);
sleep 1.5;
$new->promote;
all_is_well($new, 'promoted');
# Both are written to, and part company.
my $load_of_new = start_load($new, clients => 2, seconds => 2, rate => 200, scripts => \@writers);
$new->safe_psql('postgres', 'INSERT INTO unfinished SELECT (random() * 1e9)::int8 FROM generate_series(1, 2000)');
finish_load($queries, 'queries during promotion');
finish_load($load_of_new, 'the load on the new primary');
finish_load($load, 'the load on the old primary');
all_is_well($new, 'promoted, after writing');

# ---- The old primary is rewound and follows the new one ----

leave_split_unfinished($old);
if (pick(0, 1)) { kill_server($old) }
else { $old->stop('immediate') }
$new->safe_psql('postgres', 'CHECKPOINT');
# The framework's own settings stay: the port, and where the socket is.
my $conf = slurp_file($old->data_dir . '/postgresql.conf');
command_ok(
    [ 'pg_rewind', '--target-pgdata', $old->data_dir, '--source-server', $new->connstr('postgres'), '--no-sync' ],
    'pg_rewind');
unlink $old->data_dir . '/postgresql.conf';
append_to_file($old->data_dir . '/postgresql.conf', $conf);
$old->enable_streaming($new);
$old->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
$old->start;
$load = start_load($new, clients => 2, seconds => 3, rate => 300, scripts => \@writers);
$queries = start_load($old, clients => 1, seconds => 3, scripts => \@readers);
finish_load($queries, 'queries on the rewound one');
finish_load($load, 'the load on the new primary');
$new->wait_for_catchup($old);
all_is_well($old, 'rewound');
my $digest = 'SET enable_seqscan = off; SELECT count(*), sum(k), sum(hashint8(k)::int8 # id) FROM t WHERE k >= 0';
is($old->safe_psql('postgres', $digest), $new->safe_psql('postgres', $digest), 'both have the same rows');

# And it can be the primary again.
$new->stop;
$old->promote;
all_is_well($old, 'promoted again');
$old->safe_psql('postgres', <<'END');
DELETE FROM t WHERE k % 3 = 0;
VACUUM t;
INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 5000);
END
all_is_well($old, 'promoted again, after writing');
$old->stop;
no_crash($_, $_->name, $bad) foreach $old, $new;
done_testing();
