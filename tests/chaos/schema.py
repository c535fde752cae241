"""The tables of the shop. Without a key that a repeated effect would violate: the ledger finds it."""

import honker

from .promises import TICK_EXPIRES_S

SCHEMA = (
    "CREATE TABLE orders (number INTEGER PRIMARY KEY AUTOINCREMENT)",
    "CREATE TABLE charged (number, job_id, attempt)",
    "CREATE TABLE poisoned (number)",
    "CREATE TABLE ticked (job_id)",
    "CREATE TABLE fulfilled (job_id)",
    "CREATE TABLE projected (consumer, number, offset)",
    "CREATE TABLE fired (job_id, second)",
    "CREATE TABLE boundaries (passed, next)",
    f"""CREATE TRIGGER fired AFTER INSERT ON _honker_live WHEN NEW.queue = 'ticks' AND NEW.attempts = 0
       BEGIN INSERT INTO fired VALUES (NEW.id, NEW.expires_at - {TICK_EXPIRES_S}); END""",
    """CREATE TRIGGER boundaries AFTER UPDATE OF next_fire_at ON _honker_scheduler_tasks
       WHEN NEW.next_fire_at != OLD.next_fire_at
       BEGIN INSERT INTO boundaries VALUES (OLD.next_fire_at, NEW.next_fire_at); END""",
)


def create(path):
    """Make the file with its tables."""
    with honker.open(path) as made, made.transaction() as tx:
        for statement in SCHEMA:
            tx.execute(statement)
