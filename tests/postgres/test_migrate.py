"""`honker migrate` of a URL: installation, check, upgrade, and roles that have the functions only."""

import json

import honker
import psycopg
import pytest
from honker.cli import main
from honker.errors import DatabaseReadOnlyError, HonkerError
from honker.postgres.bootstrap import bring_up_to_date
from honker.postgres.install import is_installed, look


@pytest.fixture
def empty(server):
    """The URL of a database without the schema."""
    yield server.create_database("empty")
    server.drop_database("empty")


@pytest.fixture
def role(server):
    """A role that owns nothing."""
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute('CREATE ROLE "app role" LOGIN')
    yield "app role"
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute('DROP ROLE "app role"')


@pytest.fixture
def as_role(url, role):
    """The URL of the database for that role, after `honker migrate --grant`."""
    assert main.run(["migrate", url, "--grant", role]) == 0
    yield url.replace("//honker@", "//app%20role@")
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute('DROP OWNED BY "app role"')


def run(capsys, *arguments):
    code = main.run(["migrate", *arguments, "--json"])
    out = capsys.readouterr()
    return code, [json.loads(line) for line in out.out.splitlines()]


def test_a_database_gets_the_schema_and_then_is_up_to_date(empty, capsys):
    assert run(capsys, empty, "--check")[0] == 1
    code, [record] = run(capsys, empty)
    assert (code, record["from"], record["to"] >= 1, record["functions"]) == (0, 0, True, "replaced")
    assert run(capsys, empty, "--check") == (
        0,
        [{"from": record["to"], "to": record["to"], "functions": "current", "is_current": True}],
    )
    code, [again] = run(capsys, empty)
    assert (code, again["functions"]) == (0, "current")


def test_a_dry_run_leaves_nothing(empty, capsys):
    code, [record] = run(capsys, empty, "--dry-run")
    assert (code, record["from"], record["is_dry_run"]) == (0, 0, True)
    with psycopg.connect(empty) as conn:
        assert look(conn).version == 0


def test_functions_of_another_honker_are_replaced(url, conn, capsys):
    conn.execute("UPDATE honker.installation SET digest = 'other' WHERE part = 'functions'")
    code, [record] = run(capsys, url, "--check")
    assert (code, record["functions"]) == (1, "other")
    assert run(capsys, url)[0] == 0
    assert run(capsys, url, "--check")[0] == 0


def test_tables_of_a_newer_honker_are_refused(url, conn, capsys):
    conn.execute("UPDATE honker.installation SET version = 99 WHERE part = 'tables'")
    assert main.run(["migrate", url]) == 1
    assert "upgrade honker" in capsys.readouterr().err
    assert main.run(["migrate", url, "--check"]) == 1


def test_a_role_may_enqueue_and_work_and_touch_no_table(as_role):
    with honker.open(as_role) as db:
        with db.transaction() as tx:
            tx.execute("CREATE TEMP TABLE business (id int)")
            db.queue("q").enqueue({"n": 1}, tx=tx)
        job = db.queue("q").claim_one("w")
        assert job.payload == {"n": 1}
        assert job.ack()
        for statement in ("SELECT * FROM honker.live", "DELETE FROM honker.dead", "SELECT honker._bury(NULL, '', 0)"):
            with pytest.raises(DatabaseReadOnlyError, match="permission denied"), db.transaction() as tx:
                tx.execute(statement)


def test_a_role_gets_the_functions_that_a_later_installation_adds(as_role, url, conn):
    conn.execute("DROP FUNCTION honker.honker_limits()")
    conn.execute("UPDATE honker.installation SET digest = 'other' WHERE part = 'functions'")
    assert main.run(["migrate", url]) == 0
    with psycopg.connect(as_role) as restricted:
        assert restricted.execute("SELECT honker.honker_limits()").fetchone()


def test_a_role_without_rights_is_refused_with_the_next_step(url, role):
    theirs = url.replace("//honker@", "//app%20role@")
    with pytest.raises(HonkerError, match="permission denied"):
        honker.open(theirs)


def test_an_operator_of_the_caller_is_not_used_by_the_functions(as_role, conn):
    """Under the search_path of its caller a function that runs as the owner would run the caller's code."""
    conn.execute('CREATE SCHEMA trap AUTHORIZATION "app role"')
    with psycopg.connect(as_role, autocommit=True) as restricted:
        restricted.execute(
            "CREATE FUNCTION trap.equal(a text, b text) RETURNS boolean LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'trapped'; END $$"
        )
        restricted.execute("CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.equal)")
        restricted.execute("SET search_path = trap, pg_catalog")
        assert restricted.execute("SELECT honker.honker_enqueue('q', '1', '{}')").fetchone()[0] >= 1
        assert restricted.execute("SELECT honker.honker_claim_batch('q', 'w', 1, 60)").fetchone()[0] != "[]"


def test_the_first_installation_without_the_privilege_names_it(empty, role, capsys):
    theirs = empty.replace("//honker@", "//app%20role@")
    assert main.run(["migrate", theirs]) == 1
    assert "needs CREATE on the database" in capsys.readouterr().err


def test_an_unknown_role_changes_nothing(empty, capsys):
    assert main.run(["migrate", empty, "--grant", "missing"]) == 1
    assert '"missing" does not exist' in capsys.readouterr().err
    with psycopg.connect(empty) as conn:
        assert look(conn).version == 0


def test_a_file_has_no_roles(tmp_path, capsys):
    honker.open(tmp_path / "app.db").close()
    assert main.run(["migrate", str(tmp_path / "app.db"), "--grant", "x"]) == 2
    assert main.run(["migrate", str(tmp_path / "app.db"), "--check"]) == 0


def test_an_installation_uses_no_operator_or_type_of_the_application(empty, capsys):
    with psycopg.connect(empty, autocommit=True) as conn:
        conn.execute("CREATE FUNCTION public.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false'")
        conn.execute("CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.never)")
        conn.execute("CREATE DOMAIN public.bigint AS integer")
    reordered = f"{empty}&options=-c%20search_path%3Dpublic%2Cpg_catalog"
    assert run(capsys, reordered)[0] == 0
    with honker.open(reordered) as db:
        assert db.queue("q").enqueue(1) == 1
        assert db.queue("q").claim_one("w").payload == 1


def test_a_schema_of_another_program_is_left_alone(empty):
    with psycopg.connect(empty, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA honker")
        conn.execute("CREATE TABLE honker.live (a integer)")
    with pytest.raises(honker.InvalidArgumentError, match="schema honker with tables of another program"):
        honker.open(empty)


def test_a_database_without_characters_is_refused(server):
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(honker.InvalidArgumentError, match="SQL_ASCII"):
            honker.open(server.url("bytes"))
    finally:
        server.drop_database("bytes")


def test_an_installation_in_a_transaction_is_part_of_it_and_leaves_its_settings(empty):
    with psycopg.connect(empty) as conn:
        conn.execute("SET LOCAL search_path = public, pg_temp")
        bring_up_to_date(conn, "the database")
        conn.execute("CREATE TABLE shop (id int)")
        assert conn.execute("SELECT 'public.shop'::regclass::text").fetchone() == ("shop",)
        assert conn.execute("SHOW check_function_bodies").fetchone() == ("on",)
        conn.rollback()
        assert not is_installed(conn)


def test_a_role_without_rights_keeps_its_transaction(url, role):
    as_role = url.replace("honker@", "app%20role@")
    with psycopg.connect(as_role) as conn:
        with pytest.raises(HonkerError):
            bring_up_to_date(conn, "the database")
        assert conn.execute("SELECT 1").fetchone() == (1,)
