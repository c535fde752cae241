"""Time for tests without sleeps: the engine reads the wall clock, so the tests move the stored instants."""

import time

from ..support.waiting import wait_until

# Every column that holds an instant.
INSTANTS = {
    "_honker_live": ("run_at", "claim_expires_at", "created_at", "expires_at", "unknown_since", "cancel_requested_at"),
    "_honker_dead": ("run_at", "created_at", "died_at", "expires_at"),
    "_honker_locks": ("expires_at", "taken_at"),
    "_honker_rate_limits": ("window_start", "expires_at"),
    "_honker_scheduler_tasks": ("next_fire_at", "fired_before", "set_back_at"),
    "_honker_results": ("created_at", "expires_at"),
    "_honker_stream": ("created_at",),
    "_honker_notifications": ("created_at",),
    "_honker_queues": ("paused_at", "paused_until"),
    "_honker_keys": ("paused_at", "paused_until"),
    "_honker_attempts": ("ended_at",),
    "_honker_finished": ("created_at", "finished_at", "expires_at"),
    "_honker_progress": ("updated_at",),
    "_honker_token_buckets": ("counted_at", "full_at"),
    "_honker_unique": ("expires_at",),
    "_honker_workers": ("seen_at", "started_at", "ahead_seen_at", "ahead_met_at"),
}


def advance(conn, seconds):
    """Make everything stored `seconds` older, as if that time had passed.

    Give whole seconds, so that instants keep their storage class, and whole windows for rate limits.
    """
    for table, columns in INSTANTS.items():
        assignments = ", ".join(f"{column} = {column} - :seconds" for column in columns)
        conn.execute(f"UPDATE {table} SET {assignments}", {"seconds": seconds})


def early_in_a_second():
    """Return the current second with at least half of it left, for decisions by whole seconds."""
    wait_until(lambda: time.time() % 1 < 0.5)
    return int(time.time())
