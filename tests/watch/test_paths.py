"""All paths of one file lead to the same watcher."""

import os
import sqlite3
from urllib.parse import quote

import honker
import pytest

from .conftest import commit
from .faces import WAKE

NAMES = (
    "app.db",
    "with space.db",
    "naïve-日本.db",
    "100%.db",
    "50%25.db",
    "what?.db",
    "no#1.db",
    "it's.db",
    'quo"te.db',
    "-wal",
    "a-wal.db",
)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_watched(watch, writer, tmp_path, name):
    conn = writer(target=tmp_path / name)
    events = watch(tmp_path / name)
    commit(conn)
    assert events.wait() == WAKE
    assert events.stats()["path"] == str(tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_watched_as_a_uri(watch, writer, tmp_path, name):
    conn = writer(target=tmp_path / name)
    path = quote(str(tmp_path / name))
    for uri in (f"file:{path}", f"file://{path}?cache=private", f"file://localhost{path}#fragment"):
        events = watch(uri)
        commit(conn)
        assert events.wait() == WAKE


@pytest.mark.parametrize("given", ["app.db", "./app.db", "../here/app.db", "file:app.db", "file:./app.db?mode=rw"])
def test_a_relative_path_is_that_of_the_working_directory(watch, writer, tmp_path, monkeypatch, given):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    conn = writer(target=tmp_path / "here" / "app.db")
    events = watch(given)
    commit(conn)
    assert events.wait() == WAKE


def test_a_path_through_links_is_that_of_the_file(watch, writer, tmp_path):
    (tmp_path / "real").mkdir()
    conn = writer(target=tmp_path / "real" / "app.db")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "app.db")
    (tmp_path / "far.db").symlink_to(tmp_path / "link.db")
    watches = [watch(tmp_path / given) for given in ("folder/app.db", "link.db", "far.db", "real/app.db")]
    commit(conn)
    for events in watches:
        assert events.wait() == WAKE
        assert events.stats()["subscribers"] == 4


@pytest.mark.parametrize("name", NAMES)
def test_an_open_database_watches_itself_by_any_name(tmp_path, writer, name):
    with honker.open(tmp_path / name) as db:
        updates = db.update_events()
        commit(writer(target=tmp_path / name))
        assert updates.wait(10)


def test_an_open_database_watches_itself_after_the_working_directory_has_changed(tmp_path, monkeypatch, writer):
    """As a daemon does, which leaves the directory it was started in."""
    monkeypatch.chdir(tmp_path)
    conn = writer(target=tmp_path / "app.db")
    with honker.open("app.db") as db:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        updates = db.update_events()
        commit(conn)
        assert updates.wait(2), f"watched {updates.stats()['path']} instead"
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_claim_sees_jobs_after_the_working_directory_has_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with honker.open("app.db") as db, honker.open(tmp_path / "app.db") as other:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        other.queue("q").enqueue(1)
        assert db.queue("q").is_claimable()


def test_a_name_that_is_not_utf8_can_be_watched_or_is_refused(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.db")
    try:
        sqlite3.connect(path, isolation_level=None).close()
    except (sqlite3.Error, UnicodeError):
        pytest.skip("this sqlite3 module opens no such file")
    try:
        db = honker.open(path)
    except honker.HonkerError:
        return  # also a valid outcome
    with db:
        assert db.update_events().wait(0) is False


@pytest.mark.parametrize("options", ["", "mode=rw", "mode=ro", "cache=private", "nolock=0", "psow=0", "vfs=unix"])
def test_a_uri_with_options_that_change_no_lock_can_be_watched(watch, writer, path, options):
    conn = writer()
    events = watch(f"file:{path}?{options}")
    commit(conn)
    assert events.wait() == WAKE


@pytest.mark.parametrize(
    "options",
    ["cache=shared", "nolock=1", "immutable=1", "mode=memory", "vfs=unix-none", "vfs=unix-dotfile", "vfs=unix-excl"],
)
def test_a_uri_with_options_that_share_no_locks_is_refused(watch, writer, path, options):
    writer()
    name, value = options.split("=")
    with pytest.raises(Exception, match=f"{name}={value} in the URI"):
        watch(f"file:{path}?{options}")


def test_a_uri_with_an_unknown_vfs_is_refused(watch, writer, path):
    writer()
    with pytest.raises(Exception, match='SQLite has no VFS "missing"'):
        watch(f"file:{path}?vfs=missing")


def test_the_watcher_of_a_read_only_uri_makes_no_checkpoint(watch, writer, path):
    """The last connection that closes does, if it may write."""
    conn = writer("wal")
    commit(conn)
    events = watch(f"file:{path}?mode=ro")
    conn.close()
    size = path.stat().st_size
    events.close()
    assert path.with_name("app.db-wal").exists()
    assert path.stat().st_size == size
