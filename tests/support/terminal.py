"""A pseudo-terminal for programs that redraw it, and the screen that a person would see."""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from contextlib import contextmanager

from .program import COMMAND, environment

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
# A frame: from the first line of the screen to the end of its rest.
_FRAME = re.compile(r"\x1b\[H(.*?)\x1b\[J", re.DOTALL)
_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A program on a pseudo-terminal.

    Attributes:
        output: All that it has written so far.
    """

    def __init__(self, arguments, columns, lines, **variables):
        self._leader, self._follower = pty.openpty()
        self.output = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end within a letter
        self._set_size(columns, lines)
        self.settings = termios.tcgetattr(self._follower)
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=self._follower,
            stdout=self._follower,
            stderr=self._follower,
            env=environment(COLUMNS=None, LINES=None, **variables),
            start_new_session=True,
        )

    def _set_size(self, columns, lines):
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns, lines):
        """Change the size and tell the program."""
        self._set_size(columns, lines)
        self.process.send_signal(signal.SIGWINCH)

    def press(self, keys):
        """Type keys."""
        os.write(self._leader, keys.encode())

    def _read(self, wait_s):
        if select.select([self._leader], [], [], wait_s)[0]:
            self.output += self._decoder.decode(os.read(self._leader, 1 << 16))

    def frames(self):
        """The frames so far, each as its lines, with their colours."""
        return [frame.replace("\x1b[K", "").replace("\r", "").split("\n") for frame in _FRAME.findall(self.output)]

    def wait_for_frame(self, is_wanted):
        """Wait for a frame whose plain lines are wanted; return its lines with their colours."""
        deadline = time.monotonic() + 30
        seen = 0
        while time.monotonic() < deadline:
            frames = self.frames()
            for frame in frames[seen:]:
                if is_wanted([plain(line) for line in frame]):
                    return frame
            seen = len(frames)
            assert self.process.poll() is None or select.select([self._leader], [], [], 0)[0], self.output
            self._read(0.5)
        raise AssertionError(f"no such frame in {self.output!r}")

    def wait_for_text(self, text):
        """Wait until it has written a text."""
        deadline = time.monotonic() + 30
        while text not in self.output:
            assert time.monotonic() < deadline, f"no {text!r} in {self.output!r}"
            assert self.process.poll() is None, self.output
            self._read(0.5)

    def end(self):
        """Wait for its end; return its exit code and all of its output."""
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.1)
        while select.select([self._leader], [], [], 0)[0]:
            self._read(0)
        return self.process.wait(1), self.output

    def has_settings_of_the_start(self):
        """True if the terminal echoes and reads lines as before the program."""
        return termios.tcgetattr(self._follower) == self.settings

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._leader)
        os.close(self._follower)


def plain(line):
    """A line without colours."""
    return _CODE.sub("", line)


@contextmanager
def on_terminal(*arguments, columns=80, lines=24, **variables):
    """Run `honker` on a terminal for the length of the block."""
    terminal = Terminal(arguments, columns, lines, **variables)
    try:
        yield terminal
    finally:
        terminal.close()
