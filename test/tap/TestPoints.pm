# What the TAP tests do with the test build: see src/pg/test_build.h.
package TestPoints;

use strict;
use warnings;
use Exporter 'import';
use Omendb;

our @EXPORT = qw(test_points replay_points order small_pages waiting prepare_tour tour);

# The names of the points, but for those of replay; none if it is an ordinary build.
sub test_points
{
    return grep { !/^replayed-/ } all_points(@_);
}

sub replay_points
{
    return grep { /^replayed-/ } all_points(@_);
}

sub all_points
{
    my ($node) = @_;
    return split /, /,
      $node->safe_psql('postgres', <<'END');
LOAD 'omendb';
SELECT setting FROM pg_settings WHERE name = 'omendb.test_points';
END
}

# A value of omendb.test_point: at one of these times that a process reaches the point.
sub order
{
    my ($point, $action, @times) = @_;
    # A worker does so once, and the next one counts anew.
    @times = (1) if $point eq 'part-handed-over';
    return "$point=$action:" . pick(@times);
}

# Settings that make pages, deltas and segments small, the hot index built again after few lookups, and inserts wait, at
# random.
sub small_pages
{
    return {
        %{ page_sizes(pick(4, 5, 8, 16, 60, 300), pick(1, 2, 3, 8, 64)) },
        %{ waiting() },
        'omendb.test_segment_leaves' => pick(4, 6, 30, 1024)
    };
}

# Settings by which all inserts wait for others, or as few as in the ordinary build; and not for too many.
sub waiting
{
    return { 'omendb.test_first_inserts' => pick(0, 0, 3, 16), 'omendb.insert_buffer_size' => pick(64, 65536) };
}

sub page_sizes
{
    my ($page, $delta) = @_;
    return {
        'omendb.test_page_entries' => $page,
        'omendb.test_delta_entries' => $delta,
        'omendb.test_rebuild_misses' => pick(1, 1, 3, 10)
    };
}

sub prepare_tour
{
    my ($node) = @_;
    # Nobody else looks after it: each statement finds what the one before left.
    $node->safe_psql('postgres', <<'END');
CREATE TABLE tour (k int8, a int4) WITH (autovacuum_enabled = off, parallel_workers = 2);
CREATE INDEX tour_k ON tour USING omendb (k);
CREATE TABLE unfinished (k int8) WITH (autovacuum_enabled = off);
CREATE INDEX unfinished_k ON unfinished USING omendb (k);
-- Those who see what was deleted before: VACUUM would leave it.  Not for ever, as a prepared transaction stays.
CREATE FUNCTION wait_for_others() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 200 LOOP
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity
                          WHERE backend_xmin IS NOT NULL AND xact_start < now() AND pid <> pg_backend_pid());
    PERFORM pg_sleep(0.005), pg_stat_clear_snapshot();
  END LOOP;
END $$;
END
    return;
}

# `turns` times a list of statements that passes every point, each at least once: the table and its indexes are filled,
# leaves go into segments, are written to and come back, all is thinned out, emptied, recycled, filled again and rebuilt.
# An `order`, a value of omendb.test_point, is given in front
# of one of the first list's statements.
#
# `settings` are the sizes of pages.  By default they are such that no point is passed by: with a delta as large as a
# base no two leaves have few enough entries to share them.
#
# Whether inserts wait is left to chance, unless `first_inserts` says it; and whether indexes are built in parallel.
#
# `kind` is that of the tables: 'TEMP' ones are made, and the others made 'LOGGED' or 'UNLOGGED', by default at random.
# With `caught`, errors are caught in a subtransaction, where there can be one, and the transaction goes on writing, if it
# may: what waits for an index is put into it in the subtransaction or behind it.
#
# A split is only met behind a right-link while it has no downlink.  For that an error first stops one there.
sub tour
{
    my (%options) = @_;
    my ($order, $turns) = ($options{order}, $options{turns} || 1);
    my $workers = defined $order && $order =~ /^part-handed-over=/ ? 2 : pick(0, 2);
    my $kind = $options{kind} || pick('LOGGED', 'LOGGED', 'LOGGED', 'UNLOGGED');
    # (Where an error kept an index from being made, there is none.)
    my $offload = sub { return "SELECT omendb_offload(to_regclass('$_[0]'), '$_[1]')" };
    # Of those that are not in the WAL nobody can tell which have changed.
    my $offload_unchanged = "SELECT omendb_offload('tour_k')" . ($kind eq 'LOGGED' ? '' : " WHERE false");
    my @statements = (
        "SET max_parallel_maintenance_workers = $workers",
        'DROP INDEX IF EXISTS tour_ak, tour_later',
        'TRUNCATE tour',
        'INSERT INTO tour SELECT (random() * 1e9)::int8, random() * 10 FROM generate_series(1, 200)',
        # (An error that is caught may have undone the DROP INDEX.)
        'CREATE INDEX IF NOT EXISTS tour_ak ON tour USING omendb (a, k DESC) INCLUDE (k)',
        'INSERT INTO tour SELECT (random() * 1e9)::int8, random() * 10 FROM generate_series(1, 100)',
        'CREATE INDEX CONCURRENTLY IF NOT EXISTS tour_later ON tour USING omendb (k, a)',
        $offload->('tour_k', 600000000),
        $offload->('tour_ak', 7),
        'SELECT count(k) FROM tour WHERE a = 5 AND k > 300000000',
        'SELECT count(k) FROM tour WHERE k < 500000000',
        # More than half of the segment's leaves; what is left goes to the next one.
        'INSERT INTO tour SELECT (random() * 5e8)::int8, random() * 10 FROM generate_series(1, 80)',
        'SELECT k FROM tour WHERE k BETWEEN 400000000 AND 700000000 ORDER BY k DESC LIMIT 70',
        $offload->('tour_k', 800000000),
        'UPDATE tour SET k = (random() * 1e9)::int8 WHERE a = 3',
        'DELETE FROM tour WHERE a < 5',
        'SELECT wait_for_others()',
        'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) tour',
        'SELECT k FROM tour WHERE k BETWEEN 0 AND 500000000 ORDER BY k DESC LIMIT 3',
        $offload_unchanged,
        $offload_unchanged,
        "SELECT omendb_recall(to_regclass('tour_ak'))",
        $offload->('tour_ak', pick(2, 8, 10)),
        'DELETE FROM tour',
        'SELECT wait_for_others()',
        'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) tour',
        'SELECT txid_current()',
        'SELECT wait_for_others()',
        'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) tour',
        'INSERT INTO tour SELECT (random() * 1e9)::int8, random() * 10 FROM generate_series(1, 100)',
        $offload->('tour_k', 900000000),
        'SELECT count(*) FROM tour WHERE k > 100000000',
        pick("SELECT omendb_recall('tour_k')", 'REINDEX INDEX tour_k'),
        'REINDEX INDEX tour_k',
        # Under wal_level = minimal nothing of it is in the WAL, but perhaps the pages at the end.
        'SET wal_skip_threshold = ' . pick(0, 1000000),
        <<'END',
BEGIN;
DROP TABLE IF EXISTS fresh;
CREATE TABLE fresh (k int8) WITH (autovacuum_enabled = off);
CREATE INDEX fresh_early ON fresh USING omendb (k);
COPY fresh FROM PROGRAM 'seq 1 7 400';
CREATE INDEX fresh_late ON fresh USING omendb (k DESC);
INSERT INTO fresh SELECT (random() * 1e9)::int8 FROM generate_series(1, 20);
COMMIT
END
    );
    if (defined $order && $order =~ /^move-right=/)
    {
        # A descent starts from the root if its key is not in the leaf of the one before: hence at random.
        @statements = (
            'TRUNCATE unfinished',
            "SET omendb.test_point = 'split-written=error, $order'",
            'INSERT INTO unfinished SELECT (random() * 1e9)::int8 FROM generate_series(1, 200)',
            'SELECT count((SELECT k FROM unfinished WHERE k = r LIMIT 1))'
              . ' FROM (SELECT (random() * 1e9)::int8 AS r FROM generate_series(1, 1000) OFFSET 0) AS random');
        $order = undef;
    }
    if ($options{caught})
    {
        foreach (@statements)
        {
            next if /^(VACUUM|BEGIN|SET|SELECT (txid|wait)|CREATE INDEX CONCURRENTLY)/;
            s/^SELECT/PERFORM/;
            my $read = pick('', 'PERFORM count(*) FROM tour WHERE k = 1;');
            $_ = <<"END";
DO \$\$ BEGIN
  $_; $read
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'caught: %', SQLERRM;
  INSERT INTO tour SELECT (random() * 1e9)::int8, random() * 10 FROM generate_series(1, 20);
  INSERT INTO unfinished SELECT (random() * 1e9)::int8 FROM generate_series(1, 20);
END \$\$
END
        }
    }
    my @all = (@statements) x $turns;
    splice @all, int(rand(@statements)), 0, "SET omendb.test_point = '$order'" if defined $order;
    my $settings = $options{settings}
      || { %{ page_sizes(@{ pick([ 5, 1 ], [ 6, 1 ], [ 8, 1 ], [ 8, 2 ], [ 12, 2 ]) }) }, %{ waiting() } };
    $settings->{'omendb.test_first_inserts'} = $options{first_inserts} if defined $options{first_inserts};
    # Only entries that come one by one are seen there.
    $settings->{'omendb.test_first_inserts'} = 16
      if defined $options{order} && $options{order} =~ /^(insert-locked|delta-merged)=/;
    my @tables =
      $kind eq 'TEMP'
      ? (
        'CREATE TEMP TABLE tour (k int8, a int4)',
        'CREATE INDEX tour_k ON tour USING omendb (k)',
        'CREATE TEMP TABLE unfinished (k int8)',
        'CREATE INDEX unfinished_k ON unfinished USING omendb (k)')
      : map { "ALTER TABLE $_ SET $kind" } 'tour', 'unfinished';
    return join ";\n", "LOAD 'omendb'", @tables, 'SET enable_seqscan = off', 'SET enable_bitmapscan = off',
      'SET enable_hashjoin = off', 'SET enable_mergejoin = off', 'SET client_min_messages = warning',
      (map { "SET $_ = $settings->{$_}" } sort keys %$settings), @all, '';
}

1;
