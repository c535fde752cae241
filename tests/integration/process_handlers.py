"""Handlers for tests of process executors, which import this module by this name."""

import asyncio
import atexit
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import honker


def add(a, b=0):
    return a + b


def process_id():
    return os.getpid()


def return_when_told(marker, told, value):
    """Return the value once the file ``told`` exists."""
    tell(marker)
    while not Path(told).exists():
        time.sleep(0.01)
    return value


def start_and_wait(marker):
    """Start a program, write both process ids, and never end."""
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    tell(marker, program.pid)
    while True:
        time.sleep(0.1)


def hold_the_interpreter(marker):
    """Keep the interpreter's lock, so that no other thread of the process runs."""
    tell(marker)
    sum(range(10**13))


def say_goodbye(marker):
    atexit.register(tell, marker)
    return os.getpid()


def tell(marker, *more):
    """Write the process ids atomically."""
    part = Path(f"{marker}.part")
    part.write_text(" ".join(map(str, [os.getpid(), *more])))
    part.rename(marker)


def wait_for(marker, go):
    """Write the process id, and continue after a signal file appears."""
    tell(marker)
    while not Path(go).exists():
        time.sleep(0.005)
    return "went on"


def ignore_signals():
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
    return "alive"


def end_process(code):
    os._exit(code)


class Unreadable(BaseException):
    def __str__(self):
        raise Unreadable


def fail(error, *arguments):
    kinds = {"ValueError": ValueError, "SystemExit": SystemExit, "Retryable": honker.Retryable}
    raise {**kinds, "Unreadable": Unreadable}[error](*arguments)


def put_off_for(hours):
    raise honker.Retryable("later", timedelta(hours=hours))


def return_what_has_no_json():
    return object()


def return_awaitable():
    return asyncio.sleep(0)


def return_generator():
    return (number for number in range(3))


def nap(marker):
    tell(marker)
    time.sleep(1000)


def terminate_a_forked_child(marker):
    """A fork of this process, as those of multiprocessing, must end when it is terminated; its exit code."""
    child = multiprocessing.get_context("fork").Process(target=nap, args=(marker,))
    child.start()
    while not Path(marker).exists():
        time.sleep(0.005)
    child.terminate()
    child.join(5)
    code = child.exitcode
    child.kill()
    return code


def terminate_forked_children_at_once(count):
    """The exit codes of as many forks, each terminated before it may have run a line of Python."""
    codes = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            time.sleep(5)
            os._exit(0)
        os.kill(child, signal.SIGTERM)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return codes


def use_pools(count):
    """The results of as many pools of forked processes."""
    found = []
    for _ in range(count):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            found.append(pool.map(abs, [-1, 2, -3]))
    return found


def start_a_program(marker):
    """Starts a program, which is left behind."""
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    tell(marker, program.pid)
    program.returncode = 0  # it is not this handler's any more


def start_and_die(marker, code):
    """Starts a program, which is left behind, and ends its process without a word."""
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    tell(marker, program.pid)
    os._exit(code)


class Holder:
    @staticmethod
    def static(a):
        return a

    def method(self):
        return None


def clean_up(marker, end):
    """Wait to be cancelled, and write the name of the exception."""
    tell(marker)
    try:
        time.sleep(1000)
    except BaseException as error:
        Path(end).write_text(type(error).__name__)
        raise


def swallow_requests(marker):
    """Go on after each exception."""
    tell(marker)
    while True:
        with contextlib.suppress(Exception):
            time.sleep(1000)


def wait_for_end(process_id, timeout_s=10.0):
    """Wait until a process has ended."""
    deadline = time.monotonic() + timeout_s
    while not has_ended(process_id):
        assert time.monotonic() < deadline, f"process {process_id} goes on"
        time.sleep(0.005)


def has_ended(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    return False


def raise_key_error():
    raise KeyError("customer")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def discard():
    raise honker.Discard("no such customer")


def limit_rate():
    raise honker.RateLimited(1000)
