"""Print all targets with the measured figures, draw the plots, and write the figures into the documents.

    python bench/report.py [--quick] [--results PATH] [--root DIR]

The table and the plots go to docs/benchmark.md, five lines to README.md, each between its markers. A target's figure is
that of the newest result that measured it, so a long run adds the figures that a short run lacks.
"""

import argparse
import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path

from support import numbers, plots, program, results as kept, targets
from support.numbers import number
from support.tables import tabulate

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"

# The columns of the side-by-side table: a measure of a program, and its heading.
SIDE_BY_SIDE = {
    "enqueue": "enqueue",
    "claim": "claim + ack",
    "worker": "worker",
    "wake_peers": "commit to handler",
}
SIDES = {
    "honker": "",
    "sqlite3": "no queue: bare INSERT, UPDATE and DELETE, without attempts, leases, delays or priorities",
    "sqlite3 FULL": "the same, waiting for the disk at each commit",
    "huey": "default settings; deletes a job when handing it out, so a crash loses it",
    "huey tuned": "as durable as honker; polls every millisecond",
    "litequeue": "no workers or leases: jobs of a dead worker must be found and retried by hand",
    "persist-queue": "default settings; for one process: several processes get the same job",
    "persist-queue tuned": "as durable as honker",
    "reference": "the public honker",
}


def main():
    options = parse()
    results = sorted(kept.read(options.results).values(), key=lambda result: result["began_at"])
    if not results:
        print(f"there are no results in {options.results}: run `make bench`", file=sys.stderr)
        return 1
    judged = newest(results)
    print(f"\n{target_table(judged, 'simple')}")
    missed = [key for key, each in judged.items() if each["is_reached"] is False]
    print(f"\n{sum(each['is_reached'] is True for each in judged.values())} of {len(targets.TARGETS)} reached", end="")
    print(f"; not reached: {', '.join(missed)}" if missed else "")
    for side, reason in sorted({item for result in results for item in result["left_out"].items()}):
        print(f"left out: {side}: {reason}")
    if options.mode != program.QUICK:
        page = options.root / "docs" / "benchmark.md"
        pictures = plots.draw_all(results, page.parent / "plots")
        write(page, section(results, judged, pictures, page))
        write(options.root / "README.md", summary(results, judged))
    return 0


def newest(results):
    """The last figure of each target. Judged figures take precedence over unjudged ones."""
    judged = {}
    for result in results:
        for each in result["targets"]:
            if each["is_reached"] is not None or judged.get(each["key"], {}).get("is_reached") is None:
                judged[each["key"]] = each
    return judged


def target_table(judged, form):
    lines = []
    for target in targets.TARGETS:
        each = judged.get(target.key)
        if each is None:
            lines.append([target.work, target.text, "", "not measured", ""])
            continue
        figure = targets.form(each["figure"], target.unit)
        lines.append([target.work, target.text, figure, targets.verdict(each), each["note"]])
    return tabulate(lines, ["work", "target", "seen", "", ""], tablefmt=form, disable_numparse=True)


def side_table(results):
    """Median rates by side, for the sides that were measured."""
    measures = {each["key"]: each for result in results for each in result["measures"]}
    sides = {name: each for result in results for name, each in result["sides"].items()}
    lines = []
    for side, remark in SIDES.items():
        cells = [cell(measures.get(key), side) for key in SIDE_BY_SIDE]
        if any(cells):
            about = sides.get(side, {})
            name = f"{side} {about.get('version', '')}".strip() if "sqlite3" not in side else side
            lines.append([name, *cells, about.get("durability", ""), remark])
    headers = ["", *SIDE_BY_SIDE.values(), "durability", "remarks"]
    return tabulate(lines, headers, tablefmt="github", disable_numparse=True)


def cell(measure, side):
    values = measure["figures"].get(side) if measure else None
    return f"{number(numbers.spread(values)['median'])} {measure['unit']}" if values else ""


def summary(results, judged):
    """The README's lines. A line without a figure is left out."""
    rates = {each["key"]: each["figures"] for result in results for each in result["measures"]}

    def rate(measure, side="honker"):
        return number(numbers.spread(rates[measure][side])["median"])

    def seen(key):
        return targets.form(judged[key]["figure"], next(each.unit for each in targets.TARGETS if each.key == key))

    lines = []
    for line in SUMMARY:
        with contextlib.suppress(KeyError):
            lines.append(f"- {line(rate, seen)}")
    return "\n".join(lines)


SUMMARY = (
    lambda rate, seen: (
        f"**enqueue**: {rate('enqueue')} jobs/s with a commit each, {seen('enqueue')} of a bare INSERT of the same row;"
        f" tuned Huey {rate('enqueue', 'huey tuned')}"
    ),
    lambda rate, seen: (
        f"**claim and ack**: {rate('claim')} jobs/s one at a time, {rate('claim_batch')} in batches of 100; "
        f"{seen('claim_backlog')} of that rate with 2,100,000 jobs in the file"
    ),
    lambda rate, seen: f"**a worker**: {rate('worker')} no-op jobs/s; tuned Huey {rate('worker', 'huey tuned')}",
    lambda rate, seen: (
        f"**wake**: {rate('wake_peers')} ms from a commit to the handler in another process; "
        f"Huey's defaults {rate('wake_peers', 'huey')} ms"
    ),
    lambda rate, seen: (
        f"**idle**: {seen('idle_core')} with 100 listeners; "
        f"**memory**: {seen('memory')} with 1,000,000 jobs in the file"
    ),
)


def section(results, judged, pictures, page):
    """The text between the markers of the page."""
    last = results[-1]
    on, day = last["machine"], datetime.fromtimestamp(last["began_at"], UTC).date()
    where = f"{on['processor']}, {on['cores']} cores, {on['system']}, {on['file_system']}"
    software = f"Python {on['python']}, SQLite {on['sqlite']}, honker {on['honker']}"
    shown = [f"![{title}]({path.relative_to(page.parent).as_posix()})" for path, title in pictures]
    return "\n\n".join(
        [
            f"Written by `make bench` on {day}: {where}; {software}. "
            "Ratios are taken within each of several interleaved rounds; the table shows medians.",
            target_table(judged, "github"),
            "Side by side, one process each, the same payload, medians of interleaved rounds:",
            side_table(results),
            *shown,
        ]
    )


def write(document, text):
    """Replace the text between the markers of a document."""
    whole = document.read_text("utf-8")
    if BEGIN not in whole or END not in whole:
        print(f"{document} has no {BEGIN} and {END}, and was left as it is", file=sys.stderr)
        return
    before, _, rest = whole.partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")
    print(f"written to {document}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", dest="mode", action="store_const", const=program.QUICK, help="of quick runs")
    parser.add_argument("--results", type=Path, metavar="PATH", help=f"default: {kept.RESULTS}")
    parser.add_argument(
        "--root", type=Path, default=ROOT, metavar="DIR", help=f"where the documents are; default: {ROOT}"
    )
    options = parser.parse_args()
    if options.results is None:
        options.results = kept.file_of(options.mode)
    return options


if __name__ == "__main__":
    sys.exit(main())
