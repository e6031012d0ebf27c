# Commands on a table beside omendb_offload and omendb_recall: one waits for the other, and none is told that there is a
# deadlock.
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

my $node = new_node('locks', conf => <<'END');
shared_preload_libraries = 'omendb'
autovacuum = off
fsync = off
deadlock_timeout = 300ms
max_wal_size = 2GB
omendb.test_page_entries = 20
omendb.test_segment_leaves = 4
END
plan skip_all => 'in an ordinary build it is over too soon' if !test_points($node);
$node->safe_psql('postgres', <<'END');
CREATE TABLE t AS SELECT n AS k, md5(n::text) AS t FROM generate_series(1, 100000) AS n;
CREATE INDEX t_k ON t USING omendb (k) INCLUDE (t);
END
foreach my $command (
    'REINDEX INDEX t_k', 'REINDEX TABLE t', 'REINDEX INDEX CONCURRENTLY t_k', 'CREATE INDEX CONCURRENTLY t_t ON t (t)',
    'DROP INDEX CONCURRENTLY t_t', 'CREATE INDEX t_t ON t (t)', 'DROP INDEX t_t', 'VACUUM t', 'ANALYZE t',
    q(SELECT omendb_check('t_k', true)), 'VACUUM FULL t', 'CLUSTER t USING t_k', 'ALTER TABLE t ADD COLUMN x int',
    'ALTER INDEX t_k SET (fillfactor = 50)', 'TRUNCATE t')
{
    foreach my $move (q(omendb_offload('t_k', '99000')), q(omendb_recall('t_k')))
    {
        next if $command =~ /CREATE INDEX|DROP INDEX|ADD COLUMN|TRUNCATE/ && $move =~ /recall/;
        # Some are there to begin with.
        $node->safe_psql('postgres', q(SELECT omendb_offload('t_k', '99000'))) if $move =~ /recall/;
        my $mover = start_psql($node, "SELECT $move >= 0");
        $node->poll_query_until('postgres', <<'END');
SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'SELECT omendb%' AND pid <> pg_backend_pid()
END
        sleep 0.1 + rand 0.2;
        my ($status, $output, $errors) = $node->psql('postgres', $command);
        is($errors, '', "$command beside $move");
        is(finish_psql($mover), "t\n", "$move beside $command");
        check_all($node, $command);
    }
    $node->safe_psql('postgres', q(SELECT omendb_recall('t_k')));
}

# These wait for snapshots, with the table locked: nobody who has a snapshot may wait for them.
$node->safe_psql('postgres', 'CREATE TABLE released (); INSERT INTO t SELECT n FROM generate_series(1, 5000) AS n');
my @concurrent = (
    'CREATE INDEX CONCURRENTLY t_again ON t USING omendb (k)',
    'REINDEX INDEX CONCURRENTLY t_k',
    'REINDEX TABLE CONCURRENTLY t');
foreach my $command (@concurrent)
{
    my $writer = start_psql($node, <<'END');
DO $$ BEGIN
  INSERT INTO t (k) VALUES (0);
  WHILE NOT EXISTS (SELECT FROM released) LOOP
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;
END
    $node->poll_query_until('postgres', <<'END');
SELECT count(*) = 1 FROM pg_locks WHERE relation = 't'::regclass AND mode = 'RowExclusiveLock'
END
    my $indexing = start_psql($node, $command);
    $node->poll_query_until('postgres', <<'END');
SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'CONCURRENTLY' AND wait_event = 'virtualxid'
END
    foreach my $move (q(omendb_offload('t_k', '99000')), q(omendb_recall('t_k')))
    {
        my ($status, $output, $errors) =
          $node->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT $move", on_error_stop => 0);
        like($errors, qr/ERROR:  55P03$/, "$move during $command");
    }
    my $unbuilt = 'SELECT count(*) > 0 FROM omendb_stat_indexes WHERE entries IS NULL';
    is($node->safe_psql('postgres', $unbuilt), 't', "$command: statistics beside it");
    $node->safe_psql('postgres', 'INSERT INTO released DEFAULT VALUES');
    is(finish_psql($indexing), '', "$command that came before");
    is(finish_psql($writer), '', "$command: the writer that it waited for");
    $node->safe_psql('postgres', 'TRUNCATE released');
    check_all($node, "$command that came before");
}
no_crash($node, 'locks');
done_testing();
