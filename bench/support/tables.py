"""The printed tables: the machine, each measurement, the targets."""

import sys

from . import targets
from .numbers import number, ratio, spread

try:
    from tabulate import tabulate
except ImportError:
    sys.exit("the benchmark prints its tables with tabulate, which is missing: pip install 'honker-db[bench]'")

# Values above are Unix seconds: their last digits matter.
INSTANTS = 1e9


def heading(program, mode, round_count, on, load):
    return (
        f"\n== {program} ({mode}; {round_count} interleaved rounds: median, lowest - highest)\n"
        f"machine   {on['processor']}, {on['cores']} cores, {on['system']}, {on['file_system']}, load {load[0]:.2f}\n"
        f"software  Python {on['python']}, SQLite {on['sqlite']}, honker {on['honker']} ({on['build']})"
    )


def of_measure(measure, sides):
    """One line for each side, with honker's ratio to it."""
    own = measure["figures"].get(measure["ours"])
    lines = []
    for side, values in measure["figures"].items():
        seen = spread(values)
        compared = ""
        if own and side != measure["ours"] and len(own) == len(values):
            compared = f"{ratio(own, values)['median']:,.2f} x"
        lines.append([side, *(number(seen[name]) for name in seen), compared, durability(side, sides)])
    headers = ["", f"median {measure['unit']}", "lowest", "highest", f"{measure['ours']} is", "durability"]
    table = tabulate(lines, headers, disable_numparse=True, colalign=("left", *["right"] * 4, "left"))
    return f"\n{measure['title']}\n{table}"


def durability(side, sides):
    """The durability of a line's side; the text after a comma describes the variant."""
    return sides.get(side.partition(",")[0], {}).get("durability", "")


def of_targets(judged):
    if not judged:
        return ""
    lines = []
    for each in judged:
        target = targets.BY_KEY[each["key"]]
        figure = targets.form(each["figure"], target.unit)
        lines.append([target.work, target.text, figure, targets.verdict(each), each["note"]])
    headers = ["target", "bound", "seen", "", ""]
    return "\n" + tabulate(lines, headers, disable_numparse=True)


def rounded(value):
    """The same value with floats of five significant digits: more are noise."""
    if isinstance(value, float):
        return float(f"{value:.5g}") if abs(value) < INSTANTS else value
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(each) for each in value]
    return value
