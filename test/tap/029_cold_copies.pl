# Leaves in segments go where the index's file goes: base backups taken while leaves move both ways, recovery to
# points between any two of their steps, a standby that follows and is promoted, whose every page is compared with the
# primary's (wal_consistency_checking), databases made from a template, and tablespaces. All of them are sound, give the
# right answers, and go on moving leaves.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestPoints;
use Time::HiRes qw(sleep);

my $bad = qr/PANIC|TRAP:|was terminated by signal (?!9\b)|corrupted page|does not agree|inconsistent page|leak/;

my $primary = new_node('primary', streaming => 1, extra => ['--data-checksums'], conf => <<'END');
shared_preload_libraries = 'omendb'
wal_consistency_checking = 'all'
wal_compression = on
shared_buffers = 4MB
autovacuum = off
max_wal_size = 128MB
wal_keep_size = 128MB
omendb.test_page_entries = 20
omendb.test_delta_entries = 4
omendb.test_segment_leaves = 30
omendb.test_rebuild_misses = 1
END
my $test_build = test_points($primary);
# Of each index some leaves are in segments, unless all are recalled.
$primary->safe_psql('postgres', <<'END');
CREATE TABLE t (id bigserial, k int8, a int4, t text COLLATE "C");
INSERT INTO t (k, a, t) SELECT (random() * 1e6)::int8, random() * 10, md5(random()::text) FROM generate_series(1, 3000);
CREATE INDEX t_k ON t USING omendb (k) WITH (cold_compression = none);
CREATE INDEX t_ak ON t USING omendb (a, k DESC) INCLUDE (id) WITH (cold_compression = snappy);
CREATE INDEX t_t ON t USING omendb (t) WITH (cold_compression = zstd);
SELECT omendb_offload('t_k', '700000'), omendb_offload('t_ak', '8'), omendb_offload('t_t', 'c');
CREATE FUNCTION move_some() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  index regclass := ('{t_k,t_ak,t_t}'::regclass[])[1 + floor(random() * 3)];
  before text := CASE index WHEN 't_k'::regclass THEN floor(random() * 1e6)::text
    WHEN 't_ak'::regclass THEN floor(random() * 11)::text ELSE substr(md5(random()::text), 1, 4) END;
BEGIN
  IF random() < 0.25 THEN
    PERFORM omendb_recall(index);
  ELSIF random() < 0.5 THEN
    PERFORM omendb_offload(index);
  ELSE
    PERFORM omendb_offload(index, before);
  END IF;
END $$;
END

my @movers = (3 => 'SELECT move_some();');
my @changes = (
    3 => <<'END',
INSERT INTO t (k, a, t)
SELECT (random() * 1e6)::int8, random() * 10, md5(random()::text) FROM generate_series(1, 20);
END
    3 => <<'END',
\set k random(0, 1000000)
UPDATE t SET k = (random() * 1e6)::int8 WHERE id = (SELECT id FROM t WHERE k >= :k ORDER BY k LIMIT 1);
END
    2 => <<'END',
\set k random(0, 1000000)
DELETE FROM t WHERE id IN (SELECT id FROM t WHERE k BETWEEN :k AND :k + 10000 FOR UPDATE SKIP LOCKED);
END
    1 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t;');
my @questions = (
    'SELECT k FROM t WHERE k >= 0', 'SELECT a, k, id FROM t WHERE a BETWEEN 1 AND 8', q(SELECT t FROM t WHERE t < 'e'));

sub stat_of
{
    my ($node, $index, $what, $database) = @_;
    return $node->safe_psql($database || 'postgres', "SELECT $what FROM omendb_stat_index('$index')");
}

sub until_paused
{
    my ($node) = @_;
    $node->poll_query_until('postgres', q(SELECT pg_get_wal_replay_pause_state() = 'paused')) or die 'replay goes on';
    return;
}

sub answers
{
    my ($node, $name) = @_;
    one_answer($node, $_, "$name: $_", '{index,bitmap,batched}') foreach @questions;
    return;
}

# A server that was made of another one's files or WAL: it has what it should, and can go on.
sub goes_on
{
    my ($node, $name) = @_;
    check_all($node, $name);
    answers($node, $name);
    $node->safe_psql('postgres', <<'END');
SELECT omendb_offload('t_k', '900000'), omendb_offload('t_ak', '9'), omendb_offload('t_t', 'f');
DELETE FROM t WHERE k % 3 = 0;
INSERT INTO t (k, a, t) SELECT (random() * 1e6)::int8, random() * 10, md5(random()::text) FROM generate_series(1, 500);
VACUUM (INDEX_CLEANUP ON) t;
SELECT omendb_offload('t_k', '500000'), omendb_recall('t_ak');
END
    check_all($node, "$name, after writing");
    answers($node, "$name, after writing");
    is(stat_of($node, 't_ak', 'segments, segment_pages, cold_leaves'), '0|0|0', "$name: no segment is left of those recalled");
    is(stat_of($node, 't_t', 'segments <= cold_leaves'), 't', "$name: nor an unused one");
    no_crash($node, $name, $bad);
    return;
}

# ---- Base backups, one after the other, while leaves move ----

my $standby = PostgreSQL::Test::Cluster->new('standby');
$primary->backup('for_standby');
$standby->init_from_backup($primary, 'for_standby', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\narchive_mode = off\n");
$standby->start;

my @loads = (
    start_load($primary, clients => 2, seconds => 600, rate => 60, scripts => [@movers]),
    start_load($primary, clients => 1, seconds => 600, rate => 60, scripts => [@changes]));
my $queries = start_load(
    $standby,
    clients => 1,
    seconds => 600,
    scripts => [ 1 => <<'END']);
\set k random(0, 900000)
\set a random(0, 9)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT must_be_same(format('SELECT k FROM t WHERE k BETWEEN %s AND %s', :k::int8, :k::int8 + 200000),
  '{index,bitmap,batched}');
SELECT must_be_same(format('SELECT a, k, id FROM t WHERE a = %s', (:a)::int4), '{index,batched}');
SELECT must_be_same(format('SELECT t FROM t WHERE t > %L', substr(md5((:k)::int8::text), 1, 3)), '{index,bitmap}');
COMMIT;
END
my $backups = 3 * $soak;
foreach my $n (1 .. $backups)
{
    $primary->backup("backup_$n", backup_options => [ '-X', 'stream', '--checkpoint', 'fast', '--max-rate', '16M' ]);
    my $node = PostgreSQL::Test::Cluster->new("of_backup_$n");
    $node->init_from_backup($primary, "backup_$n", standby => 0);
    $node->append_conf('postgresql.conf', 'archive_mode = off');
    $node->start;
    goes_on($node, "backup $n");
    $node->stop;
    if ($n == 1)
    {
        $primary->command_ok([ 'pg_verifybackup', $primary->backup_dir . "/backup_$n" ], 'pg_verifybackup');
        $node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'pg_checksums');
    }
    $node->clean_node;
}
$_->{handle}->signal('TERM') foreach @loads, $queries;
finish_load($_, 'the load', crashed => 1) foreach @loads;
# Its last statements may still be under way.
$primary->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'))
  or die 'the load does not end';
finish_load($queries, 'queries of the standby', crashed => 1);
my $looked_at = $standby->safe_psql('postgres', 'SELECT sum(cold_hits + cold_reads) FROM omendb_stat_indexes');
cmp_ok($looked_at, '>', 100, 'the standby looked at leaves in segments');
summary("$backups backups, $looked_at leaves in segments looked at on the standby");
check_all($primary, 'primary');

# ---- Points in time between the steps ----

# Whoever moves leaves waits at the point; each has a table of its own.
$primary->enable_archiving;
$primary->restart;
$primary->backup('first', backup_options => [ '-X', 'none', '--checkpoint', 'fast' ]);
my @restores;
foreach my $step (
    'segment-data:1', 'segment-written:1', 'leaf-frozen:1', 'leaf-frozen:' . (2 + int rand 20),
    'cold-absorbed:' . (1 + int rand 15), 'leaves-redirected:1', 'leaf-thawed:' . (1 + int rand 15))
{
    last if !$test_build;
    my ($point, $time) = split /:/, $step;
    my $table = 'r' . @restores;
    # There is something to recall, or to put together.
    my $cold = $point =~ /leaf-thawed|redirected/ ? 'true' : 'false';
    my $dead = $point =~ /redirected/ ? 'true' : 'false';
    $primary->safe_psql('postgres', <<"END");
CREATE TABLE $table AS SELECT n AS k, md5(n::text) AS t FROM generate_series(1, 2000) AS n;
CREATE INDEX ${table}_k ON $table USING omendb (k) INCLUDE (t);
SELECT omendb_offload('${table}_k', '400') WHERE $cold;
INSERT INTO $table SELECT n, 'new' FROM generate_series(1, 400, 30) AS n WHERE $dead;
END
    my $holder = $primary->background_psql('postgres');
    $holder->query_safe('SELECT pg_advisory_lock(1)');
    my $move = $point eq 'leaf-thawed' ? "omendb_recall('${table}_k')" : "omendb_offload('${table}_k', '1500')";
    my $mover = start_psql($primary, "SET omendb.test_point = '$point=pause:$time';\nSELECT $move;");
    $primary->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'))
      or die "nobody waits at $step";
    $primary->safe_psql('postgres', "SELECT pg_create_restore_point('$table')");
    $holder->quit;
    like(finish_psql($mover), qr/^\d+\n$/, "$step: it goes on");
    push @restores, { name => $table, step => $step };
}
my $last = $primary->safe_psql('postgres', 'SELECT pg_walfile_name(pg_switch_wal())');
$primary->poll_query_until('postgres', "SELECT last_archived_wal >= '$last' FROM pg_stat_archiver")
  or die 'the WAL is not archived';
# One server can be restored to one point after the other: each time it is a standby that stops there.
my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($primary, 'first', has_restoring => 1);
$restored->append_conf('postgresql.conf', "archive_mode = off\nrecovery_target_action = pause\n");
foreach my $r (@restores)
{
    my ($table, $name) = ($r->{name}, "restored to $r->{step}");
    $restored->append_conf('postgresql.conf', "recovery_target_name = '$table'");
    $restored->start;
    until_paused($restored);
    check_all($restored, $name);
    one_answer($restored, "SELECT k, t FROM $table WHERE k > 0", $name, '{index,bitmap}');
    $restored->stop;
    # And some are opened there.
    next if $r != $restores[-1] && rand() < 0.6;
    my $copy = PostgreSQL::Test::Cluster->new("opened_$table");
    $copy->init_from_backup($primary, 'first', has_restoring => 1, standby => 0);
    $copy->append_conf('postgresql.conf', <<"END");
archive_mode = off
recovery_target_action = promote
recovery_target_name = '$table'
END
    $copy->start;
    $copy->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die "$name: it is not promoted";
    check_all($copy, "$name, opened");
    # What was left half done is cleared away.
    $copy->safe_psql('postgres', "DELETE FROM $table WHERE k % 100 = 0; VACUUM (INDEX_CLEANUP ON) $table;");
    check_all($copy, "$name, opened, after VACUUM");
    is(stat_of($copy, "${table}_k", 'segments <= cold_leaves'), 't', "$name: no unused segment");
    $copy->safe_psql('postgres', "SELECT omendb_offload('${table}_k', '1900')");
    one_answer($copy, "SELECT k, t FROM $table WHERE k > 0", "$name, opened", '{index,bitmap,batched}');
    goes_on($copy, "$name, opened") if $r == $restores[-1];
    $copy->stop;
    $copy->clean_node;
}

# ---- The standby, on which a reader passes by ----

$primary->wait_for_catchup($standby);
foreach my $call ("offload('t_k', '500000')", "recall('t_k')")
{
    my ($status, $output, $errors) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT omendb_$call");
    my $what = $call =~ s/\(.*//r;
    like(
        $errors,
        qr/ERROR:  25006: cannot $what an index during recovery\nHINT:  Do so on the primary: the standby follows\./,
        "omendb_$what on a standby");
}
answers($standby, 'standby');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
until_paused($standby);
check_all($standby, 'standby');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
my $digest = 'SET enable_seqscan = off; SELECT count(*), sum(k), sum(hashint8(k)::int8 # id) FROM t WHERE k >= 0';
is($standby->safe_psql('postgres', $digest), $primary->safe_psql('postgres', $digest), 'both have the same rows');

# A query of the standby waits having read a leaf, or before it goes on to the next; meanwhile the segment goes, and its
# blocks are given to others.
foreach my $point (map { my $p = $_; map { "$p=pause:$_" } 1, 2 + int rand 10 } 'cold-read', 'leaf-read')
{
    last if !$test_build;
    foreach my $way (pick('index', 'index', 'bitmap'))
    {
        my $order = $way eq 'index' ? pick('ORDER BY k', 'ORDER BY k DESC') : '';
        $primary->safe_psql('postgres', <<'END');
DROP TABLE IF EXISTS passed;
CREATE TABLE passed AS SELECT n AS k, md5(n::text) AS t FROM generate_series(1, 1000) AS n;
CREATE INDEX passed_k ON passed USING omendb (k) INCLUDE (t);
SELECT omendb_offload('passed_k', '800');
END
        $primary->wait_for_catchup($standby);
        my $query = "SELECT md5(string_agg(k || t, ',')) FROM (SELECT k, t FROM passed WHERE k > 0 $order OFFSET 0) AS x";
        my $expected = $primary->safe_psql('postgres', $way eq 'index' ? $query : "SET enable_indexscan = off; $query");
        my $holder = $standby->background_psql('postgres');
        $holder->query_safe('SELECT pg_advisory_lock(1)');
        my $reader = start_psql($standby, <<"END");
BEGIN;
DO \$\$ BEGIN PERFORM force_scan('$way'); END \$\$;
SET omendb.test_point = '$point';
$query;
COMMIT;
END
        $standby->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'))
          or die "nobody waits at $point";
        $primary->safe_psql('postgres', <<'END');
SELECT omendb_recall('passed_k');
VACUUM passed;
INSERT INTO passed SELECT -n, 'others' FROM generate_series(1, 300) AS n;
SELECT omendb_offload('passed_k', '300');
SELECT omendb_offload('passed_k', '900');
END
        $primary->wait_for_catchup($standby);
        $holder->quit;
        is(finish_psql($reader), "$expected\n", "$point, $way scan: a reader that segments pass by");
    }
}

# ---- Promoted, and on its own ----

my $load = start_load($primary, clients => 2, seconds => 3, rate => 100, scripts => [ @movers, @changes ]);
sleep 1.5;
$standby->promote;
goes_on($standby, 'promoted');
finish_load($load, 'the load on the primary');
check_all($primary, 'primary, after the promotion');
answers($primary, 'primary, after the promotion');
$primary->stop;
no_crash($primary, 'primary', $bad);

# ---- Databases and tablespaces; DROP and TRUNCATE; a crash after each ----

$standby->safe_psql('postgres', <<'END');
SELECT omendb_offload('t_k', '700000'), omendb_offload('t_ak', '8'), omendb_offload('t_t', 'c');
END
foreach my $strategy ('wal_log', 'file_copy')
{
    $standby->safe_psql('template1', "CREATE DATABASE copy_$strategy TEMPLATE postgres STRATEGY $strategy");
    $standby->safe_psql('postgres', "ALTER DATABASE copy_$strategy SET search_path = omendb_test, public");
}
kill_server($standby);
$standby->start;
my $space = PostgreSQL::Test::Utils::tempdir;
$standby->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$space'");
foreach my $database ('copy_wal_log', 'copy_file_copy', 'postgres')
{
    my $sound = sub {
        my ($name) = @_;
        my ($status, $output, $errors) = $standby->psql($database, 'SELECT check_all()');
        ok($status == 0 && $output >= 3, "$database, $name: omendb_check of every index") or diag($errors);
        like($standby->safe_psql($database, "SELECT compare(\$q\$$_\$q\$)"), qr/^same, \d+ rows$/, "$database, $name: $_")
          foreach @questions;
        return;
    };
    is(stat_of($standby, 't_k', 'cold_leaves > 3', $database), 't', "$database: leaves are cold");
    $sound->('as it came');
    $standby->safe_psql($database, <<'END');
ALTER INDEX t_k SET TABLESPACE elsewhere;
ALTER INDEX t_t SET TABLESPACE elsewhere;
END
    kill_server($standby) if $database eq 'postgres';
    $standby->start if $database eq 'postgres';
    is(stat_of($standby, 't_k', 'cold_leaves > 3', $database), 't', "$database: they are still cold");
    $sound->('ALTER INDEX SET TABLESPACE');
    $standby->safe_psql($database, <<'END');
SELECT omendb_offload('t_k', '900000'), omendb_recall('t_t');
ALTER INDEX t_k SET TABLESPACE pg_default;
DELETE FROM t WHERE k % 2 = 0;
VACUUM (INDEX_CLEANUP ON) t;
END
    $sound->('and back');
}
$standby->safe_psql('postgres', <<'END');
CREATE TABLE kept AS TABLE t;
CREATE INDEX kept_k ON kept USING omendb (k);
SELECT omendb_offload('kept_k', '800000');
BEGIN;
TRUNCATE kept;
INSERT INTO kept (k) SELECT n FROM generate_series(1, 1000) AS n;
SELECT omendb_offload('kept_k', '800');
ROLLBACK;
BEGIN;
DROP INDEX kept_k;
ROLLBACK;
SELECT omendb_check('kept_k', true);
DROP INDEX t_ak;
TRUNCATE t;
INSERT INTO t (k, a, t) SELECT n, n, n FROM generate_series(1, 500) AS n;
SELECT omendb_offload('t_k', '400');
DROP DATABASE copy_wal_log;
END
kill_server($standby);
$standby->start;
check_all($standby, 'DROP and TRUNCATE');
is(stat_of($standby, 'kept_k', 'cold_leaves > 3'), 't', 'TRUNCATE and DROP INDEX, rolled back: leaves are cold');
is(stat_of($standby, 't_k', 'cold_leaves > 3'), $test_build ? 't' : 'f', 'TRUNCATE: new ones are');
is(stat_of($standby, 't_t', 'segments'), 0, 'TRUNCATE: the others are gone');
one_answer($standby, 'SELECT k FROM kept WHERE k > 0', 'TRUNCATE, rolled back', '{index,bitmap}');
$standby->stop;
no_crash($standby, 'standby', $bad);
$standby->command_ok([ 'pg_checksums', '--check', '-D', $standby->data_dir ], 'pg_checksums of the standby');
done_testing();
