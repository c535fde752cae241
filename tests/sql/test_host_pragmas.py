"""Settings of the application's connection that change how SQLite runs a statement, or which rows it returns."""

import pytest

from .contract import examples, functions, ordinary_arguments, run_example
from .database import call, claimed_ids, dump, enqueue, refused, rows, value

# None of these settings may change the result of a function.
HARMLESS = [
    "automatic_index = OFF",
    "case_sensitive_like = ON",
    "cell_size_check = ON",
    "count_changes = ON",
    "defer_foreign_keys = ON",
    "empty_result_callbacks = ON",
    "foreign_keys = ON",
    "full_column_names = ON",
    "ignore_check_constraints = ON",
    "recursive_triggers = ON",
    "reverse_unordered_selects = ON",
    "short_column_names = OFF",
    "trusted_schema = OFF",
]
WRITERS = [
    name
    for name, function in functions().items()
    if function["effect"] in {"statement", "transition"} and function["write_lock"] == "always"
]


@pytest.mark.parametrize("setting", HARMLESS)
def test_every_example_does_as_it_says_under_the_setting(connect, setting):
    for name, _, steps in examples():
        if name.startswith("honker_update_watcher"):
            continue  # a database in memory has no watcher, and a watcher runs no statement on this connection
        conn = connect(":memory:")
        conn.execute(f"PRAGMA {setting}")
        call(conn, "honker_bootstrap")
        run_example(conn, steps)
        conn.close()


@pytest.mark.parametrize("setting", HARMLESS)
def test_statements_that_were_prepared_before_the_setting_go_on(conn, setting):
    enqueue(conn)
    conn.execute(f"PRAGMA {setting}")
    assert enqueue(conn) == 2
    assert claimed_ids(conn, n=2) == [1, 2]
    assert call(conn, "honker_ack_batch", "[1, 2]", "w") == 2
    assert value(conn, "SELECT count(*) FROM _honker_live") == 0


def test_a_trigger_enqueues_while_inserts_return_their_counts(conn):
    conn.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    conn.execute(
        "CREATE TRIGGER outbox AFTER INSERT ON orders BEGIN"
        " SELECT honker_retry(id, 'w', 0, 'again') FROM _honker_live;"
        " SELECT honker_enqueue('q', '{}', NULL, NULL, 0, 3, NULL); END"
    )
    conn.execute("PRAGMA count_changes = ON")
    assert rows(conn, "INSERT INTO orders DEFAULT VALUES") == [(1,)]
    assert claimed_ids(conn) == [1]
    assert rows(conn, "INSERT INTO orders DEFAULT VALUES") == [(1,)]
    assert rows(conn, "SELECT id, state FROM _honker_live") == [(1, "pending"), (2, "pending")]


@pytest.mark.parametrize("name", WRITERS)
def test_a_connection_that_may_only_query_names_the_setting(conn, name):
    conn.execute("PRAGMA query_only = ON")
    before = dump(conn)
    with refused("HONKER_READ_ONLY", "PRAGMA query_only is ON"):
        call(conn, name, *ordinary_arguments(name))
    assert dump(conn) == before
