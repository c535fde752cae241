"""The results of all programs, in one file: by name, `enqueue` of a short run and `enqueue-full` of a long one."""

import json
from pathlib import Path

from . import tables

RESULTS = Path(__file__).parents[1] / "results.json"
QUICK, STANDARD, FULL = "quick", "standard", "full"


def file_of(mode):
    """The file of a mode; quick results stand apart, because they hold no figures."""
    return RESULTS.with_name("results-quick.json") if mode == QUICK else RESULTS


def name_of(program, mode):
    return f"{program}-full" if mode == FULL else program


def read(path):
    """All results of a file by name; none if it does not exist yet."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def keep(path, name, result):
    """Put one result into a file, in the place of an older one. Programs run one after the other, never at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    results = {**read(path), name: tables.rounded(result)}
    write(path, results)
    print(f"written to {path}")


def write(path, results):
    # One line for each result: a new run of a program changes a line. `--resume` relies on whole files.
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(results[name])}" for name in sorted(results))
    partial = path.with_suffix(".partial")
    partial.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    partial.replace(path)
