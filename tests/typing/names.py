"""Checkers know the names of the package, although it imports them at first use."""

from typing import assert_type

import honker
from honker import DatabaseFullError, TaskRegistry


def open_database() -> honker.Database:
    db = honker.open("shop.db")
    assert_type(db, honker.Database)
    assert_type(db.queue("emails"), honker.Queue)
    assert_type(honker.registry(), TaskRegistry)
    return db


def misspelled() -> None:
    honker.opne("shop.db")  # error: no such name
    honker.open("shop.db", max_reader=1)  # error: no such parameter
    try:
        open_database()
    except (honker.DatabaseBusyError, DatabaseFullError) as error:
        assert_type(error.is_retryable, bool)
    except honker.DatabaseBusy:  # error: no such class
        raise
