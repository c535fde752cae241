"""Processes that are killed while the models continue.

Starting Python takes long, so one process loads everything, opens nothing, and forks the victims. A victim begins a
transaction, runs the given functions, and kills itself with SIGKILL before or after the commit.
"""

import atexit
import functools
import json
from pathlib import Path

from ..support.processes import Child
from .fake_clock import built

_NURSERY = """
import ctypes, importlib, json, os, signal, sys

def live_and_die(path, now_ms, steps, has_committed):
    provider.model_set_ns(ctypes.c_longlong(now_ms * 1000000))
    conn = connect(path)
    conn.execute("BEGIN IMMEDIATE")
    for function, *arguments in steps:
        marks = ", ".join("?" * len(arguments))
        conn.execute(f"SELECT {function}({marks})", arguments).fetchall()
    if has_committed:
        conn.execute("COMMIT")
    os.kill(os.getpid(), signal.SIGKILL)

root, provider, library = sys.argv[1:]
sys.path.insert(0, root)
provider = ctypes.CDLL(provider, mode=ctypes.RTLD_GLOBAL)
os.environ["HONKER_EXTENSION_PATH"] = library
connect = importlib.import_module("tests.sql.loading").connect
for line in sys.stdin:
    victim = os.fork()
    if victim == 0:
        try:
            live_and_die(*json.loads(line))
        finally:
            os._exit(1)
    _, status = os.waitpid(victim, 0)
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else "lived", flush=True)
"""


@functools.cache
def _nursery():
    root = Path(__file__).resolve().parents[2]
    child = Child(_NURSERY, root, built().provider, built().engine)
    atexit.register(child.kill)
    return child


def die_in_transaction(path, now_ms, steps, *, has_committed):
    """Run SQL functions with their arguments in a transaction of a process that is killed at the end."""
    _nursery().say(json.dumps([str(path), now_ms, steps, has_committed]))
    _nursery().expect("9")
