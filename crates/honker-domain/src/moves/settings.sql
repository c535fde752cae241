-- The settings of the record of moves.
-- Returns two numbers, 1 or 0: moves are counted, moves are published.
-- Index: the primary key of _honker_meta. Lock: read.
SELECT ifnull((SELECT value FROM main._honker_meta WHERE key = 'counters'), 0),
       ifnull((SELECT value FROM main._honker_meta WHERE key = 'events'), 0)
