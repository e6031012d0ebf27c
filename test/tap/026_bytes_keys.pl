# Keys of variable width, alone and behind others, while rows come, move and go: after crashes, on a standby whose every
# page is compared with the primary's (wal_consistency_checking), and damaged byte by byte.
#
# The other tests do all this with keys of fixed width, and more of it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = 4 * $soak;

my $primary = new_node('primary', streaming => 1, conf => <<'END');
shared_preload_libraries = 'omendb'
wal_consistency_checking = 'omendb'
autovacuum = off
max_wal_size = 512MB
restart_after_crash = on
# In the test build: pages split, share, empty and are unlinked all the time.
omendb.test_page_entries = 40
omendb.test_delta_entries = 4
omendb.test_rebuild_misses = 1
END
$primary->safe_psql('postgres', <<'END');
CREATE COLLATION codepoints (provider = libc, locale = 'C.UTF-8');
-- Some values are prefixes of others, some nearly as long as they may be, some are equal and differ (1.0 and 1.00).
CREATE FUNCTION value_of(n int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE n % 8 WHEN 0 THEN 'https://example.org/' || n WHEN 1 THEN repeat('x', n % 60) WHEN 2 THEN md5(n::text)
    WHEN 3 THEN n::text WHEN 4 THEN 'https://example.org/item/' || md5(n::text) WHEN 5 THEN ''
    WHEN 6 THEN CASE WHEN n % 48 = 6 THEN left(repeat(md5(n::text), 40), 1200 + n % 90) ELSE 'ä' || n % 100 END END $$;
CREATE TABLE t (id bigserial, a int4, t text COLLATE "C", l text COLLATE codepoints, n numeric);
INSERT INTO t (a, t, l, n) SELECT g % 10, value_of(g), value_of(g * 7), round(g % 300, g % 3) FROM generate_series(1, 3000) AS g;
ALTER TABLE t ALTER t SET STORAGE EXTERNAL, ALTER l SET STORAGE EXTERNAL;
CREATE INDEX t_t ON t USING omendb (t) WITH (fillfactor = 70);
CREATE INDEX t_at ON t USING omendb (a, t DESC NULLS LAST);
CREATE INDEX t_l ON t USING omendb (l) INCLUDE (n);
CREATE INDEX t_n ON t USING omendb (n, a);
CREATE UNIQUE INDEX t_tid ON t USING omendb (t, id);
END
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

my @writers = (
    6 => <<'END',
\set g random(1, 100000)
INSERT INTO t (a, t, l, n) SELECT g % 10, value_of(g), value_of(g * 7), round(g % 300, g % 3)
FROM generate_series(:g, :g + 10) AS g;
END
    6 => <<'END',
\set g random(1, 100000)
UPDATE t SET t = value_of(:g + 1), l = value_of(:g), n = n + 0.0
WHERE id = (SELECT id FROM t WHERE t >= value_of(:g) ORDER BY t LIMIT 1);
END
    3 => <<'END',
\set g random(1, 100000)
DELETE FROM t WHERE id IN (SELECT id FROM t WHERE t BETWEEN left(value_of(:g), 24) AND value_of(:g) || 'x'
LIMIT 200 FOR UPDATE SKIP LOCKED);
END
    1 => 'VACUUM (INDEX_CLEANUP ON) t;');

my @questions = (
    [ q(SELECT id, t FROM t WHERE t >= 'https' AND t < 'i'), '{index,bitmap}' ],
    [ q(SELECT id, l, n FROM t WHERE l < 'https://example.org/item'), '{index,bitmap}' ],
    [ q(SELECT id FROM t WHERE a IN (2, 3, 7) AND t > 'a'), '{index,bitmap}' ],
    [ q(SELECT id, n FROM t WHERE n BETWEEN 10 AND 20.5), '{index,bitmap}' ],
);

sub loads
{
    my ($node) = @_;
    return (
        start_load($node, clients => 3, seconds => $seconds, rate => 150, scripts => [@writers]),
        start_load(
            $node,
            clients => 2,
            seconds => $seconds,
            rate => 60,
            settings => { 'omendb.test_first_inserts' => 0 },
            scripts => [@writers]));
}

sub compare_nodes
{
    my ($name) = @_;
    $primary->wait_for_catchup($standby);
    $standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
    $standby->poll_query_until('postgres', q(SELECT pg_get_wal_replay_pause_state() = 'paused')) or die;
    foreach my $node ($primary, $standby)
    {
        check_all($node, "$name, " . $node->name);
        one_answer($node, $_->[0], "$name, " . $node->name . ": $_->[0]", $_->[1]) foreach @questions;
    }
    $standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
    my $all = q(SELECT count(*), sum(hashtext(t)), sum(hashtext(l)), sum(n) FROM t);
    is($standby->safe_psql('postgres', $all), $primary->safe_psql('postgres', $all), "$name: the same rows");
    return;
}

my @loads = loads($primary);
finish_load($_, 'load', tolerate => qr/could not obtain|deadlock/) foreach @loads;
compare_nodes('after load');

foreach my $round (1 .. 2)
{
    @loads = loads($primary);
    sleep $seconds / 2;
    kill_server($primary);
    finish_load($_, "load $round that lost its server", crashed => 1, tolerate => qr/connection|server|deadlock/)
      foreach @loads;
    $primary->start;
    compare_nodes("after crash $round");
}
no_crash($primary, 'primary');
no_crash($standby, 'standby');

# ---- Damage ----

# Each copy of the table and its index has one byte of one page changed. The checksums notice it, but for the bytes that
# PostgreSQL owns. With their checksums made anew, as a defect of the library would do it, pages may give any answer, but
# must not crash.
$primary->safe_psql('postgres', <<'END');
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE whole (id int, t text COLLATE "C", l text COLLATE codepoints, c char(40) COLLATE codepoints, b varbit, n numeric, i inet, m mood);
INSERT INTO whole SELECT g, value_of(g), CASE WHEN g % 9 > 0 THEN value_of(g * 3) END, left(value_of(g * 7), 40), g::bit(22)::bit varying(22),
  (CASE WHEN g % 3 = 0 THEN -g ELSE g END / 7.0)::numeric(9, 4), '10.0.0.0'::inet + g, ('{sad,ok,happy}'::mood[])[g % 3 + 1] FROM generate_series(1, 400) AS g;
END
my $copies = 48;
# What their indexes have, and what is asked of these.  (An included value is its type's own bytes, and the type's
# functions believe them.)
my @kinds = (
    [ '(t, l DESC) INCLUDE (id)', q(SELECT count(*), sum(id), count(l), sum(hashtext(l)) FROM d1 WHERE t >= '') ],
    [ '(c, b, m) INCLUDE (id)', q(SELECT count(*), sum(id), min(m), sum(hashtext(c)), sum(hashtext(b::text)) FROM d1 WHERE c >= '') ],
    [ '(m, n DESC, i, b DESC) INCLUDE (id)', q(SELECT count(*), sum(id), sum(n), max(i), sum(hashtext(b::text)) FROM d1 WHERE m >= 'ok') ]);
sub kind { return $kinds[ int($_[0] / 2) % @kinds ] }
$primary->safe_psql('postgres', join '', map { <<"END" } 1 .. $copies);
CREATE TABLE d$_ WITH (autovacuum_enabled = off) AS TABLE whole;
CREATE INDEX i$_ ON d$_ USING omendb ${\kind($_)->[0]};
INSERT INTO d$_ SELECT id + 1000, t || '!', l, c, b, n, i, m FROM whole WHERE id % 40 = 7;
END
my %file = map { $_ => $primary->safe_psql('postgres', "SELECT pg_relation_filepath('i$_')") } 1 .. $copies;
my @expected = map {
    $primary->safe_psql('postgres', "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; $_->[1]")
} @kinds;
my ($noticed, $right, $sealed, $wrong) = (0, 0, 0, '');
$standby->stop;
foreach my $round (1 .. 2 * $soak)
{
    $primary->stop;
    my %is_sealed;
    foreach my $i (1 .. $copies)
    {
        my $path = $primary->data_dir . '/' . $file{$i};
        my $bytes = slurp_file($path);
        # The root, or any other.
        my $block = pick(1, 2, 2 + int(rand(length($bytes) / PAGE - 2)));
        my $page = substr $bytes, $block * PAGE, PAGE;
        # Not in the hole.
        my ($lower, $upper) = unpack 'SS', substr($page, 12, 4);
        my $at = int(rand($lower + PAGE - $upper));
        $at += $upper - $lower if $at >= $lower;
        substr($page, $at, 1) = chr(ord(substr $page, $at, 1) ^ (1 << int(rand(8))));
        $is_sealed{$i} = $at >= 24 && $i % 2;
        $page = seal($page, $block) if $is_sealed{$i};
        substr($bytes, $block * PAGE, PAGE) = $page;
        write_file($path, $bytes);
    }
    $primary->start;
    foreach my $i (1 .. $copies)
    {
        my ($status, $output, $errors) = $primary->psql('postgres',
            "SET enable_seqscan = off; SET enable_bitmapscan = off; SET statement_timeout = '60s';"
              . (kind($i)->[1] =~ s/d1/d$i/r));
        my $expected = $expected[ int($i / 2) % @kinds ];
        if ($is_sealed{$i}) { $sealed++ }
        elsif ($status != 0) { $noticed++ }
        elsif ($output eq $expected) { $right++ }
        else { $wrong .= "d$i: $output instead of $expected\n" }
        $wrong .= "d$i: $errors\n" if $errors =~ /timeout|connection/;
        next unless $is_sealed{$i};
        $primary->psql('postgres', <<"END", on_error_stop => 0);
INSERT INTO d$i SELECT id + 2000, t || '?', l, c, b, n, i, m FROM whole WHERE id % 10 = 3;
SELECT omendb_check('i$i', true);
DELETE FROM d$i WHERE id > 2000;
VACUUM d$i;
END
    }
    $primary->safe_psql('postgres', join '', map { "TRUNCATE d$_; INSERT INTO d$_ TABLE whole;"
          . "INSERT INTO d$_ SELECT id + 1000, t || '!', l, c, b, n, i, m FROM whole WHERE id % 40 = 7;" } 1 .. $copies);
    $file{$_} = $primary->safe_psql('postgres', "SELECT pg_relation_filepath('i$_')") foreach 1 .. $copies;
}
is($wrong, '', 'damaged pages give errors or the right answer');
cmp_ok($noticed, '>', 0, 'some are noticed');
no_crash($primary, 'damaged', qr/PANIC|TRAP:|was terminated by signal (?!9\b)/);
summary("$noticed changed bytes noticed, $right without effect, $sealed with checksums");

done_testing();
