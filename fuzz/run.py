"""Fuzz: build the fuzzers with coverage and AddressSanitizer, and run each for a while.

Usage: ``python fuzz/run.py [--seconds SECONDS] [--keep] [schedule|arguments|sql]...``. The seconds, 60 if not given,
are divided between the targets. New inputs go to ``fuzz/found``, inputs that fail to ``fuzz/artifacts``: give such a
file to the fuzzer in ``fuzz/target/*/release`` to repeat it, and once it is mended add it to the corpus with
``fuzz/corpus.py``; ``tests/replay.rs`` runs the corpus in every ``make test``. ``--keep`` adds the new inputs to it
that reach new code.

Stable Rust is enough, with the variable RUSTC_BOOTSTRAP set; a C++ compiler builds libFuzzer. Exits with 1 if an input
failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import corpus

FUZZ: Final = Path(__file__).resolve().parent
TARGETS: Final = {
    "schedule": ("-max_len=300", f"-dict={FUZZ / 'schedule.dict'}"),
    "arguments": ("-max_len=400",),
    "sql": ("-max_len=600", "-len_control=0"),
}
# As in `cargo fuzz`.
FLAGS: Final = (
    "-Zsanitizer=address -Cpasses=sancov-module -Ccodegen-units=1 --cfg fuzzing -Cforce-frame-pointers=yes "
    + " ".join(
        f"-Cllvm-args=-sanitizer-coverage-{option}"
        for option in ("level=4", "inline-8bit-counters", "pc-table", "trace-compares")
    )
)
# A longer run means a hang; busy machines stop for seconds.
LIMITS: Final = ("-timeout=60", "-rss_limit_mb=3000", "-print_final_stats=1")


def host() -> str:
    """The triple of this machine. An explicit target keeps the flags away from the build scripts."""
    told = subprocess.run(["rustc", "--version", "--verbose"], capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in told.splitlines() if line.startswith("host: "))
    return line.removeprefix("host: ")


def build() -> Path:
    """Build the fuzzers and return their folder."""
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1", "RUSTFLAGS": FLAGS}
    command = ["cargo", "build", "--release", "--locked", "--features", "fuzzers", "--target", host()]
    subprocess.run(command, cwd=FUZZ, env=environment, check=True)
    return FUZZ / "target" / host() / "release"


def run(binaries: Path, target: str, kept: Path, seconds: int) -> bool:
    """True if no input of the target failed. ``kept`` is the unpacked corpus."""
    found, artifacts = FUZZ / "found" / target, FUZZ / "artifacts" / target
    for folder in (found, artifacts):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        binaries / target,
        found,
        kept / target,
        f"-max_total_time={seconds}",
        f"-artifact_prefix={artifacts}/",
        *LIMITS,
    ]
    return subprocess.run([*command, *TARGETS[target]], check=False).returncode == 0


def keep(binaries: Path, target: str, kept: Path) -> None:
    """Add the inputs found to the unpacked corpus that reach code which no input of the corpus reaches."""
    folders = (kept / target, FUZZ / "found" / target)
    subprocess.run([binaries / target, "-merge=1", *LIMITS, *folders], check=True)


def main() -> int:
    """Run the requested targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--keep", action="store_true", help="add inputs that reach new code to the corpus")
    asked = parser.parse_args()
    targets: list[str] = asked.targets or list(TARGETS)
    if unknown := set(targets) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(unknown)}")
    binaries, seconds = build(), max(1, asked.seconds // len(targets))
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder)
        corpus.unpack(kept)
        failed = [target for target in targets if not run(binaries, target, kept, seconds)]
        if asked.keep:
            for target in targets:
                keep(binaries, target, kept)
            corpus.pack(kept)
    print(f"failed: {', '.join(failed)}" if failed else "nothing failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
