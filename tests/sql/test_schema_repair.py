"""Objects of honker that someone has dropped."""

import pytest

from .database import call, enqueue, refused, rows

OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE name LIKE '\\_honker\\_%' ESCAPE '\\' ORDER BY name"


def objects(conn):
    return {name: (kind, sql) for kind, name, sql in rows(conn, OBJECTS)}


def test_bootstrapping_makes_each_dropped_object_again(conn):
    whole = objects(conn)
    assert len(whole) > 20
    for name, (kind, _) in whole.items():
        if name != "_honker_meta":
            conn.execute(f"DROP {kind} {name}")
            assert call(conn, "honker_bootstrap") == 1
            assert objects(conn) == whole, name


def test_an_index_comes_back_with_its_rows(conn):
    job = enqueue(conn)
    conn.execute("DROP INDEX _honker_index_live_ready")
    with refused("HONKER_NOT_BOOTSTRAPPED", "honker_bootstrap"):
        call(conn, "honker_claim_batch", "q", "w", 1, 60)
    call(conn, "honker_bootstrap")
    assert f'"id":{job}' in call(conn, "honker_claim_batch", "q", "w", 1, 60)
    assert rows(conn, "PRAGMA integrity_check") == [("ok",)]


def test_a_whole_file_is_only_read(conn, connect):
    connect().execute("BEGIN IMMEDIATE")
    conn.execute("PRAGMA busy_timeout = 0")
    assert call(conn, "honker_bootstrap") == 1


@pytest.mark.parametrize("query", ["nolock=1", "immutable=1", "vfs=unix-dotfile", "vfs=unix-none", "mode=ro&nolock=on"])
def test_a_watcher_refuses_a_uri_without_common_locks(conn, path, query):
    with refused("HONKER_WATCHER", query.rpartition("&")[2]):
        call(conn, "honker_update_watcher_open", f"file:{path}?{query}", None)


@pytest.mark.parametrize("query", ["nolock=0", "mode=rw", "cache=shared", "vfs=unix"])
def test_a_watcher_takes_other_uris(conn, path, query):
    watcher = call(conn, "honker_update_watcher_open", f"file:{path}?{query}", None)
    call(conn, "honker_update_watcher_close", watcher)
