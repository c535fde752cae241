"""The cost of waiting: processor time and wake-ups of 100 listeners, and the remains of a thousand subscriptions."""

import asyncio
import os
import tempfile
import threading
import time
from pathlib import Path

import honker

from .checks import CheckError
from .latency import QUEUE, SPAWN, WORKER

LISTENERS = 100
#: For comparison: the same listeners, and a thread that polls every millisecond.
POLLING = "asyncio, polling"
#: Each form of listening in a separate process, which is measured as a whole and from outside.
FORMS = ("asyncio", "threads", "claims", POLLING)


def measure(seconds, folder, others):
    """Share of a core and context switches per second, by form. All forms are measured at once: they are idle.

    Args:
        seconds: Duration of the measurement.
        folder: Folder for the databases.
        others: Processes of peers that are already idle, by displayed name.
    """
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        children = {}
        for form in FORMS:
            path = str(Path(inner) / f"{form}.db")
            honker.open(path).close()
            ready = SPAWN.Event()
            child = SPAWN.Process(target=listen, args=(form, path, ready), daemon=True)
            child.start()
            children[form] = child
            if not ready.wait(30):
                raise CheckError(f"the listeners ({form}) did not start")
        time.sleep(min(seconds, 2.0))
        processes = {form: child.pid for form, child in children.items()} | others
        before = {form: usage(pid) for form, pid in processes.items()}
        began = time.monotonic()
        time.sleep(seconds)
        after = {form: usage(pid) for form, pid in processes.items()}
        span = time.monotonic() - began
        threads = {form: len(os.listdir(f"/proc/{pid}/task")) for form, pid in processes.items()}
        for child in children.values():
            child.kill()
            child.join()
    return {
        form: {
            "core_percent": (after[form][0] - before[form][0]) / span / 1e7,
            "wakeups_per_s": (after[form][1] - before[form][1]) / span,
            "threads": threads[form],
        }
        for form in processes
    }


def usage(pid):
    """Processor nanoseconds and voluntary context switches of all threads of a process."""
    nanoseconds = switches = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        nanoseconds += int((task / "schedstat").read_text().split()[0])
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                switches += int(line.split()[1])
    return nanoseconds, switches


def listen(form, path, ready):
    db = honker.open(path, watcher_backend="polling" if form == POLLING else None)
    if form == "threads":
        listeners = [db.update_events() for _ in range(LISTENERS)]
        for listener in listeners:
            threading.Thread(target=listener.wait, args=(None,), daemon=True).start()
        ready.set()
        threading.Event().wait()
    asyncio.run(listen_async(form, db, ready))


async def listen_async(form, db, ready):
    if form == "claims":
        iterators = [db.queue(f"{QUEUE}{number}").claim(WORKER) for number in range(LISTENERS)]
    else:
        iterators = [db.update_events() for _ in range(LISTENERS)]
    tasks = [asyncio.ensure_future(drain(iterator)) for iterator in iterators]
    await asyncio.sleep(0.2)
    ready.set()
    await asyncio.gather(*tasks)


async def drain(iterator):
    async for _ in iterator:
        pass


# ---------------------------------------------------------------------------------------------------------------- churn


def churn(count, folder):
    """Descriptors, threads and resident memory of a process before and after `count` subscriptions."""
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        receiver, sender = SPAWN.Pipe(duplex=False)
        child = SPAWN.Process(target=churn_in_child, args=(str(Path(inner) / "churn.db"), count, sender), daemon=True)
        child.start()
        if not receiver.poll(60):
            raise CheckError("the churn did not end")
        result = receiver.recv()
        child.join()
    return result


def churn_in_child(path, count, sender):
    with honker.open(path) as db:
        turn_over(db, count // 10)  # warm up: some memory is allocated once and kept
        before = footprint()
        turn_over(db, count)
        sender.send({"before": before, "after": footprint()})


def turn_over(db, count):
    """Subscribe half of them one by one, so that the watcher starts and stops, and half at once, sharing one."""
    for _ in range(count // 2):
        db.update_events().close()
    for listener in [db.update_events() for _ in range(count // 2)]:
        listener.close()


def footprint():
    status = Path("/proc/self/status").read_text()
    (resident,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "resident_kib": resident,
    }
