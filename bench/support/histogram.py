"""The distribution of latencies as a picture, where matplotlib is installed."""

EDGES_US = [2 ** (step / 4) for step in range(8, 53)]  # 4 us to 8 ms, four bins for each doubling

NO_PICTURE = "no picture: matplotlib is missing (pip install 'honker[bench]')"


def bins(latencies_us):
    """How many fall into each bin; the outermost take what lies beyond."""
    counts = [0] * (len(EDGES_US) - 1)
    for latency in latencies_us:
        above = sum(edge <= latency for edge in EDGES_US)
        counts[min(max(above - 1, 0), len(counts) - 1)] += 1
    return counts


def draw(panels, target):
    """One panel for each gap; `panels` maps its title to the latencies of each way, in microseconds.

    Returns:
        What to tell about it.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional, and slow to import
    except ImportError:
        return NO_PICTURE
    figure = Figure(figsize=(9, 2.6 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
    for axis, (title, ways) in zip(axes[:, 0], panels.items(), strict=True):
        for way, latencies in ways.items():
            weights = [100 / len(latencies)] * len(latencies)
            clipped = [min(max(latency, EDGES_US[0]), EDGES_US[-1]) for latency in latencies]
            axis.hist(clipped, bins=EDGES_US, weights=weights, histtype="step", linewidth=1.5, label=way)
        axis.set(xscale="log", ylabel="% of commits", title=title)
        axis.legend(loc="upper left")
    axes[-1, 0].set_xlabel("microseconds after COMMIT returned")
    figure.savefig(target, dpi=120)
    return f"drawn to {target}"
