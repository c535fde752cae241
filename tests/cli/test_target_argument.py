"""`MODULE:APP`, the argument of `honker worker` and `honker scheduler`."""

import subprocess
import sys

import honker
import pytest
from honker.cli import target

from ..support import program
from ..support.locking import ask

SHOP = """
import honker
db = honker.open("app.db")
audit = honker.open("audit.db")
number = 17

class App:
    database = db
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Make the directory the current one, and remove its modules from `sys.modules` afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        handles = [each for each in vars(sys.modules[name]).values() if isinstance(each, honker.Database)]
        if name.startswith("shop"):
            for each in handles:
                each.close()
            del sys.modules[name]


@pytest.mark.usefixtures("modules")
def test_a_target_leads_to_the_database_of_a_module(write, path):
    write("shop_a.py", SHOP)
    assert target.resolve("shop_a:db").path == str(path)
    assert target.resolve("shop_a:App.database") is target.resolve("shop_a:db")


@pytest.mark.usefixtures("modules")
def test_a_module_may_be_in_a_package(write, path):
    write("shop_b/__init__.py", "")
    write("shop_b/tasks.py", SHOP)
    assert target.resolve("shop_b.tasks:db").path == str(path)


@pytest.mark.usefixtures("modules")
def test_the_errors_of_resolving_tell_what_is_wrong(write):
    write("shop_c.py", SHOP)
    with pytest.raises(ValueError, match="'shop_c' has no colon; name the module and its variable, as in shop_c:app"):
        target.resolve("shop_c")
    with pytest.raises(AttributeError, match="no 'nope'; its apps and databases are audit, db"):
        target.resolve("shop_c:nope")
    with pytest.raises(TypeError, match="shop_c:number is of type int, not a honker"):
        target.resolve("shop_c:number")
    with pytest.raises(ModuleNotFoundError):
        target.resolve("shop_nowhere:db")


@pytest.mark.parametrize("text", ["", ":", "shop:", ":db", "shop:db:more", "shop..tasks:db", "shop:1", "-m shop:db"])
def test_a_target_has_the_form_of_an_import_and_a_variable(text):
    with pytest.raises(ValueError, match="as in shop"):
        target.split(text)


@pytest.mark.parametrize(
    ("text", "meant"), [("shop.py:db", "shop:db"), ("shop/tasks.py:db", "shop.tasks:db"), ("shop.py", "shop:app")]
)
def test_a_file_in_the_place_of_a_module_is_answered_with_the_module(text, meant):
    with pytest.raises(ValueError, match=f"names a file; name the module as in an import: {meant}$"):
        target.split(text)


def test_the_current_directory_is_searched_by_the_installed_script_too(write, tmp_path):
    """The script searches its own folder where `python -m` searches the current one; -P skips both."""
    write("shop.py", SHOP)
    command = [sys.executable, "-P", "-m", "honker", "worker", "shop:db", "--list"]
    subprocess.run(command, cwd=tmp_path, timeout=50, check=True)


@pytest.mark.parametrize(
    ("command", "text", "reason"),
    [
        ("worker", "shop", "'shop' has no colon"),
        ("scheduler", "shop", "'shop' has no colon"),
        ("worker", "nowhere:db", "there is no module 'nowhere' in "),
        ("worker", "shop.nowhere:db", "there is no module 'shop.nowhere' in "),
        ("worker", "shop:nope", "module 'shop' has no 'nope'; its apps and databases are audit, db"),
        ("worker", "shop:number", "shop:number is of type int, not a honker.App or the honker.Database"),
        ("worker", "empty:db", "it has none: assign one, as in app = honker.App('app.db')"),
    ],
)
def test_a_wrong_target_is_a_usage_error(write, tmp_path, command, text, reason):
    write("shop.py", SHOP)
    write("empty.py", "")
    done = program.honker(command, text, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Invalid value for MODULE:APP: " in done.stderr
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("source", "line", "error"),
    [
        ("def f(:\n", "def f(:", "SyntaxError: "),
        ("1 / 0\n", "1 / 0", "ZeroDivisionError: "),
        ("import nowhere_at_all\n", "import nowhere_at_all", "ModuleNotFoundError: "),
        ("import sys\nsys.exit(0)\n", "sys.exit(0)", "SystemExit: 0"),
        ("import honker\nhonker.open('nowhere/app.db')\n", "honker.open('nowhere/app.db')", "honker.errors."),
    ],
)
def test_an_error_of_the_module_is_shown_with_its_own_traceback(write, tmp_path, source, line, error):
    write("shop.py", "import broken\n")
    write("broken.py", source)
    done = program.honker("worker", "shop:db", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    report = done.stderr.splitlines()
    assert report[-1] == "Error: module 'shop' cannot be imported; its error is above"
    assert any(each.startswith(error) for each in report)
    files = [each.strip() for each in report if each.startswith('  File "')]
    # After the cause, if the error has one.
    place = next(place for place, file in enumerate(files) if file.startswith(f'File "{tmp_path}/shop.py", line 1'))
    assert files[place + 1].startswith(f'File "{tmp_path}/broken.py", line ')
    assert line in done.stderr
    assert "importlib" not in done.stderr
    assert "honker/cli" not in done.stderr


def test_the_cause_of_an_error_is_shown_too(write, tmp_path):
    write(
        "shop.py", "try:\n    import broken\nexcept ZeroDivisionError as error:\n    raise OSError('no') from error\n"
    )
    write("broken.py", "1 / 0\n")
    done = program.honker("scheduler", "shop:db", cwd=tmp_path)
    assert "ZeroDivisionError" in done.stderr
    assert "OSError: no" in done.stderr
    assert "importlib" not in done.stderr


APP = """
import honker
app = honker.App("app.db", imports=["shop_tasks"])
"""
TASKS = """
import honker
from shop import app

@app.task(queue="emails", max_attempts=7)
def send(to):
    print("sent to", to, flush=True)

@app.periodic_task(honker.every_s(3600), queue="nightly")
def report(): ...
"""


@pytest.fixture
def shop(write):
    write("shop.py", APP)
    write("shop_tasks.py", TASKS)


@pytest.mark.usefixtures("shop")
def test_an_app_is_a_target_and_the_modules_that_it_names_are_imported(tmp_path):
    done = program.honker("worker", "shop:app", "--list", cwd=tmp_path)
    assert "shop_tasks.send  queue=emails" in done.stdout
    assert "shop_tasks.report  queue=nightly" in done.stdout
    assert done.returncode == 0


@pytest.mark.usefixtures("shop")
def test_a_call_names_a_task_of_an_app_and_a_worker_runs_it(tmp_path, path):
    done = program.honker("call", "shop:app", "shop_tasks.send", "--arg", "alice", cwd=tmp_path)
    assert done.returncode == 0
    assert ask(path, "SELECT queue, max_attempts FROM _honker_live") == [("emails", 7)]
    with program.running("worker", "shop:app", cwd=tmp_path) as worker:
        worker.expect("honker worker: pid=.*")
        worker.expect("sent to alice")


@pytest.mark.usefixtures("shop")
def test_a_call_of_a_task_that_the_app_has_not_is_a_usage_error(tmp_path):
    done = program.honker("call", "shop:app", "nope", cwd=tmp_path)
    assert done.returncode == 2
    assert "unknown task: 'nope'. Registered tasks: ['shop_tasks.report', 'shop_tasks.send']" in done.stderr


@pytest.mark.usefixtures("shop")
def test_other_commands_take_an_app_too(tmp_path, path):
    done = program.honker("enqueue", "shop:app", "q", "5", cwd=tmp_path)
    assert done.returncode == 0
    assert ask(path, "SELECT queue, payload FROM _honker_live") == [("q", "5")]


def test_a_file_whose_name_looks_like_a_target_is_a_file(tmp_path):
    honker.open(tmp_path / "shop:app").close()
    assert program.honker("enqueue", "shop:app", "q", "5", cwd=tmp_path).returncode == 0


def test_a_module_that_the_app_names_and_that_is_missing_is_a_usage_error(write, tmp_path):
    write("shop.py", APP)
    done = program.honker("worker", "shop:app", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no module 'shop_tasks'" in done.stderr
