-- Version 9: the instant since which workers have put a job back because they do not know its task; NULL in any other case.
-- All workers share only the job, so the time that a rollout may take is counted here. A process of an older honker, or
-- of the reference, neither sets nor resets it: then the time begins at the next worker of this version, or too early.
ALTER TABLE main._honker_live ADD COLUMN unknown_since INTEGER;
