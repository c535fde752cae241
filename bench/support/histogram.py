"""The distribution of latencies in bins that suit microseconds and milliseconds alike."""

import bisect

EDGES_US = [2 ** (step / 4) for step in range(8, 97)]  # 4 us to 16 s, four bins for each doubling


def bins(latencies_us):
    """Count the values in each bin; the outermost bins include everything beyond."""
    counts = [0] * (len(EDGES_US) - 1)
    for latency in latencies_us:
        above = bisect.bisect_right(EDGES_US, latency)
        counts[min(max(above - 1, 0), len(counts) - 1)] += 1
    return counts


SHARES = {"p50_us": 0.5, "p90_us": 0.9, "p99_us": 0.99, "p999_us": 0.999}


def percentiles(latencies_us):
    ordered = sorted(latencies_us)
    at = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in SHARES.items()}
    return {"count": len(ordered), **at, "max_us": ordered[-1]}
