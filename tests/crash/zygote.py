"""A process that has loaded everything and opened nothing, and forks children to be killed.

Starting Python takes longer than most of the killed work; a fork takes a millisecond. The children load the extension
with failpoints. A child writes each acknowledgement into its log at once, line by line. The log survives the child, and
every line in it was acknowledged.

`serve` is the process's main function; `Zygote` is the interface for the test.
"""

import ctypes
import json
import os
import signal
import sys
import time
import traceback

from ..sql import loading
from ..support.processes import Child
from . import faults, flows


def serve():
    """Answer requests from the standard input until it ends. Requests and answers are lines of JSON."""
    ctypes.CDLL(str(loading.LIBRARY))
    for line in sys.stdin:
        request = json.loads(line)
        verb = request.pop("verb")
        print(json.dumps({"start": _start, "kill": _kill, "wait": _wait}[verb](**request)), flush=True)
    for pid in list(_children):  # a failed test leaves some behind
        _kill(pid, 0)


_children = set()


def _start(flow, arguments, log, failpoint):
    pid = os.fork()
    if pid == 0:
        _be_child(flow, arguments, log, failpoint)
    _children.add(pid)
    return pid


def _be_child(flow, arguments, log, failpoint):
    status = 1
    try:
        os.environ["HONKER_FAILPOINT"] = str(failpoint)
        with open(log, "ab", buffering=0) as file:
            flows.FLOWS[flow](lambda *words: file.write((" ".join(map(str, words)) + "\n").encode()), *arguments)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _kill(pid, after_s):
    time.sleep(after_s)  # the random instant, not a wait for something
    os.kill(pid, signal.SIGKILL)
    return _wait(pid)


def _wait(pid):
    _children.discard(pid)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Zygote:
    """Starts and kills children."""

    def __init__(self):
        script = "from tests.crash.zygote import serve; serve()"
        environment = {
            "HONKER_EXTENSION_PATH": str(faults.require(faults.FAILPOINTS)),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(loading.ROOT), os.environ.get("PYTHONPATH")])),
        }
        self._child = Child(script, environment=environment)

    def start(self, log, flow, *arguments, failpoint=0):
        """Start a flow of `flows`, and return its process id."""
        return self._ask(
            verb="start", flow=flow, arguments=list(map(str, arguments)), log=str(log), failpoint=failpoint
        )

    def kill(self, pid, after_s=0.0):
        """Kill a child after a delay. True if it was still running."""
        return self._is_killed(self._ask(verb="kill", pid=pid, after_s=after_s))

    def wait(self, pid):
        """Wait for a child's end. True if its failpoint killed it."""
        return self._is_killed(self._ask(verb="wait", pid=pid))

    def run(self, log, flow, *arguments, failpoint=0):
        """Start a flow and wait for its end. True if it was killed."""
        return self.wait(self.start(log, flow, *arguments, failpoint=failpoint))

    def close(self):
        """End the zygote and its children."""
        self._child.finish()

    @staticmethod
    def _is_killed(status):
        assert status in {0, -signal.SIGKILL}, f"a child ended with {status}; what it said is above"
        return status != 0

    def _ask(self, **request):
        self._child.say(json.dumps(request))
        answer = self._child.line()
        assert answer, "the zygote has died; what it said is above"
        return json.loads(answer)


def acknowledged(log):
    """The acknowledgements of a child: the words of each line. A line cut short by its death does not count."""
    text = log.read_text() if log.exists() else ""
    return [line.split() for line in text.split("\n")[:-1]]
