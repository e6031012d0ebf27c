# Random statements on twin tables, one with btree and one with omendb indexes, and random questions: the same answers
# from omendb by every kind of scan, from a sequential scan and from btree.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $steps = 20 * $soak;
my $questions = 12;

my $node = new_node('differential', conf => "autovacuum = off\n");

# Keys by distribution: an expression of the row's number n, from 1 on.  setseed() makes random() repeatable.
my %distributions = (
    sequential => 'n',
    bursty => 'n + (n / 500) * (10 + hashint4((n / 500)::int4) & 63)',
    zipf => 'power(100000, random())::int8',
    random => q{('x' || substr(md5(random()::text), 1, 16))::bit(64)::int8},
    narrow => '(random() * 3)::int8',
    extremes => q{CASE (random() * 6)::int WHEN 0 THEN NULL WHEN 1 THEN 9223372036854775807
  WHEN 2 THEN -9223372036854775808 WHEN 3 THEN 0 WHEN 4 THEN -9223372036854775808 + (random() * 5)::int
  ELSE 9223372036854775807 - (random() * 5)::int END},
);
# A second column and a third, of other types.
my $second = '(random() * 20)::int4';
my $third = q{(CASE (random() * 12)::int WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' WHEN 2 THEN 'Infinity'
  WHEN 3 THEN '-Infinity' WHEN 4 THEN NULL WHEN 5 THEN '0' ELSE (random() * 1000 - 500)::text END)::float8};

my %columns = (k => 'int8', a => 'int4', f => 'float8');
my @indexes = ('(k)', '(a, k DESC)', '(f NULLS FIRST)', '(k DESC NULLS LAST, f, a)', '(a DESC) INCLUDE (k)');

sub number
{
    my ($column) = @_;
    return pick(map { int(rand(24)) - 1 } 1 .. 3) if $column eq 'a';
    return pick("'NaN'", "'-0'", "'Infinity'", "'-Infinity'", 0, rand(1000) - 500) if $column eq 'f';
    # Mostly a key that there is, or a neighbour of it.
    return sprintf '(SELECT probe(%d) %+d)', rand(1000), pick(-1, 0, 0, 0, 1) if rand() < 0.7;
    return pick(0, 1, -1, '9223372036854775807', '(-9223372036854775808)', int(rand(30000)));
}

sub value
{
    my ($column) = @_;
    my %types = (k => [ 'int8', 'int8', 'int8', 'int4' ], a => [ 'int4', 'int8', 'int2' ], f => ['float8']);
    my $type = pick(@{ $types{$column} });
    return '(' . number($column) . ")::$type" if $type ne 'int4' || $column eq 'a';
    return int(rand(50000)) . "::$type";
}

sub condition
{
    my ($column) = @_;
    my $kind = int(rand(8));
    return "$column = " . value($column) if $kind == 0;
    return "$column " . pick('<', '<=', '>', '>=') . ' ' . value($column) if $kind <= 2;
    return "$column BETWEEN " . value($column) . ' AND ' . value($column) if $kind <= 4;
    return "$column = ANY (ARRAY[" . join(', ', map { number($column) } 1 .. 1 + rand(12)) . "]::$columns{$column}\[])"
      if $kind == 5;
    return "$column IS NULL" if $kind == 6;
    return "$column IS NOT NULL";
}

sub question
{
    my ($first, @more) = split //, pick('k', 'k', 'a', 'ak', 'ak', 'f', 'kf', 'kfa');
    my @used = ($first, grep { rand() < 0.7 } @more);
    my $shown = join ', ', @used;
    my $query = "SELECT $shown FROM %s WHERE " . join(' AND ', map { condition($_) } @used);
    # Only with one column are the rows of a LIMIT the same whichever way they are found.
    my $order = pick('', '', ' ORDER BY k', ' ORDER BY k DESC NULLS LAST', ' ORDER BY k LIMIT 7',
        ' ORDER BY k DESC NULLS LAST OFFSET 3 LIMIT 11');
    return ($query, 0) if $shown ne 'k' || !$order;
    return ("$query$order", 1);
}

$node->safe_psql('postgres', <<'END');
-- A key from the table: one of a thousand samples.
CREATE TABLE sample (n int4, k int8);
CREATE FUNCTION probe(wanted int) RETURNS int8 LANGUAGE sql STABLE AS
  'SELECT CASE WHEN abs(k::numeric) < 9223372036854775800 THEN k ELSE 0 END FROM sample WHERE n = wanted';
CREATE FUNCTION take_samples() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE sample;
  INSERT INTO sample
    SELECT row_number() OVER (), coalesce(k, 0) FROM (SELECT k FROM o ORDER BY random() LIMIT 1000) AS s;
END $$;

-- What was asked so far, and whether omendb's plans were the ones that were asked for.
CREATE TABLE asked (question text, rows int8, way text, planned boolean);

-- The same question to omendb in several ways, to no index, and to btree.
CREATE FUNCTION differs(question text, ordered boolean) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on
SET enable_bitmapscan = on SET enable_sort = on AS $$
DECLARE
  expected record;
  got record;
  way text;
  plan text;
  line text;
  query text := digest_query(format(question, 'o'), ordered);
BEGIN
  PERFORM force_scan('seq');
  EXECUTE query INTO expected;
  EXECUTE digest_query(format(question, 'b'), ordered) INTO got;
  IF got IS DISTINCT FROM expected THEN RETURN 'the twins are different'; END IF;
  FOREACH way IN ARRAY '{index,only,bitmap}'::text[] LOOP
    PERFORM force_scan(way);
    EXECUTE query INTO got;
    plan := '';
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP plan := plan || line; END LOOP;
    INSERT INTO asked VALUES (question, got.count, way, plan_has(plan, way));
    IF got IS DISTINCT FROM expected THEN
      RETURN format('%s scan: %s rows instead of %s: %s', way, got.count, expected.count, query);
    END IF;
  END LOOP;
  PERFORM force_scan('only');
  EXECUTE digest_query(format(question, 'b'), ordered) INTO got;
  IF got IS DISTINCT FROM expected THEN RETURN 'btree is different: ' || query; END IF;
  RETURN NULL;
END $$;
END

my $asked = 0;
foreach my $name (sort keys %distributions)
{
    my $key = $distributions{$name};
    # Both tables get their rows from a third, so that they have the same in the same places.
    my $rows = sub {
        my ($from, $to) = @_;
        return "TRUNCATE fresh;\n"
          . "INSERT INTO fresh SELECT $key, $second, $third FROM generate_series($from, $to) AS n;\n";
    };
    my $both = sub { return join '', map { sprintf "$_[0];\n", $_, $_, $_ } 'o', 'b' };
    my $script = <<"END";
SET client_min_messages = warning;
DROP TABLE IF EXISTS o, b, fresh;
SELECT setseed(${\rand()}) \\g /dev/null
CREATE TABLE o (k int8, a int4, f float8);
CREATE TABLE b (k int8, a int4, f float8);
CREATE TABLE fresh (k int8, a int4, f float8);
END
    my $n = 1 + int(rand(6000));
    $script .= $rows->(1, $n) . $both->('INSERT INTO %s SELECT * FROM fresh') if rand() < 0.8;
    my $fill = pick('', ' WITH (fillfactor = 10)', ' WITH (fillfactor = 100)');
    $script .= "CREATE INDEX ON o USING omendb $_$fill;\nCREATE INDEX ON b $_;\n" foreach @indexes;

    foreach my $step (1 .. $steps)
    {
        foreach (1 .. 1 + rand(4))
        {
            my $what = int(rand(12));
            my $more = pick(1, 10, 300, 3000);
            my $begin = rand() < 0.2 ? 'BEGIN' : rand() < 0.2 ? 'BEGIN; SAVEPOINT s' : 'SELECT 1 WHERE false';
            my $end = $begin =~ /s$/ ? 'ROLLBACK TO s; COMMIT' : $begin eq 'BEGIN' ? 'ROLLBACK' : $begin;
            my $change;
            if ($what <= 5)
            {
                $change = $rows->($n + 1, $n + $more) . $both->('INSERT INTO %s SELECT * FROM fresh');
                $n += $more;
            }
            elsif ($what <= 7)
            {
                $change = $both->('DELETE FROM %s WHERE ' . condition('k') . ' AND a < ' . int(rand(25)));
            }
            elsif ($what <= 8)
            {
                my $set = pick('k = a * 100', 'a = a + 1', 'f = -f', 'k = k / 2, f = k');
                $change = $both->("UPDATE %s SET $set WHERE " . condition('k'));
            }
            elsif ($what <= 9) { $script .= 'VACUUM ' . pick('o, b', 'o', '(FREEZE) o') . ";\n"; next }
            else
            {
                $change = pick($both->('DELETE FROM %s WHERE a = ' . int(rand(20))),
                    $both->('DELETE FROM %s'), 'REINDEX TABLE o', $both->('TRUNCATE %s'),
                    $both->('DELETE FROM %s WHERE k > ' . value('k')));
            }
            $script .= "$begin;\n$change;\n$end;\n";
        }
        $script .= "SELECT take_samples();\nVACUUM ANALYZE o, b;\n";
        foreach (1 .. $questions)
        {
            my ($query, $ordered) = question();
            my $flag = $ordered ? 'true' : 'false';
            $script .= "SELECT differs(\$q\$$query\$q\$, $flag);\n";
            $asked++;
        }
        $script .= "SELECT 'rows ' || count(*) FROM o;\nSELECT check_all();\n";
    }
    my ($status, $output, $errors) = $node->psql('postgres', $script);
    my @sizes = $output =~ /^rows (\d+)$/mg;
    my @problems = grep { !/^$|^rows \d+$|^5$/ } split /\n/, $output;
    ok($status == 0 && !@problems, "$name: @sizes rows") or diag(join "\n", @problems, $errors);
}
my ($missed, $found) = split /\|/, $node->safe_psql('postgres',
    'SELECT count(*) FILTER (WHERE NOT planned), count(DISTINCT question) FILTER (WHERE rows > 0) FROM asked');
note("$asked questions, $found of them with rows, $missed plans of another kind");
cmp_ok($found, '>', $asked / 4, 'enough of the questions find something');
cmp_ok($missed, '<', $asked / 4, 'nearly all of the scans are of the kind that was asked for');
no_crash($node, 'differential');
$node->stop;
done_testing();
