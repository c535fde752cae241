"""`honker top` on terminals of several sizes: each frame fits, and the terminal is left as it was."""

import json
import re
import signal
import time

import honker as package
import pytest
from honker.cli.top.frame import frame
from honker.cli.top.rates import Moves, Rates
from honker.cli.top.snapshot import Snapshot

from ..support.program import honker
from ..support.terminal import ENTER, LEAVE, on_terminal, plain

QUEUES = ["emails", "reports", "thumbnails", "webhooks", "search-index", "invoices", "exports", "cleanup"]


@pytest.fixture
def busy(db):
    """Queues with ready, delayed, running and dead jobs, and schedules."""
    for number, name in enumerate(QUEUES):
        queue = db.queue(name)
        call = {"__honker_task__": {"task": f"shop.tasks.{name}", "args": [], "kwargs": {"to": "alice@example.org"}}}
        queue.enqueue_many([call] * (20 + number))
        queue.enqueue(call, delay=600)
        queue.claim_one("w").fail("broken")
        for _ in range(6):
            queue.claim_one("w")
    db.queue("exports").pause(reason="disk is full")
    db.queue("漢字" * 20).enqueue(1)
    package.Scheduler(db).add(name="nightly", queue="reports", schedule=package.crontab("0 3 * * *"))
    return db


def has(*texts):
    return lambda lines: all(any(text in line for line in lines) for text in texts)


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (132, 50), (60, 12), (30, 6), (300, 100)])
def test_every_frame_fits_its_terminal(busy, path, columns, lines):
    with on_terminal("top", path, "-i", "0.1", columns=columns, lines=lines) as terminal:
        seen = terminal.wait_for_frame(has("honker top"))
        terminal.press("q")
        code, _ = terminal.end()
        frames = terminal.frames()
        assert terminal.has_settings_of_the_start()
    assert code == 0
    assert len(seen) <= lines
    assert all(len(each) <= lines and all(width_of(line) <= columns for line in each) for each in frames)


def width_of(line):
    return sum(2 if "\u2e80" <= each <= "\uffdc" else 1 for each in plain(line))


def test_it_shows_queues_running_jobs_workers_and_schedules(busy, path):
    with on_terminal("top", path, columns=160, lines=50) as terminal:
        lines = [plain(line) for line in terminal.wait_for_frame(has("honker top"))]
        terminal.press("q")
        terminal.end()
    assert any(line.split()[:4] == ["emails", "13", "1", "6"] for line in lines)
    assert any("shop.tasks.emails" in line and 'to="alice@example.org"' in line for line in lines)
    assert any(line.endswith("paused: disk is full") for line in lines)
    assert "no workers" in lines
    assert any(line.startswith("nightly") for line in lines)
    assert lines[1].split()[:4] == ["ready", "133", "delayed", "8"]


def test_a_change_of_another_process_appears(busy, path):
    with on_terminal("top", path, "-i", "0.1") as terminal:
        terminal.wait_for_frame(has("honker top"))
        busy.queue("urgent").enqueue_many([1] * 77)
        terminal.wait_for_frame(lambda lines: any(line.split()[:2] == ["urgent", "77"] for line in lines))


def test_a_resize_is_followed_at_once(busy, path):
    with on_terminal("top", path, "-i", "600", columns=80, lines=24) as terminal:
        assert len(terminal.wait_for_frame(has("honker top"))) <= 24
        terminal.resize(120, 60)
        terminal.wait_for_frame(lambda lines: len(lines) > 24)
        terminal.resize(50, 9)
        small = terminal.wait_for_frame(lambda lines: len(lines) <= 9)
        assert all(width_of(line) <= 50 for line in small)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_the_terminal_clean(busy, path, number, code):
    with on_terminal("top", path, "-i", "600") as terminal:
        terminal.wait_for_frame(has("honker top"))
        terminal.process.send_signal(number)
        ended, output = terminal.end()
        assert terminal.has_settings_of_the_start()
    assert ended == code
    assert output.startswith(ENTER)
    assert output.endswith(LEAVE)
    assert "Traceback" not in output


def test_colours_are_shown_unless_they_are_off(busy, path):
    coloured, without = first_frame(path), first_frame(path, NO_COLOR="1")
    assert any("\x1b[36m" in line for line in coloured)
    assert any("\x1b[31m" in line for line in coloured)
    assert not any("\x1b" in line for line in without)
    # The times differ by a second.
    assert [plain(line)[:20] for line in coloured] == [line[:20] for line in without]


def first_frame(path, **variables):
    with on_terminal("top", path, "-n", "1", **variables) as terminal:
        assert terminal.end()[0] == 0
        return terminal.frames()[0]


def test_in_a_pipe_it_prints_whole_frames(busy, path):
    done = honker("top", "-n", "2", "-i", "0.1", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert done.stdout.count("honker top") == 2
    assert all(name in done.stdout for name in QUEUES)


def test_json_prints_an_object_for_each_frame(busy, path):
    busy.configure(counters=True)
    done = honker("top", "--json", "-n", "2", "-i", "0.1", path)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = [json.loads(line) for line in done.stdout.splitlines()]
    assert first["at"] < second["at"]
    exports = next(each for each in second["queues"] if each["queue"] == "exports")
    assert (exports["ready"], exports["processing"], exports["dead"], exports["concurrency"]) == (19, 6, 1, None)
    assert {job["queue"] for job in second["running"]} == set(QUEUES)
    assert [each["name"] for each in second["schedules"]] == ["nightly"]
    assert (second["workers"], second["wal_bytes"] > 0) == ([], True)
    assert second["rates"]["total"] == {"enqueued": 0, "done": 0, "failed": 0}
    assert first["rates"]["source"] == "counters, last full minute"


def test_json_on_a_terminal_is_json_too(busy, path):
    with on_terminal("top", "--json", "-n", "1", path, columns=80, lines=24) as terminal:
        code, output = terminal.end()
    assert code == 0
    assert json.loads(output)["running"]


def test_an_interval_of_nothing_is_a_usage_error(db, path):
    assert honker("top", "-i", "0", path).returncode == 2


def test_a_frame_of_an_empty_file_says_so():
    empty = Snapshot(title="a.db", at=time.time(), queues=[], running=[], workers=[], schedules=[], wal_bytes=0)
    lines = [plain(line) for line in frame(empty, 80, 24)]
    assert [line for line in lines if line.startswith("no ")] == [
        "no jobs",
        "no job is running",
        "no workers",
        "no schedules",
    ]
    for height in range(1, 30):
        assert len(frame(empty, 80, height)) <= height


# --------------------------------------------------------------------------------------------------------------- rates


def look(at, totals=None, last_minute=None, is_exact=True, **counts):
    states = ("ready", "delayed", "processing", "blocked", "waiting", "dead")
    queue = {name: counts.get(name, 0) for name in states} | {f"{name}_is_exact": is_exact for name in states}
    facts = {"title": "a.db", "running": [], "workers": [], "schedules": [], "wal_bytes": 0}
    return Snapshot(at=at, queues=[queue], totals=totals, last_minute=last_minute or {}, **facts)


def test_rates_are_differences_of_the_counters_over_the_last_ten_seconds():
    rates = Rates()
    for second in range(30):
        # 2 a second up to 15 s, 5 a second from there on.
        enqueued = 2 * second if second <= 15 else 30 + 5 * (second - 15)
        speed = rates.add(look(100.0 + second, {"q": Moves(enqueued, second, 0), "r": Moves(0, 0, second / 2)}))
        if second == 12:
            assert speed.total == {"enqueued": 2, "done": 1, "failed": 0.5}
        if second == 20:
            assert speed.total["enqueued"] == 3.5
    assert speed.total == {"enqueued": 5, "done": 1, "failed": 0.5}
    assert speed.queues == {"q": Moves(5, 1, 0), "r": Moves(0, 0, 0.5)}
    assert speed.source == "counters, last 10 s"


def test_the_first_look_has_the_rates_of_the_last_full_minute():
    speed = Rates().add(look(100.0, {"q": Moves(9_000, 9_000, 9_000)}, {"q": Moves(120, 60, 6)}))
    assert speed.total == {"enqueued": 2, "done": 1, "failed": 0.1}
    assert speed.source == "counters, last full minute"


def test_without_counters_the_growth_of_the_counts_is_shown():
    rates = Rates()
    assert rates.add(look(100.0, ready=10)).total == {}
    speed = rates.add(look(102.0, ready=10, processing=2, blocked=1, dead=1))
    assert speed.total == {"unfinished jobs": 1.5, "dead": 0.5}
    assert speed.source == "growth of counts; counters are off"
    assert rates.add(look(103.0, is_exact=False, ready=1_000)).total == {}


@pytest.mark.parametrize(
    "later",
    [look(99.0, {"q": Moves(9)}), look(101.0), look(101.0, {"q": Moves(4)}), look(101.0, {})],
    ids=["clock set back", "counters turned off", "fewer than before", "another file"],
)
def test_looks_that_cannot_be_compared_begin_anew(later):
    rates = Rates()
    rates.add(look(100.0, {"q": Moves(5)}))
    assert set(rates.add(later).total.values()) <= {0}


def test_counters_of_too_many_queues_say_so():
    cut = Snapshot(**{**vars(look(100.0, {"q": Moves(1)})), "totals_are_cut": True})
    assert (
        rates_line(cut, 120)
        == "per second  enqueued 0  done 0  failed 0   counters, last full minute, some queues are left out"
    )


def rates_line(snapshot, columns):
    shown = Snapshot(**{**vars(snapshot), "queues": [], "speed": Rates().add(snapshot)})
    return plain(frame(shown, columns, 24)[2])


def test_rates_without_room_are_left_out():
    snapshot = look(100.0, {"q": Moves(1)}, {"q": Moves(12_345_678, 66, 6)})
    assert rates_line(snapshot, 80) == "per second  enqueued 205,761  done 1.1  failed 0.1   counters, last full minute"
    assert rates_line(snapshot, 60) == "per second  enqueued 205,761  done 1.1  failed 0.1"
    assert rates_line(snapshot, 40) == "per second  enqueued 205,761  done 1.1"
    assert rates_line(snapshot, 7) == "per se…"


@pytest.mark.parametrize("columns", [80, 160])
def test_the_rates_of_a_busy_file_are_shown(busy, path, columns):
    busy.configure(counters=True)
    with on_terminal("top", path, "-i", "0.1", columns=columns, lines=40) as terminal:
        terminal.wait_for_frame(has("per second"))
        busy.queue("emails").enqueue_many([1] * 500)
        lines = terminal.wait_for_frame(lambda lines: "enqueued 0" not in lines[2] and "counters, last" in lines[2])
    assert re.match(r"per second  enqueued [\d,.]+  done 0  failed 0   counters, last \d+ s$", plain(lines[2]))
    heading, emails = (
        next(line for line in map(plain, lines) if line.startswith(name)) for name in ("queue", "emails")
    )
    assert ("in/s" in heading) == (columns == 160)
    if columns == 160:
        assert heading.split()[-3:] == ["in/s", "done/s", "failed/s"]
        assert float(emails.split()[-3].replace(",", "")) > 0


def test_the_first_frame_has_the_rates_of_the_last_full_minute(db, path):
    db.configure(counters=True)
    db.queue("q").enqueue_many([1] * 60)
    with db.transaction() as tx:
        tx.execute("UPDATE _honker_counters SET minute = minute - 1")
    done = honker("top", "-n", "1", path)
    if "enqueued 0" in done.stdout:  # the minute has ended meanwhile
        with db.transaction() as tx:
            tx.execute("UPDATE _honker_counters SET minute = minute + 1")
        done = honker("top", "-n", "1", path)
    assert "per second  enqueued 1.0  done 0  failed 0   counters, last full minute" in done.stdout
