# Pages that are recycled and used again while a reader is on its way to them.  On the primary the reader's snapshot
# keeps them out of the free space map.  On a standby nothing does: the reader stops between downlink and page, or
# between two leaves, and when it goes on, the page belongs elsewhere in the tree and says so.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', streaming => 1, conf => <<'END');
autovacuum = off
omendb.test_page_entries = 4
omendb.test_delta_entries = 1
END
like($primary->safe_psql('postgres', "LOAD 'omendb'; SHOW omendb.test_points"), qr/leaf-read/, 'test build');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\nhot_standby_feedback = off\n");
$standby->start;

my $rows = join ' ', map { $_ * 10 } 5 .. 10, 81 .. 90;
my $rows_back = join ' ', reverse split / /, $rows;
my $range = "SELECT string_agg(k::text, ' ') FROM (SELECT k FROM t WHERE k BETWEEN 50 AND 900 ORDER BY k %s) AS r";

foreach my $point (map { "descend=pause:$_" } 1, 2)
{
    passes_by($point, 'index', 'SELECT count(*) FROM t WHERE k = 450', 0);
    passes_by($point, 'index', 'SELECT count(*) FROM t WHERE k BETWEEN 300 AND 790', 0);
}
# An index scan that has come to a row that goes holds a pin on its page, with the same consequence; a bitmap scan has
# not been to the table.
foreach my $point (map { "leaf-read=pause:$_" } 1, 2)
{
    passes_by($point, 'index', sprintf($range, 'ASC'), $rows);
    passes_by($point, 'index', sprintf($range, 'DESC'), $rows_back);
}
foreach my $point (map { "leaf-read=pause:$_" } 2, 3, 6, 15)
{
    passes_by($point, 'bitmap', sprintf($range, 'ASC'), $rows);
}
no_crash($_, $_->name) foreach $primary, $standby;
$standby->stop;
$primary->stop;
done_testing();

# A query of the standby stops at the point, goes on when the pages are used again, and says what it would have said.
sub passes_by
{
    my ($point, $way, $query, $expected) = @_;
    my $name = "$point, $way scan, $query";
    $primary->safe_psql('postgres', <<'END');
DROP TABLE IF EXISTS t;
-- What goes shares no page of the table with what the reader comes to: VACUUM of such a page could not be replayed, and
-- the reader would be cancelled.
CREATE TABLE t (k int4) WITH (fillfactor = 10);
INSERT INTO t SELECT n * 10 FROM generate_series(11, 80) AS n;
INSERT INTO t SELECT n FROM generate_series(1, 20) AS n;
INSERT INTO t SELECT n * 10 FROM generate_series(5, 100) AS n WHERE n NOT BETWEEN 11 AND 80;
CREATE INDEX t_k ON t USING omendb (k);
DELETE FROM t WHERE k BETWEEN 110 AND 800;
END
    catch_up();
    my $holder = start_psql($standby, "SELECT pg_advisory_lock(1); SELECT pg_sleep(100);\n");
    wait_for_lock('granted');
    my $reader = start_psql($standby, <<"END");
BEGIN;
DO \$\$ BEGIN PERFORM force_scan('$way'); END \$\$;
SET omendb.test_point = '$point';
$query;
COMMIT;
END
    wait_for_lock('NOT granted');

    # Unlinked; recycled, when the transaction that could have been under way is over; used again, at the right end of
    # the tree and in the range that the reader reads.
    my $pages = pages();
    $primary->safe_psql('postgres', $_) foreach 'VACUUM t', 'SELECT txid_current()', 'VACUUM t';
    $primary->safe_psql('postgres', <<'END');
INSERT INTO t SELECT n FROM generate_series(2001, 2040) AS n;
INSERT INTO t SELECT n FROM generate_series(441, 449) AS n;
END
    is(pages(), $pages, "$name: no new page");
    catch_up();

    $standby->safe_psql('postgres', <<'END');
SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
END
    is(finish_psql($reader), "$expected\n", "$name: the answer");
    finish_psql($holder);
    check_all($primary, $name);
    return;
}

sub catch_up { return $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert')) }

sub pages { return $primary->safe_psql('postgres', "SELECT pg_relation_size('t_k') / 8192") }

sub wait_for_lock
{
    my ($condition) = @_;
    $standby->poll_query_until('postgres', <<"END") or die "nobody has the lock, or nobody waits for it\n";
SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND $condition
END
    return;
}
