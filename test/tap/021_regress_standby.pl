# The regression tests on a primary that a standby follows.  Every page that the WAL makes there is compared with the
# primary's (wal_consistency_checking); meanwhile the standby answers by each index as it does without, and its indexes
# are sound whenever replay stands still.  At the end both have the same.
#
# The standby cancels a query only where replay and the query wait for each other, which is about locks of tables and pages
# of the heap.  Each other failure of one is a finding.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IPC::Run ();
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $root = "$FindBin::Bin/../..";
my $database = 'regression';

my $primary = new_node('primary', streaming => 1, extra => [ '--no-locale', '--encoding=UTF8' ], conf => <<'END');
shared_preload_libraries = 'omendb'
wal_consistency_checking = 'all'
max_prepared_transactions = 10
max_wal_size = 512MB
# As the regression tests expect.
max_parallel_workers_per_gather = 2
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

# Asks for the leading column of every index that there is, by the index and without it, but for those that are made not
# to agree with their tables (sql/check.sql).  A table that is not there any more when its turn comes is none.
#
# No lock and no pin is held from one index to the next: replay might wait for it and hold what the next one needs.  While
# its table is locked, an index stays as it is.  One that was built anew between the snapshot and the lock lacks rows that
# were dead on the primary by then and are not to the snapshot; so does a btree, since nothing of REINDEX conflicts with
# the queries of a standby.
my $questions = <<'END';
SET default_transaction_isolation = 'repeatable read';
DO $$
DECLARE
  indexes oid[] := ARRAY(
    SELECT c.oid FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid
      JOIN pg_class t ON t.oid = i.indrelid
    WHERE a.amname = 'omendb' AND c.relkind = 'i' AND c.relpersistence = 'p' AND i.indisvalid AND c.relname !~ '^chk_'
      AND t.relkind <> 'm');  -- (which cannot be locked)
  index oid;
  i record;
  heap text;
  key text;
  query text;
  digest text;
  file oid;
  expected text;
  got text;
  n int := 0;
BEGIN
  FOREACH index IN ARRAY indexes LOOP
    COMMIT;
    BEGIN
      SELECT * INTO STRICT i FROM pg_index WHERE indexrelid = index;
      SELECT relfilenode INTO STRICT file FROM pg_class WHERE oid = index;
      heap := i.indrelid::regclass;
      -- A number, if it is gone.
      CONTINUE WHEN heap ~ '^[0-9]';
      EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', heap);
      CONTINUE WHEN pg_relation_filenode(index) IS DISTINCT FROM file;
      key := pg_get_indexdef(index, 1, true);
      CONTINUE WHEN key IS NULL;
      query := format('SELECT %1$s AS k FROM %2$s WHERE %3$s ORDER BY %1$s %4$s NULLS %5$s',
        key, heap, coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'),
        CASE WHEN i.indoption[0] & 1 = 0 THEN 'ASC' ELSE 'DESC' END,
        CASE WHEN i.indoption[0] & 2 = 0 THEN 'LAST' ELSE 'FIRST' END);
      digest := format('SELECT count(*) || '' '' || coalesce(sum(hashtextextended(k::text, 0)), 0) FROM (%s) AS s', query);
      SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on; SET LOCAL enable_indexscan = off;
      EXECUTE digest INTO expected;
      SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_indexscan = on;
      EXECUTE digest INTO got;
    EXCEPTION
      WHEN no_data_found OR undefined_table OR undefined_column OR invalid_schema_name THEN CONTINUE;
      WHEN internal_error THEN
        IF SQLERRM !~ '^(could not open relation with OID|cache lookup failed)' THEN RAISE; END IF;
        CONTINUE;
    END;
    IF expected <> got THEN
      RAISE EXCEPTION 'WRONG ANSWER: %, by % it is %, not %', query, index::regclass, got, expected;
    END IF;
    n := n + 1;
  END LOOP;
  RAISE NOTICE 'compared: %', n;
END $$;
END

# The same indexes, with their tables; but for those that replay has locked, for a transaction whose end it stands before.
my $check = <<'END';
SET lock_timeout = '50ms';
DO $$
DECLARE
  index oid;
  n int := 0;
BEGIN
  FOR index IN
    SELECT c.oid FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid
    WHERE a.amname = 'omendb' AND c.relkind = 'i' AND c.relpersistence = 'p' AND i.indisvalid AND c.relname !~ '^chk_'
  LOOP
    BEGIN
      PERFORM omendb_check(index, true);
      n := n + 1;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END LOOP;
  RAISE NOTICE 'checked: %', n;
END $$;
END

# Says whether there was nothing but what may be.
my $cancelled = 0;

sub tolerable
{
    my ($errors, $name) = @_;
    $cancelled++ if $errors =~ /deadlock detected|conflict with recovery/;
    my @errors = grep { /ERROR|FATAL|PANIC/ && !/deadlock detected|conflict with recovery/ } split /\n/, $errors;
    # The first test may not have made the extension yet.
    @errors = grep { !/function omendb_check.* does not exist/ } @errors;
    is("@errors", '', $name) if @errors;
    return @errors == 0;
}

my $dir = $PostgreSQL::Test::Utils::tmp_check . '/regress';
mkdir $dir;
my $said = '';
my ($compared, $checked, $turns) = (0, 0, 0);
{
    local %ENV = (%ENV, PGHOST => $primary->host, PGPORT => $primary->port);
    delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};
    my ($bin) = run_command([ 'pg_config', '--bindir' ]);
    my $tests = IPC::Run::start(
        [
            'make', '-C', $root, 'installcheck', 'PG_CONFIG=pg_config',
            "REGRESS_OPTS=--inputdir=$root --outputdir=$dir --bindir=$bin"
        ],
        '<', \undef, '>', \$said, '2>&1');
    while ($tests->pumpable)
    {
        $tests->pump_nb;
        sleep 0.1;
        next
          if $standby->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname = '$database'") == 0;
        my ($status, $output, $errors) = $standby->psql($database, $questions);
        tolerable($errors, 'queries during replay') or last;
        $compared += $1 if $errors =~ /compared: (\d+)/;
        next if ++$turns % 4 > 0;
        $standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
        $standby->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'")
          or die 'replay does not pause';
        # It may stand still where it has locked a catalog of the database, which a new session wants before anything else.
        my $timed_out = 0;
        ($status, $output, $errors) = $standby->psql($database, $check, timeout => 60, timed_out => \$timed_out);
        $standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
        next if $timed_out;
        tolerable($errors, 'omendb_check on the standby') or last;
        $checked += $1 if $errors =~ /checked: (\d+)/;
    }
    ok(IPC::Run::finish($tests), 'the regression tests on the primary')
      or diag($said, -e "$dir/regression.diffs" ? slurp_file("$dir/regression.diffs") : '');
}
cmp_ok($compared, '>', 20, 'questions were answered during replay');
cmp_ok($checked, '>', 5, 'indexes were checked between');
cmp_ok($cancelled, '<', $turns / 4, 'few of them were cancelled');
summary("$compared indexes asked during replay, $checked checked while it stood still, $cancelled of $turns rounds cancelled");

# ---- The same on both sides ----

$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
foreach my $node ($primary, $standby)
{
    $node->command_ok(
        [ 'pg_dump', '--no-sync', '--no-unlogged-table-data', '-f', "$dir/" . $node->name . '.dump', $database ],
        'dump of the ' . $node->name);
}
# They differ in a random word.
my ($of_primary, $of_standby) = map { slurp_file("$dir/$_.dump") =~ s/^\\(un)?restrict .*\n//mgr } 'primary', 'standby';
ok($of_primary eq $of_standby, 'the dumps are the same');
cmp_ok(length $of_primary, '>', 100000, 'and have something in them');

no_crash($_, $_->name, qr/PANIC|TRAP:|was terminated by signal|inconsistent page|leak/)
  foreach $primary, $standby;
$primary->stop;
$standby->stop;
done_testing();
