# Without the library omendb_cold, or with one that is not the right one, on a server of its own: what needs leaves in
# segments says what to install, and all else goes on: hot ranges, recovery, DROP, TRUNCATE and REINDEX. A session in
# which it was missing finds it once it is there.
use strict;
use warnings;
use File::Path qw(make_path);
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestPoints;
use Time::HiRes qw(sleep time);

# ---- A server whose library can be moved away ----

# PostgreSQL finds its directories relative to its program: this is a copy, and what else there is are links to files.
my %dir = map { my $dir = `pg_config --$_`; chomp $dir; ($_ => $dir) } 'bindir', 'pkglibdir', 'sharedir';
my @common = split m{/}, $dir{bindir};
pop @common while grep { index("$_/", join('/', @common) . '/') != 0 } values %dir;
my $old = join '/', @common;
my $new = PostgreSQL::Test::Utils::tempdir;
foreach my $path (values %dir)
{
    my $to = $path =~ s/^\Q$old\E/$new/r;
    make_path($to);
    foreach my $file (glob "$path/*")
    {
        my $name = $file =~ s{.*/}{}r;
        if ($path eq $dir{bindir}) { system_or_bail('cp', '-L', $file, "$to/$name") }
        else { symlink $file, "$to/$name" or die "$to/$name: $!" }
    }
}
my ($bin, $library) = map { s/^\Q$old\E/$new/r } $dir{bindir}, "$dir{pkglibdir}/omendb_cold.so";

my $node = PostgreSQL::Test::Cluster->new('library', install_path => $bin =~ s{/bin$}{}r);
$node->init;
$node->append_conf('postgresql.conf', <<'END');
max_connections = 40
session_preload_libraries = 'omendb'
autovacuum = off
jit = off
max_parallel_workers_per_gather = 0
END
$node->start;
prepare($node);
is($node->safe_psql('postgres', q(SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR')),
    $library =~ s{/omendb_cold.so$}{}r, 'the server has libraries of its own');
$node->append_conf('postgresql.conf', 'omendb.test_page_entries = 100') if test_points($node);
$node->reload;

# Rows up to 5000 are on leaves in segments, but for those of the index `hot`.
sub furnish
{
    $node->safe_psql('postgres', <<'END');
DROP TABLE IF EXISTS t, other;
CREATE TABLE t (k int8, v int4, t text COLLATE "C");
INSERT INTO t SELECT n, hashint4(n), md5(n::text) FROM generate_series(1, 10000) AS n;
CREATE UNIQUE INDEX cold ON t USING omendb (k) INCLUDE (v) WITH (fillfactor = 10, cold_compression = zstd);
CREATE INDEX hot ON t USING omendb (t) WITH (fillfactor = 10);
CREATE TABLE other AS SELECT n AS k FROM generate_series(1, 9000, 300) AS n;
VACUUM ANALYZE t, other;
SELECT omendb_offload('cold', '5000');
CHECKPOINT;
END
    my $cold = $node->safe_psql('postgres', q(SELECT cold_leaves > 10 AND leaf_pages > 10 FROM omendb_stat_index('cold')));
    is($cold, 't', 'part of the index is cold');
    return;
}

sub put_away { rename $library, "$library.away" or die "$library: $!"; return }
sub put_back { rename "$library.away", $library or die "$library: $!"; return }

my $missing = qr/ERROR:  0A000: cold pages of omendb indexes need the library omendb_cold, which is not installed/;

# A statement fails for want of the library, and says what to do.
sub needs_library
{
    my ($statement, $error, $detail) = @_;
    $error ||= $missing;
    $detail ||= qr/DETAIL:  There is no file "\Q$library\E"/;
    my ($status, $output, $errors) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statement");
    ok($status != 0 && $errors =~ $error && $errors =~ $detail
          && $errors =~ /HINT:  .*[Bb]uild and install omendb again/,
        "it is needed: $statement") or diag($status, $errors);
    return;
}

# A statement works, and what it says is this.
sub works
{
    my ($statement, $expected) = @_;
    my ($status, $output, $errors) = $node->psql('postgres', $statement);
    is("$output$errors", $expected, "it works: $statement");
    return;
}

my $by_index = join ' ', map { "SET enable_$_ = off;" } 'seqscan', 'bitmapscan', 'hashjoin', 'mergejoin';
# Of rows that are not on leaves in segments.
sub hot_rows
{
    my ($from, $to) = @_;
    my $values = "SELECT sum(hashint4(n)) FROM generate_series($from, $to) AS n";
    return "$by_index SELECT count(*), sum(v) = ($values) FROM t WHERE k BETWEEN $from AND $to;";
}

# ---- It is not there ----

furnish();
put_away();
needs_library($_)
  foreach q(SELECT omendb_offload('cold', '6000');), q(SELECT omendb_offload('hot', '8');),
  q(SELECT omendb_offload('hot');), q(SELECT omendb_recall('cold');), q(SELECT omendb_check('cold');), q(SELECT omendb_check('cold', true);),
  "$by_index SELECT v FROM t WHERE k = 17;", "$by_index SELECT * FROM t WHERE k BETWEEN 100 AND 200;",
  "$by_index SELECT k FROM t WHERE k BETWEEN 4000 AND 6000 ORDER BY k;",
  "$by_index SELECT k FROM t WHERE k > 4000 ORDER BY k DESC;",
  "SET enable_seqscan = off; SET enable_indexscan = off; SELECT * FROM t WHERE k BETWEEN 100 AND 200;",
  'SELECT sum(v) FROM t WHERE k BETWEEN 10 AND 2000;',
  "$by_index SELECT t.v FROM other JOIN t ON t.k = other.k;",
  'INSERT INTO t VALUES (17, 0, NULL);', 'INSERT INTO t VALUES (-17, 0, NULL);',
  'INSERT INTO t VALUES (17, 0, NULL) ON CONFLICT DO NOTHING;',
  'UPDATE t SET k = -1 WHERE k = 9000;';
works(hot_rows(6000, 7000), '1001|t');
works(q(SELECT compare('SELECT k, v FROM t WHERE k BETWEEN 6000 AND 9000'), compare('SELECT t FROM t WHERE t < ''7''')),
    'same, 3001 rows|same, ' . $node->safe_psql('postgres', q(SELECT count(*) FROM t WHERE t < '7')) . ' rows');
works('SELECT count(*) FROM t', 10000);
works('INSERT INTO t SELECT n, hashint4(n), md5(n::text) FROM generate_series(10001, 10500) AS n', '');
works('INSERT INTO t VALUES (9000, 1, NULL) ON CONFLICT (k) DO UPDATE SET v = -1 RETURNING v', -1);
works('UPDATE t SET v = -2 WHERE k = 9001 RETURNING v', -2);
works('DELETE FROM t WHERE k > 9990 AND k < 10100', '');
# Rows that nobody looks for in the index can be deleted; the leaves with them are read when they are taken away.
works('VACUUM (INDEX_CLEANUP ON) t', '');
works("SET enable_indexscan = off; SET enable_bitmapscan = off; DELETE FROM t WHERE k IN (18, 19)", '');
needs_library('VACUUM (INDEX_CLEANUP ON) t;');
works('VACUUM (INDEX_CLEANUP OFF) t', '');
works(q(SELECT entries > 5000, segments FROM omendb_stat_index('cold')), 't|1');
works(q(SELECT omendb_check('hot', true)), '');
# Nothing has changed in either.
put_back();
check_all($node, 'with it again');
works('VACUUM (INDEX_CLEANUP ON) t', '');
check_all($node, 'with it again, after VACUUM');
one_answer($node, 'SELECT k, v FROM t WHERE k > -100', 'with it again', '{index,only,bitmap,batched,batched_only}');

# ---- In one session ----

put_away();
my $marker = "$library.wait";
my $waiting = start_psql($node, <<"END");
$by_index
SELECT v = hashint4(1025) FROM t WHERE k = 1025;
\\! touch '$marker'; while [ -e '$marker' ]; do sleep 0.05; done
SELECT v = hashint4(1025) FROM t WHERE k = 1025;
\\! touch '$marker'; while [ -e '$marker' ]; do sleep 0.05; done
SELECT v = hashint4(4000) FROM t WHERE k = 4000;
END
foreach my $step (\&put_back, \&put_away)
{
    for (my $end = time + 60; time < $end && !-e $marker; sleep 0.05) { }
    $step->();
    unlink $marker;
}
like(finish_psql($waiting), qr/ERROR:  cold pages .*\n(.*\n)*t\nt\n\z/,
    'a session finds it when it comes, and keeps it when it goes');
put_back();

# ---- It is something else ----

put_away();
append_to_file($library, 'no library');
my $unloadable = qr/ERROR:  0A000: cold pages of omendb indexes need the library omendb_cold, which could not be loaded/;
my $query = "$by_index SELECT v FROM t WHERE k = 1017;";
needs_library($query, $unloadable, qr/DETAIL:  could not load library/);
needs_library(q(SELECT omendb_offload('cold', '6000');), $unloadable, qr/DETAIL:  could not load library/);
unlink $library;
# Of PostgreSQL, but another.
symlink "$dir{pkglibdir}/dict_snowball.so", $library or die $!;
needs_library($query, $unloadable, qr/DETAIL:  could not find function "omendb_cold_api"/);
unlink $library;
# Of another version.
symlink build_module('other_cold'), $library or die $!;
needs_library($query, qr/ERROR:  0A000: omendb_cold is not of this version of omendb/,
    qr/DETAIL:  Its interface has version 4711/);
unlink $library;
put_back();
works("$by_index SELECT v = hashint4(1017) FROM t WHERE k = 1017;", 't');

# ---- Recovery, and what gets rid of the index ----

# What was offloaded since the checkpoint is made again from the WAL.
furnish();
$node->safe_psql('postgres', <<'END');
SELECT omendb_offload('cold', '8000');
SELECT omendb_offload('hot', 'a');
INSERT INTO t VALUES (-5, 5, NULL);
END
kill_server($node);
put_away();
$node->start;
needs_library("$by_index SELECT v FROM t WHERE k = 1017;");
works(hot_rows(8500, 9000), '501|t');
works('REINDEX INDEX hot', '');
works('REINDEX INDEX CONCURRENTLY cold', '');
check_all($node, 'after REINDEX');
works("$by_index SELECT count(*) FROM t WHERE k = 1017", 1);
$node->stop('immediate');
put_back();
$node->start;
check_all($node, 'with it again');
foreach my $statement (
    'REINDEX TABLE t', 'TRUNCATE t', 'VACUUM FULL t', 'DROP INDEX cold', 'ALTER TABLE t ALTER k TYPE int4',
    'CLUSTER t USING hot', 'DROP TABLE t CASCADE')
{
    furnish();
    put_away();
    works("SET client_min_messages = warning; SET enable_indexscan = off; $statement", '');
    check_all($node, $statement) unless $statement =~ /TABLE t C/;
    put_back();
}

no_crash($node, 'library');
done_testing();
