"""Tasks of an application in a module, run by `honker worker`.

    cd examples
    honker worker tasks_module:db --list
    honker worker tasks_module:db

and in another terminal, also in `examples`:

    python -c 'import tasks_module; print(tasks_module.add(1, 2).get(timeout=10))'

The database is `shop.db`, or the file named by the environment variable SHOP_DB. `run_tasks.py` does all of this at
once.
"""

import os

import honker

db = honker.open(os.environ.get("SHOP_DB", "shop.db"))


@db.task("arithmetic")
def add(a, b):
    """Runs in a thread of the worker, as a plain function."""
    return a + b


@db.task("emails", retries=5, timeout_s=30)
async def send(to):
    """Runs on the worker's event loop, as a coroutine. Raise `honker.Retryable` to choose the time of the retry."""
    return f"sent to {to} by process {os.getpid()}"


@db.task("emails", retries=1)
def bounce(to):
    """Fails its only attempt: any error other than `honker.Retryable` uses up an attempt."""
    raise ValueError(f"{to!r} is no address")
