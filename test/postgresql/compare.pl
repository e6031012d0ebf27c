#!/usr/bin/perl
# Compares what PostgreSQL's regression tests print where omendb stands for btree with what PostgreSQL expects.
#
#   compare.pl [--all] plans|nodes TESTS DIRECTORY
#
# TESTS has the directory expected, DIRECTORY the schedule and the directory results. Each difference must be in
# differences/TEST, under a line with its reason, and each that is listed there must occur:
#
#   # Why it is so.
#   both    1a2b3c4d  -3 +1
#
# The second word stands for the text of a hunk of `diff -U0`, for that is PostgreSQL's; then come the numbers of its
# lines. --all prints all hunks with their reasons. The first word says where it occurs:
#
#   plans   omendb's plan nodes are off, and plans are compared, too
#   nodes   they are on, and plans are left out
#   both
#
# Not compared are the widths of columns, as PostgreSQL does not, and whether it is omendb or btree.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use File::Temp;
use FindBin;

my $all = @ARGV && $ARGV[0] eq '--all' && shift;
my ($run, $tests, $directory) = @ARGV;
die "usage: $0 [--all] plans|nodes TESTS DIRECTORY\n" if @ARGV != 3 || $run !~ /^(plans|nodes)$/;
my $scratch = File::Temp->newdir;
my ($listed, $wrong) = (0, 0);

# Writes to a file what is compared.
sub normalise
{
    my ($from, $to) = @_;
    open my $in, '<', $from or die "$from: $!\n";
    open my $out, '>', $to or die "$to: $!\n";
    my $plan = 0;
    while (<$in>)
    {
        if ($run eq 'nodes')
        {
            $plan = 1 if /^\s*(QUERY PLAN|explain_\w+)\s*$/;
            my $skip = $plan;
            $plan = 0 if /^\(\d+ rows?\)$/;
            next if $skip;
        }
        # The lines below and around headings.
        s/-+/-/g if /^[-+]+$/ || /^-\[ RECORD/;
        # Its name, and in opr_sanity the number of the method.
        s/omendb/btree/g;
        s/^ +16\d{3} (?=\|)/ btree /;
        print $out $_;
    }
    close $out or die "$to: $!\n";
}

# The hunks between two files, each without whitespace and line numbers, and as it is to be shown.
sub hunks
{
    my ($expected, $result) = @_;
    open my $diff, '-|', 'diff', '-w', '-U0', $expected, $result or die "diff: $!\n";
    my @hunks;
    while (<$diff>)
    {
        next if /^(---|\+\+\+) \Q$scratch\E/;
        if (/^@@/) { push @hunks, { text => '', shown => '', '-' => 0, '+' => 0 }; }
        else
        {
            $hunks[-1]{ substr $_, 0, 1 }++;
            $hunks[-1]{text} .= s/\s+//gr . "\n";
        }
        $hunks[-1]{shown} .= "    $_";
    }
    close $diff;
    die "diff failed\n" if $? >> 8 > 1;
    $_->{line} = sprintf '%s  -%d +%d', substr(md5_hex($_->{text}), 0, 8), $_->{'-'}, $_->{'+'} foreach @hunks;
    return @hunks;
}

# The reasons of the differences that may be: for each as many as it may occur.
sub reasons
{
    my ($test) = @_;
    my ($reason, %reasons);
    my $file = "$FindBin::Bin/differences/$test";
    open my $in, '<', $file or return;
    while (<$in>)
    {
        if (/^# (.*)/) { $reason = $1; }
        elsif (/^(both|plans|nodes)\s+([0-9a-f]{8}  -\d+ \+\d+)$/)
        {
            die "$file:$.: no reason\n" unless defined $reason;
            push @{ $reasons{$2} }, $reason if $1 eq 'both' || $1 eq $run;
        }
        elsif (/\S/) { die "$file:$.: what is this?\n"; }
    }
    return %reasons;
}

# That which differs least, if PostgreSQL expects more than one.
sub closest
{
    my ($test) = @_;
    normalise("$directory/results/$test.out", "$scratch/result");
    my ($least, @least);
    foreach my $expected (glob "$tests/expected/$test.out $tests/expected/${test}_[0-9].out")
    {
        next unless -e $expected;
        normalise($expected, "$scratch/expected");
        my @hunks = hunks("$scratch/expected", "$scratch/result");
        my $size = 0;
        $size += $_->{'-'} + $_->{'+'} foreach @hunks;
        ($least, @least) = ($size, @hunks) if !defined $least || $size < $least;
    }
    return @least;
}

open my $schedule, '<', "$directory/schedule" or die "$directory/schedule: $!\n";
my @tests = map { /^test:(.*)/ ? split ' ', $1 : () } <$schedule>;
foreach my $test (@tests)
{
    my %reasons = reasons($test);
    if (!-e "$directory/results/$test.out")
    {
        print "$test: no results\n";
        $wrong++;
        next;
    }
    foreach my $hunk (closest($test))
    {
        my $reason = shift @{ $reasons{ $hunk->{line} } // [] };
        if (defined $reason)
        {
            $listed++;
            print "$test: $reason\n    $run $hunk->{line}\n$hunk->{shown}" if $all;
            next;
        }
        print "$test: NOT LISTED\n    $run $hunk->{line}\n$hunk->{shown}";
        $wrong++;
    }
    foreach my $line (sort keys %reasons)
    {
        foreach my $reason (@{ $reasons{$line} })
        {
            print "$test: LISTED, BUT DOES NOT OCCUR: $reason\n    $run $line\n";
            $wrong++;
        }
    }
}
foreach my $file (glob "$FindBin::Bin/differences/*")
{
    my $test = $file =~ s{.*/}{}r;
    next if grep { $_ eq $test } @tests;
    print "$test: differences of a test that does not run\n";
    $wrong++;
}
print scalar(@tests), " tests, $listed differences that are listed, $wrong others\n";
exit($wrong ? 1 : 0);
