"""The processes of the demo."""

import multiprocessing
import os
import signal
from contextlib import contextmanager
from multiprocessing import resource_tracker

from . import walker, worker

# A new interpreter for each process, never a fork: a database handle must not be inherited.
SPAWN = multiprocessing.get_context("spawn")
GRACE_S = 5


class DemoError(Exception):
    """The demo cannot go on."""


class Crew:
    """Starts the walker and the workers, and leaves none behind.

    Args:
        database: The database file.
        lease_s: Seconds that a claim is leased for.
    """

    def __init__(self, database, lease_s):
        self.database = database
        self.lease_s = lease_s
        self.workers = {}
        self.walker = None
        self.hired = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def hire(self):
        """Start a worker; its id, which no worker of an earlier run has had."""
        self.hired += 1
        worker_id = f"worker-{self.hired}/{os.getpid()}"
        self.workers[worker_id] = start(worker.run, self.database, worker_id, self.lease_s)
        return worker_id

    def send_walker(self, directory, limit):
        """Start the walker, and wait until it has looked around."""
        receiver, sender = SPAWN.Pipe(duplex=False)
        self.walker = start(walker.run, self.database, directory, limit, self.lease_s, sender)
        sender.close()  # so that the walker's is the last, and its death ends the wait
        try:
            return receiver.recv()
        except EOFError:
            raise DemoError("the walker died before it had seen the directory") from None

    @property
    def is_walking(self):
        return self.walker.exitcode is None

    def kill(self, worker_id):
        """SIGKILL: nothing of that worker runs any more, neither a handler nor a clean-up."""
        process = self.workers.pop(worker_id)
        process.kill()
        process.join()
        return process.pid

    def check(self):
        """Raise `DemoError` if a worker has ended, or the walker has failed."""
        for worker_id, process in self.workers.items():
            if process.exitcode is not None:
                raise DemoError(f"{worker_id} ended by itself with exit code {process.exitcode}")
        if self.walker.exitcode:
            raise DemoError(f"the walker failed with exit code {self.walker.exitcode}")

    def stop(self):
        """Let the workers finish what they have claimed. The walker may stop anywhere: its transaction is undone."""
        processes = [*self.workers.values(), *([self.walker] if self.walker else [])]
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(GRACE_S)
            process.kill()
            process.join()
        self.workers.clear()


def start(target, *arguments):
    process = SPAWN.Process(target=target, args=arguments, daemon=True)
    with ctrl_c_held_back():
        process.start()
    return process


@contextmanager
def ctrl_c_held_back():
    """A terminal sends Ctrl-C to all processes; those started here inherit it blocked, and this one stops them."""
    # The first start of a process starts the tracker as well, and that would lift the block too early.
    resource_tracker.ensure_running()
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)
