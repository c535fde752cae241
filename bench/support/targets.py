"""The targets, each as one number: a ratio within one run wherever a comparison exists."""

from dataclasses import dataclass

from .numbers import number

RATIO = "x"
REACHED, MISSED, NOT_JUDGED = "reached", "NOT REACHED", "not judged"


@dataclass(frozen=True)
class Target:
    """One line of the list. `bound` is the lower limit, or the upper limit if `is_ceiling`."""

    key: str
    program: str
    work: str
    bound: float
    unit: str
    against: str = ""  # the denominator of a ratio
    is_ceiling: bool = False

    @property
    def text(self):
        of = f" of {self.against}" if self.against else ""
        return f"{'<=' if self.is_ceiling else '>='} {form(self.bound, self.unit)}{of}"


def form(value, unit):
    """The figure as displayed."""
    if unit == RATIO:
        return f"{value:.2f}"
    return f"{value:,.0f}{unit}" if value == int(value) else f"{number(value)}{unit}"


TARGETS = (
    Target("enqueue", "enqueue", "enqueue, one per commit", 0.8, RATIO, "a plain INSERT of the same row"),
    Target("group_commit", "group_commit", "64 tasks that call aenqueue at once, NORMAL", 100_000, " jobs/s"),
    Target("group_commit_full", "group_commit", "64 tasks that call aenqueue at once, FULL", 50_000, " jobs/s"),
    Target("bulk", "bulk_enqueue", "enqueue 10,000 in one call", 0.8, RATIO, "executemany"),
    Target("in_transaction", "bulk_enqueue", "enqueue 10,000 inside one transaction", 0.6, RATIO, "executemany"),
    Target("claim", "claim_ack", "claim and ack one at a time, 100 waiting", 10_000, " jobs/s"),
    Target(
        "claim_loop",
        "claim_ack",
        "claim and ack by a loop with auto_ack, 100 waiting",
        1.6,
        RATIO,
        "one claim and one ack at a time",
    ),
    Target("claim_loop_tuned", "claim_ack", "the same loop", 1.0, RATIO, "Huey tuned, which loses jobs"),
    Target(
        "claim_backlog",
        "claim_ack",
        "claim and ack with 1,000,000 waiting, 1,000,000 delayed and 100,000 in flight",
        0.8,
        RATIO,
        "the same with 100 waiting",
    ),
    Target("claim_batch", "claim_ack", "claim and ack in batches of 100", 100_000, " jobs/s"),
    Target("worker", "worker", "worker end to end, 32 slots, results off", 80_000, " jobs/s"),
    Target("worker_processes", "worker", "two worker processes of 32 slots each", 1.5, RATIO, "one process"),
    Target("worker_results", "worker", "worker end to end, 32 slots, results on", 12_000, " jobs/s"),
    Target(
        "wake_idle", "wake", "commit to wake in another process, idle: p50", 1 / 3, RATIO, "polling", is_ceiling=True
    ),
    Target(
        "wake_busy", "wake", "commit to wake in another process, busy: p50", 1 / 3, RATIO, "polling", is_ceiling=True
    ),
    Target("wake_idle_p99", "wake", "commit to wake, idle: p99", 1.0, " ms", is_ceiling=True),
    Target("wake_busy_p99", "wake", "commit to wake, busy: p99", 1.0, " ms", is_ceiling=True),
    Target(
        "wake_silence",
        "wake",
        "commit to wake after 60 s of silence: p50",
        1.5,
        RATIO,
        "the idle p50",
        is_ceiling=True,
    ),
    Target("tail", "tail", "commit to claim under a commit every 0.3 ms: p99", 3, " ms", is_ceiling=True),
    Target("tail_log", "tail", "the log under a commit every 0.3 ms", 64, " MB", is_ceiling=True),
    Target("no_lost_wake", "wake", "unnoticed commits", 0, " commits", is_ceiling=True),
    Target("idle_core", "idle", "100 idle listeners: processor time", 0.1, " % of a core", is_ceiling=True),
    Target("idle_wakeups", "idle", "100 idle listeners: wake-ups of the whole process", 20, " /s", is_ceiling=True),
    Target(
        "contention_errors",
        "contention",
        "8 processes on one file: errors that reach a caller",
        0,
        " errors",
        is_ceiling=True,
    ),
    Target("contention", "contention", "8 processes on one file: total throughput", 0.85, RATIO, "one process"),
    Target("crowd_p99", "contention", "8 processes on one file: p99 of a call", 10, " ms", is_ceiling=True),
    Target("crowd_fairness", "contention", "8 processes on one file: the slowest", 0.8, RATIO, "the fastest"),
    Target(
        "crowd_plain_errors",
        "contention",
        "plain sqlite3 beside 8 processes: calls that fail within 5 s",
        0,
        " errors",
        is_ceiling=True,
    ),
    Target("stream_publish", "stream", "publish inside one transaction", 0.6, RATIO, "executemany"),
    Target("stream_read", "stream", "read a stream", 500_000, " events/s"),
    Target("memory", "memory", "claiming from 1,000,000 jobs: memory of the worker", 100, " MB", is_ceiling=True),
    Target("memory_growth", "memory", "memory added by working for an hour", 5, " MB", is_ceiling=True),
    *(
        Target(f"{name}_{key}", "record", f"{name} on: jobs {way}", 0.97, RATIO, "the same with none")
        for key, way in (("one", "one at a time"), ("batch", "in batches of 50"))
        for name in ("counters", "events")
    ),
    Target("inspection", "inspection", "any list of 1,000,000 jobs: the slowest call", 50, " ms", is_ceiling=True),
    Target("import", "import_time", "import honker, beyond a bare interpreter", 60, " ms", is_ceiling=True),
    Target("start", "start", "open a file that exists", 3, " ms", is_ceiling=True),
    Target("start_tables", "start", "open a file with 16,000 other tables", 200, " ms", is_ceiling=True),
    Target("growth", "growth", "growth of time with rows, steepest curve", 1, RATIO, "log n", is_ceiling=True),
    Target(
        "file_size",
        "growth",
        "file size after 1,000,000 processed jobs",
        2,
        RATIO,
        "the size after 10,000",
        is_ceiling=True,
    ),
)
BY_KEY = {target.key: target for target in TARGETS}


def judge(key, figure, *, note, is_judged):
    """A figure with its verdict, as a result keeps it."""
    target = BY_KEY[key]
    is_reached = figure <= target.bound if target.is_ceiling else figure >= target.bound
    return {"key": key, "figure": figure, "note": note, "is_reached": is_reached if is_judged else None}


def verdict(judged):
    return {True: REACHED, False: MISSED, None: NOT_JUDGED}[judged["is_reached"]]
