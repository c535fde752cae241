"""The numbers that the shop and the ledger share; `shop` itself can be imported only beside its database."""

# Seconds for which a worker holds a job.
LEASE_S = 3
# Every order whose number is a multiple of it has a job that fails at each attempt.
POISON_EVERY = 17
CONSUMERS = ("blocking", "awaiting")
# Seconds for which the lock of the stocktaking is held.
LOCK_S = 2
