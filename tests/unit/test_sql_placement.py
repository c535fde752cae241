"""The check that keeps SQL in the core must itself be able to fail: each kind of slip is tested once."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_check():
    spec = importlib.util.spec_from_file_location("check_sql_placement", ROOT / "scripts/check_sql_placement.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check = load_check()


def reasons_in_python(source):
    return [(line, reason) for line, text in check.python_literals(source) for reason in check.faults(text)]


def reasons_in_rust(source):
    return [(line, reason) for line, text in check.rust_literals(source) for reason in check.faults(text)]


@pytest.mark.parametrize(
    ("statement", "keyword"),
    [
        ("INSERT INTO jobs VALUES (1)", "INSERT"),
        ("insert or ignore into jobs values (1)", "INSERT"),
        ("UPDATE jobs SET state = 1", "UPDATE"),
        ("update jobs set state = 1", "UPDATE"),
        ("DELETE FROM jobs", "DELETE"),
        ("delete from jobs", "DELETE"),
        ("CREATE TABLE jobs (id)", "CREATE"),
        ("create unique index i on jobs (id)", "CREATE"),
        ("DROP VIEW v", "DROP"),
        ("drop table jobs", "DROP"),
        ("ALTER TABLE jobs ADD COLUMN c", "ALTER"),
        ("alter table jobs add column c", "ALTER"),
        ("REPLACE INTO jobs VALUES (1)", "REPLACE"),
        ("replace into jobs values (1)", "REPLACE"),
        ("WITH due AS (VALUES (1)) DELETE FROM jobs", "WITH"),
        ("with recursive due(id) as (values (1)) delete from jobs", "WITH"),
        ("SELECT id FROM jobs", "SELECT"),
        ("select id from jobs", "SELECT"),
        ("SELECT 1", "SELECT"),
        ("SELECT 1 FROM jobs", "SELECT"),
        ("SELECT id FROM honker_statements", "SELECT"),
        ("SELECT changes()", "SELECT"),
        ("select total_changes()", "SELECT"),
        ("SELECT honker_enqueue(?), changes()", "SELECT"),
        ("SELECT honker_enqueue(?) FROM jobs", "SELECT"),
        ("SELECT honker_enqueue((SELECT id FROM jobs))", "SELECT"),
        ("SELECT honkers(1)", "SELECT"),
        ("SELECT {function}(?) FROM {table}", "SELECT"),
        ("\n    -- why\n    DELETE FROM jobs", "DELETE"),
        ("/* why */ DELETE FROM jobs", "DELETE"),
        ("PRAGMA user_version; DROP TABLE jobs", "DROP"),
    ],
)
def test_a_statement_that_belongs_into_the_core_is_found(statement, keyword):
    (reason,) = check.faults(statement)
    assert reason.startswith(keyword)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT honker_enqueue(?, ?)",
        "SELECT honker_enqueue(?, json_array(1, (2))) AS id;",
        "SELECT honker_sweep(), honker_prune('from ) here')",
        "SELECT notify(?, ?)",
        "SELECT load_extension(?, ?)",
        "SELECT {function}({marks})",
        "SELECT %s(%s)",
        "PRAGMA data_version",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "ROLLBACK TO honker",
        "SAVEPOINT honker",
        "RELEASE honker",
        "CREATE TABLE x(unused)",
        "SELECT 1 FROM honker_statements",
        "Delete the file and open the database again.",
        "Update it with pip; with an old version locks do not work",
        "select one of the queues",
        "create a table with honker_bootstrap()",
        "sqlite3_honkerext_init",
        "libhonker_ext.so",
    ],
)
def test_a_call_a_bracket_and_plain_prose_are_left_alone(text):
    assert list(check.faults(text)) == []


def test_the_name_of_a_table_is_found_anywhere_in_a_string():
    assert list(check.faults("the rows of _honker_live are gone")) == [
        "names the table _honker_live: only the core knows tables"
    ]
    assert list(check.faults("the rows of _honker_jobs_old are gone")) == [
        "names the table _honker_jobs_old: only the core knows tables"
    ]
    assert list(check.faults("the rows of the view _honker_jobs")) == []
    assert list(check.faults("SELECT id FROM _honker_jobs")) == [
        "SELECT of something other than honker_*(...) or notify(...): only the core reads tables"
    ]


def test_python_strings_are_found_in_every_form():
    source = """
plain = "DELETE FROM a"
parts = "DELETE " "FROM a"
joined = "DELETE FROM " + table
filled = f"DELETE FROM {table}"
nested = run(f"{f('DELETE FROM a')}")
later = prefix + "_honker_live" + suffix
"""
    assert [line for line, _ in sorted(reasons_in_python(source))] == [2, 3, 4, 5, 6, 7]


def test_a_python_call_in_pieces_is_one_statement():
    assert reasons_in_python('sql = "SELECT honker_enqueue(" + marks + ")" + " AS id"') == []
    assert reasons_in_python("sql = f'SELECT {name}({marks})'") == []
    assert len(reasons_in_python("sql = 'SELECT honker_enqueue(' + marks + ') FROM ' + table")) == 1


def test_python_docstrings_and_comments_are_not_sql():
    source = '''
"""DELETE FROM _honker_live"""
class Queue:
    """SELECT 1"""
    field = 1
    """DROP TABLE a"""
    def claim(self):
        """UPDATE a SET b"""
        return 1  # DELETE FROM a
'''
    assert reasons_in_python(source) == []


def test_rust_strings_are_found_in_every_form():
    source = r"""
let plain = "DELETE FROM a";
let raw = r#"DELETE FROM "a""#;
let c = c"DELETE FROM a";
let bytes = b"DELETE FROM a";
let broken = "\
    DELETE FROM a";
let after_a_quote = ('"', "DELETE FROM a", '\'');
fn lifetime<'a>(x: &'a str) { run("_honker_live") }
"""
    assert [line for line, _ in reasons_in_rust(source)] == [2, 3, 4, 5, 6, 8, 9]


def test_rust_comments_are_not_sql():
    source = r"""
//! "DELETE FROM a"
/// "DELETE FROM a"
/* "DELETE FROM a" /* nested */ "DROP TABLE a" */
let url = "https://sqlite.org"; // "DELETE FROM a"
"""
    assert reasons_in_rust(source) == []


def test_a_tree_with_findings_prints_where_and_fails(tmp_path, capsys):
    for name, source in {
        "python/honker/queue.py": 'def claim():\n    return "SELECT id FROM _honker_live"\n',
        "python/honker/fine.py": 'SQL = "SELECT honker_claim(?)"\n',
        "crates/honker-extension/src/lib.rs": 'const A: &str = "DROP TABLE a";\n',
        "crates/honker-watch/src/extra.sql": "SELECT 1;\n",
        "crates/honker-domain/src/lib.rs": 'const A: &str = "DROP TABLE a";\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")

    assert check.main([str(tmp_path)]) == 1
    places = [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()]
    assert places == [
        "crates/honker-extension/src/lib.rs:1",
        "crates/honker-watch/src/extra.sql:1",
        "python/honker/queue.py:2",
        "python/honker/queue.py:2",
    ]


def test_every_statement_of_the_engine_names_the_schema_of_its_tables():
    """A bare name would find a temporary table first, or that of an attached file."""
    folder = ROOT / "crates/honker-domain/src"
    bare = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN|ALTER TABLE) +_honker_")
    files = [*folder.rglob("*.sql")]
    assert len(files) > 50
    for file in files:
        code = "\n".join(line for line in file.read_text("utf-8").splitlines() if not line.startswith("--"))
        # The body of a view is bound to the schema of the view.
        code = re.sub(r"CREATE VIEW.*?;", "", code, flags=re.DOTALL)
        assert bare.findall(code) == [], file.name
