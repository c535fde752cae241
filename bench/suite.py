"""Run every program of the benchmark in turn, then print all targets and write the figures into the documents.

    python bench/suite.py [--quick | --full] [--resume] [--only PROGRAM ...] [-- ARGUMENTS FOR EACH]

Each program keeps its own result, so an interrupted run can continue: `--resume` skips the programs already measured
with the same extension and package. If a program fails, the others still run.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from support import machine, program, results

BENCH = Path(__file__).parent
PROGRAMS = (
    "enqueue",
    "group_commit",
    "bulk_enqueue",
    "claim_ack",
    "worker",
    "workflow",
    "record",
    "limits",
    "stream",
    "contention",
    "payloads",
    "idle",
    "wake",
    "tail",
    "growth",
    "inspection",
    "memory",
    "import_time",
    "start",
)


def main():
    options, arguments = parse()
    mode = options.mode
    build, failed, began = machine.build(), [], time.monotonic()
    for number, name in enumerate(options.only, 1):
        if options.resume and is_measured(name, mode, build):
            print(f"[{number}/{len(options.only)}] {name} has been measured")
            continue
        print(f"\n[{number}/{len(options.only)}] {name}", flush=True)
        size = [] if mode == program.STANDARD else [f"--{mode}"]
        if subprocess.run([sys.executable, BENCH / f"{name}.py", *size, *arguments], check=False).returncode != 0:
            failed.append(name)
    print(f"\nmeasured within {(time.monotonic() - began) / 60:.1f} min", flush=True)
    quick = ["--quick"] if mode == program.QUICK else []
    reported = subprocess.run([sys.executable, BENCH / "report.py", *quick], check=False).returncode
    for name in failed:
        print(f"{name} failed; its older results, if there are any, were kept", file=sys.stderr)
    return 1 if failed or reported else 0


def is_measured(name, mode, build):
    result = results.read(results.file_of(mode)).get(results.name_of(name, mode))
    return result is not None and result["machine"]["build"] == build


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    size = parser.add_mutually_exclusive_group()
    for mode, text in ((program.QUICK, "check that everything works: no figures"), (program.FULL, "the long form")):
        size.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, help=text)
    parser.add_argument("--resume", action="store_true", help="skip the programs that are already measured")
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, default=PROGRAMS, help="only these")
    own, others = split(sys.argv[1:])
    options = parser.parse_args(own)
    options.mode = options.mode or program.STANDARD
    return options, others


def split(arguments):
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


if __name__ == "__main__":
    sys.exit(main())
