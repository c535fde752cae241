"""Read and change the rows of jobs, through a connection without honker."""

from .locking import ask


def stored(path, columns="*"):
    return ask(path, f"SELECT {columns} FROM _honker_live ORDER BY id")


def dead(path, columns="id, last_error"):
    return ask(path, f"SELECT {columns} FROM _honker_dead ORDER BY id")


def edit(path, assignments, job_id):
    """Change a row, as time or an operator with a SQL prompt would."""
    ask(path, f"UPDATE _honker_live SET {assignments} WHERE id = ?", job_id)
