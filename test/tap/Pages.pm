# The bytes of an index's pages, for tests that damage them: see src/tree/page.h and src/core/node.h.
package Pages;

use strict;
use warnings;
use Exporter 'import';
use Omendb;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(PAGE HEADER SPECIAL NO_BLOCK META DELETED INCOMPLETE COLD SEGMENT SEGMENT_HEAD
  parse seal set_sealed read_pages write_file);

use constant PAGE => 8192;
use constant HEADER => 24;
use constant SPECIAL => PAGE - 24;
use constant NO_BLOCK => 0xFFFFFFFF;
# Page flags.
use constant { META => 1, DELETED => 2, INCOMPLETE => 4, COLD => 8, SEGMENT => 16 };
# Of a segment's head block, see src/tree/segment.h.
use constant SEGMENT_HEAD => HEADER + 16;

# The fields of a page. `node` tells whether it holds one.
sub parse
{
    my ($page) = @_;
    my %f;
    @f{qw(lower upper special)} = unpack 'SSS', substr($page, 12, 6);
    @f{qw(left right page_crc base_crc delta flags version reserved id)} = unpack 'LLLLSSCCS', substr($page, SPECIAL);
    $f{node} = $f{upper} != 0 && !($f{flags} & (META | DELETED | SEGMENT));
    @f{qw(count keys columns size low high level)} = unpack 'SCCSSSS', substr($page, HEADER, 12);
    $f{headers} = $f{columns} + unpack '%64b*', substr($page, HEADER + 16, 8);
    $f{size} = 0 unless $f{node};
    $f{stride} = $f{delta} ? (SPECIAL - $f{upper}) / $f{delta} : 0;
    if ($f{flags} & SEGMENT)
    {
        @f{qw(segment number)} = unpack 'QL', substr($page, HEADER, 12);
        @f{qw(bytes blocks slots)} = unpack 'QLL', substr($page, SEGMENT_HEAD, 16);
    }
    return \%f;
}

# The page with both of its checksums made right, see PageCrc in src/tree/page.cpp.
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
          . substr($page, $f->{upper}));
    substr($page, SPECIAL + 8, 4) = pack 'L', $crc;
    return $page;
}

# Sets bytes of a block and makes its checksums right.
sub set_sealed
{
    my ($pages, $block, $offset, $bytes) = @_;
    substr($pages->[$block], $offset, length $bytes) = $bytes;
    $pages->[$block] = seal($pages->[$block], $block);
    return;
}

sub read_pages
{
    my ($file) = @_;
    my $bytes = slurp_file($file);
    return [ map { substr($bytes, $_ * PAGE, PAGE) } 0 .. length($bytes) / PAGE - 1 ];
}

sub write_file
{
    my ($file, $bytes) = @_;
    open my $out, '>:raw', $file or die "$file: $!";
    print $out $bytes;
    close $out or die "$file: $!";
    return;
}

1;
