# Unique indexes under load: eight sessions race to insert the same keys, by every way to insert one, on pages so small
# that the dead versions of a key lie on several leaves.  Of those who want a key, exactly one has it; nobody waits for a
# page of somebody who waits for him; and the index is sound.  The same with crashes in between, and on a standby.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $clients = 8;
my $keys = 400 * $soak;

my $primary = new_node('primary', streaming => 1, conf => <<'END');
shared_preload_libraries = 'omendb'
wal_consistency_checking = 'all'
autovacuum = off
max_wal_size = 512MB
deadlock_timeout = 200ms
omendb.test_page_entries = 6
omendb.test_delta_entries = 2
omendb.test_rebuild_misses = 1
END
$primary->safe_psql('postgres', q(SELECT pg_create_physical_replication_slot('standby', true)));
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', <<'END');
primary_slot_name = 'standby'
max_standby_streaming_delay = -1
END
$standby->start;

# Each way has a table of its own.  `attempt` returns whether this session has won the key, in a subtransaction or not,
# and is run by each session for each key.
$primary->safe_psql('postgres', <<'END');
CREATE TABLE won (way text, k int8, who int4);

CREATE FUNCTION make_table(way text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE %I (k int8, who int4, v int4 DEFAULT 0) WITH (fillfactor = 70)', way);
  EXECUTE format('CREATE UNIQUE INDEX ON %I USING omendb (k) INCLUDE (who)', way);
  -- So that no update is HOT.
  EXECUTE format('CREATE INDEX ON %I USING omendb (v)', way);
END $$;
SELECT make_table(way) FROM unnest('{plain,nothing,update,move,delete,undone,serial}'::text[]) AS way;
CREATE TABLE source AS SELECT n AS k FROM generate_series(1, 100000) AS n;

CREATE FUNCTION attempt(way text, key int8, me int4) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
  n int;
BEGIN
  CASE way
    WHEN 'plain' THEN
      INSERT INTO plain VALUES (key, me);
    WHEN 'nothing' THEN
      INSERT INTO nothing VALUES (key, me) ON CONFLICT DO NOTHING;
      GET DIAGNOSTICS n = ROW_COUNT;
      RETURN n = 1;
    WHEN 'update' THEN
      -- Each counts; the first one does so as well.
      INSERT INTO update VALUES (key, me, 1) ON CONFLICT (k) DO UPDATE SET v = update.v + 1 RETURNING v INTO n;
      RETURN n = 1;
    WHEN 'move' THEN
      -- A row of this session goes there, over other keys of its own.
      INSERT INTO move VALUES (-(key * 100 + me), me) ON CONFLICT (k) DO NOTHING;
      UPDATE move SET k = -(key * 100 + me) - 50 WHERE k = -(key * 100 + me);
      UPDATE move SET k = key WHERE k = -(key * 100 + me) - 50;
    WHEN 'delete' THEN
      -- The winner leaves dead versions behind before it keeps the key.
      INSERT INTO delete VALUES (key, me);
      FOR i IN 1 .. 10 LOOP
        DELETE FROM delete WHERE k = key;
        INSERT INTO delete VALUES (key, me, i);
      END LOOP;
    WHEN 'undone' THEN
      BEGIN
        INSERT INTO undone VALUES (key, -me);
        RAISE EXCEPTION 'undone';
      EXCEPTION WHEN raise_exception THEN NULL;
      END;
      INSERT INTO undone VALUES (key, me);
  END CASE;
  RETURN true;
EXCEPTION WHEN unique_violation THEN
  RETURN false;
END $$;

CREATE PROCEDURE race(way text, keys int8, me int4) LANGUAGE plpgsql AS $$
DECLARE
  wins bool;
BEGIN
  -- All begin at once.
  PERFORM pg_advisory_lock_shared(7);
  FOR key IN 1 .. keys LOOP
    wins := attempt(way, key, me);
    IF wins THEN INSERT INTO won VALUES (way, key, me); END IF;
    -- What some win is taken back at the end of the transaction: the next one has it.
    IF wins AND way = 'undone' AND (key + me) % 3 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
  END LOOP;
END $$;
END

my $deadlocks_before = $primary->safe_psql('postgres', 'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()');
foreach my $way (qw(plain nothing update move delete undone))
{
    my $begin = time;
    my $gate = $primary->background_psql('postgres');
    $gate->query_safe('SELECT pg_advisory_lock(7)');
    my @sessions = map { start_psql($primary, "CALL race('$way', $keys, $_);") } 1 .. $clients;
    $primary->poll_query_until('postgres', "SELECT count(*) = $clients FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
    $gate->query_safe('SELECT pg_advisory_unlock(7)');
    $gate->quit;
    my $vacuum = start_psql($primary, "VACUUM (INDEX_CLEANUP ON) $way;\n" x 5);
    my $said = join '', map { finish_psql($_) } @sessions;
    is($said, '', "$way: no errors");
    is(finish_psql($vacuum), '', "$way: nor of VACUUM");

    # Of 'undone' a session that won may have given the key back after everybody else had tried.
    my $least = $way eq 'undone' ? $keys * 0.5 : $keys;
    my ($rows, $distinct, $winners) = split /\|/,
      $primary->safe_psql('postgres', "SELECT count(*), count(DISTINCT k), (SELECT count(*) FROM won WHERE way = '$way') FROM $way WHERE k > 0");
    is($rows, $distinct, "$way: no key twice");
    is($winners, $rows, "$way: as many winners");
    cmp_ok($rows, '>=', $least, "$way: all keys");
    is( $primary->safe_psql('postgres',
            "SELECT count(*) FROM (SELECT k, who FROM $way WHERE k > 0 EXCEPT SELECT k, who FROM won WHERE way = '$way') AS x"),
        0, "$way: the winner's row");
    is($primary->safe_psql('postgres', 'SELECT sum(v) FROM update WHERE k > 0'), $keys * $clients, 'update: each counted')
      if $way eq 'update';
    one_answer($primary, "SELECT k, who FROM $way WHERE k >= -1000000000", "$way: one answer");
    summary(sprintf '%s: %d sessions, %d keys, %.1f s', $way, $clients, $keys, time - $begin);
}
check_all($primary, 'after the races');
is( $primary->safe_psql('postgres', 'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'),
    $deadlocks_before, 'no deadlocks');

# An error while the first leaf of a key and the one for its entry are locked, or between the steps of a split.
foreach my $point (qw(insert-locked leaf-cleaned delta-merged split-written downlink-inserted root-split share-locked share-written))
{
    foreach my $n (1, 2, 5)
    {
        my ($status, $output, $errors) = $primary->psql('postgres', <<"END", on_error_stop => 0);
SET omendb.test_point = '$point=error:$n';
DO \$\$BEGIN FOR i IN 1 .. 60 LOOP UPDATE delete SET v = -i WHERE k = 7; END LOOP; END\$\$;
INSERT INTO delete SELECT n, $n FROM generate_series(5000000, 5000030) AS n ON CONFLICT (k) DO UPDATE SET v = delete.v + 1;
INSERT INTO delete VALUES (7, 0);
END
        $errors =~ s/ERROR:  test point $point//;
        is(scalar(() = $errors =~ /ERROR:/g), 1, "error at $point, $n: the key is there");
        like($errors, qr/duplicate key value/, "error at $point, $n: once");
    }
    check_all($primary, "error at $point");
}

# In serializable transactions: who reads first, then inserts, is told of stale reads and never of a duplicate.
{
    my $output = finish_load(
        start_load(
            $primary,
            clients => $clients,
            seconds => 5 * $soak,
            scripts => [ 1 => <<'END' ]),
\set k random(1, 300)
BEGIN ISOLATION LEVEL SERIALIZABLE;
SET LOCAL enable_seqscan = off;
INSERT INTO serial SELECT :k, :client_id WHERE NOT EXISTS (SELECT 1 FROM serial WHERE k = :k);
DELETE FROM serial WHERE k = (:k + 150) % 300;
END;
END
        'serializable: no duplicate was reported', tolerate => qr/could not serialize/);
    check_all($primary, 'serializable');
}

# The standby has the same rows, and is sound when it is promoted.
$primary->wait_for_catchup($standby);
one_answer($standby, 'SELECT k, who FROM delete WHERE k > 0', 'standby: one answer', '{index,bitmap}');
is( $standby->safe_psql('postgres', 'SELECT count(*) FROM plain'),
    $primary->safe_psql('postgres', 'SELECT count(*) FROM plain'), 'standby: all rows');

# Crashes: whatever is undone then, no key is there twice.
foreach my $round (1 .. 3)
{
    my $load = start_load(
        $primary,
        clients => $clients,
        seconds => 30,
        scripts => [
            3 => "\\set k random(1, 2000)\nINSERT INTO plain VALUES (:k + 1000000, :client_id) ON CONFLICT (k) DO UPDATE SET v = plain.v + 1;",
            2 => "\\set k random(1, 2000)\nINSERT INTO plain VALUES (:k + 1000000, :client_id) ON CONFLICT DO NOTHING;",
            2 => "\\set k random(1, 2000)\nDELETE FROM plain WHERE k = :k + 1000000;",
            1 => "\\set k random(1, 2000)\n\\set l random(1, 2000)\nUPDATE plain SET k = :k + 1000000 WHERE k = :l + 1000000 AND NOT EXISTS (SELECT 1 FROM plain WHERE k = :k + 1000000);"
        ]);
    sleep 1 + rand 2;
    kill_server($primary);
    finish_load($load, "load $round ended with the server", crashed => 1, tolerate => qr/server closed|connection|duplicate key|aborted/);
    $primary->start;
    is( $primary->safe_psql('postgres', 'SELECT count(*) FROM (SELECT k FROM plain GROUP BY k HAVING count(*) > 1) AS x'),
        0, "crash $round: no key twice");
    check_all($primary, "crash $round");
}
$primary->wait_for_catchup($standby);
$primary->stop;
$standby->promote;
check_all($standby, 'promoted');
is( $standby->safe_psql('postgres', 'SELECT count(*) FROM (SELECT k FROM plain GROUP BY k HAVING count(*) > 1) AS x'),
    0, 'promoted: no key twice');
my ($status, $output, $errors) = $standby->psql('postgres', 'INSERT INTO plain VALUES (1, 0)');
like($errors, qr/duplicate key value violates unique constraint "plain_k_who_idx"/, 'promoted: unique');

# Where the library comes into a session only when the executor opens the index, the statement fails with an error that
# says so, and the next one does not.  That is so only without an arbiter, or where it belongs to a parent: otherwise
# the planner has opened the index.
my $late = new_node('late', conf => "autovacuum = off\n");
$late->safe_psql('postgres', <<'END');
CREATE TABLE t (k int4, v int4);
CREATE UNIQUE INDEX ON t USING omendb (k);
CREATE TABLE p (k int4) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE UNIQUE INDEX ON p1 USING omendb (k);
CREATE FUNCTION put(int4) RETURNS void LANGUAGE plpgsql AS $$BEGIN INSERT INTO t VALUES ($1) ON CONFLICT DO NOTHING; END$$;
END
foreach my $statement ('INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING', 'INSERT INTO p VALUES (1) ON CONFLICT DO NOTHING', 'SELECT put(1)')
{
    my ($status, $output, $errors) = $late->psql('postgres', "\\set VERBOSITY verbose\n$statement;\n$statement;\n", on_error_stop => 0);
    like($errors, qr/ERROR:  0A000: omendb came too late .*\n.*DETAIL: .*\nHINT:  Run the statement again/, "late: $statement");
    is(scalar(() = $errors =~ /ERROR:/g), 1, 'late: once');
}

# What explains that error stays where it does no harm to the next one, also where the library came while parameters of
# the protocol's own were in force.
my $script = $PostgreSQL::Test::Utils::tmp_check . '/late.sql';
open my $file, '>', $script or die "$script: $!\n";
print $file "\\set n 2\nSELECT count(*) FROM t WHERE k = :n;\nSELECT 1 / (:n - 2);\n";
close $file or die "$script: $!\n";
my $said = '';
IPC::Run::run([ 'timeout', 60, 'pgbench', '-n', '-M', 'prepared', '-t', 1, '-f', $script, $late->connstr('postgres') ],
    '>&', \$said);
like($said, qr/ERROR:  division by zero/, 'late: the next error');
is($late->safe_psql('postgres', 'SELECT count(*) FROM t') . $late->safe_psql('postgres', 'SELECT count(*) FROM p'), '11', 'late: one row each');
$late->safe_psql('postgres', 'INSERT INTO t VALUES (2) ON CONFLICT (k) DO NOTHING; INSERT INTO t VALUES (2) ON CONFLICT (k) DO UPDATE SET v = 5;');
is($late->safe_psql('postgres', 'SELECT v FROM t WHERE k = 2'), '5', 'late: with an arbiter in time');
$late->append_conf('postgresql.conf', "session_preload_libraries = 'omendb'\n");
$late->restart;
$late->safe_psql('postgres', 'INSERT INTO t VALUES (2) ON CONFLICT DO NOTHING');
is($late->safe_psql('postgres', 'SELECT count(*) FROM t'), 2, 'loaded with the session: in time');

# ---- Built by several processes: VACUUM FULL and CLUSTER do not have uniqueness checked, REINDEX does ----

$late->safe_psql('postgres', <<'END');
CREATE TABLE rebuilt (k int8, filler text) WITH (parallel_workers = 2);
INSERT INTO rebuilt SELECT n, repeat('x', 200) FROM generate_series(1, 100000) AS n;
DELETE FROM rebuilt WHERE k % 10 = 0;
CREATE UNIQUE INDEX rebuilt_k ON rebuilt USING omendb (k);
ALTER TABLE rebuilt CLUSTER ON rebuilt_k;
END
foreach my $statement ('VACUUM FULL rebuilt', 'CLUSTER rebuilt', 'REINDEX TABLE rebuilt', 'ALTER TABLE rebuilt SET UNLOGGED')
{
    my ($status, $output, $errors) = $late->psql('postgres', "SET client_min_messages = debug1; $statement");
    like($errors, qr/"rebuilt_k" with [12] parallel workers/, "$statement: workers") if $statement !~ /ALTER/;
    check_all($late, $statement);
    one_answer($late, 'SELECT k FROM rebuilt WHERE k BETWEEN 5000 AND 90000', $statement);
}

no_crash($primary, 'primary');
no_crash($standby, 'standby');
no_crash($late, 'late');
done_testing();
