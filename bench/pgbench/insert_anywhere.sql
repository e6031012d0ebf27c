-- Insert of one row with a random key into the table `single`. Each row is a transaction: with synchronous_commit = on
-- this measures mostly the disk.

\set k random(-2147483648, 2147483647) << 32 | random(0, 4294967295)
INSERT INTO single VALUES (:k, 0);
