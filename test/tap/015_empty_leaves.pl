# VACUUM takes empty leaves out of trees of many shapes, also where that means to merge pages above them first: of an
# only child the parent goes to a sibling, the right one or, if that has no room, the left one. Needs the test build,
# in which a few rows are a tree of several levels.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestPoints;

my $node = new_node('empty', conf => "autovacuum = off\n");
if (!test_points($node))
{
    $node->stop;
    plan skip_all => 'this is not a test build';
}
$node->safe_psql('postgres', <<'END');
CREATE EXTENSION pageinspect;
CREATE FUNCTION uint16_at(page bytea, at int) RETURNS int LANGUAGE sql IMMUTABLE
AS 'SELECT get_byte(page, at) + 256 * get_byte(page, at + 1)';
-- See src/tree/page.h and src/core/node.h: no entries in base and delta, level 0, neither deleted nor never written.
CREATE FUNCTION empty_leaves(index text) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM generate_series(2, pg_relation_size(index::regclass) / 8192 - 1) AS block,
    LATERAL (SELECT get_raw_page(index, block::int) AS page) AS p
  WHERE uint16_at(page, 14) > 0 AND (uint16_at(page, 8192 - 6) & 3) = 0 AND uint16_at(page, 24 + 10) = 0
    AND uint16_at(page, 24) = 0 AND uint16_at(page, 8192 - 8) = 0
$$;
CREATE TABLE t (k int8);
CREATE INDEX t_k ON t USING omendb (k);
END

# Entries that come one by one, and those that come together (src/README, "Deferred inserts").
foreach my $case (map { my $rows = $_; map { [ $rows, $_ ] } 1000, 0 } 30, 60, 90, 121, 150, 400)
{
    my ($rows, $first_inserts) = @$case;
    # Three leaves: a fourth would fill the page above, and the last leaf of all stay, as nobody had room for it.
    my $few = $first_inserts ? 12 : 9;
    foreach my $kept ([ 2, 'k > 2' ], [ $few, "k > $few" ], [ 25, 'k > 25' ], [ 2, 'k BETWEEN 2 AND ' . ($rows - 1) ],
        [ 2, 'k <= ' . ($rows - 2) ])
    {
        my ($left, $deleted) = @$kept;
        my $answer = $node->safe_psql('postgres', <<"END");
SET omendb.test_page_entries = 4;
SET omendb.test_delta_entries = 1;
SET omendb.test_first_inserts = $first_inserts;
TRUNCATE t;
INSERT INTO t SELECT generate_series(1, $rows);
DELETE FROM t WHERE $deleted;
VACUUM t;
SELECT omendb_check('t_k', true);
SELECT count(*), empty_leaves('t_k') FROM t;
END
        my ($found, $empty) = $answer =~ /(\d+)\|(\d+)$/;
        is($found, $left, "$rows rows, deleted where $deleted: those that are left");
        is($empty, 0, 'no empty leaves');
    }
}
no_crash($node, 'empty leaves');
$node->stop;
done_testing();
