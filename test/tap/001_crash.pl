# Killed under load, the server comes back with every index sound: after SIGKILL to all of its processes, and after an
# immediate shutdown; with and without PostgreSQL's page checksums.
#
# Two tables: one with random keys, whose leaves split, empty and are unlinked all over; and a queue that grows on the
# right and is eaten from the left, whose pages are unlinked and recycled.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $rounds = 3 * $soak;

my @scripts = (
    8 => <<'END',
INSERT INTO scattered (k, a, b) SELECT (random() * 1e9)::int8, random() * 100, random() FROM generate_series(1, 20);
END
    6 => <<'END',
\set k random(0, 1000000000)
UPDATE scattered SET k = (random() * 1e9)::int8, a = a + 1
WHERE id = (SELECT id FROM scattered WHERE k >= :k ORDER BY k LIMIT 1);
END
    2 => <<'END',
\set k random(0, 1000000000)
DELETE FROM scattered
WHERE id IN (SELECT id FROM scattered WHERE k BETWEEN :k AND :k + 20000000 FOR UPDATE SKIP LOCKED);
END
    # A transaction that a crash may find open, and one that aborts.
    1 => <<'END',
BEGIN;
INSERT INTO scattered (k, a, b) SELECT (random() * 1e9)::int8, 0, 0 FROM generate_series(1, 300);
ROLLBACK;
END
    8 => <<'END',
INSERT INTO queue (a) SELECT n FROM generate_series(1, 50) AS n;
END
    8 => <<'END',
DELETE FROM queue WHERE id IN (SELECT id FROM queue ORDER BY id LIMIT 60 FOR UPDATE SKIP LOCKED);
END
    1 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) queue;',
    1 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) scattered;');

foreach my $checksums (0, 1)
{
    my $name = $checksums ? 'with checksums' : 'without checksums';
    my $node = new_node(
        "crash_$checksums",
        extra => $checksums ? ['--data-checksums'] : [],
        conf => <<'END');
# Few buffers, so that pages are written and read again, and many checkpoints.
shared_buffers = 2MB
max_wal_size = 32MB
min_wal_size = 32MB
checkpoint_timeout = 30s
autovacuum_naptime = 1s
log_checkpoints = off
END
    $node->safe_psql('postgres', <<'END');
CREATE TABLE scattered (id bigserial, k int8, a int4, b float8) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE queue (id bigserial, a int4, t timestamptz DEFAULT clock_timestamp());
INSERT INTO scattered (k, a, b) SELECT (random() * 1e9)::int8, random() * 100, random() FROM generate_series(1, 20000);
INSERT INTO queue (a) SELECT n FROM generate_series(1, 5000) AS n;
CREATE INDEX scattered_id ON scattered USING omendb (id);
CREATE INDEX scattered_k ON scattered USING omendb (k) WITH (fillfactor = 70);
CREATE INDEX scattered_wide ON scattered USING omendb (a, b, k, id) INCLUDE (b, k);
CREATE INDEX queue_id ON queue USING omendb (id);
CREATE INDEX queue_t ON queue USING omendb (t, a);
END
    foreach my $round (1 .. $rounds)
    {
        my $load = start_load($node, clients => 4, seconds => 600, scripts => \@scripts);
        sleep 1.5 + rand(2);
        my $how = ($round + $checksums) % 2 ? 'SIGKILL' : 'immediate shutdown';
        if ($how eq 'SIGKILL') { kill_server($node) }
        else { $node->stop('immediate') }
        finish_load($load, "$name, round $round: load before $how", crashed => 1);
        $node->start;

        check_all($node, "$name, round $round, after $how");
        one_answer($node, 'SELECT k FROM scattered WHERE k >= 0', 'random keys, all');
        one_answer($node, 'SELECT id FROM scattered WHERE id > 0 ORDER BY id', 'their ids in order', '{index,only}', 1);
        one_answer($node, 'SELECT a, b, k, id FROM scattered WHERE a BETWEEN 10 AND 12', 'several columns');
        one_answer($node, 'SELECT id FROM queue WHERE id > 0', 'queue, all');
        one_answer($node, 'SELECT t, a FROM queue WHERE t IS NOT NULL', 'queue by time');
        # Its indexes work: the next vacuum finds what the crash left.
        $node->safe_psql('postgres', 'VACUUM scattered; VACUUM queue');
        check_all($node, "$name, round $round, after VACUUM") if $round == $rounds;
    }

    # Pages are recycled in spite of the crashes: thousands of rows went through the queue, few are in it.
    my ($rows, $passed, $pages) = split /\|/, $node->safe_psql('postgres', <<'END');
SELECT (SELECT count(*) FROM queue), (SELECT last_value FROM queue_id_seq), pg_relation_size('queue_t') / 8192
END
    note("queue: $rows rows, $passed went through it, $pages pages");
    no_crash($node, $name);
    $node->stop;
}

done_testing();
