# Updates that leave many versions of the same keys: what is dead is removed before a leaf would be split, so that the
# index does not grow without VACUUM, as a btree does not. A standby has the same answers, and its queries that could
# still see what is removed are cancelled or have their way, as its settings say.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('primary', streaming => 1, conf => <<'END');
shared_preload_libraries = 'omendb'
wal_consistency_checking = 'all'
wal_keep_size = '8GB'
autovacuum = off
END
$node->safe_psql('postgres', <<'END');
-- Column b has an index, so that no update is HOT; those on k and id are left as they are.
CREATE TABLE t (id int8, k int8, b int4) WITH (fillfactor = 50);
INSERT INTO t SELECT n, hashint8(n), 0 FROM generate_series(1, 5000) n;
CREATE INDEX t_b ON t USING btree (b);
CREATE INDEX t_k_btree ON t USING btree (k);
CREATE INDEX t_k ON t USING omendb (k);
CREATE INDEX t_id ON t USING omendb (id);
VACUUM ANALYZE t;
END
my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = 0\nhot_standby_feedback = off\n");
$standby->start;

sub pages
{
    my ($index) = @_;
    return $node->safe_psql('postgres', "SELECT pg_relation_size('$index') / 8192");
}

# Each transaction updates a row: bottom-up. Half of them go by the index, so that scans mark what is dead.
my $before = pages('t_k');
# At a rate that any machine keeps up with, so that their number is known.
my $load = start_load($node, clients => 2, rate => 3000, seconds => 10 * $soak, scripts => [
    1 => "\\set n random(1, 5000)\nUPDATE t SET b = b + 1 WHERE id = :n;",
    1 => "\\set n random(1, 5000)\nUPDATE t SET b = b + 1 WHERE k = hashint8(:n);",
]);
finish_load($load, 'updates');
my ($updates) = $node->safe_psql('postgres', 'SELECT sum(b) FROM t');
my ($ours, $theirs) = (pages('t_k'), pages('t_k_btree'));
summary("$updates updates of 5000 rows: $before pages have become $ours, of a btree $theirs");
cmp_ok($ours, '<=', $theirs, 'the index has not grown more than a btree');
cmp_ok($ours, '<', 4 * $before, 'and not much');
check_all($node, 'primary');
one_answer($node, 'SELECT id, b FROM t WHERE k > -3000000000', 'one answer', '{index,bitmap}');
$node->safe_psql('postgres', 'CREATE EXTENSION pg_walinspect');
# Of rows that the table has pruned before, its own records say it.
foreach my $horizon ('', 'horizon [0-9]+; ')
{
    cmp_ok(
        $node->safe_psql('postgres', "SELECT count(*) FROM pg_get_wal_records_info('$lsn', pg_current_wal_lsn())"
              . " WHERE record_type = 'CLEAN' AND description ~ '^${horizon}page 0: recoded, kept 0 to [0-9]+, removed [1-9]'"),
        '>', 0, "records of what was removed: ${horizon}...");
}

# By one statement, which updates them all: in batches.
$node->safe_psql('postgres', 'SET omendb.test_first_inserts = 0; UPDATE t SET b = b + 1') for 1 .. 20;
cmp_ok(pages('t_k'), '<', 8 * $before, 'nor by updates of all rows');
check_all($node, 'updated at once');

# On the standby a snapshot from before is in the way of the records that say what is gone.
$node->wait_for_catchup($standby);
my $offset = log_size($standby);
my $reader = $standby->background_psql('postgres', on_error_stop => 0);
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t WHERE k > 0;');
$node->safe_psql('postgres', 'UPDATE t SET b = b + 1') for 1 .. 10;
$node->wait_for_catchup($standby);
like(log_since($standby, $offset), qr/due to conflict with recovery.*might have needed to see row versions that must be removed/s,
    'a query that sees what is removed is cancelled');
eval { $reader->quit };
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
check_all($standby, 'standby');
one_answer($standby, 'SELECT id, b FROM t WHERE k > -3000000000', 'standby: one answer', '{index,bitmap}');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
no_crash($standby, 'standby');
no_crash($node, 'primary');
$standby->stop;
$node->stop('immediate');
$node->start;
check_all($node, 'replayed');
done_testing();
