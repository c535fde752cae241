"""The catalogue of errors from both sides: every code of the engine, every class of the package."""

import inspect
import re
import sqlite3
from pathlib import Path

import honker
import pytest
import yaml
from honker import errors
from honker.errors import ENGINE_ERRORS, DatabaseError, HonkerError, from_sqlite

ROOT = Path(__file__).resolve().parents[2]

CLASSES = [
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if issubclass(member, BaseException) and member.__module__ == errors.__name__
]


def engine_codes():
    """The codes that the engine's sources can put before a message."""
    named = re.findall(r'=> "(HONKER_[A-Z_]+)"', (ROOT / "crates/honker-domain/src/error.rs").read_text("utf-8"))
    written = [
        code
        for file in (ROOT / "crates").glob("*/src/**/*.rs")
        for code in re.findall(r'"(HONKER_[A-Z_]+): ', file.read_text("utf-8"))
    ]
    return {*named, *written}


def sqlite_error(message, code=None):
    error = sqlite3.OperationalError(message)
    if code is not None:
        error.sqlite_errorcode = code
    return error


# -------------------------------------------------------------------------------------------------------- the catalogue


def test_every_code_of_the_engine_has_a_class():
    assert len(engine_codes()) > 10
    assert engine_codes() == ENGINE_ERRORS.keys()


def test_every_code_of_the_reference_has_a_class():
    reference = yaml.safe_load((ROOT / "reference.yaml").read_text("utf-8"))
    assert reference["errors"].keys() == ENGINE_ERRORS.keys()
    for code, entry in reference["errors"].items():
        assert ENGINE_ERRORS[code].is_retryable is entry["retryable"], code


@pytest.mark.parametrize("code", sorted(ENGINE_ERRORS))
def test_a_coded_message_becomes_its_class_without_the_code(code):
    found = from_sqlite(sqlite_error(f"{code}: what happened; what to do", 1))
    assert type(found) is ENGINE_ERRORS[code]
    assert str(found) == "what happened; what to do"


@pytest.mark.parametrize("code", sorted(ENGINE_ERRORS))
def test_a_class_knows_the_code_it_stands_for(code):
    if issubclass(ENGINE_ERRORS[code], DatabaseError):
        assert ENGINE_ERRORS[code].code == code


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_is_documented_in_the_tree_and_exported(kind):
    assert issubclass(kind, HonkerError)
    assert kind.__doc__
    assert kind.__doc__.splitlines()[0].endswith((".", "?"))
    assert getattr(honker, kind.__name__) is kind


def test_no_two_database_errors_share_a_code():
    codes = [kind.code for kind in CLASSES if issubclass(kind, DatabaseError)]
    assert len(codes) == len(set(codes))


# -------------------------------------------------------------------------------- handlers written for other exceptions


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.DatabaseError, RuntimeError),
        (errors.ForkError, RuntimeError),
        (errors.ExtensionUnsupportedError, RuntimeError),
        (errors.ExtensionNotFoundError, FileNotFoundError),
        (errors.InvalidArgumentError, ValueError),
        (errors.ArgumentOverflowError, OverflowError),
        (errors.QueueConflictError, ValueError),
        (errors.InvalidPayloadError, TypeError),
        (errors.UnsupportedParameterError, TypeError),
    ],
)
def test_an_error_is_also_the_builtin_that_was_raised_in_its_place(kind, builtin):
    assert issubclass(kind, builtin)


@pytest.mark.parametrize(
    "kind", [kind for kind in CLASSES if issubclass(kind, DatabaseError)], ids=lambda kind: kind.__name__
)
def test_a_failure_of_the_database_is_a_runtime_error(kind):
    assert issubclass(kind, RuntimeError)


# ---------------------------------------------------------------------------------------------- errors of SQLite itself


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (5, errors.DatabaseBusyError),
        (6, errors.DatabaseBusyError),
        (8, errors.DatabaseReadOnlyError),
        (1032, errors.DatabaseReadOnlyError),  # SQLITE_READONLY_DBMOVED
        (9, errors.InterruptedStatementError),
        (10, errors.DatabaseIOError),
        (778, errors.DatabaseIOError),  # SQLITE_IOERR_WRITE
        (11, errors.DatabaseCorruptError),
        (13, errors.DatabaseFullError),
        (14, errors.DatabaseOpenError),
        (19, errors.ConstraintError),
        (2067, errors.ConstraintError),  # SQLITE_CONSTRAINT_UNIQUE
        (26, errors.DatabaseCorruptError),
        (1, errors.DatabaseError),
        (None, errors.DatabaseError),
    ],
)
def test_a_result_code_of_sqlite_becomes_a_class(code, kind):
    found = from_sqlite(sqlite_error("what SQLite says", code))
    assert type(found) is kind
    assert str(found) == "what SQLite says"
    assert found.sqlite_code == code


def test_the_result_code_of_sqlite_is_kept_beside_the_code_of_the_engine():
    found = from_sqlite(sqlite_error("HONKER_BUSY: database is locked", 517))
    assert (found.code, found.sqlite_code) == ("HONKER_BUSY_SNAPSHOT", 517)


@pytest.mark.parametrize("message", ["database is locked", "HONKER_BUSY: database is locked"])
def test_a_snapshot_that_is_out_of_date_is_busy_and_not_worth_a_retry(message):
    found = from_sqlite(sqlite_error(message, 517))  # SQLITE_BUSY_SNAPSHOT
    assert type(found) is errors.StaleSnapshotError
    assert isinstance(found, errors.DatabaseBusyError)
    assert not found.is_retryable
    assert "roll back and begin again" in str(found)


@pytest.mark.parametrize("message", ["database is locked", "HONKER_BUSY: database is locked"])
def test_a_locked_database_hints_at_the_transaction_of_the_caller(message):
    assert "pass it as tx=" in str(from_sqlite(sqlite_error(message, 5)))


def test_a_code_that_nobody_knows_is_part_of_the_message():
    found = from_sqlite(sqlite_error("HONKER_FROM_THE_FUTURE: something", 1))
    assert type(found) is DatabaseError
    assert str(found) == "HONKER_FROM_THE_FUTURE: something"
