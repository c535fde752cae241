"""`honker copy`: from a file to PostgreSQL and back, killed in the middle, and refused."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import honker
import psycopg
import pytest
from honker.cli import main
from honker.cli.copy import copier, store
from honker.cli.copy.copier import Copier
from honker.cli.copy.file_store import FileStore
from honker.cli.copy.server_store import ServerStore
from honker.cli.copy.tables import FLAG, INTEGER, TABLES, TEXT, TIME

from ..support.waiting import wait_until

BY_NAME = {table.name: table for table in TABLES}
# In another order by the rules of a language than by bytes.
WORDS = ["a", "B", "_", "é", "Z", "z", "", "😀", "\t\\N", "\\.", '{"x": "ü"}', "a b", "'", '"', "\r\n", "ÿ"]


@pytest.fixture
def file(tmp_path):
    """A file with honker's tables."""
    honker.open(tmp_path / "app.db").close()
    return str(tmp_path / "app.db")


def nullable(conn, url):
    """The columns that may be NULL on both engines, by table."""
    with psycopg.connect(url) as server:
        free = server.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'honker' AND is_nullable = 'YES'"
        ).fetchall()
    found = {}
    for table in TABLES:
        of_file = {
            name for _, name, _, is_set, _, _ in conn.execute(f"PRAGMA table_info({table.file_name})") if not is_set
        }
        names = {column for name, column in free if name == table.name}
        found[table.name] = {name for name in names if table.file_columns.get(name, name) in of_file}
    return found


def value_of(kind, draw, number):
    if kind is TEXT:
        return draw.choice(WORDS) + (str(number) if draw.random() < 0.5 else "")
    if kind is INTEGER:
        return draw.choice([0, 1, -1, 2**40, draw.randrange(10**6)])
    if kind is TIME:
        return draw.choice([0, 1_700_000_000_000, draw.randrange(4 * 10**12), 1_700_000_000_123])
    return draw.random() < 0.5 if kind is FLAG else draw.choice([0.0, 0.1, 1e-9, 12345.678, 3.0])


def fill(path, url, seed, most=60):
    """Fill every table with rows of any values that both engines hold."""
    draw = random.Random(seed)
    with closing(FileStore(path, is_target=True)) as target, closing(sqlite3.connect(path)) as conn:
        may_be_null = nullable(conn, url)
        for table in TABLES:
            rows = {}
            for number in range(draw.randrange(1, most)):
                row = [
                    None if name in may_be_null[table.name] and draw.random() < 0.3 else value_of(kind, draw, number)
                    for name, kind in table.columns.items()
                ]
                if table.name == "meta":
                    row = [draw.choice(["counters", "events"]), 1]
                columns = list(table.columns)
                for name in ("id", "offset", "job_id"):
                    if (name,) == table.key:
                        row[columns.index(name)] = number + 1
                if table.name in {"live", "dead"} and "unique_key" in columns:
                    row[columns.index("unique_key")] = draw.choice([None, f"u{number}"])
                rows[tuple(row[at] for at in table.positions())] = tuple(row)
            target.add(table, list(rows.values()))


def contents(path):
    """Every copied row of a file, as it is stored."""
    with closing(sqlite3.connect(path)) as conn:
        return {
            table.name: conn.execute(
                f"SELECT {', '.join(table.file_columns.get(name, name) for name in table.columns)}"
                f" FROM {table.file_name} {'WHERE ' + table.condition if table.condition else ''} ORDER BY 1, 2"
            ).fetchall()
            for table in TABLES
        }


def run(capsys, *arguments):
    code = main.run(["copy", *map(str, arguments), "--json"])
    out = capsys.readouterr()
    return code, [json.loads(line) for line in out.out.splitlines()], out.err


def quiet(_):
    pass


@pytest.mark.parametrize("seed", range(6))
def test_a_file_comes_back_from_postgresql_as_it_was(file, url, tmp_path, capsys, seed):
    fill(file, url, seed)
    code, lines, err = run(capsys, file, url)
    assert code == 0, err
    assert lines[-1]["is_complete"]
    assert {line["table"]: line["rows"] for line in lines[:-1]} == {
        name: len(rows) for name, rows in contents(file).items()
    }
    back = tmp_path / "back.db"
    code, again, err = run(capsys, url, back)
    assert code == 0, err
    assert again[:-1] == lines[:-1]
    assert contents(back) == contents(file)


def test_a_file_is_copied_to_a_file(file, url, tmp_path, capsys):
    fill(file, url, 7)
    assert run(capsys, file, tmp_path / "other.db")[0] == 0
    assert contents(tmp_path / "other.db") == contents(file)


def populate(db):
    queue = db.queue("q")
    queue.configure(concurrency_per_key=1, keep_finished_s=3600)
    parent = queue.enqueue("parent")
    child = queue.enqueue("child", after=[parent])
    queue.enqueue("keyed", key="k")
    unique = queue.enqueue_unique("unique", unique_key="u")["id"]
    later = queue.enqueue("later", delay=3600)
    return {"parent": parent, "child": child, "unique": unique, "later": later}


def test_work_goes_on_in_postgresql_with_the_same_ids(file, url, capsys):
    with honker.open(file) as db:
        ids = populate(db)
        held = db.queue("q").claim_one(
            "old",
        )
        assert held.id == ids["parent"]
        held.retry(delay_s=0, error="again")
    assert run(capsys, file, url)[0] == 0
    with honker.open(url) as db:
        queue = db.queue("q")
        assert queue.enqueue_unique("unique", unique_key="u") == {"id": ids["unique"], "is_duplicate": True}
        wait_until(lambda: _work(queue) and ids["child"] in _work.done)
        assert queue.enqueue("new") > max(ids.values())


def _work(queue):
    for job in queue.claim_batch("w", 10):
        _work.done.append(job.id)
        job.ack()
    return True


_work.done = []


def test_numbers_are_not_given_again(file, url, tmp_path, capsys):
    with honker.open(file) as db:
        last = [db.queue("q").enqueue(n) for n in range(5)][-1]
        while job := db.queue("q").claim_one("w"):
            job.ack()
        token = [_token(db) for _ in range(3)][-1]
    assert run(capsys, file, url)[0] == 0
    with closing(ServerStore(url, is_target=False)) as server:
        assert server.sequences()["job_ids"] == last
        assert server.sequences()["lock_tokens"] == token
    assert run(capsys, url, tmp_path / "back.db")[0] == 0
    with honker.open(tmp_path / "back.db") as db:
        assert db.queue("q").enqueue("new") == last + 1
        assert _token(db) == token + 1


def _token(db):
    with db.lock("l") as lock:
        return lock.token


def test_a_copy_that_was_killed_goes_on(file, url, capsys):
    with honker.open(file) as db, db.transaction() as tx:
        db.queue("q").enqueue_many([{"payload": "x" * 200} for _ in range(60_000)], tx=tx)
    program = [sys.executable, "-m", "honker", "copy", file, url]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        with psycopg.connect(url, autocommit=True) as conn:
            wait_until(lambda: conn.execute("SELECT count(*) FROM honker.live").fetchone()[0])
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    with psycopg.connect(url, autocommit=True) as conn:
        wait_until(
            lambda: (
                not conn.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s",
                    [conn.info.dbname],
                ).fetchone()[0]
            )
        )
        partial = conn.execute("SELECT count(*) FROM honker.live").fetchone()[0]
        assert 0 < partial < 60_000
    # Until the end, no worker claims there.
    with honker.open(url) as db, pytest.raises(honker.SchemaTooNewError):
        db.queue("q").claim_one("w")
    code, lines, err = run(capsys, file, url)
    assert (code, lines[-1]["is_continued"], lines[-1]["rows"]) == (0, True, 60_000), err
    with honker.open(url) as db:
        assert db.queue("q").claim_one("w").payload == {"payload": "x" * 200}


def test_a_copy_to_a_file_that_was_interrupted_goes_on(file, url, tmp_path, monkeypatch):
    fill(file, url, 3)
    monkeypatch.setattr(copier, "_BATCH_ROWS", 5)
    back = str(tmp_path / "back.db")

    for _ in range(8):
        steps = iter(range(3))

        def interrupt(_, steps=steps):
            if next(steps) == 2:
                raise KeyboardInterrupt

        with (
            closing(FileStore(file, is_target=False)) as source,
            closing(FileStore(back, is_target=True)) as target,
            pytest.raises(KeyboardInterrupt),
        ):
            Copier(source, target, interrupt).copy()
    with closing(FileStore(file, is_target=False)) as source, closing(FileStore(back, is_target=True)) as target:
        whole = Copier(source, target, quiet)
        assert whole.copy()
        whole.finish()
    assert contents(back) == contents(file)


def test_changes_of_the_source_between_two_runs_are_copied(file, url, capsys):
    with honker.open(file) as db:
        queue = db.queue("q")
        ids = [queue.enqueue(n) for n in range(10)]
        code, [prepared], _ = run(capsys, file, url, "--prepare")
        assert (code, prepared["is_complete"]) == (0, False)
        while (job := queue.claim_one("w")) and job.id != ids[5]:
            job.ack()
        new = queue.enqueue("new")
    code, _, err = run(capsys, file, url)
    assert code == 0, err
    with closing(ServerStore(url, is_target=False)) as server:
        assert [row[0] for row in server.rows(BY_NAME["live"], None)] == [*ids[5:], new]
        assert store.MARK not in server.facts()


def test_jobs_that_were_added_to_an_unfinished_target_are_not_deleted(file, url, capsys):
    with honker.open(file) as db:
        db.queue("q").enqueue("theirs")
    assert run(capsys, file, url, "--prepare")[0] == 0
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT setval('honker.job_ids', 100)")
    with honker.open(url) as db:
        mine = db.queue("q").enqueue("mine")
    code, _, err = run(capsys, file, url)
    assert code == 1
    assert "was used before the copy had ended" in err
    with psycopg.connect(url) as conn:
        assert conn.execute("SELECT count(*) FROM honker.live WHERE id = %s", [mine]).fetchone() == (1,)


def test_a_target_with_other_data_is_refused_and_not_changed(file, url, capsys):
    with honker.open(url) as db:
        db.queue("q").enqueue("theirs")
    code, _, err = run(capsys, file, url)
    assert code == 1
    assert "has other data (1 rows of live)" in err
    with closing(ServerStore(url, is_target=False)) as server:
        assert store.MARK not in server.facts()


def test_a_target_of_another_source_is_refused(file, url, tmp_path, capsys):
    assert run(capsys, file, url, "--prepare")[0] == 0
    honker.open(tmp_path / "other.db").close()
    code, _, err = run(capsys, tmp_path / "other.db", url)
    assert (code, "copy from another source" in err) == (1, True)
    # Nor is it a source.
    code, _, err = run(capsys, url, tmp_path / "third.db")
    assert (code, "has not ended" in err) == (1, True)


def test_a_database_is_not_copied_into_itself(file, url, capsys):
    assert "is the source itself" in run(capsys, file, file)[2]
    assert "is the source itself" in run(capsys, url, url)[2]


def test_a_source_that_is_missing_creates_nothing(tmp_path, url, capsys):
    assert run(capsys, tmp_path / "missing.db", url)[0] == 2
    assert not (tmp_path / "missing.db").exists()


def test_a_value_that_postgresql_does_not_store_names_its_row(file, url, capsys):
    with closing(sqlite3.connect(file)) as conn, conn:
        conn.execute("INSERT INTO _honker_stream (topic, payload) VALUES ('t', 'a' || char(0) || 'b')")
    code, _, err = run(capsys, file, url)
    assert code == 1
    assert "column payload of _honker_stream holds the character U+0000 in the row with offset 1" in err


def test_a_malformed_row_is_named(file, url, capsys):
    with closing(sqlite3.connect(file)) as conn, conn:
        conn.execute("INSERT INTO _honker_stream (topic, payload) VALUES ('t', x'00ff')")
    code, _, err = run(capsys, file, url)
    assert code == 1
    assert "_honker_stream" in err
    assert "offset 1" in err


def test_every_column_of_both_engines_is_copied_or_named_here(file, conn):
    """A migration that adds a column must decide about it."""
    findings = {"retention": {"surplus_to", "judged_at"}}
    left_in_file = {"live": {"slack"}, **findings}
    left_in_schema = {"schedules": {"planned_at"}, **findings}
    with closing(sqlite3.connect(file)) as stored:
        for table in TABLES:
            names = {name for _, name, *_ in stored.execute(f"PRAGMA table_info({table.file_name})")}
            copied = {table.file_columns.get(name, name) for name in table.columns}
            assert names - copied == left_in_file.get(table.name, set()), table.name
        tables = {name for (name,) in stored.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables - {table.file_name for table in TABLES} == {
        *("_honker_locks", "_honker_workers", "_honker_notifications", "_honker_counters", "sqlite_sequence")
    }
    for table in TABLES:
        found = conn.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'honker' AND table_name = %s",
            [table.name],
        ).fetchall()
        left = {name for (name,) in found} - set(table.columns)
        assert left == left_in_schema.get(table.name, set()), table.name
    tables = conn.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'honker' AND table_type = 'BASE TABLE'"
    ).fetchall()
    assert {name for (name,) in tables} - set(BY_NAME) == {
        *("installation", "locks", "workers", "notifications", "counters")
    }


def test_the_order_of_keys_is_that_of_bytes_in_every_locale(file, server, capsys):
    """By the rules of a language "B" comes after "a", and a second run would go on after another key than the last."""
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute(
            "CREATE DATABASE in_english TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C.UTF-8'"
        )
    url = server.url("in_english")
    try:
        with closing(FileStore(file, is_target=True)) as target:
            consumers = [(name, "t", 1) for name in sorted({*WORDS, *"abcABC"}, key=str.encode)]
            target.add(BY_NAME["stream_consumers"], [(name, topic, n) for name, topic, n in consumers])
        with closing(FileStore(file, is_target=False)) as source, closing(ServerStore(url, is_target=True)) as target:
            copying = Copier(source, target, quiet)
            copying.copy()
            copying.finish()
            assert list(target.rows(BY_NAME["stream_consumers"], None)) == consumers
            assert target.last_key(BY_NAME["stream_consumers"]) == consumers[-1][:2]
    finally:
        server.drop_database("in_english")
