# Logical replication between two servers, in both directions: rows are told apart by unique omendb indexes
# (REPLICA IDENTITY USING INDEX), on the publisher, on the subscriber, or on both.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $conf = "autovacuum = off\nwal_level = logical\nwal_retrieve_retry_interval = 100ms\nomendb.test_page_entries = 20\nomendb.test_delta_entries = 4\n";
my %node = (
    a => new_node('a', streaming => 1, conf => "$conf\nshared_preload_libraries = 'omendb'\n"),
    b => new_node('b', streaming => 1, conf => $conf));

# Of each table: the methods of its identity on the publisher and on the subscriber.
my %methods = (both => [ 'omendb', 'omendb' ], here => [ 'omendb', 'btree' ], there => [ 'btree', 'omendb' ]);

sub make_tables
{
    my ($node, $from, $side) = @_;
    foreach my $table (sort keys %methods)
    {
        my $method = $methods{$table}->[$side];
        $node->safe_psql('postgres', <<"END");
CREATE TABLE ${from}_$table (k int8 NOT NULL, d date NOT NULL, v int4);
CREATE UNIQUE INDEX ON ${from}_$table USING $method (k, d DESC);
CREATE INDEX ON ${from}_$table USING omendb (v);
ALTER TABLE ${from}_$table REPLICA IDENTITY USING INDEX ${from}_${table}_k_d_idx;
END
    }
    return;
}

foreach my $from (qw(a b))
{
    my $to = $from eq 'a' ? 'b' : 'a';
    make_tables($node{$from}, $from, 0);
    make_tables($node{$to}, $from, 1);
    $node{$from}->safe_psql('postgres', "INSERT INTO ${from}_$_ SELECT n, '2024-01-01'::date + n % 7, n FROM generate_series(1, 500) AS n")
      foreach sort keys %methods;
    $node{$from}->safe_psql('postgres', "CREATE PUBLICATION from_$from FOR TABLE " . join ', ', map { "${from}_$_" } sort keys %methods);
}
foreach my $from (qw(a b))
{
    my $to = $from eq 'a' ? 'b' : 'a';
    my $connstr = $node{$from}->connstr . ' dbname=postgres';
    $node{$to}->safe_psql('postgres', "CREATE SUBSCRIPTION to_$to CONNECTION '$connstr' PUBLICATION from_$from");
}

sub same_rows
{
    my ($name) = @_;
    foreach my $from (qw(a b))
    {
        my $to = $from eq 'a' ? 'b' : 'a';
        $node{$from}->wait_for_catchup("to_$to");
        foreach my $table (sort keys %methods)
        {
            my $rows = "SELECT count(*), sum(k), sum(v), md5(string_agg(t::text, ',' ORDER BY k, d)) FROM ${from}_$table AS t";
            is($node{$to}->safe_psql('postgres', $rows), $node{$from}->safe_psql('postgres', $rows), "$name: $from to $to: $table");
        }
    }
    foreach my $which (qw(a b))
    {
        check_all($node{$which}, "$name, $which");
    }
    return;
}

foreach my $from (qw(a b))
{
    my $to = $from eq 'a' ? 'b' : 'a';
    $node{$to}->wait_for_subscription_sync($node{$from}, "to_$to");
}
same_rows('copied');

foreach my $from (qw(a b))
{
    foreach my $table (map { "${from}_$_" } sort keys %methods)
    {
        $node{$from}->safe_psql('postgres', <<"END");
INSERT INTO $table SELECT n, '2024-02-01', n FROM generate_series(400, 900) AS n;
UPDATE $table SET v = v + 1 WHERE k % 3 = 0;
UPDATE $table SET k = k + 10000 WHERE k % 10 = 1;
UPDATE $table SET d = d + 100, v = NULL WHERE k % 11 = 0;
DELETE FROM $table WHERE k % 7 = 0;
INSERT INTO $table VALUES (5, '2030-01-01', 1) ON CONFLICT (k, d) DO NOTHING;
INSERT INTO $table VALUES (5, '2030-01-01', 1) ON CONFLICT (k, d) DO UPDATE SET v = 77;
BEGIN;
DELETE FROM $table WHERE k = 8;
INSERT INTO $table VALUES (8, '2024-01-02', 88), (8, '2024-01-03', 89);
SAVEPOINT s;
UPDATE $table SET k = -k;
ROLLBACK TO s;
COMMIT;
END
    }
}
same_rows('changed');
$node{a}->safe_psql('postgres', 'TRUNCATE a_both; INSERT INTO a_both SELECT n, current_date, n FROM generate_series(1, 100) AS n');
same_rows('truncated');

# A row that is there already on the subscriber: the worker says so, and waits until somebody makes room.
my $offset = log_size($node{b});
$node{b}->safe_psql('postgres', "INSERT INTO a_there VALUES (424242, '2024-01-01', 0)");
$node{a}->safe_psql('postgres', "INSERT INTO a_there VALUES (424242, '2024-01-01', 1)");
$node{b}->wait_for_log(qr/duplicate key value violates unique constraint "a_there_k_d_idx"/, $offset);
$node{b}->safe_psql('postgres', 'DELETE FROM a_there WHERE k = 424242');
same_rows('conflict');

# Replicated to a table that is partitioned there, where each partition has an identity of its own.
$node{a}->safe_psql('postgres', 'CREATE TABLE routed (k int8 NOT NULL, v int4); CREATE UNIQUE INDEX ON routed USING omendb (k);'
      . 'ALTER TABLE routed REPLICA IDENTITY USING INDEX routed_k_idx; ALTER PUBLICATION from_a ADD TABLE routed; INSERT INTO routed SELECT n, n FROM generate_series(1, 200) AS n');
$node{b}->safe_psql('postgres', <<'END');
CREATE TABLE routed (k int8 NOT NULL, v int4) PARTITION BY RANGE (k);
CREATE UNIQUE INDEX routed_k_idx ON routed (k);
ALTER TABLE routed REPLICA IDENTITY USING INDEX routed_k_idx;
CREATE TABLE routed1 PARTITION OF routed FOR VALUES FROM (0) TO (100);
CREATE TABLE routed2 PARTITION OF routed FOR VALUES FROM (100) TO (100000);
CREATE UNIQUE INDEX routed1_our ON routed1 USING omendb (k);
CREATE UNIQUE INDEX routed2_our ON routed2 USING omendb (k);
ALTER TABLE routed1 REPLICA IDENTITY USING INDEX routed1_our;
ALTER TABLE routed2 REPLICA IDENTITY USING INDEX routed2_our;
ALTER SUBSCRIPTION to_b REFRESH PUBLICATION;
END
$node{b}->wait_for_subscription_sync($node{a}, 'to_b');
$node{a}->safe_psql('postgres', 'UPDATE routed SET v = -v WHERE k % 2 = 0; UPDATE routed SET k = k + 1000 WHERE k < 50; DELETE FROM routed WHERE k = 60');
$node{a}->wait_for_catchup('to_b');
my $all = 'SELECT count(*), sum(k), sum(v) FROM routed';
is($node{b}->safe_psql('postgres', $all), $node{a}->safe_psql('postgres', $all), 'partitions');
check_all($node{b}, 'partitions');

$node{$_}->stop foreach qw(a b);
no_crash($node{$_}, $_) foreach qw(a b);
done_testing();
