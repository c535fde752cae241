"""The Django project's own suite of pytest-django, in processes of its own: no test reaches the real database."""

import hashlib

import pytest

from tests.apps.django_project import Project

pytest.importorskip("pytest_django")
django = pytest.importorskip("django")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project with a real database that has one job."""
    project = Project(tmp_path_factory.mktemp("django") / "shop")
    project.manage("migrate", "--verbosity", 0)
    project.shell("from orders.tasks import send_confirmation; send_confirmation(1)")
    return project


def real_files(project):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in project.folder.glob("shop.sqlite3*")}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="in_memory"),
        pytest.param(["--ds=shop.settings_file", "orders/tests/connection_tests.py"], id="in_a_file"),
        pytest.param(["--ds=shop.settings_file", "-n2", "orders/tests/orders_tests.py"], id="in_files_of_xdist"),
        pytest.param(["-n2", "orders/tests/orders_tests.py"], id="in_memories_of_xdist"),
        pytest.param(
            ["--ds=shop.settings_two_databases", "orders/tests/two_databases_tests.py"], id="in_two_databases"
        ),
    ],
)
def test_the_suite_passes_and_leaves_the_real_database_alone(project, arguments):
    before = real_files(project)
    ended = project.run("-m", "pytest", "-q", *arguments)
    assert ended.returncode == 0, ended.stdout
    assert " passed" in ended.stdout
    assert real_files(project) == before
    assert "shop.sqlite3" in before


def test_the_runner_of_django_passes_too(project):
    before = real_files(project)
    output = project.manage("test", "orders.tests.orders_tests", "orders.tests.connection_tests")
    assert "OK" in output
    assert real_files(project) == before


@pytest.mark.skipif(django.VERSION < (6,), reason="Django 6.0 has django.tasks; this one runs the package django-tasks")
def test_the_backend_runs_the_tasks_of_django_itself(project):
    ended = project.run("-m", "pytest", "-q", "orders/tests/backend_tests.py")
    assert ended.returncode == 0, ended.stdout
    assert project.shell("from orders import mails; print(type(mails.add).__module__)") == "django.tasks.base"
