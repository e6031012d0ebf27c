# Killed under load, the server comes back with every index sound, every answer the same, and every acknowledged
# transaction there: after SIGKILL of one process at each named point of the code (in the test build), after SIGKILL of
# all of them at random moments, and after an immediate shutdown.
#
# The rounds go to three clusters, each with other settings of what matters here.  In each of them two tables are under
# load: one with random keys, whose leaves split, empty and are unlinked all over; and a queue that grows on the right
# and is eaten from the left, whose pages are unlinked and recycled.  Leaves of both go into segments and come back; what
# a crash leaves there that nothing leads to, VACUUM frees.  The process that kills itself is on a tour of its own (see
# TestPoints.pm), and a further one writes down what the server has acknowledged.  Whether inserts wait for others is
# another choice of each round: a crash may come while they are merged into an index.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use List::Util qw(shuffle);
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestPoints;
use Time::HiRes qw(sleep time);

my @clusters = (
    {
        # Without page images in the WAL: a file system that keeps its promise is one whose machine does not fail.
        name => 'minimal',
        conf => "full_page_writes = off\n"
    },
    {
        # Each page that the WAL makes is compared with the one that was logged.
        name => 'checksums',
        streaming => 1,
        extra => ['--data-checksums'],
        conf => "shared_preload_libraries = 'omendb'\nwal_compression = on\nwal_consistency_checking = 'all'\n"
    },
    {
        name => 'hints',
        streaming => 1,
        conf => "shared_preload_libraries = 'omendb'\nwal_log_hints = on\n"
    });

my @scripts = (
    8 => <<'END',
INSERT INTO scattered (k, a, b) SELECT (random() * 1e9)::int8, random() * 100, random() FROM generate_series(1, 20);
END
    6 => <<'END',
\set k random(0, 1000000000)
UPDATE scattered SET k = (random() * 1e9)::int8, a = a + 1
WHERE id = (SELECT id FROM scattered WHERE k >= :k ORDER BY k LIMIT 1);
END
    3 => <<'END',
\set k random(0, 1000000000)
DELETE FROM scattered
WHERE id IN (SELECT id FROM scattered WHERE k BETWEEN :k AND :k + 20000000 FOR UPDATE SKIP LOCKED);
END
    # A transaction that a crash may find open, and one that aborts.
    1 => <<'END',
BEGIN;
INSERT INTO scattered (k, a, b) SELECT (random() * 1e9)::int8, 0, 0 FROM generate_series(1, 100);
ROLLBACK;
END
    8 => <<'END',
INSERT INTO queue (a) SELECT n FROM generate_series(1, 50) AS n;
END
    8 => <<'END',
DELETE FROM queue WHERE id IN (SELECT id FROM queue ORDER BY id LIMIT 60 FOR UPDATE SKIP LOCKED);
END
    1 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) queue;',
    1 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) scattered;',
    1 => 'CHECKPOINT;',
    movers(scattered_k => 1000000000, @{ pick([ scattered_wide => 100 ], [ queue_id => 20000 ]) }));

my %hits;
my $rounds = 0;

# A session that inserts and deletes one row at a time, and writes down what was acknowledged; see journal_agrees.
my $journals = 0;
my $journal_length = 3000;

sub journal_statement
{
    my ($n, $first) = @_;
    return ($n % 3 == 2 ? 'DELETE FROM journal WHERE id = ' : 'INSERT INTO journal VALUES ')
      . ($n % 3 == 2 ? $first + $n - 1 : '(' . ($first + $n) . ')')
      . " RETURNING 'acknowledged';";
}

sub start_journal
{
    my ($node) = @_;
    my $first = $journals++ * $journal_length;
    my $psql = start_psql($node, join("\n", map { journal_statement($_, $first) } 0 .. $journal_length - 1) . "\n");
    return { %$psql, first => $first };
}

# The table has what was acknowledged, and perhaps the one statement more whose acknowledgement the crash cut off.
sub journal_agrees
{
    my ($node, $journal) = @_;
    my $first = $journal->{first};
    my $acknowledged = () = finish_psql($journal) =~ /^acknowledged$/mg;
    my $got = $node->safe_psql('postgres', <<"END");
SET enable_seqscan = off;
SELECT id FROM journal WHERE id >= $first AND id < $first + $journal_length ORDER BY id;
END
    my $state = sub {
        my %rows;
        foreach my $n (0 .. $_[0] - 1)
        {
            if ($n % 3 == 2) { delete $rows{ $first + $n - 1 } }
            else { $rows{ $first + $n } = 1 }
        }
        return join "\n", sort { $a <=> $b } keys %rows;
    };
    return 1 if $got eq $state->($acknowledged) || $got eq $state->($acknowledged + 1);
    diag("$acknowledged statements were acknowledged, and the journal has these rows:\n$got");
    return 0;
}

# Everything that must hold: returns the complaints.
sub complaints
{
    my ($node) = @_;
    my ($status, $output, $errors) = $node->psql('postgres', <<'END');
SET client_min_messages = warning;
SELECT check_all();
SELECT must_be_same('SELECT k FROM scattered WHERE k >= 0'),
  must_be_same('SELECT id FROM scattered WHERE id > 0 ORDER BY id', '{index,only,batched,batched_only}', true),
  must_be_same('SELECT a, b, k, id FROM scattered WHERE a BETWEEN 10 AND 30'),
  must_be_same('SELECT id FROM queue WHERE id > 0'),
  must_be_same('SELECT t, a FROM queue WHERE t IS NOT NULL'),
  must_be_same('SELECT id FROM journal WHERE id >= 0'),
  must_be_same('SELECT k FROM tour WHERE k >= 0');
END
    return $status == 0 ? $errors : "psql: $status, $errors";
}

# One round: `what` is a point of the code with a count, or how the whole server ends.  If `first_inserts` is given, it is
# that of all sessions, instead of a random one.
sub crash_round
{
    my ($cluster, $what, $first_inserts) = @_;
    my $node = $cluster->{node};
    my $start = log_size($node);
    my $name = "$cluster->{name}, $what";
    my $settings = small_pages();
    $settings->{'omendb.test_first_inserts'} = $first_inserts if defined $first_inserts;
    my $load = start_load($node, clients => 2, seconds => 600, scripts => \@scripts, settings => $settings);
    my $journal = start_journal($node);
    my $tour = start_psql(
        $node,
        $what =~ /=/
        ? tour(order => $what, turns => 30, first_inserts => $first_inserts)
        : tour(turns => 200, settings => small_pages()));
    if ($what =~ /=/)
    {
        my $said = finish_psql($tour);
        my ($point) = log_since($node, $start) =~ /test point (\S+): killed/;
        ok($point, "$name: the point is reached") or diag($said);
        if ($point)
        {
            $hits{$point}++;
            wait_until_restarted($node, $start);
        }
        else
        {
            kill_server($node);
            $node->start;
        }
    }
    else
    {
        sleep 0.3 + rand(1.2);
        # Neither committed nor aborted, until somebody decides after the crash. VACUUM has to wait for it.
        $node->safe_psql('postgres', <<'END');
BEGIN;
INSERT INTO scattered (k, a, b) SELECT (random() * 1e9)::int8, 50, 0 FROM generate_series(1, 50);
PREPARE TRANSACTION 'undecided';
END
        sleep rand(0.2);
        if ($what eq 'SIGKILL') { kill_server($node) }
        else { $node->stop('immediate') }
        finish_psql($tour);
        $hits{$what}++;
    }
    finish_load($load, "$name: load", crashed => 1);
    if ($what !~ /=/)
    {
        $node->start;
        # It holds locks that omendb_check would wait for.
        $node->safe_psql('postgres', pick('COMMIT', 'ROLLBACK') . " PREPARED 'undecided'");
    }
    $rounds++;

    is(complaints($node), '', "$name: every index is sound and agrees with its table");
    ok(journal_agrees($node, $journal), "$name: what was acknowledged is there");

    # The next ones find what the crash left.
    $settings = small_pages();
    $node->safe_psql('postgres', join ";\n", (map { "SET $_ = $settings->{$_}" } sort keys %$settings), <<'END');
INSERT INTO scattered (k, a, b) SELECT (random() * 1e9)::int8, random() * 100, random() FROM generate_series(1, 300);
INSERT INTO queue (a) SELECT n FROM generate_series(1, 100) AS n;
INSERT INTO tour SELECT (random() * 1e9)::int8, random() * 10 FROM generate_series(1, 50);
VACUUM (INDEX_CLEANUP ON) scattered, queue, journal, tour;
END
    no_unused_segments($node, $name, '^(scattered|queue|tour)$');
    $node->safe_psql('postgres', <<'END');
-- They neither grow for ever nor dry up.
DELETE FROM scattered WHERE id < (SELECT max(id) - 3000 FROM scattered);
DELETE FROM queue WHERE id < (SELECT max(id) - 2000 FROM queue);
END
    is(complaints($node), '', "$name: and after VACUUM");
    return;
}

my @points;
foreach my $cluster (@clusters)
{
    my $node = new_node(
        "crash_$cluster->{name}",
        extra => $cluster->{extra},
        streaming => $cluster->{streaming},
        conf => <<"END");
# Few buffers, so that pages are written and read again, and many checkpoints.
shared_buffers = 2MB
max_wal_size = 32MB
min_wal_size = 32MB
checkpoint_timeout = 30s
autovacuum_naptime = 1s
restart_after_crash = on
max_prepared_transactions = 5
log_checkpoints = off
$cluster->{conf}
END
    prepare_tour($node);
    $node->safe_psql('postgres', <<'END');
CREATE TABLE scattered (id bigserial, k int8, a int4, b float8) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE queue (id bigserial, a int4, t timestamptz DEFAULT clock_timestamp());
CREATE TABLE journal (id int8);
INSERT INTO scattered (k, a, b) SELECT (random() * 1e9)::int8, random() * 100, random() FROM generate_series(1, 3000);
INSERT INTO queue (a) SELECT n FROM generate_series(1, 1000) AS n;
CREATE INDEX scattered_id ON scattered USING omendb (id);
CREATE INDEX scattered_k ON scattered USING omendb (k) WITH (fillfactor = 70);
CREATE INDEX scattered_wide ON scattered USING omendb (a, b, k, id) INCLUDE (b, k) WITH (cold_compression = zstd);
CREATE INDEX queue_id ON queue USING omendb (id);
CREATE INDEX queue_t ON queue USING omendb (t, a);
CREATE INDEX journal_id ON journal USING omendb (id);
END
    $cluster->{node} = $node;
    @points = test_points($node);
}

# The rounds, in any order: each point once, in one of the clusters, twice if entries that waited pass it, or leaves on
# their way into segments and back, and surprises in all of them; as often as OMENDB_SOAK says, the points in the next
# cluster each time.
my @plan;
my $deal = int(rand(@clusters));
foreach my $turn (1 .. $soak)
{
    push @plan, map { [ $clusters[ $deal++ % @clusters ], order($_, 'kill', 1, 1, 2, 3, 5, 8) ] } @points;
    push @plan, map { [ $clusters[ $deal++ % @clusters ], order($_, 'kill', 1, 2, 3, 5, 8), 0 ] }
      grep { /^(batch|split|downlink|root|share|page-extended)/ } @points;
    push @plan, map { [ $clusters[ $deal++ % @clusters ], order($_, 'kill', 1, 2, 3, 5, 8, 13) ] }
      grep { /^(segment|leaf-frozen|cold|leaves-redirected|leaf-thawed)/ } @points;
    $deal++ if @points % @clusters == 0;
    foreach my $cluster (@clusters)
    {
        push @plan, [ $cluster, 'any=kill:' . (1 + int(exp(rand(8)))) ] if @points;
        push @plan, map { [ $cluster, $_ ] } ('SIGKILL', 'immediate shutdown') x 2;
    }
}
crash_round(@$_) foreach shuffle @plan;

foreach my $cluster (@clusters)
{
    my $node = $cluster->{node};
    # Pages are recycled in spite of the crashes: thousands of rows went through the queue, few are in it.
    my ($rows, $passed, $pages) = split /\|/, $node->safe_psql('postgres', <<'END');
SELECT (SELECT count(*) FROM queue), (SELECT last_value FROM queue_id_seq), pg_relation_size('queue_t') / 8192
END
    note("$cluster->{name}: $rows rows in the queue, $passed went through it, $pages pages");
    note("$cluster->{name}: " . leaves_moved($node));
    no_crash($node, $cluster->{name},
        qr/PANIC|TRAP:|was terminated by signal (?!9\b)|corrupted page|does not agree|inconsistent page|leak/);
    $node->stop;
    # What PostgreSQL itself says of the pages.
    $node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], "$cluster->{name}: pg_checksums")
      if $cluster->{extra};
}
my @missed = grep { !$hits{$_} } @points;
is("@missed", '', 'every named point was hit');
note(@points ? "the points: @points" : 'not the test build: no named points');
summary("$rounds crash rounds: " . join ', ', map { "$_ $hits{$_}" } sort keys %hits);
done_testing();
