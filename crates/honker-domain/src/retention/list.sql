-- Every policy.
-- Returns kind, name, max_age_s, max_keep, in order of kind and name.
-- Reads the whole table by its primary key, one row a policy. Lock: read.
SELECT kind, name, max_age_s, max_keep FROM main._honker_retention ORDER BY kind, name
