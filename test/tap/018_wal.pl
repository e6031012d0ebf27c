# WAL records of our own resource manager: what they are called and say, what replays them and what does not, in turns
# with generic WAL, and up to any point in time.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $preload = "shared_preload_libraries = 'omendb'";
my $node = new_node('primary', streaming => 1, conf => <<"END");
$preload
wal_consistency_checking = 'all'
wal_keep_size = '2GB'
autovacuum = off
omendb.test_first_inserts = 0
END
$node->safe_psql('postgres', 'CREATE EXTENSION pg_walinspect');

sub set_conf
{
    my ($name, $value) = @_;
    $node->adjust_conf('postgresql.conf', $name, $value);
    return;
}
sub sound
{
    my ($name) = @_;
    check_all($node, $name);
    one_answer($node, 'SELECT k, v FROM t WHERE k > -100', "$name: one answer", '{index,bitmap}');
    return;
}
my $work = <<'END';
INSERT INTO t SELECT hashint8extended(n, 1) % 1000000, n FROM generate_series(1, 20000) n;
INSERT INTO t SELECT hashint8extended(n, 2) % 1000000, n FROM generate_series(1, 20000) n;
INSERT INTO t SELECT 1000000 + n, n FROM generate_series(1, 20000) n;
UPDATE t SET k = k + 1 WHERE v % 10 = 0;
DELETE FROM t WHERE k BETWEEN 0 AND 300000;
VACUUM t;
INSERT INTO t SELECT n, n FROM generate_series(1, 5000) n;
END
# One by one, too.  Those of u come in nearly in order, and what stands for a NULL depends on the value before.
my $one_by_one = <<'END';
SET omendb.insert_buffer_size = 0;
INSERT INTO t SELECT hashint8extended(n, 3) % 1000000, n FROM generate_series(1, 10000) n;
INSERT INTO t SELECT 2000000 + n, n FROM generate_series(1, 2000) n;
INSERT INTO u SELECT (SELECT coalesce(max(a), 0) FROM u) + n * 10 + n * 7 % 30, nullif(n * 11 % 4, 0) FROM generate_series(1, 5000) n;
END

# ---- What there is ----

$node->safe_psql('postgres', 'CREATE TABLE t (k int8, v int8); CREATE INDEX t_k ON t USING omendb (k);'
      . 'CREATE TABLE u (a int8, b int4); CREATE INDEX u_a_b ON u USING omendb (a, b);');
is($node->safe_psql('postgres', "SELECT rm_id FROM pg_get_wal_resource_managers() WHERE rm_name = 'omendb'"), 219, 'its number');
my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
$node->safe_psql('postgres', $work . $one_by_one . 'DELETE FROM t; VACUUM t; ' . $work);
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
my $upto = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
my %seen = map { split /\|/ } split /\n/, $node->safe_psql('postgres', <<"END");
SELECT record_type, count(*) FROM pg_get_wal_records_info('$lsn', '$upto') WHERE resource_manager = 'omendb' GROUP BY 1
END
foreach my $type (qw(APPEND MERGE SPLIT SPLIT_ROOT DOWNLINK SHARE CLEAN UNLINK COLLAPSE COUNT))
{
    cmp_ok($seen{$type} || 0, '>', 0, "records: $type");
}
my $descriptions = $node->safe_psql('postgres', <<"END");
SELECT DISTINCT regexp_replace(description, '[0-9]+', 'N', 'g')
FROM pg_get_wal_records_info('$lsn', '$upto') WHERE resource_manager = 'omendb'
END
like($descriptions, qr/page N: delta entries of N bytes/, 'descriptions: append');
like($descriptions, qr/page N: recoded(, kept N to N, added N bytes)?; page N: whole; page N: patch of N bytes/, 'descriptions: split');
like($descriptions, qr/page N: recoded, kept N to N, removed N, added N bytes/, 'descriptions: recoded');
unlike($descriptions, qr/unexpected|\(null\)/, 'descriptions: nothing odd');
sound('written');

# ---- Replayed, and by whom ----

$node->stop('immediate');
$node->start;
sound('replayed');
$node->safe_psql('postgres', 'CHECKPOINT');
$node->safe_psql('postgres', $work);
$node->stop('immediate');
set_conf('shared_preload_libraries', "''");
my $offset = log_size($node);
ok(!$node->start(fail_ok => 1), 'without the library in shared_preload_libraries the server does not start');
like(log_since($node, $offset), qr/FATAL: +resource manager with ID 219 not registered/, "and says what is missing");
set_conf('shared_preload_libraries', "'omendb'");
$node->start;
sound('replayed after all');

# ---- In turns with generic WAL ----

$node->stop;
set_conf('shared_preload_libraries', "''");
$node->start;
$node->safe_psql('postgres', 'CHECKPOINT');
$node->safe_psql('postgres', $work . $one_by_one);
$node->stop('immediate');
$node->start;
sound('generic WAL');
$node->stop;
set_conf('shared_preload_libraries', "'omendb'");
$node->append_conf('postgresql.conf', 'omendb.wal_resource_manager = 200');
$node->start;
$node->safe_psql('postgres', $work . $one_by_one);
$node->stop('immediate');
$node->start;
sound('another number');
is($node->safe_psql('postgres', "SELECT rm_id FROM pg_get_wal_resource_managers() WHERE rm_name = 'omendb'"), 200, 'which is known');

# ---- Smaller ----

# Bytes a row that an index adds, not right after a checkpoint.
sub bytes_a_row
{
    my ($statement, $rows) = @_;
    $node->safe_psql('postgres', 'DROP TABLE t; CREATE TABLE t (k int8, v int8);'
          . 'INSERT INTO t SELECT hashint8extended(n, 1), n FROM generate_series(1, 100000) n;'
          . 'CREATE INDEX t_k ON t USING omendb (k) WITH (fillfactor = 30); CHECKPOINT; UPDATE t SET k = k;');
    return $node->safe_psql('postgres', <<"END");
SELECT pg_current_wal_insert_lsn() AS lsn \\gset
$statement;
SELECT sum(record_length)::float8 / $rows FROM pg_get_wal_records_info(:'lsn', pg_current_wal_lsn())
WHERE resource_manager IN ('omendb', 'Generic');
END
}
{
    set_conf('wal_consistency_checking', "''");
    my %bytes;
    foreach my $way ("'omendb'", "''")
    {
        set_conf('shared_preload_libraries', $way);
        $node->restart;
        $bytes{$way}{batch} = bytes_a_row('INSERT INTO t SELECT hashint8extended(n, 2), n FROM generate_series(1, 20000) n', 20000);
        $bytes{$way}{single} = bytes_a_row('SET omendb.insert_buffer_size = 0; INSERT INTO t SELECT hashint8extended(n, 2), n FROM generate_series(1, 20000) n', 20000);
    }
    foreach my $kind (qw(batch single))
    {
        cmp_ok($bytes{"'omendb'"}{$kind}, '<', $bytes{"''"}{$kind} * 9 / 10, "WAL of $kind inserts, bytes a row");
        summary(sprintf '%s: %.0f bytes a row, generic WAL %.0f', $kind, $bytes{"'omendb'"}{$kind}, $bytes{"''"}{$kind});
    }
    set_conf('shared_preload_libraries', "'omendb'");
    set_conf('wal_consistency_checking', "'all'");
    $node->restart;
}

# ---- To a point in time ----

$node->append_conf('postgresql.conf', "archive_mode = on\narchive_command = 'cp %p \"" . $node->archive_dir . "/%f\"'\n");
mkdir $node->archive_dir;
$node->restart;
$node->safe_psql('postgres', 'DROP TABLE t; CREATE TABLE t (k int8, v int8); CREATE INDEX t_k ON t USING omendb (k);');
$node->backup('base');
my @points;
foreach my $round (1 .. 3)
{
    $node->safe_psql('postgres', $work . $one_by_one);
    push @points,
      [ "round_$round", $node->safe_psql('postgres', "SELECT count(*), sum(hashint8(k)) FROM t"),
        $node->safe_psql('postgres', "SELECT pg_create_restore_point('round_$round')") ];
}
# One in the middle of a transaction's flush, whose rows nobody will see.
$node->safe_psql('postgres', "BEGIN; INSERT INTO t SELECT hashint8extended(n, 9), n FROM generate_series(1, 20000) n;"
      . "SET LOCAL enable_seqscan = off; SELECT count(*) FROM t WHERE k = 1; SELECT pg_create_restore_point('middle'); COMMIT;");
push @points, [ 'middle', $points[-1][1] ];
$node->safe_psql('postgres', $work);
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
$node->stop;
foreach my $point (@points)
{
    my ($name, $expected) = @$point;
    my $restored = PostgreSQL::Test::Cluster->new("restored_$name");
    $restored->init_from_backup($node, 'base', has_restoring => 1, standby => 0);
    $restored->append_conf('postgresql.conf', "recovery_target_name = '$name'\nrecovery_target_action = 'promote'\narchive_mode = off\n");
    $restored->start;
    $restored->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
    is($restored->safe_psql('postgres', 'SELECT count(*), sum(hashint8(k)) FROM t'), $expected, "$name: the rows");
    check_all($restored, $name);
    one_answer($restored, 'SELECT k, v FROM t WHERE k > -100', "$name: one answer", '{index,bitmap}');
    no_crash($restored, $name);
    $restored->stop;
}

no_crash($node, 'primary', qr/PANIC|TRAP:|was terminated by signal|corrupted page|does not agree with|leak|inconsistent page/);
done_testing();
