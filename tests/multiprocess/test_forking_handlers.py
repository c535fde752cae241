"""Handlers that fork and return in the child, which has a copy of the worker in the middle of its work.

The result has to be there within 10 s: a loop that gets no wakes after the fork looks for it after 15 s.
"""

import json

import pytest

from ..support.processes import running

WORKER = """
import asyncio, json, os, sys, time
import honker

db = honker.open(sys.argv[1])
kind, end = sys.argv[2:4]


def fork():
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)
    return end_in_child()


def end_in_child():
    if end == "raise":
        raise LookupError("in the child")
    if end == "exit":
        sys.exit(7)
    return "child"


if kind == "thread":
    @db.task("q", max_attempts=1)
    def handle():
        return fork()
elif kind == "awaited":
    @db.task("q", max_attempts=1)
    def handle():
        async def later():
            return fork()
        return later()
elif kind == "late":
    @db.task("q", max_attempts=1)
    async def handle():
        pid = os.fork()
        if pid == 0:
            await asyncio.sleep(0)
            return end_in_child()
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        return os.waitstatus_to_exitcode(status)
elif kind == "coroutine":
    @db.task("q", max_attempts=1)
    async def handle():
        return fork()
else:
    sys.path.insert(0, sys.argv[4])
    from forking_tasks import fork_and_end
    handle = db.task("q", executor="process", max_attempts=1)(fork_and_end)


async def main():
    stop = asyncio.Event()
    workers = asyncio.create_task(db.run_workers(concurrency=2, stop_event=stop))
    began = time.monotonic()
    result = await (handle(end) if kind == "process" else handle()).aget(20)
    assert time.monotonic() - began < 10, "the loop gets no more wakes"
    stop.set()
    await workers
    return result

print(json.dumps(asyncio.run(main())), flush=True)
db.close()
print(os.getpid(), flush=True)
"""


PROCESS_TASK = """
import os, sys

def fork_and_end(end):
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if end == "raise":
        raise LookupError("in the child")
    if end == "exit":
        sys.exit(7)
    return "child"
"""


@pytest.mark.parametrize("kind", ["coroutine", "awaited", "late", "thread", "process"])
@pytest.mark.parametrize(("end", "code"), [("return", 0), ("raise", 1), ("exit", 7)])
def test_a_child_that_a_handler_has_forked_ends_with_the_handler(path, tmp_path, kind, end, code):
    (tmp_path / "forking_tasks.py").write_text(PROCESS_TASK)
    with running(WORKER, path, kind, end, tmp_path) as worker:
        assert json.loads(worker.line()) == code, "the exit code of the child"
        assert worker.finish() == [str(worker.process.pid)], "nothing else runs on in the child"
