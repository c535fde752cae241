"""Hazards of a PostgreSQL server and of the schema ``honker`` in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, LiteralString

from honker.cli.doctor.finding import UNFINISHED_COPY, Finding
from honker.cli.table import span
from honker.postgres.install import look

if TYPE_CHECKING:
    import psycopg

#: Seconds after which a snapshot is old.
OLD_S: Final = 300
#: Dead rows that a table may have.
DEAD_ROWS: Final = 50_000
#: Seconds that a notification may take.
_NOTIFY_S: Final = 2.0

_MAY_READ: Final = (
    "SELECT pg_catalog.has_schema_privilege('honker', 'USAGE')"
    " AND (SELECT bool_and(pg_catalog.has_table_privilege(c.oid, 'SELECT')) FROM pg_catalog.pg_class AS c"
    " WHERE c.relnamespace = 'honker'::regnamespace AND c.relkind = 'r')"
)
_NOT_CALLABLE: Final = (
    "SELECT p.proname, pg_catalog.current_database() FROM pg_catalog.pg_proc AS p"
    " WHERE p.pronamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'honker')"
    " AND (p.proname LIKE 'honker\\_%' OR p.proname = 'notify')"
    " AND NOT pg_catalog.has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1"
)
# A function that runs as another role than the owner of the tables needs rights that it may not have.
_OTHER_OWNERS: Final = (
    "SELECT DISTINCT p.proowner::regrole::text, c.relowner::regrole::text"
    " FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_class AS c ON c.relnamespace = p.pronamespace"
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace"
    " WHERE n.nspname = 'honker' AND c.relkind = 'r' AND p.proowner <> c.relowner"
)
# The oldest snapshot of each kind of holder. Sessions of other databases hold nothing back here.
_SNAPSHOTS: Final = (
    "SELECT concat('session ', a.pid, ' of ', a.usename, ' ' || nullif(a.application_name, '')),"
    " a.state, extract(epoch FROM clock_timestamp() - a.xact_start)::float8,"
    " 'end it by pg_terminate_backend(' || a.pid || ')'"
    " FROM pg_catalog.pg_stat_activity AS a"
    " WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()"
    " AND a.xact_start < clock_timestamp() - make_interval(secs => %(old)s)"
    " AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)"
    " UNION ALL"
    " SELECT 'prepared transaction ' || x.gid, 'prepared', extract(epoch FROM clock_timestamp() - x.prepared)::float8,"
    " 'COMMIT PREPARED or ROLLBACK PREPARED it'"
    " FROM pg_catalog.pg_prepared_xacts AS x"
    " WHERE x.database = pg_catalog.current_database()"
    " AND x.prepared < clock_timestamp() - make_interval(secs => %(old)s)"
    " UNION ALL"
    " SELECT 'replication slot ' || s.slot_name, 'unused', NULL,"
    " 'drop it by pg_drop_replication_slot, or start its replica'"
    " FROM pg_catalog.pg_replication_slots AS s"
    " WHERE NOT s.active AND (s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL)"
)
_DEAD_ROWS: Final = (
    "SELECT t.relname, t.n_dead_tup, t.n_live_tup, coalesce(t.last_autovacuum, t.last_vacuum)::text"
    " FROM pg_catalog.pg_stat_all_tables AS t"
    " WHERE t.schemaname = 'honker' AND t.n_dead_tup > %s AND t.n_dead_tup > t.n_live_tup ORDER BY 1"
)


def may_read(conn: psycopg.Connection[Any]) -> bool:
    """True if the role may read the tables."""
    return bool(_value(conn, _MAY_READ))


def now(conn: psycopg.Connection[Any]) -> float:
    """The time of the server in Unix seconds."""
    return float(_value(conn, "SELECT honker._now()")) / 1000


def check_replica(conn: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Check that the server can be written."""
    if _value(conn, "SELECT pg_catalog.pg_is_in_recovery()"):
        yield Finding(
            check="replica",
            fact="the server is a replica",
            why="nothing can be enqueued or claimed there",
            step="name the primary in the URL; with several hosts, add target_session_attrs=read-write",
        )


def check_durability(conn: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Check that a commit survives a crash of the server."""
    consequences = {
        "fsync": "a crash of the machine may destroy the database",
        "full_page_writes": "a crash of the machine may destroy the database",
        "synchronous_commit": "a crash of the server undoes the last commits, which may be those of acknowledged jobs",
    }
    for name, why in consequences.items():
        if _value(conn, "SELECT pg_catalog.current_setting(%s)", name) == "off":
            yield Finding(
                check="durability",
                fact=f"{name} is off",
                why=why,
                step=f"set {name} = on, unless that loss is accepted",
            )


def check_privileges(conn: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Check the rights of this role, and those of the role that the functions run as."""
    role = _value(conn, "SELECT pg_catalog.quote_ident(current_user)")
    refused = [name for name, _ in conn.execute(_NOT_CALLABLE).fetchall()]
    if refused:
        yield Finding(
            check="privileges",
            fact=f"the role {role} may not call {len(refused)} functions, such as {refused[0]}",
            why="an application or worker of this role fails",
            step=f"run `honker migrate URL --grant {role}` as the role that owns the schema",
        )
    for functions, tables in conn.execute(_OTHER_OWNERS).fetchall():
        yield Finding(
            check="privileges",
            fact=f"the functions of honker belong to {functions}, and tables to {tables}",
            why="the functions run with the rights of their owner, which may not suffice",
            step=f"give all of the schema to one role by ALTER ... OWNER TO {tables}",
        )
    if not refused and not may_read(conn):
        yield Finding(
            check="privileges",
            fact=f"the role {role} may not read the tables of honker",
            why="it needs no right on them to enqueue and work; but checks of tables and sessions are left out here",
            step="run `honker doctor` as the role that owns the schema, or leave this out by --ignore privileges",
        )


def check_notify(conn: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Check that a notification arrives on a connection that listens."""
    if _value(conn, "SELECT pg_catalog.pg_is_in_recovery()"):
        return
    conn.execute("LISTEN honker_doctor")
    conn.execute("NOTIFY honker_doctor")
    if not list(conn.notifies(timeout=_NOTIFY_S, stop_after=1)):
        yield Finding(
            check="notify",
            fact="a notification did not arrive on the connection that listens for it",
            why="workers are not woken by commits; they look for jobs five times a second",
            step="connect to the server itself, or to a pooler in session mode; transaction mode drops LISTEN",
        )
    conn.execute("UNLISTEN honker_doctor")


def check_schema(conn: psycopg.Connection[Any], shown: str) -> Iterator[Finding]:
    """Check that tables and functions are those of this honker."""
    found = look(conn)
    if found.version > found.newest:
        yield Finding(
            check="schema",
            fact=f"the tables have version {found.version}; this honker knows {found.newest}",
            why="this honker refuses the database",
            step="upgrade honker",
        )
    elif not found.is_current:
        of = (
            "the functions are"
            if found.version == found.newest
            else f"the tables have version {found.version}, and are"
        )
        yield Finding(
            check="schema",
            fact=f"{of} of another honker than this one",
            why="features of this honker may be missing or act differently",
            step=f"run `honker migrate {shown}`",
        )


def check_copy(conn: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Check that no copy into the database is unfinished."""
    if _value(conn, "SELECT EXISTS (SELECT FROM honker.meta WHERE key = 'copy_source')"):
        yield UNFINISHED_COPY


def check_snapshots(conn: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Check that nothing keeps dead rows from being removed."""
    for holder, state, age_s, step in conn.execute(_SNAPSHOTS, {"old": OLD_S}).fetchall():
        since = "" if age_s is None else f", for {span(age_s)}"
        yield Finding(
            check="old-snapshots",
            fact=f"{holder} ({state}{since}) holds an old snapshot",
            why="rows of finished jobs are not removed from the tables, so every query gets slower",
            step=f"{step}; idle_in_transaction_session_timeout ends forgotten transactions",
        )


def check_dead_rows(conn: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Check that dead rows are removed."""
    for table, dead, live, vacuumed_at in conn.execute(_DEAD_ROWS, [DEAD_ROWS]).fetchall():
        yield Finding(
            check="dead-rows",
            fact=f"honker.{table} has {dead:,} dead rows and {live:,} live ones; last vacuum: {vacuumed_at or 'never'}",
            why="the table and its indexes grow, and claims get slower",
            step=f"look for old snapshots, then run VACUUM honker.{table}; lower autovacuum_vacuum_scale_factor for it",
        )


def _value(conn: psycopg.Connection[Any], statement: LiteralString, *parameters: object) -> Any:
    row = conn.execute(statement, parameters or None).fetchone()
    return None if row is None else row[0]
