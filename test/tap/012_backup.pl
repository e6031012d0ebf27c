# Base backups taken in the middle of splits, restored as far as they are consistent, to a named point and to a point in
# time: every index is sound, agrees with its table, and can be written to. And what PostgreSQL's own tools say of the
# files: pg_verifybackup and pg_checksums.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $primary = new_node('primary', streaming => 1, extra => ['--data-checksums'], conf => <<'END');
full_page_writes = off
wal_compression = on
shared_buffers = 4MB
max_wal_size = 512MB
autovacuum_naptime = 1s
omendb.test_page_entries = 20
omendb.test_delta_entries = 4
END
$primary->enable_archiving;
$primary->restart;
$primary->safe_psql('postgres', <<'END');
CREATE TABLE t (id bigserial, k int8, a int4);
INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 3000);
CREATE INDEX t_k ON t USING omendb (k);
CREATE INDEX t_id ON t USING omendb (id);
CREATE INDEX t_ak ON t USING omendb (a, k DESC) INCLUDE (id);
CREATE TABLE marker (n int4);
CREATE INDEX marker_n ON marker USING omendb (n);
END
my @writers = (
    writers('INDEX_CLEANUP ON, TRUNCATE OFF'),
    1 => 'REINDEX INDEX t_ak;',
    1 => 'CHECKPOINT;');

sub mark
{
    my ($n) = @_;
    $primary->safe_psql('postgres', "INSERT INTO marker VALUES ($n)");
    return;
}

my $load = start_load($primary, clients => 3, seconds => 600, rate => 400, scripts => \@writers);
sleep 0.5;
# While the copy is under way the load is as heavy as it gets. The backup is what makes pages go into the WAL whole,
# full_page_writes or not.
my @backup_options = ('--max-rate', '8M');
$primary->backup('streamed', backup_options => [ '-X', 'stream', @backup_options ]);
$primary->backup('archived', backup_options => [ '-X', 'none', @backup_options ]);
mark(1);
$primary->safe_psql('postgres', q(SELECT pg_create_restore_point('between')));
mark(2);
sleep 0.5;
mark(3);
my $moment = $primary->safe_psql('postgres', 'SELECT pg_sleep(0.05); SELECT clock_timestamp(); SELECT pg_sleep(0.05)');
$moment =~ s/^\s+|\s+$//g;
mark(4);
sleep 0.5;
my $last = $primary->safe_psql('postgres', 'SELECT pg_walfile_name(pg_switch_wal())');
$primary->poll_query_until('postgres', "SELECT last_archived_wal >= '$last' FROM pg_stat_archiver")
  or die 'the WAL is not archived';
$load->{handle}->signal('TERM');
finish_load($load, 'the load', crashed => 1);
check_all($primary, 'primary');

# What was copied, from which `backup`, with which settings of recovery, and the markers that are there afterwards.
my @restores = (
    [ 'consistent', 'streamed', "recovery_target = 'immediate'", '' ],
    [ 'named', 'archived', "recovery_target_name = 'between'", '1' ],
    [ 'moment', 'streamed', "recovery_target_time = '$moment'", '1,2,3' ],
    [ 'all', 'archived', '', '1,2,3,4' ]);

$primary->command_ok([ 'pg_verifybackup', $primary->backup_dir . '/streamed' ], 'pg_verifybackup');
foreach (@restores)
{
    my ($name, $backup, $target, $markers) = @$_;
    my $node = PostgreSQL::Test::Cluster->new($name);
    $node->init_from_backup($primary, $backup, has_restoring => 1, standby => 0);
    $node->append_conf('postgresql.conf', <<"END");
archive_mode = off
recovery_target_action = promote
$target
END
    $node->start;
    $node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die "$name does not come up";
    check_all($node, $name);
    one_answer($node, 'SELECT k FROM t WHERE k >= 0', "$name: keys");
    one_answer($node, 'SELECT a, k FROM t WHERE a > 2', "$name: two columns");
    is($node->safe_psql('postgres', <<'END'), $markers, "$name: it ends where it should");
SET enable_seqscan = off;
SELECT string_agg(n::text, ',' ORDER BY n) FROM marker WHERE n > 0;
END
    $node->safe_psql('postgres', <<'END');
DELETE FROM t WHERE k % 3 = 0;
VACUUM t;
INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 3000);
END
    check_all($node, "$name, after writing");
    one_answer($node, 'SELECT k FROM t WHERE k >= 0', "$name, after writing");
    no_crash($node, $name);
    $node->stop;
    $node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], "$name: pg_checksums");
}

no_crash($primary, 'primary');
$primary->stop;
$primary->command_ok([ 'pg_checksums', '--check', '-D', $primary->data_dir ], 'pg_checksums after load');
done_testing();
