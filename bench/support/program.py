"""The frame of every program of the benchmark: its arguments, its progress, its table and its result.

A program measures into a `Run`. It checks its own work by counting; a wrong count ends it with the exit code 1. A
missed target is reported, and is not an error.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import machine, results, tables, targets
from .checks import CheckError
from .results import FULL, QUICK, STANDARD

try:
    from tqdm import tqdm
except ImportError:
    sys.exit("the benchmark shows its progress with tqdm, which is missing: pip install 'honker-db[bench]'")

ROUNDS = {QUICK: 1, STANDARD: 5, FULL: 9}


@dataclass
class Run:
    """One run of one program, with its figures."""

    program: str
    mode: str
    rounds: int
    folder: str | None
    with_peers: bool
    options: argparse.Namespace
    measures: list = field(default_factory=list)
    targets: list = field(default_factory=list)
    sides: dict = field(default_factory=dict)
    left_out: dict = field(default_factory=dict)
    extra: dict = field(default_factory=dict)

    def size(self, quick, standard, full=None):
        """The size for the mode of this run, out of two or three."""
        return {QUICK: quick, STANDARD: standard, FULL: standard if full is None else full}[self.mode]

    def progress(self, total, unit="step"):
        return tqdm(total=total, unit=unit, disable=None, leave=False)

    def leave_out(self, side, reason):
        """Leave out a peer that cannot be measured, and go on with the others."""
        if self.left_out.get(side) == reason:
            return
        self.left_out[side] = reason
        tqdm.write(f"{self.program}: {side} is left out: {reason}")

    def judge(self, key, figure, note="", *, is_full_scale=True):
        """Compare a figure with its target. Quick runs are not judged, nor sizes too small for the target."""
        is_judged = is_full_scale and self.mode != QUICK
        self.targets.append(targets.judge(key, figure, note=note, is_judged=is_judged))

    def measure(self, key, title, figures, unit="/s", *, ours="honker"):
        """Keep the figures of `interleave`, and compare all sides with honker.

        Args:
            key: Name of the measure for the plots.
            title: Heading of its table.
            figures: By side, a number for each round; sides without figures are left out.
            unit: Unit of the figures.
            ours: The side to compare the others with.
        """
        figures = {side: values for side, values in figures.items() if values}
        measure = {"key": key, "title": title, "unit": unit, "ours": ours, "figures": figures}
        self.measures.append(measure)
        tqdm.write(tables.of_measure(measure, self.sides))

    @contextlib.contextmanager
    def new_folder(self):
        with tempfile.TemporaryDirectory(dir=self.folder) as inner:
            yield Path(inner)

    def result(self):
        kept = ("program", "mode", "rounds", "measures", "targets", "sides", "left_out", "extra")
        return {name: getattr(self, name) for name in kept}


def main(description, measure, add_arguments=None, rounds=None):
    """Run one program, named after its file.

    Args:
        description: Its docstring.
        measure: Called with the `Run`.
        add_arguments: Adds the program's own arguments to the parser.
        rounds: Number of rounds by mode; `ROUNDS` by default.
    """
    program = Path(sys.argv[0]).stem
    options = parse(description, program, add_arguments, rounds or ROUNDS)
    run = Run(program, options.mode, options.rounds, options.directory, options.with_peers, options)
    began, load = time.time(), machine.load()
    on = machine.describe(options.directory)
    print(tables.heading(program, options.mode, options.rounds, on, load))
    try:
        measure(run)
    except CheckError as error:
        print(f"{program}: the figures would be wrong: {error}", file=sys.stderr)
        return 1
    print(tables.of_targets(run.targets))
    ending = {"began_at": began, "seconds": time.time() - began, "load_before": load, "load_after": machine.load()}
    name = results.name_of(program, options.mode)
    results.keep(options.output, name, {**run.result(), "machine": on, **ending})
    return 0


def parse(description, program, add_arguments, rounds):
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=formatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="mode", action="store_const", const=QUICK, help="check that it works: no figures")
    size.add_argument("--full", dest="mode", action="store_const", const=FULL, help="the long form")
    parser.add_argument("--rounds", type=int, help=f"number of rounds (default: {rounds})")
    parser.add_argument("--without-peers", dest="with_peers", action="store_false", help="measure no other queue")
    parser.add_argument(
        "--output", type=Path, metavar="PATH", help=f"file of results to write to (default: {results.RESULTS})"
    )
    parser.add_argument("--directory", metavar="DIR", help="where databases are made (default: a temporary directory)")
    if add_arguments:
        add_arguments(parser)
    options = parser.parse_args()
    options.mode = options.mode or STANDARD
    if options.rounds is None:
        options.rounds = rounds[options.mode]
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; it must be at least 1")
    if options.output is None:
        options.output = results.file_of(options.mode)
    return options
