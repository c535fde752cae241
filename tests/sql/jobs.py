"""Insert jobs into a queue by hand, and read their rows."""

from .database import claim, enqueue, rows, value


def live(conn, column, job_id):
    return value(conn, f"SELECT {column} FROM _honker_live WHERE id = ?", job_id)


def states(conn):
    """State and error of every job, by id."""
    return {job: (state, error) for job, state, error in rows(conn, "SELECT id, state, last_error FROM _honker_jobs")}


def count(conn, table):
    return value(conn, f"SELECT count(*) FROM {table}")


def put(conn, **columns):
    """Insert a row as another program or an operator would."""
    columns = {"queue": "q", "payload": "{}"} | columns
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    sql = f"INSERT INTO _honker_live ({names}) VALUES ({marks}) RETURNING id"
    return conn.execute(sql, list(columns.values())).fetchall()[0][0]


def lease_ending(conn, end):
    """A claimed job whose lease is stored as ending at `end`."""
    job_id = enqueue(conn)
    claim(conn)
    conn.execute("UPDATE _honker_live SET claim_expires_at = ? WHERE id = ?", (end, job_id))
    return job_id
