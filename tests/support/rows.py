"""The rows of jobs, as a connection without honker sees and changes them."""

from .locking import ask


def stored(path, columns="*"):
    return ask(path, f"SELECT {columns} FROM _honker_live ORDER BY id")


def dead(path, columns="id, last_error"):
    return ask(path, f"SELECT {columns} FROM _honker_dead ORDER BY id")


def edit(path, assignments, job_id):
    """Changes a row as time, or somebody with a SQL prompt, would."""
    ask(path, f"UPDATE _honker_live SET {assignments} WHERE id = ?", job_id)
