"""Opening a file: the supported files, and the errors for all others."""

import _sqlite3
import functools
import os
import sqlite3
import sys
import tempfile
import types
from pathlib import Path

import honker
import pytest
from honker import (
    ArgumentOverflowError,
    DatabaseCorruptError,
    DatabaseOpenError,
    DatabaseReadOnlyError,
    HonkerError,
    InvalidArgumentError,
    SchemaTooNewError,
)

from ..support.locking import ask
from ..support.processes import run

pytestmark = pytest.mark.sqlite_only("the database file")


def open_files():
    return sorted(os.readlink(entry.path) for entry in os.scandir("/proc/self/fd") if os.path.islink(entry.path))


# --------------------------------------------------------------------------------------------- files that can be opened


@pytest.mark.parametrize(("options", "level"), [({}, 1), ({"synchronous": "FULL"}, 2), ({"synchronous": "EXTRA"}, 3)])
def test_what_a_commit_waits_for_can_be_chosen(path, options, level):
    with honker.open(path, **options) as db, db.transaction() as tx:
        assert tx.query("PRAGMA synchronous") == [{"synchronous": level}]


@pytest.mark.parametrize("level", ["OFF", "full", "", None, 2])
def test_another_level_of_synchronous_is_refused(path, level):
    with pytest.raises(InvalidArgumentError, match=r"synchronous is .*NORMAL, FULL, EXTRA"):
        honker.open(path, synchronous=level)
    assert not path.exists()


@pytest.mark.parametrize("kind", [str, Path], ids=["str", "Path"])
def test_a_missing_file_is_created_with_the_tables_of_honker(path, kind):
    with honker.open(kind(path)) as db:
        assert db.path == str(path)
        names = {
            row["name"] for row in db.query("SELECT name FROM sqlite_master WHERE name LIKE '\\_honker%' ESCAPE '\\'")
        }
    assert names >= {
        "_honker_live",
        "_honker_dead",
        "_honker_jobs",
        "_honker_locks",
        "_honker_rate_limits",
        "_honker_scheduler_tasks",
        "_honker_results",
        "_honker_stream",
        "_honker_stream_consumers",
        "_honker_notifications",
    }


def test_a_file_is_in_wal_mode_once_it_was_opened(path):
    honker.open(path).close()
    assert ask(path, "PRAGMA journal_mode") == [("wal",)]


def test_a_file_of_the_application_keeps_its_tables(path):
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE orders (id)")
    conn.execute("INSERT INTO orders VALUES (7)")
    conn.commit()
    conn.close()
    with honker.open(path) as db:
        assert db.query("SELECT id FROM orders") == [{"id": 7}]


def test_a_file_may_be_opened_several_times(path):
    with honker.open(path) as first, honker.open(path) as second:
        job_id = first.queue("q").enqueue({"n": 1})
        assert second.queue("q").claim_one("w").id == job_id


def test_opening_again_writes_nothing(path):
    honker.open(path).close()
    before = path.read_bytes()
    honker.open(path).close()
    assert path.read_bytes() == before


def test_a_path_may_be_relative(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    with honker.open(path.name):
        pass
    assert path.exists()


def test_a_path_may_be_a_uri(path):
    with honker.open(f"file:{path}?cache=private") as db:
        db.queue("q").enqueue(1)
        assert next(db.queue("q").claim("w")).payload == 1
    assert path.exists()


@pytest.mark.parametrize("name", ["ä %20?#.db", "mode=memory.db", "a b", "-", ":x:", "file", "x" * 200])
def test_a_path_may_be_anything_a_file_system_allows(tmp_path, name):
    honker.open(tmp_path / name).close()
    assert (tmp_path / name).exists()


def test_a_database_says_what_it_is(db, path):
    assert str(path) in repr(db)


@pytest.mark.parametrize("readers", [0, 1, 64])
def test_the_number_of_readers_may_be_chosen(path, readers):
    with honker.open(path, readers) as db:
        assert db.query("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize("backend", [None, "", "polling", "poll", "kernel", "kernel-watcher", "shm", "shm-fast-path"])
@pytest.mark.parametrize("interval_ms", [None, 1, 20])
def test_the_watcher_may_be_chosen(path, backend, interval_ms):
    with honker.open(path, 8, backend, interval_ms) as db:
        db.queue("q").enqueue(1)
        assert next(db.queue("q").claim("w")).payload == 1


# --------------------------------------------------------------------------------------------------- arguments in error


def test_an_unknown_keyword_is_a_type_error(path):
    with pytest.raises(TypeError, match="reader"):
        honker.open(path, reader=3)
    assert not path.exists()


@pytest.mark.parametrize(
    "text", ["", ":memory:", "file::memory:", "file::memory:?cache=shared", "file:x?mode=memory", "file:", "file:?a=b"]
)
def test_a_path_that_names_no_shared_file_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgumentError, match="path"):
        honker.open(text).close()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("value", [b"app.db", None, 5, ["app.db"]], ids=repr)
def test_a_path_of_another_type_is_a_type_or_value_error(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((TypeError, InvalidArgumentError), match=type(value).__name__):
        honker.open(value)
    assert os.listdir(tmp_path) == []


def test_a_path_with_a_nul_is_a_value_error(tmp_path):
    with pytest.raises(ValueError, match="null"):
        honker.open(f"{tmp_path}/a\0b.db")


@pytest.mark.parametrize("readers", [-1, -(2**70)])
def test_fewer_than_no_readers_are_an_overflow_error(path, readers):
    with pytest.raises(ArgumentOverflowError, match="max_readers") as caught:
        honker.open(path, readers)
    assert isinstance(caught.value, OverflowError)
    assert not path.exists()


@pytest.mark.parametrize("backend", ["inotify", "POLLING", "none", "polling "])
def test_an_unknown_watcher_is_refused(path, backend):
    with pytest.raises(InvalidArgumentError, match="unknown watcher backend") as caught:
        honker.open(path, watcher_backend=backend)
    assert isinstance(caught.value, ValueError)
    assert not path.exists()


def test_an_interval_of_nothing_is_refused(path):
    with pytest.raises(InvalidArgumentError, match="watcher poll interval must be positive"):
        honker.open(path, watcher_poll_interval_ms=0)
    assert not path.exists()


def test_an_interval_less_than_nothing_is_an_overflow_error(path):
    with pytest.raises(OverflowError, match="watcher poll interval must be positive"):
        honker.open(path, watcher_poll_interval_ms=-1)
    assert not path.exists()


# ------------------------------------------------------------------------------------------ files that cannot be opened


def test_a_path_in_a_missing_directory_says_so(tmp_path):
    with pytest.raises(DatabaseOpenError, match=r"unable to open.*directory .*missing.* does not exist"):
        honker.open(tmp_path / "missing" / "app.db")
    assert os.listdir(tmp_path) == []


def test_a_directory_says_so(tmp_path):
    with pytest.raises(DatabaseOpenError, match=r"unable to open.*it is a directory"):
        honker.open(tmp_path)


def test_a_missing_file_that_may_not_be_created_is_not_blamed_on_its_directory(path):
    with pytest.raises(DatabaseOpenError, match="unable to open") as caught:
        honker.open(f"file:{path}?mode=rw")
    assert "does not exist; create it first" not in str(caught.value)


@pytest.mark.parametrize("text", ["hello\n", "hello, this is no database\n" * 1000])
def test_a_text_file_is_not_a_database_and_stays_as_it_is(path, text):
    path.write_text(text)
    with pytest.raises(DatabaseCorruptError, match=r"not a database|corrupt|malformed"):
        honker.open(path)
    assert path.read_text() == text


def test_a_file_that_failed_to_open_leaves_nothing_open(path):
    path.write_text("hello, this is no database\n" * 1000)
    before = open_files()
    with pytest.raises(DatabaseCorruptError):
        honker.open(path)
    assert open_files() == before


def filled(path, jobs=2000):
    """A database of some pages, all of them in the main file."""
    with honker.open(path) as db, db.transaction() as tx:
        for number in range(jobs):
            db.queue("q").enqueue({"n": number, "fill": "x" * 200}, tx=tx)


def damaged(path):
    """Open a damaged file and use everything, so that the damage is found."""
    with honker.open(path) as db:
        while db.queue("q").claim_batch("w", 500):
            pass


@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_a_typed_error(path, fraction):
    filled(path)
    os.truncate(path, int(path.stat().st_size * fraction))
    with pytest.raises(DatabaseCorruptError, match=r"not a database|corrupt|malformed"):
        damaged(path)


def test_a_file_whose_pages_were_overwritten_is_a_typed_error(path):
    filled(path)
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    with pytest.raises(DatabaseCorruptError, match=r"corrupt|malformed"):
        damaged(path)


def test_a_file_of_a_newer_honker_is_refused_and_stays_as_it_is(path):
    honker.open(path).close()
    ask(path, "UPDATE _honker_meta SET value = 999 WHERE key = 'schema_version'")
    before = path.read_bytes()
    with pytest.raises(SchemaTooNewError, match=r"999.*upgrade honker"):
        honker.open(path)
    assert path.read_bytes() == before


# --------------------------------------------------------------------------------------------------- files to read only


def test_a_current_file_opened_read_only_can_be_read(path):
    filled(path, 3)
    with honker.open(f"file:{path}?mode=ro") as db:
        assert db.query("SELECT count(*) AS n FROM _honker_live") == [{"n": 3}]
        assert db.queue("q").is_claimable()


def test_a_file_opened_read_only_cannot_be_written(path):
    filled(path, 3)
    with honker.open(f"file:{path}?mode=ro") as db:
        for write in (lambda: db.queue("q").enqueue(1), lambda: db.queue("q").claim_one("w")):
            with pytest.raises(DatabaseReadOnlyError, match="readonly"):
                write()
        with pytest.raises(DatabaseReadOnlyError, match="readonly"), db.transaction() as tx:
            tx.execute("CREATE TABLE t (a)")


def test_a_file_without_tables_cannot_be_opened_read_only(path):
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE orders (id)")
    conn.commit()
    conn.close()
    with pytest.raises(DatabaseReadOnlyError, match="readonly"):
        honker.open(f"file:{path}?mode=ro")


AS_NOBODY = """
import os, sys
import honker
path, other = sys.argv[1:]
honker.open(other).close()                # whatever is loaded when first used
honker.sqlite.extension.extension_info = lambda found=honker.extension_info(): found
os.setgid(65534)
os.setuid(65534)
try:
    with honker.open(path) as db:
        db.queue("q").enqueue(1)
except honker.HonkerError as error:
    print(type(error).__name__, error)
else:
    print("no error")
"""


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("file_mode", [0o444, 0o000])
def test_a_file_that_the_user_may_not_write_is_a_typed_error(tmp_path, file_mode):
    with tempfile.TemporaryDirectory() as folder:  # other users cannot enter the directories of pytest
        os.chmod(folder, 0o755)
        target = Path(folder, "app.db")
        honker.open(target).close()
        target.chmod(file_mode)
        (line,) = run(AS_NOBODY, target, tmp_path / "other.db")
    kind, _, message = line.partition(" ")
    assert kind in {"DatabaseReadOnlyError", "DatabaseOpenError"}
    assert "readonly" in message or "unable to open" in message


def test_every_failure_to_open_is_an_error_of_honker(tmp_path):
    text = tmp_path / "text.db"
    text.write_text("no database" * 100)
    for target in (tmp_path, tmp_path / "missing" / "app.db", text, ":memory:"):
        with pytest.raises(HonkerError):
            honker.open(target)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("nolock=1", "takes no locks"),
        ("nolock=yes", "takes no locks"),
        ("mode=rwc&immutable=true", "reads no -wal"),
        ("cache=shared", "lock tables against each other"),
        ("vfs=unix-none", "no locks that connections of all processes see"),
        ("vfs=unix-dotfile", "no locks that connections of all processes see"),
        ("vfs=unix-excl", "no locks that connections of all processes see"),
    ],
)
def test_a_uri_under_which_commits_are_lost_is_refused(path, options, reason):
    with pytest.raises(InvalidArgumentError, match=rf"path is .*{reason}.*leave .*= out"):
        honker.open(f"file:{path}?{options}")
    assert not path.exists()


@pytest.mark.parametrize("options", ["nolock=0", "immutable=off", "cache=private", "psow=0", "vfs=unix", "mode=rwc"])
def test_a_uri_with_other_options_opens(path, options):
    with honker.open(f"file:{path}?{options}") as db:
        db.queue("q").enqueue(1)
        assert db.queue("q").stats().ready == 1


def test_a_file_that_does_not_enter_wal_mode_is_refused(path, monkeypatch):
    monkeypatch.setattr("honker.sqlite.path._UNSAFE_VFS", ("-none",))
    with pytest.raises(DatabaseOpenError, match="does not enter WAL mode"):
        honker.open(f"file:{path}?vfs=unix-dotfile")


def test_a_path_too_long_for_sqlite_says_so(tmp_path):
    folder = tmp_path
    while len(str(folder)) < 400:
        folder /= "x" * 50
    folder.mkdir(parents=True)
    with pytest.raises(DatabaseOpenError, match="has 510 bytes, and SQLite takes at most 504"):
        honker.open(folder / ("a" * (509 - len(str(folder)))))


OUT_OF_DESCRIPTORS = """
import os, resource, sys
import honker
db = honker.open(sys.argv[1])
db.queue("q").enqueue(1)
held = []
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
for operation in (lambda: honker.open(sys.argv[2]), lambda: db.query("SELECT 1"), db.update_events):
    try:
        operation()
    except honker.HonkerError as error:
        print(error)
    else:
        print("no error")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_an_error_says_that_the_process_has_no_descriptor_left(path, tmp_path):
    lines = run(OUT_OF_DESCRIPTORS, path, tmp_path / "other.db")
    assert len(lines) == 3
    for line in lines:
        assert "no file descriptor is left" in line


AS_READER = """
import os, sys
import honker
path, other = sys.argv[1:]
honker.open(other).close()
honker.sqlite.extension.extension_info = lambda found=honker.extension_info(): found
os.setgid(65534)
os.setuid(65534)
try:
    with honker.open(path) as db:
        db.queue("q").enqueue(1)
except honker.HonkerError as error:
    print(type(error).__name__, error)
else:
    print("no error")
"""


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("modes", "culprit"),
    [
        ({"": 0o644}, "app.db'"),
        ({"-wal": 0o600}, "app.db-wal'"),
        ({"-shm": 0o600}, "app.db-shm'"),
    ],
    ids=["file", "-wal", "-shm"],
)
def test_an_error_names_the_file_the_owner_and_the_user(modes, culprit):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        target = Path(folder, "app.db")
        with honker.open(target) as owner:
            owner.queue("q").enqueue(1)
            for suffix in ("", "-wal", "-shm"):
                os.chmod(f"{target}{suffix}", modes.get(suffix, 0o666))
            (line,) = run(AS_READER, target, Path(folder, "other.db"))
    assert culprit in line
    assert "belongs to root" in line
    assert "this user, nobody," in line


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user")
def test_an_error_names_a_folder_in_which_the_user_may_create_no_files():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        target = Path(folder, "app.db")
        honker.open(target).close()
        os.chmod(target, 0o666)
        (line,) = run(AS_READER, target, Path(folder, "other.db"))
    assert f"{folder!r} belongs to root" in line
    assert "-wal and -shm" in line


# ------------------------------------------------------------------------------------- settings of honker's connections


@pytest.mark.parametrize(("choice", "value"), [({}, 0), ({"foreign_keys": False}, 0), ({"foreign_keys": True}, 1)])
def test_foreign_keys_are_enforced_only_if_asked_for(path, choice, value):
    with honker.open(path, **choice) as db, db.transaction() as tx:
        assert tx.query("PRAGMA foreign_keys") == [{"foreign_keys": value}]


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_the_wal_is_written_back_after_as_many_bytes_at_any_page_size(path, page_size):
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute(f"PRAGMA page_size = {page_size}")
    conn.execute("CREATE TABLE t (a)")
    conn.close()
    with honker.open(path) as db, db.transaction() as tx:
        (row,) = tx.query("PRAGMA wal_autocheckpoint")
        assert 40_000_000 <= row["wal_autocheckpoint"] * page_size <= 41_000_000
        assert tx.query("PRAGMA journal_size_limit") == [{"journal_size_limit": 64 * 1024 * 1024}]


class TextPageSize(sqlite3.Connection):
    """As SQLCipher with a key, which answers with a text."""

    def execute(self, sql, *parameters):
        sql = "SELECT CAST(page_size AS TEXT) FROM pragma_page_size" if sql == "PRAGMA page_size" else sql
        return super().execute(sql, *parameters)


def test_a_driver_may_answer_the_page_size_as_text(path, monkeypatch):
    driver = types.ModuleType("keyed")
    monkeypatch.setitem(sys.modules, "keyed._sqlite3", _sqlite3)
    driver.__dict__.update(vars(sqlite3), __name__="keyed")
    driver.connect = functools.partial(sqlite3.connect, factory=TextPageSize)
    with honker.open(path, sqlite3=driver) as db, db.transaction() as tx:
        assert tx.query("PRAGMA wal_autocheckpoint") == [{"wal_autocheckpoint": 10_000}]
