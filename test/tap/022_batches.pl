# What may happen in the middle of a batch of Omendb Scan, Omendb Lookup Join and Omendb Aggregate: the query is cancelled,
# runs out of its time or meets an error; a page of the index or of the table cannot be read; a cursor is left, closed or
# rolled back to before it was moved.  It ends soon, and the session goes on: no page stays pinned, no memory is kept, no
# file is written, and the next query of the same kind is answered.  And what a batch holds is bounded by work_mem.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestPoints;
use Time::HiRes qw(sleep time);

use constant PAGE => 8192;
# Seconds.  Without looking for interrupts in a batch, the slow queries below would take ten times as long.
use constant SOON => 6;
# Bytes by which memory may differ that has nothing to do with the queries: caches of the catalog, and the like.
use constant NOISE => 131072;

my $node = new_node('main', conf => <<'END');
shared_preload_libraries = 'omendb'
autovacuum = off
fsync = off
# What is measured is of one size, whatever the queries before needed.
work_mem = 4MB
END
$node->safe_psql('postgres', <<'END');
CREATE EXTENSION pg_buffercache;
-- Keys of many rows, which no page has all of, and of few; NULLs.  Some rows are to be looked at in the table.
CREATE TABLE t (k int8, v int4, w text);
INSERT INTO t SELECT n % 10, n, 'row ' || n FROM generate_series(1, 30000) AS n;
INSERT INTO t SELECT n, n, 'row ' || n FROM generate_series(1000, 9000) AS n;
INSERT INTO t SELECT NULL, n, NULL FROM generate_series(1, 100) AS n;
CREATE INDEX t_k ON t USING omendb (k) INCLUDE (v) WITH (fillfactor = 10);
CREATE TABLE o (id int4, k int8);
INSERT INTO o SELECT n, CASE WHEN n % 40 > 0 THEN n * 7 % 9000 ELSE n % 10 END FROM generate_series(0, 6000) AS n;
VACUUM ANALYZE t, o;
UPDATE t SET w = w || '!' WHERE v % 100 = 0;

-- Pages of the tables and indexes above that this session's transaction, or another one, has pinned.
CREATE FUNCTION pins() RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM pg_buffercache AS b JOIN pg_class AS c ON b.relfilenode = pg_relation_filenode(c.oid)
  WHERE c.relnamespace = 'public'::regnamespace AND b.pinning_backends > 0
$$;
CREATE FUNCTION memory() RETURNS numeric LANGUAGE sql AS $$ SELECT sum(total_bytes) FROM pg_backend_memory_contexts $$;
-- The memory of a query that is under way.
CREATE FUNCTION query_memory() RETURNS numeric LANGUAGE sql AS $$
  SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name IN ('ExecutorState', 'ExprContext', 'omendb lookup join')
$$;
END
# Plans of ours, where there can be one.
my $ours = <<'END';
SET log_temp_files = 0;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_indexscan = on;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
SET enable_hashagg = off;
SET cpu_operator_cost = 0;
END
# Of scans; joins and totals have their own.
my $no_totals = "SET omendb.enable_aggregate = off;\n";

# One query of each kind, by what its plan has in it.  CONDITION is about a row of t; VALUE is a number of such a row.
# An anti join's condition holds for no row, so that all are looked at.
my @kinds = (
    {
        name => 'scan',
        plan => qr/Omendb Scan/,
        query => 'SELECT count(w), sum(VALUE) FROM t WHERE k >= 0 AND CONDITION',
        settings => $no_totals,
    },
    {
        name => 'index-only scan',
        plan => qr/Omendb Scan/,
        query => 'SELECT count(k), sum(VALUE) FROM t WHERE k >= 0 AND CONDITION',
        settings => $no_totals,
    },
    {
        name => 'inner join',
        plan => qr/Omendb Lookup Join.*Inner/s,
        query => 'SELECT count(t.w), sum(VALUE) FROM o JOIN t ON t.k = o.k AND (o.id < 0 OR CONDITION)',
    },
    {
        name => 'index-only join',
        plan => qr/Omendb Lookup Join.*Inner.*Index Only Lookup/s,
        query => 'SELECT count(*), sum(VALUE) FROM o JOIN t ON t.k = o.k AND (o.id < 0 OR CONDITION)',
    },
    {
        name => 'left join',
        plan => qr/Omendb Lookup Join.*Left/s,
        query => 'SELECT count(t.w), sum(VALUE) FROM o LEFT JOIN t ON t.k = o.k AND (o.id < 0 OR CONDITION)',
    },
    {
        name => 'left join, filtered above',
        plan => qr/Omendb Lookup Join.*Left/s,
        query => 'SELECT count(t.w), sum(VALUE) FROM o LEFT JOIN t ON t.k = o.k WHERE t.v IS NULL OR CONDITION',
    },
    {
        name => 'semi join',
        plan => qr/Omendb Lookup Join.*Semi/s,
        query => 'SELECT count(*), sum(o.id) FROM o WHERE EXISTS (SELECT FROM t WHERE t.k = o.k AND (o.id < 0 OR CONDITION))',
        no_value => 1,
    },
    {
        name => 'anti join',
        plan => qr/Omendb Lookup Join.*Anti/s,
        query => 'SELECT count(*), sum(o.id) FROM o WHERE NOT EXISTS (SELECT FROM t WHERE t.k = o.k AND (o.id < 0 OR CONDITION))',
        no_value => 1,
    },
    {
        name => 'totals',
        plan => qr/Omendb Aggregate/,
        query => 'SELECT count(*), sum(v), 1 / (count(*) - ROWS) FROM t WHERE k >= 0',
        rows => 38001,
    },
    {
        name => 'totals of groups',
        plan => qr/Omendb Aggregate/,
        query => 'SELECT k, count(*), sum(v), 1 / (k - ROWS) FROM t WHERE k >= 0 GROUP BY k',
        rows => 5000,
    });
my @filtered = grep { !$_->{rows} } @kinds;

# A query of the kind, with these words.
sub query_of
{
    my ($kind, %words) = @_;
    my $query = $kind->{query};
    %words = (CONDITION => 't.v % 7 < 6', VALUE => 't.v', ROWS => -1, %words);
    $query =~ s/\b$_\b/$words{$_}/g foreach keys %words;
    return $query;
}

sub settings_of
{
    my ($kind) = @_;
    return $ours . ($kind->{settings} || "SET omendb.enable_scan = off;\n");
}

# The answer without us.
my %answer = map {
    ($_->{name} => $node->safe_psql('postgres',
        "SET omendb.enable_scan = off; SET omendb.enable_lookup_join = off; SET omendb.enable_aggregate = off;\n"
          . 'SELECT md5(string_agg(q::text, \',\' ORDER BY q::text)) FROM (' . query_of($_) . ') AS q')) } @kinds;

# To be asked after what went wrong, in the same session: the query once more, and what is pinned.
sub afterwards
{
    my ($kind) = @_;
    return "SELECT 'answer ' || md5(string_agg(q::text, ',' ORDER BY q::text)) FROM (" . query_of($kind)
      . ") AS q;\nSELECT 'pins ' || pins();\n";
}

sub is_well
{
    my ($kind, $output, $name) = @_;
    like($output, qr/^answer $answer{$kind->{name}}$/m, "$name: the session goes on");
    like($output, qr/^pins 0$/m, "$name: nothing stays pinned");
    return;
}

foreach my $kind (@kinds)
{
    like($node->safe_psql('postgres', settings_of($kind) . 'EXPLAIN (COSTS OFF) ' . query_of($kind)),
        $kind->{plan}, "$kind->{name}: the plan");
}

# ---- Cancelled in a batch ----

# A statement that has half a second, and how long it took.
sub timed
{
    my ($statement) = @_;
    my $clock = "SELECT 'clock ' || extract(epoch FROM clock_timestamp());\n";
    return "SET statement_timeout = '500ms';\n$clock$statement${clock}RESET statement_timeout;\n";
}

sub is_stopped
{
    my ($output, $name) = @_;
    like($output, qr/statement timeout/, "$name: it is stopped");
    my ($start, $end) = $output =~ /^clock ([\d.]+)$/mg;
    cmp_ok($end - $start, '<', SOON, "$name: soon");
    return;
}

# An expression that takes its time and does not look for interrupts itself.
my $slow = "PREPARE slow (text) AS QUERY;\nSET plan_cache_mode = force_generic_plan;\n";
foreach my $kind (@filtered)
{
    my $query = query_of($kind, CONDITION => q{md5($1 || t.v) = 'none'}, VALUE => 't.v');
    (my $prepare = $slow) =~ s/QUERY/$query/;
    my $output = finish_psql(start_psql($node,
        settings_of($kind) . $prepare . timed("EXECUTE slow (repeat('x', 20000000));\n") . afterwards($kind)));
    is_stopped($output, "$kind->{name}, slow condition");
    is_well($kind, $output, "$kind->{name}, slow condition");
}

# Totals have no expressions; but many of them take their time.
foreach my $kind (grep { $_->{rows} } @kinds)
{
    my $query = query_of($kind);
    my $totals = join ', ', ("(SELECT count(*) FROM ($query OFFSET 0 * n) AS q)") x 10;
    my $output = finish_psql(start_psql($node,
            settings_of($kind)
          . timed("SELECT $totals FROM generate_series(1, 1000) AS n, generate_series(1, 1000);\n")
          . afterwards($kind)));
    is_stopped($output, "$kind->{name}, many times");
    is_well($kind, $output, "$kind->{name}, many times");
}

# Waits until there is such a session, and returns its process id.
sub wait_for_session
{
    my ($where) = @_;
    for (my $end = time + 60; time < $end; sleep 0.02)
    {
        my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $where");
        return $pid if $pid ne '';
    }
    die "no session has $where\n";
}

# At a leaf in the middle of a batch.
if (test_points($node))
{
    foreach my $kind (@kinds)
    {
        my $gate = start_psql($node,
            "SET application_name = 'gate';\nSELECT pg_advisory_lock(1);\nSELECT pg_sleep(100);\n");
        my $keeper = wait_for_session(q(application_name = 'gate' AND query LIKE '%pg_sleep%'));
        my $psql = start_psql($node,
                settings_of($kind) . "LOAD 'omendb';\nSET application_name = 'waits';\n"
              . "SET omendb.test_point = 'leaf-read=pause:5';\n" . query_of($kind) . ";\nRESET omendb.test_point;\n"
              . afterwards($kind));
        my $pid = wait_for_session(q(application_name = 'waits' AND wait_event = 'advisory'));
        my $start = time;
        $node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
        my $output = finish_psql($psql);
        cmp_ok(time - $start, '<', SOON, "$kind->{name}, cancelled at a leaf: soon");
        like($output, qr/canceling statement due to user request/, "$kind->{name}, cancelled at a leaf: it is");
        is_well($kind, $output, "$kind->{name}, cancelled at a leaf");
        $node->safe_psql('postgres', "SELECT pg_terminate_backend($keeper)");
        finish_psql($gate);
    }
}

# ---- Errors in a batch ----

# Statements that fail in the middle, by what their conditions, their results or a page's turn do.
my @failing;
foreach my $kind (@filtered)
{
    push @failing, [ $kind, query_of($kind, CONDITION => '1000 / (t.v - 25000) = 5000'), 'division by zero' ];
    push @failing, [ $kind, query_of($kind, VALUE => '1000 / (t.v - 25000)'), 'division by zero' ] if !$kind->{no_value};
}
push @failing, [ $_, query_of($_, ROWS => $_->{rows}), 'division by zero' ] foreach grep { $_->{rows} } @kinds;
if (test_points($node))
{
    push @failing, [ $_, query_of($_), 'test point leaf-read' ] foreach @kinds;
}

# The statement in a subtransaction that it is rolled back to.
sub attempt
{
    my ($failing) = @_;
    my ($kind, $query, $error) = @$failing;
    my $point = $error =~ /test point/ ? "SET LOCAL omendb.test_point = 'leaf-read=error:5';\n" : '';
    (my $settings = settings_of($kind)) =~ s/^SET /SET LOCAL /mg;
    return "SAVEPOINT a;\n$settings$point$query;\nROLLBACK TO a;\nRELEASE a;\n";
}

foreach my $failing (@failing)
{
    my ($kind, $query, $error) = @$failing;
    my $output = finish_psql(start_psql($node,
            "LOAD 'omendb';\nBEGIN;\n" . attempt($failing) . settings_of($kind) . afterwards($kind) . "COMMIT;\n"));
    like($output, qr/ERROR:  \Q$error\E/, "$kind->{name}, $error: it fails");
    is_well($kind, $output, "$kind->{name}, $error");
}

# A thousand of them leave nothing behind.
{
    my $round = join '', map { attempt($_) } @failing;
    my $rounds = int(1000 / @failing) + 1;
    my $output = finish_psql(start_psql($node,
            "LOAD 'omendb';\n\\set VERBOSITY sqlstate\nBEGIN;\n" . $round x 3
          . "SELECT 'memory ' || memory();\n" . $round x $rounds . "SELECT 'memory ' || memory();\n"
          . "SELECT 'pins ' || pins();\nCOMMIT;\n"));
    my $failures = () = $output =~ /ERROR:/g;
    is($failures, @failing * (3 + $rounds), 'each of many statements fails');
    my ($before, $after) = $output =~ /^memory (\d+)$/mg;
    cmp_ok($after - $before, '<', NOISE, 'many that fail in one transaction: memory');
    like($output, qr/^pins 0$/m, 'many that fail in one transaction: nothing stays pinned');
    summary("$failures statements failed in a batch, memory $before and then $after bytes");
}

# ---- A cursor in the middle of a batch ----

foreach my $kind (@kinds)
{
    # Without its totals: rows that come one by one.  (Those without groups are one row.)
    (my $query = query_of($kind)) =~ s/SELECT count\(([\w.*]+)\), sum\(([\w.]+)\) FROM/SELECT $1 AS a, $2 AS b FROM/;
    $query =~ s/\* AS a/o.id AS a/;
    my $failing = query_of($kind, VALUE => '1000 / (t.v - 25000)');
    $failing =~ s/SELECT count\(([\w.*]+)\), sum\((.*?)\) FROM/SELECT $2 AS b FROM/;
    my $declare = "DECLARE c NO SCROLL CURSOR FOR $query;\n";
    my $fetch = "FETCH 300 FROM c \\g /dev/null\n";
    foreach my $end (
        [ 'closed', "CLOSE c;\n" ],
        [ 'moved in a subtransaction that is rolled back, and closed', "SAVEPOINT a;\n${fetch}ROLLBACK TO a;\n${fetch}CLOSE c;\n" ],
        [ 'rolled back', "ROLLBACK TO before;\n" ],
        [ 'left', "COMMIT;\nBEGIN;\n" ])
    {
        my $output = finish_psql(start_psql($node,
                settings_of($kind) . "BEGIN;\nSAVEPOINT before;\n" . $declare . $fetch x 2 . $end->[1] . afterwards($kind)
              . "COMMIT;\n"));
        unlike($output, qr/ERROR/, "$kind->{name}, cursor $end->[0]: no error");
        is_well($kind, $output, "$kind->{name}, cursor $end->[0]");
    }
    next if $kind->{no_value} || $kind->{rows};
    my $output = finish_psql(start_psql($node,
            settings_of($kind) . "BEGIN;\nDECLARE c NO SCROLL CURSOR FOR $failing;\n${fetch}SAVEPOINT a;\n"
          . "FETCH ALL FROM c \\g /dev/null\nROLLBACK TO a;\n" . $fetch . "ROLLBACK TO a;\n" . afterwards($kind) . "COMMIT;\n"));
    like($output, qr/division by zero/, "$kind->{name}, cursor that fails: it does");
    like($output, qr/portal "c" cannot be run/, "$kind->{name}, cursor that fails: it cannot go on");
    is_well($kind, $output, "$kind->{name}, cursor that fails");
}

# ---- Memory ----

# Joins whose rows, of either side, are wide, and a scan: with `work_mem` of 256 kB.
$node->safe_psql('postgres', <<'END');
CREATE TABLE wide (k int8, w text);
ALTER TABLE wide ALTER COLUMN w SET STORAGE PLAIN;
INSERT INTO wide SELECT 5, repeat('x', 3900) FROM generate_series(1, 10000) AS n;
CREATE INDEX wide_k ON wide USING omendb (k);
ANALYZE wide;
END
my $outer_wide = "(SELECT k, repeat('x', 100000) AS w FROM o OFFSET 0) AS o";
foreach my $case (
    [ 'wide rows of the outer side', "SELECT o.w, t.v FROM $outer_wide JOIN t ON t.k = o.k AND t.v < 9000", 4000 ],
    [ 'wide rows of the outer side that have no match', "SELECT o.w FROM $outer_wide WHERE NOT EXISTS (SELECT FROM t WHERE t.k = o.k + 10000)", 4000 ],
    [ 'a key of many wide rows', 'SELECT o.id, wide.w FROM o JOIN wide ON wide.k = o.k', 30000 ],
    [ 'scan of wide rows', 'SELECT w FROM wide WHERE k = 5', 9000 ],
    [ 'scan in order of wide rows', 'SELECT w FROM wide WHERE k > 0 ORDER BY k', 9000 ])
{
    my ($name, $query, $rows) = @$case;
    my $settings = "$ours${no_totals}SET work_mem = '256kB';\n";
    like($node->safe_psql('postgres', "${settings}EXPLAIN (COSTS OFF) $query"), qr/Omendb (Scan|Lookup Join)/, "$name: the plan");
    my $output = finish_psql(start_psql($node,
            $settings . "BEGIN;\nDECLARE c NO SCROLL CURSOR FOR $query;\n"
          . ("MOVE " . $rows / 10 . " FROM c;\nSELECT 'memory ' || query_memory();\n") x 10
          . "CLOSE c;\nSELECT 'pins ' || pins();\nCOMMIT;\n"));
    my @memory = $output =~ /^memory (\d+)$/mg;
    my ($most) = sort { $b <=> $a } @memory;
    is(scalar @memory, 10, "$name: it can be looked at") or diag($output);
    # A batch of rows, and rows of another; arrays of a size that does not depend on the rows.
    cmp_ok($most, '<', 1.5 * 1048576, "$name: memory");
    like($output, qr/^pins 0$/m, "$name: nothing stays pinned");
    summary("$name: at most $most bytes");
}

# ---- Pages that cannot be read ----

# A leaf, and a page of the table, in the middle of what the queries read.  (Of a key of many rows a semi join looks at few.)
$node->safe_psql('postgres', 'CHECKPOINT');
my $index_file = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('t_k')");
my $table_file = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('t')");

# Where the page begins before which there is this part of the file.
sub page_at
{
    my ($part, $file) = @_;
    return int($part * (-s $file) / PAGE) * PAGE;
}

# Returns the bytes that were there.
sub overwrite
{
    my ($file, $offset, $bytes) = @_;
    open my $out, '+<', $file or die "$file: $!";
    binmode $out;
    seek $out, $offset, 0;
    read $out, my $before, length $bytes;
    seek $out, $offset, 0;
    print $out $bytes;
    close $out or die "$file: $!";
    return $before;
}

foreach my $damage (
    [ 'damaged leaf', $index_file, page_at(0.5, $index_file) + 100, "\xA5" x 16, qr/XX002/ ],
    [ 'page of the table that cannot be read', $table_file, page_at(0.87, $table_file), "\xA5" x 24, qr/XX001/ ])
{
    my ($name, $file, $offset, $bytes, $error) = @$damage;
    $node->stop;
    my $before = overwrite($file, $offset, $bytes);
    $node->start;
    foreach my $kind (@kinds)
    {
        my $output = finish_psql(start_psql($node,
                "\\set VERBOSITY sqlstate\n" . settings_of($kind) . "BEGIN;\nSAVEPOINT a;\n" . query_of($kind)
              . ";\nROLLBACK TO a;\n" . "SELECT 'pins ' || pins();\nSELECT 'memory ' || memory();\n"
              . ("SAVEPOINT a;\n" . query_of($kind) . ";\nROLLBACK TO a;\nRELEASE a;\n") x 20
              . "SELECT 'memory ' || memory();\nSELECT 'pins ' || pins();\n"
              . "SET LOCAL enable_seqscan = on;\nSELECT 'alive ' || count(*) FROM o;\nCOMMIT;\n"));
        my $errors = () = $output =~ /$error/g;
        is($errors, 21, "$kind->{name}, $name: the error") or diag(substr($output, 0, 1000));
        my @pins = $output =~ /^pins (\d+)$/mg;
        is("@pins", '0 0', "$kind->{name}, $name: nothing stays pinned");
        my ($first, $last) = $output =~ /^memory (\d+)$/mg;
        cmp_ok($last - $first, '<', NOISE, "$kind->{name}, $name: memory");
        like($output, qr/^alive 6001$/m, "$kind->{name}, $name: the session goes on");
    }
    $node->stop;
    overwrite($file, $offset, $before);
    $node->start;
}
foreach my $kind (@kinds)
{
    is_well($kind, finish_psql(start_psql($node, settings_of($kind) . afterwards($kind))), "$kind->{name}, repaired");
}
check_all($node, 'at the end');

# Of damage there was some.
no_crash($node, 'batches', qr/PANIC|TRAP:|was terminated by signal|does not agree with|leak|temporary file:/);
$node->stop;
done_testing();
