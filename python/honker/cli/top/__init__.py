"""``honker top``: the queues, running jobs and workers of a file, refreshed again and again."""
