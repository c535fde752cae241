-- Version 6: room for a large job's row to keep its size. SQLite writes only the pages of a row that differ, but only if
-- the row stays as long as it was; otherwise it writes all of a large payload anew, twice over where secure_delete is on.
-- So a row with a large payload ends in a blob of zeros, which a claim shortens by as many bytes as worker, lease and
-- attempt take, and which whatever ends the claim makes as long as before. NULL: the row is small, or not ours.
ALTER TABLE main._honker_live ADD COLUMN slack BLOB;
