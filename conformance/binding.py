"""The bindings: a folder each in `bindings/`, whose `binding.yaml` says how to build, check, test and drive it."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "bindings"
LIBRARY = Path(os.environ.get("HONKER_EXTENSION_PATH") or ROOT / "target" / "release" / "libhonker_ext.so")
# The keys of binding.yaml with commands, in the order in which `make bindings` runs them.
STEPS = ("build", "lint", "test", "started", "package")


@dataclass(frozen=True)
class Need:
    """Something that a machine must have: `probe` is a shell command that fails without it.

    `packages` are Debian's; `get` says how to get it where there is no such package.
    """

    what: str
    probe: str
    packages: list[str] = field(default_factory=list[str])
    get: str = ""

    def is_met(self) -> bool:
        """True if the machine has it."""
        return subprocess.run(self.probe, shell=True, capture_output=True, check=False).returncode == 0

    def how(self) -> str:
        """How to get it."""
        return self.get or f"apt-get install {' '.join(self.packages)}"


@dataclass(frozen=True, eq=False)
class Binding:
    """A language.

    `agent` is the command of the agent; a binding without one has only its steps, and no part in the suite. `started`
    runs the getting-started program of its README. A step is a list of shell commands; all run in the binding's folder.
    """

    name: str
    title: str
    folder: Path
    needs: list[Need]
    agent: str
    steps: dict[str, list[str]]

    @cache  # noqa: B019 - there are as many as languages
    def missing(self) -> list[Need]:
        """The needs that this machine does not meet."""
        return [need for need in self.needs if not need.is_met()]

    def agent_command(self) -> list[str]:
        """The command of the agent."""
        return shlex.split(self.agent.format(python=sys.executable, root=ROOT))

    def run(self, step: str) -> "subprocess.CompletedProcess[str] | None":
        """Run the commands of a step up to the first that fails. Returns that, or the last."""
        done = None
        for command in self.steps.get(step, ()):
            done = subprocess.run(
                command, shell=True, cwd=self.folder, env=environment(), capture_output=True, text=True, check=False
            )
            if done.returncode:
                break
        return done


def environment() -> dict[str, str]:
    """The environment of every command: it names the library that was built here."""
    return {**os.environ, "HONKER_EXTENSION_PATH": str(LIBRARY)}


def read(path: Path) -> Binding:
    """Read a binding.yaml; a key that is unknown is an error."""
    entry = yaml.safe_load(path.read_text())
    steps = {step: _commands(entry.pop(step, ())) for step in STEPS}
    binding = Binding(
        path.parent.name,
        entry.pop("title"),
        path.parent,
        [Need(**need) for need in entry.pop("needs", ())],
        entry.pop("agent", ""),
        steps,
    )
    if entry:
        raise ValueError(f"{path}: unknown keys {sorted(entry)}; the keys are title, needs, agent, {', '.join(STEPS)}")
    return binding


def _commands(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


PYTHON = Binding("python", "Python", ROOT, [], "{python} {root}/conformance/python_agent.py", {})


def all_bindings() -> list[Binding]:
    """Python's, and those in `bindings/`; only the ones that LANGUAGES names, if it does."""
    found = [PYTHON, *(read(path) for path in sorted(FOLDER.glob("*/binding.yaml")))]
    names = os.environ.get("LANGUAGES", "").replace(",", " ").split()
    unknown = set(names) - {each.name for each in found}
    if unknown:
        raise ValueError(f"LANGUAGES names {sorted(unknown)}; there are {', '.join(each.name for each in found)}")
    return [each for each in found if not names or each.name in names]
