# Cancelled, or out of disk, in the middle of a build, of inserts or of VACUUM: the server lives, the table is as it
# was, the index sound and usable.
#
# The disk ends where a limit on the size of a file (ulimit -f) says: the same "could not extend" as a full disk,
# without root. The index is made larger than its table, so that it is the one to reach it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Small segments of WAL and a log that stays small, because the limit holds for every file of the server.
my $node = new_node('limits', extra => ['--wal-segsize=1'], conf => <<'END');
autovacuum = off
max_wal_size = 512MB
log_min_messages = log
log_min_error_statement = panic
END

# The statement's error, '' if it has none, or 'crash'.
sub error_of
{
    my ($statements) = @_;
    my ($status, $output, $errors) = $node->psql('postgres', $statements, on_error_stop => 0);
    return 'crash' if $status == 2 || $errors =~ /server closed the connection/;
    return $errors =~ /(?:ERROR|FATAL): +(.*)/ ? $1 : '';
}

sub usable
{
    my ($name) = @_;
    check_all($node, $name);
    one_answer($node, 'SELECT k FROM t WHERE k >= 0', "$name: all", '{index,bitmap}');
    return;
}

# ---- Cancelled ----

my $cancelled = qr/^(canceling statement due to statement timeout)?$/;

$node->safe_psql('postgres', <<'END');
CREATE TABLE t AS SELECT n AS id, spread(n) AS k FROM generate_series(1, 300000) AS n;
CREATE INDEX t_id ON t USING omendb (id);
CREATE INDEX t_k ON t USING omendb (k);
END

my %outcomes;

foreach my $work_mem ('1MB', '64MB')
{
    foreach my $method ('', 'CONCURRENTLY')
    {
        foreach my $after (1, 5, 20, 50, 100, 150)
        {
            my $error = error_of(<<"END");
SET maintenance_work_mem = '$work_mem';
SET statement_timeout = '${after}ms';
CREATE INDEX $method cancelled ON t USING omendb (k, id) INCLUDE (id);
END
            $outcomes{build}{$error}++;
            like($error, $cancelled, "CREATE INDEX $method, $work_mem, $after ms");
            $node->safe_psql('postgres', 'DROP INDEX IF EXISTS cancelled');
        }
    }
}
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_class WHERE relname LIKE 'cancelled%')),
    0, 'no index is left');
usable('after cancelled builds');

foreach my $after (2, 20, 50, 100, 200, 400)
{
    my $error = error_of(<<"END");
SET statement_timeout = '${after}ms';
INSERT INTO t SELECT n, spread(n) FROM generate_series(300001, 400000) AS n;
END
    $outcomes{insert}{$error}++;
    like($error, $cancelled, "INSERT, $after ms");
    $node->safe_psql('postgres', 'DELETE FROM t WHERE id > 300000');
    is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), 300000, 'the table is as it was');
    # The rows are dead, and VACUUM is cancelled, too, while it takes them and their pages away.
    $error = error_of(<<"END");
SET statement_timeout = '${after}ms';
SET vacuum_cost_delay = 1;
SET vacuum_cost_limit = 500;
VACUUM (INDEX_CLEANUP ON) t;
END
    $outcomes{vacuum}{$error}++;
    like($error, $cancelled, "VACUUM, $after ms");
    check_all($node, "after INSERT and VACUUM cut off after $after ms");
}
$node->safe_psql('postgres', 'VACUUM t');
usable('after cancelled inserts');
foreach my $what (sort keys %outcomes)
{
    note("$what: " . join ', ', map { "$outcomes{$what}{$_} " . ($_ || 'done') } sort keys %{ $outcomes{$what} });
    ok($outcomes{$what}{'canceling statement due to statement timeout'}, "$what: some were cancelled");
}

# ---- Out of disk ----

$node->safe_psql('postgres', 'DROP TABLE t');
$node->stop;
# 8 MB, in units of 1024 bytes.
{
    local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
    system_or_bail('bash', '-c', 'ulimit -f 8192 && exec "$@"',
        'bash', 'pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, 'start');
    $node->_update_pid(1);
}
$node->safe_psql('postgres', <<'END');
CREATE TABLE t (id int4, k int8);
INSERT INTO t SELECT n, spread(n) FROM generate_series(1, 60000) AS n;
END
my $full = qr/could not (extend|write)/;
foreach my $work_mem ('1MB', '64MB')
{
    my $error = error_of(<<"END");
SET maintenance_work_mem = '$work_mem';
CREATE INDEX big ON t USING omendb (k, id) INCLUDE (id) WITH (fillfactor = 10);
END
    like($error, $full, "CREATE INDEX, $work_mem, out of disk");
    is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), 60000, 'the table is as it was');
}
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_class WHERE relname = 'big')), 0, 'no index is left');

# Inserts in small transactions until there is no room; then in one large one.
$node->safe_psql('postgres', <<'END');
TRUNCATE t;
ALTER TABLE t ADD a int8, ADD b int8;
CREATE INDEX t_id ON t USING omendb (id);
CREATE INDEX t_wide ON t USING omendb (k, a, b) INCLUDE (a, b, a, b, k, a, b, k, a, b);
END
my $insert = 'INSERT INTO t SELECT n, spread(n), hashint8extended(n, 1), hashint8extended(n, 2) '
  . 'FROM generate_series(%d, %d) AS n';
my $rows = 0;
my $error = '';
while ($rows < 200000 && !$error)
{
    $error = error_of(sprintf $insert, $rows + 1, $rows + 2000);
    $rows += 2000 unless $error;
}
note("$rows rows, then: $error");
like($error, $full, 'INSERT out of disk');
my $file = $node->safe_psql('postgres', q(SELECT pg_relation_filepath('t_wide')));
like($error, qr/could not extend file "$file"/, 'it is the index that found no room');
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), $rows, 'what was committed is there');
check_all($node, 'after inserts out of disk');
# More of the same, at other places of the tree.
foreach my $n (1 .. 10)
{
    like(error_of(sprintf $insert, 10**6 * $n, 10**6 * $n + 2000), qr/^$|$full/, 'more of it');
}
check_all($node, 'after more of it');
one_answer($node, 'SELECT k FROM t WHERE k >= 0', 'after more of it', '{index,bitmap}');
# Room again: what the failed inserts left behind is used.
$node->safe_psql('postgres', <<'END');
DELETE FROM t WHERE id % 4 <> 0;
VACUUM t;
INSERT INTO t SELECT n, spread(n), 1, 2 FROM generate_series(5000001, 5001000) AS n;
END
usable('after VACUUM');

# The limit is in place for other files, too, and goes with the server.
$node->stop;
$node->start;
$node->safe_psql('postgres', sprintf $insert, 10**8, 10**8 + 20000);
usable('with room again');

no_crash($node, 'limits');
$node->stop;
done_testing();
