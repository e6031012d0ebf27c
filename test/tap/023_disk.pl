# Tables that are not in memory: the pages of a batch are asked for ahead, unless effective_io_concurrency, that of the
# tablespace too, is 0, and no more of them than a LIMIT makes a batch large.  Shared buffers are so few that next to none
# of the pages are in memory, and many are gone before they are read again.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('disk');
$node->init;
$node->append_conf('postgresql.conf', <<'END');
shared_preload_libraries = 'omendb'
shared_buffers = 1MB
autovacuum = off
fsync = off
enable_seqscan = off
enable_hashjoin = off
enable_mergejoin = off
enable_bitmapscan = off
enable_memoize = off
END
$node->start;
$node->safe_psql('postgres', <<'END');
CREATE EXTENSION omendb;
CREATE TABLE t AS SELECT n::int8 * 7919 % 1000003 AS k, n AS v, repeat('.', 1500) AS wide FROM generate_series(1, 20000) AS n;
CREATE INDEX t_k ON t USING omendb (k);
CREATE TABLE probes AS SELECT k FROM t WHERE v % 5 = 0 ORDER BY hashint8(k);
CREATE VIEW joined AS SELECT t.v FROM probes JOIN t USING (k);
VACUUM ANALYZE t, probes;
END

my $listed = 'SELECT sum(v) FROM t WHERE k = ANY ((SELECT array_agg(k) FROM probes)::int8[])';
my $joined = 'SELECT sum(v) FROM joined';
my $sum = $node->safe_psql('postgres', 'SELECT sum(n) FROM generate_series(1, 20000) AS n WHERE n % 5 = 0');

sub find_node
{
    my ($plan, $name) = @_;
    return $plan if ($plan->{'Custom Plan Provider'} || '') eq $name;
    return (grep { $_ } map { find_node($_, $name) } @{ $plan->{'Plans'} || [] })[0];
}

# Pages that a node asked for ahead.
sub prefetched
{
    my ($name, $settings, $query) = @_;
    my $plan = decode_json($node->safe_psql('postgres',
        "$settings; EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) $query"))->[0]{'Plan'};
    my $found = find_node($plan, $name) or die "no $name";
    return $found->{'Heap Blocks Prefetched'} // $found->{'Prefetched Pages'};
}

for (['Omendb Lookup Join', $joined], ['Omendb Scan', $listed])
{
    my ($name, $query) = @$_;
    # The table has 4000 pages, of which next to none are in memory.
    is($node->safe_psql('postgres', $query), $sum, "$name: right");
    my $pages = prefetched($name, '', $query);
    cmp_ok($pages, '>', 2000, "$name asks for pages ahead");
    cmp_ok($pages, '<=', 4000, "$name asks for each page of a row once");

    my $off = 'SET effective_io_concurrency = 0';
    is(prefetched($name, $off, $query), 0, "$name: not with effective_io_concurrency = 0");
    is($node->safe_psql('postgres', "$off; $query"), $sum, "$name: right without");

    $node->safe_psql('postgres', 'ALTER TABLESPACE pg_default SET (effective_io_concurrency = 0)');
    is(prefetched($name, '', $query), 0, "$name: not where the tablespace does not want it");
    $node->safe_psql('postgres', 'ALTER TABLESPACE pg_default RESET (effective_io_concurrency)');

    # Rows are read in pieces.
    is($node->safe_psql('postgres', "SET work_mem = '64kB'; $query"), $sum, "$name: right with little memory");
}

# Batches of 1, 2, 4 and 8 rows.
cmp_ok(prefetched('Omendb Lookup Join', '', 'SELECT v FROM joined LIMIT 10'), '<=', 15, 'a LIMIT keeps batches small');

my $check = $node->safe_psql('postgres', "SELECT omendb_check('t_k', true)");
is($check, '', 'the index is sound');
$node->stop;
done_testing();
