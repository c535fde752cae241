"""The projects in docs/testing.md, run as their readers run them: by pytest and unittest in processes of their own."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import honker
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(honker.__file__).parents[1]
BLOCK = re.compile(r"^```(?:python no-run|ini)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = dict(BLOCK.findall((ROOT / "docs/testing.md").read_text("utf-8")))
# pytest finds a plugin of an installed package by its entry point; this checkout may be another one.
PLUGIN = ("-p", "honker.testing.plugin")


@pytest.fixture
def project(tmp_path):
    """Makes a project of the named files of the document."""

    def make(*names, ini=""):
        for name in ("shop.py", *names):
            (tmp_path / name).write_text(FILES[name])
        if ini:
            with (tmp_path / "pytest.ini").open("a") as file:
                file.write(ini)
        return tmp_path

    return make


def run(folder, *arguments, **variables):
    environment = {
        **os.environ,
        "PYTHONPATH": str(PACKAGE),
        "PYTEST_ADDOPTS": "",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def passed(output):
    found = re.search(r"(\d+) passed", output)
    return int(found[1]) if found else 0


def count_tests(*names):
    return sum(len(re.findall(r"^(?:async )?def test_", FILES[name], re.MULTILINE)) for name in names)


def test_a_plain_pytest_project_with_the_setting(project):
    code, output = run(project("pytest.ini", "test_shop.py"), "pytest", *PLUGIN)
    assert code == 0, output
    assert passed(output) == count_tests("test_shop.py") == 9
    assert "shop.db" not in os.listdir(project()), "no test has touched the database of the application"


def test_a_test_that_names_no_fixture_leaves_the_database_of_the_application_alone(project):
    folder = project("pytest.ini")
    (folder / "test_alone.py").write_text(
        "from shop import app, send_email\n\n"
        "def test():\n    send_email('ann')\n    assert 'shop.db' not in app.db.path\n"
    )
    code, output = run(folder, "pytest", *PLUGIN)
    assert code == 0, output
    assert "shop.db" not in os.listdir(folder)


def test_a_plain_pytest_project_with_a_fixture_of_its_own(project):
    code, output = run(project("conftest.py", "test_shop.py"), "pytest", *PLUGIN)
    assert code == 0, output
    assert passed(output) == count_tests("test_shop.py")


def test_the_clock_follows_time_machine(project):
    pytest.importorskip("time_machine")
    code, output = run(project("pytest.ini", "test_clock.py"), "pytest", *PLUGIN)
    assert code == 0, output
    assert passed(output) == 1


def test_a_pytest_asyncio_project(project):
    pytest.importorskip("pytest_asyncio")
    folder = project("pytest.ini", "test_async.py", ini="asyncio_default_fixture_loop_scope = function\n")
    code, output = run(folder, "pytest", *PLUGIN, "-p", "pytest_asyncio.plugin")
    assert code == 0, output
    assert passed(output) == 2


def test_the_tests_run_under_xdist(project):
    pytest.importorskip("xdist")
    code, output = run(project("pytest.ini", "test_shop.py"), "pytest", *PLUGIN, "-p", "xdist.plugin", "-n", "2")
    assert code == 0, output
    assert "2 workers" in output
    assert passed(output) == count_tests("test_shop.py")


def test_a_unittest_project(project):
    code, output = run(project("test_unittest.py"), "unittest", "test_unittest")
    assert code == 0, output
    assert "Ran 1 test" in output


def test_every_file_of_the_document_is_run():
    used = set(re.findall(r'"((?:test_\w+|conftest|shop)\.py|pytest\.ini)"', Path(__file__).read_text("utf-8")))
    assert set(FILES) <= used


def test_a_missing_setting_is_an_error_that_says_so(project):
    code, output = run(project("test_shop.py"), "pytest", *PLUGIN, "-k", "enqueues_a_mail")
    assert code == 1
    assert "the setting honker_app is ''; name the honker.App, as in `honker_app = shop:app`" in output


@pytest.fixture
def installed(tmp_path):
    """A module path on which honker is installed, with the entry points of this checkout."""
    metadata = tmp_path / "site" / "honker_db-0.1.dist-info"
    metadata.mkdir(parents=True)
    points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["pytest11"]
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: honker-db\nVersion: 0.1\n")
    (metadata / "entry_points.txt").write_text("\n".join(["[pytest11]", *(f"{a} = {b}" for a, b in points.items())]))
    return f"{PACKAGE}{os.pathsep}{metadata.parent}"


@pytest.mark.parametrize(
    ("arguments", "conftest"),
    [([], ""), (PLUGIN, ""), ([], 'pytest_plugins = ["honker.testing.plugin"]')],
    ids=["entry_point", "option", "conftest"],
)
def test_the_plugin_of_an_installed_honker_may_also_be_named(tmp_path, installed, arguments, conftest):
    (tmp_path / "test_db.py").write_text("def test_db(honker_db):\n    honker_db.queue('q').enqueue(1)\n")
    (tmp_path / "conftest.py").write_text(conftest)
    # Other plugins of this environment warn of settings that the project does not have.
    code, output = run(
        tmp_path, "pytest", *arguments, "-W", "ignore", PYTHONPATH=installed, PYTEST_DISABLE_PLUGIN_AUTOLOAD=""
    )
    assert (code, passed(output)) == (0, 1), output


def test_the_plugin_imports_nothing_of_the_kit_until_a_fixture_is_used(tmp_path):
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_other():\n"
        "    assert [m for m in sys.modules if m.startswith('honker.testing.')] == ['honker.testing.plugin']\n"
        "    assert not [m for m in sys.modules if m.startswith('honker.cli')]\n"
    )
    code, output = run(tmp_path, "pytest", *PLUGIN)
    assert code == 0, output


def test_the_fixtures_of_a_database_without_an_app(tmp_path):
    (tmp_path / "test_db.py").write_text(
        "from honker.testing import drain\n"
        "def test_db(honker_db, honker_clock):\n"
        "    @honker_db.task(queue='q')\n"
        "    def work(): return 1\n"
        "    work.enqueue_with(delay=60)()\n"
        "    assert drain(honker_db).ran == 0\n"
        "    honker_clock.advance(60)\n"
        "    assert drain(honker_db).done == 1\n"
    )
    code, output = run(tmp_path, "pytest", *PLUGIN)
    assert code == 0, output
