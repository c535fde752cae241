"""The Django project's own suite of pytest-django, in processes of its own: no test reaches the real database."""

import hashlib

import pytest

from tests.apps.django_project import Project

pytest.importorskip("pytest_django")
django = pytest.importorskip("django")


# By database: what the suite is called, and its arguments.
SUITES = {
    "sqlite": {
        "in_memory": [],
        "in_a_file": ["--ds=shop.settings_file", "orders/tests/connection_tests.py"],
        "in_files_of_xdist": ["--ds=shop.settings_file", "-n2", "orders/tests/orders_tests.py"],
        "in_memories_of_xdist": ["-n2", "orders/tests/orders_tests.py"],
        "in_two_databases": ["--ds=shop.settings_two_databases", "orders/tests/two_databases_tests.py"],
    },
    "postgres": {
        "on_a_server": [],
        "with_a_pool": ["--ds=shop.settings_pool", "orders/tests/connection_tests.py"],
        "in_databases_of_xdist": ["-n2", "orders/tests/orders_tests.py"],
        "in_two_databases": ["--ds=shop.settings_two_databases", "orders/tests/two_databases_tests.py"],
    },
}


@pytest.fixture(scope="module")
def projects(request, tmp_path_factory):
    """Make the project on an engine, with a real database that has one job; the same one each time."""
    made = {}

    def project(engine):
        if engine not in made:
            server = request.getfixturevalue("server") if engine == "postgres" else None
            made[engine] = project = Project(tmp_path_factory.mktemp("django") / "shop", server)
            project.manage("migrate", "--verbosity", 0)
            project.shell("from orders.tasks import send_confirmation; send_confirmation(1)")
        return made[engine]

    return project


@pytest.fixture
def project(projects, engine):
    """The project on each engine."""
    return projects(engine)


def real_data(project):
    """The contents of the real database."""
    if project.url is None:
        files = project.folder.glob("shop.sqlite3*")
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    tables = "auth_user", "orders_order", "_honker_live", "_honker_dead"
    return {name: project.ask(f"SELECT * FROM {name}") for name in tables}


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        pytest.param(kind, arguments, id=f"{kind}_{name}")
        for kind, suites in SUITES.items()
        for name, arguments in suites.items()
    ],
)
def test_the_suite_passes_and_leaves_the_real_database_alone(projects, kind, arguments):
    project = projects(kind)
    before = real_data(project)
    ended = project.run("-m", "pytest", "-q", *arguments)
    assert ended.returncode == 0, ended.stdout
    assert " passed" in ended.stdout
    assert real_data(project) == before
    assert before["shop.sqlite3" if kind == "sqlite" else "_honker_live"]


def test_the_runner_of_django_passes_too(project):
    before = real_data(project)
    output = project.manage("test", "orders.tests.orders_tests", "orders.tests.connection_tests")
    assert "OK" in output
    assert real_data(project) == before


@pytest.mark.skipif(django.VERSION < (6,), reason="Django 6.0 has django.tasks; this one runs the package django-tasks")
def test_the_backend_runs_the_tasks_of_django_itself(project):
    ended = project.run("-m", "pytest", "-q", "orders/tests/backend_tests.py")
    assert ended.returncode == 0, ended.stdout
    assert project.shell("from orders import mails; print(type(mails.add).__module__)") == "django.tasks.base"
