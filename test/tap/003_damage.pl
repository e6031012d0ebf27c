# A damaged index gives an error that names the block, or the right answer; never a crash, never a wrong answer.
# Whatever happened to it, REINDEX repairs it.
#
# There is a table for each way to damage its index, all of the same rows, so that the server is stopped once for all of
# them. The kinds of pages: metapage, root, inner page, leaf with and without a delta, deleted page.
#
# Flipped bytes, exchanged, zeroed and foreign pages and short files must be noticed by the checksums and the like.
# Pages changed together with their checksums, as a defect of the library would do it, need not be noticed by a query;
# omendb_check must notice them if an answer is wrong, and nothing may crash or run for ever.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes;

use constant PAGE => 8192;
use constant HEADER => 24;
use constant SPECIAL => PAGE - 24;
# Page flags, see src/tree/page.h.
use constant { META => 1, DELETED => 2, INCOMPLETE => 4 };

my $flips = 24 * $soak;     # bytes flipped, a page kind
my $sealed_flips = 12 * $soak;

# ---- Reading and changing pages ----

my @crc_table = map {
    my $c = $_;
    $c = $c & 1 ? ($c >> 1) ^ 0x82F63B78 : $c >> 1 for 1 .. 8;
    $c;
} 0 .. 255;

sub crc32c
{
    my ($bytes) = @_;
    my $crc = 0xFFFFFFFF;
    $crc = $crc_table[ ($crc ^ $_) & 0xFF ] ^ ($crc >> 8) foreach unpack 'C*', $bytes;
    return $crc ^ 0xFFFFFFFF;
}

# The fields of a page.
sub parse
{
    my ($page) = @_;
    my %f;
    @f{qw(lower upper special)} = unpack 'SSS', substr($page, 12, 6);
    @f{qw(left right page_crc base_crc delta flags version reserved id)} = unpack 'LLLLSSCCS', substr($page, SPECIAL);
    $f{node} = !($f{flags} & (META | DELETED));
    @f{qw(count size level)} = (unpack 'SCCSSSS', substr($page, HEADER, 12))[ 0, 3, 6 ];
    $f{size} = 0 unless $f{node};
    return \%f;
}

# The page with both of its checksums made right.
sub seal
{
    my ($page, $block) = @_;
    my $f = parse($page);
    # A header that no checksum can be computed from stays as it is.
    return $page
      if $f->{lower} < HEADER + $f->{size} || $f->{lower} > $f->{upper}
      || $f->{upper} > SPECIAL || $f->{special} != SPECIAL;
    substr($page, SPECIAL + 12, 4) = pack 'L', crc32c(substr($page, HEADER, $f->{size})) if $f->{node};
    substr($page, SPECIAL + 8, 4) = pack 'L', 0;
    my $after = HEADER + $f->{size};
    my $crc = crc32c(pack('LSS', $block, $f->{lower}, $f->{upper})
          . substr($page, $after, $f->{lower} - $after)
          . substr($page, $f->{upper}, SPECIAL - $f->{upper})
          . substr($page, SPECIAL));
    substr($page, SPECIAL + 8, 4) = pack 'L', $crc;
    return $page;
}

sub read_pages
{
    my ($file) = @_;
    my $bytes = slurp_file($file);
    return [ map { substr($bytes, $_ * PAGE, PAGE) } 0 .. length($bytes) / PAGE - 1 ];
}

sub write_pages
{
    my ($file, $pages) = @_;
    open my $out, '>', $file or die "$file: $!";
    binmode $out;
    print $out @$pages;
    close $out or die "$file: $!";
    return;
}

# ---- The damages ----

# Of each kind of page one block: the n-th, so that not all damages hit the same.
sub blocks_of
{
    my ($pages) = @_;
    my %kinds;
    foreach my $block (0 .. $#$pages)
    {
        my $f = parse($pages->[$block]);
        my $kind =
            $f->{flags} & META ? 'meta'
          : $f->{flags} & DELETED ? 'deleted'
          : $block == 1 ? 'root'
          : $f->{level} > 0 ? 'inner'
          : $f->{delta} > 0 ? 'leaf with delta'
          : 'leaf';
        push @{ $kinds{$kind} }, $block;
    }
    return \%kinds;
}

# Regions of a page and a random offset in each, the more the larger it is.
sub offset_in
{
    my ($page, $region) = @_;
    my $f = parse($page);
    my %regions = (
        'page header' => [ 0, HEADER ],
        'node header' => [ HEADER, HEADER + 24 ],
        'base' => [ HEADER, HEADER + $f->{size} ],
        'body' => [ HEADER, $f->{lower} ],
        'delta order' => [ HEADER + $f->{size}, $f->{lower} ],
        'hole' => [ $f->{lower}, $f->{upper} ],
        'delta' => [ $f->{upper}, SPECIAL ],
        'special space' => [ SPECIAL, PAGE ]);
    my ($from, $to) = @{ $regions{$region} };
    return $from < $to ? $from + int(rand($to - $from)) : undef;
}

sub flipped
{
    my ($page, $offset) = @_;
    my $byte = ord substr($page, $offset, 1);
    # One bit, or all of another value.
    my $other = rand() < 0.5 ? $byte ^ (1 << int(rand(8))) : ($byte + 1 + int(rand(255))) % 256;
    substr($page, $offset, 1) = chr $other;
    return $page;
}

# Each damage: a name, what it does to the pages, and the strictest of the outcomes it demands:
#   'noticed'  omendb_check must report it, by one of `blocks` where given
#   'right'    every answer must be right, or an error
#   'sealed'   omendb_check must report it if an answer is wrong
my @damages;

sub damage
{
    my ($name, $demand, $change, %more) = @_;
    push @damages, { name => $name, demand => $demand, change => $change, %more };
    return;
}

my $unknown_version = qr/has format version 2; version 1 is known|its format version is not known/;
my @kinds = ('meta', 'root', 'inner', 'leaf with delta', 'leaf', 'deleted');
foreach my $kind (@kinds)
{
    my @regions = $kind =~ /meta|deleted/ ? ('body') : ('node header', 'base', 'base', 'delta order', 'delta');
    foreach my $n (1 .. $flips)
    {
        my $region = ('page header', 'special space', 'hole', @regions, @regions)[ $n % (3 + 2 * @regions) ];
        damage(
            "$kind: a byte of the $region",
            'right',
            sub {
                my ($pages, $kinds) = @_;
                my $block = pick(@{ $kinds->{$kind} });
                my $offset = offset_in($pages->[$block], $region);
                $offset = offset_in($pages->[$block], 'special space') unless defined $offset;
                $pages->[$block] = flipped($pages->[$block], $offset);
                # What only PostgreSQL reads (LSN, checksum, flags, layout version, oldest xid) and the hole.
                my $unprotected =
                  $region eq 'hole' || $offset < 12 || $offset == 18 || 20 <= $offset && $offset < HEADER;
                return { block => $block, offset => $offset, noticed => !$unprotected, lsn => $offset < 8 };
            });
    }
    next if $kind eq 'deleted';
    damage(
        "$kind: all zeros", 'noticed',
        sub {
            my ($pages, $kinds) = @_;
            my $block = pick(@{ $kinds->{$kind} });
            $pages->[$block] = "\0" x PAGE;
            return { block => $block };
        });
    damage(
        "$kind: random bytes", 'noticed',
        sub {
            my ($pages, $kinds) = @_;
            my $block = pick(@{ $kinds->{$kind} });
            $pages->[$block] = join '', map { chr int rand 256 } 1 .. PAGE;
            return { block => $block };
        });
    # Two bytes tell the version: the metapage's body has it, too.
    damage(
        "$kind: a format version that is not known, sealed", 'noticed',
        sub {
            my ($pages, $kinds) = @_;
            my $block = pick(@{ $kinds->{$kind} });
            substr($pages->[$block], SPECIAL + 20, 1) = chr 2;
            $pages->[$block] = seal($pages->[$block], $block);
            return { block => $block, message => $unknown_version };
        });
    foreach my $n (1 .. $sealed_flips)
    {
        my $region = ('special space', @regions)[ $n % (1 + @regions) ];
        damage(
            "$kind: a byte of the $region, sealed", 'sealed',
            sub {
                my ($pages, $kinds) = @_;
                my $block = pick(@{ $kinds->{$kind} });
                my $offset = offset_in($pages->[$block], $region);
                return { block => $block, offset => 'none' } unless defined $offset;
                $pages->[$block] = seal(flipped($pages->[$block], $offset), $block);
                return { block => $block, offset => $offset };
            });
    }
    my %partner = (meta => 'root', root => 'inner', inner => 'inner', 'leaf with delta' => 'leaf', leaf => 'leaf');
    damage(
        "$kind: exchanged with a page of kind $partner{$kind}", 'noticed',
        sub {
            my ($pages, $kinds) = @_;
            my $block = $kinds->{$kind}[0];
            my $other = $kinds->{ $partner{$kind} }[-1];
            @$pages[ $block, $other ] = @$pages[ $other, $block ];
            return { block => $block, other => $other };
        });
    damage(
        "$kind: an older copy of it is not what its siblings say", 'sealed',
        sub {
            my ($pages, $kinds) = @_;
            my $block = $kinds->{$kind}[0];
            my $other = $kinds->{ $partner{$kind} }[-1];
            $pages->[$block] = seal($pages->[$other], $block);
            return { block => $block, other => $other };
        });
}
damage(
    'meta: a format version in its body that is not known, sealed', 'noticed',
    sub {
        my ($pages) = @_;
        substr($pages->[0], HEADER + 4, 4) = pack 'L', 2;
        $pages->[0] = seal($pages->[0], 0);
        return { block => 0, message => $unknown_version };
    });
damage(
    'meta: another number of columns, sealed', 'noticed',
    sub {
        my ($pages) = @_;
        substr($pages->[0], HEADER + 8, 4) = pack 'L', 7;
        $pages->[0] = seal($pages->[0], 0);
        return { block => 0 };
    });
damage(
    "$_ pages of the file are left", 'right',
    sub {
        my ($pages) = @_;
        splice @$pages, $_[2];
        return { short => 1 };
    },
    pages => $_) foreach 0, 1, 2, 3, 10;
damage(
    'half of the file is left, and half a page', 'right',
    sub {
        my ($pages) = @_;
        splice @$pages, @$pages / 2;
        $pages->[-1] = substr($pages->[-1], 0, PAGE / 2);
        return { short => 1 };
    });
damage(
    'the last page is gone', 'right',
    sub {
        my ($pages) = @_;
        pop @$pages;
        return { short => 1 };
    });

# ---- A table each, and the right answers ----

my $node = new_node('damage', conf => <<'END');
autovacuum = off
restart_after_crash = on
# A damaged tree must not make a search run for ever.
statement_timeout = 20s
max_wal_size = 2GB
END
$node->safe_psql('postgres', <<'END');
-- Groups of a hundred rows that differ in the last key column only make separators that cannot be shortened, and the
-- included columns make wide entries: few rows make a tree of three levels.
CREATE TABLE original AS
  SELECT n AS id, spread(m) AS a, hashint8extended(m, 1) AS b, hashint8extended(m, 2) AS c, hashint8extended(m, 3) AS d,
    hashint8extended(m, 4) AS e, hashint8extended(m, 5) AS f, hashint8extended(m, 6) AS g, spread(n) AS k,
    hashint8extended(n, 7) AS v
  FROM generate_series(1, 4000) AS n, LATERAL (SELECT n / 100 AS m) AS m;

-- Runs a statement that returns a value; an error is an outcome, too.
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
  detail text;
BEGIN
  EXECUTE statement INTO result;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
  RETURN format('error %s: %s %s', SQLSTATE, SQLERRM, detail);
END $$;

-- All kinds of scans, and of what they look for.
CREATE FUNCTION questions(tab text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT format(q, tab) FROM unnest('{
    "SELECT a, b, k, id FROM %s WHERE a IS NOT NULL",
    "SELECT a, c, id FROM %s WHERE a BETWEEN -1000000000000000000 AND 2000000000000000000",
    "SELECT a, v, k FROM %s WHERE a = ANY (ARRAY(SELECT spread(n) FROM generate_series(1, 40, 7) AS n))"
  }'::text[]) AS q
$$;
CREATE FUNCTION ask(tab text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT outcome(format('SELECT compare(%L, %L)', q, array[way]))
  FROM questions(tab) AS q, unnest('{index,only,bitmap}'::text[]) AS way
  UNION ALL
  SELECT outcome(format('SELECT compare(%L, %L, true)', format('SELECT a FROM %s ORDER BY a DESC', tab), '{index}'))
$$;
END
my $script = '';
foreach my $n (0 .. $#damages)
{
    # Deltas come from the insertions after the build, deleted pages from VACUUM.
    $script .= <<"END";
CREATE TABLE d$n (LIKE original);
INSERT INTO d$n SELECT * FROM original WHERE id <= 3900;
CREATE INDEX i$n ON d$n USING omendb (a, b, c, d, e, f, g, k) INCLUDE (id, v, v, v, v, v, v, v) WITH (fillfactor = 25);
INSERT INTO d$n SELECT * FROM original WHERE id > 3900;
DELETE FROM d$n WHERE a BETWEEN 1000000000000000000 AND 1700000000000000000;
VACUUM (INDEX_CLEANUP ON) d$n;
SELECT pg_relation_filepath('i$n');
END
}
my @files = split /\n/, $node->safe_psql('postgres', $script);
is(scalar @files, scalar @damages, scalar(@damages) . ' tables');
check_all($node, 'before the damage');
$node->stop('fast');

foreach my $n (0 .. $#damages)
{
    my $damage = $damages[$n];
    my $file = $node->data_dir . '/' . $files[$n];
    my $pages = read_pages($file);
    my $kinds = blocks_of($pages);
    if ($n == 0)
    {
        note(join ', ', map { @{ $kinds->{$_} || [] } . " $_" } @kinds);
        BAIL_OUT("no page of kind \"$_\"") foreach grep { !$kinds->{$_} } @kinds;
        # The checksums that this test computes are those of the library.
        my @other = grep { $pages->[$_] ne seal($pages->[$_], $_) } 0 .. $#$pages;
        is("@other", '', 'the page format is as this test knows it');
    }
    $damage->{done} = $damage->{change}->($pages, $kinds, $damage->{pages});
    write_pages($file, $pages);
}
$node->start;

# ---- What comes of it ----

# Every block that a damage may be reported at: itself, and for pages that are sound in themselves whatever is near.
sub names_block
{
    my ($line, $done) = @_;
    return 1 if $done->{short};
    return grep { defined && $line =~ /\bblock $_\b/i } $done->{block}, $done->{other};
}

sub wait_until_up
{
    for (1 .. 100)
    {
        return if $node->psql('postgres', 'SELECT 1') == 0;
        Time::HiRes::sleep(0.1);
    }
    BAIL_OUT('the server did not come back');
}

my %noticed;
foreach my $n (0 .. $#damages)
{
    my $damage = $damages[$n];
    my $done = $damage->{done};
    my $name = $damage->{name};
    $name .= " (block $done->{block}" . (defined $done->{offset} ? ", offset $done->{offset}" : '') . ')'
      if defined $done->{block};
    # A page whose LSN is in the future cannot be written, which is PostgreSQL's own rule.
    my $write = $done->{lsn} ? '' : <<"END";
\\connect
SELECT 'insert ' || outcome('INSERT INTO d$n
  SELECT id + 10000, a, b, c, d, e, f, g, k + 1, v FROM original WHERE id % 40 = 0 RETURNING 1');
\\connect
VACUUM (INDEX_CLEANUP ON) d$n;
\\if :ERROR
\\echo vacuum error :SQLSTATE: :LAST_ERROR_MESSAGE
\\else
\\echo vacuum done
\\endif
\\connect
SELECT 'check ' || outcome('SELECT omendb_check(''i$n'', true)');
SELECT 'answer ' || a FROM ask('d$n') AS a;
END
    # A new connection remembers nothing of what an earlier one has verified.
    my ($status, $output, $errors) = $node->psql('postgres', <<"END", on_error_stop => 0);
SELECT 'check ' || outcome('SELECT omendb_check(''i$n'')');
\\connect
SELECT 'check ' || outcome('SELECT omendb_check(''i$n'', true)');
\\connect
SELECT 'answer ' || a FROM ask('d$n') AS a;
$write
\\connect
REINDEX INDEX i$n;
SELECT 'repaired ' || outcome('SELECT omendb_check(''i$n'', true)');
SELECT 'repaired ' || a FROM ask('d$n') AS a;
DROP TABLE d$n;
\\echo end
END
    # psql says the detail of VACUUM's error elsewhere.
    my $detail = join ' ', $errors =~ /^DETAIL: (.*)/mg;
    my @lines = map { /^vacuum error/ ? "$_ $detail" : $_ } split /\n/, $output;
    my @problems;
    push @problems, 'the server crashed' if $errors =~ /server closed the connection|connection to server .* failed/;
    push @problems, 'the end was not reached' unless @lines && $lines[-1] eq 'end';
    my @errors = grep { /^(check|answer|insert|vacuum) error/ } @lines;
    my @wrong = grep { /^answer (?!same, \d+ rows$|error)/ } @lines;
    my @checks = grep { /^check/ } @lines;
    my $found = grep { /error XX00[12]/ } @checks;
    if ($damage->{demand} eq 'sealed')
    {
        push @problems, 'wrong answers, and omendb_check does not see it', @wrong if @wrong && !$found;
        # PostgreSQL may be the one to complain, of a block that the file has not or a TID that cannot be.
        push @problems, grep { !/error XX00[012]:/ } @errors;
    }
    else
    {
        push @problems, @wrong;
        push @problems, grep { !/error XX00[12]:/ || !names_block($_, $done) } @errors;
        push @problems, 'omendb_check does not see it'
          if !$found && ($damage->{demand} eq 'noticed' || $done->{noticed});
        push @problems, grep { $_ !~ $done->{message} } @errors if $done->{message};
    }
    push @problems, 'REINDEX does not repair it', grep { /^repaired/ && !/^repaired (same, \d+ rows)?$/ } @lines
      if grep { /^repaired/ && !/^repaired (same, \d+ rows)?$/ } @lines;
    ok(!@problems, $name) or diag(join "\n", @problems, '--', $output, '--', $errors);
    $noticed{ $damage->{demand} }{ $found ? 'found' : 'not found' }++;
    wait_until_up() if $errors =~ /server closed the connection|connection to server/;
}
note("$_: " . join ', ', map { "$noticed{$_->[0]}{$_->[1]} $_->[1]" } [ $_, 'found' ], [ $_, 'not found' ])
  foreach grep { $noticed{$_}{found} && $noticed{$_}{'not found'} } sort keys %noticed;

no_crash($node, 'damage', qr/PANIC|TRAP:|was terminated by signal/);
$node->stop;
done_testing();
