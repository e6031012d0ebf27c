# An error at each named point of the code, as an interrupt or a full disk would make it there: the statement fails and
# nothing else.  What it left unfinished the next one finishes, in the same transaction, too, when a subtransaction
# caught the error.  No pin and no lock stays behind: a server that is built with assertions says so.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestPoints;

# What a session leaves claimed in the hot index would be in others' way.
my $node = new_node('point_errors', conf => "shared_preload_libraries = 'omendb'\n");
prepare_tour($node);
my @points = test_points($node);
if (!@points)
{
    $node->stop;
    plan skip_all => 'not the test build';
}

# Whoever reads meanwhile sees one answer.
my $readers = start_load(
    $node,
    clients => 1,
    rate => 20,
    seconds => 6000,
    scripts => [
        1 => <<'END',
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT must_be_same('SELECT k FROM tour WHERE k BETWEEN 100000000 AND 900000000');
COMMIT;
END
    ]);

my $caught_somewhere = 0;

# An error as `order` says, with tables of that `kind`, perhaps `caught`; returns the name of the point.
sub error_round
{
    my ($order, $kind, $caught) = @_;
    my $name = "$order, $kind" . ($caught ? ', in a subtransaction' : '');
    my ($said, $point) = ('', '');
    # With readers about, VACUUM may have to leave in one tour what it removes in the next.
    for (my $tries = 0; $tries < 10 && !$point; $tries++)
    {
        my $session = start_psql($node, tour(order => $order, turns => 2, kind => $kind, caught => $caught) . <<'END');
RESET omendb.test_point;
SELECT 'held: ' || count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'tour_k'::regclass;
SELECT 'sound: ' || check_all();
SELECT 'tour: ' || compare('SELECT k FROM tour WHERE k >= 0', '{index}');
SELECT 'unfinished: ' || compare('SELECT k FROM unfinished WHERE k >= 0', '{index}');
-- The next writers and the next VACUUM find what is unfinished.
INSERT INTO tour SELECT (random() * 1e9)::int8, random() * 10 FROM generate_series(1, 200);
INSERT INTO unfinished SELECT (random() * 1e9)::int8 FROM generate_series(1, 200);
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) tour, unfinished;
SELECT 'sound: ' || check_all();
SELECT 'tour: ' || compare('SELECT k FROM tour WHERE k >= 0', '{index}');
END
        $said = finish_psql($session);
        my @other = grep { /ERROR|WARNING|FATAL|PANIC/ && !/:  (caught: )?test point / } split /\n/, $said;
        @other = grep { !/current transaction is aborted|deferred inserts of this transaction failed before/ } @other;
        my $sound = () = $said =~ /^sound: [1-9]\d*$/mg;
        my $same = () = $said =~ /^(?:tour|unfinished): same, \d+ rows$/mg;
        is("@other, $sound, $same, " . ($said =~ /^held: (\d+)/m ? $1 : '?'),
            ', 2, 3, 0', "$name: nothing else fails")
          or diag($said);
        ($point) = $said =~ /^psql.*:  (?:caught: )?test point (\S+)$/m;
        # To leave a split unfinished is how the tour gets there.
        ($point) = $said =~ /:  (?:caught: )?test point (move-right)$/m if $order =~ /^move-right/;
    }
    $caught_somewhere++ if $said =~ /caught: test point/;
    return $point;
}

my @kinds = ('LOGGED', 'UNLOGGED', 'TEMP');
# Nobody is routed to local buffers, and no worker can read them.
my $not_temporary = qr/^(fences-collected|part-handed-over)$/;
foreach my $turn (1 .. $soak)
{
    foreach my $point (@points)
    {
        # Local buffers and shared ones.
        foreach my $kind (pick('LOGGED', 'LOGGED', 'UNLOGGED'), 'TEMP')
        {
            next if $kind eq 'TEMP' && $point =~ $not_temporary;
            is(error_round(order($point, 'error', 1, 1, 2), $kind), $point, "$point: the error is raised");
        }
    }
    # Those that a transaction block can pass.
    foreach my $point (grep { !/^(vacuum|leaf-cleaned|unlink|parent|collapse|recycle)/ } @points)
    {
        my @possible = grep { $_ ne 'TEMP' || $point !~ $not_temporary } @kinds;
        is(error_round("$point=error", pick(@possible), 1), $point, "$point: the error is raised and caught");
    }
    foreach (1 .. 10)
    {
        ok(error_round('any=error:' . (1 + int(exp(rand(7)))), pick(@kinds), pick(0, 1)), 'an error somewhere');
    }
}
# Of those in subtransactions some come only at the end of the transaction, where none catches them.
for (my $tries = 0; $caught_somewhere < 10 && $tries < 40; $tries++)
{
    ok(error_round('any=error:' . (1 + int(exp(rand(7)))), pick(@kinds), 1), 'an error in a subtransaction, mostly');
}
cmp_ok($caught_somewhere, '>=', 10, 'errors were caught');

$readers->{handle}->signal('TERM');
finish_load($readers, 'the readers', crashed => 1);
no_crash($node, 'errors');
$node->stop;
done_testing();
