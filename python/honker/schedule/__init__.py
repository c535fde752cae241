"""Schedules: when jobs are enqueued by themselves, and the process that does so."""
