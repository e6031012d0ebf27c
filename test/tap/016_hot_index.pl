# The hot index in shared memory: whatever it says, answers are right, and whatever becomes of an index or of a process,
# it goes on. Tables of fences are built all the time, or grow old, while pages split, are unlinked and come back under
# other keys; there is less memory than indexes want; indexes are replaced, emptied and moved; processes die with a
# claim, or hold a table for long; a standby has one of its own. It needs the test build.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use Omendb;
use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestPoints;
use Time::HiRes qw(sleep time);

my $preload = "shared_preload_libraries = 'omendb'\n";
my $repeatable = "BEGIN ISOLATION LEVEL REPEATABLE READ;\n";
# Of the keys n * 7919 % 1000003 a table has the first ones.
my $functions = <<'END';
CREATE FUNCTION make_table(name text, keys int4) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE %I AS SELECT n::int8 * 7919 %% 1000003 AS k, n AS a FROM generate_series(1, %s) AS n',
                 name, keys);
  EXECUTE format('CREATE INDEX %I ON %I USING omendb (k)', name || '_k', name);
END $$;

-- Looks up the first keys, one by one; must find them all.
CREATE FUNCTION look_up(name text, keys int4) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  found int8;
BEGIN
  EXECUTE format('SELECT count((SELECT k FROM %I WHERE k = n::int8 * 7919 %% 1000003 LIMIT 1)) '
                 'FROM generate_series(1, %s) AS n', name, keys) INTO found;
  IF found <> keys THEN RAISE EXCEPTION 'WRONG ANSWER: % of % keys found in %', found, keys, name; END IF;
END $$;
END

sub stat_of
{
    my ($node, $index, $database) = @_;
    return decode_json($node->safe_psql($database || 'postgres',
        "SELECT row_to_json(s) FROM omendb_stat_index('$index', false) AS s"));
}

# Lookups of a new session are routed, and find all keys of the table; more of them if they first have to make a table.
sub is_routed
{
    my ($node, $name, $database, $table) = @_;
    $database ||= 'postgres';
    $table ||= 't';
    my ($status, $output, $errors) = $node->psql($database, <<"END");
SELECT hint_hits FROM omendb_stat_index('${table}_k');
SELECT look_up('$table', 1000);
SELECT hint_hits, rebuilds FROM omendb_stat_index('${table}_k');
END
    my ($before, $after, $rebuilds) = $output =~ /^(\d+)\n\n(\d+)\|(\d+)$/
      or return ok(0, $name) || diag("$output\n$errors");
    ok($after - $before > 500, "$name: lookups are routed")
      or diag("$before hits before, $after after, $rebuilds rebuilds");
    one_answer($node, "SELECT k FROM $table WHERE k >= 0", "$name: answers") if $database eq 'postgres';
    return;
}

# ---- Readers and writers, while tables are built all the time ----

sub race
{
    my $node = new_node('race', conf => $preload . <<'END');
autovacuum_naptime = 1s
autovacuum_vacuum_cost_delay = 0
autovacuum_vacuum_threshold = 20
omendb.test_page_entries = 8
omendb.test_delta_entries = 2
END
    $node->safe_psql('postgres', $functions . <<'END');
CREATE TABLE t (id bigserial, k int8, a int4);
INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 3000);
CREATE INDEX t_k ON t USING omendb (k);
CREATE INDEX t_ak ON t USING omendb (a, k DESC) INCLUDE (id);
CREATE INDEX t_id ON t USING omendb (id);
CREATE TABLE scratch (k int8);
CREATE INDEX scratch_k ON scratch USING omendb (k);
END
    my @readers = (
        4 => <<"END",
\\set k random(0, 900000)
$repeatable
SELECT must_be_same(format('SELECT k FROM t WHERE k BETWEEN %s AND %s', :k::int8, :k::int8 + 50000));
SELECT must_be_same(format('SELECT k FROM t WHERE k < %s ORDER BY k DESC LIMIT 20', :k::int8), '{index,only,batched,batched_only}', true);
SELECT must_be_same(format('SELECT a, k FROM t WHERE a = 3 AND k > %s ORDER BY a, k DESC LIMIT 20', :k::int8),
  '{index,only,batched,batched_only}', true);
SELECT must_be_same(format('SELECT a, k FROM t WHERE a < 4 AND k > %s', :k::int8), '{index,bitmap}');
COMMIT;
END
        # Many lookups all over the index, each a search of its own.
        4 => <<"END",
\\set k random(1, 1000000)
$repeatable
SELECT must_be_same(format('SELECT (SELECT min(k) FROM t WHERE k >= n::int8 * %s %% 1000003)'
  ', (SELECT max(k) FROM t WHERE k < n::int8 * %s %% 1000003) FROM generate_series(1, 50) AS n',
  :k::int8, :k::int8), '{index,only,batched,batched_only}');
COMMIT;
END
    );
    # Tables that change within a transaction, and indexes that others come to know by name.
    my @in_place = (
        3 => <<'END',
\set n random(1, 1000)
BEGIN;
TRUNCATE scratch;
INSERT INTO scratch SELECT n::int8 * 7919 % 1000003 FROM generate_series(1, 500) AS n;
SELECT look_up('scratch', 500);
-- In place: the file stays, and what is known of it is wrong.
TRUNCATE scratch;
INSERT INTO scratch SELECT n::int8 * 7919 % 1000003 FROM generate_series(1, :n) AS n;
SELECT look_up('scratch', :n);
SELECT must_be_same('SELECT k FROM scratch WHERE k > 0');
COMMIT;
SELECT look_up('scratch', :n);
END
    );
    my @definitions = (
        @in_place,
        2 => 'REINDEX INDEX CONCURRENTLY t_k;',
        2 => 'REINDEX INDEX t_ak;',
        2 => 'DROP INDEX t_id; CREATE INDEX t_id ON t USING omendb (id);',
        1 => "ALTER INDEX t_k SET (model = 'pgm'); ALTER INDEX t_id SET (model = 'splus');",
        1 => "ALTER INDEX t_k SET (model = 'rmi'); ALTER INDEX t_id RESET (model);",
        2 => <<'END',
DROP TABLE IF EXISTS other;
SELECT make_table('other', 300);
SELECT look_up('other', 300);
BEGIN;
DROP TABLE other;
SELECT make_table('other', 200);
SELECT look_up('other', 200);
ROLLBACK;
SELECT look_up('other', 300);
END
    );
    my $seconds = 10 * $soak;
    my %sum;
    # Tables that are built all the time; and old ones, whose pages have been unlinked and recycled.
    foreach my $misses (1, 1000)
    {
        my %common = (seconds => $seconds, mode => 'extended', settings => { 'omendb.test_rebuild_misses' => $misses });
        my $alone = start_load($node, %common, clients => 1, scripts => [ $misses == 1 ? @definitions : @in_place ]);
        my @scripts = (@readers, writers('INDEX_CLEANUP ON, TRUNCATE OFF'));
        my $load = start_load($node, %common, clients => 4, scripts => [@scripts]);
        # Entries that wait for others come to a leaf many at once.
        my $waiting = start_load(
            $node, %common,
            clients => 4,
            settings => { %{ $common{settings} }, %{ waiting() }, 'omendb.test_first_inserts' => 0 },
            scripts => [@scripts]);
        # An index that is replaced leaves its counts behind.
        for (my $end = time + $seconds; time < $end; sleep 0.5)
        {
            my ($status, $output) = $node->psql('postgres', <<'END');
SELECT c.relfilenode, s.rebuilds, s.hint_hits, s.moves_right, s.restarts
FROM pg_class c, LATERAL omendb_stat_index(c.oid, false) s WHERE c.relname IN ('t_k', 't_ak', 't_id')
END
            $sum{$1} = [ $2, $3, $4, $5 ] while $output =~ /^(\d+)\|(\d+)\|(\d+)\|(\d+)\|(\d+)$/mg;
        }
        finish_load($load, "race, a table after $misses misses: readers and writers");
        finish_load($waiting, "race, a table after $misses misses: those whose inserts wait");
        finish_load($alone, "race, a table after $misses misses: DDL");
        check_all($node, "race, a table after $misses misses");
        one_answer($node, 'SELECT k FROM t WHERE k >= 0', "race, a table after $misses misses: all rows");
        one_answer($node, 'SELECT id FROM t WHERE id > 0', "race, a table after $misses misses: all rows by id");
    }
    my @total = (0) x 4;
    foreach my $counts (values %sum) { $total[$_] += $counts->[$_] foreach 0 .. 3 }
    my ($rebuilds, $hits, $moves, $restarts) = @total;
    cmp_ok($rebuilds, '>', 100, 'race: tables were built');
    cmp_ok($hits, '>', 1000, 'race: lookups hit');
    cmp_ok($moves, '>', 100, 'race: lookups went on to the right');
    cmp_ok($restarts, '>', 100, 'race: lookups began again');
    cmp_ok(scalar(keys %sum), '>', 5, 'race: indexes were replaced');
    no_crash($node, 'race');
    $node->stop;
    summary("race: $rebuilds rebuilds, $hits hits, $moves moves to the right, $restarts restarts");
    return;
}

# ---- More indexes than the memory has room for ----

sub budget
{
    my $count = 70;    # and slots for 64
    my $node = new_node('budget', conf => $preload . <<'END');
omendb.hot_index_size = 1MB
omendb.test_page_entries = 4
omendb.test_delta_entries = 1
omendb.test_rebuild_misses = 20
autovacuum = off
END
    $node->safe_psql('postgres', $functions . <<"END");
SELECT count(make_table('t' || i, CASE WHEN i % 2 = 0 THEN 6000 ELSE 300 END)) FROM generate_series(1, $count) AS i;
END
    # Who has a table, and who had one before and has none now.
    my (%has, %evicted, $coarse);
    foreach my $turn (1 .. 3)
    {
        my $load = start_load(
            $node,
            clients => 3,
            seconds => 2,
            scripts => [ 1 => "\\set i random(1, $count)\nSELECT look_up('t' || :i, 250);" ]);
        finish_load($load, "budget, turn $turn: lookups");
        my %before = %has;
        %has = ();
        my $bytes = 0;
        foreach my $line (split /\n/, $node->safe_psql('postgres', <<'END'))
SELECT indexname, hot_level, hot_bytes FROM omendb_stat_indexes WHERE hot_model IS NOT NULL
END
        {
            my ($index, $level, $size) = split /\|/, $line;
            $has{$index} = 1;
            $coarse++ if $level > 0;
            $bytes += $size;
        }
        $has{$_} or $evicted{$_}++ foreach keys %before;
        cmp_ok($bytes, '<=', 1 << 20, "budget, turn $turn: no more memory than there is");
        # Those that were used before are idle long enough to make room.
        sleep 1.2;
    }
    cmp_ok($coarse, '>', 0, 'budget: tables became coarser');
    cmp_ok(scalar(keys %evicted), '>', 0, 'budget: tables made room');
    foreach my $i (1, 2, $count)
    {
        one_answer($node, "SELECT k FROM t$i WHERE k >= 0", "budget: answers of t$i");
    }
    check_all($node, 'budget');
    my @lines = grep { /WARNING|ERROR|FATAL/ } split /\n/, slurp_file($node->logfile);
    is("@lines", '', 'budget: nobody complains');
    no_crash($node, 'budget');
    $node->stop;
    return;
}

# ---- What is known of an index that is gone, or of a process that is ----

sub stale
{
    my $node = new_node('stale', conf => $preload . <<'END');
omendb.test_page_entries = 8
omendb.test_delta_entries = 2
omendb.test_rebuild_misses = 1
allow_in_place_tablespaces = on
restart_after_crash = on
autovacuum = off
END
    $node->safe_psql('postgres', $functions . "SELECT make_table('t', 2000);");
    is_routed($node, 'stale, at first');

    # What was known of the pages before is wrong; all tables have the first 1000 keys at the end.
    my %changes = (
        'DROP INDEX' => 'DROP INDEX t_k; UPDATE t SET k = k; CREATE INDEX t_k ON t USING omendb (k)',
        'DROP TABLE' => "DROP TABLE t; SELECT make_table('t', 1500)",
        'REINDEX' => 'DELETE FROM t WHERE a > 1400; REINDEX INDEX t_k',
        'REINDEX CONCURRENTLY' => 'REINDEX INDEX CONCURRENTLY t_k',
        'TRUNCATE' => 'TRUNCATE t; INSERT INTO t SELECT n::int8 * 7919 % 1000003, n FROM generate_series(1, 1200) AS n',
        'TRUNCATE twice in a transaction' => <<'END',
BEGIN;
TRUNCATE t;
INSERT INTO t SELECT n, 0 FROM generate_series(1, 3000) AS n;
SET LOCAL enable_seqscan = off;
SELECT count((SELECT k FROM t WHERE k = n LIMIT 1)) FROM generate_series(1, 3000, 7) AS n;
TRUNCATE t;
INSERT INTO t SELECT n::int8 * 7919 % 1000003, n FROM generate_series(1, 1200) AS n;
SELECT look_up('t', 1200);
COMMIT;
END
        'TRUNCATE in the transaction that made the table' => <<'END',
BEGIN;
DROP TABLE t;
SELECT make_table('t', 3000);
SELECT look_up('t', 3000);
TRUNCATE t;
INSERT INTO t SELECT n::int8 * 7919 % 1000003, n FROM generate_series(1, 1200) AS n;
SELECT look_up('t', 1200);
COMMIT;
END
        'rolled back' => <<'END',
BEGIN;
TRUNCATE t;
INSERT INTO t SELECT n, 0 FROM generate_series(1, 3000) AS n;
SET LOCAL enable_seqscan = off;
SELECT count((SELECT k FROM t WHERE k = n LIMIT 1)) FROM generate_series(1, 3000, 7) AS n;
ROLLBACK;
END
        'SET TABLESPACE' => "CREATE TABLESPACE elsewhere LOCATION ''; ALTER INDEX t_k SET TABLESPACE elsewhere",
        'VACUUM FULL' => 'DELETE FROM t WHERE a > 1150; VACUUM FULL t',
        'all rows moved' => <<'END');
DELETE FROM t;
VACUUM t;
SELECT txid_current();
VACUUM t;
INSERT INTO t SELECT n, 0 FROM generate_series(1, 2000) AS n;
DELETE FROM t;
INSERT INTO t SELECT n::int8 * 7919 % 1000003, n FROM generate_series(1, 1200) AS n;
VACUUM t;
END
    foreach my $name (sort keys %changes)
    {
        # A session that knows the index as it was.
        my $session = $node->background_psql('postgres');
        $session->query_safe(q{SELECT look_up('t', 1000)});
        $node->safe_psql('postgres', $changes{$name});
        is($session->query(q{SELECT look_up('t', 1000)}), '', "stale, $name: a session that knew the index");
        $session->quit;
        is_routed($node, "stale, $name");
    }

    # A copy has files of the same names; so has what comes after it.
    foreach my $round (1, 2)
    {
        foreach my $strategy ('wal_log', 'file_copy')
        {
            $node->safe_psql('postgres', "CREATE DATABASE copy TEMPLATE postgres STRATEGY $strategy");
            $node->safe_psql('postgres', 'ALTER DATABASE copy SET search_path = omendb_test, public');
            $node->safe_psql('copy', 'DELETE FROM t WHERE a > 1100') if $round == 2;
            is_routed($node, "stale, CREATE DATABASE ($strategy)", 'copy');
            is($node->safe_psql('copy', "SELECT check_all() > 0"), 't', 'stale: the copy is sound');
            $node->safe_psql('postgres', 'DROP DATABASE copy');
        }
        is_routed($node, 'stale, beside a database that is gone');
    }

    # All of it goes with the server; nobody misses it.
    $node->stop('immediate');
    $node->start;
    is(stat_of($node, 't_k')->{lookups}, 0, 'stale: nothing is left after a restart');
    is_routed($node, 'stale, after an immediate shutdown');

    # A backend dies in the middle of lookups, or of a build.
    foreach my $how ('in mid-query', 'while it builds')
    {
        my $offset = log_size($node);
        my $session;
        if ($how eq 'while it builds')
        {
            $session = start_psql($node, <<'END');
DELETE FROM t WHERE a > 1190;
INSERT INTO t SELECT n::int8 * 7919 % 1000003, n FROM generate_series(1191, 1200) AS n;
SET omendb.test_point = 'fences-collected=kill';
REINDEX INDEX t_k;
SELECT look_up('t', 1000);
SELECT look_up('t', 1000);
END
        }
        else
        {
            $session = start_psql($node, q(SELECT look_up('t', 1000 + 0 * n) FROM generate_series(1, 100000) AS n));
            $node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%100000%'
  AND pid <> pg_backend_pid())) or die;
            sleep 0.2;
            my $pid = $node->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE query LIKE '%100000%'
  AND pid <> pg_backend_pid()));
            kill 'KILL', $pid;
        }
        finish_psql($session);
        wait_until_restarted($node, $offset);
        is_routed($node, "stale, SIGKILL $how");
    }

    # An error, a cancelled statement, and a session that is terminated: the claim is given up, and the next one builds.
    foreach my $how ('error', 'subtransaction', 'cancel', 'terminate')
    {
        my $holder = $node->background_psql('postgres');
        $holder->query_safe('SELECT pg_advisory_lock(1)');
        $node->safe_psql('postgres', 'REINDEX INDEX t_k');
        my $action = $how =~ /^[ct]/ ? 'pause' : 'error';
        my $query = "SELECT look_up('t', 1000)";
        my $builder =
          start_psql($node, "SET omendb.test_point = 'fences-collected=$action';\n"
              . ($how eq 'subtransaction' ? <<'END' : "$query;\n$query;"));
DO $$ BEGIN
  PERFORM look_up('t', 1000);
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING '%', SQLERRM;
END $$;
END
        if ($action eq 'pause')
        {
            my $waiting = q(FROM pg_stat_activity WHERE wait_event = 'advisory');
            $node->poll_query_until('postgres', "SELECT count(*) = 1 $waiting") or die 'the builder does not wait';
            # Others do without in the meantime.
            my $before = stat_of($node, 't_k');
            is($node->safe_psql('postgres', $query), '', "stale, $how: lookups while somebody builds");
            is(stat_of($node, 't_k')->{rebuilds}, $before->{rebuilds}, "stale, $how: nobody else builds");
            $node->safe_psql('postgres', "SELECT pg_${how}_backend(pid) $waiting");
        }
        $holder->quit;
        my $said = finish_psql($builder);
        my %expected = (cancel => 'canceling statement', terminate => 'terminating connection');
        like($said, qr/$expected{$how}/, "stale, $how: the builder is stopped") if $expected{$how};
        like($said, qr/test point fences-collected/, "stale, $how: the builder fails") if !$expected{$how};
        is_routed($node, "stale, $how");
    }

    # Another session's temporary table.
    my $session = $node->background_psql('postgres');
    $session->query_safe('CREATE TEMP TABLE mine AS SELECT 1 AS k');
    $session->query_safe('CREATE INDEX mine_k ON mine USING omendb (k)');
    my ($status, $output, $errors) =
      $node->psql('postgres', q(SELECT omendb_stat_index(indexrelid) FROM omendb_indexes WHERE indexname = 'mine_k'));
    like($errors, qr/cannot take statistics of index "mine_k"/, 'statistics of a temporary index of another session');
    is($node->safe_psql('postgres', q(SELECT count(*) FROM omendb_stat_indexes WHERE indexname = 'mine_k')),
        0, 'which the view leaves out');
    $session->quit;

    check_all($node, 'stale');
    no_crash($node, 'stale');
    $node->stop;
    return;
}

# ---- A table in use is not freed, nor others for it ----

sub held
{
    my $node = new_node('held', conf => $preload . <<'END');
omendb.hot_index_size = 1MB
omendb.test_page_entries = 8
omendb.test_delta_entries = 2
omendb.test_rebuild_misses = 1
autovacuum = off
END
    $node->safe_psql('postgres', "$functions SELECT count(make_table('t' || i, 1500)) FROM generate_series(1, 12) AS i;"
          . q(SELECT make_table('t', 3000)));
    is_routed($node, 'held, at first');
    # Idle in transaction, as is one that has used more tables than it can hold.
    my $idle = $node->background_psql('postgres');
    $idle->query_safe('BEGIN');
    $idle->query_safe(q(SELECT look_up('t', 1000)));
    my $busy = $node->background_psql('postgres');
    $busy->query_safe('BEGIN');
    $busy->query_safe(q(SELECT count(look_up('t' || i, 500)) FROM generate_series(1, 12) AS i));
    my $doomed = $node->background_psql('postgres', on_error_stop => 0);
    $doomed->query_safe('BEGIN');
    $doomed->query_safe(q(SELECT look_up('t', 1000)));

    # Pages split, are emptied and unlinked: each search that finds a wrong page builds anew.
    my $rebuild = sub {
        my ($name, $times) = @_;
        my $before = stat_of($node, 't_k')->{rebuilds};
        my $load = start_load(
            $node,
            clients => 2,
            seconds => 60,
            mode => 'simple',
            scripts => [
                4 => 'INSERT INTO t SELECT (random() * 1e6)::int8, 0 FROM generate_series(1, 30);',
                2 => 'DELETE FROM t WHERE a = 0;',
                1 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t;',
                4 => "SELECT look_up('t', 300);"
            ]);
        my $now = $before;
        for (my $end = time + 60; $now < $before + $times && time < $end; sleep 0.1)
        {
            $now = stat_of($node, 't_k')->{rebuilds};
        }
        $load->{handle}->signal('TERM');
        finish_load($load, "$name: load", crashed => 1);
        cmp_ok($now - $before, '>=', $times, "$name: tables are built");
        return;
    };
    $rebuild->('held, sessions idle in transaction', 250);
    is_routed($node, 'held');
    # What they have is what they had.
    is($_->query(q(SELECT look_up('t', 1000))), '', 'held: the session goes on') foreach $idle, $busy;
    is($node->safe_psql('postgres', <<'END'), 't', 'held: one of them is terminated');
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE query LIKE 'SELECT look\_up(''t'', 1000)%' AND state = 'idle in transaction' ORDER BY backend_start DESC LIMIT 1
END
    $rebuild->('held, one of them terminated', 50);
    $_->query_safe('COMMIT') foreach $idle, $busy;
    $rebuild->('held, the others at their end', 50);
    is_routed($node, 'held, at the end');
    is(stat_of($node, 't_k')->{hot_level}, 0, 'held: there is room for all leaves again');
    $_->quit foreach $idle, $busy;
    eval { $doomed->quit };
    check_all($node, 'held');
    my @lines = grep { /WARNING|ERROR/ && !/canceling statement due to user/ } split /\n/, slurp_file($node->logfile);
    is("@lines", '', 'held: nobody complains');
    no_crash($node, 'held');
    $node->stop;
    return;
}

# ---- A standby has a hot index of its own ----

sub standby
{
    my $primary = new_node('primary', streaming => 1, conf => $preload . <<'END');
autovacuum = off
omendb.test_page_entries = 20
omendb.test_delta_entries = 4
omendb.test_rebuild_misses = 1
END
    $primary->safe_psql('postgres', $functions . <<'END');
CREATE TABLE t (id bigserial, k int8, a int4);
INSERT INTO t (k, a) SELECT n::int8 * 7919 % 1000003, random() * 10 FROM generate_series(1, 3000) AS n;
CREATE INDEX t_k ON t USING omendb (k);
SELECT make_table('still', 3000);
END
    $primary->backup('base');
    my $standby = PostgreSQL::Test::Cluster->new('standby');
    $standby->init_from_backup($primary, 'base', has_streaming => 1);
    $standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
    $standby->start;
    is(stat_of($standby, 't_k')->{lookups}, 0, 'standby: nothing at first');
    my $seconds = 8 * $soak;
    my $load = start_load(
        $primary,
        clients => 2,
        seconds => $seconds,
        rate => 300,
        scripts => [ writers('INDEX_CLEANUP ON, TRUNCATE OFF') ]);
    my $queries = start_load(
        $standby,
        clients => 2,
        seconds => $seconds,
        scripts => [
            1 => <<"END",
\\set k random(0, 900000)
$repeatable
SELECT must_be_same(format('SELECT k FROM t WHERE k BETWEEN %s AND %s', :k::int8, :k::int8 + 50000), '{index,bitmap}');
SELECT must_be_same(format('SELECT k FROM t WHERE k < %s ORDER BY k DESC LIMIT 20', :k::int8), '{index}', true);
SELECT look_up('still', 200);
COMMIT;
END
        ]);
    finish_load($queries, "standby: queries for $seconds s");
    finish_load($load, 'standby: the load on the primary');
    my $stat = stat_of($standby, 't_k');
    cmp_ok($stat->{hint_hits}, '>', 100, 'standby: lookups are routed');
    cmp_ok($stat->{rebuilds}, '>', 10, 'standby: tables are built');
    cmp_ok($stat->{moves_right} + $stat->{restarts}, '>', 0, 'standby: lookups missed');
    summary("standby: $stat->{rebuilds} rebuilds, $stat->{hint_hits} hits, $stat->{moves_right} moves to the right, "
          . "$stat->{restarts} restarts");
    $primary->wait_for_catchup($standby);
    one_answer($standby, 'SELECT k FROM t WHERE k >= 0', 'standby: answers', '{index,bitmap}');
    $primary->stop('immediate');
    $standby->promote;
    is_routed($standby, 'promoted', 'postgres', 'still');
    $load = start_load(
        $standby,
        clients => 2,
        seconds => 2,
        scripts => [ writers('INDEX_CLEANUP ON, TRUNCATE OFF') ]);
    finish_load($load, 'promoted: load');
    one_answer($standby, 'SELECT k FROM t WHERE k >= 0', 'promoted: answers');
    check_all($standby, 'promoted');
    no_crash($_, $_->name) foreach $primary, $standby;
    $standby->stop;
    return;
}

# ---- Pages that a routed lookup reads are counted as others are ----

sub counted
{
    my $node = new_node('counted', conf => $preload . <<'END');
omendb.test_page_entries = 8
omendb.test_delta_entries = 2
omendb.test_rebuild_misses = 1
autovacuum = off
track_io_timing = off
END
    $node->safe_psql('postgres', $functions . q(SELECT make_table('t', 3000); VACUUM ANALYZE t;));
    my $levels = stat_of($node, 't_k')->{levels};
    cmp_ok($levels, '>=', 4, 'counted: the tree is high');
    # In one session: the pages that EXPLAIN counts for so many lookups, and those of the index and of the table that
    # the statistics count.
    my $lookups = 100;
    my $measure = sub {
        my ($session, $routed) = @_;
        my $statistics = sub {
            return split /\|/, $session->query_safe(<<'END');
SELECT pg_stat_force_next_flush();
SELECT i.idx_blks_hit + i.idx_blks_read, t.heap_blks_hit + t.heap_blks_read
FROM pg_statio_user_indexes AS i JOIN pg_statio_user_tables AS t USING (relid) WHERE i.indexrelname = 't_k'
END
        };
        $session->query_safe("SET omendb.enable_hot_index = $routed");
        my ($index_before, $heap_before) = map { s/\s//gr } $statistics->();
        my $plan = decode_json($session->query_safe(<<"END"));
EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
SELECT (SELECT a FROM t WHERE k = n::int8 * 7919 % 1000003) FROM generate_series(1, $lookups) AS n
END
        my ($index_after, $heap_after) = map { s/\s//gr } $statistics->();
        my $scan = $plan->[0]{Plan}{Plans}[0];
        is($scan->{'Index Name'}, 't_k', 'counted: the plan');
        is($scan->{'Actual Loops'}, $lookups, 'counted: the lookups');
        return ($scan->{'Shared Hit Blocks'} + $scan->{'Shared Read Blocks'},
            $index_after - $index_before, $heap_after - $heap_before);
    };
    my $session = $node->background_psql('postgres');
    $session->query_safe('SET enable_seqscan = off; SET enable_bitmapscan = off');
    # Makes the table, and the session acquainted with each page.
    $session->query_safe(q(SELECT look_up('t', 3000)));
    my ($all, $index, $heap) = $measure->($session, 'off');
    is($index, $lookups * $levels, 'counted: from the root, a page a level');
    is($all, $index + $heap, 'counted: EXPLAIN and the statistics agree');
    my ($routed_all, $routed_index, $routed_heap) = $measure->($session, 'on');
    is($routed_index, $lookups, 'counted: routed, the leaf');
    is($routed_all, $routed_index + $routed_heap, 'counted: EXPLAIN and the statistics agree, routed');
    is($routed_heap, $heap, 'counted: the same of the table');
    $session->quit;
    no_crash($node, 'counted');
    $node->stop;
    return;
}

race();
budget();
stale();
held();
standby();
counted();
done_testing();
