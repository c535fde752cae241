"""`honker doctor`: each hazard on a file made for it."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import honker as package
import pytest
from honker.cli import main
from honker.cli.doctor import file_checks, sqlite_checks
from honker.cli.doctor.finding import CHECKS
from honker.cli.doctor.schema_checks import check_settings

from ..support.program import honker

# The SQLite of the machine that runs the tests may have it.
HEALTHY = ["--ignore", "sqlite-version"]


def findings(capsys, path, *options):
    """The findings by the name of the check; each must have all its parts."""
    code = main.run(["doctor", str(path), *HEALTHY, "--json", *options])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == (1 if found else 0)
    assert all(each["fact"] and each["why"] and each["step"] for each in found)
    assert {each["check"] for each in found} <= set(CHECKS)
    return {each["check"]: each["fact"] for each in found}


def change(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        for statement in statements:
            conn.execute(statement).fetchall()


def test_a_healthy_file_has_no_finding(db, path):
    db.queue("q").enqueue(1)
    done = honker("doctor", path, *HEALTHY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing found\n", "")


def test_it_leaves_the_files_as_they_are(path):
    package.open(path).close()
    before = path.read_bytes()
    honker("doctor", path)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_finding_has_its_consequence_and_the_next_step(db, path):
    db.queue("q").enqueue(1)
    db.queue("q").claim_one("w").fail("broken")
    done = honker("doctor", path, *HEALTHY)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "! dead-letters: queue q has 1 dead letters",
        "  these jobs have failed and do not run again by themselves",
        "  next: see them by `honker dead DB --queue q`, then `honker requeue` or `honker discard` them",
    ]
    assert honker("doctor", path, *HEALTHY, "--ignore", "dead-letters").returncode == 0


def test_every_check_is_listed():
    done = honker("doctor", "--list")
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(CHECKS)


def test_an_unknown_check_is_a_usage_error(db, path):
    assert honker("doctor", path, "--ignore", "nothing").returncode == 2


def test_a_network_file_system_is_found(db, path, tmp_path, monkeypatch, capsys):
    mounts = tmp_path / "mountinfo"
    lines = ["22 1 8:1 / / rw - ext4 /dev/sda1 rw", f"30 22 0:50 / {path.parent} rw - nfs4 host:/export rw"]
    mounts.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(file_checks, "MOUNTS", mounts)
    assert findings(capsys, path) == {"network-file-system": f"{path} is on a file system of type nfs4"}


def test_a_mount_point_with_a_space_is_read(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:50 / /mnt/a\\040b rw - cifs //host/share rw\n")
    assert file_checks.mount_type("/mnt/a b/app.db", mounts) == "cifs"
    assert file_checks.mount_type("/mnt/a bc/app.db", mounts) == "ext4"


@pytest.mark.skipif(not file_checks.MOUNTS.exists(), reason="needs /proc")
def test_the_type_of_a_real_mount_is_read():
    assert file_checks.mount_type("/proc/self") == "proc"


def test_hard_links_are_found(db, path, capsys):
    os.link(path, path.with_name("other.db"))
    assert findings(capsys, path) == {"hard-links": f"{path} has 2 names (hard links)"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_files_of_another_owner_are_found(db, path, capsys):
    db.queue("q").enqueue(1)
    os.chown(f"{path}-wal", 65534, 65534)
    assert "belongs to user 65534" in findings(capsys, path)["permissions"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_folder_that_the_owner_cannot_write_is_found(db, path, capsys):
    for name in (path, f"{path}-wal", f"{path}-shm"):
        if os.path.exists(name):
            os.chown(name, 65534, 65534)
    assert "is not writable by user 65534" in findings(capsys, path)["permissions"]


def test_a_file_that_everyone_may_write_is_found(db, path, capsys):
    path.chmod(0o666)
    assert "mode 666" in findings(capsys, path)["permissions"]


def test_a_large_wal_is_found(db, path, capsys):
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM _honker_live").fetchall()
        with db.transaction() as tx:
            tx.execute("CREATE TABLE ballast (content)")
            tx.execute("INSERT INTO ballast VALUES (zeroblob(66000000))")
        assert findings(capsys, path)["wal-size"].endswith("-wal has 66 MB")


@pytest.mark.parametrize("version", [(3, 7, 0), (3, 40, 1), (3, 51, 2)])
def test_a_faulty_sqlite_is_found(version):
    [finding] = sqlite_checks.check_version(version)
    assert ".".join(map(str, version)) in finding.fact


@pytest.mark.parametrize("version", [(3, 6, 23), (3, 51, 3), (4, 0, 0)])
def test_a_repaired_sqlite_is_no_finding(version):
    assert list(sqlite_checks.check_version(version)) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_two_copies_of_sqlite_in_a_process_with_the_file_are_found(db, path, tmp_path, capsys):
    library = next(name for name in sqlite_checks.copies_in(os.getpid()))
    copy = tmp_path / "libother.so"
    copy.write_bytes(Path(library).read_bytes())
    script = (
        "import ctypes, sqlite3, sys; ctypes.CDLL(sys.argv[2]); conn = sqlite3.connect(sys.argv[1]);"
        "conn.execute('SELECT * FROM sqlite_master').fetchall(); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(path), str(copy)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        found = findings(capsys, path)
        process.stdin.close()
    assert found["two-sqlites"].startswith(f"process {process.pid} has 2 copies of SQLite: ")
    assert str(copy) in found["two-sqlites"]


def test_another_journal_mode_is_found(path, capsys):
    package.open(path).close()
    change(path, "PRAGMA journal_mode = DELETE")
    assert findings(capsys, path) == {"journal-mode": "the journal mode is delete"}


def test_small_pages_are_found(path, capsys):
    change(path, "PRAGMA page_size = 512", "CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    package.open(path).close()
    assert findings(capsys, path) == {"page-size": "the page size is 512 bytes"}


def test_triggers_in_a_schema_that_is_not_trusted_are_found(db, path, conn):
    conn.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    conn.execute("CREATE TRIGGER mail AFTER INSERT ON orders BEGIN SELECT honker_enqueue('q', '{}', NULL); END")
    assert list(check_settings(conn)) == []
    conn.execute("PRAGMA trusted_schema = OFF")
    with pytest.raises(sqlite3.OperationalError, match="unsafe use"):
        conn.execute("INSERT INTO orders VALUES (1)")
    [finding] = check_settings(conn)
    assert (finding.check, finding.fact.split(" ")[0]) == ("trusted-schema", "mail")


def test_an_older_and_a_newer_schema_are_found(path, capsys):
    package.open(path).close()
    change(path, "UPDATE _honker_meta SET value = 3 WHERE key = 'schema_version'")
    assert findings(capsys, path)["schema"].startswith("the file has schema version 3, this honker ")
    change(path, "UPDATE _honker_meta SET value = 9999 WHERE key = 'schema_version'")
    assert findings(capsys, path)["schema"].startswith("the file has schema version 9999, this honker knows ")


def test_flow_control_beside_the_public_honker_is_found(db, path, capsys):
    db.queue("q").enqueue(1, key="acme")
    assert findings(capsys, path) == {}
    change(path, "CREATE INDEX _honker_live_claim ON _honker_live (queue)")
    assert "which uses keys" in findings(capsys, path)["reference"]


def test_a_schedule_that_the_public_honker_fires_on_other_days_is_found(db, path, capsys):
    change_share = db.engine.call("SELECT honker_file_share(1)")
    assert change_share == 1
    package.Scheduler(db).add(name="n", queue="q", schedule=package.crontab("0 0 13 * 5"))
    assert findings(capsys, path)["reference"].startswith("schedule n: both day fields are restricted")


def test_contradictions_of_flow_control_are_found(db, path, capsys):
    queue = db.queue("q")
    parent = queue.enqueue(1)
    child = queue.enqueue(2, after=[parent])
    change(path, f"DELETE FROM _honker_live WHERE id = {parent}")
    assert findings(capsys, path)["flow"].startswith(f"job {child}: ")


def test_rows_that_cannot_be_read_are_found(db, path, capsys):
    job = db.queue("q").enqueue(1)
    change(path, f"UPDATE _honker_live SET payload = x'00' WHERE id = {job}")
    assert findings(capsys, path)["malformed"].startswith(f"row {job} of _honker_live: ")


def damage(path):
    """Overwrite a page in the middle of a file of many jobs; the schema stays readable."""
    with package.open(path) as db:
        db.queue("q").enqueue_many(["x" * 500] * 2_000)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)


def test_a_damaged_page_is_found(path, capsys):
    damage(path)
    found = findings(capsys, path)
    assert set(found) == {"damaged"}
    assert "page" in found["damaged"] or "malformed" in found["damaged"]


def test_findings_before_an_error_are_printed(path):
    package.open(path).close()
    path.chmod(0o666)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3996)
    done = honker("doctor", path, *HEALTHY)
    assert done.returncode == 1
    assert "permissions: " in done.stdout
    assert re.search(r"malformed; put a backup in its place by `honker restore`", done.stderr)


def test_a_time_in_the_future_is_found(db, path, capsys):
    job = db.queue("q").enqueue(1)
    change(path, f"UPDATE _honker_live SET created_at = unixepoch() + 7200 WHERE id = {job}")
    assert findings(capsys, path)["clock"].startswith("the newest job has the time ")


def test_a_file_written_in_the_future_is_found(path, capsys):
    package.open(path).close()
    os.utime(path, (time.time(), time.time() + 7200))
    assert findings(capsys, path)["clock"].startswith("the file was written at ")


def test_an_overdue_and_a_failed_schedule_are_found(db, path, capsys):
    package.Scheduler(db).add(name="n", queue="q", schedule=package.crontab("0 0 * * *"))
    assert findings(capsys, path) == {}
    change(path, "UPDATE _honker_scheduler_tasks SET next_fire_at = unixepoch() - 7200")
    assert findings(capsys, path)["schedules"] == "schedule n was due 2h ago"
    package.Scheduler(db).pause("n")
    assert findings(capsys, path) == {}
    change(path, "UPDATE _honker_scheduler_tasks SET last_error = 'bad payload'")
    assert findings(capsys, path)["schedules"] == "schedule n was passed over: bad payload"


def test_a_schedule_of_an_unknown_task_is_found(tmp_path, write):
    write("shop.py", "import honker\napp = honker.App('app.db')\n@app.task(queue='q')\ndef known(): pass\n")
    with package.open(tmp_path / "app.db") as db:
        scheduler = package.Scheduler(db)
        for task in ("shop.known", "shop.gone"):
            call = {"__honker_task__": {"task": task, "args": [], "kwargs": {}}}
            scheduler.add(name=task, queue="q", schedule=package.crontab("0 0 * * *"), payload=call)
    done = honker("doctor", "shop:app", *HEALTHY, "--json", cwd=tmp_path)
    [finding] = map(json.loads, done.stdout.splitlines())
    assert finding["fact"] == "schedule shop.gone calls the task shop.gone, which the application does not have"


def test_lapsed_leases_are_found(db, path, capsys):
    queue = db.queue("q")
    queue.enqueue(1)
    queue.claim_one("w")
    assert findings(capsys, path) == {}
    change(path, "UPDATE _honker_live SET claim_expires_at = unixepoch() - 9")
    assert findings(capsys, path) == {"lapsed-leases": "queue q has 1 jobs whose lease has lapsed"}


def test_a_queue_without_a_worker_is_found_unless_it_is_paused(db, path, capsys):
    db.queue("q").enqueue(1, run_at=time.time() - 3600)
    assert findings(capsys, path) == {"stalled-queues": "a job of queue q has been due for 1h"}
    db.queue("q").pause()
    assert findings(capsys, path) == {}


def test_a_lost_worker_and_a_schedule_without_a_worker_are_found(db, path, capsys):
    facts = {"host": "elsewhere", "pid": 7, "version": "1", "started_at": time.time(), "is_stopping": False, "slots": 1}
    facts |= {"busy": 0, "queues": ["emails"], "worker_ids": [], "running": []}
    db.engine.call("SELECT honker_worker_report(?)", json.dumps({"name": "alive", **facts}))
    package.Scheduler(db).add(name="n", queue="emails", schedule=package.crontab("0 0 * * *"))
    assert findings(capsys, path) == {}
    package.Scheduler(db).add(name="orphan", queue="reports", schedule=package.crontab("0 0 * * *"))
    assert findings(capsys, path)["schedules"].startswith("schedule orphan enqueues into reports, which no worker")
    package.Scheduler(db).remove("orphan")
    change(path, "UPDATE _honker_workers SET seen_at = unixepoch() - 100")
    assert findings(capsys, path)["workers"].startswith("worker alive has not reported since ")
