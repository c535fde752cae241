"""Tasks of a module that runs as a script: their jobs have the names that workers know, which import the module."""

import subprocess
import sys

import honker
import pytest

SHOP = """
import multiprocessing
import sys

import honker

app = honker.App("app.db")


@app.task(queue="mail")
def send(n): ...


class Sender:
    def __call__(self, n): ...


deliver = app.task(queue="mail")(Sender())


def call_both():
    send(1)
    deliver(1)


if __name__ == "__main__":
    if "spawn" in sys.argv:
        child = multiprocessing.get_context("spawn").Process(target=call_both)
        child.start()
        child.join()
    else:
        call_both()
    app.close()
"""


def names_of_jobs(folder):
    with honker.open(folder / "app.db") as db:
        return sorted(job.task for job in db.jobs().jobs)


def run(folder, *arguments):
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, timeout=60)


@pytest.fixture
def folder(tmp_path):
    package = tmp_path / "pkg" / "sub"
    package.mkdir(parents=True)
    for place in (package, package.parent):
        (place / "__init__.py").touch()
    for place in (tmp_path, package):
        (place / "shop.py").write_text(SHOP)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (["shop.py"], "shop"),
        (["shop.py", "spawn"], "shop"),
        (["-m", "shop"], "shop"),
        (["-m", "shop", "spawn"], "shop"),
        (["pkg/sub/shop.py"], "pkg.sub.shop"),
        (["-m", "pkg.sub.shop"], "pkg.sub.shop"),
    ],
    ids=" ".join,
)
def test_a_script_enqueues_its_tasks_under_the_name_of_its_import(folder, arguments, module):
    run(folder, *arguments)
    assert names_of_jobs(folder) == [f"{module}.Sender", f"{module}.send"]


def test_a_worker_runs_the_tasks_that_a_script_has_enqueued(folder):
    run(folder, "shop.py")
    run(folder, "-m", "honker", "worker", "shop:app", "--burst")
    assert names_of_jobs(folder) == []


def test_a_script_that_is_imported_beside_its_run_has_each_task_once(tmp_path):
    (tmp_path / "shop.py").write_text(
        "import honker\n"
        "db = honker.open('app.db')\n"
        "@db.task(queue='mail')\n"
        "def send(n): ...\n"
        "if __name__ == '__main__':\n"
        "    import shop\n"
        "    send(1)\n"
        "    shop.send(2)\n"
        "    assert honker.registry().names() == ['shop.send']\n"
    )
    run(tmp_path, "shop.py")
    assert names_of_jobs(tmp_path) == ["shop.send", "shop.send"]


@pytest.mark.parametrize("script", ["-c", "a file whose name is no module"])
def test_a_script_that_cannot_be_imported_keeps_the_name_of_python(tmp_path, script):
    source = "import honker\napp = honker.App('app.db')\n@app.task()\ndef send(n): ...\nsend(1)\napp.close()"
    if script == "-c":
        run(tmp_path, "-c", source)
    else:
        (tmp_path / "my-shop.py").write_text(source)
        run(tmp_path, "my-shop.py")
    assert names_of_jobs(tmp_path) == ["__main__.send"]
