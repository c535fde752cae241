"""Draw the plots from the results."""

import statistics

from .histogram import EDGES_US

NO_PICTURES = "no pictures: matplotlib is missing (pip install 'honker[bench]')"
SIZE, DPI = (9, 4.5), 100
COLOURS = {
    "honker": "#c0392b",
    "reference": "#e59866",
    "sqlite3": "#2c3e50",
    "sqlite3 FULL": "#85929e",
    "huey": "#7fb3d5",
    "huey tuned": "#1f618d",
    "litequeue": "#d4ac0d",
    "persist-queue": "#82c59a",
    "persist-queue tuned": "#1e8449",
}
OURS = "honker"


def draw_all(results, folder):
    """Draw the plots that have figures.

    Returns:
        Path and title of each.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional, and slow to import
    except ImportError:
        print(NO_PICTURES)
        return []
    folder.mkdir(exist_ok=True)
    drawn = []
    for name, (title, draw) in PICTURES.items():
        figure = Figure(figsize=SIZE, layout="constrained")
        if draw(figure, results):
            path = folder / f"{name}.png"
            figure.savefig(path, dpi=DPI)
            drawn.append((path, title))
    return drawn


def latest(results, program, name):
    """The `extra` figures of a program's newest run."""
    return next(
        (each["extra"][name] for each in reversed(results) if each["program"] == program and name in each["extra"]),
        None,
    )


# ----------------------------------------------------------------------------------------------------------- throughput

BARS = {"enqueue": "enqueue", "claim": "claim + ack", "worker": "worker, no-op tasks"}


def throughput(figure, results):
    measures = {each["key"]: each for result in results for each in result["measures"] if each["key"] in BARS}
    if not measures:
        return False
    for axis, (key, measure) in zip(figure.subplots(1, len(measures), squeeze=False)[0], measures.items(), strict=True):
        medians = {side: statistics.median(values) for side, values in measure["figures"].items() if "," not in side}
        sides = sorted(medians, key=medians.get)
        bars = axis.barh(sides, [medians[side] for side in sides], color=[COLOURS.get(side) for side in sides])
        axis.bar_label(bars, [f"{medians[side]:,.0f}" for side in sides], padding=3, fontsize=8)
        axis.set(title=BARS[key], xlabel="jobs per second", xlim=(0, 1.3 * max(medians.values())))
        axis.locator_params(axis="x", nbins=4)
        axis.tick_params(labelsize=8)
    return True


# -------------------------------------------------------------------------------------------------------------- latency


def claim_latency(figure, results):
    curves = latest(results, "claim_ack", "latency_ms")
    if not curves:
        return False
    axis = figure.subplots()
    for side, curve in curves.items():
        sizes = sorted(curve, key=int)
        medians = [curve[size]["median"] for size in sizes]
        width = 2.5 if side == OURS else 1.2
        axis.plot([int(size) for size in sizes], medians, "o-", label=side, color=COLOURS.get(side), linewidth=width)
    axis.set(xscale="log", yscale="log", xlabel="jobs waiting", ylabel="ms for one claim and its ack")
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    return True


LINES = {"wake": "-", "listener": "--", "claim": ":"}
WAYS = {"default": COLOURS[OURS], "polling": "#1f618d", "shm": "#d4ac0d", "pipe": "#85929e"}


def wake_latency(figure, results):
    rows = latest(results, "wake", "latency")
    if not rows:
        return False
    gaps = sorted({row["gap_ms"] for row in rows})
    for axis, gap in zip(figure.subplots(1, len(gaps), squeeze=False, sharex=True)[0], gaps, strict=True):
        for row in rows:
            if row["gap_ms"] == gap:
                shares = [100 * count / sum(row["bins"]) for count in row["bins"]]
                label = row["way"] if row["way"] == "pipe" else f"{row['kind']}, {row['way']}"
                style = {"color": WAYS[row["way"]], "linestyle": LINES[row["kind"]], "linewidth": 1.5}
                axis.stairs(shares, EDGES_US, label=label, **style)
        axis.set(xscale="log", xlim=(4, 8_000), title=f"a commit every {gap:g} ms", xlabel="microseconds after COMMIT")
    axes = figure.axes
    axes[0].set_ylabel("% of commits")
    axes[0].legend(fontsize=8)
    return True


# --------------------------------------------------------------------------------------------------------------- growth


TICKS_US = (5, 10, 20, 50, 100, 200, 500, 1_000)
COLOUR_WHEEL = [f"C{number}" for number in range(10)] + ["#000000", "#f1c40f", "#5b2c6f", "#0e6251"]


def growth(figure, results):
    curves = latest(results, "growth", "curves_us")
    if not curves:
        return False
    columns = 5
    lines = -(-len(curves) // columns)
    figure.set_size_inches(SIZE[0] * 1.4, 2.8 * lines + 0.5)
    axes = figure.subplots(lines, columns, squeeze=False, sharey=True).flat
    shown = {}
    for axis, (shape, operations) in zip(axes, curves.items(), strict=False):
        for operation, by_size in operations.items():
            sizes = sorted(by_size, key=int)
            colour = shown[operation].get_color() if operation in shown else COLOUR_WHEEL[len(shown)]
            medians = [by_size[size]["median"] for size in sizes]
            (shown[operation],) = axis.plot([int(size) for size in sizes], medians, ".-", color=colour)
        axis.set(xscale="log", yscale="log", title=shape.replace("_", " "), xlabel="rows")
        axis.set_yticks(TICKS_US, [f"{tick:,}" for tick in TICKS_US])
        axis.grid(alpha=0.3, which="both")
    for axis in figure.axes[len(curves) :]:
        axis.set_visible(False)
    figure.axes[0].set_ylabel("microseconds")
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=len(shown), fontsize=8)
    return True


PICTURES = {
    "throughput": ("Jobs per second", throughput),
    "claim_latency": ("One claim and its ack against the backlog", claim_latency),
    "wake_latency": ("From commit to wake, to listener and to claim in another process", wake_latency),
    "growth": ("Time of each operation against the number of rows", growth),
}
