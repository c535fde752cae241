"""`make bindings`: build, lint, test and pack every binding, then run the conformance suite in all of them.

A language whose programs this machine lacks is skipped, and the report says how to get them. LANGUAGES="go ruby" runs
only those.
"""

import subprocess
import sys
import time

from .binding import LIBRARY, ROOT, STEPS, Binding, all_bindings, environment

REPORT_LINES = 40


def main() -> int:
    """Run everything. Returns the exit code: 1 if something failed."""
    if not LIBRARY.is_file():
        print(f"There is no {LIBRARY}. Build it: make build", file=sys.stderr)
        return 2
    bindings = all_bindings()
    failed = [each.title for each in bindings if not each.missing() and not run(each)]
    for each in bindings:
        for need in each.missing():
            print(f"SKIPPED {each.title}: it needs {need.what}; to get it: {need.how()}")
    if failed:
        print(f"FAILED {', '.join(failed)}")
        return 1
    if not any(each.agent for each in bindings):
        return 0
    return suite()


def run(binding: Binding) -> bool:
    """Run the steps of a binding. True if all of them passed."""
    for step in STEPS:
        if not binding.steps.get(step):
            continue
        began = time.monotonic()
        done = binding.run(step)
        if step == "build" and done is not None and done.returncode:
            done = binding.run(step)  # a registry may have been busy
        seconds = time.monotonic() - began
        if done is None or done.returncode == 0:
            print(f"{binding.title:<12} {step:<8} ok {seconds:6.1f} s", flush=True)
            continue
        print(f"{binding.title:<12} {step:<8} FAILED {seconds:6.1f} s, code {done.returncode}: {done.args}")
        print("\n".join((done.stdout + done.stderr).splitlines()[-REPORT_LINES:]), flush=True)
        return False
    return True


def suite() -> int:
    """Run the conformance suite. Returns pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-q", "-rsf", "conformance"]
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
