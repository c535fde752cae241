-- Write one form of the clock of a testing file.
-- ?1 key, ?2 milliseconds: the offset of a clock that runs, or the instant at which it stands still.
-- Index: the primary key of _honker_meta. Lock: write.
INSERT INTO main._honker_meta (key, value) VALUES (?1, ?2)
