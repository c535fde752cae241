"""The processes of the shop: `python -m tests.chaos.roles ROLE`.

A role ends with `FAILED_FOR_NOW` after a typed error that may pass, and the supervisor starts it again, as systemd or
Kubernetes would.
"""

import asyncio
import errno
import logging
import sqlite3
import sys
import time

import honker
import sqlalchemy
from honker.errors import HonkerError

from . import back_office, consumers, journal, shop, web

FAILED_FOR_NOW = 75
# The leadership of a dead scheduler passes on after as many seconds.
LEADERSHIP_S = 3


def work():
    """A worker that the application starts itself."""
    asyncio.run(shop.db.run_workers(concurrency=3))


def schedule():
    scheduler = honker.Scheduler(shop.db)
    scheduler.lock_ttl, scheduler.heartbeat_interval = LEADERSHIP_S, LEADERSHIP_S / 3
    asyncio.run(scheduler.run(standby=True))


ROLES = {
    "web": web.serve,
    "work": work,
    "schedule": schedule,
    "consume": consumers.consume,
    "maintain": back_office.maintain,
    "operate": back_office.operate,
}


def is_passing(error):
    """True for the typed errors of a database or a system that is out of something for a while."""
    if isinstance(error, HonkerError):
        return error.is_retryable or isinstance(
            error, (honker.LeadershipLost, honker.DatabaseOpenError, honker.WatcherError)
        )
    if isinstance(error, sqlalchemy.exc.OperationalError):
        error = error.orig
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, *SYSTEM_ERRORS}
    return isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENOSPC}


SYSTEM_ERRORS = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def main(role):
    logging.basicConfig(level=logging.WARNING)
    began = time.monotonic()
    try:
        ROLES[role]()
    except Exception as error:
        if not is_passing(error):
            raise
        journal.write("error", role, type(error).__name__, str(error), time.monotonic() - began)
        sys.exit(FAILED_FOR_NOW)


if __name__ == "__main__":
    main(sys.argv[1])
