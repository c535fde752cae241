"""Constants in bodies of functions: a session may have made the backslash an escape in those without an E before them.

A setting of each function would hide that, at the cost of 3 us a call.
"""

import re

import honker

BODIES = """SELECT p.oid::regprocedure::text, p.prosrc
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = 'honker'"""
COMMENTS = re.compile(r"--[^\n]*")
CONSTANTS = re.compile(r"(E?)'((?:[^']|'')*)'")


def without_mark(body):
    """The constants with a backslash and without an E."""
    return [text for mark, text in CONSTANTS.findall(COMMENTS.sub("", body)) if "\\" in text and not mark]


def test_a_constant_with_a_backslash_says_that_it_is_an_escape(conn):
    found = {name: without_mark(body) for name, body in conn.execute(BODIES).fetchall()}
    assert len(found) > 300
    assert {name: constants for name, constants in found.items() if constants} == {}


def test_jobs_run_where_the_backslash_is_an_escape_in_every_constant(url, conn):
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET standard_conforming_strings = off")
    with honker.open(url) as db:
        queue = db.queue("q")
        queue.enqueue_many([1, 2])
        claims = queue.claim("w", auto_ack=True)
        assert [next(claims).payload, next(claims).payload] == [1, 2]
        claims.close()
