# A damaged index gives an error that names the block, or the right answer; never a crash, never a wrong answer, never
# an endless loop. Whatever happened to it, REINDEX repairs it.
#
# Of a table and its index there is a copy of the files for each way to damage them, so that the server is stopped once
# for many of them. The kinds of pages: metapage, root (an inner page, and the only leaf of a small index), inner page,
# leaf with and without a delta, left page of a split that is not complete, deleted page, page that was never written.
# Each region of each kind is overwritten; files are cut, pages are exchanged.
#
# Flipped bytes, exchanged, zeroed and foreign pages and short files must be noticed by the checksums and the like.
# Pages changed together with their checksums, as a defect of the library would do it, need not be noticed by a query;
# omendb_check must notice them if an answer is wrong, and nothing may crash or run for ever.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes;

# Of the index `deep`: key columns, and value columns of a leaf.
use constant { KEYS => 8, VALUES => 16 };

# ---- Changing pages ----

# The fields and other regions of a page: name, first byte, end. Empty ones are left out.
sub regions
{
    my ($page) = @_;
    my $f = parse($page);
    my (@regions, $at);
    my $fields = sub {
        my ($group, $from, @sizes) = @_;
        while (my ($field, $size) = splice @sizes, 0, 2)
        {
            push @regions, [ "$group, $field", $from, $from + $size ];
            $from += $size;
        }
        return $from;
    };
    $fields->('page header', 0, 'lsn', 8, 'checksum', 2, 'flags', 2, 'lower', 2, 'upper', 2, 'special', 2, 'size', 2,
        'oldest xid', 4);
    if ($f->{flags} & META)
    {
        $fields->('body', HEADER, map { ($_ => 4) } 'magic', 'version', 'key columns', 'value columns',
            'deleted pages', 'segments');
    }
    elsif ($f->{flags} & DELETED) { $fields->('body', HEADER, 'xid', 8) }
    elsif ($f->{node})
    {
        $fields->('node header', HEADER, 'count', 2, 'key columns', 1, 'columns', 1, 'size', 2, 'low fence', 2,
            'high fence', 2, 'level', 2, 'tid span', 2, 'tid bias', 2, 'class columns', 8);
        # Of each field one column's; and of the words.
        my $columns = HEADER + 24;
        my @column = qw(codec 1 width 1 right-shift 1 left-shift 1 data-offset 2 inverse-shift 1 flags 1 base 8 slope 8
          inverse 8 scale 8);
        my $offset = 0;
        while (my ($field, $size) = splice @column, 0, 2)
        {
            my $c = int rand $f->{headers};
            $at = $columns + 40 * $c + $offset;
            push @regions, [ "column $c, $field", $at, $at + $size ];
            $offset += $size;
        }
        my $fences_end = $columns + 40 * $f->{headers};
        foreach my $fence ('low', 'high')
        {
            next unless $f->{$fence};
            $at = $fields->("$fence fence", HEADER + $f->{$fence}, 'tid', 8, 'ordinals', 8 * $f->{keys}, 'classes',
                $f->{keys}, 'padding', -$f->{keys} % 8);
            $fences_end = $at if $at > $fences_end;
        }
        my %data =
          map { $_ => 1 } grep { $_ } map { unpack 'S', substr($page, $columns + 40 * $_ + 4, 2) } 0 .. $f->{headers} - 1;
        my @data = ((sort { $a <=> $b } keys %data), $f->{size});
        push @regions, [ 'padding', $fences_end, HEADER + $data[0] ];
        my $c = int rand $#data;
        push @regions, [ "words $c", HEADER + $data[$c], HEADER + $data[ $c + 1 ] ] if $#data > 0;
        push @regions, [ 'delta order', HEADER + $f->{size}, $f->{lower} ];
    }
    push @regions, [ 'hole', $f->{lower}, $f->{upper} ], [ 'delta', $f->{upper}, SPECIAL ];
    if ($f->{node} && $f->{delta})
    {
        my $values = int(($f->{stride} - 6) / 9);
        $fields->('a delta entry', $f->{upper} + $f->{stride} * int rand $f->{delta}, 'values', 8 * $values,
            'tid block', 4, 'tid offset', 2, 'classes', $values, ($f->{level} ? ('child', 4) : ()));
    }
    $fields->('special space', SPECIAL, map({ ($_ => 4) } 'left link', 'right link', 'page crc', 'base crc'),
        'delta count', 2, 'flags', 2, 'version', 1, 'reserved', 1, 'page id', 2);
    return grep { $_->[1] < $_->[2] } @regions;
}

# Overwrites a range of bytes in one of several ways. They are others afterwards.
sub overwritten
{
    my ($page, $from, $to, $other_page) = @_;
    my $before = substr($page, $from, $to - $from);
    my $bytes = $before;
    my $way = pick('bit', 'byte', 'zeros', 'ones', 'random', 'of another page');
    $bytes = "\0" x length $before if $way eq 'zeros';
    $bytes = "\xFF" x length $before if $way eq 'ones';
    $bytes = join '', map { chr int rand 256 } 1 .. length $before if $way eq 'random';
    $bytes = substr($other_page, $from, $to - $from) if $way eq 'of another page';
    if ($bytes eq $before)
    {
        my $at = int rand length $bytes;
        my $byte = ord substr($bytes, $at, 1);
        $byte = $way eq 'byte' ? ($byte + 1 + int rand 255) % 256 : $byte ^ (1 << int rand 8);
        substr($bytes, $at, 1) = chr $byte;
        $way = "$way at " . ($from + $at) unless $way =~ / /;
    }
    substr($page, $from, $to - $from) = $bytes;
    return ($page, $way);
}

# What only PostgreSQL reads (LSN, checksum, flags, layout version, oldest xid), and the hole.
sub is_protected
{
    my ($before, $after) = @_;
    my $f = parse($before);
    return 0 if $f->{upper} == 0 && parse($after)->{upper} == 0;
    my $changed = $before ^ $after;
    my $mask = "\xFF" x PAGE;
    substr($mask, $_->[0], $_->[1] - $_->[0]) = "\0" x ($_->[1] - $_->[0])
      foreach [ 0, 12 ], [ 18, 19 ], [ 20, HEADER ], [ $f->{lower}, $f->{upper} ];
    return ($changed & $mask) =~ /[^\0]/ ? 1 : 0;
}

# Takes the downlink that came last out of the parent's delta: the index as it is between the two records of a split.
sub undo_downlink
{
    my ($pages) = @_;
    foreach my $parent (1 .. $#$pages)
    {
        my $f = parse($pages->[$parent]);
        next unless $f->{node} && $f->{level} == 1 && $f->{delta};
        my $child = unpack 'L', substr($pages->[$parent], $f->{upper} + $f->{stride} - 4, 4);
        my $left = parse($pages->[$child])->{left};
        next if $left == NO_BLOCK || parse($pages->[$left])->{flags};
        my $order = substr($pages->[$parent], HEADER + $f->{size}, $f->{delta});
        my $last = chr($f->{delta} - 1);
        $order =~ s/\Q$last\E//s;
        my $page = $pages->[$parent];
        substr($page, HEADER + $f->{size}, $f->{delta}) = "$order\0";
        substr($page, 12, 4) = pack 'SS', $f->{lower} - 1, $f->{upper} + $f->{stride};
        substr($page, SPECIAL + 16, 2) = pack 'S', $f->{delta} - 1;
        $pages->[$parent] = seal($page, $parent);
        set_sealed($pages, $left, SPECIAL + 18, pack 'S', INCOMPLETE);
        return;
    }
    BAIL_OUT('no split can be undone');
}

# Of each kind of page the blocks.
sub blocks_of
{
    my ($pages) = @_;
    my %kinds;
    foreach my $block (0 .. $#$pages)
    {
        my $f = parse($pages->[$block]);
        my $kind =
            $f->{upper} == 0 ? 'never written'
          : $f->{flags} & META ? 'meta'
          : $f->{flags} & DELETED ? 'deleted'
          : $block == 1 ? ($f->{level} ? 'root' : 'root leaf')
          : $f->{level} > 0 ? ($f->{delta} ? 'inner with delta' : 'inner')
          : $f->{flags} & INCOMPLETE ? 'incomplete split'
          : $f->{delta} > 0 ? 'leaf with delta'
          : 'leaf';
        push @{ $kinds{$kind} }, $block;
    }
    return \%kinds;
}

# ---- The damages ----

# Each damage: a name, the template that it happens to, what it does to the pages, and the strictest of the outcomes it
# demands:
#   'intact'   nothing complains
#   'noticed'  omendb_check must report it, by one of `blocks` where given
#   'right'    every answer must be right, or an error
#   'sealed'   omendb_check must report it if an answer is wrong
my @damages;

sub damage
{
    my ($template, $name, $demand, $change, %more) = @_;
    push @damages, { template => $template, name => $name, demand => $demand, change => $change, %more };
    return;
}

damage('deep', 'nothing', 'intact', sub { return {} });
damage('small', 'nothing', 'intact', sub { return {} });

# What comes of a page that PostgreSQL itself refuses to read.
my $by_postgres = qr/XX00[12]/;
my $unknown_version = qr/has format version \d+; version 2 is known|its format version is not known/;

my @deep_kinds = ('meta', 'root', 'inner', 'inner with delta', 'leaf with delta', 'leaf', 'incomplete split', 'deleted',
    'never written');

# The template's pages are known only later: `regions` and `blocks` are made then.
sub damage_regions
{
    my ($template, $kind, $template_pages) = @_;
    my $kinds = blocks_of($template_pages);
    foreach my $sealed (0, 1)
    {
        foreach (1 .. $soak)
        {
            my @names = map { $_->[0] } regions($template_pages->[ pick(@{ $kinds->{$kind} }) ]);
            foreach my $i (0 .. $#names)
            {
                next if $sealed && $names[$i] =~ /crc|^hole$|lsn|checksum/;
                damage(
                    $template,
                    "$kind: " . ($sealed ? 'sealed, ' : ''),
                    $sealed ? 'sealed' : 'right',
                    sub {
                        my ($pages, $kinds) = @_;
                        my $block = pick(@{ $kinds->{$kind} });
                        my $before = $pages->[$block];
                        my @regions = regions($before);
                        # The same field, unless this page has no such.
                        my $pattern = $names[$i] =~ s/ \d+//r;
                        my ($region) = grep { ($_->[0] =~ s/ \d+//r) eq $pattern } @regions;
                        $region ||= pick(@regions);
                        my $other = pick(grep { $_ != $block } 0 .. $#$pages);
                        ($pages->[$block], my $way) =
                          overwritten($before, @$region[ 1, 2 ], $pages->[$other]);
                        $pages->[$block] = seal($pages->[$block], $block) if $sealed;
                        my $lsn = substr($before, 0, 8) ne substr($pages->[$block], 0, 8);
                        return {
                            block => $block,
                            what => "$region->[0] ($way)",
                            noticed => is_protected($before, $pages->[$block]),
                            lsn => $lsn,
                            $region->[1] < HEADER || $kind eq 'never written' ? (code => $by_postgres) : () };
                    });
            }
        }
    }
    return;
}

sub damage_whole_pages
{
    my ($kind, $kinds) = @_;
    # Gives it other contents.
    my $replace = sub {
        my ($name, $demand, $contents, %more) = @_;
        damage(
            'deep',
            "$kind: $name",
            $demand,
            sub {
                my ($pages, $kinds, $old, $other_index) = @_;
                my $block = pick(@{ $kinds->{$kind} });
                $pages->[$block] = $contents->($block, $pages, $kinds, $old, $other_index);
                return { block => $block, lsn => 1, code => $by_postgres, %more };
            });
        return;
    };
    my $nothing_there = $kind eq 'deleted' || $kind eq 'never written';
    $replace->('all zeros', $nothing_there ? 'right' : 'noticed', sub { return "\0" x PAGE }, lsn => 0);
    $replace->('all ones', 'noticed', sub { return "\xFF" x PAGE });
    $replace->('random bytes', 'noticed', sub { return join '', map { chr int rand 256 } 1 .. PAGE });
    # Half a page was written.
    $replace->('its end is of another page', 'noticed',
        sub {
            my ($block, $pages) = @_;
            my $other = pick(grep { $_ != $block && parse($pages->[$_])->{node} } 1 .. $#$pages);
            return substr($pages->[$block], 0, PAGE / 2) . substr($pages->[$other], PAGE / 2);
        }) unless $kind eq 'never written';
    return if $nothing_there;
    # Sound in itself: only what is around it tells. The last is a write that was lost.
    foreach my $partner (grep { $_ ne 'never written' } @deep_kinds)
    {
        $replace->("a copy of a page of kind \"$partner\", sealed", 'sealed',
            sub {
                my ($block, $pages, $kinds) = @_;
                return seal($pages->[ pick(@{ $kinds->{$partner} }) ], $block);
            }, lsn => 0);
    }
    $replace->('a page of another index, of as many columns', 'sealed',
        sub { my ($block, $pages, $kinds, $old, $other_index) = @_; return $other_index->[$block] }, lsn => 0);
    $replace->('an older version of itself', 'sealed',
        sub { my ($block, $pages, $kinds, $old) = @_; return $old->[$block] || "\0" x PAGE }, lsn => 0);
    # Two bytes tell the version: the metapage's body has it, too.
    damage(
        'deep',
        "$kind: a format version that is not known, sealed",
        'noticed',
        sub {
            my ($pages, $kinds) = @_;
            my $block = pick(@{ $kinds->{$kind} });
            set_sealed($pages, $block, SPECIAL + 20, chr 3);
            return { block => $block, message => $unknown_version };
        });
    foreach my $partner (grep { $_ ne 'never written' && ($_ ne $kind || @{ $kinds->{$_} } > 1) } @deep_kinds)
    {
        damage(
            'deep',
            "$kind: exchanged with a page of kind \"$partner\"",
            'noticed',
            sub {
                my ($pages, $kinds) = @_;
                my $block = $kinds->{$kind}[0];
                my $other = $kinds->{$partner}[-1];
                @$pages[ $block, $other ] = @$pages[ $other, $block ];
                return { block => $block, other => $other };
            });
    }
    return;
}

# Links that lead wherever they should not. A search must not go round in circles, nor wait for itself.
sub damage_links
{
    my %target = (
        'itself' => sub { my ($pages, $kinds, $block) = @_; return $block },
        'its left sibling' => sub { my ($pages, $kinds, $block) = @_; return parse($pages->[$block])->{left} },
        'its right sibling' => sub { my ($pages, $kinds, $block) = @_; return parse($pages->[$block])->{right} },
        'the end of the file' => sub { my ($pages) = @_; return scalar @$pages },
        'far beyond the file' => sub { return 0xFFFFFFFE },
        'nowhere' => sub { return NO_BLOCK },
        map { my $kind = $_; ("a page of kind \"$kind\"" => sub { my ($pages, $kinds) = @_; return pick(@{ $kinds->{$kind} }) }) }
          @deep_kinds);
    foreach my $to (sort keys %target)
    {
        foreach my $kind ('root', 'inner', 'inner with delta', 'leaf', 'leaf with delta', 'incomplete split')
        {
            foreach my $link ([ 'left', 0 ], [ 'right', 4 ])
            {
                damage(
                    'deep',
                    "$kind: its $link->[0] link leads to $to, sealed",
                    'sealed',
                    sub {
                        my ($pages, $kinds) = @_;
                        my $block = pick(@{ $kinds->{$kind} });
                        set_sealed($pages, $block, SPECIAL + $link->[1], pack 'L', $target{$to}->($pages, $kinds, $block));
                        return { block => $block };
                    });
            }
        }
        damage(
            'deep',
            "inner with delta: a downlink leads to $to, sealed",
            'sealed',
            sub {
                my ($pages, $kinds) = @_;
                my $block = pick(@{ $kinds->{'inner with delta'} });
                my $f = parse($pages->[$block]);
                set_sealed($pages, $block, $f->{upper} + $f->{stride} - 4, pack 'L', $target{$to}->($pages, $kinds, $block));
                return { block => $block };
            });
    }
    return;
}

# Fields with values that are possible in themselves.
sub damage_fields
{
    my $field = sub {
        my ($name, $kinds, $offset, @values) = @_;
        foreach my $kind (@$kinds)
        {
            foreach my $value (@values)
            {
                damage(
                    'deep',
                    "$kind: $name, sealed",
                    'sealed',
                    sub {
                        my ($pages, $kinds) = @_;
                        my $block = pick(@{ $kinds->{$kind} });
                        my $f = parse($pages->[$block]);
                        my $at = ref $offset ? $offset->($f, $pages->[$block]) : $offset;
                        set_sealed($pages, $block, $at, $value);
                        return { block => $block, what => 'is ' . unpack 'H*', $value };
                    });
            }
        }
        return;
    };
    my @nodes = ('root', 'inner', 'inner with delta', 'leaf', 'leaf with delta', 'incomplete split');
    $field->('flags', [@nodes], SPECIAL + 18, map { pack 'S', $_ } META, DELETED, INCOMPLETE, 0);
    $field->('level', [@nodes], HEADER + 10, map { pack 'S', $_ } 0, 1, 2, 3, 65535);
    $field->('count', [@nodes], HEADER, map { pack 'S', $_ } 0, 1, 2, 8192);
    $field->('xid', ['deleted'], HEADER, pack('Q', 3), pack('Q', ~0));
    $field->('deleted pages', ['meta'], HEADER + 16, pack('L', 0), pack('L', 1000));
    $field->('tid bias', [ 'leaf', 'leaf with delta' ], HEADER + 14, map { pack 'S', $_ } 0, 1, 300, 65535);
    foreach my $fence ('low', 'high')
    {
        # The first ordinal and its class.
        my $at = sub { my ($f) = @_; return HEADER + ($f->{$fence} || $f->{low}) + 8 };
        $field->("$fence fence", ['inner', 'leaf', 'incomplete split'], $at, map { pack 'Q', $_ } 0, 1 << 63, ~0);
        $field->("class of the $fence fence", ['inner', 'leaf', 'incomplete split'], sub { return $at->(@_) + 8 * KEYS },
            map { chr $_ } 0, 3, 255);
    }
    my $delta_tid = sub { my ($f) = @_; return $f->{upper} + 8 * VALUES };
    $field->('tid of a delta entry', ['leaf with delta'], $delta_tid,
        map { pack 'LS', @$_ } [ 0, 0 ], [ 0, 292 ], [ 0, 65535 ], [ 0, 1 ], [ 1_000_000_000, 1 ], [ NO_BLOCK, 1 ]);
    foreach my $kind ('leaf with delta', 'inner with delta')
    {
        damage(
            'deep',
            "$kind: the delta order is turned round, sealed",
            'sealed',
            sub {
                my ($pages, $kinds) = @_;
                my $block = pick(@{ $kinds->{$kind} });
                my $f = parse($pages->[$block]);
                my $order = reverse substr($pages->[$block], HEADER + $f->{size}, $f->{delta});
                set_sealed($pages, $block, HEADER + $f->{size}, $order);
                return { block => $block };
            });
    }
    # Hints at dead entries, in the hole: of all of the first 32, with the checksum of such a word, and with another.
    foreach my $forged (1, 0)
    {
        damage(
            'deep',
            'leaf: hints that entries are dead, ' . ($forged ? 'sealed' : 'which do not verify'),
            $forged ? 'sealed' : 'intact',
            sub {
                my ($pages, $kinds) = @_;
                my $block = pick(@{ $kinds->{leaf} });
                my $f = parse($pages->[$block]);
                my $at = int(($f->{lower} + 7) / 8) * 8;
                die "block $block has no room for hints" if $at + 8 > $f->{upper};
                my $check = crc32c(pack 'LLL', $f->{page_crc}, 0, 0xFFFFFFFF);
                substr($pages->[$block], 10, 2) = pack 'S', 1;
                substr($pages->[$block], $at, 8) = pack 'LL', 0xFFFFFFFF, $check ^ ($forged ? 0 : 1);
                return { block => $block };
            });
    }
    damage(
        'deep',
        'meta: a format version in its body that is not known, sealed',
        'noticed',
        sub {
            my ($pages) = @_;
            set_sealed($pages, 0, HEADER + 4, pack 'L', 3);
            return { block => 0, message => $unknown_version };
        });
    damage(
        'deep',
        'meta: another number of columns, sealed',
        'noticed',
        sub {
            my ($pages) = @_;
            set_sealed($pages, 0, HEADER + 8, pack 'L', 7);
            return { block => 0 };
        });
    return;
}

sub damage_files
{
    my ($blocks) = @_;
    my @all = (0 .. $blocks - 1);
    my @some = $soak > 1 ? @all : (0 .. 4, $blocks - 2, $blocks - 1, map { pick(@all) } 1 .. 5);
    foreach my $n (@some)
    {
        # At the end of a page, or in the middle of the next.
        foreach my $bytes (0, pick(1, HEADER, PAGE / 2, PAGE - 1))
        {
            damage(
                'deep',
                "the file ends after $n pages and $bytes bytes",
                'right',
                sub {
                    my ($pages) = @_;
                    my $part = substr($pages->[$n], 0, $bytes);
                    splice @$pages, $n, @$pages - $n, ($bytes ? $part : ());
                    return { short => 1 };
                });
        }
    }
    foreach my $offers ('every page', 'no page', 'random bytes')
    {
        damage(
            'deep',
            "the free space map offers $offers",
            'intact',
            sub {
                my ($pages, $kinds, $old, $other_index, $forks) = @_;
                # Page header, then the next slot to look at, then a byte a node: how much it offers.
                foreach my $page (1 .. length($forks->{fsm}) / PAGE)
                {
                    my $tree = ($page - 1) * PAGE + HEADER + 4;
                    my $length = $page * PAGE - $tree;
                    substr($forks->{fsm}, $tree, $length) =
                        $offers eq 'every page' ? "\xFF" x $length
                      : $offers eq 'no page' ? "\0" x $length
                      : join '', map { chr int rand 256 } 1 .. $length;
                }
                return {};
            });
    }
    # Their block numbers are right, and so are their checksums.
    foreach my $block (0, 1)
    {
        damage(
            'deep',
            "block $block: that of an index of fewer columns",
            'noticed',
            sub {
                my ($pages, $kinds, $old, $other_index, $forks, $narrow) = @_;
                $pages->[$block] = $narrow->[$block];
                return { block => $block };
            });
    }
    return;
}

# ---- The templates ----

my $node = new_node('damage', conf => <<'END');
autovacuum = off
restart_after_crash = on
# A damaged tree must not make a search run for ever.
statement_timeout = 20s
max_wal_size = 2GB
END
$node->safe_psql('postgres', <<'END');
-- Groups of a hundred rows that differ in the last key column only make separators that cannot be shortened, and the
-- included columns make wide entries: few rows make a tree of three levels. The last rows crowd in one group: there,
-- pages split.
CREATE TABLE original AS
  SELECT n AS id, spread(m) AS a, CASE WHEN m % 3 > 0 THEN hashint8extended(m, 1) END AS b, hashint8extended(m, 2) AS c,
    hashint8extended(m, 3) AS d, hashint8extended(m, 4) AS e, hashint8extended(m, 5) AS f, hashint8extended(m, 6) AS g,
    spread(n) AS k, hashint8extended(n, 7) AS v
  FROM generate_series(1, 2400) AS n,
    LATERAL (SELECT CASE WHEN n <= 2000 THEN n / 50 WHEN n <= 2100 THEN n % 40 ELSE 7 END AS m) AS m;

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

-- Turns round on the way, at both ends and in the middle.
CREATE FUNCTION back_and_forth(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  rows refcursor;
  row record;
  seen text := '';
  step text;
BEGIN
  OPEN rows SCROLL FOR EXECUTE query;
  FOREACH step IN ARRAY '{f70,b80,f3,l,b60,f100,b5,f2}'::text[] LOOP
    FOR i IN 1 .. coalesce(nullif(substr(step, 2), '')::int, 1) LOOP
      IF step = 'l' THEN FETCH LAST FROM rows INTO row;
      ELSIF step LIKE 'f%' THEN FETCH NEXT FROM rows INTO row;
      ELSE FETCH PRIOR FROM rows INTO row;
      END IF;
      seen := seen || coalesce(row::text, '-');
    END LOOP;
  END LOOP;
  RETURN md5(seen);
END $$;

-- Asks by all kinds of scans, and compares with a sequential scan.
CREATE FUNCTION ask(tab text) RETURNS SETOF text LANGUAGE plpgsql
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on
SET enable_bitmapscan = on SET enable_sort = on AS $$
DECLARE
  question record;
  way text;
  truth text;
  answer text;
BEGIN
  FOR question IN SELECT * FROM (VALUES
    ('{index,bitmap}'::text[], 'SELECT a, b, k, id, v FROM %s WHERE a IS NOT NULL'),
    ('{only}', 'SELECT a, c, id FROM %s WHERE a BETWEEN -2000000000000000000 AND 3000000000000000000'),
    ('{index,only,bitmap}', 'SELECT a, v, k FROM %s WHERE a = ANY (ARRAY(SELECT spread(n) FROM generate_series(0, 40, 3) AS n))'),
    ('{index}', 'SELECT a, k FROM %s WHERE a = spread(7) AND b IS NOT NULL ORDER BY a, b, c, d, e, f, g, k LIMIT 5'),
    ('{only}', 'SELECT a, k FROM %s ORDER BY a DESC, b DESC, c DESC, d DESC, e DESC, f DESC, g DESC, k DESC')) AS q (ways, query)
  LOOP
    question.query := digest_query(format(question.query, tab), question.query ~ 'ORDER BY');
    PERFORM force_scan('seq');
    EXECUTE 'SELECT r::text FROM (' || question.query || ') AS r' INTO truth;
    FOREACH way IN ARRAY question.ways LOOP
      PERFORM force_scan(way);
      answer := outcome('SELECT r::text FROM (' || question.query || ') AS r');
      RETURN NEXT CASE WHEN answer = truth THEN 'same' WHEN answer LIKE 'error %' THEN answer
                  ELSE format('DIFFERENT %s scan: %s instead of %s: %s', way, answer, truth, question.query) END;
    END LOOP;
  END LOOP;
  question.query := format('SELECT back_and_forth(''SELECT a, k FROM %s ORDER BY a, b, c, d, e, f, g, k'')', tab);
  PERFORM force_scan('seq');
  EXECUTE question.query INTO truth;
  PERFORM force_scan('only');
  answer := outcome(question.query);
  RETURN NEXT CASE WHEN answer = truth THEN 'same' WHEN answer LIKE 'error %' THEN answer
              ELSE 'DIFFERENT back and forth' END;
END $$;
END

my $key = '(a, b, c, d, e, f, g, k)';
my $include = 'INCLUDE (id, v, v, v, v, v, v, v)';
my %paths;

sub path_of
{
    my ($relation) = @_;
    return $node->safe_psql('postgres', "SELECT pg_relation_filepath('$relation')");
}

# Deltas come from the insertions after the build, deleted pages from VACUUM, and what the two scans of every leaf find
# dead, they may note on the pages.
$node->safe_psql('postgres', <<"END");
CREATE TABLE deep (LIKE original);
INSERT INTO deep SELECT * FROM original WHERE id <= 2000;
CREATE INDEX deep_i ON deep USING omendb $key $include WITH (fillfactor = 25);
CREATE INDEX deep_other ON deep USING omendb (c, b, a, d, e, f, g, k) $include WITH (fillfactor = 25);
DELETE FROM deep WHERE a BETWEEN 1000000000000000000 AND 2500000000000000000;
VACUUM (INDEX_CLEANUP ON) deep;
CHECKPOINT;
END
my $old = read_pages($node->data_dir . '/' . path_of('deep_i'));
$node->safe_psql('postgres', <<"END");
INSERT INTO deep SELECT * FROM original WHERE id > 2000;
-- Behind all others, where a leaf has no sibling to be divided with: it is split.
INSERT INTO deep SELECT id + 50000, NULL, b, c, d, e, f, g, k, v FROM original WHERE id % 10 = 0;
DELETE FROM deep WHERE id % 13 = 5;
CREATE TABLE small (LIKE original);
INSERT INTO small SELECT * FROM original WHERE id % 100 = 1;
CREATE INDEX small_i ON small USING omendb $key $include;
CREATE INDEX small_narrow ON small USING omendb (a, k);
INSERT INTO small SELECT * FROM original WHERE id % 300 = 2;
DELETE FROM small WHERE id % 7 = 5;
END
foreach my $scan ('index', 'only', 'index', 'only')
{
    $node->safe_psql('postgres', <<"END") foreach 'deep', 'small';
BEGIN;
SELECT force_scan('$scan');
SELECT count(*) FROM (SELECT a, k FROM $_ ORDER BY a OFFSET 0) AS everything;
COMMIT;
END
}
my @questions = split /\n/, $node->safe_psql('postgres', q{SELECT ask('deep') UNION ALL SELECT ask('small')});
is_deeply([ grep { $_ ne 'same' } @questions ], [], 'the right answers before the damage');
check_all($node, 'before the damage');
my %templates;
foreach my $template ('deep', 'small')
{
    $templates{$template} = { heap => path_of($template), index => path_of("${template}_i") };
}
my $other_path = path_of('deep_other');
my $narrow_path = path_of('small_narrow');
$node->stop('fast');

my $other_index = read_pages($node->data_dir . "/$other_path");
my $narrow = read_pages($node->data_dir . "/$narrow_path");
foreach my $template ('deep', 'small')
{
    my $t = $templates{$template};
    my $pages = read_pages($node->data_dir . "/$t->{index}");
    # The checksums that this test computes are those of the library.
    my @other = grep { $pages->[$_] ne seal($pages->[$_], $_) } 0 .. $#$pages;
    is("@other", '', "$template: the page format is as this test knows it");
    undo_downlink($pages) if $template eq 'deep';
    # The file was extended, and then the server crashed.
    push @$pages, "\0" x PAGE;
    $t->{pages} = $pages;
    my $kinds = blocks_of($pages);
    my @kinds = $template eq 'deep' ? @deep_kinds : ('meta', 'root leaf', 'never written');
    note("$template: " . join ', ', map { @{ $kinds->{$_} || [] } . " $_" } @kinds);
    BAIL_OUT("no page of kind \"$_\"") foreach grep { !$kinds->{$_} } @kinds;
    damage_regions($template, $_, $pages) foreach $template eq 'deep' ? @deep_kinds : ('root leaf');
    foreach my $fork ('', '_fsm', '_vm')
    {
        my $file = $node->data_dir . "/$t->{heap}$fork";
        $t->{heap_files}{$fork} = slurp_file($file) if -e $file;
    }
    my $fsm = $node->data_dir . "/$t->{index}_fsm";
    $t->{fsm} = -e $fsm ? slurp_file($fsm) : '';
}
damage_files(scalar @{ $templates{deep}{pages} });
damage_whole_pages($_, blocks_of($templates{deep}{pages})) foreach @deep_kinds;
damage_links();
damage_fields();
# What the checksums must notice is always done; of what they do not see a part, except in a long run.
if ($soak == 1)
{
    my %left_out = map { $_ => 1 } grep { $damages[$_]{demand} eq 'sealed' && rand() > 0.2 } 0 .. $#damages;
    @damages = @damages[ grep { !$left_out{$_} } 0 .. $#damages ];
}
summary(scalar(@damages) . ' damages');

# ---- What comes of it ----

# Every block that a damage may be reported at: itself, and for pages that are sound in themselves whatever is near.
sub names_block
{
    my ($line, $done) = @_;
    return 1 if $done->{short};
    return grep { defined && $line =~ /\bblock $_\b/i } $done->{block}, $done->{other};
}

# Copies the template's files to those of table and index n, and damages them.
sub do_damage
{
    my ($damage, $heap, $index) = @_;
    my $t = $templates{ $damage->{template} };
    my $pages = [ @{ $t->{pages} } ];
    my $forks = { fsm => $t->{fsm} };
    $damage->{done} = $damage->{change}->($pages, blocks_of($pages), $old, $other_index, $forks, $narrow);
    write_file("$heap$_", $t->{heap_files}{$_}) foreach keys %{ $t->{heap_files} };
    write_file($index, join '', @$pages);
    write_file("${index}_fsm", $forks->{fsm}) if length $forks->{fsm};
    return;
}

my %noticed;

sub judge
{
    my ($n, $damage) = @_;
    my $done = $damage->{done};
    my $name = $damage->{name};
    $name .= $done->{what} if defined $done->{what};
    $name .= " (block $done->{block})" if defined $done->{block};
    # A page whose LSN is in the future cannot be written, which is PostgreSQL's own rule.
    my $write = $done->{lsn} ? '' : <<"END";
SELECT 'write ' || outcome('INSERT INTO d$n SELECT id + 10000, a, b, c, d, e, f, g, k + 1, v FROM original
  WHERE id % 20 = 0 RETURNING 1');
SELECT 'write ' || outcome('UPDATE d$n SET k = k + 2 WHERE id % 30 = 1 RETURNING 1');
SELECT 'write ' || outcome('DELETE FROM d$n WHERE id % 4 = 0 OR a = spread(9) RETURNING 1');
VACUUM (INDEX_CLEANUP ON) d$n;
\\if :ERROR
\\echo vacuum error :SQLSTATE: :LAST_ERROR_MESSAGE
\\endif
SELECT 'check ' || outcome('SELECT omendb_check(''i$n'', true)');
SELECT 'answer ' || a FROM ask('d$n') AS a;
END
    my ($output, $errors, $timed_out) = ('', '');
    $node->psql(
        'postgres', <<"END", on_error_stop => 0, stdout => \$output, stderr => \$errors, timeout => 120, timed_out => \$timed_out);
SELECT 'check ' || outcome('SELECT omendb_check(''i$n'')');
SELECT 'check ' || outcome('SELECT omendb_check(''i$n'', true)');
SELECT 'answer ' || a FROM ask('d$n') AS a;
$write
REINDEX INDEX i$n;
SELECT 'repaired ' || outcome('SELECT omendb_check(''i$n'', true)');
SELECT 'repaired ' || compare('SELECT a, k FROM d$n WHERE a IS NOT NULL', '{only}');
DROP TABLE d$n;
\\echo end
END
    # psql says the detail of VACUUM's error elsewhere.
    my $detail = join ' ', $errors =~ /^DETAIL: (.*)/mg;
    my @lines = map { /^vacuum error/ ? "$_ $detail" : $_ } split /\n/, $output;
    my @problems;
    push @problems, 'it hangs' if $timed_out;
    push @problems, 'the server crashed' if $errors =~ /server closed the connection|connection to server .* failed/;
    push @problems, 'the end was not reached' unless @lines && $lines[-1] eq 'end';
    my @errors = grep { /^(check|answer|write|vacuum) error/ } @lines;
    my @wrong = grep { /^answer (?!same$|error)/ } @lines;
    my @checks = grep { /^check/ } @lines;
    my $found = grep { /error XX00[12]/ } @checks;
    my $code = $done->{code} || qr/XX002/;
    if ($damage->{demand} eq 'intact')
    {
        push @problems, @wrong, @errors;
    }
    elsif ($damage->{demand} eq 'sealed')
    {
        push @problems, 'wrong answers, and omendb_check does not see it', @wrong if @wrong && !$found;
        # PostgreSQL may be the one to complain, of a row's address that its table has not.
        push @problems, grep { !/error (XX00[012]:|58P01: could not open file)/ } @errors;
    }
    else
    {
        push @problems, @wrong;
        push @problems, grep { !/error $code:/ || !names_block($_, $done) } @errors;
        push @problems, 'omendb_check does not see it'
          if !$found && ($damage->{demand} eq 'noticed' || $done->{noticed});
        push @problems, grep { $_ !~ $done->{message} } @errors if $done->{message};
    }
    my @not_repaired = grep { /^repaired/ && !/^repaired (same, \d+ rows)?$/ } @lines;
    push @problems, 'REINDEX does not repair it', @not_repaired if @not_repaired;
    ok(!@problems, $name) or diag(join "\n", "damage $n", @problems, '--', $output, '--', $errors);
    $noticed{ $damage->{demand} }{ $found ? 'found' : 'not found' }++;
    if ($timed_out)
    {
        kill_server($node);
        BAIL_OUT('a backend waits for ever');
    }
    wait_until_up($node) if $errors =~ /server closed the connection|connection to server/;
    return;
}

# As many at a time as do not fill the disk.
my $batch = 250;
for (my $first = 0; $first < @damages; $first += $batch)
{
    my @numbers = ($first .. $first + $batch - 1);
    @numbers = grep { $_ < @damages } @numbers;
    $node->start;
    my %files = map { split /\|/ } split /\n/, $node->safe_psql('postgres', join('', map { <<"END" } @numbers) . <<'END');
CREATE TABLE d$_ (LIKE original);
CREATE INDEX i$_ ON d$_ USING omendb $key $include WITH (fillfactor = 25);
SELECT 'd$_', pg_relation_filepath('d$_') || ' ' || pg_relation_filepath('i$_');
END
-- The rows are older than the tables.
UPDATE pg_class SET relfrozenxid = (SELECT relfrozenxid FROM pg_class WHERE oid = 'deep'::regclass) WHERE relname ~ '^d\d+$';
END
    $node->stop('fast');
    foreach my $n (@numbers)
    {
        do_damage($damages[$n], map { $node->data_dir . "/$_" } split / /, $files{"d$n"});
    }
    $node->start;
    judge($_, $damages[$_]) foreach @numbers;
    $node->stop('fast');
}
note("$_: " . join ', ', map { "$noticed{$_->[0]}{$_->[1]} $_->[1]" } [ $_, 'found' ], [ $_, 'not found' ])
  foreach grep { $noticed{$_}{found} && $noticed{$_}{'not found'} } sort keys %noticed;

no_crash($node, 'damage', qr/PANIC|TRAP:|was terminated by signal/);
done_testing();
