# Indexes that move, or are made again from what the catalogs say of them: pg_upgrade by copy and by link, pg_dump and
# pg_restore, CREATE DATABASE from a template by both strategies, ALTER DATABASE and ALTER INDEX SET TABLESPACE, and
# DROP EXTENSION with what depends on it; each with a second database of the cluster at work in the meantime.
use strict;
use warnings;
use Cwd qw(getcwd);
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $count = 9;    # of the indexes that `furnish` makes
my %questions = (
    'SELECT k FROM t WHERE k BETWEEN -1000000000000000000 AND 2000000000000000000' => '{index,only,bitmap,batched,batched_only}',
    'SELECT a, k FROM t WHERE a BETWEEN 100 AND 500' => '{index,only,bitmap,batched,batched_only}',
    'SELECT u FROM t WHERE u > 3.5' => '{index,only,bitmap,batched,batched_only}',
    'SELECT a FROM parted WHERE a < 1500' => '{index,only,bitmap,batched,batched_only}');

# Indexes of many kinds. Splits, deletions and VACUUM leave pages of all kinds behind.
sub furnish
{
    my ($node, $database) = @_;
    $node->safe_psql($database, <<'END');
CREATE TABLE t (k int8, a int4, u float8, d date, name text);
INSERT INTO t SELECT spread(n), n, n / 7.0, '2020-01-01'::date + n % 1000, n FROM generate_series(1, 2000) AS n;
CREATE INDEX t_k ON t USING omendb (k) WITH (fillfactor = 60);
CREATE INDEX t_ak ON t USING omendb (a DESC NULLS LAST, k) INCLUDE (u);
CREATE INDEX t_u ON t USING omendb (u NULLS FIRST);
CREATE INDEX t_partial ON t USING omendb (d) WHERE a % 2 = 0;
CREATE INDEX t_expression ON t USING omendb ((a % 100), (k::float8));
CREATE UNLOGGED TABLE unlogged AS SELECT n AS k FROM generate_series(1, 100) AS n;
CREATE INDEX unlogged_k ON unlogged USING omendb (k);
CREATE TABLE parted (a int4) PARTITION BY RANGE (a);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (1000) TO (2000);
CREATE INDEX parted_a ON parted USING omendb (a);
INSERT INTO parted SELECT n % 2000 FROM generate_series(1, 3000) AS n;
CREATE MATERIALIZED VIEW m AS SELECT k % 50 AS k FROM t;
CREATE INDEX m_k ON m USING omendb (k);
INSERT INTO t SELECT spread(n), n, n / 7.0, '2020-01-01'::date + n % 1000, n FROM generate_series(2001, 2400) AS n;
DELETE FROM t WHERE a BETWEEN 800 AND 1400 OR k > 5000000000000000000;
VACUUM t;
INSERT INTO t SELECT spread(n), n, NULL, NULL, n FROM generate_series(2401, 2500) AS n;
END
    return;
}

# Every index is there, sound, and answers; and can be written to.
sub at_home
{
    my ($node, $database, $name) = @_;
    my ($status, $output, $errors) = $node->psql($database, 'SELECT check_all()');
    is($output, $count, "$name: omendb_check of every index") or diag($errors);
    foreach my $turn ('as it came', 'after writing')
    {
        foreach my $query (sort keys %questions)
        {
            like(
                $node->safe_psql($database, "SELECT compare('$query', '$questions{$query}')"),
                qr/^same, [1-9]\d* rows$/,
                "$name, $turn: $query");
        }
        last if $turn eq 'after writing';
        ($status, $output, $errors) = $node->psql($database, <<'END');
UPDATE t SET k = spread(a + 7), a = a + 1 WHERE a % 5 = 0;
DELETE FROM t WHERE a % 11 = 0;
VACUUM t;
INSERT INTO t SELECT spread(n), n, n / 7.0, '2020-01-01'::date + n % 1000, n FROM generate_series(2501, 2900) AS n;
INSERT INTO parted SELECT n % 2000 FROM generate_series(1, 500) AS n;
REFRESH MATERIALIZED VIEW m;
SELECT check_all();
END
        is($output, $count, "$name: written to") or diag($errors);
    }
    return;
}

my $small = <<'END';
omendb.test_page_entries = 200
omendb.test_delta_entries = 8
END
my $node = new_node('old', conf => $small);
furnish($node, 'postgres');
$node->safe_psql('postgres', 'CREATE DATABASE second');
prepare($node, 'second');
furnish($node, 'second');
at_home($node, 'second', 'second database');

# ---- Both databases at work ----

# In the second one VACUUM, REINDEX and inserts go on while the first one is dumped, copied and moved.
my $load = start_load(
    $node,
    database => 'second',
    clients => 2,
    rate => 100,
    seconds => 600,
    scripts => [
        4 => 'INSERT INTO t SELECT spread((random() * 1e6)::int4), random() * 3e3, random(), NULL, 1;',
        2 => 'DELETE FROM t WHERE a = (random() * 3e3)::int4;',
        1 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t;',
        1 => 'REINDEX INDEX t_u;',
        1 => <<'END'
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT must_be_same('SELECT k FROM t WHERE k > 0');
COMMIT;
END
    ]);

# ---- pg_dump and pg_restore ----

my $dump = PostgreSQL::Test::Utils::tempdir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $dump ], 'pg_restore');
# pg_dump does not dump ALTER DATABASE SET.
$node->safe_psql('postgres', 'ALTER DATABASE restored SET search_path = omendb_test, public');
my $definitions = <<'END';
SELECT pg_get_indexdef(c.oid) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
WHERE a.amname = 'omendb' ORDER BY 1
END
is($node->safe_psql('restored', $definitions), $node->safe_psql('postgres', $definitions), 'the same definitions');
at_home($node, 'restored', 'restored');

# ---- CREATE DATABASE from a template ----

foreach my $strategy ('wal_log', 'file_copy')
{
    $node->safe_psql('postgres', "CREATE DATABASE copy_$strategy TEMPLATE restored STRATEGY $strategy");
    $node->safe_psql('postgres', "ALTER DATABASE copy_$strategy SET search_path = omendb_test, public");
}
# Recovery makes both again: of the one the pages, of the other the files.
kill_server($node);
finish_load($load, 'the second database', crashed => 1);
$node->start;
# The unlogged tables are empty after the crash, and their indexes sound.
at_home($node, $_, $_) foreach 'copy_wal_log', 'copy_file_copy', 'second';

# ---- Tablespaces ----

my $space = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$space'");
$node->safe_psql('postgres', <<'END');
ALTER INDEX t_k SET TABLESPACE elsewhere;
ALTER INDEX t_ak SET TABLESPACE elsewhere;
ALTER INDEX unlogged_k SET TABLESPACE elsewhere;
REINDEX (TABLESPACE elsewhere) INDEX t_u;
CREATE INDEX there ON t USING omendb (a) TABLESPACE elsewhere;
DROP INDEX there;
END
at_home($node, 'postgres', 'ALTER INDEX SET TABLESPACE');
$node->safe_psql('postgres', 'ALTER INDEX t_k SET TABLESPACE pg_default');
$node->stop('immediate');
$node->start;
at_home($node, 'postgres', 'ALTER INDEX SET TABLESPACE, after a crash');
$node->safe_psql('postgres', 'ALTER DATABASE copy_wal_log SET TABLESPACE elsewhere');
at_home($node, 'copy_wal_log', 'ALTER DATABASE SET TABLESPACE');

# ---- DROP EXTENSION ----

my ($status, $output, $errors) = $node->psql('copy_wal_log', 'DROP EXTENSION omendb');
like($errors, qr/index t_k depends on operator class/, 'DROP EXTENSION names what depends on it');
$node->safe_psql('copy_wal_log', <<'END');
SET client_min_messages = warning;
BEGIN;
DROP EXTENSION omendb CASCADE;
ROLLBACK;
END
at_home($node, 'copy_wal_log', 'DROP EXTENSION, rolled back');
my $drop = 'SET client_min_messages = warning; DROP EXTENSION omendb CASCADE;';
$node->safe_psql('copy_wal_log', $drop);
is($node->safe_psql('copy_wal_log', <<'END'), '0|0', 'DROP EXTENSION takes the indexes along');
SELECT (SELECT count(*) FROM pg_am WHERE amname = 'omendb'),
  (SELECT count(*) FROM pg_class WHERE relkind IN ('i', 'I') AND relnamespace = 'omendb_test'::regnamespace);
END
is($node->safe_psql('copy_wal_log', 'SELECT count(*) > 500 FROM t WHERE k IS NOT NULL'), 't', 'and not the tables');
# In a session that has the library, and others' indexes, in use.
$node->safe_psql('copy_wal_log', <<'END');
SET client_min_messages = warning;
CREATE EXTENSION omendb;
CREATE INDEX t_k ON t USING omendb (k);
SELECT count(k) FROM t WHERE k > 0;
DROP EXTENSION omendb CASCADE;
CREATE EXTENSION omendb;
CREATE INDEX t_k ON t USING omendb (k) WITH (fillfactor = 60);
CREATE INDEX t_ak ON t USING omendb (a DESC NULLS LAST, k) INCLUDE (u);
CREATE INDEX t_u ON t USING omendb (u NULLS FIRST);
CREATE INDEX t_partial ON t USING omendb (d) WHERE a % 2 = 0;
CREATE INDEX t_expression ON t USING omendb ((a % 100), (k::float8));
CREATE INDEX unlogged_k ON unlogged USING omendb (k);
CREATE INDEX parted_a ON parted USING omendb (a);
CREATE INDEX m_k ON m USING omendb (k);
END
at_home($node, 'copy_wal_log', 'made again');

# ---- pg_upgrade ----

# Not every PostgreSQL allows a tablespace here: within one major version its directory would be the same.
$node->safe_psql('postgres', <<'END');
ALTER DATABASE copy_wal_log SET TABLESPACE pg_default;
ALTER INDEX t_ak SET TABLESPACE pg_default;
ALTER INDEX t_u SET TABLESPACE pg_default;
ALTER INDEX unlogged_k SET TABLESPACE pg_default;
DROP TABLESPACE elsewhere;
DROP DATABASE restored;
DROP DATABASE copy_file_copy;
END
my @databases = ('postgres', 'second', 'copy_wal_log');
my $sizes = <<'END';
SELECT c.relname, pg_relation_size(c.oid) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
WHERE a.amname = 'omendb' AND c.relkind = 'i' ORDER BY 1
END
my %sizes = map { $_ => $node->safe_psql($_, $sizes) } @databases;
$node->stop;
my $bin = $node->config_data('--bindir');
# By copy first: the old cluster stays as it is, for the second time.
foreach my $mode ('copy', 'link')
{
    my $new = PostgreSQL::Test::Cluster->new("upgraded_by_$mode");
    $new->init;
    $new->append_conf('postgresql.conf', "max_connections = 40\njit = off\n$small");
    my $directory = PostgreSQL::Test::Utils::tempdir;
    my $back = getcwd();
    chdir $directory or die;
    $node->command_ok(
        [
            'pg_upgrade', '--no-sync', ($mode eq 'link' ? ('--link') : ()), '--socketdir', $directory,
            '--old-bindir', $bin, '--old-datadir', $node->data_dir, '--old-port', $node->port,
            '--new-bindir', $bin, '--new-datadir', $new->data_dir, '--new-port', $new->port
        ],
        "pg_upgrade by $mode");
    chdir $back or die;
    $new->start;
    foreach my $database (@databases)
    {
        my $name = "pg_upgrade by $mode, $database";
        is($new->safe_psql($database, $sizes), $sizes{$database}, "$name: the files are the same");
        at_home($new, $database, $name);
    }
    no_crash($new, "pg_upgrade by $mode");
    $new->stop;
}

no_crash($node, 'old');
done_testing();
