# VACUUM, inserts, updates, deletes and scans at the same time: readers compare kinds of scan within one snapshot while
# everything changes, and what must not change at all is there in every snapshot.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Omendb;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = 20 * $soak;

my $node = new_node('race', conf => <<'END');
autovacuum_naptime = 1s
autovacuum_vacuum_cost_delay = 0
END

$node->safe_psql('postgres', <<'END');
CREATE TABLE t (id bigserial, k int8, a int4);
INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 10000);
CREATE INDEX t_k ON t USING omendb (k);
CREATE INDEX t_ak ON t USING omendb (a, k DESC) INCLUDE (id);
CREATE INDEX t_id ON t USING omendb (id);

-- 3,000 rows whose keys move and whose balances sum up to nothing.
CREATE TABLE account (id int4, k int8, balance int8);
INSERT INTO account SELECT n, n * 1000, 0 FROM generate_series(1, 3000) AS n;
CREATE INDEX account_id ON account USING omendb (id);
CREATE INDEX account_k ON account USING omendb (k) INCLUDE (balance);
CREATE INDEX account_kb ON account USING omendb (k, balance);

-- All accounts are there, once, by each kind of scan.
CREATE FUNCTION must_be_complete() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  way text;
  n int8;
  ids int8;
  total numeric;
BEGIN
  FOREACH way IN ARRAY '{index,only,bitmap}'::text[] LOOP
    PERFORM force_scan(way);
    SELECT count(*), count(DISTINCT id) INTO n, ids FROM account WHERE id >= 0;
    IF n <> 3000 OR ids <> 3000 THEN
      RAISE EXCEPTION 'WRONG ANSWER: % rows, % accounts by % scan', n, ids, way;
    END IF;
    SELECT count(*), sum(balance) INTO n, total FROM account WHERE k > -9223372036854775808;
    IF n <> 3000 OR total <> 0 THEN
      RAISE EXCEPTION 'WRONG ANSWER: % rows with a balance of % by % scan', n, total, way;
    END IF;
  END LOOP;
END $$;

-- A cursor walks to and fro, pausing so that the tree changes under it; it must see one order and the same rows.
CREATE FUNCTION must_walk(low int8, high int8, only_index boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  c refcursor;
  expected int8;
  r int8;
  seen int8 := 0;
  previous int8 := -1;
  turn int;
BEGIN
  PERFORM force_scan('seq');
  SELECT count(*) INTO expected FROM t WHERE k BETWEEN low AND high;
  PERFORM force_scan(CASE WHEN only_index THEN 'only' ELSE 'index' END);
  OPEN c SCROLL FOR SELECT k FROM t WHERE k BETWEEN low AND high ORDER BY k;
  LOOP
    FETCH c INTO r;
    EXIT WHEN NOT FOUND;
    seen := seen + 1;
    IF r < previous THEN RAISE EXCEPTION 'WRONG ANSWER: % after % by a cursor', r, previous; END IF;
    previous := r;
    IF seen % 100 = 0 THEN
      PERFORM pg_sleep(0.002);
      -- A few steps back and forth again.
      FOR turn IN 1 .. 40 LOOP FETCH BACKWARD FROM c INTO r; EXIT WHEN NOT FOUND; END LOOP;
      FOR turn IN 1 .. 40 LOOP FETCH c INTO r; END LOOP;
      IF r IS DISTINCT FROM previous THEN
        RAISE EXCEPTION 'WRONG ANSWER: % instead of % after turning back twice', r, previous;
      END IF;
    END IF;
  END LOOP;
  IF seen <> expected THEN RAISE EXCEPTION 'WRONG ANSWER: % rows instead of % by a cursor', seen, expected; END IF;
  LOOP
    FETCH BACKWARD FROM c INTO r;
    EXIT WHEN NOT FOUND;
    seen := seen - 1;
    IF r > previous THEN RAISE EXCEPTION 'WRONG ANSWER: % before % by a cursor', r, previous; END IF;
    previous := r;
  END LOOP;
  IF seen <> 0 THEN RAISE EXCEPTION 'WRONG ANSWER: % rows less on the way back', seen; END IF;
  CLOSE c;
END $$;
END

my $read_only = "BEGIN ISOLATION LEVEL REPEATABLE READ;\n";
my $load = start_load(
    $node,
    clients => 8,
    seconds => $seconds,
    scripts => [
        20 => 'INSERT INTO t (k, a) SELECT (random() * 1e6)::int8, random() * 10 FROM generate_series(1, 20);',
        20 => <<'END',
\set k random(0, 1000000)
UPDATE t SET k = (random() * 1e6)::int8 WHERE id = (SELECT id FROM t WHERE k >= :k ORDER BY k LIMIT 1);
END
        10 => <<'END',
\set k random(0, 1000000)
DELETE FROM t WHERE id IN (SELECT id FROM t WHERE k BETWEEN :k AND :k + 15000 FOR UPDATE SKIP LOCKED);
END
        30 => <<'END',
\set from random(1, 3000)
\set to random(1, 3000)
\set amount random(-100, 100)
UPDATE account SET k = (random() * 1e7)::int8,
  balance = balance + CASE WHEN :from = :to THEN 0 WHEN id = :from THEN -1 * :amount ELSE :amount END
WHERE id IN (:from, :to);
END
        1 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t;',
        2 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) account;',
        4 => <<"END",
\\set k random(0, 900000)
$read_only
SELECT must_be_same(format('SELECT k FROM t WHERE k BETWEEN %s AND %s', :k::int8, :k::int8 + 100000));
SELECT must_be_same(format('SELECT a, k FROM t WHERE a IN (1, 3, 7) AND k > %s ORDER BY a, k DESC', :k::int8),
  '{index,only}');
COMMIT;
END
        4 => "$read_only SELECT must_be_complete(); COMMIT;",
        4 => <<"END",
\\set k random(0, 900000)
\\set only random(0, 1)
$read_only
SELECT must_walk(:k, :k + 50000, :only = 1);
COMMIT;
END
    ]);
my $said = finish_load($load, "$seconds s of 8 clients");
note($said);

check_all($node, 'afterwards');
$node->safe_psql('postgres', 'VACUUM t; VACUUM account');
check_all($node, 'after VACUUM');
is($node->safe_psql('postgres', 'SELECT must_be_complete()'), '', 'the accounts are complete');
one_answer($node, 'SELECT k FROM t WHERE k >= 0', 'all rows');

# Everything goes, page by page, while scans are under way; then the tree is as good as new.
$load = start_load(
    $node,
    clients => 4,
    seconds => 5,
    scripts => [
        2 => 'DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY k LIMIT 1000 FOR UPDATE SKIP LOCKED);',
        1 => 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t;',
        2 => "$read_only SELECT must_be_same('SELECT k FROM t WHERE k >= 0'); COMMIT;",
    ]);
finish_load($load, 'emptying the table');
$node->safe_psql('postgres', 'DELETE FROM t; VACUUM t');
check_all($node, 'when empty');
$node->safe_psql('postgres', 'INSERT INTO t (k, a) SELECT n, 1 FROM generate_series(1, 20000) AS n');
check_all($node, 'filled again');
one_answer($node, 'SELECT k FROM t WHERE k BETWEEN 100 AND 15000', 'some rows');

no_crash($node, 'race');
$node->stop;
done_testing();
