-- Version 3: dead letters of a queue by age, for counting and pruning them. Paid for each new dead letter, which is rare.
CREATE INDEX main._honker_index_dead_age ON _honker_dead (queue, died_at);
