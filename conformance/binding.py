"""The bindings: a folder each in `bindings/`, whose `binding.yaml` says how to build, check, test and drive it."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "bindings"
LIBRARY = Path(os.environ.get("HONKER_EXTENSION_PATH") or ROOT / "target" / "release" / "libhonker_ext.so")
# The keys of binding.yaml with commands, in the order in which `make bindings` runs them.
STEPS = ("build", "lint", "test", "started", "package")


@dataclass(frozen=True)
class Binding:
    """A language.

    `needs` maps programs to the command that installs them. `agent` is the command of the agent, `started` runs the
    getting-started program of its README. A step is a list of shell commands; all run in the binding's folder.
    """

    name: str
    title: str
    folder: Path
    needs: dict[str, str]
    agent: str
    steps: dict[str, list[str]]

    def missing(self) -> dict[str, str]:
        """The programs that this machine lacks, with the commands that install them."""
        return {program: get for program, get in self.needs.items() if shutil.which(program) is None}

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
        path.parent.name, entry.pop("title"), path.parent, entry.pop("needs", {}), entry.pop("agent"), steps
    )
    if entry:
        raise ValueError(f"{path}: unknown keys {sorted(entry)}; the keys are title, needs, agent, {', '.join(STEPS)}")
    return binding


def _commands(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


PYTHON = Binding("python", "Python", ROOT, {}, "{python} {root}/conformance/python_agent.py", {})


def all_bindings() -> list[Binding]:
    """Python's, and those in `bindings/`; only the ones that LANGUAGES names, if it does."""
    found = [PYTHON, *(read(path) for path in sorted(FOLDER.glob("*/binding.yaml")))]
    names = os.environ.get("LANGUAGES", "").replace(",", " ").split()
    unknown = set(names) - {each.name for each in found}
    if unknown:
        raise ValueError(f"LANGUAGES names {sorted(unknown)}; there are {', '.join(each.name for each in found)}")
    return [each for each in found if not names or each.name in names]
