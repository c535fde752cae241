"""The processes of the demo."""

import multiprocessing
import os
import signal
from contextlib import contextmanager
from multiprocessing import resource_tracker

from . import walker, worker

# A new interpreter for each process, not a fork: a child must not inherit a database handle.
SPAWN = multiprocessing.get_context("spawn")
GRACE_S = 5


class DemoError(Exception):
    """The demo cannot go on."""


class Crew:
    """Starts the walker and the workers, and stops them all at the end.

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
        """Start a worker and return its id, which is new even across runs."""
        self.hired += 1
        worker_id = f"worker-{self.hired}/{os.getpid()}"
        self.workers[worker_id] = start(worker.run, self.database, worker_id, self.lease_s)
        return worker_id

    def send_walker(self, directory, limit):
        """Start the walker, and wait until it has listed the directory."""
        receiver, sender = SPAWN.Pipe(duplex=False)
        self.walker = start(walker.run, self.database, directory, limit, self.lease_s, sender)
        sender.close()  # now only the walker holds the sender, so its death ends the wait
        try:
            return receiver.recv()
        except EOFError:
            raise DemoError("the walker died before it listed the directory") from None

    @property
    def is_walking(self):
        return self.walker.exitcode is None

    def kill(self, worker_id):
        """Send SIGKILL, so that no handler or clean-up of the worker runs."""
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
        """Let the workers finish their claims. The walker may stop anywhere: its transaction is rolled back."""
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
    """Start processes with Ctrl-C blocked. A terminal sends it to all of them, but this process stops the others."""
    # The first start of a process also starts the resource tracker, which would lift the block too early.
    resource_tracker.ensure_running()
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)
