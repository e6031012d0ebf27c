# A damaged segment gives an error that names the block and says to REINDEX, or the right answer: never other rows, never
# a crash, of PostgreSQL or of RocksDB. omendb_check notices it, and REINDEX repairs it.
#
# There is a copy of a table and its index for each damage, as in 003_damage. Every block of every segment gets one
# byte changed twice: as it is, which the page's checksum notices; and with the checksums made anew, as a defect of the
# library would do it, which RocksDB's checksums, the leaf's own, its segment's number and its fences are there
# for. Blocks and heads are exchanged, a segment stands where another one did, the file is short, and what
# the cold pages say of their leaves is changed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestPoints;

# Of a segment's head, see src/tree/segment.h: the list of its blocks.
use constant { LIST => SEGMENT_HEAD + 16, HEAD_BLOCK => 0xFFFFFFFF };
# Values of a cold page behind the keys, see src/tree/cold_page.h.
my @cold_columns = qw(segment head slot crc entries first_heap last_heap);

# ---- Changing pages ----

# The segments of an index: of each the block of its head, and those of its data, in order.
sub segments_of
{
    my ($pages) = @_;
    my @segments;
    foreach my $block (0 .. $#$pages)
    {
        my $f = parse($pages->[$block]);
        next if !($f->{flags} & SEGMENT) || $f->{number} != HEAD_BLOCK;
        push @segments, { head => $block, data => [ unpack 'L*', substr($pages->[$block], LIST, 4 * $f->{blocks}) ] };
    }
    return @segments;
}

sub cold_pages_of
{
    my ($pages) = @_;
    return grep { parse($pages->[$_])->{flags} & COLD } 0 .. $#$pages;
}

# Another value for a byte.
sub flip
{
    my ($page, $at) = @_;
    my $byte = ord substr($page, $at, 1);
    substr($page, $at, 1) = chr(pick($byte ^ 1 << int rand 8, ($byte + 1 + int rand 255) % 256));
    return $page;
}

# ---- The damages ----

# Each damage: a name, what it does to the pages, and the strictest of the outcomes it demands:
#   'intact'   nothing complains
#   'noticed'  omendb_check and a query of everything must report it, and name the block where the damage gives one
#   'right'    every answer must be right, or an error
#   'sealed'   the same, unless omendb_check reports it
my @damages;

sub damage
{
    my ($template, $name, $demand, $change) = @_;
    push @damages, { template => $template, name => "$template->{name}, $name", demand => $demand, change => $change };
    return;
}

sub damage_bytes
{
    my ($t) = @_;
    foreach my $segment (@{ $t->{segments} })
    {
        foreach my $block ($segment->{head}, @{ $segment->{data} })
        {
            my $kind = $block == $segment->{head} ? 'head' : 'data';
            my $f = parse($t->{pages}[$block]);
            foreach (1 .. $soak)
            {
                damage($t, "a byte of a block ($kind)", 'right', sub {
                    my ($pages) = @_;
                    my $at = int rand PAGE;
                    $pages->[$block] = flip($pages->[$block], $at);
                    # LSN, checksum, flags and oldest xid are PostgreSQL's, the hole is nobody's.
                    my $free =
                      $at < 12 || $at == 18 || $at >= 20 && $at < HEADER || $at >= $f->{lower} && $at < $f->{upper};
                    return {
                        block => $block, what => "at $at", noticed => !$free, lsn => $at < 8,
                        $at < HEADER ? (code => qr/XX00[12]/) : () };
                });
                damage($t, "a byte of a block ($kind), sealed", 'right', sub {
                    my ($pages) = @_;
                    # Of the special space only the flags and what follows is anything's.
                    my @body = map { HEADER + int rand($f->{lower} - HEADER) } 1, 2;
                    my $at = pick(@body, 12 + int rand 4, HEADER + int rand 16, SPECIAL + 16 + int rand 8);
                    $pages->[$block] = seal(flip($pages->[$block], $at), $block);
                    # (What is dead in a segment is nobody's, either.)
                    return {
                        block => $block, what => "at $at", noticed => $at >= HEADER && $at < HEADER + 12,
                        $at < HEADER ? (code => qr/XX00[12]/) : () };
                });
            }
        }
    }
    return;
}

# Blocks of one segment, and of two.
sub damage_order
{
    my ($t) = @_;
    my @segments = @{ $t->{segments} };
    my $exchange = sub {
        my ($name, $one, $other) = @_;
        foreach my $sealed (0, 1)
        {
            damage($t, "$name are exchanged" . ($sealed ? ', sealed' : ''), 'noticed', sub {
                my ($pages) = @_;
                @$pages[ $one, $other ] = @$pages[ $other, $one ];
                if ($sealed) { $pages->[$_] = seal($pages->[$_], $_) foreach $one, $other }
                return { block => $one, other => $other };
            });
        }
        return;
    };
    foreach my $i (0 .. $#segments)
    {
        my ($one, $other) = @segments[ $i, ($i + 1) % @segments ];
        my @data = @{ $one->{data} };
        $exchange->('the heads of two segments', $one->{head}, $other->{head});
        $exchange->('two blocks of a segment', @data[ 0, -1 ]) if @data > 1;
        $exchange->('blocks of two segments', $data[0], $other->{data}[0]);
        $exchange->('a head and a block', $one->{head}, $data[-1]);
        $exchange->('a block and a leaf', $data[0], pick(@{ $t->{leaves} }));
        $exchange->('a block and a cold page', $data[0], pick(@{ $t->{cold_pages} }));
        damage($t, 'a block is zeros', 'right', sub {
            my ($pages) = @_;
            my $block = pick($one->{head}, @data);
            $pages->[$block] = "\0" x PAGE;
            return { block => $block, noticed => 1 };
        });
        damage($t, 'a block is of a segment of another index', 'noticed', sub {
            my ($pages) = @_;
            my $block = pick(@data);
            my ($foreign) = grep { parse($_)->{flags} & SEGMENT } reverse @{ $t->{other_pages} };
            $pages->[$block] = seal($foreign, $block);
            return { block => $block };
        });
        damage($t, 'a block is a deleted page, sealed', 'noticed', sub {
            my ($pages) = @_;
            my $block = pick($one->{head}, @data);
            set_sealed($pages, $block, SPECIAL + 18, pack 'S', DELETED);
            return { block => $block };
        });
        # All that a segment is, but the number in its leaves.
        damage($t, 'another segment under its number, sealed', 'noticed', sub {
            my ($pages) = @_;
            my $number = substr($pages->[ $one->{head} ], HEADER, 8);
            my $head = $pages->[ $other->{head} ];
            substr($head, HEADER, 8) = $number;
            $pages->[ $one->{head} ] = seal($head, $one->{head});
            set_sealed($pages, $_, HEADER, $number) foreach @{ $other->{data} };
            return {};
        });
        # Its head names the same blocks in another order, or some of another segment.
        damage($t, 'its head has another list, sealed', 'noticed', sub {
            my ($pages) = @_;
            my @list = @data > 1 && pick(0, 1) ? (reverse @data) : (@data[ 0 .. $#data - 1 ], $other->{data}[-1]);
            set_sealed($pages, $one->{head}, LIST, pack 'L*', @list);
            return {};
        });
        my $field = sub {
            my ($name, $demand, $offset, @values) = @_;
            foreach my $value ($soak > 1 ? @values : pick(@values))
            {
                damage($t, "$name of a head is " . unpack('H*', $value) . ', sealed', $demand, sub {
                    my ($pages) = @_;
                    set_sealed($pages, $one->{head}, $offset, $value);
                    return { block => $one->{head} };
                });
            }
            return;
        };
        my $bytes = parse($t->{pages}[ $one->{head} ])->{bytes};
        $field->('the size', 'noticed', SEGMENT_HEAD, map { pack 'Q', $_ } 0, $bytes - 1, $bytes + 1, 1 << 40, ~0);
        $field->('the number of blocks', 'noticed', SEGMENT_HEAD + 8, map { pack 'L', $_ } 0, scalar(@data) + 1, 0xFFFFFFFF);
        $field->('the number of slots', 'right', SEGMENT_HEAD + 12, pack 'L', 1);
    }
    return;
}

# What cold pages say.
sub damage_cold_pages
{
    my ($t) = @_;
    my @cold = @{ $t->{cold_pages} };
    my $keys = parse($t->{pages}[ $cold[0] ])->{keys};
    foreach my $block (@cold)
    {
        # All leaves of the page have another value.
        foreach my $i (0 .. $#cold_columns)
        {
            my $column = $cold_columns[$i];
            my $at = HEADER + 32 + 40 * ($keys + $i) + 8;
            damage($t, "$column of the leaves of a cold page, sealed", $column =~ /_heap/ ? 'sealed' : 'noticed', sub {
                my ($pages) = @_;
                my $value = unpack 'Q', substr($pages->[$block], $at, 8);
                set_sealed($pages, $block, $at, pack 'Q', $value > 0 ? $value + pick(1, -1) : 1);
                return {};
            });
        }
        damage($t, 'a cold page is a copy of another one, sealed', 'noticed', sub {
            my ($pages) = @_;
            my $other = pick(grep { $_ != $block } @cold);
            $pages->[$block] = seal($pages->[$other], $block);
            return {};
        }) if @cold > 1;
        damage($t, 'a cold page is none, sealed', 'noticed', sub {
            my ($pages) = @_;
            set_sealed($pages, $block, SPECIAL + 18, pack 'S', 0);
            return { block => $block };
        });
        foreach my $sealed (0, 1, 1)
        {
            damage($t, 'a byte of a cold page' . ($sealed ? ', sealed' : ''), $sealed ? 'sealed' : 'right', sub {
                my ($pages) = @_;
                my $f = parse($pages->[$block]);
                my $at = HEADER + int rand($f->{lower} - HEADER);
                $pages->[$block] = flip($pages->[$block], $at);
                $pages->[$block] = seal($pages->[$block], $block) if $sealed;
                return { block => $block, what => "at $at", noticed => !$sealed };
            });
        }
    }
    # The leaf of a key is found by the page's first column, and that of its classes, which the leftmost page has. What
    # leads elsewhere must not do so for ever.
    my @fields = (codec => 1, width => 1, right_shift => 1, left_shift => 1, data_offset => 2, inverse_shift => 1,
        flags => 1, base => 8, slope => 8, inverse => 8, scale => 8);
    my $offset = 0;
    while (my ($field, $size) = splice @fields, 0, 2)
    {
        foreach my $of ('first column', 'classes')
        {
            my ($from, $to) = ($offset, $offset + $size);
            damage($t, "$field of the $of of a cold page, sealed", 'sealed', sub {
                my ($pages) = @_;
                my @with_classes = grep { substr($pages->[$_], HEADER + 16, 8) =~ /[^\0]/ } @cold;
                my $block = pick($of eq 'classes' ? @with_classes : @cold);
                my $column = $of eq 'classes' ? parse($pages->[$block])->{columns} : 0;
                my $at = HEADER + 32 + 40 * $column + $from + int rand $to - $from;
                set_sealed($pages, $block, $at, chr(ord(substr $pages->[$block], $at, 1) ^ 1 << int rand 8));
                return { block => $block, what => "at $at" };
            });
        }
        $offset += $size;
    }
    damage($t, 'a leaf is a cold page, sealed', 'noticed', sub {
        my ($pages) = @_;
        my $block = pick(@{ $t->{leaves} });
        set_sealed($pages, $block, SPECIAL + 18, pack 'S', COLD);
        return { block => $block };
    });
    return;
}

sub damage_files
{
    my ($t) = @_;
    my $blocks = scalar @{ $t->{pages} };
    foreach my $n ((map { pick($_->{head}, @{ $_->{data} }) } @{ $t->{segments} }), $blocks - 1, int rand $blocks)
    {
        damage($t, "the file ends after $n pages and some bytes", 'right', sub {
            my ($pages) = @_;
            my $part = substr($pages->[$n], 0, pick(0, int rand PAGE));
            splice @$pages, $n, @$pages - $n, (length $part ? $part : ());
            return {};
        });
    }
    foreach my $offers ("\xFF", "\0", undef)
    {
        my $what = !defined $offers ? 'anything' : $offers eq "\0" ? 'nothing' : 'everything';
        damage($t, "the free space map offers $what", 'intact',
            sub {
                my ($pages, $forks) = @_;
                foreach my $page (1 .. length($forks->{fsm}) / PAGE)
                {
                    my $tree = ($page - 1) * PAGE + HEADER + 4;
                    my $length = $page * PAGE - $tree;
                    substr($forks->{fsm}, $tree, $length) =
                      defined $offers ? $offers x $length : join '', map { chr int rand 256 } 1 .. $length;
                }
                return {};
            });
    }
    return;
}

# ---- The templates ----

my $node = new_node('damage', conf => <<'END');
autovacuum = off
restart_after_crash = on
# A damaged tree must not make a search run for ever.
statement_timeout = 10s
max_wal_size = 2GB
END
my $test = test_points($node) ? <<'END' : '';
LOAD 'omendb';
SET omendb.test_page_entries = 20;
SET omendb.test_segment_leaves = 14;
END
$node->safe_psql('postgres', <<'END');
CREATE TABLE original AS
  SELECT n AS id, spread(n) / 1000 AS k,
    CASE WHEN n % 17 > 0
      THEN 'https://example.org/' || CASE n % 3 WHEN 0 THEN 'item/' ELSE '' END || md5(n::text) END COLLATE "C" AS t,
    repeat(md5((n % 50)::text), n % 4) AS v
  FROM generate_series(1, 1300) AS n;

-- Runs a statement that returns a value; an error is an outcome, too.
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
  detail text;
  hint text;
BEGIN
  EXECUTE statement INTO result;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN format('error %s: %s %s %s', SQLSTATE, SQLERRM, detail, hint);
END $$;

-- Asks by all kinds of scans, and compares with a sequential scan.
CREATE FUNCTION ask(tab text, key text) RETURNS SETOF text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on
SET enable_bitmapscan = on SET enable_sort = on AS $$
DECLARE
  question record;
  way text;
  truth text;
  answer text;
BEGIN
  FOR question IN SELECT * FROM (VALUES
    ('all', '{only,bitmap,batched}'::text[], 'SELECT id, k, t, v FROM %1$s WHERE %2$s IS NOT NULL'),
    ('some', '{index}', 'SELECT id FROM %1$s WHERE %2$s IN (SELECT %2$s FROM original WHERE id %% 19 = 3)'),
    ('all', '{index}', 'SELECT %2$s FROM %1$s WHERE %2$s IS NOT NULL ORDER BY %2$s DESC'),
    ('some', '{index,batched}', 'SELECT %2$s, id FROM %1$s WHERE %2$s BETWEEN (SELECT %2$s FROM original WHERE id = 500)
      AND (SELECT %2$s FROM original WHERE id = 700)')) AS q (extent, ways, query)
  LOOP
    question.query := digest_query(format(question.query, tab, key), question.query ~ 'ORDER BY');
    PERFORM force_scan('seq');
    EXECUTE 'SELECT r::text FROM (' || question.query || ') AS r' INTO truth;
    FOREACH way IN ARRAY question.ways LOOP
      PERFORM force_scan(way);
      answer := outcome('SELECT r::text FROM (' || question.query || ') AS r');
      RETURN NEXT question.extent || ' ' || CASE WHEN answer = truth THEN 'same' WHEN answer LIKE 'error %' THEN answer
                  ELSE format('DIFFERENT %s scan: %s instead of %s: %s', way, answer, truth, question.query) END;
    END LOOP;
  END LOOP;
END $$;
END

sub path_of
{
    my ($relation) = @_;
    return $node->safe_psql('postgres', "SELECT pg_relation_filepath('$relation')");
}

# One with keys of variable width, and one with a line through them; each with a segment of every codec, but for the last
# leaves and some that writes brought back.
my @templates = (
    { name => 'bytes', key => 't', on => '(t, k DESC) INCLUDE (id, v)', last => 'https://example.org/i' },
    { name => 'fixed', key => 'k', on => '(k) INCLUDE (id, v, t)', last => '7000000000000000' });
foreach my $t (@templates)
{
    my ($name, $key) = @$t{ 'name', 'key' };
    my $in_order = "SELECT $key FROM original WHERE $key < '$t->{last}' ORDER BY $key";
    my $before = sub { return "($in_order LIMIT 1 OFFSET $_[0])::text" };
    foreach my $copy ($name, "${name}_other")
    {
        $node->safe_psql('postgres', "$test" . <<"END");
CREATE TABLE $copy (LIKE original);
INSERT INTO $copy TABLE original;
CREATE INDEX ${copy}_i ON $copy USING omendb $t->{on} WITH (cold_compression = zstd);
SELECT omendb_offload('${copy}_i', ${\$before->(250)});
ALTER INDEX ${copy}_i SET (cold_compression = snappy);
SELECT omendb_offload('${copy}_i', ${\$before->(450)});
ALTER INDEX ${copy}_i SET (cold_compression = none);
SELECT omendb_offload('${copy}_i', ${\$before->(620)});
ALTER INDEX ${copy}_i SET (cold_compression = lz4);
SELECT omendb_offload('${copy}_i', '$t->{last}');
INSERT INTO $copy SELECT id + 5000, k, t, v FROM original WHERE $key IN ($in_order LIMIT 40 OFFSET 200);
VACUUM $copy;
END
    }
    $t->{paths} = { heap => path_of($name), index => path_of("${name}_i"), other => path_of("${name}_other_i") };
    is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT a, ';') FROM ask('$name', '$key') AS a"),
        'all same;some same', "$name: the right answers before the damage");
}
check_all($node, 'before the damage');
$node->stop('fast');

foreach my $t (@templates)
{
    my $pages = read_pages($node->data_dir . "/$t->{paths}{index}");
    # The checksums that this test computes are those of the library.
    my @other = grep { $pages->[$_] ne seal($pages->[$_], $_) } 0 .. $#$pages;
    is("@other", '', "$t->{name}: the page format is as this test knows it");
    $t->{pages} = $pages;
    $t->{other_pages} = read_pages($node->data_dir . "/$t->{paths}{other}");
    $t->{segments} = [ segments_of($pages) ];
    $t->{cold_pages} = [ cold_pages_of($pages) ];
    $t->{leaves} = [ grep { parse($pages->[$_])->{flags} == 0 && parse($pages->[$_])->{level} == 0 } 2 .. $#$pages ];
    my $blocks = join ', ', map { scalar @{ $_->{data} } } @{ $t->{segments} };
    note("$t->{name}: " . @$pages . " pages, segments of $blocks blocks, " . @{ $t->{cold_pages} } . ' cold pages, '
          . @{ $t->{leaves} } . ' leaves');
    cmp_ok(scalar @{ $t->{segments} }, '>=', 3, "$t->{name}: several segments");
    foreach my $fork ('', '_fsm', '_vm')
    {
        my $file = $node->data_dir . "/$t->{paths}{heap}$fork";
        $t->{heap_files}{$fork} = slurp_file($file) if -e $file;
    }
    $t->{fsm} = slurp_file($node->data_dir . "/$t->{paths}{index}_fsm");
    damage($t, 'nothing', 'intact', sub { return {} });
    damage_bytes($t);
    damage_order($t);
    damage_cold_pages($t);
    damage_files($t);
}
summary(scalar(@damages) . ' damages');

# ---- What comes of it ----

# Copies the template's files to those of table and index n, and damages them.
sub do_damage
{
    my ($damage, $heap, $index) = @_;
    my $t = $damage->{template};
    my $pages = [ @{ $t->{pages} } ];
    my $forks = { fsm => $t->{fsm} };
    $damage->{done} = $damage->{change}->($pages, $forks);
    write_file("$heap$_", $t->{heap_files}{$_}) foreach keys %{ $t->{heap_files} };
    write_file($index, join '', @$pages);
    write_file("${index}_fsm", $forks->{fsm});
    return;
}

my %noticed;

sub judge
{
    my ($n, $damage) = @_;
    my ($done, $demand, $key) = ($damage->{done}, $damage->{demand}, $damage->{template}{key});
    my $name = "$n: $damage->{name}";
    $name .= " $done->{what}" if defined $done->{what};
    $name .= " (block $done->{block})" if defined $done->{block};
    # A page whose LSN is in the future cannot be written, which is PostgreSQL's own rule.
    my $write = $done->{lsn} ? '' : <<"END";
SELECT 'write ' || outcome('INSERT INTO d$n SELECT id + 10000, k, t, v FROM original WHERE id % 40 = 0 RETURNING 1');
SELECT 'write ' || outcome('DELETE FROM d$n WHERE id % 90 = 7 OR k > 8500000000000000 RETURNING 1');
VACUUM (INDEX_CLEANUP ON) d$n;
\\if :ERROR
\\echo vacuum error :SQLSTATE: :LAST_ERROR_MESSAGE
\\endif
SELECT 'write ' || outcome('SELECT count(omendb_offload(''i$n'', \$\$$damage->{template}{last}\$\$))');
SELECT 'check ' || outcome('SELECT omendb_check(''i$n'', true)');
SELECT 'answer ' || a FROM ask('d$n', '$key') AS a;
SELECT 'write ' || outcome('SELECT count(omendb_recall(''i$n''))');
SELECT 'answer ' || a FROM ask('d$n', '$key') AS a;
END
    my ($output, $errors, $timed_out) = ('', '');
    $node->psql(
        'postgres', <<"END", on_error_stop => 0, stdout => \$output, stderr => \$errors, timeout => 120, timed_out => \$timed_out);
SELECT 'check ' || outcome('SELECT omendb_check(''i$n'', true)');
SELECT 'answer ' || a FROM ask('d$n', '$key') AS a;
\\echo then
$write
REINDEX INDEX i$n;
SELECT 'repaired ' || outcome('SELECT omendb_check(''i$n'', true)');
SELECT 'repaired ' || compare('SELECT $key FROM d$n WHERE $key IS NOT NULL', '{only}');
DROP TABLE d$n;
\\echo end
END
    # psql says the rest of VACUUM's error elsewhere.
    my $more = join ' ', $errors =~ /^(?:DETAIL|HINT): (.*)/mg;
    my @lines = map { /^vacuum error/ ? "$_ $more" : $_ } split /\n/, $output;
    my ($then) = grep { $lines[$_] eq 'then' } 0 .. $#lines;
    my @problems;
    push @problems, 'it hangs' if $timed_out;
    push @problems, 'the server crashed' if $errors =~ /server closed the connection|connection to server .* failed/;
    push @problems, 'the end was not reached' unless @lines && $lines[-1] eq 'end';
    my @errors = grep { /^(check|answer \w+|write|vacuum) error/ } @lines;
    my @wrong = grep { /^answer \w+ (?!same$|error)/ } @lines;
    my $found = grep { /error XX00[12]/ } grep { /^check/ } @lines;
    # Before anything was written.
    my @all = grep { /^answer all/ } @lines[ 0 .. defined $then ? $then : $#lines ];
    my $code = $done->{code} || qr/XX002/;
    if ($demand eq 'intact')
    {
        push @problems, @wrong, @errors;
    }
    else
    {
        push @problems, 'wrong answers', ($found ? 'omendb_check sees it' : 'omendb_check does not see it'), @wrong
          if @wrong && !($demand eq 'sealed' && $found);
        # PostgreSQL may be the one to complain, of a row's address that its table has not.
        push @problems, grep { !/error XX00[012]:|58P01: could not open file/ } @errors if $demand eq 'sealed';
        push @problems, grep { !/error $code:.*(REINDEX|invalid page in block)/ } @errors if $demand ne 'sealed';
        if ($demand eq 'noticed' || $done->{noticed})
        {
            push @problems, 'omendb_check does not see it' if !$found;
            push @problems, 'a query of everything does not see it', @all if grep { !/error/ } @all;
            my @blocks = grep { defined } $done->{block}, $done->{other};
            my $named = join '|', @blocks;
            push @problems, grep { !/block ($named)\b/ } @all
              if @blocks && $damage->{name} !~ /sealed/;
        }
    }
    my @not_repaired = grep { /^repaired/ && !/^repaired (same, \d+ rows)?$/ } @lines;
    push @problems, 'REINDEX does not repair it', @not_repaired if @not_repaired;
    ok(!@problems, $name) or diag(join "\n", "damage $n", @problems, '--', $output, '--', $errors);
    $noticed{$demand}{ $found ? 'found' : 'not found' }++;
    if ($timed_out)
    {
        kill_server($node);
        BAIL_OUT('a backend waits for ever');
    }
    if ($errors =~ /server closed the connection|connection to server/)
    {
        $node->poll_query_until('postgres', 'SELECT true') or BAIL_OUT('the server does not come back');
    }
    return;
}

# As many at a time as do not fill the disk.
my $batch = 300;
for (my $first = 0; $first < @damages; $first += $batch)
{
    my @numbers = grep { $_ < @damages } $first .. $first + $batch - 1;
    $node->start;
    my %files = map { split /\|/ } split /\n/, $node->safe_psql('postgres', join('', map { <<"END" } @numbers) . <<'END');
CREATE TABLE d$_ (LIKE original);
CREATE INDEX i$_ ON d$_ USING omendb $damages[$_]{template}{on};
SELECT 'd$_', pg_relation_filepath('d$_') || ' ' || pg_relation_filepath('i$_');
END
-- The rows are older than the tables.
UPDATE pg_class SET relfrozenxid = (SELECT relfrozenxid FROM pg_class WHERE oid = 'original'::regclass) WHERE relname ~ '^d\d+$';
END
    $node->stop('fast');
    do_damage($damages[$_], map { $node->data_dir . "/$_" } split / /, $files{"d$_"}) foreach @numbers;
    $node->start;
    judge($_, $damages[$_]) foreach @numbers;
    $node->stop('fast');
}
foreach my $demand (sort keys %noticed)
{
    note("$demand: " . join ', ', map { "$noticed{$demand}{$_} $_" } sort keys %{ $noticed{$demand} });
}

no_crash($node, 'damage', qr/PANIC|TRAP:|was terminated by signal/);
done_testing();
