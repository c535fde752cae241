"""An app that is dropped without `close`: the garbage collector ends its connections and its watcher."""

import json
import sys

import pytest

from ..support.processes import run

SCRIPT = """
import asyncio, gc, json, os, sys, time
import honker


def facts():
    links = [os.readlink(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")
             if os.path.lexists(f"/proc/self/fd/{each}")]
    names = [open(f"/proc/self/task/{each}/comm").read().strip() for each in os.listdir("/proc/self/task")]
    return len([each for each in links if ".db" in each or "inotify" in each]), len(names)


def use(number):
    app = honker.App(f"{sys.argv[1]}-{number}.db")

    @app.task(queue="q")
    def work(n):
        return n

    result = work(1)
    asyncio.run(app.db.run_workers(burst=True))
    assert result.get(5) == 1
    updates = app.db.update_events()
    assert facts()[0] > 0


asyncio.run(asyncio.sleep(0))
before = facts()
for number in range(5):
    use(number)
gc.collect()
deadline = time.monotonic() + 5
while facts() != before and time.monotonic() < deadline:
    gc.collect()
print(json.dumps([before, facts()]), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors and threads in /proc")
def test_an_app_that_is_dropped_leaves_neither_descriptors_nor_threads(tmp_path):
    (line,) = run(SCRIPT, tmp_path / "app")
    before, after = json.loads(line)
    assert after == before
