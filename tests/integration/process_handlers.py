"""Handlers for tests of process executors, which import this module by this name."""

import asyncio
import atexit
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import honker


def add(a, b=0):
    return a + b


def process_id():
    return os.getpid()


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


def fail(error, *arguments):
    raise {"ValueError": ValueError, "SystemExit": SystemExit, "Retryable": honker.Retryable}[error](*arguments)


def return_what_has_no_json():
    return object()


def return_awaitable():
    return asyncio.sleep(0)


class Holder:
    @staticmethod
    def static(a):
        return a

    def method(self):
        return None
