-- Insert of one row behind all others into the table `single`, whose keys come from the sequence `next_key`. Each row is
-- a transaction: with synchronous_commit = on this measures mostly the disk.

INSERT INTO single VALUES (nextval('next_key'), 0);
