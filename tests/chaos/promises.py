"""The facts that the shop and the ledger share; `shop` itself can be imported only beside its database."""

# Seconds for which a worker holds a job.
LEASE_S = 3
# Every order whose number is a multiple of it has a job that fails at each attempt.
POISON_EVERY = 17
CONSUMERS = ("blocking", "awaiting")
# Seconds for which the lock of the stocktaking is held.
LOCK_S = 2
# The number of jobs to do now. A process whose clock was an hour ahead may have left jobs and leases of an hour, which
# do not count.
UNFINISHED = """SELECT count(*) AS jobs FROM _honker_live
    WHERE run_at < unixepoch() + 60 AND coalesce(claim_expires_at, 0) < unixepoch() + 60"""
# Seconds from a boundary of the schedule to the expiry of its job, which no clock reaches: the job tells its boundary.
TICK_EXPIRES_S = 7 * 86_400
