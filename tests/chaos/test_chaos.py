"""A shop of eight processes in chaos: afterwards every order has exactly the effects that were promised.

Orders are taken with SQLAlchemy, and each enqueues jobs for threads, coroutines and processes and publishes an event.
Two workers, two schedulers, two consumers, a maintenance process (online backups, VACUUM) and an operator with the
command line work on them. Meanwhile processes are killed, stopped for longer than a lease, starved of descriptors and
of room in files, have their clocks stepped by an hour, and share a disk that is full now and then.

Then the chaos ends, each process must make progress, the queues must drain, and the ledger is checked. At last a backup
is restored into the live file, which breaks promises: every process must continue or end with a typed error, and
fresh processes must work on the restored file.
"""

import itertools
import shutil
import sys
import time

import pytest

from ..support.locking import ask
from ..support.waiting import wait_until
from .agents import Chaos, Disk, build_clock
from .ledger import Ledger, assert_clean_ends, restore
from .promises import UNFINISHED
from .schema import create
from .supervisor import WORKERS, Supervisor

PROGRESS = {"ordered", "consumed", "maintained", "operated"}
# Seconds in which every process must do something, and in which everything must be done.
PROGRESS_S = 30
DRAINED_S = 60


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit, /proc and LD_PRELOAD")


@pytest.fixture
def shop(tmp_path):
    """A supervisor, and the disk of its database."""
    disk = Disk(tmp_path)
    clock = build_clock(tmp_path)
    supervisor = Supervisor(disk.folder / "shop.db", tmp_path, clock)
    if clock is None:
        print("no clock is stepped: this machine has no C compiler")
    if not disk.is_own:
        print("no disk fills up: this user may not mount one")
    yield supervisor, disk
    supervisor.abandon()
    for file in disk.folder.glob("shop.db*"):  # kept for the analysis of a failure
        shutil.copy(file, tmp_path)
    disk.close()


def wait_for_progress(supervisor):
    """Wait until each process has done something from now on."""
    since = time.monotonic()

    def has_progressed():
        supervisor.attend()
        lines = list(itertools.takewhile(lambda line: line.at > since, reversed(supervisor.lines())))
        worked = {line.facts[2] for line in lines if line.kind in {"mail", "render"}}
        idle = {supervisor.running[name].pid for name in WORKERS} - worked
        return not idle and {line.kind for line in lines} >= PROGRESS

    wait_until(has_progressed, PROGRESS_S)


def is_drained(path):
    """True if no job is left and each consumer has read the whole stream."""
    ((jobs,),) = ask(path, "SELECT count(*) FROM _honker_live")
    ((last,),) = ask(path, "SELECT max(offset) FROM _honker_stream WHERE topic = 'orders'")
    return jobs == 0 and ask(path, "SELECT min(offset), count(*) FROM _honker_stream_consumers") == [(last, 2)]


def drain(supervisor):
    """Take no more orders, and wait until everything is done.

    A clock that was an hour ahead may have left leases, and jobs that are not yet due. So the last worker has a clock
    that is ahead by two.
    """
    for name in ("web", "operator", "scheduler", "standby"):
        supervisor.stop(name)
    wait_until(lambda: supervisor.attend() or ask(supervisor.path, UNFINISHED) == [(0,)], DRAINED_S)
    supervisor.stop("own worker")  # it has no job that a clock ahead could take away
    supervisor.running["worker"].set_clock(2 * 3600)
    supervisor.running["maintenance"].set_clock(2 * 3600)
    wait_until(lambda: supervisor.attend() or is_drained(supervisor.path), DRAINED_S)
    supervisor.stop_all()
    wait_until(lambda: not supervisor.survivors(), 10)


def check_restore(supervisor, chaos):
    """Restore a backup into the file of the running shop; then start the shop again on the result."""
    backup = max((line for line in supervisor.lines() if line.kind == "backed up"), key=lambda line: line.at).facts[0]
    supervisor.start_all()
    wait_for_progress(supervisor)
    restore(backup, supervisor.path)
    ((orders,),) = ask(supervisor.path, "SELECT count(*) FROM orders")
    chaos.last(3)
    supervisor.stop_all()
    supervisor.start_all()
    wait_until(
        lambda: supervisor.attend() or ask(supervisor.path, "SELECT count(*) FROM orders")[0][0] > orders + 20,
        PROGRESS_S,
    )
    wait_for_progress(supervisor)
    supervisor.stop_all()
    assert ask(supervisor.path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.torture(short_s=12, share=33)  # of 114: eight minutes of `make torture`
@pytest.mark.timeout(240)
def test_a_shop_in_chaos_keeps_its_promises_for_every_order(torture, shop):
    supervisor, disk = shop
    create(supervisor.path)
    supervisor.start_all()
    wait_for_progress(supervisor)
    chaos = Chaos(supervisor, torture.random, disk)
    for _ in torture.rounds(at_least=len(chaos.agents)):
        torture.count(chaos.act())
        supervisor.attend()
    wait_for_progress(supervisor)
    drain(supervisor)
    ledger = Ledger(supervisor.path, supervisor.lines(), chaos.disturbances)
    ledger.check()
    assert_clean_ends(supervisor.ended, supervisor.stderrs)
    torture.count("orders", len(ledger.orders))
    torture.count("effects repeated with a reason", ledger.repeats())
    check_restore(supervisor, chaos)
    assert_clean_ends(supervisor.ended, supervisor.stderrs)
