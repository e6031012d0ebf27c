-- Transactions: prepared ones, subtransactions, locks of rows; indexes made and dropped in them.
\set srcdir .
\getenv srcdir PG_ABS_SRCDIR
\set compare :srcdir '/test/sql/compare.sql'
\set ECHO none
\i :compare
\set ECHO all

CREATE TABLE tx_t (k int8, v int4) WITH (autovacuum_enabled = off);
INSERT INTO tx_t SELECT n * 7919 % 1009, n FROM generate_series(1, 2000) AS n;
CREATE INDEX tx_k ON tx_t USING omendb (k);
CREATE FUNCTION ask_tx() RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws('; ', compare('SELECT k, v FROM tx_t WHERE k BETWEEN 5 AND 300', '{index,bitmap,batched}'), compare('SELECT k FROM tx_t ORDER BY k', '{index,only,batched,batched_only}', true),
    nullif(omendb_check('tx_k'::regclass, true)::text, ''))
$$;

-- Two-phase commit.
BEGIN;
INSERT INTO tx_t SELECT 50, n FROM generate_series(1, 300) AS n;
DELETE FROM tx_t WHERE k = 70;
UPDATE tx_t SET k = k + 1 WHERE k = 90;
PREPARE TRANSACTION 'omendb_1';
SELECT compare('SELECT k, v FROM tx_t WHERE k BETWEEN 5 AND 300', '{index,bitmap,batched}');
BEGIN;
INSERT INTO tx_t SELECT 60, n FROM generate_series(1, 300) AS n;
PREPARE TRANSACTION 'omendb_2';
SELECT compare('SELECT count(*) FROM tx_t WHERE k = 50'), compare('SELECT count(*) FROM tx_t WHERE k = 60'), compare('SELECT count(*) FROM tx_t WHERE k = 70');
COMMIT PREPARED 'omendb_1';
SELECT compare('SELECT v FROM tx_t WHERE k = 50', '{index,batched}'), compare('SELECT v FROM tx_t WHERE k = 60', '{index,batched}'), compare('SELECT v FROM tx_t WHERE k = 70', '{index,batched}');
ROLLBACK PREPARED 'omendb_2';
SELECT ask_tx();
BEGIN;
INSERT INTO tx_t SELECT 55, n FROM generate_series(1, 100) AS n;
CREATE INDEX tx_kv ON tx_t USING omendb (k, v);
INSERT INTO tx_t SELECT 56, n FROM generate_series(1, 100) AS n;
PREPARE TRANSACTION 'omendb_3';
COMMIT PREPARED 'omendb_3';
SELECT ask_tx(), compare('SELECT k, v FROM tx_t WHERE k IN (55, 56)'), omendb_check('tx_kv', true);
BEGIN;
DROP INDEX tx_kv;
PREPARE TRANSACTION 'omendb_4';
ROLLBACK PREPARED 'omendb_4';
INSERT INTO tx_t VALUES (57, 1);
SELECT compare('SELECT k, v FROM tx_t WHERE k IN (55, 56, 57)', '{index,bitmap,batched}'), omendb_check('tx_kv', true);
DROP INDEX tx_kv;

-- Subtransactions, one in another, with changes of the index itself.
BEGIN;
INSERT INTO tx_t SELECT 400, n FROM generate_series(1, 10) AS n;
SAVEPOINT a;
INSERT INTO tx_t SELECT 401, n FROM generate_series(1, 500) AS n;
SAVEPOINT b;
DELETE FROM tx_t WHERE k = 400;
INSERT INTO tx_t SELECT 402, n FROM generate_series(1, 10) AS n;
SELECT ask_tx();
ROLLBACK TO b;
INSERT INTO tx_t SELECT 403, n FROM generate_series(1, 10) AS n;
RELEASE a;
SAVEPOINT c;
DROP INDEX tx_k;
INSERT INTO tx_t SELECT 404, n FROM generate_series(1, 10) AS n;
CREATE INDEX tx_k ON tx_t USING omendb (k);
SELECT ask_tx();
ROLLBACK TO c;
SELECT ask_tx();
SAVEPOINT d;
TRUNCATE tx_t;
INSERT INTO tx_t VALUES (1, 1);
SELECT ask_tx();
ROLLBACK TO d;
SELECT k, count(*) FROM tx_t WHERE k BETWEEN 400 AND 404 AND v <= 500 GROUP BY k ORDER BY k;
COMMIT;
SELECT ask_tx();
-- Hundreds of subtransactions, each third of which fails.
DO $$
BEGIN
  FOR n IN 1 .. 300 LOOP
    BEGIN
      INSERT INTO tx_t VALUES (500 + n, n), (500, n);
      IF n % 3 = 0 THEN
        RAISE division_by_zero;
      END IF;
    EXCEPTION WHEN division_by_zero THEN
      UPDATE tx_t SET v = v + 1 WHERE k = 500 AND v = n - 1;
    END;
  END LOOP;
END $$;
SELECT ask_tx(), compare('SELECT k, v FROM tx_t WHERE k >= 500', '{index,bitmap,batched}');
-- A procedure that commits while it reads.
CREATE PROCEDURE move_rows() LANGUAGE plpgsql AS $$
DECLARE
  row record;
BEGIN
  FOR row IN SELECT k, v FROM tx_t WHERE k BETWEEN 500 AND 550 ORDER BY k, v LOOP
    UPDATE tx_t SET k = k + 2000 WHERE k = row.k AND v = row.v;
    COMMIT;
  END LOOP;
END $$;
CALL move_rows();
SELECT count(*) FROM tx_t WHERE k BETWEEN 2500 AND 2550;
SELECT ask_tx();

-- Locked rows, found by the index; deleted ones that come back.
BEGIN;
SELECT force_scan('index');
SELECT k, v FROM tx_t WHERE k = 403 ORDER BY k, v LIMIT 2 FOR UPDATE;
UPDATE tx_t SET v = -v WHERE k = 403 AND v = 1;
SELECT k, v FROM tx_t WHERE k = 403 AND v < 2 FOR NO KEY UPDATE SKIP LOCKED;
DELETE FROM tx_t WHERE k = 403 RETURNING k, abs(v) % 2 = 0 AS even;
ROLLBACK;
SELECT count(*) FROM tx_t WHERE k = 403;

-- Isolation levels in one session: the rows of the transaction's snapshot, and its own.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT ask_tx();
INSERT INTO tx_t SELECT 700, n FROM generate_series(1, 50) AS n;
SELECT ask_tx();
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT force_scan('only');
SELECT count(*) FROM tx_t WHERE k = 700;
SELECT mode, count(*) > 0 AS locks FROM pg_locks WHERE locktype IN ('page', 'relation') AND mode = 'SIReadLock' AND pid = pg_backend_pid() AND relation = 'tx_k'::regclass GROUP BY mode;
SELECT count(*) FROM tx_t WHERE k = 100000;
UPDATE tx_t SET k = 701 WHERE k = 700;
COMMIT;
BEGIN READ ONLY;
SELECT force_scan('index');
SELECT count(v) FROM tx_t WHERE k = 701;
COMMIT;
SELECT ask_tx();
