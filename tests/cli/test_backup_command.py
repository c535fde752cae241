"""`honker backup` and `honker restore`."""

import itertools
import json
import os
import re
import signal
import sqlite3
import stat
import threading
import time
from contextlib import closing

import honker as package
import pytest
from honker.cli import copying, main

from ..support.program import honker, running
from ..support.waiting import wait_until


def payloads(path):
    with package.open(path) as db:
        return [job.payload for job in iter(lambda: db.queue("q").claim_one("w"), None)]


def run(capsys, *arguments):
    code = main.run([*map(str, arguments), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def only(folder, *names):
    """True if the folder has these files and no others, apart from the -wal and -shm of an open file."""
    return {each.name for each in folder.iterdir() if not each.name.endswith(("-wal", "-shm"))} == set(names)


def test_a_backup_holds_what_was_committed(db, path, tmp_path, capsys):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        tx.execute("INSERT INTO orders VALUES (7)")
        db.queue("q").enqueue("mail", tx=tx)
    target = tmp_path / "copy.db"
    code, [printed] = run(capsys, "backup", path, target)
    assert (code, printed["target"], printed["bytes"]) == (0, str(target), target.stat().st_size)
    assert only(tmp_path, "app.db", "copy.db")
    assert payloads(target) == ["mail"]
    with closing(sqlite3.connect(target)) as conn:
        assert conn.execute("SELECT id FROM orders").fetchall() == [(7,)]


def test_a_backup_is_taken_while_others_write(db, path, tmp_path, monkeypatch, capsys):
    """With commits between its steps, SQLite would begin the copy again each time."""
    queue, stop = db.queue("q"), threading.Event()
    queue.enqueue_many(list(range(2_000)))
    monkeypatch.setattr(copying, "_PAGES", 1)

    def write():
        while not stop.is_set():
            queue.enqueue("later")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        code, _ = run(capsys, "backup", path, tmp_path / "copy.db")
    finally:
        stop.set()
        writer.join()
    assert code == 0
    assert payloads(tmp_path / "copy.db")[:2_000] == list(range(2_000))


def test_an_existing_target_is_kept_without_force(db, path, tmp_path):
    target = tmp_path / "copy.db"
    target.write_text("precious")
    done = honker("backup", path, target)
    assert (done.returncode, done.stdout) == (1, "")
    assert "exists; name another TARGET, or pass --force" in done.stderr
    assert target.read_text() == "precious"
    assert honker("backup", path, target, "--force").returncode == 0
    assert target.read_bytes().startswith(b"SQLite format 3\0")


def test_the_file_itself_and_a_file_in_use_are_no_targets(db, path, tmp_path):
    assert "is the file itself" in honker("backup", path, path, "--force").stderr
    with package.open(tmp_path / "live.db") as other:
        other.queue("q").enqueue(1)
        done = honker("backup", path, tmp_path / "live.db", "--force")
    assert done.returncode == 1
    assert "is in use" in done.stderr


def test_a_file_that_an_idle_process_has_open_is_no_target(db, path, tmp_path):
    """Its -wal is empty after a checkpoint; the process would go on with the deleted file."""
    with package.open(tmp_path / "live.db") as other:
        other.queue("q").enqueue(1)
        other.query("PRAGMA wal_checkpoint(TRUNCATE)")
        assert (tmp_path / "live.db-wal").stat().st_size == 0
        done = honker("backup", path, tmp_path / "live.db", "--force")
        assert done.returncode == 1
        assert "is in use" in done.stderr
        assert other.queue("q").enqueue(2) == 2
    assert honker("backup", path, tmp_path / "live.db", "--force").returncode == 0


def test_a_link_stays_a_link_to_the_copy(db, path, tmp_path):
    (tmp_path / "disk").mkdir()
    for name in ("there.db", "nothing.db"):
        (tmp_path / name).symlink_to(tmp_path / "disk" / name)
    (tmp_path / "disk/there.db").write_text("old")
    assert honker("backup", path, tmp_path / "there.db", "--force").returncode == 0
    assert honker("backup", path, tmp_path / "nothing.db").returncode == 0
    for name in ("there.db", "nothing.db"):
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "disk" / name).read_bytes().startswith(b"SQLite format 3\0")


def test_a_link_to_a_file_in_use_is_no_target(db, path, tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "live.db")
    with package.open(tmp_path / "live.db") as other:
        other.queue("q").enqueue(1)
        done = honker("backup", path, tmp_path / "link.db", "--force")
    assert done.returncode == 1
    assert "is in use" in done.stderr
    assert (tmp_path / "link.db").is_symlink()


def test_a_target_that_is_no_file_is_kept(db, path, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = honker("backup", path, tmp_path / "pipe", "--force")
    assert done.returncode == 1
    assert "is no regular file" in done.stderr
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_the_mode_of_the_file_is_kept(db, path, tmp_path):
    path.chmod(0o640)
    assert honker("backup", path, tmp_path / "copy.db").returncode == 0
    assert stat.S_IMODE(os.stat(tmp_path / "copy.db").st_mode) == 0o640


def test_a_damaged_file_is_not_called_a_backup(path, tmp_path, capsys):
    with package.open(path) as db:
        db.queue("q").enqueue_many(["x" * 500] * 2_000)
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)
    assert main.run(["backup", str(path), str(tmp_path / "copy.db")]) == 1
    assert capsys.readouterr().err.startswith(("Error: ", "honker: "))
    assert only(tmp_path, "app.db")


def test_a_copy_with_other_rows_is_refused(db, path, tmp_path, monkeypatch, capsys):
    true_counts, numbers = copying._row_counts, itertools.count()
    monkeypatch.setattr(copying, "_row_counts", lambda conn: {**true_counts(conn), "_honker_live": next(numbers)})
    assert main.run(["backup", str(path), str(tmp_path / "copy.db")]) == 1
    assert "other numbers of rows in _honker_live" in capsys.readouterr().err
    assert only(tmp_path, "app.db")


def test_ctrl_c_leaves_the_target_as_it_was(db, path, tmp_path, monkeypatch):
    target = tmp_path / "copy.db"
    target.write_text("precious")

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copying.copy_verified(str(path), str(target), force=True, on_progress=interrupt)
    assert target.read_text() == "precious"
    assert only(tmp_path, "app.db", "copy.db")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_long_backup(path, tmp_path, number):
    with package.open(path) as db, db.transaction() as tx:
        tx.execute("CREATE TABLE ballast (content)")
        tx.execute("INSERT INTO ballast VALUES (zeroblob(400000000))")
    with running("backup", path, tmp_path / "copy.db") as program:
        wait_until(lambda: any(each.suffix == ".part" for each in tmp_path.iterdir()), 20)
        program.signal(number)
        code, _, errors = program.end()
    assert code == 128 + number
    assert "Traceback" not in errors
    assert only(tmp_path, "app.db")


def test_a_full_disk_is_told_with_the_target(db, path, tmp_path, monkeypatch, capsys):
    def fail(*args):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(copying, "_copy", fail)
    assert main.run(["backup", str(path), str(tmp_path / "copy.db")]) == 1
    assert re.search(r"copy.db' cannot be written: .* free space, or name another TARGET", capsys.readouterr().err)
    assert only(tmp_path, "app.db")


def test_a_folder_that_is_not_there_is_an_error_with_the_next_step(db, path, tmp_path):
    done = honker("backup", path, tmp_path / "nowhere/copy.db")
    assert done.returncode == 1
    assert "name another TARGET" in done.stderr


def test_the_progress_is_shown(db, path, tmp_path):
    assert "honker: 100 % of " in honker("backup", path, tmp_path / "copy.db").stderr


@pytest.fixture
def saved(tmp_path):
    """A backup of a file with a job, a job at work, and two schedules that have become overdue since."""
    path = tmp_path / "old.db"
    with package.open(path) as db:
        db.queue("q").enqueue("first")
        db.queue("q").enqueue("second")
        db.queue("q").claim_one("w")
        scheduler = package.Scheduler(db)
        scheduler.add(name="cron", queue="q", schedule=package.crontab("0 3 * * *", time_zone="Europe/Berlin"))
        scheduler.add(name="interval", queue="q", schedule=package.every_s(60))
        scheduler.pause("interval")
        with db.transaction() as tx:
            tx.execute("UPDATE _honker_scheduler_tasks SET next_fire_at = unixepoch() - 1000000")
    assert honker("backup", path, tmp_path / "saved.db").returncode == 0
    return tmp_path / "saved.db"


def test_a_restored_file_fires_nothing_for_the_past(saved, tmp_path, capsys):
    code, [printed] = run(capsys, "restore", saved, tmp_path / "new.db")
    assert (code, printed["schedules"], printed["paused"]) == (0, ["cron", "interval"], [])
    with package.open(tmp_path / "new.db") as db:
        schedules = {each.name: each for each in package.Scheduler(db).list()}
        assert all(each.next_fire_at > time.time() for each in schedules.values())
        cron, interval = schedules["cron"], schedules["interval"]
        assert (cron.cron_expr, cron.time_zone, cron.enabled) == ("0 3 * * *", "Europe/Berlin", True)
        assert (interval.cron_expr, interval.enabled) == ("@every 60s", False)
        assert db.engine.call("SELECT honker_scheduler_tick(?)", time.time()) == "[]"


def test_schedules_may_catch_up(saved, tmp_path, capsys):
    assert run(capsys, "restore", saved, tmp_path / "new.db", "--catch-up")[1][0]["schedules"] == []
    with package.open(tmp_path / "new.db") as db:
        assert all(each.next_fire_at < time.time() for each in package.Scheduler(db).list())


def test_queues_may_be_paused_until_an_operator_has_looked(saved, tmp_path, capsys):
    assert run(capsys, "restore", saved, tmp_path / "new.db", "--pause")[1][0]["paused"] == ["q"]
    with package.open(tmp_path / "new.db") as db:
        assert db.queue("q").claim_one("w") is None
        assert db.queue("q").stats().pause_reason == "restored from a backup"
        assert db.queue("q").resume()
        assert db.queue("q").claim_one("w").payload == "second"


def test_a_restore_that_cannot_move_the_schedules_leaves_the_target_as_it_was(saved, tmp_path, monkeypatch, capsys):
    target = tmp_path / "target.db"
    target.write_bytes(b"as before")

    def fail(*args, **options):
        raise package.DatabaseError("the disk is gone")

    monkeypatch.setattr(package.Scheduler, "update", fail)
    assert main.run(["restore", str(saved), str(target), "--force", "--pause"]) == 1
    assert "the disk is gone" in capsys.readouterr().err
    assert target.read_bytes() == b"as before"
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_a_file_without_honker_is_no_backup(tmp_path):
    with closing(sqlite3.connect(tmp_path / "other.db")) as conn:
        conn.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    done = honker("restore", tmp_path / "other.db", tmp_path / "new.db")
    assert done.returncode == 1
    assert only(tmp_path, "other.db")
