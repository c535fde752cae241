"""Tasks in a module, as an application has them, for `honker worker` to run.

    cd examples
    honker worker tasks_module:db --list
    honker worker tasks_module:db

and in another terminal, also in `examples`:

    python -c 'import tasks_module; print(tasks_module.add(1, 2).get(timeout=10))'

The database is `shop.db`, or what the variable SHOP_DB names. `run_tasks.py` does all of it at once.
"""

import os

import honker

db = honker.open(os.environ.get("SHOP_DB", "shop.db"))


@db.task("arithmetic")
def add(a, b):
    """A plain function runs in a thread of the worker."""
    return a + b


@db.task("emails", retries=5, timeout_s=30)
async def send(to):
    """A coroutine runs on its event loop. Raising `honker.Retryable` chooses when to try again."""
    return f"sent to {to} by process {os.getpid()}"


@db.task("emails", retries=1)
def bounce(to):
    """Any other error uses up an attempt; this is the only one."""
    raise ValueError(f"{to!r} is no address")
