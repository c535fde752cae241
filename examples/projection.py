"""A table computed from a stream. Each event is counted exactly once, even across crashes.

    python examples/projection.py [DATABASE]

The effect of some events and the offset of the last one are written in one transaction. Half-way the consumer "crashes"
after it wrote the effect and before it commits. When it restarts, it resumes after the last committed event.
"""

import os
import random
import sys
import tempfile

import honker

BATCH = 50


class Crash(Exception):
    """A simulated power cut, deployment or bug."""


def publish_payments(db, count):
    """Publish payments and return the expected balance of each account."""
    chance = random.Random(17)
    payments = [{"account": chance.choice("abc"), "cents": chance.randint(-900, 1000)} for _ in range(count)]
    db.stream("payments").publish_many(payments, keys=[payment["account"] for payment in payments])
    return {account: sum(each["cents"] for each in payments if each["account"] == account) for account in "abc"}


def project(db, crash_after=None):
    """Bring the table up to date. A real consumer then waits for `db.update_events()` and repeats."""
    payments = db.stream("payments")
    count = 0
    while events := payments.read_since(payments.get_offset("balances"), BATCH):
        with db.transaction() as tx:
            for event in events:
                tx.execute(
                    "INSERT INTO balances (account, cents) VALUES (?, ?) "
                    "ON CONFLICT (account) DO UPDATE SET cents = cents + excluded.cents",
                    [event.payload["account"], event.payload["cents"]],
                )
            count += len(events)
            if crash_after is not None and count >= crash_after:
                raise Crash(f"after {count} events, {len(events)} of them not committed")
            payments.save_offset("balances", events[-1].offset, tx=tx)
    return count


def balances(db):
    return {row["account"]: row["cents"] for row in db.query("SELECT account, cents FROM balances ORDER BY account")}


def main(path):
    with honker.open(path) as db:
        with db.transaction() as tx:
            tx.execute("CREATE TABLE IF NOT EXISTS balances (account TEXT PRIMARY KEY, cents INTEGER)")
        project(db)  # events left by an earlier run
        before = balances(db)
        change = publish_payments(db, 1000)

        try:
            project(db, crash_after=500)
        except Crash as crash:
            print(f"crashed {crash}")
        resumed = project(db)
        print(f"resumed with the {resumed} remaining events")

        expected = {account: before.get(account, 0) + cents for account, cents in change.items()}
        for account, cents in balances(db).items():
            print(f"account {account}: {cents / 100:8.2f}")
        assert balances(db) == expected, f"expected {expected}"
        assert resumed == 1000 - 500 + BATCH, resumed


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(folder, "bank.db"))
