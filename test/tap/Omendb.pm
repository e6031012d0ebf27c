# What the TAP tests share: a server with the extension, load in the background, and the questions that every test ends
# with.  test/run runs them; by hand, as a user that may run a server, in a directory of one's own:
#
#   PG_REGRESS=$(dirname $(pg_config --pgxs))/../test/regress/pg_regress \
#   prove -I $(dirname $(pg_config --pgxs))/../test/perl test/tap/001_crash.pl
#
# OMENDB_SOAK=N makes the tests with random load N times as long.
# OMENDB_SEED=N repeats a run's random choices as far as the scheduling of processes allows.
package Omendb;

use strict;
use warnings;
use Exporter 'import';
use FindBin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw($soak $seed crc32c new_node prepare kill_server start_load finish_load check_all no_crash one_answer
  scripted pick start_psql finish_psql wait_until_restarted log_size log_since summary writers build_module
  movers leaves_moved no_unused_segments);

our $soak = $ENV{OMENDB_SOAK} || 1;
our $seed = defined $ENV{OMENDB_SEED} ? $ENV{OMENDB_SEED} : int(rand(2**31));
srand($seed);
diag("OMENDB_SEED=$seed");

# A test that hangs is a test that failed.  The servers are stopped by the framework's END block.
$SIG{ALRM} = sub { die "the test takes too long\n" };
alarm(1200 * $soak);

# Makes and starts a server with the extension.  Lines of configuration are given as `conf`, options of initdb as
# `extra`; `streaming` makes it one that standbys can follow.
sub new_node
{
    my ($name, %options) = @_;
    my $node = PostgreSQL::Test::Cluster->new($name);
    $node->init(extra => $options{extra} || [], allows_streaming => $options{streaming} || 0);
    $node->append_conf('postgresql.conf', <<"END" . ($options{conf} || ''));
log_statement = none
shared_buffers = 16MB
max_connections = 40
jit = off
timezone = 'UTC'
max_parallel_workers_per_gather = 0
# Nothing here takes as long, but for a process that waits for ever.
statement_timeout = 120s
END
    $node->start;
    prepare($node);
    return $node;
}

# The extension, and functions that ask a question in several ways: see test/sql/compare.sql.
sub prepare
{
    my ($node, $database) = @_;
    $database ||= 'postgres';
    $node->safe_psql($database, "\\i $FindBin::Bin/../sql/compare.sql\n" . <<"END" . <<'END');
ALTER DATABASE $database SET search_path = omendb_test, public;
END

-- Raises an error unless the answer is the same by every kind of scan.  In a REPEATABLE READ transaction the rows are
-- the same for all of them, whatever others do meanwhile.
CREATE FUNCTION must_be_same(query text, ways text[] DEFAULT '{index,only,bitmap,batched,batched_only}', ordered boolean DEFAULT false)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  outcome text := compare(query, ways, ordered);
BEGIN
  IF outcome NOT LIKE 'same, %' THEN
    RAISE EXCEPTION 'WRONG ANSWER: %: %', query, outcome;
  END IF;
END $$;

-- The same of a query that Omendb Aggregate answers.
CREATE FUNCTION must_be_same_totals(query text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  outcome text := compare_aggregate(query);
BEGIN
  IF outcome NOT LIKE 'same, %' THEN
    RAISE EXCEPTION 'WRONG ANSWER: %: %', query, outcome;
  END IF;
END $$;

-- What movers() call: offloads leaves, or recalls them if nothing is said.  The index may just be made, or gone, or its
-- table be locked.
CREATE UNLOGGED TABLE moved (offloaded int8, recalled int8);
CREATE FUNCTION move_leaves(index text, before text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO moved (offloaded) VALUES (omendb_offload(to_regclass(index), before));
EXCEPTION WHEN undefined_table OR undefined_object OR object_not_in_prerequisite_state OR lock_not_available OR
  internal_error
THEN
  IF SQLSTATE = 'XX000' AND SQLERRM !~ 'could not open relation' THEN RAISE; END IF;
END $$;
CREATE FUNCTION move_leaves(index text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO moved (recalled) VALUES (omendb_recall(to_regclass(index)));
EXCEPTION WHEN undefined_table OR undefined_object OR object_not_in_prerequisite_state OR lock_not_available OR
  internal_error
THEN
  IF SQLSTATE = 'XX000' AND SQLERRM !~ 'could not open relation' THEN RAISE; END IF;
END $$;

-- Those of omendb, but for what a failed CREATE INDEX CONCURRENTLY left.
CREATE FUNCTION indexes() RETURNS SETOF regclass LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT c.oid::regclass
               FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid
               WHERE a.amname = 'omendb' AND c.relkind = 'i' AND i.indisvalid ORDER BY c.oid;
END $$;

-- omendb_check of every index, against its table.  Returns how many there are.
CREATE FUNCTION check_all() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  index regclass;
  n int := 0;
BEGIN
  FOR index IN SELECT * FROM indexes()
  LOOP
    PERFORM omendb_check(index, true);
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;
END
    return;
}

# The cold tier
# -------------

# Weighted scripts for start_load that offload leaves of indexes, up to any place or those that have not changed, and now
# and then recall them, all that there are.  Pairs of an index and the greatest value of its first column, which is a
# number; the least is 0.
sub movers
{
    my @scripts;
    while (my ($index, $most) = splice @_, 0, 2)
    {
        push @scripts, 2 => <<"END";
\\set what random(1, 40)
\\set k random(0, $most)
\\if :what = 1
SELECT move_leaves('$index');
\\elif :what <= 20
SELECT move_leaves('$index', NULL);
\\else
SELECT move_leaves('$index', (:k)::text);
\\endif
END
    }
    return @scripts;
}

# How many leaves they have moved, both ways, and how many were looked for in a segment meanwhile (unknown without the
# hot index in shared memory).
sub leaves_moved
{
    my ($node) = @_;
    return $node->safe_psql('postgres', <<'END');
SELECT coalesce(sum(offloaded), 0) || ' leaves offloaded, ' || coalesce(sum(recalled), 0) || ' recalled, '
  || (SELECT sum(cold_hits + cold_reads) FROM indexes(), omendb_stat_index(indexes)) || ' looked at there'
FROM moved
END
}

# After VACUUM, and with nobody about: no segment is left behind that has no leaf in use.
sub no_unused_segments
{
    my ($node, $name, $tables) = @_;
    my $unused = $node->safe_psql('postgres', <<"END");
SELECT format('%s: %s segments, %s pages, %s cold leaves', index, segments, segment_pages, cold_leaves)
FROM indexes() AS index, omendb_stat_index(index) AS s
WHERE (SELECT indrelid FROM pg_index WHERE indexrelid = index)::regclass::text ~ '$tables'
  AND (segments > cold_leaves OR (cold_leaves = 0) <> (segment_pages = 0))
END
    return is($unused, '', "$name: no segment without leaves");
}

# Builds a library of test/modules, in a directory of its own, and returns the library's name.
sub build_module
{
    my ($name) = @_;
    my $dir = PostgreSQL::Test::Utils::tempdir;
    # Those of a make that runs the tests are not for this one.
    delete local @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};
    system_or_bail('cp', '-r', "$FindBin::Bin/../modules/$name", $dir);
    system_or_bail('make', '-C', "$dir/$name", 'PG_CONFIG=pg_config');
    return "$dir/$name/$name.so";
}

# Runs psql in the background on a text.
sub start_psql
{
    my ($node, $text) = @_;
    my $output = '';
    my $handle = IPC::Run::start(
        [ 'psql', '-X', '-q', '-A', '-t', '-h', $node->host, '-p', $node->port, '-f', scripted($text), 'postgres' ],
        '<', \undef, '>', \$output, '2>&1');
    return { handle => $handle, output => \$output };
}

# Waits for its end, and returns what it said.
sub finish_psql
{
    my ($psql) = @_;
    IPC::Run::finish($psql->{handle});
    return ${ $psql->{output} };
}

# After the crash of one process the postmaster stops the others, and starts the server again.  `offset` is where the
# log ended before.
sub wait_until_restarted
{
    my ($node, $offset) = @_;
    for (my $end = time + 60; time < $end; sleep 0.02)
    {
        return if log_since($node, $offset) =~ /reinitializing.*ready to accept connections/s;
    }
    die "the server does not come back\n";
}

sub log_size
{
    my ($node) = @_;
    return -s $node->logfile;
}

sub log_since
{
    my ($node, $offset) = @_;
    return slurp_file($node->logfile, $offset);
}

# What test/run prints below the line of the step.
sub summary
{
    my ($text) = @_;
    diag("summary: $text");
    return;
}

# One of the arguments.
sub pick
{
    return $_[ int(rand(@_)) ];
}

# The checksum of PostgreSQL, and of our pages.
my @crc_table = map {
    my $c = $_;
    $c = $c & 1 ? ($c >> 1) ^ 0x82F63B78 : $c >> 1 for 1 .. 8;
    $c;
} 0 .. 255;

sub crc32c
{
    my ($bytes) = @_;
    my $crc = 0xFFFFFFFF;
    $crc = $crc_table[ ($crc ^ $_) & 0xFF ] ^ ($crc >> 8) foreach unpack 'C*', $bytes;
    return $crc ^ 0xFFFFFFFF;
}

# Kills the postmaster and every process of it, none of which gets to clean up.
sub kill_server
{
    my ($node) = @_;
    my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
    # It starts no new ones while its children are being counted.
    kill 'STOP', $postmaster;
    my @children;
    foreach my $file (glob '/proc/[0-9]*/stat')
    {
        open my $stat, '<', $file or next;
        my $line = <$stat>;
        push @children, $1 if defined $line && $line =~ /^(\d+) \(.*\) \S (\d+) / && $2 == $postmaster;
    }
    # First the children: they do not even get to see that the postmaster is gone.
    kill 'KILL', @children;
    $node->kill9;
    # The next postmaster refuses to start as long as one of them lives.
    foreach my $pid ($postmaster, @children)
    {
        for (my $i = 0; $i < 1000 && is_running($pid); $i++) { sleep 0.01 }
    }
    # In a container nobody may reap orphans: a zombie still owns its process id, and so the lock files.
    unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock'
      if kill 0, $postmaster;
    return;
}

sub is_running
{
    my ($pid) = @_;
    open my $stat, '<', "/proc/$pid/stat" or return 0;
    my $line = <$stat>;
    return defined $line && $line !~ /\) Z /;
}

# Writes a pgbench script and returns its name.
my $scripts;
my $script_count = 0;

sub scripted
{
    my ($text) = @_;
    $scripts ||= PostgreSQL::Test::Utils::tempdir;
    my $file = "$scripts/" . $script_count++ . '.sql';
    append_to_file($file, $text);
    return $file;
}

# Weighted scripts for start_load that change a table t (id, k, a) all over: keys come, move and go, VACUUM with these
# options follows them, and leaves of the index t_k go into segments.
sub writers
{
    my ($vacuum) = @_;
    return (
        6 => 'INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 20);',
        6 => <<'END',
\set k random(0, 1000000)
UPDATE t SET k = (random() * 1e6)::int8 WHERE id = (SELECT id FROM t WHERE k >= :k ORDER BY k LIMIT 1);
END
        3 => <<'END',
\set k random(0, 1000000)
DELETE FROM t WHERE id IN (SELECT id FROM t WHERE k BETWEEN :k AND :k + 20000 FOR UPDATE SKIP LOCKED);
END
        1 => "VACUUM ($vacuum) t;",
        movers(t_k => 1000000));
}

# Starts pgbench in the background: `clients`, `seconds`, perhaps a `rate` of transactions a second and a
# `mode` of queries; `scripts` are pairs of weight and text, `settings` are those of its sessions; in `database`.
sub start_load
{
    my ($node, %load) = @_;
    my @pairs = @{ $load{scripts} };
    my @files;
    while (my ($weight, $text) = splice @pairs, 0, 2) { push @files, '-f', scripted($text) . "\@$weight" }
    my $output = '';
    my $settings = $load{settings} || {};
    local $ENV{PGOPTIONS} = join ' ', map { "-c $_=$settings->{$_}" } sort keys %$settings;
    my $handle = IPC::Run::start(
        [
            'pgbench', '-n', '-M', $load{mode} || 'prepared', '-h', $node->host, '-p', $node->port, '-c', $load{clients},
            '-j', 2, '-T', $load{seconds}, '--random-seed', int(rand(2**31)), '--max-tries', 20, '--failures-detailed',
            ($load{rate} ? ('-R', $load{rate}) : ()),
            @files, $load{database} || 'postgres'
        ],
        '<', \undef, '>', \$output, '2>&1');
    return { handle => $handle, output => \$output };
}

# Waits for the end of it.  A load that ended early is a failure, and so is an error that it met, except that after a
# crash (`crashed`) it has lost its server, and that it may meet what `tolerate` describes.  Returns what pgbench said.
sub finish_load
{
    my ($load, $name, %options) = @_;
    my $finished = IPC::Run::finish($load->{handle});
    my $output = ${ $load->{output} };
    my $tolerate = $options{tolerate};
    my @tolerated = grep { $tolerate && /$tolerate/ } split /\n/, $output;
    my @complaints = grep { /ERROR|PANIC|WRONG/ && !($tolerate && /$tolerate/) } split /\n/, $output;
    ok(($finished || $options{crashed} || @tolerated) && !@complaints, $name) or diag($output);
    return $output;
}

# Every index is sound and agrees with its table.
sub check_all
{
    my ($node, $name) = @_;
    my ($status, $output, $errors) = $node->psql('postgres', 'SELECT check_all()');
    return ok($status == 0 && $output > 0, "$name: omendb_check of every index") || diag($errors);
}

# No process of the server died but by our hand, and nobody met a page that is damaged.
#
# In an assert-enabled server that includes what a transaction left pinned or locked.
sub no_crash
{
    my ($node, $name, $pattern) = @_;
    $pattern ||= qr/PANIC|TRAP:|was terminated by signal (?!9\b)|corrupted page|does not agree with|leak/;
    my @lines = grep { /$pattern/ } split /\n/, slurp_file($node->logfile);
    return ok(!@lines, "$name: nothing of the kind in the server's log")
      || diag(join "\n", @lines[ 0 .. min(9, $#lines) ]);
}

sub min { return $_[0] < $_[1] ? $_[0] : $_[1] }

# The query is answered alike by every kind of scan.
sub one_answer
{
    my ($node, $query, $name, $ways, $ordered) = @_;
    $ways ||= '{index,only,bitmap,batched,batched_only}';
    $ordered = $ordered ? 'true' : 'false';
    my ($status, $output, $errors) =
      $node->psql('postgres', "SELECT compare(\$q\$$query\$q\$, '$ways', $ordered)");
    return like($output, qr/^same, \d+ rows$/, $name) || diag("$query\n$errors");
}

1;
