# What reading segments costs a backend: as much memory after a thousand of them as after thirty, and no thread, whether
# queries come to their end or are cancelled at any place; and what making them costs, which is given back.
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

my $node = new_node('memory', conf => <<'END');
autovacuum = off
fsync = off
max_wal_size = 2GB
END
plan skip_all => 'an ordinary build has no small segments' if !test_points($node);

# A thousand segments of four leaves, with every compression.
my $segments = 1000;
$node->safe_psql('postgres', <<'END');
LOAD 'omendb';
SET omendb.test_page_entries = 20;
SET omendb.test_segment_leaves = 4;
CREATE TABLE t AS SELECT n AS k, md5(n::text) AS t FROM generate_series(1, 90000) AS n;
CREATE INDEX t_k ON t USING omendb (k) INCLUDE (t) WITH (cold_compression = zstd);
VACUUM ANALYZE t;
SELECT omendb_offload('t_k', '30000');
ALTER INDEX t_k SET (cold_compression = lz4);
SELECT omendb_offload('t_k', '55000');
ALTER INDEX t_k SET (cold_compression = snappy);
SELECT omendb_offload('t_k', '75000');
ALTER INDEX t_k SET (cold_compression = none);
SELECT omendb_offload('t_k', '89000');
END
my $are_there = $node->safe_psql('postgres', q(SELECT segments FROM omendb_stat_index('t_k')));
cmp_ok($are_there, '>=', $segments, 'there are many segments');

sub begin
{
    my $session = $node->background_psql('postgres', on_error_stop => 0);
    $session->query_safe('SET enable_seqscan = off; SET enable_bitmapscan = off; SET omendb.enable_scan = off');
    return { session => $session, pid => $session->query_safe('SELECT pg_backend_pid()') };
}

# Of a backend: its threads, and how many KB of memory it has of its own, and how many of them PostgreSQL knows about.
sub state_of
{
    my ($backend) = @_;
    my $contexts = $backend->{session}->query_safe('SELECT sum(total_bytes) / 1024 FROM pg_backend_memory_contexts');
    my $status = slurp_file("/proc/$backend->{pid}/status");
    my %state = (contexts => int $contexts);
    ($state{$_}) = $status =~ /^$_:\s+(\d+)/m foreach 'Threads', 'RssAnon', 'VmRSS';
    note(join ', ', map { "$_ $state{$_}" } sort keys %state);
    return \%state;
}

# In KB.
sub grew_by
{
    my ($before, $after, $most, $name) = @_;
    my $by = $after->{RssAnon} - $before->{RssAnon};
    cmp_ok($by, '<', $most, "$name: memory");
    # What it needs is not all of the contexts', but theirs is the least of it.
    cmp_ok($after->{contexts} - $before->{contexts}, '<', 1024, "$name: memory contexts");
    is($after->{Threads}, 1, "$name: no thread");
    return $by;
}

# Lookups in all segments, in the order of a step through them, and all rows to and fro.
sub read_all
{
    my ($backend, $upto, $step) = @_;
    my $session = $backend->{session};
    my $said = $session->query_safe(<<"END");
SELECT count(x.k) FROM generate_series(1, 5000) AS n,
  LATERAL (SELECT k FROM t WHERE t.k = 1 + n * $step % $upto OFFSET 0) AS x;
END
    is($said, 5000, "lookups in rows up to $upto");
    foreach my $order ('ASC', 'DESC')
    {
        $said = $session->query_safe(<<"END");
SELECT count(*), count(*) FILTER (WHERE t <> md5(k::text))
FROM (SELECT k, t FROM t WHERE k BETWEEN 1 AND $upto ORDER BY k $order OFFSET 0) AS x;
END
        is($said, "$upto|0", "rows up to $upto, $order");
    }
    return;
}

# ---- Reading ----

my $reader = begin();
# Thirty segments; twice, for what malloc keeps.
read_all($reader, 30 * 72, 73) foreach 1 .. 2;
my $few = state_of($reader);
is($few->{Threads}, 1, 'after 30 segments: no thread');
read_all($reader, 88000, 7001);
my $many = state_of($reader);
my $grown = grew_by($few, $many, 8 * 1024, "after $segments segments");
read_all($reader, 88000, 4999);
my $more = state_of($reader);
grew_by($many, $more, 1024, 'after as many again');

# Cancelled where it comes about.
my $cancelled = 0;
foreach my $n (1 .. 150)
{
    my $from = 1 + int rand 80000;
    my $to = $from + 6000;
    my $timeout = pick(1, 1, 2, 5, 10);
    my $session = $reader->{session};
    $session->query(<<"END");
SET statement_timeout = $timeout;
SELECT count(*) FROM (SELECT t FROM t WHERE k BETWEEN $from AND $to OFFSET 0) AS x;
END
    $cancelled++ if $session->{stderr} =~ /statement timeout/;
    # (Which has as long.)
    do
    {
        $session->{stderr} = '';
        $session->query('RESET statement_timeout');
    } while ($session->{stderr} ne '');
}
cmp_ok($cancelled, '>', 10, 'some were cancelled');
grew_by($more, state_of($reader), 2 * 1024, 'after queries that were cancelled');
read_all($reader, 88000, 3001);
grew_by($more, state_of($reader), 2 * 1024, 'and some more that were not');
$reader->{session}->quit;

# ---- Making them ----

my $writer = begin();
$writer->{session}->query_safe(<<'END');
SET omendb.test_page_entries = 20;
SET omendb.test_segment_leaves = 60;
ALTER INDEX t_k SET (cold_compression = zstd);
END
my @state;
foreach my $round (1 .. 3)
{
    my $moved =
      $writer->{session}->query_safe(q(SELECT omendb_recall('t_k') > 3000, omendb_offload('t_k', '88000') > 3000));
    is($moved, 't|t', "round $round: all leaves go back and forth");
    push @state, state_of($writer);
}
is($state[0]{Threads}, 1, 'after offloading: no thread');
grew_by($state[0], $state[1], 8 * 1024, 'after offloading twice');
grew_by($state[1], $state[2], 2 * 1024, 'after offloading three times');
$writer->{session}->quit;
check_all($node, 'in the end');
summary("$segments segments: $grown KB more than 30, $cancelled queries cancelled");
no_crash($node, 'memory');
done_testing();
