-- A statement that does nothing but call the function which runs a transition inside it: it brings the journal with which
-- SQLite undoes the transition if that fails, in positions where no savepoint is allowed.
-- No parameters, no columns; inserts nothing, since honker_carry() returns 0.
-- Index: none. Lock: write.
INSERT INTO main._honker_meta (key, value) SELECT '', '' WHERE honker_carry()
