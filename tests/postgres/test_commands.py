"""Commands on the URL of a database, and commands that refuse one."""

import json
import os
import subprocess
import sys

import honker
import psycopg
import pytest
from honker.cli import main
from honker.cli.doctor import server_checks
from honker.postgres.location import without_password

from ..support.waiting import wait_until

SECRET = "hunter2"
APP = """
import os, honker
app = honker.App()

@app.task(queue="q", store_result=True)
def double(n):
    return 2 * n
"""


def run(capsys, *arguments):
    code = main.run([str(each) for each in arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


def records(out):
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def secret_url(url):
    """The URL with a password, which the server does not ask for."""
    return url.replace("//honker@", f"//honker:{SECRET}@")


def test_a_job_is_enqueued_listed_paused_and_cancelled(url, capsys):
    code, out, err = run(capsys, "enqueue", url, "q", '{"to": "ü"}', "--json")
    assert code == 0, err
    [job] = records(out)
    assert run(capsys, "pause", url, "q")[0] == 0
    [queue] = records(run(capsys, "queues", url, "--json")[1])
    assert (queue["queue"], queue["ready"], queue["paused_at"] is not None) == ("q", 1, True)
    assert run(capsys, "resume", url, "q")[0] == 0
    [listed] = records(run(capsys, "jobs", url, "--json")[1])
    assert (listed["id"], json.loads(listed["payload"])) == (job["id"], {"to": "ü"})
    assert run(capsys, "cancel", url, job["id"], "--yes")[0] == 0
    assert records(run(capsys, "jobs", url, "--json")[1]) == []


def test_lists_are_empty_in_a_new_database(url, capsys):
    for command in ("workers", "schedules", "streams", "locks", "workflows", "dead"):
        code, out, err = run(capsys, command, url, "--json")
        assert (code, records(out)) == (0, []), (command, err)


def test_metrics_are_printed(url, capsys):
    run(capsys, "enqueue", url, "q", "1")
    code, out, err = run(capsys, "metrics", url)
    assert code == 0, err
    assert 'honker_jobs{queue="q",state="ready"} 1.0' in out


def test_a_worker_runs_a_call_of_the_app_on_the_url_of_the_environment(secret_url, tmp_path, monkeypatch):
    (tmp_path / "shop.py").write_text(APP)
    environment = {**os.environ, "HONKER_DATABASE": secret_url}
    honker_in = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    call = [sys.executable, "-m", "honker", "call", "shop:app", "shop.double", "--arg", "21", "--json"]
    called = subprocess.run(call, check=False, **honker_in)
    assert called.returncode == 0, called.stderr
    work = [sys.executable, "-m", "honker", "worker", "shop:app", "--burst"]
    worked = subprocess.run(work, check=False, **honker_in)
    assert worked.returncode == 0, worked.stderr
    assert SECRET not in worked.stdout + worked.stderr
    with honker.open(secret_url) as db:
        assert db.queue("q").get_result(json.loads(called.stdout)["id"]) == (True, 42)


def test_a_database_without_the_schema_is_not_changed(server, capsys):
    url = server.create_database("bare")
    try:
        for command in (["jobs", url], ["enqueue", url, "q", "1"], ["web", url], ["doctor", url]):
            code, _, err = run(capsys, *command)
            assert (code, "has no schema honker" in err) == (1, True), command
        with psycopg.connect(url) as conn:
            assert conn.execute("SELECT to_regnamespace('honker')").fetchone() == (None,)
    finally:
        server.drop_database("bare")


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        (["backup", "URL", "copy.db"], "pg_dump"),
        (["backup", "copy.db", "URL"], "honker copy"),
        (["restore", "URL", "app.db"], "pg_restore"),
        (["restore", "copy.db", "URL"], "pg_restore"),
    ],
)
def test_commands_about_files_name_the_command_to_use(secret_url, capsys, command, instead):
    code, _, err = run(capsys, *[secret_url if each == "URL" else each for each in command])
    assert code == 2
    assert "is no file" in err or "name a file" in err
    assert instead in err
    assert SECRET not in err


@pytest.mark.parametrize(
    "location",
    [
        f"u:{SECRET}@localhost:1/shop",
        f"u:{SECRET}%zz@localhost/shop",
        f"u:a/{SECRET}@localhost/shop",
        f"u:{SECRET}?@localhost/shop",
        f"localhost:1/shop?user=u&password={SECRET}",
        f"u@localhost:1/shop?sslpassword={SECRET}&connect_timeout=1",
    ],
)
def test_no_message_shows_the_password(location, capsys):
    url = f"postgresql://{location}"
    for command in (["jobs"], ["doctor"], ["migrate"], ["copy", "missing.db"], ["copy", "--json", "x.db"]):
        code, out, err = run(capsys, *command, url)
        assert code in {1, 2}
        assert SECRET not in out + err, command
    assert SECRET not in repr(honker.App(url)) + repr(honker.App(url).db)


def test_an_ordinary_url_is_shown_whole():
    for url in ("postgresql://u@h:5432/db?host=/tmp&application_name=a", "postgresql:///db", "postgres://h/d"):
        assert without_password(url) == url


# honker doctor


def found(capsys, url):
    code, out, err = run(capsys, "doctor", url, "--json", "--ignore", "durability")
    assert err == ""
    findings = {each["check"]: each["fact"] for each in records(out)}
    assert code == bool(findings)
    return findings


def test_doctor_finds_nothing_in_a_sound_database(url, capsys):
    assert found(capsys, url) == {}


def test_doctor_finds_that_the_server_may_lose_commits(url, capsys):
    code, out, _ = run(capsys, "doctor", url, "--json")
    assert (code, {each["fact"] for each in records(out)}) == (1, {"fsync is off", "full_page_writes is off"})


def test_doctor_finds_functions_of_another_honker(url, conn, capsys):
    conn.execute("UPDATE honker.installation SET digest = 'other' WHERE part = 'functions'")
    assert found(capsys, url) == {"schema": "the functions are of another honker than this one"}


def test_doctor_finds_an_unfinished_copy(url, tmp_path, capsys):
    honker.open(tmp_path / "app.db").close()
    assert run(capsys, "copy", tmp_path / "app.db", url, "--prepare")[0] == 0
    assert "copy" in found(capsys, url)
    assert run(capsys, "copy", tmp_path / "app.db", url)[0] == 0
    assert found(capsys, url) == {}


def test_doctor_finds_a_session_that_holds_an_old_snapshot(url, conn, capsys, monkeypatch):
    monkeypatch.setattr(server_checks, "OLD_S", 0)
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        conn.execute("SELECT 1")
        assert f"session {conn.info.backend_pid} of honker" in found(capsys, url)["old-snapshots"]
    assert found(capsys, url) == {}


def test_doctor_finds_dead_rows(url, conn, capsys, monkeypatch):
    monkeypatch.setattr(server_checks, "DEAD_ROWS", 100)
    conn.execute("ALTER TABLE honker.stream SET (autovacuum_enabled = off)")
    conn.execute(
        "INSERT INTO honker.stream (topic, payload, created_at) SELECT 't', '1', 0 FROM generate_series(1, 500)"
    )
    conn.execute("DELETE FROM honker.stream")

    def is_counted():
        conn.execute("SELECT pg_stat_force_next_flush()")
        sql = "SELECT n_dead_tup FROM pg_stat_all_tables WHERE schemaname = 'honker' AND relname = 'stream'"
        return conn.execute(sql).fetchone()[0] >= 500

    wait_until(is_counted)
    assert "honker.stream has 500 dead rows" in found(capsys, url)["dead-rows"]
    conn.execute("VACUUM honker.stream")
    wait_until(lambda: found(capsys, url) == {})


def test_doctor_finds_missing_rights(url, conn, capsys):
    conn.execute("CREATE ROLE visitor LOGIN")
    theirs = url.replace("//honker@", "//visitor@")
    try:
        conn.execute("GRANT USAGE ON SCHEMA honker TO visitor")
        code, out, _ = run(capsys, "doctor", theirs, "--json")
        facts = [each["fact"] for each in records(out)]
        assert code == 1
        assert any("the role visitor may not call" in fact for fact in facts)
        run(capsys, "migrate", url, "--grant", "visitor")
        assert found(capsys, theirs) == {"privileges": "the role visitor may not read the tables of honker"}
    finally:
        conn.execute("DROP OWNED BY visitor")
        conn.execute("DROP ROLE visitor")


def test_doctor_finds_that_notifications_do_not_arrive(url, conn, capsys, monkeypatch):
    """As behind a pooler in transaction mode, where LISTEN and NOTIFY reach different sessions."""
    with psycopg.connect(url, autocommit=True) as other:
        execute = psycopg.Connection.execute

        def through_pooler(self, statement, *arguments, **options):
            chosen = other if str(statement).startswith("NOTIFY") else self
            if str(statement).startswith("LISTEN"):
                return None
            return execute(chosen, statement, *arguments, **options)

        monkeypatch.setattr(psycopg.Connection, "execute", through_pooler)
        monkeypatch.setattr(server_checks, "_NOTIFY_S", 0.1)
        assert set(found(capsys, url)) == {"notify"}


def test_doctor_finds_lapsed_leases_and_dead_letters(url, conn, capsys):
    with honker.open(url) as db:
        queue = db.queue("q", max_attempts=1)
        queue.enqueue(1)
        queue.claim_one("w").fail("broken")
        queue.enqueue(2)
        assert queue.claim_one("w")
    conn.execute("UPDATE honker.live SET claim_expires_at = 0")
    assert set(found(capsys, url)) >= {"dead-letters", "lapsed-leases"}
