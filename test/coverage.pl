#!/usr/bin/perl
#
# Reports the line coverage of an extension that was built with --coverage:
#
#   test/coverage.pl DIRECTORY
#
# DIRECTORY is where it was built; the processes of the server left their counts there. Prints the lines of src/tree and
# src/am that no test reached, then a table of all files, and fails if fewer than nine tenths of the lines of these two
# were reached. A line of a header counts as reached if it was in any file that includes it.
use strict;
use warnings;
use Cwd 'abs_path';
use JSON::PP;

my $required = 90;
my $build = abs_path(shift // die "usage: $0 DIRECTORY\n") // die "no such directory\n";

my @objects = sort glob "$build/src/*/*.gcno";
die "nothing in $build was built with --coverage\n" if !@objects;

# File => line => how often it was reached.
my %count;
foreach my $object (@objects)
{
    # An object whose counts are missing was never loaded; gcov then counts zero for each line, as it should.
    open my $gcov, '-|', "gcov --json-format --stdout '$object' 2>/dev/null" or die "gcov: $!\n";
    my @documents = <$gcov>;
    close $gcov or die "gcov cannot read $object\n";
    foreach my $document (map { decode_json($_) } @documents)
    {
        foreach my $file (@{ $document->{files} })
        {
            my $name = $file->{file} =~ m{^/} ? $file->{file} : "$document->{current_working_directory}/$file->{file}";
            $name = abs_path($name) // next;
            $name =~ s{^\Q$build\E/}{} or next;
            $count{$name}{ $_->{line_number} } += $_->{count} foreach @{ $file->{lines} };
        }
    }
}

my (%total, %reached);
foreach my $file (sort keys %count)
{
    my $lines = $count{$file};
    my ($folder) = $file =~ m{^src/([^/]+)/} or next;
    my @missing = sort { $a <=> $b } grep { !$lines->{$_} } keys %$lines;
    foreach my $group ($file, $folder, $folder =~ /^(?:tree|am)$/ ? 'both' : ())
    {
        $total{$group} += keys %$lines;
        $reached{$group} += keys(%$lines) - @missing;
    }
    next if $folder !~ /^(?:tree|am)$/;
    open my $source, '<', "$build/$file" or die "$file: $!\n";
    my @text = <$source>;
    printf "%s:%d: %s\n", $file, $_, $text[ $_ - 1 ] =~ s/^\s+|\s+$//gr foreach @missing;
}

sub row
{
    my ($name, $group) = @_;
    return printf "%-32s %5d of %5d lines  %5.1f %%\n", $name, $reached{$group}, $total{$group},
      100 * $reached{$group} / $total{$group};
}

print "\n";
row($_, $_) foreach grep { m{^src/} } sort keys %total;
print "\n";
row("src/$_/", $_) foreach grep { exists $total{$_} } qw(core pg tree am);
row('src/tree/ and src/am/', 'both');
exit(100 * $reached{both} >= $required * $total{both} ? 0 : 1);
