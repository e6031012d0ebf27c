# Tables that are not in the WAL, or not all of whose WAL is written: unlogged, temporary, and filled in the transaction
# that created them under wal_level = minimal; over clean restarts and crashes.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestPoints;

my $node = new_node('unlogged', conf => <<'END');
wal_level = minimal
max_wal_senders = 0
autovacuum = off
restart_after_crash = on
# In the test build.
omendb.test_page_entries = 200
omendb.test_delta_entries = 8
END

# ---- Unlogged ----

$node->safe_psql('postgres', <<'END');
CREATE UNLOGGED TABLE u (k int8, a int4);
CREATE INDEX u_before ON u USING omendb (k);
INSERT INTO u SELECT spread(n), n FROM generate_series(1, 20000) AS n;
CREATE INDEX u_after ON u USING omendb (k, a) INCLUDE (a) WITH (fillfactor = 50);
DELETE FROM u WHERE a % 3 = 0;
VACUUM u;
INSERT INTO u SELECT spread(n), n FROM generate_series(20001, 21000) AS n;
CREATE UNLOGGED TABLE made_logged AS SELECT spread(n) AS k FROM generate_series(1, 5000) AS n;
CREATE INDEX made_logged_k ON made_logged USING omendb (k);
ALTER TABLE made_logged SET LOGGED;
CREATE TABLE made_unlogged AS SELECT spread(n) AS k FROM generate_series(1, 5000) AS n;
CREATE INDEX made_unlogged_k ON made_unlogged USING omendb (k);
ALTER TABLE made_unlogged SET UNLOGGED;
END
check_all($node, 'unlogged');
one_answer($node, 'SELECT k, a FROM u WHERE k > 0', 'unlogged', '{index,only,batched,batched_only}');

$node->restart;
is($node->safe_psql('postgres', 'SELECT count(*) FROM u'), 20000 - 6666 + 1000, 'a clean restart keeps the rows');
check_all($node, 'unlogged, after a clean restart');
one_answer($node, 'SELECT k, a FROM u WHERE k > 0', 'unlogged, after a clean restart', '{index,only,batched,batched_only}');

foreach my $how ('immediate shutdown', 'SIGKILL')
{
    $node->safe_psql('postgres', 'INSERT INTO u SELECT spread(n), n FROM generate_series(1, 5000) AS n; CHECKPOINT');
    if ($how eq 'SIGKILL') { kill_server($node) }
    else { $node->stop('immediate') }
    $node->start;
    is($node->safe_psql('postgres', <<'END'), "0\n0", "$how leaves unlogged tables empty, by index, too");
SELECT count(*) FROM u;
SET enable_seqscan = off;
SELECT count(k) FROM u WHERE k IS NOT NULL;
END
    check_all($node, "unlogged, empty after $how");
    one_answer($node, 'SELECT k FROM u WHERE k IS NOT NULL', "unlogged, empty after $how");
    $node->safe_psql('postgres', 'INSERT INTO u SELECT spread(n), n FROM generate_series(1, 5000) AS n; VACUUM u');
    check_all($node, "unlogged, filled again after $how");
    one_answer($node, 'SELECT k FROM u WHERE k BETWEEN 0 AND 5000000000000000000', "unlogged, filled again after $how");
    is($node->safe_psql('postgres', 'SELECT count(*) FROM made_logged'), 5000, "SET LOGGED survives $how");
    is($node->safe_psql('postgres', 'SELECT count(*) FROM made_unlogged'), 0, "SET UNLOGGED does not survive $how");
    one_answer($node, 'SELECT k FROM made_logged WHERE k > 0', "SET LOGGED, after $how");
}

# ---- Temporary ----

my $temp = <<'END';
CREATE TEMP TABLE temp (k int8, a int4) ON COMMIT PRESERVE ROWS;
CREATE INDEX temp_k ON temp USING omendb (k) INCLUDE (a);
CREATE INDEX temp_a ON temp USING omendb (a, k);
INSERT INTO temp SELECT spread(n), n FROM generate_series(1, 20000) AS n;
UPDATE temp SET k = k + 1 WHERE a % 7 = 0;
DELETE FROM temp WHERE a BETWEEN 5000 AND 15000;
VACUUM temp;
INSERT INTO temp SELECT spread(n), n FROM generate_series(5000, 12000) AS n;
SELECT omendb_check('temp_k', true), omendb_check('temp_a', true);
SELECT compare('SELECT k, a FROM temp WHERE k > 0', '{index,only,batched,batched_only}'), compare('SELECT a FROM temp WHERE a > 7000');
BEGIN;
SAVEPOINT s;
INSERT INTO temp SELECT spread(n), n FROM generate_series(30000, 32000) AS n;
ROLLBACK TO s;
INSERT INTO temp SELECT spread(n), n FROM generate_series(40000, 41000) AS n;
COMMIT;
TRUNCATE temp;
INSERT INTO temp SELECT n, n FROM generate_series(1, 1000) AS n;
SELECT omendb_check('temp_k', true), omendb_check('temp_a', true), compare('SELECT k FROM temp WHERE k <= 900');
BEGIN;
CREATE TEMP TABLE short (k int8) ON COMMIT DELETE ROWS;
CREATE INDEX short_k ON short USING omendb (k);
INSERT INTO short SELECT n FROM generate_series(1, 5000) AS n;
SELECT omendb_check('short_k', true), compare('SELECT k FROM short WHERE k <= 900');
COMMIT;
SELECT omendb_check('short_k', true), compare('SELECT k FROM short WHERE k <= 900');
END
foreach my $buffers ('1MB', '32MB')
{
    my $said = $node->safe_psql('postgres', "SET temp_buffers = '$buffers';\n$temp");
    is("$said\n", <<'END', "temporary, $buffers of buffers");
|
same, 8499 rows|same, 10000 rows
||same, 900 rows
|same, 900 rows
|same, 0 rows
END
}

# ---- wal_level = minimal: what a transaction fills that it has created is synced at commit, or logged as images ----

foreach my $threshold ('0', '1GB')
{
    foreach my $how ('immediate shutdown', 'SIGKILL')
    {
        $node->safe_psql('postgres', <<"END");
SET wal_skip_threshold = '$threshold';
DROP TABLE IF EXISTS m, n;
CREATE TABLE n AS SELECT spread(n) AS k FROM generate_series(1, 5000) AS n;
CHECKPOINT;
BEGIN;
CREATE TABLE m (k int8, a int4);
CREATE INDEX m_early ON m USING omendb (k);
INSERT INTO m SELECT spread(n), n FROM generate_series(1, 20000) AS n;
CREATE INDEX m_late ON m USING omendb (a) INCLUDE (k);
DELETE FROM m WHERE a % 10 = 0;
INSERT INTO m SELECT spread(n), n FROM generate_series(20001, 22000) AS n;
SAVEPOINT s;
INSERT INTO m SELECT spread(n), n FROM generate_series(50001, 52000) AS n;
ROLLBACK TO s;
COMMIT;
CREATE INDEX n_k ON n USING omendb (k);
INSERT INTO n SELECT spread(n) FROM generate_series(5001, 6000) AS n;
BEGIN;
TRUNCATE n;
INSERT INTO n SELECT spread(n) FROM generate_series(1, 3000) AS n;
COMMIT;
INSERT INTO n SELECT spread(n) FROM generate_series(3001, 4000) AS n;
END
        if ($how eq 'SIGKILL') { kill_server($node) }
        else { $node->stop('immediate') }
        $node->start;
        my $name = "wal_level = minimal, wal_skip_threshold = $threshold, after $how";
        check_all($node, $name);
        my $counts = $node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM m), (SELECT count(*) FROM n)');
        is($counts, '20000|4000', $name);
        one_answer($node, 'SELECT k FROM m WHERE k > 0', "$name: m");
        one_answer($node, 'SELECT k FROM n WHERE k > 0', "$name: n");
    }
}

# ---- SIGKILL at the points of the test build: what was unlogged is empty, what was logged is complete ----

my %points_of = (
    'ALTER TABLE k_unlogged SET LOGGED' => [ 'build-page', 'build-written', 'build-logged' ],
    'ALTER TABLE k_logged SET UNLOGGED' => [ 'build-page', 'build-written', 'build-logged' ],
    'CREATE INDEX k_new ON k_unlogged USING omendb (a, k)' => [ 'build-page', 'build-written', 'build-logged' ],
    'REINDEX INDEX k_unlogged_k' => [ 'build-page', 'build-written', 'build-logged' ],
    'TRUNCATE k_unlogged' => [ 'build-page', 'build-written' ],
    'INSERT INTO k_unlogged SELECT spread(n), n FROM generate_series(3001, 9000) AS n' =>
      [ 'page-extended', 'split-written', 'downlink-inserted' ],
    'VACUUM (TRUNCATE OFF) k_unlogged' => [ 'leaf-cleaned', 'unlink-written' ]);
if (test_points($node))
{
    foreach my $statement (sort keys %points_of)
    {
        foreach my $point (@{ $points_of{$statement} })
        {
            $node->safe_psql('postgres', <<'END');
DROP TABLE IF EXISTS k_unlogged, k_logged;
CREATE UNLOGGED TABLE k_unlogged AS SELECT spread(n) AS k, n AS a FROM generate_series(1, 3000) AS n;
CREATE INDEX k_unlogged_k ON k_unlogged USING omendb (k);
CREATE TABLE k_logged AS TABLE k_unlogged;
CREATE INDEX k_logged_k ON k_logged USING omendb (k);
DELETE FROM k_unlogged WHERE k > 0 OR a % 3 = 0;
END
            $node->safe_psql('postgres', 'CHECKPOINT') if pick(0, 1);
            my $offset = log_size($node);
            $node->psql('postgres', "LOAD 'omendb'; SET omendb.test_point = '$point=kill'; $statement");
            my $name = "SIGKILL at $point of $statement";
            like(log_since($node, $offset), qr/test point $point: killed/, $name);
            wait_until_restarted($node, $offset);
            check_all($node, $name);
            my $rows = 'SELECT (SELECT count(*) FROM k_unlogged), (SELECT count(*) FROM k_logged)';
            is($node->safe_psql('postgres', $rows), '0|3000', "$name: rows");
            my $more = 'INSERT INTO k_unlogged SELECT n, n FROM generate_series(1, 500) AS n';
            $node->safe_psql('postgres', "$statement; $more");
            check_all($node, "$name, and once more");
            one_answer($node, 'SELECT k FROM k_unlogged WHERE k <= 400', "$name, and once more");
        }
    }
}

no_crash($node, 'unlogged');
$node->stop;
done_testing();
