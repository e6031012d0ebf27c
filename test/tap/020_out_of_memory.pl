# Out of memory while inserts are collected, while they are put into the indexes, and in builds: the statement fails with
# an error that says so, the session goes on, and of the transaction nothing is left.  If a subtransaction caught the
# error while they were being collected, that is all that is lost.
#
# The memory ends where a limit on the data of one process says (RLIMIT_DATA, set by prlimit), so many kilobytes above
# what it has.  By steps small enough that another allocation is the first to fail each time, until there is enough.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'this needs prlimit' if system('prlimit --version >/dev/null 2>&1') != 0;

# What is freed is given back, so that it is missing as well.
$ENV{MALLOC_MMAP_THRESHOLD_} = 8192;
$ENV{MALLOC_TRIM_THRESHOLD_} = 0;

my $node = new_node('memory', conf => <<'END');
shared_preload_libraries = 'omendb'
autovacuum = off
max_wal_size = 512MB
END
$node->safe_psql('postgres', <<'END');
CREATE TABLE t (id int8, k int8, a int4, b float8);
CREATE INDEX t_k ON t USING omendb (k);
CREATE INDEX t_wide ON t USING omendb (a, b, k, id);
CREATE UNLOGGED TABLE u (k int8);
CREATE INDEX u_k ON u USING omendb (k);
END
my $rows;
my $insert = 'INSERT INTO t SELECT n, spread(n), n % 100, n / 3.0 FROM generate_series(1, 10000) n;'
  . 'INSERT INTO u SELECT spread(n) FROM generate_series(1, 10000) n';

# Runs statements in a session, whose process has so much memory left if that is given; returns the output and the errors.
sub ask
{
    my ($session, $statements, $kilobytes) = @_;
    if (defined $kilobytes)
    {
        my ($data) = slurp_file("/proc/$session->{pid}/status") =~ /^VmData:\s+(\d+) kB/m or die 'no VmData';
        # The soft limit, which can be lifted again.
        system_or_bail('prlimit', '--pid', $session->{pid}, '--data=' . 1024 * ($data + $kilobytes) . ':');
    }
    my $output = $session->query($statements);
    my $errors = $session->{stderr};
    $session->{stderr} = '';
    system_or_bail('prlimit', '--pid', $session->{pid}, '--data=unlimited:') if defined $kilobytes;
    return ($output, $errors);
}

# In each attempt of `what` a transaction does `before`, and has too little memory for `last`, until it has enough; then
# it commits.  `gained` are the rows of t that an outcome adds, and no other one is expected:
#   done     nothing was missing
#   failed   `last` is an error
#   caught   `last` caught one
#   refused  the same, but then the transaction cannot commit
# Returns how often which memory context and which outcome was met.
sub attempts
{
    my ($what, $before, $last, %gained) = @_;
    my (%contexts, %outcomes, @wrong);
    my $kilobytes = 0;
    $rows = 5000;
    $node->safe_psql('postgres', <<"END");
TRUNCATE t, u;
INSERT INTO t SELECT n, spread(n), n % 100, n / 3.0 FROM generate_series(1, $rows) n;
INSERT INTO u SELECT spread(n) FROM generate_series(1, 1000) n;
END
    until (@wrong || $outcomes{done} || $kilobytes > 1e6)
    {
        my $session = $node->background_psql('postgres', on_error_stop => 0);
        $session->{pid} = $session->query('SELECT pg_backend_pid()');
        my ($output, $errors) = ask($session, "BEGIN; $before");
        push @wrong, $errors if $errors ne '';
        ($output, $errors) = ask($session, $last, int($kilobytes));
        # Where it ended: the name of the memory context.
        $contexts{ $errors =~ /memory context "([^"]+)"/ ? $1 : '?' }++ if $errors ne '';
        my $outcome = $errors eq '' ? 'done' : $errors =~ /ERROR:/ ? 'failed' : 'caught';
        push @wrong, $errors if $errors ne '' && $errors !~ /(ERROR|NOTICE):  (caught: )?out of memory/;
        ($output, $errors) = ask($session, 'COMMIT');
        $outcome = 'refused' if $errors =~ /ERROR:  omendb: deferred inserts of this transaction failed before/;
        push @wrong, $outcome if !exists $gained{$outcome};
        $outcomes{$outcome}++;
        # The session goes on.
        $rows += 100 + ($gained{$outcome} || 0);
        ($output, $errors) = ask($session, <<'END');
INSERT INTO t SELECT -n, -n, 0, 0 FROM generate_series(1, 100) n;
SELECT check_all();
SELECT count(*) FROM t;
END
        push @wrong, "$output, not $rows; $errors" if $errors ne '' || $output !~ /^\d+\n$rows$/;
        $session->quit;
        diag("$what, $kilobytes kB, $outcome: $_") foreach @wrong;
        $kilobytes += $kilobytes < 60 ? 10 : $kilobytes / 6;
    }
    is(scalar(@wrong), 0, "$what: nothing else goes wrong");
    ok($outcomes{done}, "$what: at last there is enough");
    cmp_ok(keys %outcomes, '>', 1, "$what: before there is not");
    my %met = (%contexts, %outcomes);
    note("$what, to $kilobytes kB: ", join ', ', map { "$_ $met{$_}" } sort keys %met);
    check_all($node, $what);
    one_answer($node, 'SELECT k, a FROM t WHERE k >= -1000', "$what: one answer", '{index,bitmap}');
    one_answer($node, 'SELECT k FROM u WHERE k >= 0', "$what: one answer, unlogged", '{index,bitmap}');
    # And what the failed ones left can be removed.
    $node->safe_psql('postgres', 'VACUUM t, u');
    is($node->safe_psql('postgres', "SELECT entries FROM omendb_stat_index('t_wide', true)"), $rows, "$what: entries");
    return %met;
}

# Statements in a subtransaction, and what comes if memory ends.
sub caught
{
    my ($statements, $then) = @_;
    return <<"END";
DO \$\$
DECLARE detail text;
BEGIN
  $statements;
EXCEPTION WHEN out_of_memory THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
  RAISE NOTICE 'caught: %: %', SQLERRM, detail;
  $then;
END \$\$
END
}

my %met = attempts('collecting', '', $insert, failed => 0, done => 10000);
ok($met{'omendb deferred inserts'}, 'collecting: memory for entries was missing');
%met = attempts('collecting, caught', $insert, caught($insert, 'INSERT INTO t VALUES (0, 0, 0, 0)'),
    failed => 0, caught => 10001, done => 20000);
ok($met{caught}, 'collecting, caught: and the transaction goes on');
ok($met{'omendb deferred inserts'}, 'collecting, caught: memory for entries was missing');

attempts('commit', $insert, 'COMMIT', failed => 0, done => 10000);
# To sort so many takes more memory than to change a leaf.
%met = attempts('commit of many', $insert =~ s/10000/40000/r, 'COMMIT', failed => 0, done => 40000);
ok($met{'omendb deferred inserts'}, 'commit of many: memory to sort entries was missing');

my $index_only = 'SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off';
attempts('read', "$index_only; $insert", 'SELECT count(*) FROM t WHERE k = 5', failed => 0, done => 10000);
%met = attempts('read, caught', "$index_only; $insert", caught('PERFORM count(*) FROM t WHERE k = 5', 'PERFORM 1'),
    failed => 0, caught => 10000, refused => 0, done => 10000);
ok($met{refused}, 'read, caught: what failed half is refused');

attempts('build', '', 'CREATE INDEX t_later ON t USING omendb (k DESC, a) INCLUDE (id)', failed => 0, done => 0);

no_crash($node, 'memory');
$node->stop;
done_testing();
