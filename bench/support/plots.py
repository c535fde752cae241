"""Draw the plots from the results."""

import statistics

NO_PICTURES = "no pictures: matplotlib is missing (pip install 'honker-db[bench]')"
WIDTH, HEIGHT, DPI = 9, 4.5, 120
FONT = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
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
FRONT = ("sqlite3",)  # dashed and in front: another line may have the same course


def draw_all(results, folder):
    """Draw the plots that have figures.

    Returns:
        Path and title of each.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - optional, and slow to import
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        print(NO_PICTURES)
        return []
    folder.mkdir(exist_ok=True)
    drawn = []
    for name, (title, draw) in PICTURES.items():
        with mpl.rc_context(FONT):
            figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
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


def plain(axis, ticks, **labels):
    """A logarithmic axis, "x" or "y", whose ticks are plain numbers; `labels` go to the subplot."""
    (which, values), *_ = ticks.items()
    getattr(axis, f"set_{which}scale")("log")
    getattr(axis, f"set_{which}ticks")(values, [f"{value:,}" for value in values])
    getattr(axis, f"{which}axis").minorticks_off()
    axis.set(**labels)


def rows_label(count):
    """A number of rows for a narrow axis: 100, 1k, 1M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:g}{letter}"
    return f"{count:g}"


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
        axis.set(title=BARS[key], xlabel="thousand jobs per second", xlim=(0, 1.4 * max(medians.values())))
        axis.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}")
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
        style = {"linewidth": 2.5 if side == OURS else 1.2, "zorder": 3 if side in FRONT else 2}
        marks = "s--" if side in FRONT else "o-"
        axis.plot([int(size) for size in sizes], medians, marks, label=side, color=COLOURS.get(side), **style)
    sizes = sorted({int(size) for curve in curves.values() for size in curve})
    plain(axis, {"x": sizes}, xlabel="jobs waiting")
    plain(axis, {"y": (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)}, ylabel="ms for one claim and its ack")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    return True


REACHED = {"wake": "wake", "listener": "listener's rows", "claim": "claimed job", "handler": "handler"}
WAYS = {
    "pipe": ("bare pipe", "#85929e"),
    "default": ("honker", COLOURS[OURS]),
    "shm": ("watching -shm", "#d4ac0d"),
    "polling": ("polling each ms", "#1f618d"),
}


def wake_latency(figure, results):
    """For each pause between commits one column: a line from the median to p99 for each kind of wake."""
    rows = latest(results, "wake", "latency")
    if not rows:
        return False
    gaps = sorted({row["gap_ms"] for row in rows})
    lines = [
        (kind, way) for kind in REACHED for way in WAYS if any((row["kind"], row["way"]) == (kind, way) for row in rows)
    ]
    for axis, gap in zip(figure.subplots(1, len(gaps), squeeze=False, sharex=True, sharey=True)[0], gaps, strict=True):
        for row in (row for row in rows if row["gap_ms"] == gap):
            height = -lines.index((row["kind"], row["way"]))
            colour = WAYS[row["way"]][1]
            median, p99 = (max(row[share], FLOOR_US) for share in ("p50_us", "p99_us"))
            axis.plot([median, p99], [height, height], color=colour, linewidth=2, alpha=0.5)
            axis.plot([median], [height], "o", color=colour)
            axis.plot([p99], [height], "|", color=colour, markersize=9)
        axis.set(xscale="log", title=f"a commit every {gap:g} ms", xlim=(FLOOR_US, 400_000))
        axis.set_xticks(list(INSTANTS), list(INSTANTS.values()))
        axis.xaxis.minorticks_off()
        axis.grid(alpha=0.3, axis="x")
    names = ["bare pipe" if way == "pipe" else f"{REACHED[kind]}, {WAYS[way][0]}" for kind, way in lines]
    figure.axes[0].set_yticks([-place for place in range(len(lines))], names)
    figure.supxlabel("after COMMIT: dot = median, bar = p99", fontsize=9)
    return True


#: Where the axis begins: the receiver of a pipe may be scheduled before the sender has read the clock.
FLOOR_US = 4
INSTANTS = {10: "10 μs", 1_000: "1 ms", 100_000: "100 ms"}


# --------------------------------------------------------------------------------------------------------------- growth


TICKS_US = (5, 10, 20, 50, 100, 200, 500, 1_000)
COLOUR_WHEEL = [f"C{number}" for number in range(10)] + ["#000000", "#f1c40f", "#5b2c6f", "#0e6251"]
SHAPES = {"delayed higher": "delayed jobs, higher priority", "other": "jobs of another queue"}


def growth(figure, results):
    curves = latest(results, "growth", "curves_us")
    if not curves:
        return False
    columns = 5
    lines = -(-len(curves) // columns)
    figure.set_size_inches(WIDTH * 1.4, 2.8 * lines + 1)
    axes = figure.subplots(lines, columns, squeeze=False, sharey=True).flat
    shown = {}
    for axis, (shape, operations) in zip(axes, curves.items(), strict=False):
        for operation, by_size in operations.items():
            sizes = sorted(by_size, key=int)
            colour = shown[operation].get_color() if operation in shown else COLOUR_WHEEL[len(shown)]
            medians = [by_size[size]["median"] for size in sizes]
            (shown[operation],) = axis.plot([int(size) for size in sizes], medians, ".-", color=colour)
        title = shape.replace("_", " ")
        axis.set(xscale="log", title=SHAPES.get(title, title), xlabel="rows")
        axis.set_xticks([int(size) for size in sizes], [rows_label(int(size)) for size in sizes])
        plain(axis, {"y": TICKS_US})
        axis.xaxis.minorticks_off()
        axis.grid(alpha=0.3)
    for axis in figure.axes[len(curves) :]:
        axis.set_visible(False)
    figure.supylabel("microseconds a call (logarithmic)", fontsize=9)
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=7, frameon=False)
    return True


PICTURES = {
    "throughput": ("Jobs per second", throughput),
    "claim_latency": ("One claim and its ack against the backlog", claim_latency),
    "wake_latency": ("From commit to wake, to listener and to claim in another process", wake_latency),
    "growth": ("Time of each operation against the number of rows", growth),
}
