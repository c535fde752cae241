"""What the children do until they are killed. Each is called with the function that logs an acknowledgement."""

from ..sql import loading
from . import workload


def steps(log, path, seed, length, first, starts_with_reference):
    """The steps of a workload, from the one numbered `first` on."""
    conn = loading.connect(path)
    conn.execute("PRAGMA journal_mode = WAL").fetchall()
    conn.execute("PRAGMA synchronous = OFF")  # a killed process loses nothing that it gave to the system
    conn.execute("PRAGMA wal_autocheckpoint = 20").fetchall()
    made = workload.make(int(seed), int(length), starts_with_reference=starts_with_reference == "True")
    for number, step in enumerate(made.steps[int(first) :], start=int(first) + 1):
        step.run(conn)
        log("step", number)
    conn.close()


FLOWS = {"steps": steps}
