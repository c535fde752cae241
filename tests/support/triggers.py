"""Triggers of the application on honker's tables, which reject a change."""

from honker.postgres.location import is_postgres

from .locking import ask


def refuse(path, change, table, problem, condition=None):
    """Reject each `change` (INSERT or UPDATE) of a table, given by its name in SQLite, on the condition."""
    when = f"WHEN ({condition})" if condition else ""
    if not is_postgres(path):
        ask(
            path, f"CREATE TRIGGER refuse BEFORE {change} ON {table} {when} BEGIN SELECT raise(ABORT, '{problem}'); END"
        )
        return
    body = f"BEGIN RAISE EXCEPTION '{problem}' USING ERRCODE = 'integrity_constraint_violation'; END"
    ask(path, f"CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    ask(
        path,
        f"CREATE TRIGGER refuse BEFORE {change} ON {stored_name(table)} FOR EACH ROW {when} "
        "EXECUTE FUNCTION public.refuse()",
    )


def allow(path, table):
    """Remove the trigger."""
    ask(path, f"DROP TRIGGER refuse ON {stored_name(table)}" if is_postgres(path) else "DROP TRIGGER refuse")


def stored_name(table):
    """The table of PostgreSQL that has the name in SQLite."""
    return "honker." + table.removeprefix("_honker_")
