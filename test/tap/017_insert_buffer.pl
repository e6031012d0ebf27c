# Inserts that wait: the rules that make it sound (src/README, "Deferred inserts"), one by one. Here all of them wait
# (omendb.test_first_inserts = 0), unless a test says otherwise.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use List::Util qw(shuffle);
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('primary', streaming => 1, conf => <<'END');
shared_preload_libraries = 'omendb'
autovacuum = off
wal_level = logical
max_prepared_transactions = 5
omendb.test_first_inserts = 0
END

# Runs statements; returns what they print, or the first error.
sub run
{
    my ($statements) = @_;
    my ($status, $output, $errors) = $node->psql('postgres', $statements, on_error_stop => 1);
    return $status == 0 ? $output : $errors =~ /ERROR: +(.*)/ ? "ERROR: $1" : $errors;
}

# A table t with an index on k, which has these keys.
sub fresh
{
    my ($rows) = @_;
    run("DROP TABLE IF EXISTS t; CREATE TABLE t (k int8, v text); CREATE INDEX t_k ON t USING omendb (k);"
          . "INSERT INTO t SELECT n * 10, 'old' FROM generate_series(1, $rows) n;");
    return;
}

# The index agrees with its table, entry by entry, and all kinds of scans see this many rows.
sub whole
{
    my ($rows, $name) = @_;
    check_all($node, $name);
    one_answer($node, 'SELECT k, v FROM t WHERE k >= -1000000000', "$name: one answer", '{index,bitmap}');
    my $entries = run("SELECT entries FROM omendb_stat_index('t_k', true)");
    is(run('SELECT count(*) FROM t'), $rows, "$name: rows");
    is($entries, $rows, "$name: entries");
    return;
}

# What must hold for a test to be about inserts that wait: only the commit puts these into the index.
sub waits
{
    my ($statements, $name, $before) = @_;
    my $transaction = ($before || '') . "BEGIN; SET LOCAL omendb.test_point = 'batch-written=error'; $statements;";
    is(run("$transaction COMMIT"), 'ERROR: test point batch-written', "$name: they wait");
    is(run("$transaction ROLLBACK"), '', "$name: until the commit");
    return;
}

# A session that goes on.
sub session
{
    my $session = $node->background_psql('postgres', on_error_stop => 0);
    return $session;
}
sub say_to
{
    my ($session, $statements) = @_;
    my $output = $session->query($statements);
    return $output;
}

# ---- 1. Flushed before the commit, and before PREPARE TRANSACTION; dropped by an abort ----

fresh(100);
run("BEGIN; INSERT INTO t SELECT n * 7, 'new' FROM generate_series(1, 5000) n; COMMIT;");
whole(5100, 'committed');
run("BEGIN; INSERT INTO t SELECT n * 7, 'gone' FROM generate_series(1, 5000) n; ROLLBACK;");
whole(5100, 'rolled back');
run("BEGIN; INSERT INTO t SELECT n * 7, 'prepared' FROM generate_series(1, 1000) n; PREPARE TRANSACTION 'p';");
run("COMMIT PREPARED 'p'");
whole(6100, 'prepared');
my $insert = "INSERT INTO t SELECT n, 'x' FROM generate_series(1, 100) n";
waits($insert, 'INSERT');
waits($insert, 'a second transaction', "INSERT INTO t VALUES (1, 'new');");
run("VACUUM t");
# In one session, so that what one transaction leaves behind meets the next one.
run(<<'END');
BEGIN; INSERT INTO t SELECT n, 'gone' FROM generate_series(1, 5000) n; ROLLBACK;
INSERT INTO t SELECT n, 'new' FROM generate_series(1, 100) n;
BEGIN; INSERT INTO t SELECT n, 'gone' FROM generate_series(1, 300) n; SAVEPOINT s;
INSERT INTO t SELECT n, 'gone' FROM generate_series(1, 300) n; ROLLBACK;
BEGIN; INSERT INTO t SELECT n, 'prepared' FROM generate_series(1, 100) n; PREPARE TRANSACTION 'q';
INSERT INTO t SELECT n, 'new' FROM generate_series(1, 100) n;
ROLLBACK PREPARED 'q';
VACUUM t;
END
whole(6302, 'one after the other');

# VACUUM does not truncate where a transaction is open: it would wait for it for some seconds, and give up.

# ---- 2. What an aborted subtransaction inserted is dropped at once: its TIDs may be given to other rows ----

fresh(100);
{
    my $session = session();
    say_to($session, "BEGIN; INSERT INTO t SELECT -n, 'first' FROM generate_series(1, 500) n; SAVEPOINT s;"
          . "INSERT INTO t SELECT -1000 - n, 'aborted' FROM generate_series(1, 3000) n; SAVEPOINT inner_one;"
          . "INSERT INTO t SELECT -5000 - n, 'aborted, too' FROM generate_series(1, 3000) n; RELEASE inner_one;"
          . "ROLLBACK TO s;");
    run('VACUUM (TRUNCATE OFF) t');
    run("INSERT INTO t SELECT 1000000 + n, 'in their place' FROM generate_series(1, 6000) n");
    say_to($session, "SAVEPOINT u; INSERT INTO t SELECT -9000 - n, 'second' FROM generate_series(1, 500) n; RELEASE u;"
          . 'COMMIT;');
    $session->quit;
    whole(100 + 500 + 6000 + 500, 'aborted subtransaction');
    is(run('SET enable_seqscan = off; SELECT count(*) FROM t WHERE k BETWEEN -8999 AND -1000'),
        0, 'none of its keys lead to the rows in their place');
}

# The same with savepoints in all manners: of what each text inserts, `kept` rows are there at the end.
foreach my $case (
    # A subtransaction that inserts nothing itself, whose child commits.
    [ 100, "INSERT INTO t SELECT -n, 'kept' FROM generate_series(1, 100) n; SAVEPOINT a; SAVEPOINT b;"
          . "INSERT INTO t SELECT -1000 - n, 'x' FROM generate_series(1, 200) n; RELEASE b; ROLLBACK TO a;" ],
    # ... and then it inserts.
    [ 100, "INSERT INTO t SELECT -n, 'kept' FROM generate_series(1, 100) n; SAVEPOINT a; SAVEPOINT b;"
          . "INSERT INTO t SELECT -1000 - n, 'x' FROM generate_series(1, 200) n; RELEASE b;"
          . "INSERT INTO t SELECT -2000 - n, 'x' FROM generate_series(1, 200) n; ROLLBACK TO a;" ],
    # Children that come back to their parent by turns.
    [ 300, "SAVEPOINT a; INSERT INTO t SELECT -n, 'kept' FROM generate_series(1, 100) n; SAVEPOINT b;"
          . "INSERT INTO t SELECT -1000 - n, 'kept' FROM generate_series(1, 100) n; RELEASE b; SAVEPOINT c;"
          . "INSERT INTO t SELECT -2000 - n, 'x' FROM generate_series(1, 100) n; ROLLBACK TO c; RELEASE c;"
          . "INSERT INTO t SELECT -3000 - n, 'kept' FROM generate_series(1, 100) n; RELEASE a;" ],
    # Nothing but what is undone.
    [ 0, "SAVEPOINT a; INSERT INTO t SELECT -n, 'x' FROM generate_series(1, 100) n; SAVEPOINT b;"
          . "INSERT INTO t SELECT -1000 - n, 'x' FROM generate_series(1, 100) n; ROLLBACK TO a;" ],
    # More than the buffer holds: some of it is in the index already when the rest is dropped.
    [ 100, "INSERT INTO t SELECT -n, 'kept' FROM generate_series(1, 100) n; SAVEPOINT a;"
          . "SET LOCAL omendb.insert_buffer_size = '64kB';"
          . "INSERT INTO t SELECT -1000 - n, 'x' FROM generate_series(1, 9500) n; ROLLBACK TO a;" ],
    # A read in between puts all so far into the index.
    [ 200, "INSERT INTO t SELECT -n, 'kept' FROM generate_series(1, 100) n; SAVEPOINT a;"
          . "INSERT INTO t SELECT -1000 - n, 'x' FROM generate_series(1, 200) n; SET enable_seqscan = off;"
          . "SELECT count(*) FROM t WHERE k < 0; INSERT INTO t SELECT -2000 - n, 'x' FROM generate_series(1, 200) n;"
          . "ROLLBACK TO a; INSERT INTO t SELECT -9000 - n, 'kept' FROM generate_series(1, 100) n;" ])
{
    my ($kept, $text) = @$case;
    fresh(100);
    my $session = session();
    say_to($session, "BEGIN; $text");
    run('VACUUM (TRUNCATE OFF) t');
    run("INSERT INTO t SELECT 1000000 + n, 'in their place' FROM generate_series(1, 12000) n");
    say_to($session, "INSERT INTO t VALUES (-50000, 'last'); COMMIT;");
    $session->quit;
    whole(100 + $kept + 12000 + 1, "savepoints, $kept kept");
    is( run('SET enable_seqscan = off; SELECT count(*) FROM t WHERE k < 0'),
        $kept + 1, "savepoints, $kept kept: its keys lead to nothing else");
}

# Again at random, with sessions at the same time and VACUUM after them.
fresh(100);
run(<<'END');
-- Inserts, undoes, and looks, in nested subtransactions; the keys of a session lie in its own part.
CREATE FUNCTION nest(depth int, part int8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR turn IN 1 .. 3 LOOP
    INSERT INTO t SELECT part * 1000000 + (random() * 100000)::int8, 'nested' FROM generate_series(1, (random() * 40)::int);
    IF random() < 0.1 THEN PERFORM count(*) FROM t WHERE k = part * 1000000; END IF;
    CONTINUE WHEN depth = 0;
    BEGIN
      PERFORM nest(depth - 1, part);
      IF random() < 0.5 THEN RAISE EXCEPTION 'undone'; END IF;
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
END $$;
END
{
    my $load = start_load(
        $node,
        clients => 4,
        seconds => 4 * $soak,
        settings => { 'omendb.insert_buffer_size' => pick(64, 100, 65536), 'enable_seqscan' => 'off' },
        scripts => [
            6 => "SELECT nest(2, :client_id + 1);",
            2 => "BEGIN; SELECT nest(2, :client_id + 1); ROLLBACK;",
            2 => 'DELETE FROM t WHERE k BETWEEN (:client_id + 1) * 1000000 AND (:client_id + 1) * 1000000 + 80000;',
            2 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t;',
            # Its own part, and half of another one's.
            2 => "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT nest(1, :client_id + 1);"
              . "SELECT must_be_same('SELECT k, v FROM t WHERE k BETWEEN ' || :client_id * 1000000 || ' AND '"
              . " || :client_id * 1000000 + 1050000, '{index,bitmap}'); COMMIT;"
        ]);
    finish_load($load, 'nested subtransactions at random');
    check_all($node, 'nested subtransactions');
    one_answer($node, 'SELECT k, v FROM t WHERE k >= -1000000000', 'nested subtransactions: one answer', '{index,bitmap}');
}

# ---- 3. Flushed before this session reads the index, before a parallel plan, and when there are many ----

fresh(100);
is( run(<<'END'), "1\n5\n5", 'a transaction sees what it inserted');
BEGIN;
SET LOCAL enable_seqscan = off;
INSERT INTO t VALUES (5, 'a');
SELECT count(*) FROM t WHERE k = 5;
INSERT INTO t SELECT 5, 'b' FROM generate_series(1, 4);
SELECT count(*) FROM t WHERE k = 5;
SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off;
SELECT count(*) FROM t WHERE k = 5;
COMMIT;
END
is( run(<<'END'), 205, 'what opens an index by name puts them into it');
BEGIN;
INSERT INTO t SELECT n, 'x' FROM generate_series(1, 100) n;
SELECT entries FROM omendb_stat_index('t_k', true);
ROLLBACK;
VACUUM t;
END
run('CREATE TABLE wanted (k int8) WITH (parallel_workers = 2); INSERT INTO wanted SELECT generate_series(100001, 100100)');
run(<<'END');
-- The first of a query's plan nodes that is one of these.
CREATE FUNCTION plan_node(query text, nodes text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
    IF line ~ nodes THEN RETURN substring(line from nodes); END IF;
  END LOOP;
  RETURN NULL;
END $$;
END
# A parallel scan is begun by the leader; the inner index scans of a parallel join are the workers' own.
foreach my $case (
    [ 'SELECT count(v) FROM t WHERE k > 100000', 10000, 'Parallel Index Scan' ],
    [ 'SELECT count(v) FROM wanted JOIN t USING (k)', 100, 'Parallel Seq Scan on wanted' ],
    [ 'SELECT count(v) FROM wanted JOIN t USING (k)', 100, 'Index Scan using t_k' ])
{
    my ($query, $answer, $plan_node) = @$case;
    is( run(<<"END"), "$answer\n$plan_node", "and so do parallel workers: $plan_node");
BEGIN;
SET LOCAL max_parallel_workers_per_gather = 2; SET LOCAL min_parallel_index_scan_size = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL parallel_leader_participation = off;
SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SET LOCAL omendb.enable_scan = off; SET LOCAL omendb.enable_lookup_join = off;
SET LOCAL enable_material = off; SET LOCAL enable_memoize = off;
SET LOCAL enable_seqscan = @{[ $query =~ /wanted/ ? 'on' : 'off' ]};
INSERT INTO t SELECT n + 100000, 'p' FROM generate_series(1, 10000) n;
$query;
SELECT plan_node('$query', '$plan_node');
ROLLBACK;
END
    run('VACUUM t');
}
whole(105, 'read while it waited');
fresh(0);
run("SET omendb.insert_buffer_size = '64kB'; INSERT INTO t SELECT hashint8(n), 'x' FROM generate_series(1, 30000) n");
whole(30000, 'more than the buffer holds');
# That it was not only the commit; in two indexes, of which each alone would have room.
run('CREATE TABLE t2 (k int8); CREATE INDEX t2_k ON t2 USING omendb (k)');
foreach my $case (
    [ 'one index', 'INSERT INTO t SELECT n FROM generate_series(1, 4200) n', 'too many' ],
    [ 'one index', 'INSERT INTO t SELECT n FROM generate_series(1, 4000) n', '' ],
    [ 'two indexes', 'INSERT INTO t SELECT n FROM generate_series(1, 2500) n; INSERT INTO t2 SELECT n FROM generate_series(1, 2500) n', 'too many' ],
    [ 'two indexes', 'INSERT INTO t SELECT n FROM generate_series(1, 2000) n; INSERT INTO t2 SELECT n FROM generate_series(1, 2000) n', '' ])
{
    my ($indexes, $statements, $outcome) = @$case;
    like(
        run("SET omendb.insert_buffer_size = '64kB'; BEGIN; SET LOCAL omendb.test_point = 'batch-written=error';"
              . "$statements; ROLLBACK"),
        $outcome ? qr/test point/ : qr/^$/,
        "memory is limited, $indexes" . ($outcome ? ': too many' : ': just enough'));
}
run('DROP TABLE t2');
run("BEGIN; DELETE FROM t; INSERT INTO t SELECT n, 'x' FROM generate_series(1, 100) n; DELETE FROM t WHERE k > 50;"
      . "COMMIT; VACUUM t;");
whole(50, 'deleted while it waited');

# ---- 4. Tied to the file of the relation ----

fresh(100);
run("BEGIN; INSERT INTO t SELECT n, 'a' FROM generate_series(1, 1000) n; REINDEX INDEX t_k;"
      . "INSERT INTO t SELECT n, 'b' FROM generate_series(1, 1000) n; COMMIT;");
whole(2100, 'REINDEX');
run("BEGIN; INSERT INTO t SELECT n, 'a' FROM generate_series(1, 1000) n; TRUNCATE t;"
      . "INSERT INTO t SELECT n, 'b' FROM generate_series(1, 1000) n; COMMIT;");
whole(1000, 'TRUNCATE');
run("BEGIN; INSERT INTO t SELECT n, 'a' FROM generate_series(1, 1000) n; SAVEPOINT s; TRUNCATE t;"
      . "INSERT INTO t SELECT n, 'b' FROM generate_series(1, 500) n; ROLLBACK TO s;"
      . "INSERT INTO t SELECT n, 'c' FROM generate_series(1, 100) n; COMMIT;");
whole(2100, 'TRUNCATE undone');
run("DROP TABLE t; BEGIN; CREATE TABLE t (k int8, v text); CREATE INDEX t_k ON t USING omendb (k);"
      . "INSERT INTO t SELECT n, 'a' FROM generate_series(1, 1000) n; TRUNCATE t;"
      . "INSERT INTO t SELECT n, 'b' FROM generate_series(1, 10) n; COMMIT;");
whole(10, 'TRUNCATE in place');
{
    my $place = PostgreSQL::Test::Utils::tempdir_short;
    $node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$place'");
    run("BEGIN; INSERT INTO t SELECT n, 'a' FROM generate_series(1, 1000) n; ALTER INDEX t_k SET TABLESPACE elsewhere;"
          . "INSERT INTO t SELECT n, 'b' FROM generate_series(1, 1000) n; COMMIT;");
    whole(2010, 'SET TABLESPACE');
    run("ALTER INDEX t_k SET TABLESPACE pg_default; DROP TABLESPACE elsewhere;");
}
run("BEGIN; INSERT INTO t SELECT n, 'a' FROM generate_series(1, 1000) n; CLUSTER t USING t_k;"
      . "INSERT INTO t SELECT n, 'b' FROM generate_series(1, 1000) n; COMMIT;");
whole(4010, 'CLUSTER');
is(run("BEGIN; INSERT INTO t SELECT n, 'a' FROM generate_series(1, 1000) n; DROP INDEX t_k; COMMIT;"), '', 'DROP INDEX');
is( run("BEGIN; CREATE INDEX t_k ON t USING omendb (k); INSERT INTO t SELECT n, 'a' FROM generate_series(1, 1000) n;"
          . 'COMMIT;'),
    '', 'CREATE INDEX');
whole(6010, 'index of the same transaction');
run("CREATE TEMP TABLE tt (k int8) ON COMMIT DELETE ROWS; CREATE INDEX tt_k ON tt USING omendb (k);"
      . "BEGIN; INSERT INTO tt SELECT generate_series(1, 1000); COMMIT; INSERT INTO tt SELECT generate_series(1, 1000);");
is( run("CREATE TEMP TABLE tt (k int8) ON COMMIT DELETE ROWS; CREATE INDEX tt_k ON tt USING omendb (k);"
          . "BEGIN; INSERT INTO tt SELECT generate_series(1, 1000); COMMIT; SELECT entries FROM omendb_stat_index('tt_k', true);"),
    0, 'ON COMMIT DELETE ROWS');

# ---- 5. Not for exclusion constraints ----

run('CREATE TABLE once (k int8, EXCLUDE USING omendb (k WITH =))');
is( run("SET omendb.test_point = 'batch-written=error'; INSERT INTO once SELECT generate_series(1001, 1100)"),
    '', 'the index of a constraint gets its entries one by one');
{
    my ($one, $two) = (session(), session());
    say_to($one, 'BEGIN; INSERT INTO once SELECT generate_series(1, 100);');
    $two->query_until(qr/waiting/, "\\echo waiting\nINSERT INTO once VALUES (100);\n");
    $node->poll_query_until('postgres',
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO once%'")
      or die 'nobody waits';
    ok(1, 'another session waits for the transaction that inserted the key');
    say_to($one, 'COMMIT;');
    $two->quit;
    $one->quit;
    is(run('SELECT count(*) FROM once'), 200, 'and then its row is refused');
}

# ---- 6. A flush that fails aborts the transaction, even if somebody catches the error ----

fresh(5000);
is( run("BEGIN; SET LOCAL omendb.test_point = 'batch-written=error:3'; INSERT INTO t SELECT n, 'x' FROM generate_series(1, 50000) n; COMMIT"),
    'ERROR: test point batch-written', 'a flush that fails at the commit');
run('VACUUM t');
whole(5000, 'and nothing is left of it but for VACUUM');
is( run(<<'END'), 'ERROR: omendb: deferred inserts of this transaction failed before', 'a flush that fails, and is caught');
BEGIN;
INSERT INTO t SELECT n, 'x' FROM generate_series(1, 50000) n;
SET LOCAL omendb.test_point = 'batch-written=error:3';
SET LOCAL enable_seqscan = off;
DO $$ BEGIN PERFORM count(*) FROM t WHERE k = 5; EXCEPTION WHEN OTHERS THEN NULL; END $$;
COMMIT;
END
run('VACUUM t');
whole(5000, 'is an error of the transaction');
# Whatever comes then, be it that of all that waited nothing is of the transaction that is left.
foreach my $next (
    'SELECT count(*) FROM t WHERE k = 5',
    "INSERT INTO t VALUES (1, 'y')",
    "SELECT omendb_check('t_k', true)",
    'REINDEX TABLE t',
    'TRUNCATE t',
    'COMMIT',
    "PREPARE TRANSACTION 'r'")
{
    foreach my $before ('', "INSERT INTO t SELECT n, 'x' FROM generate_series(1, 50000, 50) n;")
    {
        is( run(<<"END"), 'ERROR: omendb: deferred inserts of this transaction failed before', "a caught failure, then $next");
BEGIN;
SET LOCAL enable_seqscan = off;
$before
SET LOCAL omendb.test_point = 'batch-written=error:3';
DO \$\$
BEGIN
  INSERT INTO t SELECT n, 'x' FROM generate_series(1, 50000, 50) n;
  PERFORM count(*) FROM t WHERE k = 5;
EXCEPTION WHEN OTHERS THEN NULL;
END \$\$;
$next;
ROLLBACK;
END
    }
}
run('VACUUM t');
whole(5000, 'and every time nothing was left of it');

# ---- 7. Never for rows that may be killed while they are being inserted ----

# As in PostgreSQL's insert-conflict-specconflict.spec: a session has put its row into the table and into t_k, and only
# when it comes to the unique index does it learn that another was faster. It kills the row, whose TID VACUUM may give
# away at once, and goes on with its transaction.
run(<<'END');
DROP TABLE t;
-- Waits for the gate to open the n-th time that the session calls it.
CREATE FUNCTION gate(int8) RETURNS int8 LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE n int := nullif(current_setting('test.gate', true), '')::int;
BEGIN
  IF n IS NOT NULL THEN
    PERFORM set_config('test.gate', CASE WHEN n > 1 THEN (n - 1)::text ELSE '' END, false);
    IF n = 1 THEN PERFORM pg_advisory_lock(1), pg_advisory_unlock(1); END IF;
  END IF;
  RETURN $1;
END $$;
CREATE TABLE t (u int8, k int8, v text);
CREATE INDEX t_k ON t USING omendb (k);
CREATE UNIQUE INDEX t_u ON t (gate(u));
END
my @speculative = (
    "INSERT INTO t VALUES (1, %d, 'c') ON CONFLICT DO NOTHING",
    "WITH w AS (INSERT INTO t VALUES (1, %d, 'c') ON CONFLICT (gate(u)) DO UPDATE SET v = 'd' RETURNING 1) SELECT * FROM w"
);

# The session inserts `rows` rows before, which have waited if it knows the rules by then.
sub lose_a_race
{
    my ($statement, $rows, $name) = @_;
    run('TRUNCATE t');
    my ($controller, $one) = (session(), session());
    say_to($controller, 'SELECT pg_advisory_lock(1);');
    say_to($one, 'BEGIN;' . ($rows ? "INSERT INTO t SELECT n, n, 'x' FROM generate_series(1001, 1000 + $rows) n;" : ''));
    say_to($one, 'SET test.gate = 2;');
    $one->query_until(qr/sent/, "\\echo sent\n" . sprintf($statement, 111) . ";\n");
    $node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'advisory'")
      or die 'nobody is at the gate';
    run(sprintf($statement, 222));
    say_to($controller, 'SELECT pg_advisory_unlock(1);');
    say_to($one, 'SELECT 1;');
    run('VACUUM (TRUNCATE OFF) t');
    run("INSERT INTO t SELECT n, 5000 + n, 'y' FROM generate_series(10000, 10010) n");
    say_to($one, 'COMMIT;');
    $_->quit foreach $controller, $one;
    is(run('SET enable_seqscan = off; SELECT count(*) FROM t WHERE k = 111'), 0, "$name: the killed row is nowhere");
    whole(1 + $rows + 11, $name);
    return;
}
lose_a_race($_, 2001, 'ON CONFLICT') foreach @speculative;
run('TRUNCATE t');
# Such a statement is over, or an error ended it in a transaction before.
$insert = "INSERT INTO t SELECT n, n, 'x' FROM generate_series(101, 200) n";
waits(sprintf($speculative[0], 1) . ";$insert", 'after ON CONFLICT');
waits($insert, 'after ON CONFLICT failed', <<'END');
DO $$
BEGIN
  INSERT INTO t SELECT n, 1 / (5 - n) FROM generate_series(1, 9) n ON CONFLICT DO NOTHING;
EXCEPTION WHEN division_by_zero THEN NULL;
END $$;
END

# ---- 8. After the flush at the commit nothing waits ----

# Rows that come then are not in the index if nobody flushes them. The callback that was registered last is called first:
# omendb's, if its library was loaded after this one.
{
    my $module = build_module('late_insert');
    my $late = "SET LOCAL late_insert.statement = 'INSERT INTO t SELECT -n, ''late'' FROM generate_series(1, 500) n'";
    my $reads = <<'END';
SET LOCAL enable_seqscan = off;
SET LOCAL late_insert.statement = $$DO 'BEGIN
  FOR n IN 1 .. 500 LOOP
    INSERT INTO t VALUES (-n, ''late'');
    IF n % 100 = 0 AND NOT EXISTS (SELECT FROM t WHERE k = -n) THEN RAISE ''% is not there'', n; END IF;
  END LOOP;
END'$$
END
    run('DROP TABLE t; CREATE TABLE t (k int8, v text); CREATE INDEX t_k ON t USING omendb (k)');
    $insert = "INSERT INTO t SELECT n, 'x' FROM generate_series(1, 300) n";
    is( run("LOAD '$module'; BEGIN; SET LOCAL omendb.test_point = 'batch-written=error'; $late; COMMIT"),
        'ERROR: test point batch-written', 'another callback inserts before the flush');
    run("LOAD '$module'; BEGIN; $insert; $late; COMMIT; VACUUM t");
    whole(800, 'another callback inserted before the flush');

    $node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'$module, omendb'");
    $node->restart;
    run('TRUNCATE t');
    is( run("BEGIN; SET LOCAL omendb.test_point = 'batch-written=error'; $late; COMMIT"),
        '', 'another callback inserts after the flush: they do not wait');
    run("BEGIN; $insert; $late; COMMIT");
    whole(1300, 'after the flush');
    run("CREATE TABLE t2 (k int8); CREATE INDEX t2_k ON t2 USING omendb (k); "
          . "BEGIN; INSERT INTO t2 SELECT generate_series(1, 100); $late; COMMIT; DROP TABLE t2");
    whole(1800, 'after the flush of another index');
    is(run("BEGIN; $insert; $reads; COMMIT"), '', 'it sees what it inserted');
    whole(2600, 'after the flush, reading');
    run("BEGIN; $insert; $late; PREPARE TRANSACTION 'late'; COMMIT PREPARED 'late'");
    whole(3400, 'after the flush of PREPARE TRANSACTION');
    run("BEGIN; $insert; $late; ROLLBACK; VACUUM t");
    whole(3400, 'rolled back before it came to it');
    is( run("BEGIN; $insert; SET LOCAL late_insert.statement = 'SELECT 1 / 0'; COMMIT"),
        'ERROR: division by zero', 'another callback fails after the flush');
    run('VACUUM t');
    whole(3400, 'after the flush of what is rolled back');
    waits($insert, 'the next transaction', "BEGIN; $late; COMMIT;");
    $node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'omendb'");
    $node->restart;
    fresh(100);
}

# ---- 9. All that inserts without being a plain INSERT ----

fresh(100);
run("COPY t FROM PROGRAM 'seq 1 5000 | sed s/\$/,c/' WITH (FORMAT csv)");
whole(5100, 'COPY');
run("DROP TABLE t; BEGIN; CREATE TABLE t (k int8, v text); CREATE INDEX t_k ON t USING omendb (k);"
      . "COPY t FROM PROGRAM 'seq 1 5000 | sed s/\$/,c/' WITH (FORMAT csv, FREEZE); COMMIT");
whole(5000, 'COPY FREEZE');
run(<<'END');
CREATE TABLE source (k int8);
CREATE FUNCTION insert_it() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO t VALUES (NEW.k, 'by a trigger');
  IF NEW.k % 10 = 0 THEN
    BEGIN
      INSERT INTO t VALUES (-NEW.k, 'undone');
      RAISE EXCEPTION 'undone';
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER insert_it AFTER INSERT ON source FOR EACH ROW EXECUTE FUNCTION insert_it();
CREATE CONSTRAINT TRIGGER insert_it_late AFTER INSERT ON source DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.k % 2 = 0) EXECUTE FUNCTION insert_it();
INSERT INTO source SELECT generate_series(1, 1000);
END
whole(6500, 'triggers, also deferred ones');
is( run(<<'END'), 100, 'a cursor that was open goes on with what it could see');
BEGIN;
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
DECLARE c CURSOR FOR SELECT k FROM t WHERE k BETWEEN 1001 AND 1100;
INSERT INTO t SELECT n, 'later' FROM generate_series(1001, 1100) n;
MOVE 10 IN c;
INSERT INTO t SELECT n, 'later' FROM generate_series(1001, 1100) n;
CREATE FUNCTION pg_temp.rest() RETURNS int LANGUAGE plpgsql AS $$
DECLARE c refcursor := 'c'; k int8; n int := 10;
BEGIN
  LOOP FETCH c INTO k; EXIT WHEN NOT FOUND; n := n + 1; END LOOP;
  RETURN n;
END $$;
SELECT pg_temp.rest();
COMMIT;
END
whole(6700, 'cursor');
is( run("BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO t SELECT n, 's' FROM generate_series(1, 300) n; COMMIT"),
    '', 'serializable');
whole(7000, 'serializable');

# Partitions: rows routed to them, and moved from one to another.
run(<<'END');
DROP TABLE t;
CREATE TABLE parted (k int8, v text) PARTITION BY RANGE (k);
CREATE TABLE t PARTITION OF parted FOR VALUES FROM (0) TO (1000000);
CREATE TABLE other PARTITION OF parted FOR VALUES FROM (-1000000) TO (0);
CREATE INDEX t_k ON t USING omendb (k);
CREATE INDEX other_k ON other USING omendb (k);
INSERT INTO parted SELECT n, 'x' FROM generate_series(-5000, 4999) n;
UPDATE parted SET k = -k WHERE k BETWEEN -1000 AND -1;
END
whole(6000, 'partitions');

# Logical replication, in which another process inserts without a statement.
{
    my $subscriber = new_node('subscriber', streaming => 1, conf => "shared_preload_libraries = 'omendb'\nomendb.test_first_inserts = 0\n");
    $subscriber->safe_psql('postgres',
        'CREATE TABLE replicated (id int8 PRIMARY KEY, k int8); CREATE INDEX replicated_k ON replicated USING omendb (k)');
    run('CREATE TABLE replicated (id int8 PRIMARY KEY, k int8)');
    run('INSERT INTO replicated SELECT n, hashint8(n) FROM generate_series(1, 3000) n');
    run('CREATE PUBLICATION p FOR TABLE replicated');
    my $connection = $node->connstr . ' dbname=postgres';
    $subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '$connection' PUBLICATION p");
    $subscriber->wait_for_subscription_sync($node, 's');
    run('INSERT INTO replicated SELECT n, hashint8(n) FROM generate_series(3001, 6000) n;'
          . 'UPDATE replicated SET k = k + 1 WHERE id % 10 = 0; DELETE FROM replicated WHERE id % 10 = 1');
    $node->wait_for_catchup('s');
    check_all($subscriber, 'subscriber');
    one_answer($subscriber, 'SELECT id FROM replicated WHERE k > -3000000000', 'subscriber: one answer', '{index,bitmap}');
    is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM replicated'), 5400, 'subscriber: rows');

    # 4 again: TRUNCATE is no utility statement there. The first exchanges the file, the second is in place; and now and
    # then the index is read.
    $subscriber->safe_psql('postgres', <<'END');
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE n int;
BEGIN
  EXECUTE format('SELECT count(*) FROM %s WHERE k = %s', TG_RELID::regclass, NEW.k) INTO n;
  IF n <> 1 THEN RAISE 'k = % is there % times', NEW.k, n; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER look AFTER INSERT ON replicated FOR EACH ROW WHEN (NEW.id % 300 = 0) EXECUTE FUNCTION look();
ALTER TABLE replicated ENABLE ALWAYS TRIGGER look;
END
    foreach my $truncates (1, 2)
    {
        run('BEGIN;'
              . join('TRUNCATE replicated;',
                map { "INSERT INTO replicated SELECT n, -n FROM generate_series($_->[0], $_->[1]) n;" }
                  ([ 10001, 11500 ], [ 20001, 21200 ], [ 30001, 30900 ])[ 0 .. $truncates ])
              . 'COMMIT');
        $node->wait_for_catchup('s');
        check_all($subscriber, "subscriber, TRUNCATE $truncates");
        is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM replicated'),
            $truncates == 1 ? 1200 : 900, "subscriber, TRUNCATE $truncates: rows");
        is( $subscriber->safe_psql('postgres', "SELECT entries FROM omendb_stat_index('replicated_k', true)"),
            $truncates == 1 ? 1200 : 900, "subscriber, TRUNCATE $truncates: entries");
        run('TRUNCATE replicated');
    }
    # 7 again, where the library is loaded by a trigger's statement, in a process that has no portal.
    $subscriber->safe_psql('postgres', <<'END');
DROP TRIGGER look ON replicated;
DROP INDEX replicated_k;
CREATE TABLE upserted (u int8 UNIQUE, k int8);
CREATE INDEX upserted_k ON upserted USING omendb (k);
CREATE FUNCTION upsert() RETURNS trigger LANGUAGE plpgsql SET search_path = omendb_test AS $$
BEGIN
  INSERT INTO upserted SELECT n, n FROM generate_series(1, 50) n ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER upsert AFTER INSERT ON replicated FOR EACH ROW EXECUTE FUNCTION upsert();
ALTER TABLE replicated ENABLE ALWAYS TRIGGER upsert;
END
    $subscriber->append_conf('postgresql.conf', "shared_preload_libraries = ''\nomendb.test_point = 'batch-written=error'\n");
    $subscriber->restart;
    run('INSERT INTO replicated VALUES (1, 1)');
    my $upserted = 0;
    for (my $tries = 0; $tries < 200 && !$upserted; $tries++)
    {
        last if slurp_file($subscriber->logfile) =~ /test point batch-written/;
        select undef, undef, undef, 0.1;
        $upserted = $subscriber->safe_psql('postgres', 'SELECT count(*) FROM upserted');
    }
    is($upserted, 50, 'the rows of a trigger with ON CONFLICT do not wait');
    check_all($subscriber, 'ON CONFLICT in a trigger');

    $subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION s');
    no_crash($subscriber, 'subscriber');
    $subscriber->stop;
}

# ---- Entries of all kinds, merged into leaves of all sizes ----

run(<<'END');
DROP TABLE parted;
CREATE TABLE t (id int8, k int8, a int4, b float8, c date);
CREATE INDEX t_k ON t USING omendb (k);
CREATE INDEX t_ka ON t USING omendb (k, a DESC);
CREATE INDEX t_three ON t USING omendb (a, id DESC, k);
CREATE INDEX t_abc ON t USING omendb (a NULLS FIRST, b, c) WITH (fillfactor = 60);
CREATE INDEX t_wide ON t USING omendb (a, c DESC NULLS LAST, b, id, k);
CREATE INDEX t_include ON t USING omendb (b) INCLUDE (k, c, a);
CREATE INDEX t_some ON t USING omendb (id) WHERE a > 5;
END
my %rows = (
    # In the order of an index, in the opposite one, in none; few values, and one.
    ascending => 'n, n, n / 100, n, DATE \'2000-01-01\' + n',
    descending => '-n, -n, -n / 100, -n, DATE \'2000-01-01\' - n',
    scattered => 'hashint4(n), hashint8(n), hashint4(n + 1) % 100, hashint4(n) / 7.0, DATE \'2000-01-01\' + hashint4(n) % 1000',
    few => 'n % 3, n % 2, n % 5, n % 2, DATE \'2000-01-01\' + n % 2',
    one => '7, 7, 7, 7, DATE \'2000-01-01\'',
    # NULLs: none before the last rows, some, nothing else.
    late => 'n, nullif(n, 990), nullif(n % 7, (n > 900)::int), nullif(n, 995), CASE WHEN n < 980 THEN DATE \'2000-01-01\' END',
    sparse => 'nullif(n % 11, 0), nullif(n % 3, 0), nullif(n % 5, 0), nullif(n % 7, 0), CASE WHEN n % 2 = 0 THEN DATE \'2000-01-01\' + n END',
    null => 'NULL, NULL, NULL, NULL, NULL');
my @orders = sort keys %rows;
foreach my $size ([ 4, 1 ], [ 9, 3 ], [ 60, 64 ], [ 8192, 64 ])
{
    my ($entries, $delta) = @$size;
    run('TRUNCATE t');
    # Each of them into what the ones before left, in any order, twice.
    foreach my $order (shuffle(@orders), shuffle(@orders))
    {
        my $piece = pick(1, 3, 1000);
        is( run(<<"END"), '', "$entries entries a page, $delta in a delta: $order");
SET omendb.test_page_entries = $entries;
SET omendb.test_delta_entries = $delta;
BEGIN;
INSERT INTO t SELECT $rows{$order} FROM generate_series(1, 1000) n WHERE n % $piece = 0;
SET LOCAL omendb.insert_buffer_size = '64kB';
INSERT INTO t SELECT $rows{$order} FROM generate_series(1, 1000) n WHERE n % $piece > 0;
COMMIT;
END
    }
    my $name = "$entries entries a page, $delta in a delta";
    check_all($node, $name);
    one_answer($node, "SELECT $_->[0] FROM t WHERE $_->[1]", "$name: $_->[1]", '{index,bitmap}')
      foreach [ 'k', 'k >= -3000000000' ], [ 'k, a', 'k IS NULL' ], [ 'a, b, c', 'a IS NULL' ],
      [ 'a, b, c', 'a BETWEEN -50 AND 7' ], [ 'b, k, c, a', 'b > -1e9' ], [ 'id', 'a > 5 AND id > 3' ];
    # Leaves that are thinned out, or empty.
    run("DELETE FROM t WHERE k % 4 > 0 OR a = 7; VACUUM t; INSERT INTO t SELECT $rows{scattered} FROM generate_series(1, 500) n");
    check_all($node, "$name: after VACUUM");
}
# Entries that take next to no room: more would fit a page than it may have. They come behind those of a page, and
# between them, where VACUUM left gaps.
run('TRUNCATE t; INSERT INTO t (id, k) SELECT n, 1 FROM generate_series(1, 8100) n');
check_all($node, 'equal keys, one page');
run('DELETE FROM t WHERE id % 20 = 0; VACUUM t; INSERT INTO t (k) SELECT 1 FROM generate_series(1, 1000)');
check_all($node, 'equal keys, more than one page may have');
run('INSERT INTO t (k) SELECT 1 FROM generate_series(1, 30000)');
check_all($node, 'equal keys, many pages');

# A split that was left in the middle is completed by those that come next.
run('DROP TABLE t');
foreach my $at (1, 2, 5)
{
    fresh(100);
    my $settings = 'SET omendb.test_page_entries = 8; SET omendb.test_delta_entries = 2';
    my $dense = "INSERT INTO t SELECT 400 + n % 100, 'dense' FROM generate_series(1, 300) n";
    is( run("$settings; SET omendb.test_point = 'split-written=error:$at'; $dense"),
        'ERROR: test point split-written', "split $at is left in the middle");
    run("$settings; $dense; $dense");
    run('VACUUM t');
    whole(700, "split $at was left in the middle");
}
run('DROP TABLE t');

# 7 again, where the library is loaded by the very statement that must not wait.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->restart;
run(<<'END');
CREATE TABLE t (u int8, k int8, v text);
CREATE INDEX t_k ON t USING omendb (k);
CREATE UNIQUE INDEX t_u ON t (gate(u));
END
lose_a_race($_, 0, 'ON CONFLICT, the first statement') foreach @speculative;

no_crash($node, 'primary');
done_testing();
