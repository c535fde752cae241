"""A project with Alembic: its migrations come from autogenerate, and honker's tables and jobs stay."""

import subprocess
import sys

import pytest

from ..support.locking import ask

MODELS = """
from honker.contrib.sqlalchemy import install
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine("sqlite:///shop.db")
install(engine)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(index=True)
"""
ENV = """
from alembic import context
from honker.contrib.sqlalchemy import include_name, include_object
from models import Base, engine

with engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, include_name=include_name, render_as_batch=True
    )
    with context.begin_transaction():
        context.run_migrations()
"""
ORDER = """
import honker
from models import Order, Session, engine

with honker.App("shop.db") as app, Session(engine) as session, session.begin():
    session.add(Order(item="tea"))
    app.queue("emails").enqueue("tea", tx=session)
"""


class Project:
    # Alembic reads all tables if it is to read none, and SQLAlchemy warns of indexes on expressions.
    warnings = "default"

    def __init__(self, directory):
        self._directory = directory
        self.write("models.py", MODELS)
        self.alembic("init migrations")
        self.write("migrations/env.py", ENV)

    def write(self, name, text):
        (self._directory / name).write_text(text, "utf-8")

    def alembic(self, *commands):
        """Run commands of Alembic in one process, which prepares the file first."""
        calls = "; ".join(f"main({command.split()!r})" for command in commands)
        self.run(f"import models; models.engine.connect().close(); from alembic.config import main; {calls}")

    def run(self, script):
        done = subprocess.run(
            [sys.executable, "-W", self.warnings, "-c", script],
            cwd=self._directory,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def revise(self, name):
        """Autogenerate a revision, upgrade to it, and return its text."""
        self.alembic(f"revision --autogenerate -m {name} --rev-id {name}", "upgrade head", "check")
        return (self._directory / "migrations" / "versions" / f"{name}_{name}.py").read_text("utf-8")

    def rows(self, sql):
        return ask(self._directory / "shop.db", sql)

    @property
    def tables_of_honker(self):
        return self.rows("SELECT name, sql FROM sqlite_schema WHERE name GLOB '_honker_*' ORDER BY name")


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_migrations_leave_the_tables_and_the_jobs_alone(project):
    before = project.tables_of_honker
    assert len(before) > 20
    first = project.revise("orders")
    assert "create_table('orders'" in first
    assert "honker" not in first
    project.run(ORDER)
    project.warnings = "error"
    project.write("models.py", MODELS + "    amount: Mapped[int] = mapped_column(server_default='1')\n")
    second = project.revise("amounts")
    assert "amount" in second
    assert "honker" not in second
    project.run(ORDER)
    assert project.rows("SELECT item, amount FROM orders") == [("tea", 1)] * 2
    project.alembic("downgrade base")
    assert project.rows("SELECT count(*) FROM sqlite_schema WHERE name = 'orders'") == [(0,)]
    assert project.tables_of_honker == before
    assert project.rows("SELECT count(*) FROM _honker_live") == [(2,)]


def test_autogenerate_leaves_the_tables_alone_with_a_filter_of_objects_too(project):
    project.write("migrations/env.py", ENV.replace("include_name=include_name", "include_object=include_object"))
    assert "honker" not in project.revise("orders")


def test_autogenerate_drops_the_tables_without_a_filter(project):
    project.write("migrations/env.py", ENV.replace("include_name=include_name, ", ""))
    assert "op.drop_table('_honker_live')" in project.revise("orders")
